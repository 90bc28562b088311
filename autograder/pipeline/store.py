"""Results on disk: one file per student and stage, each written atomically.

A result is valid for the content from which it was made. A run that was killed therefore resumes where it
stopped, and an unchanged submission is never judged twice.
"""

from pathlib import Path

import msgspec

from autograder.base.json_store import JsonStore
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
        self._store = JsonStore(folder, StoredResult)

    def get(self, student: str, stage: str) -> StoredResult | None:
        """Read the last result of a student in a stage; None if it does not exist or cannot be read.

        A file that has another format or version counts as absent, so the submission is graded again.
        """
        stored = self._store.get(stage, student)
        return stored if stored is not None and stored.format_version == FORMAT_VERSION else None

    def all(self) -> list[StageReport]:
        """Return the last report of every student and stage, sorted by student, then by stage."""
        keys = sorted((key for key in self._store.keys() if len(key) == 2), key=lambda key: (key[1], key[0]))
        results = [self.get(student, stage) for stage, student in keys]
        return [result.report for result in results if result is not None]

    def put(self, key: str, report: StageReport, *, is_attempt: bool = True) -> StoredResult:
        """Keep a report. Its submission counts as an attempt unless it was refused before judging."""
        before = self.get(report.student, report.stage)
        attempts = before.attempts if before else ()
        if is_attempt and report.digest not in attempts:
            attempts = (*attempts, report.digest)
        stored = StoredResult(
            format_version=FORMAT_VERSION, key=key, digest=report.digest, attempts=attempts, report=report
        )
        self._store.put(stored, report.stage, report.student)
        return stored
