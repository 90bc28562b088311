"""What a run leaves: the weights, and how they came about."""

import json
from dataclasses import asdict

import torch

from trainer.checkpoint import write_tensors
from trainer.loop import CHECKPOINT, Result, Trainer

FORMAT_VERSION = 1
WEIGHTS, RECORD = "gpt.safetensors", "training.json"


def write_results(trainer: Trainer, result: Result) -> None:
    """Write `gpt.safetensors` and `training.json`; the checkpoint of a complete run goes."""
    write_tensors(trainer.folder / WEIGHTS, result.weights, {})
    text = json.dumps(record(trainer, result), indent=1, ensure_ascii=False)
    (trainer.folder / RECORD).write_text(text + "\n", encoding="utf-8")
    if result.complete:
        (trainer.folder / CHECKPOINT).unlink(missing_ok=True)


def record(trainer: Trainer, result: Result) -> dict[str, object]:
    """The content of `training.json`."""
    progress, recipe, corpus = result.progress, trainer.recipe, trainer.corpus
    return {
        "format_version": FORMAT_VERSION,
        "config": asdict(trainer.config),
        "alphabet": corpus.alphabet,
        "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
        "validation_loss": result.validation_loss,
        "complete": result.complete,
        "tokens": progress.step * recipe.tokens_per_step,
        "steps": progress.step,
        "recipe": asdict(recipe),
        "data": {"name": corpus.name, "sha256": corpus.digest},
        "parts": trainer.parts.describe(),
        "machine": trainer.machine.describe(),
        "torch": str(torch.__version__),
        "seconds": round(progress.seconds, 1),
        "curve": progress.curve,
    }
