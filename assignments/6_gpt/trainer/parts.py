"""The parts of the model: yours, or faster parts of PyTorch that give the same numbers.

A faster part replaces yours only after both gave the same result in this run. The weights are always yours, under
your names.
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

# For logits and for weights after a few steps, both near 1 in size: it allows for different rounding in float32.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Parts:
    """The parts that a run computes with.

    Attributes:
        optimizer: makes an optimizer from parameter groups.
        faster: names of the parts that are PyTorch's.
        remarks: for each part that is not, one line that says why.
    """

    optimizer: Callable[..., torch.optim.Optimizer]
    faster: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def describe(self) -> str:
        """Describe the parts in one line."""
        return f"yours; PyTorch's for {', '.join(self.faster)}" if self.faster else "yours"


def choose_parts(model: nn.Module, config: gpt.GPTConfig, wanted: str) -> Parts:
    """Find the faster parts that agree with yours, and put them into the model.

    Args:
        model: your GPT, on the CPU, where both compute in full precision.
        config: sizes of the model.
        wanted: "fast", or "own" to use only your parts.
    """
    if wanted == "own":
        return Parts(gpt.AdamW)
    faster, remarks = [], []
    changes = {"attention": partial(_fuse_attention, config=config), "norms": _fuse_norms, "GELU": _fuse_gelu}
    for name, change in changes.items():
        problem = _replace(model, config, change)
        if problem is None:
            faster.append(name)
        else:
            remarks.append(f"{name}: {problem}; yours is used")
    if _same_steps():
        return Parts(_fused_adamw, (*faster, "AdamW"), tuple(remarks))
    remarks.append("AdamW: after a few steps the weights differ from PyTorch's; yours is used")
    return Parts(gpt.AdamW, tuple(faster), tuple(remarks))


class _Changes:
    """Changes of attributes that can be undone."""

    def __init__(self) -> None:
        self._before: list[tuple[object, str, object]] = []

    def set(self, owner: object, name: str, value: object) -> None:
        """Set an attribute and remember its old value."""
        self._before.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Undo all changes."""
        for owner, name, value in reversed(self._before):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _replace(model: nn.Module, config: gpt.GPTConfig, change: Callable[[nn.Module, _Changes], None]) -> str | None:
    """Apply a change and keep it if the logits stay the same; otherwise undo it and return the reason."""
    changes = _Changes()
    with _probe(model, config) as tokens:
        before = model(tokens)
        try:
            change(model, changes)
            after = model(tokens)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            changes.undo()
            return f"it does not fit your model ({type(error).__name__}: {error})"
    if torch.allclose(before, after, rtol=TOLERANCE, atol=TOLERANCE):
        return None
    changes.undo()
    return f"it changes your logits by up to {(before - after).abs().max():.2g}"


@contextmanager
def _probe(model: nn.Module, config: gpt.GPTConfig) -> Iterator[Tensor]:
    """Yield tokens for a comparison, with dropout off and weights large enough to reveal a difference."""
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
        raise ValueError(f"it has no {kind.__name__}")
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
        # The mask of a GPT is causal, so the fused attention does not need it.
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
    """Whether your AdamW and PyTorch's give the same weights after steps with changing gradients and rates."""
    weights = [nn.Parameter(torch.linspace(-1, 1, 30).reshape(5, 6)) for _ in range(2)]
    classes = gpt.AdamW, torch.optim.AdamW
    adamws = [
        make([{"params": [weight], "weight_decay": 0.1}], lr=0.1, betas=(0.9, 0.99))
        for make, weight in zip(classes, weights, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        gradient = torch.randn(5, 6, generator=generator)
        for weight, adamw in zip(weights, adamws, strict=True):
            weight.grad = gradient.clone()
            adamw.param_groups[0]["lr"] = 0.1 / (step + 1)
            adamw.step()
    return torch.allclose(*weights, rtol=TOLERANCE, atol=TOLERANCE)
