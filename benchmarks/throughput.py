"""Stock ``nbgrader autograde`` and ``autograder grade`` side by side, on the same work.

    python -m benchmarks.throughput 2_attention --copies 30

Both grade copies of one right submission with the same hidden tests, each as one command over the
whole class, start-up included, in a course that is released already. Stock nbgrader gets a notebook
that imports the submitted module, runs the stage's hidden tests in its kernel by the runner that the
judge itself uses, and gives one graded cell per exercise its points; there is no isolation, diagnosis
or report in it. Ours runs with all of that, and files in a gradebook of its own. Both must give full
marks.

The command prints the ratio of throughputs and fails when it is below three. Seconds are of the clock
on the wall; CPU seconds, children's included, tell more on a machine that has other work.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab, StageFolders
from autograder.integrations.nbgrader import register_release
from autograder.release import check_id, write_nbgrader_source

WANTED = 3.0

CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "stock"
c.ExecutePreprocessor.timeout = 600
"""

RUN_HIDDEN_TESTS = """\
from pathlib import Path

from autograder.isolation.in_process import InProcessSession
from autograder.judge.hidden_tests import run_checks
from autograder.judge.course_code import read_course_code
from autograder.course.lab import Lab

lab = Lab(Path({root!r}))
stage = lab.stage({stage!r})
trusted = read_course_code(lab, stage)
modules = {{**trusted.modules, {module!r}: Path("{module}.py").read_text()}}

def open_session(check, following=None):
    session = InProcessSession()
    session.load(modules, {module!r})
    return session

records = run_checks(stage, open_session, trusted, seed=0)
passed = {{check for check, record in records.items() if record.error is None and record.complete}}
"""


@click.command()
@click.argument("stage_id", default="2_attention")
@click.option("--copies", default=30, show_default=True, help="Submissions in the class.")
@click.option("--rounds", default=1, show_default=True, help="How often each is measured, by turns; the best counts.")
def main(stage_id: str, copies: int, rounds: int) -> None:
    """Grade a class of STAGE_ID both ways and print how they compare."""
    lab = Lab.find()
    stage = lab.stage(stage_id)
    source = stage.alternatives[0].read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        sides = {
            "stock nbgrader autograde": Stock(Path(folder) / "stock", stage, source, copies),
            "autograder grade": Ours(Path(folder) / "ours", stage, source, copies),
        }
        taken: dict[str, list[Taken]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                taken[name].append(side.grade())
        problems = [problem for side in sides.values() for problem in side.problems()]
    best = {name: min(times, key=lambda one: one.seconds) for name, times in taken.items()}
    _show(best, copies)
    if problems:
        sys.exit("\n".join(problems))
    stock, ours = best.values()
    ratio = stock.seconds / ours.seconds
    print(f"throughput: {ratio:.1f} times that of stock nbgrader ({stock.cpu / ours.cpu:.1f} times by CPU time)")
    if ratio < WANTED:
        sys.exit(f"that is less than the {WANTED:g} times that are promised")


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    seconds: float
    cpu: float


def _show(taken: dict[str, Taken], copies: int) -> None:
    table = Table("command", "seconds", "per submission", "CPU seconds", title=f"{copies} submissions, all right")
    for name, one in taken.items():
        table.add_row(name, f"{one.seconds:.1f}", f"{one.seconds / copies:.2f}", f"{one.cpu:.1f}")
    Console().print(table)


class Side:
    """A course in a folder of its own, and the command that grades its class."""

    def __init__(self, folder: Path, stage: StageFolders, source: str, copies: int) -> None:
        self.folder = folder
        self.stage = stage
        self.copies = copies
        folder.mkdir()
        self.prepare(source)

    def prepare(self, source: str) -> None:
        """Lay out the course and its class."""
        raise NotImplementedError

    def grade(self) -> Taken:
        """Grade the class anew."""
        raise NotImplementedError

    def run(self, *arguments: str) -> Taken:
        """Run a program of this environment in the folder."""
        # nbgrader runs `alembic` by its name, and stops where it is not on the path.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        started, cpu = time.monotonic(), _cpu_of_children()
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise click.ClickException(f"{' '.join(arguments)} failed\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return Taken(time.monotonic() - started, _cpu_of_children() - cpu)

    def students(self) -> list[str]:
        """The names in the class."""
        return [f"student{number:03}" for number in range(self.copies)]

    def problems(self) -> list[str]:
        """Which students don't have full marks."""
        query = """
            SELECT submitted_assignment.student_id, sum(grade.auto_score) FROM grade
            JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
            JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
            GROUP BY submitted_assignment.student_id
        """
        database = sqlite3.connect(self.folder / "gradebook.db")
        found = dict(database.execute(query).fetchall())
        database.close()
        full = self.stage.spec.points
        wrong = {student: found.get(student) for student in self.students() if found.get(student) != full}
        return [f"{type(self).__name__}: {student} has {score} of {full} points" for student, score in wrong.items()]


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


class Stock(Side):
    """nbgrader as it comes."""

    def prepare(self, source: str) -> None:
        """One notebook with one graded cell per exercise, released and handed in."""
        (self.folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        module, stage_id = self.stage.spec.module, self.stage.id
        place = self.folder / "source" / stage_id
        place.mkdir(parents=True)
        nbformat.write(self.notebook(), place / f"{module}.ipynb")
        self.run("nbgrader", "generate_assignment", stage_id)
        for student in self.students():
            handed_in = self.folder / "submitted" / student / stage_id
            shutil.copytree(self.folder / "release" / stage_id, handed_in)
            (handed_in / f"{module}.py").write_text(source, encoding="utf-8")

    def notebook(self) -> nbformat.NotebookNode:
        """Import the module, run the hidden tests once, give each exercise its points."""
        stage = self.stage.spec
        run = RUN_HIDDEN_TESTS.format(root=str(self.stage.root), stage=self.stage.id, module=stage.module)
        cells = [new_code_cell(f"import {stage.module}"), new_code_cell(run)]
        for name, exercise in stage.exercises.items():
            if not exercise.bonus:
                points = f"float(sum(points for check, points in {exercise.checks!r}.items() if check in passed))"
                cells.append(_graded_cell(check_id(name), exercise.points, points))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        return new_notebook(cells=cells, metadata={"kernelspec": kernel})

    def grade(self) -> Taken:
        """Grade the class with a kernel per submission."""
        return self.run("nbgrader", "autograde", self.stage.id, "--force")


def _graded_cell(name: str, points: int, source: str) -> nbformat.NotebookNode:
    marks = {"schema_version": 3, "grade_id": name, "grade": True, "solution": False, "locked": True, "task": False}
    return new_code_cell(source, metadata={"nbgrader": {**marks, "points": points}})


class Ours(Side):
    """A copy of the lab."""

    def prepare(self, source: str) -> None:
        """Copy what grading needs, release, and lay out the class."""
        root = self.stage.root
        shutil.copy(root / "grading.yml", self.folder)
        for part in ("solutions", "tests/hidden", "data"):
            if (root / part).is_dir():
                shutil.copytree(root / part, self.folder / part)
        lab = Lab(self.folder)
        write_nbgrader_source(lab)
        register_release(lab)
        for student in self.students():
            place = self.folder / "class" / student / self.stage.id
            place.mkdir(parents=True)
            (place / f"{self.stage.spec.module}.py").write_text(source, encoding="utf-8")

    def grade(self) -> Taken:
        """Grade the class in isolation, nothing kept from before, and file it."""
        return self.run("autograder", "grade", "class", "--stage", self.stage.id, "--fresh")


if __name__ == "__main__":
    main()
