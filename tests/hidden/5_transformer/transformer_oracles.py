"""States with a seed for each parameter, and PyTorch's layers with the same weights."""

import torch
from torch import nn
from torch.nn import functional

from autograder.judge.strategies import normal_tensor

# Our name of each part of a block → PyTorch's name.
ENCODER_PARTS = {
    "attention": "self_attn",
    "attention_norm": "norm1",
    "feed_forward.input_proj": "linear1",
    "feed_forward.output_proj": "linear2",
    "feed_forward_norm": "norm2",
}
DECODER_PARTS = {
    "self_attention": "self_attn",
    "self_attention_norm": "norm1",
    "cross_attention": "multihead_attn",
    "cross_attention_norm": "norm2",
    "feed_forward.input_proj": "linear1",
    "feed_forward.output_proj": "linear2",
    "feed_forward_norm": "norm3",
}
PROJECTIONS = ("query_proj", "key_proj", "value_proj", "output_proj")


def linear_shapes(rows, columns):
    return {"weight": (rows, columns), "bias": (rows,)}


def feed_forward_shapes(d_model, d_hidden):
    return under("input_proj", linear_shapes(d_hidden, d_model)) | under(
        "output_proj", linear_shapes(d_model, d_hidden)
    )


def block_shapes(parts, d_model, d_hidden):
    """Return name → shape of each parameter of a block with these parts."""
    shapes = under("feed_forward", feed_forward_shapes(d_model, d_hidden))
    for part in parts:
        if part.endswith("attention"):
            shapes |= {f"{part}.{name}.weight": (d_model, d_model) for name in PROJECTIONS}
        elif part.endswith("norm"):
            shapes |= {f"{part}.weight": (d_model,), f"{part}.bias": (d_model,)}
    return shapes


def stack_shapes(parts, num_blocks, d_model, d_hidden, *, norm_first=True):
    """Return name → shape of each parameter of an encoder or a decoder."""
    shapes = {"norm.weight": (d_model,), "norm.bias": (d_model,)} if norm_first else {}
    for number in range(num_blocks):
        shapes |= under(f"blocks.{number}", block_shapes(parts, d_model, d_hidden))
    return shapes


def transformer_shapes(source_vocab, target_vocab, d_model, num_blocks, d_hidden):
    """Return name → shape of each parameter of a whole Transformer."""
    return {
        "source_embedding.weight": (source_vocab, d_model),
        "target_embedding.weight": (target_vocab, d_model),
        **under("encoder", stack_shapes(ENCODER_PARTS, num_blocks, d_model, d_hidden)),
        **under("decoder", stack_shapes(DECODER_PARTS, num_blocks, d_model, d_hidden)),
        **under("output_proj", linear_shapes(target_vocab, d_model)),
    }


def under(prefix, entries):
    """Put a prefix and a dot before the name of each entry."""
    return {f"{prefix}.{name}": entry for name, entry in entries.items()}


def part_of(state, prefix):
    """Select the entries under a prefix, and remove it from their names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}


def state_of(shapes, seed):
    """Create a state dict in float64 with a seed for each parameter: no two gains or matrices are equal."""
    state = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        tensor = normal_tensor(*shape, seed=seed + 7 * number)
        if name.endswith("norm.weight") or name == "weight":
            state[name] = 1 + tensor / 3
        elif len(shape) == 1:
            state[name] = tensor / 2
        else:
            state[name] = tensor * shape[1] ** -0.5
    return state


def as_torch_names(state, parts):
    """Rename a block's state to PyTorch's names, with biases of zero for its attentions."""
    found = {}
    for ours, theirs in parts.items():
        if ours.endswith("attention"):
            weights = [state[f"{ours}.{name}.weight"] for name in PROJECTIONS]
            found[f"{theirs}.in_proj_weight"] = torch.cat(weights[:3])
            found[f"{theirs}.in_proj_bias"] = torch.zeros(3 * len(weights[0]), dtype=torch.float64)
            found[f"{theirs}.out_proj.weight"] = weights[3]
            found[f"{theirs}.out_proj.bias"] = torch.zeros(len(weights[0]), dtype=torch.float64)
        else:
            found |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    return found


def torch_layer(kind, parts, state, num_heads, *, norm_first=True):
    """Create PyTorch's layer with this state, in training mode: its fast path uses different code."""
    d_hidden, d_model = state["feed_forward.input_proj.weight"].shape
    options = {"norm_first": norm_first, "batch_first": True, "dtype": torch.float64}
    layer = kind(d_model, num_heads, d_hidden, 0.0, functional.gelu, **options)
    layer.load_state_dict(as_torch_names(state, parts))
    return layer


