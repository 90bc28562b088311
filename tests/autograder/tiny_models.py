"""The files of a tiny GPT: its record, and random weights with the names of the contract."""

import json

import torch

SIZES = {"context_length": 16, "d_model": 12, "num_heads": 3, "num_blocks": 2, "d_hidden": 20}
ALPHABET = "\n !$&',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Weights that take no bytes, of a shape beyond memory.
_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [0] + [2**26] * 7, "data_offsets": [0, 0]}}).encode()
WITHOUT_NUMBERS = len(_HEADER).to_bytes(8, "little") + _HEADER


def record(alphabet: str = ALPHABET, **changes: object) -> bytes:
    sizes = {**SIZES, "vocab_size": len(alphabet)}
    parameters = sum(weight.numel() for weight in weights(len(alphabet)).values())
    fields = {"format_version": 1, "config": sizes, "alphabet": alphabet, "parameters": parameters, **changes}
    return json.dumps(fields).encode()


def weights(vocab_size: int = len(ALPHABET)) -> dict[str, torch.Tensor]:
    """Random weights with the names of the contract."""
    d_model, d_hidden = SIZES["d_model"], SIZES["d_hidden"]
    shapes = {
        "token_embedding.weight": (vocab_size, d_model),
        "position_embedding.weight": (SIZES["context_length"], d_model),
    }
    for block in ("blocks.0", "blocks.1"):
        shapes |= {
            f"{block}.attention.{name}_proj.weight": (d_model, d_model) for name in ("query", "key", "value", "output")
        }
        for norm in ("attention_norm", "feed_forward_norm"):
            shapes |= {f"{block}.{norm}.weight": (d_model,), f"{block}.{norm}.bias": (d_model,)}
        shapes |= {
            f"{block}.feed_forward.input_proj.weight": (d_hidden, d_model),
            f"{block}.feed_forward.input_proj.bias": (d_hidden,),
        }
        shapes |= {
            f"{block}.feed_forward.output_proj.weight": (d_model, d_hidden),
            f"{block}.feed_forward.output_proj.bias": (d_model,),
        }
    shapes |= {"norm.weight": (d_model,), "norm.bias": (d_model,)}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) / 3 for name, shape in shapes.items()}
