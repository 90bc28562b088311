"""Oracles of stage 8: spans and buckets by their definitions in Python numbers, a T5 in PyTorch's functions."""

import functools
import inspect
import math
from itertools import groupby

import t5_in_worker
import torch
from torch.nn import functional

from autograder.judge.compare import check_results, check_that
from autograder.judge.probes import define
from autograder.judge.strategies import normal_tensor

VOCAB, D_MODEL, HEADS, D_HIDDEN = 13, 6, 3, 8
# With these, both kinds of bucket have exact and shared distances within ten positions.
BUCKETS, DISTANCE, PAD = 8, 10, 4
PROJECTIONS = ("query_proj", "key_proj", "value_proj", "output_proj")
FLOAT32 = torch.float32


@functools.lru_cache(maxsize=4)
def in_worker(student):
    """Define the helpers in the process of the submission, once per check."""
    return define(student, inspect.getsource(t5_in_worker))


# --- Spans -----------------------------------------------------------------------------------------------------------


def counts(length, rate=0.15, mean_span=3.0):
    """Return the number of masked tokens and of spans."""
    masked = min(max(round(length * rate), 1), length - 1)
    return masked, min(max(round(masked / mean_span), 1), masked, length - masked)


def runs(mask):
    """Return value and length of each run of equal values."""
    return [(bool(value), len(list(group))) for value, group in groupby(mask)]


def span_lengths(mask):
    """Return the lengths of the masked runs, and of the kept runs before them."""
    found = runs(mask)
    masked = [length for value, length in found if value]
    return masked, [length for value, length in found if not value][: len(masked)]


def corrupted(tokens, spans, sentinel_ids, end_id):
    """Return inputs and targets of the definition, as tensors in the dtype of the tokens."""
    inputs, targets, start, used = [], [], 0, 0
    values = tokens.tolist()
    for masked, length in runs(spans.tolist()):
        piece = values[start : start + length]
        start += length
        if masked:
            inputs, targets, used = [*inputs, sentinel_ids[used]], [*targets, sentinel_ids[used], *piece], used + 1
        else:
            inputs += piece
    targets = [*targets, sentinel_ids[used], end_id]
    return tuple(torch.tensor(part, dtype=tokens.dtype) for part in ([*inputs, end_id], targets))


def corrupt(student, tokens, spans, sentinel_ids, end_id):
    """Call the student's `corrupt_spans`; return its two results."""
    helper = in_worker(student).with_sentinels
    return check_results(helper(student.corrupt_spans, tokens, spans, sentinel_ids, end_id), 2)


def restore(student, inputs, targets, sentinel_ids, end_id):
    """Call the student's `restore_spans`."""
    return in_worker(student).with_sentinels(student.restore_spans, inputs, targets, sentinel_ids, end_id)


# --- Buckets ---------------------------------------------------------------------------------------------------------


def bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    """Return the bucket of one relative position, by its definition in Python numbers."""
    first, distance = 0, max(-relative_position, 0)
    if bidirectional:
        num_buckets //= 2
        first, distance = num_buckets * (relative_position > 0), abs(relative_position)
    exact = num_buckets // 2
    if distance < exact:
        return first + distance
    # A distance that is exactly on a boundary belongs to the upper bucket.
    share = math.log(distance / exact) / math.log(max_distance / exact) * (num_buckets - exact)
    return first + min(exact + math.floor(share + 1e-9), num_buckets - 1)


def buckets(relative_position, **options):
    """Return the buckets of a tensor of relative positions."""
    values = [bucket(value, **options) for value in relative_position.flatten().tolist()]
    return torch.tensor(values).reshape(relative_position.shape)


def position_bias(weight, query_length, key_length, bidirectional, max_distance=DISTANCE):
    """Look up the bias `(heads, query, key)` in a weight `(num_buckets, num_heads)`."""
    rows = [
        [weight[bucket(key - query, bidirectional, len(weight), max_distance)] for key in range(key_length)]
        for query in range(query_length)
    ]
    return torch.stack([torch.stack(row) for row in rows]).permute(2, 0, 1)


