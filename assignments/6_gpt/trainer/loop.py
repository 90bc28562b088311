"""The training loop: step, measure, save, and again."""

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gpt
import torch
from torch import Tensor, nn

from trainer import checkpoint
from trainer.checkpoint import CheckpointError, Progress
from trainer.corpus import Corpus, document_windows, windows
from trainer.display import Display
from trainer.interruption import Interruption
from trainer.machine import Machine, prepare
from trainer.parts import Parts, choose_parts
from trainer.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"
# Of the validation windows: every so many-th is measured on the way, all of them at the end.
MEASURED_EVERY = 5
WINDOWS_AT_ONCE = 64
SAMPLE_LENGTH = 200
TEMPERATURE = 0.8


class TrainingError(Exception):
    """Training cannot go on; the message says why and what may help."""


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        complete: whether all tokens of the recipe were trained on.
        validation_loss: nats per character of the whole validation text; NaN when nothing was measured yet.
        weights: those with the lowest validation loss on the way.
    """

    complete: bool
    progress: Progress
    validation_loss: float
    weights: dict[str, Tensor]


class Trainer:
    """A run: your model, its optimizer, and how far it is."""

    def __init__(
        self, recipe: Recipe, corpus: Corpus, machine: Machine, parts: str, folder: Path, display: Display
    ) -> None:
        """Make the model and the optimizer, and choose the parts to compute with: "fast" or "own"."""
        self.recipe, self.corpus, self.machine = recipe, corpus, machine
        self.folder, self.display = folder, display
        self.progress = Progress()
        torch.manual_seed(recipe.seed)
        self.config = model_config(recipe, corpus)
        self.model: nn.Module = gpt.GPT(self.config)
        self.parts: Parts = choose_parts(self.model, self.config, parts)
        self.model.to(machine.device)
        self.trained, self.measured = prepare(self.model, machine)
        groups = gpt.parameter_groups(self.model, recipe.weight_decay)
        self.optimizer = self.parts.optimizer(groups, lr=recipe.max_rate, betas=(0.9, recipe.beta2))
        self.validation = list(self._validation_windows())
        if not self.validation:
            raise TrainingError(f"validation.txt is shorter than the context of {recipe.context_length} characters")

    def resume(self) -> None:
        """Go on where the checkpoint in the folder ends.

        Raises:
            CheckpointError: it belongs to another text or another model.
        """
        saved = checkpoint.load(self.folder / CHECKPOINT)
        if saved.digest != self.corpus.digest:
            raise CheckpointError(f"{CHECKPOINT} is of another text than {self.corpus.name}/train.txt")
        try:
            self.model.load_state_dict(saved.weights)
        except RuntimeError as error:
            raise CheckpointError(f"{CHECKPOINT} does not fit your model any more: {error}") from None
        checkpoint.restore_optimizer(self.optimizer, saved.optimizer)
        self.progress = saved.progress

    def train(self, interruption: Interruption) -> Result:
        """Do the steps that are left, and measure the result.

        Raises:
            TrainingError: the loss is not finite.
        """
        recipe, progress = self.recipe, self.progress
        due = recipe.evaluation_steps()
        with self.display.progress(recipe, progress):
            while progress.step < recipe.steps:
                self.step()
                if progress.step in due:
                    self._evaluate()
                    self._save()
                elif self.machine.mean(float(interruption.asked)) > 0:
                    self._save()
                    return self._result(complete=False)
        return self._result(complete=True)

    def step(self) -> None:
        """Train on one more batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        recipe, progress = self.recipe, self.progress
        rate = gpt.learning_rate(progress.step, recipe.max_rate, recipe.min_rate, recipe.warmup, recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        started = time.perf_counter()
        loss = gpt.train_step(self.trained, self.optimizer, self._batches(progress.step), recipe.max_norm)
        loss = self.machine.mean(loss)
        progress.seconds += time.perf_counter() - started
        progress.step += 1
        if not math.isfinite(loss):
            problem = (
                f"the loss is {loss} after step {progress.step} of {recipe.steps}, at a learning rate of {rate:.2g}"
            )
            raise TrainingError(f"{problem}; a lower --max-rate or a longer --warmup may help")
        progress.losses.append(loss)
        self.display.stepped(loss, progress)

    def _batches(self, step: int) -> list[tuple[Tensor, Tensor]]:
        """What a step trains on: drawn from the seed and its number alone, so that a resumed run draws the same."""
        recipe, machine = self.recipe, self.machine
        inputs, targets = gpt.sample_batch(
            self.corpus.train,
            recipe.batch_size,
            recipe.context_length,
            torch.Generator().manual_seed(mixed("batch", recipe.seed, step)),
            machine.device,
        )
        # Dropout draws from the global generator, and differs between processes.
        torch.manual_seed(mixed("dropout", recipe.seed, step, machine.rank))
        pieces = (machine.share(part).chunk(recipe.accumulate) for part in (inputs, targets))
        return list(zip(*pieces, strict=True))

    def _evaluate(self) -> None:
        """Measure, remember the best weights, and let the model write."""
        progress = self.progress
        if self.machine.rank != 0:
            progress.losses.clear()
            return
        loss = self._loss(self.validation[::MEASURED_EVERY])
        entry = {
            "tokens": progress.step * self.recipe.tokens_per_step,
            "training_loss": sum(progress.losses) / len(progress.losses),
            "validation_loss": loss,
        }
        progress.losses.clear()
        progress.curve.append(entry)
        if loss < progress.best:
            progress.best = loss
            progress.best_weights = {name: weight.clone() for name, weight in self.model.state_dict().items()}
        self.display.evaluated(progress, self._sample())

    def _loss(self, chosen: list[tuple[Tensor, Tensor]]) -> float:
        return float(gpt.evaluate(self.measured, list(self._stacked(chosen))))

    def _stacked(self, chosen: list[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(chosen), WINDOWS_AT_ONCE):
            inputs, targets = zip(*chosen[start : start + WINDOWS_AT_ONCE], strict=True)
            yield torch.stack(inputs).to(self.machine.device), torch.stack(targets).to(self.machine.device)

    def _validation_windows(self) -> Iterator[tuple[Tensor, Tensor]]:
        length = self.recipe.context_length
        if self.recipe.documents:
            return document_windows(self.corpus.validation, self.corpus.line_starts(), length)
        return windows(self.corpus.validation, length)

    def _sample(self) -> str:
        """What the model writes after a line break; nothing while `generate` is not done."""
        device = self.machine.device
        prompt = torch.tensor([[self.corpus.alphabet.index("\n")]], device=device)
        generator = torch.Generator(device).manual_seed(self.progress.step)
        try:
            tokens = gpt.generate(self.model, prompt, SAMPLE_LENGTH, temperature=TEMPERATURE, generator=generator)
        except NotImplementedError:
            return ""
        return self.corpus.decode(tokens[0, 1:])

    def _save(self) -> None:
        if self.machine.rank == 0:
            path = self.folder / CHECKPOINT
            checkpoint.save(path, self.recipe, self.corpus.digest, self.progress, self.model, self.optimizer)

    def _result(self, complete: bool) -> Result:
        """The best weights, measured on the whole validation text."""
        weights = self.progress.best_weights or self.model.state_dict()
        loss = math.nan
        if self.machine.rank == 0:
            kept = {name: weight.clone() for name, weight in self.model.state_dict().items()}
            self.model.load_state_dict(weights)
            loss = self._loss(self.validation)
            self.model.load_state_dict(kept)
        return Result(complete, self.progress, loss, weights)


def mixed(*parts: str | int) -> int:
    """A seed of their own for any names and numbers; of 32 bits, more of which PyTorch's generator does not take."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


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
