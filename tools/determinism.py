"""Grade a small class again and again and compare every point: order, workers and versions must not matter.

    python -m tools.determinism --stage 1_kernels --stage 2_attention --python python3.12 --write

The class is made of the lab's own solutions: the reference, the stub, alternatives and named mistakes. This
interpreter grades it three times, in different orders and with 1, 2 and 4 workers; each further interpreter, which
needs the grader's libraries, grades it once. The lab is copied first, so nothing in it changes. The command fails if
a check's outcome, points, named mistake or stand-ins differ; `--write` writes `docs/determinism.md`.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from autograder.course.alternatives import load_alternatives
from autograder.course.lab import Lab, StageFolders
from autograder.course.mistakes import load_mistakes
from autograder.release.stubs import strip_solutions

ROOT = Path(__file__).parents[1]
PAGE = "docs/determinism.md"
COPIED = ("grading.yml", "solutions", "tests/hidden", "data")
VERSIONS = "import platform, torch, numpy; print(platform.python_version(), torch.__version__, numpy.__version__)"

# Student, stage and check → outcome, points earned, named mistake, stand-ins.
Points = dict[tuple[str, str, str], tuple[str, int, str | None, tuple[str, ...]]]


@dataclass(frozen=True)
class Run:
    """One way to grade the class.

    Attributes:
        python: path of the interpreter.
        workers: number of workers.
        backwards: whether the students are graded in the opposite order.
    """

    python: str
    workers: int
    backwards: bool

    def grade(self, lab: Path, solutions: Sequence[tuple[str, str, Path]], folder: Path) -> Points:
        """Write the class, grade it in a process of its own, and read the points."""
        ordered = list(reversed(solutions)) if self.backwards else list(solutions)
        names = {}
        for number, (student, stage, source) in enumerate(ordered):
            name = f"s{number:03}-{student}"
            names[name] = student
            target = folder / "class" / name / stage / source.name
            target.parent.mkdir(parents=True)
            shutil.copyfile(source, target)
        results = folder / "results.json"
        command = [self.python, "-m", "autograder", "--lab", str(lab), "grade", str(folder / "class"), "--fresh"]
        command += ["--no-gradebook", "--workers", str(self.workers), "--json", str(results)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.python}: grading ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        handed_in = {(student, stage) for student, stage, _ in solutions}
        return {key: value for key, value in points_in(results, names).items() if key[:2] in handed_in}


def points_in(results: Path, names: dict[str, str]) -> Points:
    """Read the results of ``autograder grade --json``; the names of a run's students become those of the class."""
    return {
        (names[report["student"]], report["stage"], check["id"]): (
            check["outcome"],
            check["score"],
            check["mistake"],
            tuple(check["stand_ins"]),
        )
        for report in json.loads(results.read_bytes())["reports"]
        for check in report["checks"]
    }


def write_solutions(stage: StageFolders, mistakes: int, folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Write the class of one stage: name, stage and file of each solution."""
    reference = stage.reference_source()
    sources = {"reference": reference, "stub": strip_solutions(reference, stage.reference.name)}
    sources |= {f"right-{alternative.name}": alternative.source for alternative in load_alternatives(stage)}
    every = load_mistakes(stage)
    step = max(1, len(every) // max(1, mistakes))
    sources |= {f"wrong-{mistake.id}": mistake.apply(reference) for mistake in every[::step][:mistakes]}
    for name, source in sources.items():
        path = folder / stage.id / name / f"{stage.spec.module}.py"
        path.parent.mkdir(parents=True)
        path.write_text(source, encoding="utf-8")
        yield f"{name}-{stage.id}", stage.id, path


def copy_lab(lab: Lab, folder: Path) -> Path:
    """Copy what grading reads, so that stored results and the course's secret stay as they are."""
    for name in COPIED:
        source, target = lab.root / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    return folder


def differences(first: Points, other: Points) -> list[str]:
    """Return the checks that differ between two runs, one line each."""
    keys = sorted(first.keys() | other.keys())
    return [
        f"{'/'.join(key)}: {first.get(key)} and {other.get(key)}" for key in keys if first.get(key) != other.get(key)
    ]


def versions(python: str) -> str:
    """Return the versions of Python, PyTorch and NumPy of an interpreter."""
    done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{python}: torch or numpy cannot be imported; install the grader's libraries there")
    return "Python {}, torch {}, NumPy {}".format(*done.stdout.split())


@click.command()
@click.option("--lab", "lab_folder", type=click.Path(exists=True, path_type=Path), help="Folder of the lab.")
@click.option(
    "--stage", "stage_ids", multiple=True, metavar="STAGE", help="Stage to grade; repeatable. All by default."
)
@click.option("--python", "pythons", multiple=True, metavar="PATH", help="Further interpreter; repeatable.")
@click.option("--mistakes", default=4, show_default=True, help="Number of named mistakes of each stage.")
@click.option("--write", is_flag=True, help=f"Write the table to {PAGE}.")
def main(
    lab_folder: Path | None, stage_ids: tuple[str, ...], pythons: tuple[str, ...], mistakes: int, write: bool
) -> None:
    """Grade a small class in several ways and fail if a point differs."""
    lab = Lab.find(lab_folder)
    stages = [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
    runs = [Run(sys.executable, 1, False), Run(sys.executable, 2, True), Run(sys.executable, 4, False)]
    runs += [Run(python, 2, False) for python in pythons]
    rows, problems, first = [], [], None
    with tempfile.TemporaryDirectory(prefix="determinism-") as name:
        folder = Path(name)
        copied = copy_lab(lab, folder / "lab")
        solutions = [row for stage in stages for row in write_solutions(stage, mistakes, folder / "solutions")]
        for number, run in enumerate(runs):
            points = run.grade(copied, solutions, folder / f"run{number}")
            first = points if first is None else first
            found = differences(first, points)
            problems += found
            order = "backwards" if run.backwards else "forwards"
            earned = sum(score for _, score, _, _ in points.values())
            verdict = "identical" if not found else f"{len(found)} differ"
            rows.append(f"| {versions(run.python)} | {order} | {run.workers} | {len(points)} | {earned} | {verdict} |")
            click.echo(rows[-1])
    for problem in problems:
        click.echo(problem)
    if write:
        (lab.root / PAGE).parent.mkdir(exist_ok=True)
        (lab.root / PAGE).write_text(page(rows, [stage.id for stage in stages], len(solutions)), encoding="utf-8")
    sys.exit(1 if problems else 0)


def page(rows: Sequence[str], stages: Sequence[str], solutions: int) -> str:
    """Return the text of the page."""
    made = datetime.now(UTC).date()
    return f"""# Do points depend on order, workers or versions?

`python -m tools.determinism` grades a class of {solutions} solutions in different ways and compares the outcome,
points, named mistake and stand-ins of every check. The solutions are references, stubs, alternatives and named
mistakes of {", ".join(f"`{stage}`" for stage in stages)}.

Made on {made} on {platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors.

| versions | order | workers | checks | points | compared with the first row |
|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