# --- Modules ---------------------------------------------------------------------------------------------------------


def attention_shapes(d_model=D_MODEL):
    """Return name → shape of the parameters of an attention."""
    return {f"{name}.weight": (d_model, d_model) for name in PROJECTIONS}


def t5_shapes(num_blocks, d_model=D_MODEL, d_hidden=D_HIDDEN):
    """Return name → shape of each parameter of a T5."""
    shapes, norms = {"embedding.weight": (VOCAB, d_model)}, ["encoder.norm", "decoder.norm"]
    for stack, attentions in (("encoder", ["attention"]), ("decoder", ["self_attention", "cross_attention"])):
        shapes[f"{stack}.position_bias.weight"] = (BUCKETS, HEADS)
        for block in (f"{stack}.blocks.{number}" for number in range(num_blocks)):
            for attention in attentions:
                shapes |= {f"{block}.{attention}.{name}": shape for name, shape in attention_shapes(d_model).items()}
            shapes[f"{block}.feed_forward.input_proj.weight"] = (d_hidden, d_model)
            shapes[f"{block}.feed_forward.input_proj.bias"] = (d_hidden,)
            shapes[f"{block}.feed_forward.output_proj.weight"] = (d_model, d_hidden)
            shapes[f"{block}.feed_forward.output_proj.bias"] = (d_model,)
            norms += [f"{block}.{part}_norm" for part in (*attentions, "feed_forward")]
    return shapes | {f"{norm}.weight": (d_model,) for norm in norms}


def state_of(shapes, seed):
    """Create a state in float64 with a seed for each parameter."""
    state = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        tensor = normal_tensor(*shape, seed=seed + 7 * number)
        if name.endswith("norm.weight"):
            state[name] = 1 + tensor / 3
        elif len(shape) == 1 or name.endswith("position_bias.weight"):
            state[name] = tensor / 2 if len(shape) == 1 else tensor
        else:
            state[name] = tensor * shape[1] ** -0.5
    return state


def flat(state):
    """Return all numbers of a state in one vector, and name, shape and count of each tensor."""
    shapes = [[name, list(tensor.shape), tensor.numel()] for name, tensor in state.items()]
    return torch.cat([tensor.flatten() for tensor in state.values()]), shapes


def t5_with(student, state, **options):
    """Create the student's T5 in float64 with this state."""
    num_blocks = sum(name.endswith("self_attention_norm.weight") for name in state)
    d_hidden, d_model = state["encoder.blocks.0.feed_forward.input_proj.weight"].shape
    sizes = [VOCAB, d_model, HEADS, num_blocks, d_hidden, BUCKETS, DISTANCE]
    options = {"pad_id": PAD} | options
    return in_worker(student).make_model(student.T5, student.T5Config, sizes, options, *flat(state))


def token_ids(*shape, seed, pad_id=PAD):
    """Draw token ids without padding."""
    drawn = torch.randint(VOCAB - 1, shape, generator=torch.Generator().manual_seed(seed))
    return drawn + (drawn >= pad_id)


def padded(tokens, lengths, pad_id=PAD):
    """Replace the tokens of each row from its length on with padding."""
    return tokens.masked_fill(torch.arange(tokens.shape[1]) >= torch.tensor(lengths)[:, None], pad_id)


def attention(state, name, x, memory, allowed, bias=None):
    """Attend with PyTorch's function; `allowed` is broadcast to `(batch, heads, query, key)`."""

    def heads(source, projection):
        return functional.linear(source, state[f"{name}{projection}.weight"]).unflatten(-1, (HEADS, -1)).transpose(1, 2)

    query, key, value = heads(x, "query_proj"), heads(memory, "key_proj"), heads(memory, "value_proj")
    added = torch.zeros(len(x), HEADS, x.shape[1], memory.shape[1], dtype=x.dtype)
    added = (added if bias is None else added + bias).masked_fill(~allowed, -math.inf)
    gathered = functional.scaled_dot_product_attention(query, key, value, attn_mask=added, scale=1.0)
    return functional.linear(gathered.transpose(1, 2).flatten(2), state[f"{name}output_proj.weight"])


