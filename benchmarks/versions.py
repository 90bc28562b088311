"""Compare the commands of another version of the lab with those of this one, in turn.

    git worktree add ../before OLD_COMMIT && make -C ../before setup
    python -m benchmarks.versions ../before

Each version runs in a copy of its own lab, with its own environment, on submissions of one stage that earn full marks
in both, or it stops. The two take turns within a round, so a machine that slows down slows both. The table shows the
median of the rounds, and the ratio of the CPU seconds, which other work on the machine changes least. CPU seconds leave
out processes whose parent does not wait for them.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab
from benchmarks.commands import Duration, copy_lab, processor, timed

FEW, MANY, CLASS = 1, 13, 100


class Version:
    """A copy of a version's lab, released, with classes of variants of one solution, this version's reference."""

    def __init__(self, root: Path, python: Path, folder: Path, stage_id: str, source: str, module: str) -> None:
        self.python = str(python)
        self.folder = folder
        self.stage_id = stage_id
        folder.mkdir()
        copy_lab(root, folder)
        self.run("release")
        for size in (FEW, MANY, CLASS):
            for number in range(size):
                target = folder / f"class{size}" / f"student{size:03}_{number:03}" / stage_id
                target.mkdir(parents=True)
                variant = f"{source}\nVARIANT = {number + size}\n"
                (target / f"{module}.py").write_text(variant, encoding="utf-8")
        self.grade(CLASS, "--fail-on-failures")

    def run(self, *arguments: str) -> Duration:
        """Run `autograder`."""
        return timed(self.folder, "autograder", *arguments, python=self.python)

    def grade(self, size: int, *options: str) -> Duration:
        """Grade a class."""
        return self.run("grade", f"class{size}", "--stage", self.stage_id, *options)

    def per_submission(self) -> Duration:
        """What one more submission costs a command with one worker."""
        few, many = (self.grade(size, "--fresh", "--workers", "1") for size in (FEW, MANY))
        more = MANY - FEW
        return Duration((many.seconds - few.seconds) / more, (many.cpu - few.cpu) / more)

    def unchanged(self) -> Duration:
        """Grading a class a second time; the first time follows another class."""
        self.grade(CLASS)
        return self.grade(CLASS)


ROWS: Mapping[str, Callable[[Version], Duration]] = {
    "autograder --help": lambda version: version.run("--help"),
    "release, nothing changed": lambda version: version.run("release"),
    "grade one submission": lambda version: version.grade(FEW, "--fresh"),
    "one more submission, one worker": Version.per_submission,
    f"class of {CLASS}, unchanged": Version.unchanged,
}


@click.command()
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--stage", "stage_id", default="2_attention", show_default=True, help="The stage of the submissions.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Number of turns.")
def main(before: Path, stage_id: str, rounds: int) -> None:
    """Time the commands of the checkout BEFORE, with its environment in .venv, and of this one."""
    lab = Lab.find()
    stage = lab.stage(stage_id)
    source = stage.reference_source()
    taken: dict[str, tuple[list[Duration], list[Duration]]] = {row: ([], []) for row in ROWS}
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        versions = [
            Version(root, root / ".venv/bin/python", Path(folder) / name, stage_id, source, stage.spec.module)
            for name, root in (("before", before.resolve()), ("now", lab.root))
        ]
        for _ in range(rounds):
            for row, measure in ROWS.items():
                for durations, version in zip(taken[row], versions, strict=True):
                    durations.append(measure(version))
    Console(width=120).print(_table(taken, f"{stage_id}, median of {rounds}, {processor()}"))


def _table(taken: Mapping[str, tuple[list[Duration], list[Duration]]], title: str) -> Table:
    table = Table("command", "CPU s before", "CPU s now", "ratio", "wall s before", "wall s now", title=title)
    for row, sides in taken.items():
        cpu = [statistics.median(duration.cpu for duration in side) for side in sides]
        wall = [statistics.median(duration.seconds for duration in side) for side in sides]
        table.add_row(row, *(f"{x:.2f}" for x in (*cpu, cpu[0] / cpu[1], *wall)))
    return table


if __name__ == "__main__":
    main()
