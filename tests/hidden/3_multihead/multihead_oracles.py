"""Modules, inputs and oracles that the hidden tests of MultiHeadAttention share."""

import functools

import torch

from autograder.judge.compare import check_results, check_shape, check_values
from autograder.judge.strategies import normal_tensor, random_mask

LINEARS = ("query_proj", "key_proj", "value_proj", "output_proj")

# Common libraries compute a softmax in float32. One check of the exercise pays for the full accuracy of float64.
check_attention_values = functools.partial(check_values, accuracy=torch.float32)

# More positions than any that are drawn: some mistakes concern long sequences only.
LONG = 20


def state_of(d_model, *, seed, d_kv=None, bias=False):
    """A state dict, each parameter with its own seed, scaled so that scores are of order 1."""
    state = {}
    for number, name in enumerate(LINEARS):
        rows = d_kv if d_kv and name in ("key_proj", "value_proj") else d_model
        state[f"{name}.weight"] = normal_tensor(rows, d_model, seed=seed + number, scale=d_model**-0.5)
        if bias:
            state[f"{name}.bias"] = normal_tensor(rows, seed=seed + 10 + number)
    return state


def module_of(student, state, num_heads, **options):
    """The student's module in float64, with these parameters."""
    d_model = state["query_proj.weight"].shape[0]
    module = student.MultiHeadAttention(d_model, num_heads, **options).double()
    module.load_state_dict(state, strict=False)  # another check covers unexpected parameters
    return module


def ungrouped(state, heads, kv_heads):
    """The state of a module without groups whose key/value heads are equal within each group of query heads."""
    repeated = dict(state)
    for name in state:
        if name.startswith(("key_proj", "value_proj")):
            by_head = state[name].unflatten(0, (kv_heads, -1))
            repeated[name] = by_head.repeat_interleave(heads // kv_heads, dim=0).flatten(0, 1)
    return repeated


def head_by_head(state, num_heads, x, memory):
    """Output and weights; each head is computed from its rows of the projections."""
    d_head = x.shape[-1] // num_heads

    def project(name, tokens, head):
        rows = slice(head * d_head, (head + 1) * d_head)
        bias = state[f"{name}.bias"][rows] if f"{name}.bias" in state else 0.0
        return torch.einsum("bld,hd->blh", tokens, state[f"{name}.weight"][rows]) + bias

    heads, weights = [], []
    for head in range(num_heads):
        scores = torch.einsum("bqd,bkd->bqk", project("query_proj", x, head), project("key_proj", memory, head))
        weights.append(torch.softmax(scores / d_head**0.5, dim=-1))
        heads.append(weights[-1] @ project("value_proj", memory, head))
    output = torch.cat(heads, dim=-1) @ state["output_proj.weight"].T
    return output + state.get("output_proj.bias", 0.0), torch.stack(weights, dim=1)


def torch_module(state, num_heads):
    """PyTorch's module with the same parameters; they must have no bias."""
    d_model = state["query_proj.weight"].shape[0]
    module = torch.nn.MultiheadAttention(d_model, num_heads, bias=False, batch_first=True, dtype=torch.float64)
    fused = torch.cat([state[f"{name}.weight"] for name in LINEARS[:3]])
    module.load_state_dict({"in_proj_weight": fused, "out_proj.weight": state["output_proj.weight"]})
    return module


def output_of(module, x, **options):
    """The module's first result, checked to have the shape of `x`."""
    output = check_results(module(x, **options), 2)[0]
    check_shape(output, tuple(x.shape), axes="batch, query, d_model")
    return output


def weights_of(module, heads, x, *, memory=None, **options):
    """The module's second result, checked to have the shape of a call without a cache."""
    weights = check_results(module(x, memory, **options), 2)[1]
    keys = x.shape[1] if memory is None else memory.shape[1]
    check_shape(weights, (x.shape[0], heads, x.shape[1], keys), axes="batch, heads, query, key")
    return weights


def renormalise(weights, mask):
    """The weights after a mask of four axes blocks some keys of each row."""
    kept = weights.detach() * mask
    return kept / kept.sum(dim=-1, keepdim=True)


def check_obeys_masks(student, seed, sizes, mask_shapes, *, memory_length=None):
    """Check that, under masks of these shapes, the weights of the allowed keys keep their proportions.

    A shape of three axes means `(batch, query, key)`. With a `memory_length`, a memory of that length is given.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x = normal_tensor(batch, length, heads * d_head, seed=seed + 20)
    memory = None if memory_length is None else normal_tensor(batch, memory_length, heads * d_head, seed=seed + 21)
    unmasked = weights_of(module, heads, x, memory=memory)
    for number, shape in enumerate(mask_shapes):
        mask = random_mask(*shape, seed=seed + 30 + number)
        full_mask = (mask.unsqueeze(1) if mask.ndim == 3 else mask).expand(unmasked.shape)
        weights = weights_of(module, heads, x, memory=memory, mask=mask)
        check_attention_values(weights, renormalise(unmasked, full_mask))