def encoder_layer(state, num_heads, *, norm_first=True):
    return torch_layer(nn.TransformerEncoderLayer, ENCODER_PARTS, state, num_heads, norm_first=norm_first)


def decoder_layer(state, num_heads, *, norm_first=True):
    return torch_layer(nn.TransformerDecoderLayer, DECODER_PARTS, state, num_heads, norm_first=norm_first)


def is_later(length):
    """Return PyTorch's causal mask: True where a key comes after its query."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def embedded(table, tokens):
    """Return rows of an embedding times √d_model, plus sinusoids of the tokens' positions."""
    d_model = table.shape[1]
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angle = torch.arange(tokens.shape[1], dtype=torch.float64)[:, None] * speeds
    sinusoids = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
    return table[tokens] * d_model**0.5 + sinusoids


def encoded(stack, num_heads, x, mask=None):
    """Run PyTorch's layers with the weights of an encoder; the encoder is pre-norm if it has a final norm.

    True in `mask`, which has two or three axes, allows; each query may attend to a key.
    """
    for number in range(_blocks(stack)):
        layer = encoder_layer(part_of(stack, f"blocks.{number}"), num_heads, norm_first="norm.weight" in stack)
        x = layer(x, blocked(mask, num_heads, x, x))
    return _normed(stack, x).detach()


def decoded(stack, num_heads, x, memory, mask=None, memory_mask=None):
    """Run PyTorch's layers with the weights of a decoder, as `encoded` does, with a causal mask."""
    causal = ~is_later(x.shape[1])
    own = blocked(causal if mask is None else causal & mask, num_heads, x, x)
    for number in range(_blocks(stack)):
        layer = decoder_layer(part_of(stack, f"blocks.{number}"), num_heads, norm_first="norm.weight" in stack)
        x = layer(x, memory, own, blocked(memory_mask, num_heads, x, memory))
    return _normed(stack, x).detach()


def blocked(mask, num_heads, query, key):
    """Return a mask in PyTorch's form: True blocks, with one matrix per sequence and head; None blocks nothing."""
    if mask is None:
        return None
    return ~mask.expand(len(query), query.shape[1], key.shape[1]).repeat_interleave(num_heads, dim=0)


def torch_memory(state, num_heads, source, pad_id):
    """Compute the output of a Transformer's encoder with PyTorch's layers."""
    x = embedded(state["source_embedding.weight"], source)
    return encoded(part_of(state, "encoder"), num_heads, x, real_tokens(source, pad_id))


def torch_logits(state, num_heads, target, memory, source, pad_id):
    """Compute a Transformer's logits for this memory with PyTorch's layers."""
    x = embedded(state["target_embedding.weight"], target)
    readable = real_tokens(source, pad_id)
    hidden = decoded(part_of(state, "decoder"), num_heads, x, memory, memory_mask=readable)
    return functional.linear(hidden, state["output_proj.weight"], state["output_proj.bias"])


def real_tokens(source, pad_id):
    """Return the mask of the tokens that are not padding, `(batch, 1, key)`."""
    return (source != pad_id)[:, None, :]


def _normed(stack, x):
    if "norm.weight" not in stack:
        return x
    return functional.layer_norm(x, x.shape[-1:], stack["norm.weight"], stack["norm.bias"])


def _blocks(stack):
    return sum(name.endswith("feed_forward.input_proj.bias") for name in stack)
