"""The instructor's table of hand-in times: ``student,stage,time``."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path

from autograder.intake.refusals import IntakeError, shown
from autograder.intake.submission import StageSubmission, TimeSource

_COLUMNS = ("student", "stage", "time")


@dataclass(frozen=True)
class KnownTimes:
    """What the instructor knows about times.

    Attributes:
        table: student's id or name, and stage → time of the hand-in; "" stands for every stage.
        zone: the course's time zone, for times without one; None if it is not stated.
    """

    table: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    zone: tzinfo | None = None

    def settled(self, submission: StageSubmission, name: str) -> StageSubmission:
        """The submission with a time that has a zone, or with an unknown time.

        The table counts before each source that a student can write.
        """
        for stage in (submission.stage, ""):
            for student in (submission.student, name):
                if (listed := self.table.get((student, stage))) is not None:
                    return replace(submission, handed_in=listed, time_source=TimeSource.TABLE)
        moment = submission.handed_in
        if moment is None or moment.utcoffset() is not None:
            return submission
        if self.zone is None:
            return replace(submission, handed_in=None, time_source=TimeSource.UNKNOWN)
        return replace(submission, handed_in=moment.replace(tzinfo=self.zone))


NO_TIMES = KnownTimes()


def read_times(path: Path, stages: Collection[str], zone: tzinfo | None) -> KnownTimes:
    """Read a CSV file with the columns ``student`` and ``time``, and ``stage`` if the times differ by stage.

    Args:
        path: the file.
        stages: the ids of all stages.
        zone: the course's time zone; None if it is not stated.

    Raises:
        IntakeError: the file cannot be read, or a line is invalid; the message names the line and the fix.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise IntakeError(f"{path} cannot be read as UTF-8 text: {error}") from None
    table: dict[tuple[str, str], datetime] = {}
    for place, row in _rows(path, text):
        student, stage = row["student"], row.get("stage", "")
        if not row["student"]:
            raise IntakeError(f"{place}: the student is missing")
        if stage and stage not in stages:
            raise IntakeError(f"{place}: no stage named `{shown(stage)}`; stages: {', '.join(stages)}")
        if (student, stage) in table:
            raise IntakeError(f"{place}: {shown(row['student'])} has two times for {stage or 'all stages'}; keep one")
        table[student, stage] = _moment(row["time"], zone, place)
    return KnownTimes(table, zone)


def _rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with its place in the file; cells without surrounding blanks."""
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    header = [_name(cell) for cell in next(reader, [])]
    if not {"student", "time"} <= set(header) or len(set(header)) != len(header):
        raise IntakeError(f"{path}:1: the columns are {_listed(header)}; expected {_listed(_COLUMNS)}")
    for cells in reader:
        place = f"{path}:{reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise IntakeError(f"{place}: {len(cells)} cells; expected {len(header)}: {_listed(header)}")
        yield place, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _name(cell: str) -> str:
    return cell.strip().lower()


def _listed(names: Iterable[str]) -> str:
    return ",".join(shown(name) for name in names) or "missing"


def _moment(text: str, zone: tzinfo | None, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise IntakeError(f"{place}: `{shown(text)}` is not a time; write 2026-03-01T12:00:00+01:00") from None
    if moment.utcoffset() is not None:
        return moment
    if zone is None:
        raise IntakeError(
            f"{place}: `{shown(text)}` has no time zone; write {moment.isoformat()}+01:00, or set policies.time_zone "
            "in grading.yml"
        )
    return moment.replace(tzinfo=zone)
