"""A GPT in PyTorch's functions, states with a seed for each parameter, and access to the student's process."""

import functools
import inspect
import math

import gpt_model_in_worker
import torch
from torch.nn import functional

from autograder.judge.probes import define
from autograder.judge.strategies import normal_tensor

VOCAB, CONTEXT, HEADS, D_MODEL, D_HIDDEN = 11, 9, 3, 6, 8


@functools.lru_cache(maxsize=8)
def in_worker(student, module=gpt_model_in_worker):
    """Define the functions of one of our modules in the process of the submission."""
    return define(student, inspect.getsource(module))


def gpt_shapes(num_blocks, *, vocab=VOCAB, context=CONTEXT, d_model=D_MODEL, d_hidden=D_HIDDEN):
    """Return name → shape of each parameter of a GPT."""
    shapes = {"token_embedding.weight": (vocab, d_model), "position_embedding.weight": (context, d_model)}
    norms = ["norm"]
    for block in (f"blocks.{number}" for number in range(num_blocks)):
        for projection in ("query", "key", "value", "output"):
            shapes[f"{block}.attention.{projection}_proj.weight"] = (d_model, d_model)
        shapes[f"{block}.feed_forward.input_proj.weight"] = (d_hidden, d_model)
        shapes[f"{block}.feed_forward.input_proj.bias"] = (d_hidden,)
        shapes[f"{block}.feed_forward.output_proj.weight"] = (d_model, d_hidden)
        shapes[f"{block}.feed_forward.output_proj.bias"] = (d_model,)
        norms += [f"{block}.attention_norm", f"{block}.feed_forward_norm"]
    return shapes | {f"{norm}.{kind}": (d_model,) for norm in norms for kind in ("weight", "bias")}


def state_of(shapes, seed, *, sharp=1.0):
    """Create a state in float64 with a seed for each parameter; `sharp` multiplies queries and keys."""
    state = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        tensor = normal_tensor(*shape, seed=seed + 7 * number)
        if name.endswith("norm.weight"):
            state[name] = 1 + tensor / 3
        elif len(shape) == 1:
            state[name] = tensor / 2
        else:
            state[name] = tensor * shape[1] ** -0.5 * (sharp if "query_proj" in name or "key_proj" in name else 1.0)
    return state


def sensitive_state(seed):
    """Create a state of one block whose most likely tokens depend on all tokens it reads, none dominating."""
    state = state_of(gpt_shapes(1), seed, sharp=3.0)
    embedding = state["token_embedding.weight"]
    strong = {name: 4 * tensor for name, tensor in state.items() if name.endswith("output_proj.weight")}
    normalised = {"token_embedding.weight": embedding / embedding.norm(dim=-1, keepdim=True)}
    return state | strong | normalised | {"norm.bias": torch.zeros(D_MODEL, dtype=torch.float64)}


def made(student, state, num_blocks, **options):
    """Create the student's GPT in float64 with this state."""
    shapes = [[name, list(tensor.shape), math.prod(tensor.shape)] for name, tensor in state.items()]
    numbers = torch.cat([tensor.flatten() for tensor in state.values()])
    sizes = [VOCAB, CONTEXT, D_MODEL, HEADS, num_blocks, D_HIDDEN]
    return in_worker(student).make(student.GPT, student.GPTConfig, sizes, options, numbers, shapes)


def gpt_of(student, seed=0, num_blocks=2, *, sharp=1.0, **options):
    """Create the student's GPT in float64; return it and its state."""
    state = state_of(gpt_shapes(num_blocks), seed, sharp=sharp)
    return made(student, state, num_blocks, **options), state


def token_ids(*shape, seed):
    """Draw token ids."""
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def gpt_logits(state, tokens):
    """Compute the logits with PyTorch's attention and norms; gradients reach the state."""

    def normed(x, name):
        return functional.layer_norm(x, (D_MODEL,), state[f"{name}.weight"], state[f"{name}.bias"])

    def projected(x, name):
        return functional.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def heads(x, name):
        return projected(x, name).unflatten(-1, (HEADS, -1)).transpose(1, 2)

    x = state["token_embedding.weight"][tokens] + state["position_embedding.weight"][: tokens.shape[1]]
    for block in (f"blocks.{number}" for number in range(sum(name.endswith("query_proj.weight") for name in state))):
        read = normed(x, f"{block}.attention_norm")
        streams = [heads(read, f"{block}.attention.{name}_proj") for name in ("query", "key", "value")]
        gathered = functional.scaled_dot_product_attention(*streams, is_causal=True).transpose(1, 2).flatten(2)
        x = x + projected(gathered, f"{block}.attention.output_proj")
        read = normed(x, f"{block}.feed_forward_norm")
        hidden = functional.gelu(projected(read, f"{block}.feed_forward.input_proj"))
        x = x + projected(hidden, f"{block}.feed_forward.output_proj")
    return functional.linear(normed(x, "norm"), state["token_embedding.weight"])


def starts_of(tokens, windows, width):
    """Find the start of each window in a text of distinct tokens; -1 if it does not occur."""
    found = (windows[:, None, :] == tokens.long().unfold(0, width, 1)).all(dim=-1)
    return torch.where(found.any(dim=1), found.double().argmax(dim=1), -1)
