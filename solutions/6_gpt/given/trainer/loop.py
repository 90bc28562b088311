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
from trainer.recipe import Recipe
from trainer.task import Task, Together

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
    """A run: a model, its optimizers, and how far it is."""

    def __init__(
        self, task: Task, recipe: Recipe, corpus: Corpus, machine: Machine, folder: Path, display: Display
    ) -> None:
        """Bring the task's model to the machine, and make its optimizers."""
        self.task, self.recipe, self.corpus, self.machine = task, recipe, corpus, machine
        self.folder, self.display = folder, display
        self.progress = Progress()
        self.checkpoint = folder / task.files.checkpoint
        # Of what a checkpoint must be to go on from: the text, and the file that makes the model.
        self.digest = " ".join([corpus.digest, task.source]).strip()
        self.model: nn.Module = task.model.to(machine.device)
        self.trained, self.measured = prepare(self.model, machine)
        self.optimizer = Together(task.make_optimizers(self.model))
        self.validation = list(self._validation_windows())
        if not self.validation:
            raise TrainingError(f"validation.txt is shorter than the context of {recipe.context_length} characters")

    def resume(self) -> None:
        """Go on where the checkpoint in the folder ends.

        Raises:
            CheckpointError: it belongs to another text or another model.
        """
        saved = checkpoint.load(self.checkpoint)
        name = self.checkpoint.name
        if saved.digest.split()[:1] != [self.corpus.digest]:
            raise CheckpointError(f"{name} is of another text than {self.corpus.name}/train.txt")
        if saved.digest != self.digest:
            raise CheckpointError(f"{name} is of another speedrun.py: put that one back, or start anew with --fresh")
        try:
            self.model.load_state_dict(saved.weights)
        except RuntimeError as error:
            raise CheckpointError(f"{name} does not fit your model any more: {error}") from None
        checkpoint.restore_optimizers(self.optimizer.optimizers, saved.optimizer)
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
        rate = self.optimizer.set_rates(self.task.factor(progress.step))
        started = time.perf_counter()
        loss = gpt.train_step(self.trained, self.optimizer, self._batches(progress.step), recipe.max_norm)
        loss = self.machine.mean(loss)
        progress.seconds += time.perf_counter() - started
        progress.step += 1
        if not math.isfinite(loss):
            problem = (
                f"the loss is {loss} after step {progress.step} of {recipe.steps}, at a learning rate of {rate:.2g}"
            )
            remedy = "a lower rate in speedrun.py" if self.task.source else "a lower --max-rate or a longer --warmup"
            raise TrainingError(f"{problem}; {remedy} may help")
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
            tokens = self.task.generate(self.model, prompt, SAMPLE_LENGTH, TEMPERATURE, generator)
        except NotImplementedError:
            return ""
        return self.corpus.decode(tokens[0, 1:])

    def _save(self) -> None:
        if self.machine.rank == 0:
            run = self.recipe, self.digest, self.progress, self.model, self.optimizer.optimizers
            checkpoint.save(self.checkpoint, *run)

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
