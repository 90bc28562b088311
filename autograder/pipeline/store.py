"""Results on disk: one file per student and stage, each written atomically.

A result is valid for the content from which it was made. A run that was killed therefore resumes where it
stopped, and an unchanged submission is never judged twice.
"""

from pathlib import Path

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport

FORMAT_VERSION = 1


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and the identity of the content from which it was made.

    Attributes:
        format_version: the version of the file format.
        key: covers the submission, tests, references, configuration and versions.
        digest: covers only the submission.
        attempts: digests of the submissions judged so far, oldest first.
        report: the report.
    """

    format_version: int
    key: str
    digest: str
    attempts: tuple[str, ...]
    report: StageReport


class ResultStore:
    """The folder of stored results."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, student: str, stage: str) -> StoredResult | None:
        """Read the last result of a student in a stage; None if it does not exist or cannot be read.

        A file that has another format or version counts as absent, so the submission is graded again.
        """
        try:
            raw = self._path(student, stage).read_bytes()
            stored = msgspec.json.decode(raw, type=StoredResult)
        except (OSError, msgspec.MsgspecError):
            return None
        return stored if stored.format_version == FORMAT_VERSION else None

    def all(self) -> list[StageReport]:
        """Read the last report of every student and stage, ordered by student and stage."""
        paths = sorted(self._folder.glob("*/*.json"), key=lambda path: (path.stem, path.parent.name))
        results = [self.get(path.stem, path.parent.name) for path in paths]
        return [result.report for result in results if result is not None]

    def put(self, key: str, report: StageReport, *, is_attempt: bool = True) -> StoredResult:
        """Store a report; ``is_attempt`` is False for a submission that was refused and not judged."""
        before = self.get(report.student, report.stage)
        attempts = before.attempts if before else ()
        if is_attempt and report.digest not in attempts:
            attempts = (*attempts, report.digest)
        stored = StoredResult(
            format_version=FORMAT_VERSION, key=key, digest=report.digest, attempts=attempts, report=report
        )
        write_atomically(self._path(report.student, report.stage), msgspec.json.encode(stored))
        return stored

    def _path(self, student: str, stage: str) -> Path:
        return self._folder / stage / f"{student}.json"
