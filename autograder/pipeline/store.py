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
    """The folder of stored results, and a folder beside it for reports that wait for a person."""

    def __init__(self, folder: Path) -> None:
        self._store = JsonStore(folder, StoredResult)
        self._waiting = JsonStore(folder.with_name(f"{folder.name}_waiting"), StageReport)

    def get(self, student: str, stage: str) -> StoredResult | None:
        """Read the last result of a student in a stage; None if it does not exist or cannot be read.

        A file that has another format or version counts as absent, so the submission is graded again.
        """
        stored = self._store.get(stage, student)
        return stored if stored is not None and stored.format_version == FORMAT_VERSION else None

    def all(self) -> list[StageReport]:
        """Return the last report of every student and stage, sorted by student, then by stage.

        A report that waits for a person takes the place of an earlier result.
        """
        keys = {key for store in (self._store, self._waiting) for key in store.keys() if len(key) == 2}
        found = [self._last(student, stage) for stage, student in sorted(keys, key=lambda key: (key[1], key[0]))]
        return [report for report in found if report is not None]

    def _last(self, student: str, stage: str) -> StageReport | None:
        if (waiting := self._waiting.get(stage, student)) is not None:
            return waiting
        stored = self.get(student, stage)
        return stored.report if stored is not None else None

    def put(self, key: str, report: StageReport, *, is_attempt: bool = True) -> StoredResult:
        """Keep a report. Its submission counts as an attempt unless it was refused before judging."""
        before = self.get(report.student, report.stage)
        attempts = before.attempts if before else ()
        if is_attempt and report.digest not in attempts:
            attempts = (*attempts, report.digest)
        stored = StoredResult(
            format_version=FORMAT_VERSION, key=key, digest=report.digest, attempts=attempts, report=report
        )
        if stored != before:
            self._store.put(stored, report.stage, report.student)
        self._waiting.remove(report.stage, report.student)
        return stored

    def put_waiting(self, report: StageReport) -> None:
        """Show a report that waits for a person; the earlier result and the attempts stay."""
        self._waiting.put(report, report.stage, report.student)

    def settle(self, student: str, stage: str) -> None:
        """Show the stored result again."""
        self._waiting.remove(stage, student)
