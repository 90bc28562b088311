"""What a run trains: the plain GPT by a recipe, or your speedrun; the loop is the same for both."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import gpt
import torch
from torch import Tensor, nn

from trainer.corpus import Corpus
from trainer.parts import choose_parts
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Files:
    """Names of what a run leaves in its folder."""

    weights: str = "gpt.safetensors"
    record: str = "training.json"
    checkpoint: str = "checkpoint.safetensors"
    curve: str = "curve.png"
    samples: str = "samples.txt"


@dataclass(frozen=True)
class Task:
    """A model, and how it learns and writes.

    Attributes:
        model: on the CPU; makes logits of tokens.
        sizes: what the record calls `config`.
        make_optimizers: makes them, once the model is where it is trained.
        factor: the rates of a step, as a share of those that the optimizers began with.
        generate: `(model, prompt, length, temperature, generator)` → the prompt and what follows.
        parts: what the run computes with, in one line.
        remarks: what people should know of that, one line each.
        source: SHA-256 of the file that makes the model, where it is not `gpt.py`.
        told: further entries of the record.
        files: what the run leaves.
    """

    model: nn.Module
    sizes: dict[str, object]
    make_optimizers: Callable[[nn.Module], Sequence[torch.optim.Optimizer]]
    factor: Callable[[int], float]
    generate: Callable[[nn.Module, Tensor, int, float, torch.Generator], Tensor]
    parts: str
    remarks: tuple[str, ...] = ()
    source: str = ""
    told: dict[str, object] = field(default_factory=dict)
    files: Files = field(default_factory=Files)


class Together:
    """Several optimizers that step as one."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Remember the rates that they begin with."""
        self.optimizers = tuple(optimizers)
        self._rates = [group["lr"] for group in self.param_groups]

    @property
    def param_groups(self) -> list[dict]:
        """Those of all, in order."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_rates(self, factor: float) -> float:
        """Set each rate to its share of what it was at first; the highest of them."""
        for group, rate in zip(self.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        return max(group["lr"] for group in self.param_groups)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients."""
        for one in self.optimizers:
            one.zero_grad(set_to_none)

    def step(self) -> None:
        """Change all weights."""
        for one in self.optimizers:
            one.step()


def plain(recipe: Recipe, corpus: Corpus, parts: str) -> Task:
    """Your GPT with the sizes and rates of the recipe, computed with the parts "fast" or "own"."""
    torch.manual_seed(recipe.seed)
    config = model_config(recipe, corpus)
    model = gpt.GPT(config)
    chosen = choose_parts(model, config, parts)

    def make_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
        groups = gpt.parameter_groups(model, recipe.weight_decay)
        return [chosen.optimizer(groups, lr=1.0, betas=(0.9, recipe.beta2))]

    def rate(step: int) -> float:
        return gpt.learning_rate(step, recipe.max_rate, recipe.min_rate, recipe.warmup, recipe.steps)

    def generate(
        model: nn.Module, prompt: Tensor, length: int, temperature: float, generator: torch.Generator
    ) -> Tensor:
        return gpt.generate(model, prompt, length, temperature=temperature, generator=generator)

    return Task(model, asdict(config), make_optimizers, rate, generate, chosen.describe(), chosen.remarks)


def model_config(recipe: Recipe, corpus: Corpus) -> "gpt.GPTConfig":
    """Your model's configuration for a recipe."""
    return gpt.GPTConfig(
        vocab_size=len(corpus.alphabet),
        context_length=recipe.context_length,
        d_model=recipe.d_model,
        num_heads=recipe.num_heads,
        num_blocks=recipe.num_blocks,
        d_hidden=recipe.d_hidden,
        dropout=recipe.dropout,
        init_std=recipe.init_std,
    )