def stack_output(state, stack, x, allowed, memory=None, readable=None):
    """Run a stack of a T5 with PyTorch's functions, up to and including its last norm."""

    def normed(x, name):
        return functional.rms_norm(x, (D_MODEL,), state[f"{name}.weight"], 1e-6)

    own = "attention" if memory is None else "self_attention"
    weight = state[f"{stack}.position_bias.weight"]
    bias = position_bias(weight, x.shape[1], x.shape[1], bidirectional=memory is None)
    for number in range(sum(name.startswith(stack) and name.endswith("feed_forward_norm.weight") for name in state)):
        block = f"{stack}.blocks.{number}"
        read = normed(x, f"{block}.{own}_norm")
        x = x + attention(state, f"{block}.{own}.", read, read, allowed, bias)
        if memory is not None:
            read = normed(x, f"{block}.cross_attention_norm")
            x = x + attention(state, f"{block}.cross_attention.", read, memory, readable)
        read = normed(x, f"{block}.feed_forward_norm")
        parts = [state[f"{block}.feed_forward.{name}"] for name in ("input_proj.weight", "input_proj.bias")]
        hidden = functional.gelu(functional.linear(read, *parts))
        parts = [state[f"{block}.feed_forward.{name}"] for name in ("output_proj.weight", "output_proj.bias")]
        x = x + functional.linear(hidden, *parts)
    return normed(x, f"{stack}.norm")


def t5_memory(state, source, pad_id=PAD):
    """Compute the output of the encoder."""
    return stack_output(state, "encoder", state["embedding.weight"][source], real_keys(source, pad_id))


def t5_hidden(state, source, target, pad_id=PAD):
    """Compute the normalised output of the decoder."""
    causal = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).tril()
    x, memory = state["embedding.weight"][target], t5_memory(state, source, pad_id)
    return stack_output(state, "decoder", x, causal, memory, real_keys(source, pad_id))


def t5_logits(state, source, target, pad_id=PAD):
    """Compute the logits."""
    return t5_hidden(state, source, target, pad_id) @ state["embedding.weight"].T / D_MODEL**0.5


def real_keys(source, pad_id):
    """Return the mask of the keys that are not padding, `(batch, 1, 1, key)`."""
    return (source != pad_id)[:, None, None, :]


# --- Training --------------------------------------------------------------------------------------------------------


def gap_batches(count, size, seed, length=10):
    """Draw batches of source, target and labels: each text repeats one letter, so what is missing is in the source."""
    end, sentinel_ids, letters, generator = 1, [12, 11, 10], 8, torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(count):
        pairs = []
        for letter in torch.randint(2, 2 + letters, (size,), generator=generator).tolist():
            first, second = (torch.randint(1, length // 2, (2,), generator=generator) + torch.tensor([0, 5])).tolist()
            spans = torch.zeros(length, dtype=torch.bool)
            spans[[first, second]] = True
            pairs.append(corrupted(torch.full((length,), letter), spans, sentinel_ids, end))
        source, target = (torch.stack(rows) for rows in zip(*pairs, strict=True))
        batches.append((source, functional.pad(target[:, :-1], (1, 0)), target))
    return batches


def letter_loss(logits, target):
    """Compute the mean surprise at the letters of a target; sentinels and the end do not count."""
    labels = target.masked_fill((target < 2) | (target > 9), -100)
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).item()


def check_share(found, rate, says):
    """Check that the share of True is within 7 standard deviations of the rate."""
    share = found.double().mean().item()
    tolerance = 7 * (rate * (1 - rate) / found.numel()) ** 0.5
    assert tolerance < rate, "too few numbers to notice that nothing is dropped"
    check_that(abs(share - rate) < tolerance, says)
