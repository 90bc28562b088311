"""The command line of `train.py`."""

import argparse
import json
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from trainer import checkpoint, speedrun
from trainer.acceptance import RefusedModelError
from trainer.checkpoint import CheckpointError
from trainer.corpus import Corpus, CorpusError
from trainer.display import Display
from trainer.folder_lock import BusyError, only_run
from trainer.interruption import Interruption
from trainer.limits import LimitsError
from trainer.loop import Trainer, TrainingError
from trainer.machine import Machine, close, find_machine
from trainer.recipe import CONFIGS, Recipe
from trainer.results import write_results
from trainer.speedrun import SpeedrunError
from trainer.task import Files, gpt_task

# Python itself ends with 1 after an error in your code, so a stopped run must not.
COMPLETE, WRONG_USE, STOPPED, NOT_WRITTEN = 0, 2, 3, 4
_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class UsageError(Exception):
    """The options of the command line cannot be used; the message says how to change them."""


_REFUSALS = (
    *(BusyError, CheckpointError, CorpusError, LimitsError),
    *(RefusedModelError, SpeedrunError, TrainingError, UsageError),
)


def run(stage: Path, arguments: Sequence[str]) -> int:
    """Train with these arguments, for the stage in the folder `stage`; return the exit code."""
    options = _parser(stage).parse_args(arguments)
    console = Console(highlight=False)
    try:
        return _train(stage, options, console)
    except NotImplementedError as error:
        console.print(f"Training needs a part that is not written yet: {error}", markup=False)
    except _REFUSALS as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
    except OSError as error:
        console.print(_not_written(options, error), style="red", markup=False, soft_wrap=True)
        return NOT_WRITTEN
    return WRONG_USE


def _not_written(options: argparse.Namespace, error: OSError) -> str:
    """Return what could not be written, and how to continue."""
    place, reason = error.filename or options.out, error.strerror or error
    saved = options.out / _files(options).checkpoint
    if saved.is_file():
        return f"{place} cannot be written: {reason}. The run is saved in {saved}: make room, then use --resume."
    return f"{place} cannot be written: {reason}. Make room, or choose another folder with --out."


def _train(stage: Path, options: argparse.Namespace, console: Console) -> int:
    folder, files = options.out, _files(options)
    if options.resume and (finished := _finished_run(stage, options)):
        console.print(f"{finished} is complete; without --resume, a new run starts.", markup=False, soft_wrap=True)
        return COMPLETE
    resumes = options.resume and (folder / files.checkpoint).exists()
    recipe = _recipe(stage, folder / files.checkpoint, options)
    machine = _machine(options, recipe)
    console.quiet = machine.rank != 0
    corpus = Corpus.read(stage.parent / "data" / recipe.data)
    task = (
        speedrun.speedrun_task(recipe, corpus, stage)
        if options.speedrun
        else gpt_task(recipe, corpus, stage, options.parts)
    )
    with ExitStack() as stack:
        if machine.rank == 0:
            stack.enter_context(only_run(folder, files.checkpoint))
        display = Display(folder / files.curve, folder / files.samples, console, corpus.bars())
        trainer = Trainer(task, recipe, corpus, machine, folder, display)
        if resumes:
            trainer.resume()
        elif machine.rank == 0:
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


def _files(options: argparse.Namespace) -> Files:
    return speedrun.FILES if options.speedrun else Files()


def _machine(options: argparse.Namespace, recipe: Recipe) -> Machine:
    """Return the machine of the options.

    Raises:
        UsageError: the device does not exist, or the batch cannot be divided.
    """
    if not _DEVICES.fullmatch(options.device):
        raise UsageError(f"--device is {options.device}; choose auto, cpu, cuda, cuda:NUMBER or mps")
    try:
        machine = find_machine(options.device, options.threads, options.compile)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {options.device}: {str(error).splitlines()[0]}") from None
    if recipe.batch_size % (machine.processes * recipe.accumulate):
        divisor = f"{machine.processes} processes times --accumulate {recipe.accumulate}"
        raise UsageError(f"a batch of {recipe.batch_size} cannot be divided evenly among {divisor}")
    return machine


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a recipe that the command line names, those of `--config` included."""
    return {**(asdict(CONFIGS[options.config]) if options.config else {}), **_named(options)}


def _finished_run(stage: Path, options: argparse.Namespace) -> Path | None:
    """Return the weights of a complete run with these choices; None if there are none, or a run to resume."""
    files = _files(options)
    weights = options.out / files.weights
    if (options.out / files.checkpoint).exists() or not weights.is_file():
        return None
    try:
        record = json.loads((options.out / files.record).read_text(encoding="utf-8"))
        recipe, source = record["recipe"], record.get("speedrun_sha256", "")
        same = all(recipe.get(name, value) == value for name, value in _choices(options).items())
        changed = options.speedrun and source != speedrun.source_digest(stage)
        return weights if record["complete"] is True and same and not changed else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _recipe(stage: Path, saved: Path, options: argparse.Namespace) -> Recipe:
    """Return the recipe of the checkpoint to resume from, or of the command line."""
    changed = _named(options)
    if saved.exists() and options.resume:
        recipe = checkpoint.load(saved).recipe
        for name, value in _choices(options).items():
            if getattr(recipe, name) != value:
                option = f"--{name.replace('_', '-')}" if name in changed else "--config"
                raise UsageError(
                    f"the run in {saved} has {name} {getattr(recipe, name)}, not {value}: omit {option} to continue "
                    "it, or start again with --fresh"
                )
        return recipe
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
    say(f"{size:,} parameters, {recipe.steps} steps of {recipe.tokens_per_step:,} tokens (characters) of {recipe.data}")
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
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="Continue the stopped run; start if there is none.")
    start.add_argument("--fresh", action="store_true", help="Start again and discard a stopped run.")
    parser.add_argument(
        "--out", type=Path, default=stage, metavar="FOLDER", help="Folder for the results (default: beside train.py)."
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:NUMBER or mps (default: auto).")
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


def _named(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a recipe that the command line names one by one."""
    values = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    return {name: value for name, value in values.items() if value is not None}
