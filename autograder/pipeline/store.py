"""Results on disk: one file per student and stage, written whole or not at all.

A result is valid for the content it was made from, so a killed run goes on where it was and an
unchanged submission is never judged twice.
"""

from pathlib import Path

import msgspec

from autograder.base.json_store import JsonStore
from autograder.base.results import StageReport

FORMAT_VERSION = 1


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A report with what it was made from.

    ``key`` covers submission, tests, references, configuration and versions; ``digest`` the
    submission alone. ``attempts`` lists the digests of the submissions judged so far, oldest first.
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
        """Return the last result of a student in a stage, or None if none can be read.

        A file that is not ours or has another version counts as absent: the fix is to grade again.
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
