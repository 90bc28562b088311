"""Your parts, or faster ones of PyTorch's that give the same numbers.

A faster part takes the place of yours only after both gave the same result here and now; the weights are yours
in any case, under your names.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import gpt
import multihead
import torch
import torch.nn.functional as F
import transformer
from torch import Tensor, nn

# Of logits and of weights after a few steps, both near 1 in size: what float32 rounds differently.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Parts:
    """What a run computes with.

    Attributes:
        optimizer: makes one from parameter groups.
        faster: names of the parts that are PyTorch's.
        remarks: why a part is not, one line each.
    """

    optimizer: Callable[..., torch.optim.Optimizer]
    faster: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for people."""
        return f"yours; PyTorch's for {', '.join(self.faster)}" if self.faster else "yours"


def choose_parts(model: nn.Module, config: gpt.GPTConfig, wanted: str) -> Parts:
    """Find the faster parts that agree with yours, and put those of the model in their places.

    Args:
        model: your GPT, on the CPU, where both compute with all digits.
        config: its sizes.
        wanted: "fast", or "own" for yours alone.
    """
    if wanted == "own":
        return Parts(gpt.AdamW)
    faster, remarks = [], []
    changes = {"attention": partial(_fuse_attention, config=config), "norms": _fuse_norms, "GELU": _fuse_gelu}
    for name, change in changes.items():
        problem = _try(model, config, change)
        if problem is None:
            faster.append(name)
        else:
            remarks.append(f"{name}: {problem}; yours is used")
    if _same_steps():
        return Parts(_fused_adamw, (*faster, "AdamW"), tuple(remarks))
    remarks.append("AdamW: after some steps the weights differ from PyTorch's; yours is used")
    return Parts(gpt.AdamW, tuple(faster), tuple(remarks))


class _Changes:
    """Attributes that were set, and can be set back."""

    def __init__(self) -> None:
        self._before: list[tuple[object, str, object]] = []

    def set(self, owner: object, name: str, value: object) -> None:
        """Set an attribute and keep what it was."""
        self._before.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Set everything back."""
        for owner, name, value in reversed(self._before):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _try(model: nn.Module, config: gpt.GPTConfig, change: Callable[[nn.Module, _Changes], None]) -> str | None:
    """Change the model for good if its logits stay as they are; else why not."""
    changes = _Changes()
    with _probe(model, config) as tokens:
        before = model(tokens)
        try:
            change(model, changes)
            after = model(tokens)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            changes.undo()
            return f"it does not fit into your model ({type(error).__name__}: {error})"
    if torch.allclose(before, after, rtol=TOLERANCE, atol=TOLERANCE):
        return None
    changes.undo()
    return f"it changes your logits by up to {(before - after).abs().max():.2g}"


@contextmanager
def _probe(model: nn.Module, config: gpt.GPTConfig) -> Iterator[Tensor]:
    """Tokens to compare on, with dropout off and weights large enough for a difference to show."""
    training = model.training
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(config.vocab_size, (2, config.context_length), generator=generator)
    model.train(False)
    with torch.set_grad_enabled(False):
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
        try:
            yield tokens
        finally:
            for name, weight in model.named_parameters():
                weight.copy_(weights[name])
            model.train(training)


def _modules(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    found = [module for module in model.modules() if isinstance(module, kind)]
    if not found:
        raise ValueError(f"no {kind.__name__} is in it")
    return found


def _fuse_attention(model: nn.Module, changes: _Changes, config: gpt.GPTConfig) -> None:
    for module in _modules(model, multihead.MultiHeadAttention):
        changes.set(module, "forward", _fused_attention(module, config))


def _fused_attention(module: nn.Module, config: gpt.GPTConfig) -> Callable[..., tuple[Tensor, Tensor | None]]:
    own, split, merge = module.forward, multihead.split_heads, multihead.merge_heads

    def forward(
        x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, cache: object = None
    ) -> tuple[Tensor, Tensor | None]:
        if memory is not None or cache is not None:
            return own(x, memory=memory, mask=mask, cache=cache)
        projections = module.query_proj, module.key_proj, module.value_proj
        # A GPT's mask is the causal one, which the fused attention need not be shown.
        rate = config.dropout if module.training else 0.0
        query, key, value = (split(project(x), config.num_heads) for project in projections)
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        return module.output_proj(merge(mixed)), None

    return forward


def _fuse_norms(model: nn.Module, changes: _Changes) -> None:
    for module in _modules(model, transformer.LayerNorm):
        changes.set(module, "forward", _fused_norm(module))


def _fused_norm(module: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: F.layer_norm(x, module.weight.shape, module.weight, module.bias, 1e-5)


def _fuse_gelu(model: nn.Module, changes: _Changes) -> None:
    changes.set(transformer, "gelu", F.gelu)


def _fused_adamw(groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
    on_mps = groups[0]["params"][0].device.type == "mps"
    return torch.optim.AdamW(groups, fused=not on_mps, **options)


def _same_steps() -> bool:
    """Whether your AdamW and PyTorch's move a weight alike, over some steps of changing gradients and rates."""
    weights = [nn.Parameter(torch.linspace(-1, 1, 30).reshape(5, 6)) for _ in range(2)]
    makers = gpt.AdamW, torch.optim.AdamW
    movers = [
        make([{"params": [weight], "weight_decay": 0.1}], lr=0.1, betas=(0.9, 0.99))
        for make, weight in zip(makers, weights, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        gradient = torch.randn(5, 6, generator=generator)
        for weight, mover in zip(weights, movers, strict=True):
            weight.grad = gradient.clone()
            mover.param_groups[0]["lr"] = 0.1 / (step + 1)
            mover.step()
    return torch.allclose(*weights, rtol=TOLERANCE, atol=TOLERANCE)
