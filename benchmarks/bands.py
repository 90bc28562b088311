"""Margin between honest runs and the bounds on a trained model's loss, over several seeds of the trainer.

    python -m benchmarks.bands --seeds 5

Each seed trains the references with the configuration `cpu` of the given trainer, on one thread. Its model is
evaluated as in grading, on the passages of several courses. The command prints a table and fails if a run comes
closer to the last bound than the margin of 0.03 nats. Runs that already exist in the folder are not trained again.
"""

import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.isolation.process import Template
from autograder.leaderboard.hand_in import evaluate_on_modules
from autograder.models import RECORD_FILE, WEIGHTS_FILE
from autograder.release.solved import write_solved

STAGE = "6_gpt"
MARGIN = 0.03
COURSES = 8  # each with its own secret, and so with different passages


@click.command()
@click.option("--seeds", default=5, show_default=True, help="Number of runs.")
@click.option("--bound", default=1.9, show_default=True, help="Loss that no run may exceed.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("build/bands"),
    show_default=True,
    help="Folder of the runs.",
)
def main(seeds: int, bound: float, folder: Path) -> None:
    """Train with several seeds and print the range of the losses on unseen plays."""
    lab, console = Lab.find(), Console()
    stage = lab.stage(STAGE)
    table = Table("seed", "mean loss", "lowest", "highest", title=f"{COURSES} courses each")
    worst = 0.0
    for seed in range(seeds):
        run = folder / f"seed{seed}"
        train(lab, seed, run)
        losses = list(losses_of(lab, stage, run))
        worst = max(worst, *losses)
        numbers = (statistics.mean(losses), min(losses), max(losses))
        table.add_row(str(seed), *(f"{number:.3f}" for number in numbers))
    console.print(table)
    console.print(f"highest loss of all: {worst:.3f}; the bound is {bound:.2f}")
    sys.exit(worst > bound - MARGIN)


def train(lab: Lab, seed: int, run: Path) -> None:
    """Train the references in a copy of the student repository, unless the run exists."""
    if (run / "training.json").is_file():
        return
    copy = run / "students"
    shutil.rmtree(copy, ignore_errors=True)
    write_solved(lab, copy)
    program = copy / STAGE / "train.py"
    subprocess.run([sys.executable, program, "--fresh", "--seed", str(seed), "--out", run.resolve()], check=True)
    shutil.rmtree(copy)


def losses_of(lab: Lab, stage: StageFolders, run: Path) -> Iterator[float]:
    """Yield the loss of a run's model on the passages of each course."""
    modules = {needed.spec.module: needed.reference_source() for needed in needed_stages(lab, stage)}
    record, weights = ((run / name).read_bytes() for name in (RECORD_FILE, WEIGHTS_FILE))
    with Template.start() as template:
        for course in range(COURSES):
            secret = f"course {course}".encode()
            yield evaluate_on_modules(lab, stage, modules, record, weights, secret, template).loss


if __name__ == "__main__":
    main()
