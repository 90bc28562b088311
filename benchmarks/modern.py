"""What the models of a stage learn: each figure over several seeds, beside its target in grading.yml.

    python -m benchmarks.modern 7_bert --seeds 3
    python -m benchmarks.modern 7_bert --checkpoint     # makes the weights that the lab sheet loads

The command runs `solutions/STAGE/recipes/measure.py SEED` on the references, in a copy of the student repository and on
one thread. The program trains with the code that the lab sheet uses, and prints one JSON object: name of a figure →
number. The command prints the figures and fails if one misses its target: `least_NAME` bounds the figure NAME from
below, `most_NAME` from above. With `--checkpoint` it runs `recipes/make_checkpoint.py` in the same way.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.release.solved import write_solved

BOUNDS = {"least": min, "most": max}  # kind of target → the worst of several figures


@click.command()
@click.argument("stages", nargs=-1, required=True, metavar="STAGE...")
@click.option("--seeds", default=3, show_default=True, help="Number of runs.")
@click.option("--checkpoint", is_flag=True, help="Make the weights that the lab sheets load instead.")
def main(stages: tuple[str, ...], seeds: int, checkpoint: bool) -> None:
    """Train the models of each STAGE with several seeds and compare the figures with their targets."""
    lab = Lab.find()
    folder = lab.build / "modern"
    write_solved(lab, folder)
    missed: list[str] = []
    for stage in map(lab.stage, stages):
        if checkpoint:
            run_recipe(lab, stage, folder, "make_checkpoint.py")
            continue
        figures = [measured(lab, stage, folder, seed) for seed in range(seeds)]
        Console().print(table_of(stage, figures))
        missed += missed_targets(stage, figures)
    for line in missed:
        print(line)
    sys.exit(bool(missed))


def measured(lab: Lab, stage: StageFolders, folder: Path, seed: int) -> dict[str, float]:
    """Run the stage's measurement with one seed and return its figures."""
    figures: dict[str, float] = json.loads(run_recipe(lab, stage, folder, "measure.py", str(seed)))
    return figures


def run_recipe(lab: Lab, stage: StageFolders, folder: Path, program: str, *arguments: str) -> bytes:
    """Run a program of the stage on the references in the student repository ``folder``; return what it prints."""
    modules = [str(folder / needed.id) for needed in needed_stages(lab, stage)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(modules)}
    command = [sys.executable, str(stage.folder / "recipes" / program), *arguments]
    return subprocess.run(command, cwd=folder / stage.id, env=environment, stdout=subprocess.PIPE, check=True).stdout


def table_of(stage: StageFolders, figures: Sequence[Mapping[str, float]]) -> Table:
    """Lay out the figures: a row for each, a column for each seed."""
    targets = {target.partition("_")[2]: target for target in stage.spec.targets}
    table = Table(stage.id, *(f"seed {seed}" for seed in range(len(figures))), "target")
    for name in figures[0]:
        target = targets.get(name)
        bound = "" if target is None else f"{target.partition('_')[0]} {stage.spec.targets[target]:g}"
        table.add_row(name, *(f"{run[name]:.3f}" for run in figures), bound)
    return table


def missed_targets(stage: StageFolders, figures: Sequence[Mapping[str, float]]) -> list[str]:
    """Return a line for each target that a run misses."""
    lines = []
    for target, bound in stage.spec.targets.items():
        kind, _, name = target.partition("_")
        worst = BOUNDS[kind](run[name] for run in figures)
        if BOUNDS[kind](worst, bound) != bound:
            lines.append(f"{stage.id}: {name} is {worst:.3f}; it must be at {kind} {bound:g}")
    return lines


if __name__ == "__main__":
    main()
