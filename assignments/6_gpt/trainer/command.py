"""The command line of `train.py`."""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from trainer import checkpoint, speedrun
from trainer.acceptance import RefusedModelError
from trainer.checkpoint import CheckpointError
from trainer.corpus import Corpus, CorpusError
from trainer.display import Display
from trainer.interruption import Interruption
from trainer.limits import LimitsError
from trainer.loop import Trainer, TrainingError
from trainer.machine import close, find_machine
from trainer.recipe import CONFIGS, Recipe
from trainer.results import write_results
from trainer.speedrun import SpeedrunError
from trainer.task import Files, gpt_task

COMPLETE, STOPPED, WRONG_USE = 0, 1, 2


class UsageError(Exception):
    """The options of the command line cannot be used; the message says how to change them."""


def run(stage: Path, arguments: Sequence[str]) -> int:
    """Train with these arguments, for the stage in the folder `stage`; return the exit code."""
    options = _parser(stage).parse_args(arguments)
    console = Console(highlight=False)
    try:
        return _train(stage, options, console)
    except NotImplementedError as error:
        console.print(f"Training needs a part that is not written yet: {error}", markup=False)
    except (
        CheckpointError, CorpusError, LimitsError, RefusedModelError, SpeedrunError, TrainingError, UsageError
    ) as error:  # fmt: skip
        console.print(str(error), style="red", markup=False, soft_wrap=True)
    return WRONG_USE


def _train(stage: Path, options: argparse.Namespace, console: Console) -> int:
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    files = speedrun.FILES if options.speedrun else Files()
    recipe = _recipe(stage, folder / files.checkpoint, options)
    try:
        machine = find_machine(options.device, options.threads, options.compile)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {options.device}: {str(error).splitlines()[0]}") from None
    if recipe.batch_size % (machine.processes * recipe.accumulate):
        divisor = f"{machine.processes} processes times --accumulate {recipe.accumulate}"
        raise UsageError(f"a batch of {recipe.batch_size} cannot be divided evenly among {divisor}")
    console.quiet = machine.rank != 0
    display = Display(folder / files.curve, folder / files.samples, console)
    corpus = Corpus.read(stage.parent / "data" / recipe.data)
    task = (
        speedrun.speedrun_task(recipe, corpus, stage)
        if options.speedrun
        else gpt_task(recipe, corpus, stage, options.parts)
    )
    trainer = Trainer(task, recipe, corpus, machine, folder, display)
    if options.resume:
        trainer.resume()
    else:
        (folder / files.samples).unlink(missing_ok=True)
    _introduce(trainer)
    with Interruption() as interruption:
        result = trainer.train(interruption)
        if machine.rank == 0:
            write_results(trainer, result)
    close(machine)
    if not result.complete:
        display.say(f"Stopped and saved after {result.progress.step} steps; continue with `--resume`.")
        return STOPPED
    display.say(f"Validation loss on the whole validation text: {result.validation_loss:.4f} nats per character.")
    display.say(f"The weights are in {folder / files.weights}.")
    return COMPLETE


def _recipe(stage: Path, saved: Path, options: argparse.Namespace) -> Recipe:
    """Return the recipe of the checkpoint to resume from, or of the command line."""
    changed = {name: value for name, value in vars(options).items() if name in _names() and value is not None}
    if options.resume:
        if changed:
            raise UsageError(f"a resumed run keeps its recipe: omit --{next(iter(changed)).replace('_', '-')}")
        return checkpoint.load(saved).recipe
    if saved.exists() and not options.fresh:
        raise UsageError(f"{saved} holds an incomplete run: continue it with --resume, or start again with --fresh")
    try:
        if options.speedrun:
            return replace(Recipe(), **_speedrun_choices(stage, changed, options))
        if "name" in changed:
            raise UsageError("--name requires --speedrun: the leaderboard shows only speedruns")
        return replace(CONFIGS[options.config or "cpu"], **changed)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _speedrun_choices(stage: Path, changed: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of speedrun.py and of the command line."""
    others = [name for name in changed if name not in speedrun.OPTIONS] + ["config"] * (options.config is not None)
    if others:
        option = others[0].replace("_", "-")
        raise UsageError(f"--{option} cannot be used with --speedrun: change {stage / speedrun.FILE} instead")
    return {**speedrun.recipe_settings(stage), **changed}


def _introduce(trainer: Trainer) -> None:
    recipe, say = trainer.recipe, trainer.display.say
    size = sum(weight.numel() for weight in trainer.model.parameters())
    say(f"{size:,} parameters, {recipe.steps} steps of {recipe.tokens_per_step:,} tokens of {recipe.data}")
    say(f"machine: {trainer.machine.describe()}")
    say(f"parts: {trainer.task.parts}")
    for remark in trainer.task.remarks:
        say(f"    {remark}", "yellow")
    if trainer.progress.step:
        say(f"resumed after step {trainer.progress.step}")


def _parser(stage: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train.py", description="Train your GPT.", allow_abbrev=False)
    parser.add_argument("--config", choices=CONFIGS, help="Configuration to start from (default: cpu).")
    parser.add_argument("--speedrun", action="store_true", help="Train the model of speedrun.py.")
    parser.add_argument("--resume", action="store_true", help="Continue the stopped run.")
    parser.add_argument("--fresh", action="store_true", help="Start again and discard a stopped run.")
    parser.add_argument(
        "--out", type=Path, default=stage, metavar="FOLDER", help="Folder for the results (default: beside train.py)."
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto).")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="Number of CPU threads; use more than 1 only on an idle machine (default: 1).",
    )
    parser.add_argument(
        "--parts",
        choices=("fast", "own"),
        default="fast",
        help="Use PyTorch's parts that equal yours (fast), or only yours (own) (default: fast).",
    )
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="Compile the model (default: on CUDA)."
    )
    recipe = parser.add_argument_group("the recipe", "Each option replaces a setting of the configuration.")
    for field in fields(Recipe):
        kind: dict[str, Any] = {"type": type(field.default)}
        if field.type is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        recipe.add_argument(f"--{field.name.replace('_', '-')}", default=None, help=field.metadata["help"], **kind)
    return parser


def _names() -> set[str]:
    return {field.name for field in fields(Recipe)}
