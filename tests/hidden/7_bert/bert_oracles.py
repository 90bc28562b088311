"""A BERT in PyTorch's functions, states with a seed for each parameter, and exact bounds on random counts."""

import functools
import inspect
import math

import bert_in_worker
import torch
from torch.nn import functional

from autograder.judge.compare import check_equal, check_shape, check_that
from autograder.judge.probes import define
from autograder.judge.strategies import normal_tensor

VOCAB, LENGTH, D_MODEL, HEADS, D_HIDDEN, SEGMENTS = 11, 9, 12, 4, 8, 3
CONFIG = (VOCAB, LENGTH, D_MODEL, HEADS)
AXES = "batch, length, d_model"


@functools.lru_cache(maxsize=8)
def in_worker(student):
    """Define our functions in the process of the submission."""
    return define(student, inspect.getsource(bert_in_worker))


def config_of(student, num_blocks=2, **options):
    """Create a configuration whose sizes differ pairwise."""
    return student.BertConfig(*CONFIG, num_blocks, D_HIDDEN, num_segments=SEGMENTS, **options)


def linear_shapes(name, rows, columns):
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def norm_shapes(name):
    return {f"{name}.weight": (D_MODEL,), f"{name}.bias": (D_MODEL,)}


def embedding_shapes():
    """Return name → shape of each parameter of the embeddings."""
    tables = {"token": VOCAB, "position": LENGTH, "segment": SEGMENTS}
    return {f"{name}.weight": (rows, D_MODEL) for name, rows in tables.items()} | norm_shapes("norm")


def bert_shapes(num_blocks):
    """Return name → shape of each parameter of a BERT."""
    shapes = {f"embeddings.{name}": shape for name, shape in embedding_shapes().items()}
    for block in (f"blocks.{number}" for number in range(num_blocks)):
        shapes |= {
            f"{block}.attention.{name}_proj.weight": (D_MODEL, D_MODEL) for name in ("query", "key", "value", "output")
        }
        shapes |= linear_shapes(f"{block}.feed_forward.input_proj", D_HIDDEN, D_MODEL)
        shapes |= linear_shapes(f"{block}.feed_forward.output_proj", D_MODEL, D_HIDDEN)
        shapes |= norm_shapes(f"{block}.attention_norm") | norm_shapes(f"{block}.feed_forward_norm")
    return shapes | linear_shapes("pooler", D_MODEL, D_MODEL)


def head_shapes():
    """Return name → shape of each parameter of the masked-language head."""
    return linear_shapes("dense", D_MODEL, D_MODEL) | norm_shapes("norm") | {"bias": (VOCAB,)}


def state_of(shapes, seed, *, sharp=1.0):
    """Create a state in float64 with a seed for each parameter; `sharp` multiplies queries and keys."""
    state = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        tensor = normal_tensor(*shape, seed=seed + 7 * number)
        if name.endswith("norm.weight"):
            state[name] = 1 + tensor / 3
        elif len(shape) == 1:
            state[name] = tensor / 2
        elif name.endswith(("token.weight", "position.weight", "segment.weight")):
            state[name] = tensor
        else:
            state[name] = tensor * shape[1] ** -0.5 * (sharp if "query_proj" in name or "key_proj" in name else 1.0)
    return state


def bert_of(student, seed=0, num_blocks=2, *, sharp=1.0, **options):
    """Create the student's model in float64; return it and its state."""
    state = state_of(bert_shapes(num_blocks), seed, sharp=sharp)
    return loaded(student, student.Bert(config_of(student, num_blocks, **options)), state), state


def loaded(student, module, state):
    """Load a state into a module of the student's, in one message."""
    shapes = [[name, list(tensor.shape), math.prod(tensor.shape)] for name, tensor in state.items()]
    return in_worker(student).load(module, torch.cat([tensor.flatten() for tensor in state.values()]), shapes)


def token_ids(*shape, seed, below=VOCAB):
    """Draw token ids."""
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


def check_state_names(module, expected):
    """Check the names and shapes of a state dict."""
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(module.state_dict().items())}
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(expected), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(expected.items())), says=says)


def states_of(bert, *inputs, **options):
    """Return hidden and pooled states; fail those of a wrong shape and those that do not vary."""
    hidden, pooled = bert(*inputs, **options)
    check_shape(hidden, (*inputs[0].shape, D_MODEL), axes=AXES)
    check_that(bool(hidden.std() > 0), "all hidden states are equal")
    return hidden, pooled


def normed(x, state, name):
    return functional.layer_norm(x, (D_MODEL,), state[f"{name}.weight"], state[f"{name}.bias"])


def embedded(state, tokens, segments, prefix=""):
    """Compute what the first block reads."""
    tables = [state[f"{prefix}{name}.weight"] for name in ("token", "position", "segment")]
    x = tables[0][tokens] + tables[1][: tokens.shape[1]] + tables[2][segments]
    return normed(x, state, f"{prefix}norm")


def hidden_states(state, tokens, segments, mask=None):
    """Compute the hidden states with PyTorch's attention and norms."""

    def projected(x, name):
        return functional.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def heads(x, name):
        return projected(x, name).unflatten(-1, (HEADS, -1)).transpose(1, 2)

    x = embedded(state, tokens, segments, "embeddings.")
    readable = None if mask is None else mask[:, None, None, :]
    for block in (f"blocks.{number}" for number in range(sum(name.endswith("query_proj.weight") for name in state))):
        streams = [heads(x, f"{block}.attention.{name}_proj") for name in ("query", "key", "value")]
        gathered = functional.scaled_dot_product_attention(*streams, attn_mask=readable).transpose(1, 2).flatten(2)
        x = normed(x + projected(gathered, f"{block}.attention.output_proj"), state, f"{block}.attention_norm")
        inner = functional.gelu(projected(x, f"{block}.feed_forward.input_proj"))
        x = normed(x + projected(inner, f"{block}.feed_forward.output_proj"), state, f"{block}.feed_forward_norm")
    return x


def head_logits(state, table, hidden):
    """Compute the logits of a masked-language head with this state and this embedding."""
    inner = functional.gelu(functional.linear(hidden, state["dense.weight"], state["dense.bias"]))
    return normed(inner, state, "norm") @ table.T + state["bias"]


@functools.lru_cache(maxsize=256)
def bounds(count, probability, odds=1e-11):
    """Return the smallest and the largest plausible number of successes: each tail beyond them is below `odds`."""
    if not 0 < probability < 1:
        return round(count * probability), round(count * probability)
    k = torch.arange(count + 1, dtype=torch.float64)
    n = torch.tensor(float(count), dtype=torch.float64)
    ways = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    exact = (ways + k * math.log(probability) + (n - k) * math.log1p(-probability)).exp()
    below, above = exact.cumsum(0), exact.flip(0).cumsum(0)
    return int((below < odds).sum()), count - int((above < odds).sum())


def check_share(successes, count, says, lowest, highest=None):
    """Check a random count: each of `count` trials succeeds with a probability from `lowest` to `highest`.

    A fixed share, rounded, passes too. A right solution fails with a probability below 1e-10.
    """
    fewest, most = bounds(count, lowest)[0], bounds(count, lowest if highest is None else highest)[1]
    check_that(fewest <= int(successes) <= most, says)


def check_differs(actual, other, says):
    """Check that two results of the same kind, tensors or lists, are not equal."""
    same = torch.equal(actual, other) if isinstance(other, torch.Tensor) else actual == other
    check_that(not same, says)
