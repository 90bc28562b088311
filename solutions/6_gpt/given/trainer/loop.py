"""The training loop: train, evaluate, save, repeat."""

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
from trainer.checkpoint import CheckpointError, RunProgress
from trainer.corpus import Corpus, document_windows, windows
from trainer.display import Display
from trainer.interruption import Interruption
from trainer.machine import Machine, prepare
from trainer.recipe import Recipe
from trainer.task import CombinedOptimizer, Task

# Evaluations during the run use every fifth validation window; the last evaluation uses all of them.
EVALUATED_EVERY = 5
WINDOWS_PER_BATCH = 64
SAMPLE_LENGTH = 200
TEMPERATURE = 0.8


class TrainingError(Exception):
    """Training cannot continue; the message says why and suggests a fix."""


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

    Attributes:
        complete: whether the run trained on all tokens of the recipe.
        progress: the progress at the end.
        validation_loss: nats per character on the whole validation text; NaN in every process but the first.
        weights: the weights with the lowest validation loss during the run.
    """

    complete: bool
    progress: RunProgress
    validation_loss: float
    weights: dict[str, Tensor]


class Trainer:
    """A run: a model, its optimizers and its progress."""

    def __init__(
        self, task: Task, recipe: Recipe, corpus: Corpus, machine: Machine, folder: Path, display: Display
    ) -> None:
        """Move the task's model to the machine's device, and make its optimizers."""
        self.task, self.recipe, self.corpus, self.machine = task, recipe, corpus, machine
        self.folder, self.display = folder, display
        self.progress = RunProgress()
        self.checkpoint = folder / task.files.checkpoint
        # A run resumes only from a checkpoint with the same digest: of the text, and of the file that makes the model.
        self.digest = " ".join([corpus.digest, task.source]).strip()
        self.model: nn.Module = task.model.to(machine.device)
        self.training_model, self.evaluation_model = prepare(self.model, machine)
        self.optimizer = CombinedOptimizer(task.make_optimizers(self.model))
        self.validation = list(self._validation_windows())
        if not self.validation:
            raise TrainingError(f"validation.txt is shorter than the context of {recipe.context_length} tokens")

    def resume(self) -> None:
        """Continue from the checkpoint in the folder.

        Raises:
            CheckpointError: it belongs to another text or another model.
        """
        saved = checkpoint.load(self.checkpoint)
        name = self.checkpoint.name
        if saved.digest.split()[:1] != [self.corpus.digest]:
            raise CheckpointError(f"{name} belongs to a text that differs from {self.corpus.name}/train.txt")
        if saved.digest != self.digest:
            raise CheckpointError(
                f"{name} belongs to another version of speedrun.py: restore that version, or start again with --fresh"
            )
        try:
            self.model.load_state_dict(saved.weights)
        except RuntimeError as error:
            raise CheckpointError(f"{name} no longer fits your model: {error}") from None
        checkpoint.restore_optimizers(self.optimizer.optimizers, saved.optimizer)
        self.progress = saved.progress

    def train(self, interruption: Interruption) -> RunResult:
        """Run the remaining steps and evaluate the result.

        Raises:
            TrainingError: the loss is not finite.
        """
        recipe, progress = self.recipe, self.progress
        evaluation_steps = recipe.evaluation_steps()
        with self.display.bar(recipe, progress):
            while progress.step < recipe.steps:
                self.step()
                if progress.step in evaluation_steps:
                    self._evaluate()
                    self._save()  # before anything else is written: a full disk then costs no step
                    if self.machine.rank == 0:
                        self.display.show_evaluation(progress, self._sample())
                elif self.machine.mean(float(interruption.requested)) > 0:
                    self._save()
                    return self._result(complete=False)
        return self._result(complete=True)

    def step(self) -> None:
        """Train on the next batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        recipe, progress = self.recipe, self.progress
        rate = self.optimizer.set_rates(self.task.rate_factor(progress.step))
        started = time.perf_counter()
        loss = gpt.train_step(self.training_model, self.optimizer, self._batches(progress.step), recipe.max_norm)
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
        self.display.show_step(loss, progress)

    def _batches(self, step: int) -> list[tuple[Tensor, Tensor]]:
        """Draw the batches of a step from the seed and the step number, so that a resumed run draws the same."""
        recipe, machine = self.recipe, self.machine
        inputs, targets = gpt.sample_batch(
            self.corpus.train,
            recipe.batch_size,
            recipe.context_length,
            torch.Generator().manual_seed(derive_seed("batch", recipe.seed, step)),
            machine.device,
        )
        # Dropout draws from the global generator, and differs between processes.
        torch.manual_seed(derive_seed("dropout", recipe.seed, step, machine.rank))
        pieces = (machine.share(part).chunk(recipe.accumulate) for part in (inputs, targets))
        return list(zip(*pieces, strict=True))

    def _evaluate(self) -> None:
        """Evaluate the model and keep the best weights."""
        progress = self.progress
        if self.machine.rank != 0:
            progress.losses.clear()
            return
        loss = self._loss(self.validation[::EVALUATED_EVERY])
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

    def _loss(self, chosen: list[tuple[Tensor, Tensor]]) -> float:
        return float(gpt.evaluate(self.evaluation_model, list(self._stacked(chosen))))

    def _stacked(self, chosen: list[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(chosen), WINDOWS_PER_BATCH):
            inputs, targets = zip(*chosen[start : start + WINDOWS_PER_BATCH], strict=True)
            yield torch.stack(inputs).to(self.machine.device), torch.stack(targets).to(self.machine.device)

    def _validation_windows(self) -> Iterator[tuple[Tensor, Tensor]]:
        length = self.recipe.context_length
        if self.recipe.documents:
            return document_windows(self.corpus.validation, self.corpus.line_starts(), length)
        return windows(self.corpus.validation, length)

    def _sample(self) -> str:
        """Return text that the model generates after a line break; empty while `generate` is not written."""
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

    def _result(self, complete: bool) -> RunResult:
        """Return the best weights, evaluated on the whole validation text."""
        weights = self.progress.best_weights or self.model.state_dict()
        loss = math.nan
        if self.machine.rank == 0:
            latest = {name: weight.clone() for name, weight in self.model.state_dict().items()}
            self.model.load_state_dict(weights)
            loss = self._loss(self.validation)
            self.model.load_state_dict(latest)
        return RunResult(complete, self.progress, loss, weights)


def derive_seed(*parts: str | int) -> int:
    """Derive a seed from names and numbers: 32 bits, because PyTorch's generator ignores higher bits."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
