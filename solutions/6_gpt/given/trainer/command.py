"""The command line of `train.py`."""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from trainer import checkpoint, speedrun
from trainer.checkpoint import CheckpointError
from trainer.corpus import Corpus, CorpusError
from trainer.display import Display
from trainer.interruption import Interruption
from trainer.loop import Trainer, TrainingError
from trainer.machine import close, find_machine
from trainer.recipe import CONFIGS, Recipe
from trainer.results import write_results
from trainer.speedrun import SpeedrunError
from trainer.task import Files, plain

COMPLETE, STOPPED, WRONG_USE = 0, 1, 2


class UsageError(Exception):
    """The command line asks for something impossible; the message says what to do instead."""


def run(stage: Path, arguments: Sequence[str]) -> int:
    """Train as `arguments` say, for the stage whose folder is `stage`; the exit code."""
    options = _parser(stage).parse_args(arguments)
    console = Console(highlight=False)
    try:
        return _train(stage, options, console)
    except NotImplementedError as error:
        console.print(f"Training needs a part that is not done yet: {error}", markup=False)
    except (CheckpointError, CorpusError, SpeedrunError, TrainingError, UsageError) as error:
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
        shares = f"{machine.processes} processes times --accumulate {recipe.accumulate}"
        raise UsageError(f"a batch of {recipe.batch_size} cannot be shared evenly among {shares}")
    console.quiet = machine.rank != 0
    display = Display(folder / files.curve, folder / files.samples, console)
    corpus = Corpus.read(stage.parent / "data" / recipe.data)
    task = speedrun.task(recipe, corpus, stage) if options.speedrun else plain(recipe, corpus, options.parts)
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
        display.say(f"Stopped and saved after {result.progress.step} steps; `--resume` goes on from there.")
        return STOPPED
    display.say(f"validation loss {result.validation_loss:.4f} nats per character, on the whole validation text")
    display.say(f"The weights are in {folder / files.weights}.")
    return COMPLETE


def _recipe(stage: Path, saved: Path, options: argparse.Namespace) -> Recipe:
    """The recipe of the checkpoint to go on with, or the one that is asked for."""
    changed = {name: value for name, value in vars(options).items() if name in _names() and value is not None}
    if options.resume:
        if changed:
            raise UsageError(f"a resumed run keeps its recipe: leave out --{next(iter(changed)).replace('_', '-')}")
        return checkpoint.load(saved).recipe
    if saved.exists() and not options.fresh:
        raise UsageError(f"{saved} holds a run that is not complete: go on with --resume, or start anew with --fresh")
    try:
        if options.speedrun:
            return replace(CONFIGS["speedrun"], **_speedrun_choices(stage, changed, options))
        if "name" in changed:
            raise UsageError("--name goes with --speedrun: the leaderboard shows speedruns alone")
        return replace(CONFIGS[options.config or "cpu"], **changed)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _speedrun_choices(stage: Path, changed: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """What the command line and speedrun.py say together."""
    others = [name for name in changed if name not in speedrun.OPTIONS] + ["config"] * (options.config is not None)
    if others:
        raise UsageError(f"--{others[0].replace('_', '-')} has no say in a speedrun: change {stage / speedrun.FILE}")
    return {**speedrun.decided(speedrun.load(stage)), **changed}


def _introduce(trainer: Trainer) -> None:
    recipe, say = trainer.recipe, trainer.display.say
    size = sum(weight.numel() for weight in trainer.model.parameters())
    say(f"{size:,} parameters, {recipe.steps} steps of {recipe.tokens_per_step:,} characters of {recipe.data}")
    say(f"on: {trainer.machine.describe()}")
    say(f"with parts: {trainer.task.parts}")
    for remark in trainer.task.remarks:
        say(f"    {remark}", "yellow")
    if trainer.progress.step:
        say(f"going on after step {trainer.progress.step}")


def _parser(stage: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train.py", description="Train your GPT.", allow_abbrev=False)
    configs = [name for name in CONFIGS if name != "speedrun"]
    parser.add_argument("--config", choices=configs, help="which recipe to start from (cpu)")
    parser.add_argument("--speedrun", action="store_true", help="train the model of speedrun.py")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was stopped")
    parser.add_argument("--fresh", action="store_true", help="start anew, whatever was stopped")
    parser.add_argument("--out", type=Path, default=stage, metavar="FOLDER", help="where results go (beside train.py)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (auto)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU; more only on a quiet machine (1)")
    parser.add_argument(
        "--parts", choices=("fast", "own"), default="fast", help="PyTorch's where equal, or yours (fast)"
    )
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="compile the model (on CUDA)")
    recipe = parser.add_argument_group("the recipe", "each replaces a number of the configuration")
    for field in fields(Recipe):
        kind: dict[str, Any] = {"type": type(field.default)}
        if field.type is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        recipe.add_argument(f"--{field.name.replace('_', '-')}", default=None, help=field.metadata["help"], **kind)
    return parser


def _names() -> set[str]:
    return {field.name for field in fields(Recipe)}
