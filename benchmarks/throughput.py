"""Comparison of stock ``nbgrader autograde`` with ``autograder grade`` on the same submissions.

    python -m benchmarks.throughput 2_attention --copies 30

Both grade copies of one correct submission with the same hidden tests, each with one command for the whole class,
start-up included, in a course that is already released. Stock nbgrader gets a notebook that imports the submitted
module and runs the stage's hidden tests in its kernel, with the judge's own runner. It gives one graded cell per
exercise its points, without isolation, diagnosis or report. The autograder does all of that and files the scores in
its own gradebook. Both must give full marks.

The command prints the ratio of throughputs and fails if it is below three. Seconds are wall time. CPU seconds, which
include the children's, are more reliable on a busy machine.
"""

import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import click
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab, StageFolders
from autograder.integrations.nbgrader import register_release
from autograder.release import check_id, write_nbgrader_source
from benchmarks.commands import Duration, copy_lab, timed

REQUIRED_RATIO = 3.0

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
code = read_course_code(lab, stage)
modules = {{**code.modules, {module!r}: Path("{module}.py").read_text()}}

def open_session(check, following=None):
    session = InProcessSession()
    session.load(modules, {module!r})
    return session

records = run_checks(stage, open_session, code, seed=0)
passed = {{check for check, record in records.items() if record.error is None and record.complete}}
"""


@click.command()
@click.argument("stage_id", default="2_attention")
@click.option("--copies", default=30, show_default=True, help="Number of submissions in the class.")
@click.option(
    "--rounds", default=1, show_default=True, help="Number of times to run each command, in turn; the best time counts."
)
def main(stage_id: str, copies: int, rounds: int) -> None:
    """Grade a class of STAGE_ID both ways and compare the times."""
    lab = Lab.find()
    stage = lab.stage(stage_id)
    source = stage.alternatives[0].read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        sides = {
            "stock nbgrader autograde": Stock(Path(folder) / "stock", stage, source, copies),
            "autograder grade": Ours(Path(folder) / "ours", stage, source, copies),
        }
        taken: dict[str, list[Duration]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                taken[name].append(side.grade())
        problems = [problem for side in sides.values() for problem in side.problems()]
    best = {name: min(times, key=lambda duration: duration.seconds) for name, times in taken.items()}
    _show(best, copies)
    if problems:
        sys.exit("\n".join(problems))
    stock, ours = best.values()
    ratio = stock.seconds / ours.seconds
    print(f"throughput: {ratio:.1f} times that of stock nbgrader ({stock.cpu / ours.cpu:.1f} times by CPU time)")
    if ratio < REQUIRED_RATIO:
        sys.exit(f"the ratio must be at least {REQUIRED_RATIO:g}")


def _show(durations: dict[str, Duration], copies: int) -> None:
    table = Table("command", "seconds", "per submission", "CPU seconds", title=f"{copies} submissions, all correct")
    for name, duration in durations.items():
        table.add_row(name, f"{duration.seconds:.1f}", f"{duration.seconds / copies:.2f}", f"{duration.cpu:.1f}")
    Console().print(table)


class Side:
    """A course in a separate folder, and the command that grades its class."""

    def __init__(self, folder: Path, stage: StageFolders, source: str, copies: int) -> None:
        self.folder = folder
        self.stage = stage
        self.copies = copies
        folder.mkdir()
        self.prepare(source)

    def prepare(self, source: str) -> None:
        """Create the course and its class."""
        raise NotImplementedError

    def grade(self) -> Duration:
        """Grade the whole class, without stored results."""
        raise NotImplementedError

    def run(self, *arguments: str) -> Duration:
        """Run a program of this environment in the folder and return its duration."""
        return timed(self.folder, *arguments)

    def students(self) -> list[str]:
        """Return the names of the students."""
        return [f"student{number:03}" for number in range(self.copies)]

    def problems(self) -> list[str]:
        """Return a line for each student without full marks."""
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


class Stock(Side):
    """Stock nbgrader."""

    def prepare(self, source: str) -> None:
        """Release a notebook with one graded cell per exercise, and hand it in."""
        (self.folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        module, stage_id = self.stage.spec.module, self.stage.id
        target = self.folder / "source" / stage_id
        target.mkdir(parents=True)
        nbformat.write(self.notebook(), target / f"{module}.ipynb")
        self.run("nbgrader", "generate_assignment", stage_id)
        for student in self.students():
            handed_in = self.folder / "submitted" / student / stage_id
            shutil.copytree(self.folder / "release" / stage_id, handed_in)
            (handed_in / f"{module}.py").write_text(source, encoding="utf-8")

    def notebook(self) -> nbformat.NotebookNode:
        """Make the notebook: import the module, run the hidden tests once, give each exercise its points."""
        stage = self.stage.spec
        run = RUN_HIDDEN_TESTS.format(root=str(self.stage.root), stage=self.stage.id, module=stage.module)
        cells = [new_code_cell(f"import {stage.module}"), new_code_cell(run)]
        for name, exercise in stage.exercises.items():
            if not exercise.bonus:
                points = f"float(sum(points for check, points in {exercise.checks!r}.items() if check in passed))"
                cells.append(_graded_cell(check_id(name), exercise.points, points))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        return new_notebook(cells=cells, metadata={"kernelspec": kernel})

    def grade(self) -> Duration:
        """Grade the class with a kernel per submission."""
        return self.run("nbgrader", "autograde", self.stage.id, "--force")


def _graded_cell(name: str, points: int, source: str) -> nbformat.NotebookNode:
    marks = {"schema_version": 3, "grade_id": name, "grade": True, "solution": False, "locked": True, "task": False}
    return new_code_cell(source, metadata={"nbgrader": {**marks, "points": points}})


class Ours(Side):
    """A copy of the lab."""

    def prepare(self, source: str) -> None:
        """Copy the files that grading needs, release them, and create the class."""
        copy_lab(self.stage.root, self.folder)
        lab = Lab(self.folder)
        write_nbgrader_source(lab)
        register_release(lab)
        for student in self.students():
            target = self.folder / "class" / student / self.stage.id
            target.mkdir(parents=True)
            (target / f"{self.stage.spec.module}.py").write_text(source, encoding="utf-8")

    def grade(self) -> Duration:
        """Grade the class in isolation, without stored results, and file the scores."""
        return self.run("autograder", "grade", "class", "--stage", self.stage.id, "--fresh")


if __name__ == "__main__":
    main()
