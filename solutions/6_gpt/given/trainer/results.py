"""Results of a run: the weights and the record."""

import json
import math
from dataclasses import asdict

import torch

from trainer.checkpoint import write_file, write_tensors
from trainer.loop import RunResult, Trainer

FORMAT_VERSION = 1


def write_results(trainer: Trainer, result: RunResult) -> None:
    """Write the weights and the record; if the run is complete, remove its checkpoint."""
    files = trainer.task.files
    write_tensors(trainer.folder / files.weights, result.weights, {})
    text = json.dumps(record(trainer, result), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(trainer.folder / files.record, (text + "\n").encode())
    if result.complete:
        trainer.checkpoint.unlink(missing_ok=True)


def record(trainer: Trainer, result: RunResult) -> dict[str, object]:
    """Return the content of `training.json` or `speedrun.json`."""
    progress, recipe, corpus = result.progress, trainer.recipe, trainer.corpus
    return {
        "format_version": FORMAT_VERSION,
        "config": trainer.task.sizes,
        "alphabet": corpus.alphabet,
        "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
        "validation_loss": _finite(result.validation_loss),
        "complete": result.complete,
        "tokens": progress.step * recipe.tokens_per_step,
        "steps": progress.step,
        "recipe": asdict(recipe),
        "data": {"name": corpus.name, "sha256": corpus.digest},
        "parts": trainer.task.parts,
        "machine": trainer.machine.describe(),
        "torch": str(torch.__version__),
        "seconds": round(progress.seconds, 1),
        "curve": [{name: _finite(value) for name, value in entry.items()} for entry in progress.curve],
        **trainer.task.record_entries,
    }


def _finite(value: float) -> float | None:
    """Return the value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None
