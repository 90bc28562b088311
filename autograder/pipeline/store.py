"""Results on disk: one sealed file per student and stage, each written atomically.

A result is valid for the content from which it was made. A run that was killed therefore resumes where it
stopped, and an unchanged submission is never judged twice. A result is believed only with the seal of the course's
secret, and only if it is the last that was stored.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.base.results import StageReport
from autograder.base.sealed_store import Distrust, DistrustError, SealedStore

_MOST_NAMED = 5


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and the identity of the content from which it was made.

    Attributes:
        key: covers the submission, tests, references, configuration and versions.
        digest: covers only the submission.
        attempts: digests of the submissions judged so far, oldest first.
        report: the report.
    """

    key: str
    digest: str
    attempts: tuple[str, ...]
    report: StageReport


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file.

    Attributes:
        serial: counts the changes of this file.
        result: the last result; None if there has been none.
        waiting: a later report that waits for a person.
    """

    serial: int
    result: StoredResult | None = None
    waiting: StageReport | None = None

    @property
    def report(self) -> StageReport | None:
        """The report to show."""
        return self.waiting or (self.result.report if self.result is not None else None)


class _Last(msgspec.Struct, frozen=True, kw_only=True):
    """What must not be lost with a file of results, kept apart from it: its serial number, and the attempts."""

    serial: int = 0
    attempts: tuple[str, ...] = ()


class ResultStore:
    """The folder of stored results.

    Attributes:
        distrusted: student and stage → why the stored result that was read is not believed.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Open a folder of results; ``secret`` seals them."""
        self.distrusted: dict[tuple[str, str], DistrustError] = {}
        self._folder = folder
        self._results = SealedStore(folder, _Stored, secret)
        self._last = SealedStore(folder.with_name(f"{folder.name}_last"), _Last, secret)
        self._spare = SealedStore(folder.with_name(f"{folder.name}_spare"), StoredResult, secret)

    @property
    def set_aside(self) -> Path:
        """The folder of files that were not believed and have been replaced."""
        return self._folder.with_name(f"{self._folder.name}_distrusted")

    def get(self, student: str, stage: str) -> StoredResult | None:
        """Read the last result of a student in a stage; None if it does not exist or is not believed."""
        stored = self._read(student, stage)
        return stored.result if stored is not None else None

    def all(self) -> list[StageReport]:
        """Return the last report of every student and stage, sorted by student, then by stage.

        A report that waits for a person takes the place of an earlier result. Results that are not believed are
        listed in ``distrusted``.
        """
        reports = [self.shown(student, stage)[0] for student, stage in self.keys()]
        return [report for report in reports if report is not None]

    def keys(self) -> list[tuple[str, str]]:
        """Student and stage of every result that is or was stored, sorted."""
        keys = {key for store in (self._results, self._last) for key in store.keys() if len(key) == 2}
        return sorted((student, stage) for stage, student in keys)

    def shown(self, student: str, stage: str) -> tuple[StageReport | None, StoredResult | None]:
        """Read the last report of a student in a stage, which may wait for a person, and the last result.

        Both are None if there is none, or if it is not believed.
        """
        stored = self._read(student, stage)
        if stored is None:
            return None, None
        return stored.report, stored.result

    def spare(self, student: str, stage: str) -> StoredResult | None:
        """Read the result that was judged last without counting; None if there is none or it is not believed."""
        try:
            return self._spare.get(stage, student)
        except DistrustError:
            return None

    def put_spare(self, key: str, report: StageReport) -> None:
        """Keep a judged report that does not count, so that it need not be judged again."""
        result = StoredResult(key=key, digest=report.digest, attempts=(), report=report)
        self._spare.put(result, report.stage, report.student)

    def put(self, key: str, report: StageReport, *, is_attempt: bool = True) -> StoredResult:
        """Keep a report. Its submission counts as an attempt unless it was refused before judging."""
        before = self._read(report.student, report.stage)
        if before is not None and before.result is not None:
            attempts = before.result.attempts
        else:
            attempts = self._read_last(report.student, report.stage).attempts
        if is_attempt and report.digest not in attempts:
            attempts = (*attempts, report.digest)
        result = StoredResult(key=key, digest=report.digest, attempts=attempts, report=report)
        self._write(report.student, report.stage, before, result, waiting=None)
        return result

    def add_attempt(self, student: str, stage: str, digest: str) -> None:
        """Count a submission as an attempt whose result does not stand."""
        before = self._read(student, stage)
        if before is not None and before.result is not None and digest not in before.result.attempts:
            attempts = (*before.result.attempts, digest)
            counted = msgspec.structs.replace(before.result, attempts=attempts)
            self._write(student, stage, before, counted, waiting=None)

    def put_waiting(self, report: StageReport) -> None:
        """Show a report that waits for a person; the earlier result and the attempts stay."""
        before = self._read(report.student, report.stage)
        self._write(report.student, report.stage, before, before.result if before else None, waiting=report)

    def settle(self, student: str, stage: str) -> None:
        """Show the stored result again."""
        before = self._read(student, stage)
        if before is not None:
            self._write(student, stage, before, before.result, waiting=None)

    def _read(self, student: str, stage: str) -> _Stored | None:
        last = self._read_last(student, stage)
        try:
            stored = self._results.get(stage, student)
            if stored is None and last.serial:
                raise DistrustError(Distrust.MISSING)
            # A run that was killed between the two files leaves the result one ahead.
            if stored is not None and stored.serial - last.serial not in (0, 1):
                raise DistrustError(Distrust.NOT_LAST)
        except DistrustError as error:
            self.distrusted[student, stage] = error
            return None
        return stored

    def _read_last(self, student: str, stage: str) -> _Last:
        try:
            return self._last.get(stage, student) or _Last()
        except DistrustError:
            return _Last()

    def _write(
        self,
        student: str,
        stage: str,
        before: _Stored | None,
        result: StoredResult | None,
        waiting: StageReport | None,
    ) -> None:
        if before is not None and (before.result, before.waiting) == (result, waiting):
            return
        last = self._read_last(student, stage)
        if before is None:
            self._set_aside(student, stage)
        elif before.serial > last.serial:
            self._last.put(_Last(serial=before.serial, attempts=last.attempts), stage, student)
        serial = max(before.serial if before else 0, last.serial) + 1
        self._results.put(_Stored(serial=serial, result=result, waiting=waiting), stage, student)
        attempts = result.attempts if result else last.attempts
        self._last.put(_Last(serial=serial, attempts=attempts), stage, student)

    def _set_aside(self, student: str, stage: str) -> None:
        """Move a file that is not believed out of the way, for a person to look at."""
        path = self._results.path(stage, student)
        if path.is_file():
            target = self.set_aside / stage / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def claimed_digest(distrust: DistrustError) -> str:
    """The digest of the submission in a file that is not believed; empty if it has none."""
    try:
        return decode_json(distrust.claimed, _Claim).claimed()
    except msgspec.MsgspecError:
        return ""


class _Claim(msgspec.Struct):
    """The part of a stored value that names the submission, in this format and in format 1."""

    digest: str = ""
    result: "_Claim | None" = None

    def claimed(self) -> str:
        return self.result.claimed() if self.result else self.digest


def distrust_line(distrusted: Mapping[tuple[str, str], DistrustError], consequence: str) -> str:
    """Say in one line how many stored values are not believed, why, and what follows; empty if there are none.

    Args:
        distrusted: student and stage → reason.
        consequence: what happens to them: "judged again".
    """
    if not distrusted:
        return ""
    reasons = "; ".join(
        f"{reason}: {len(keys)}{_named(keys) if reason is not Distrust.UNSEALED else ''}"
        for reason, keys in _by_reason(distrusted)
    )
    count = f"{len(distrusted)} stored result{' is' if len(distrusted) == 1 else 's are'}"
    return f"{count} not believed and {consequence}. Reasons: {reasons}"


def _by_reason(distrusted: Mapping[tuple[str, str], DistrustError]) -> Iterator[tuple[Distrust, list[str]]]:
    for reason in Distrust:
        keys = sorted(" ".join(key) for key, error in distrusted.items() if error.reason is reason)
        if keys:
            yield reason, keys


def _named(keys: Iterable[str]) -> str:
    listed = list(keys)
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return f" ({', '.join(listed[:_MOST_NAMED])}{more})"
