"""Results on disk: one file per student and stage, written whole or not at all.

A result is valid for the content it was made from, so a killed run goes on where it was and an
unchanged submission is never judged twice.
"""

from pathlib import Path

import msgspec

from autograder.base.atomic_files import write_atomically
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
        self._folder = folder

    def get(self, student: str, stage: str) -> StoredResult | None:
        """The last result of a student in a stage; None when there is none that can be read.

        A file that is not ours or of another version counts as absent: the cure is to grade again.
        """
        try:
            raw = self._path(student, stage).read_bytes()
            stored = msgspec.json.decode(raw, type=StoredResult)
        except (OSError, msgspec.MsgspecError):
            return None
        return stored if stored.format_version == FORMAT_VERSION else None

    def all(self) -> list[StageReport]:
        """The last report of every student and stage, in the order of their names."""
        paths = sorted(self._folder.glob("*/*.json"), key=lambda path: (path.stem, path.parent.name))
        stored = [self.get(path.stem, path.parent.name) for path in paths]
        return [one.report for one in stored if one is not None]

    def put(self, key: str, report: StageReport, *, is_attempt: bool = True) -> StoredResult:
        """Keep a report; its submission is one of the student's attempts, unless it was refused unjudged."""
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
