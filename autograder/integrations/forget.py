"""Delete what is stored about a student, about a stage, or about a student's stage."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autograder.course.lab import Lab

_FOLDERS_OF_NBGRADER = ("submitted", "autograded", "feedback")


class Traces:
    """The files and rows of a student, of a stage, or of both.

    Args:
        lab: the lab.
        student: the student's id; None for every student.
        stage: the stage; None for every stage.
    """

    def __init__(self, lab: Lab, student: str | None, stage: str | None) -> None:
        self._lab = lab
        self._student = student
        self._stage = stage

    def paths(self) -> list[Path]:
        """The files and folders below ``build``, sorted."""
        return sorted({path for path in self._found() if path.exists()})

    def rows(self) -> list[tuple[str, str]]:
        """The student and stage of each submission in the gradebook."""
        if not self._lab.gradebook.exists():
            return []
        from autograder.integrations.nbgrader import submissions_in_gradebook  # takes a second to import

        return [key for key in submissions_in_gradebook(self._lab) if self._matches(*key)]

    def delete(self) -> None:
        """Delete them. The rows come last: a run that is stopped is repeated."""
        rows = self.rows()
        for path in self.paths():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            if path.parent.parent.name in _FOLDERS_OF_NBGRADER and not any(path.parent.iterdir()):
                path.parent.rmdir()  # the student's, of whom no stage is left
        if rows or (self._student is not None and self._lab.gradebook.exists()):
            from autograder.integrations.nbgrader import forget_in_gradebook

            forget_in_gradebook(self._lab, rows, self._student if self._stage is None else None)

    def _matches(self, student: str, stage: str) -> bool:
        return self._student in (None, student) and self._stage in (None, stage)

    def _found(self) -> Iterator[Path]:
        build = self._lab.build
        student, stage = self._student or "*", self._stage or "*"
        for store in ("results", "results_last", "results_spare", "results_distrusted"):
            yield from (build / store).glob(f"{stage}/{student}.json")
        nbgrader = build / "nbgrader"
        yield from (nbgrader / "filed").glob(f"{stage}/{student}.json")
        for folder in _FOLDERS_OF_NBGRADER:
            whole = self._stage is None and self._student is not None
            yield from (nbgrader / folder).glob(student if whole else f"{student}/{stage}")
        report = nbgrader / "filing" / "last.json"
        if report.exists() and (self._student or "").encode() in report.read_bytes():
            yield report
        if self._student is not None:
            yield build / "explain" / self._student
            named = msgspec.json.encode({"student": self._student})[1:-1]
            entries = (build / "leaderboard").rglob("*.json")  # a file is named by the content of the model
            yield from (path for path in entries if named in path.read_bytes())
