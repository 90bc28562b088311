"""A course of the tiny lab whose commands run in this process, with judges that need no other process."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner, Result
from pipeline import InProcessJudges, ScriptedJudges
from tiny_lab import LOOP, STAGE, solution

from autograder.cli import grading, main
from autograder.course.lab import Lab

STUDENTS = {"ada": LOOP, "bob": "# wrong\n" + solution(), "cem": LOOP}
# More variants of a fault, for the long form of the suite: `pytest tests/faults -m "slow or not slow"`.
LONG_FORM = pytest.mark.slow
POINTS = {"ada": 8.0, "bob": 0.0, "cem": 8.0}
_GRADES = """
    SELECT submitted_assignment.student_id, SUM(COALESCE(grade.auto_score, 0) + COALESCE(grade.extra_credit, 0))
    FROM grade
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    GROUP BY 1
"""


def points_in(gradebook: Path) -> dict[str, float]:
    """The points in a gradebook, by student."""
    database = sqlite3.connect(gradebook)
    try:
        return dict(database.execute(_GRADES).fetchall())
    finally:
        database.close()


class _Watched:
    """Judges in this process, in place of a pool; ``before_job`` is called with the number of each job, from 1."""

    def __init__(self, lab: Lab, before_job: Callable[[int], None]) -> None:
        super().__init__(lab)
        self._before_job = before_job
        self._begun = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @contextmanager
    def warming(self, count: int) -> Iterator[None]:
        yield

    def judge(self, job):
        self._begun += 1
        self._before_job(self._begun)
        return super().judge(job)


class Judges(_Watched, ScriptedJudges):
    """Judges that know the results of the class."""


class RealJudges(_Watched, InProcessJudges):
    """The real judge, without isolation."""


class Course:
    """A released lab, its class, and its commands."""

    def __init__(self, lab: Lab, class_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab = lab
        self.class_folder = class_folder
        self.before_job: Callable[[int], None] = lambda number: None
        self.judged = 0
        self.judges: type[Judges | RealJudges] = Judges
        monkeypatch.setattr(grading, "JudgePool", self._judges)

    def _judges(self, root: Path, **options: object) -> Judges | RealJudges:
        return self.judges(Lab(root), self._count)

    def _count(self, number: int) -> None:
        self.before_job(number)
        self.judged += 1

    def run(self, *arguments: str | Path) -> Result:
        """Run ``autograder ARGUMENTS…``."""
        return CliRunner().invoke(main, ["--lab", str(self.lab.root), *map(str, arguments)])

    def grade(self, *options: str) -> Result:
        """Grade the class, one student after the other."""
        self.judged = 0
        return self.run("grade", self.class_folder, "--workers", "1", *options)

    def points(self) -> dict[str, float]:
        """The points in the gradebook, by student."""
        return points_in(self.lab.gradebook)

    def result(self, student: str) -> Path:
        """The file of a student's result."""
        return self.lab.build / "results" / STAGE / f"{student}.json"
