"""The model that a run trains: your GPT with a recipe, or your speedrun. Both use the same loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gpt
import torch
from torch import Tensor, nn

from trainer import acceptance
from trainer.corpus import Corpus
from trainer.limits import LimitsError, read_file_sizes, read_model_limits
from trainer.parts import choose_parts
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Files:
    """Names of the files that a run writes into its folder."""

    weights: str = "gpt.safetensors"
    record: str = "training.json"
    checkpoint: str = "checkpoint.safetensors"
    curve: str = "curve.png"
    samples: str = "samples.txt"


@dataclass(frozen=True)
class Task:
    """A model with its optimizers, learning rates and generation.

    Attributes:
        model: on the CPU; maps tokens to logits.
        sizes: the entry `config` of the record.
        make_optimizers: makes the optimizers, after the model was moved to its device.
        rate_factor: maps a step to the factor of the optimizers' initial learning rates.
        generate: `(model, prompt, length, temperature, generator)` → the prompt and its continuation.
        parts: the parts that the run computes with, in one line.
        remarks: remarks on the parts, one line each.
        source: SHA-256 of the file that makes the model; empty if that file is `gpt.py`.
        record_entries: further entries of the record.
        files: names of the files that the run writes.
    """

    model: nn.Module
    sizes: dict[str, object]
    make_optimizers: Callable[[nn.Module], Sequence[torch.optim.Optimizer]]
    rate_factor: Callable[[int], float]
    generate: Callable[[nn.Module, Tensor, int, float, torch.Generator], Tensor]
    parts: str
    remarks: tuple[str, ...] = ()
    source: str = ""
    record_entries: dict[str, object] = field(default_factory=dict)
    files: Files = field(default_factory=Files)


class CombinedOptimizer:
    """Several optimizers with the interface of a single optimizer."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Remember the initial learning rates."""
        self.optimizers = tuple(optimizers)
        self._rates = [group["lr"] for group in self.param_groups]

    @property
    def param_groups(self) -> list[dict]:
        """The parameter groups of all optimizers, in order."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_rates(self, factor: float) -> float:
        """Set each learning rate to `factor` times its initial value; return the highest rate."""
        for group, rate in zip(self.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        return max(group["lr"] for group in self.param_groups)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset all gradients."""
        for member in self.optimizers:
            member.zero_grad(set_to_none)

    def step(self) -> None:
        """Update all weights."""
        for member in self.optimizers:
            member.step()


def gpt_task(recipe: Recipe, corpus: Corpus, stage: Path, parts: str) -> Task:
    """Make the task of your GPT, with the sizes and rates of the recipe and the parts "fast" or "own".

    Raises:
        RefusedModelError: the grader would refuse the model or its files.
    """
    torch.manual_seed(recipe.seed)
    sizes = model_sizes(recipe, corpus)
    config = gpt.GPTConfig(**sizes)
    model, remarks = _accepted_model(recipe, sizes, stage)
    if recipe.data != Recipe.data:
        remarks += (f"trained on {recipe.data}: only a model trained on {Recipe.data} earns points",)
    chosen = choose_parts(model, config, parts)

    def make_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
        groups = gpt.parameter_groups(model, recipe.weight_decay)
        return [chosen.optimizer(groups, lr=1.0, betas=(0.9, recipe.beta2))]

    def rate_factor(step: int) -> float:
        return gpt.learning_rate(step, recipe.max_rate, recipe.min_rate, recipe.warmup, recipe.steps)

    def generate(
        model: nn.Module, prompt: Tensor, length: int, temperature: float, generator: torch.Generator
    ) -> Tensor:
        return gpt.generate(model, prompt, length, temperature=temperature, generator=generator)

    return Task(model, sizes, make_optimizers, rate_factor, generate, chosen.describe(), (*remarks, *chosen.remarks))


def _accepted_model(recipe: Recipe, sizes: dict[str, Any], stage: Path) -> tuple[nn.Module, tuple[str, ...]]:
    """Build your GPT and check that the grader will accept it; without the course's limits, return a remark."""

    def build() -> nn.Module:
        return gpt.GPT(gpt.GPTConfig(**sizes))

    try:
        limits, largest = read_model_limits(stage), read_file_sizes(stage)
    except LimitsError as error:
        return build(), (f"the grader may refuse the model: {error}",)
    files, called = Files(), "your GPT"
    acceptance.check_sizes(sizes, limits)
    acceptance.check_record(recipe, largest[files.record])
    model = build()
    acceptance.check_parameters(model, limits)
    acceptance.check_predictions(model, called, sizes["vocab_size"], sizes["context_length"])
    acceptance.check_state(model.state_dict(), called, largest[files.weights])
    acceptance.check_reload(model, build, called)
    return model, ()


def model_sizes(recipe: Recipe, corpus: Corpus) -> dict[str, Any]:
    """Return the arguments of `GPTConfig` for a recipe."""
    return {
        "vocab_size": len(corpus.alphabet),
        "context_length": recipe.context_length,
        "d_model": recipe.d_model,
        "num_heads": recipe.num_heads,
        "num_blocks": recipe.num_blocks,
        "d_hidden": recipe.d_hidden,
        "dropout": recipe.dropout,
        "init_std": recipe.init_std,
    }
