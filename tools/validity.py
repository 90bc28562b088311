"""The record of which mutants the hidden tests kill, and the page made from it.

``docs/validity.json`` holds the last full run of each stage, ``docs/validity_reasons.yml`` why survivors are allowed,
and ``docs/validity.md`` shows both. A reason names its mutants by the lines that differ, so it survives a rerun and
changes of other lines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import yaml

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes

PAGE, RECORD, REASONS = "docs/validity.md", "docs/validity.json", "docs/validity_reasons.yml"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mutant.

    Attributes:
        mutant: digest of its text.
        tests: digest of the hidden tests, the reference and the seed.
        killed_by: the checks that it fails; empty if it survives. One name in parentheses if its process ended.
        seconds: CPU seconds.
    """

    mutant: str
    tests: str
    killed_by: tuple[str, ...]
    seconds: float


class StageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The last full run of a stage."""

    date: str
    mutants: int
    survivors: tuple[str, ...]
    kills: dict[str, int]
    cpu_seconds: int


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why some survivors are allowed."""

    because: str
    mutants: tuple[str, ...]


def read_reasons(lab: Lab, stage_id: str) -> dict[str, str]:
    """Return the differences of allowed survivors, and the reason of each."""
    path = lab.root / REASONS
    stages = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    reasons = msgspec.convert(stages.get(stage_id, []), list[Reason])
    return {mutant.strip(): reason.because for reason in reasons for mutant in reason.mutants}


def record_of(verdicts: Mapping[str, Verdict], diffs: Mapping[str, str], date: str) -> StageRecord:
    """Summarise the verdicts of all mutants of a stage; ``diffs`` maps digest to difference."""
    kills = Counter(check for verdict in verdicts.values() for check in verdict.killed_by)
    return StageRecord(
        date=date,
        mutants=len(verdicts),
        survivors=tuple(sorted(diffs[digest] for digest, verdict in verdicts.items() if not verdict.killed_by)),
        kills=dict(sorted(kills.items())),
        cpu_seconds=round(sum(verdict.seconds for verdict in verdicts.values())),
    )


def read_records(lab: Lab) -> dict[str, StageRecord]:
    """Return the record of every stage that was run in full."""
    path = lab.root / RECORD
    return msgspec.json.decode(path.read_bytes(), type=dict[str, StageRecord]) if path.is_file() else {}


def write_record(lab: Lab, stage_id: str, record: StageRecord) -> None:
    """Replace the record of one stage, and write the page."""
    records = {**read_records(lab), stage_id: record}
    ordered = {stage.id: records[stage.id] for stage in lab.stages() if stage.id in records}
    raw = msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"
    write_atomically(lab.root / RECORD, raw)
    write_atomically(lab.root / PAGE, page(lab, ordered).encode())


def page(lab: Lab, records: Mapping[str, StageRecord]) -> str:
    """Return the text of the page."""
    rows, sections = [], []
    for stage in lab.stages():
        record = records.get(stage.id)
        if record is None:
            rows.append(f"| `{stage.id}` | not run yet | | | | | |")
            continue
        reasons = read_reasons(lab, stage.id)
        allowed = [survivor for survivor in record.survivors if survivor in reasons]
        killed = record.mutants - len(record.survivors)
        unexplained = len(record.survivors) - len(allowed)
        each = record.cpu_seconds / max(record.mutants, 1)
        cells = (f"`{stage.id}`", record.mutants, killed, len(allowed), unexplained, f"{each:.1f}", record.date)
        rows.append("| " + " | ".join(map(str, cells)) + " |")
        mistakes = Counter(check for mistake in load_mistakes(stage) for check in mistake.fails)
        sections.append(_matrix(stage.id, stage.spec.code_checks, record, mistakes))
    return _TEXT.format(reasons=Path(REASONS).name, rows="\n".join(rows), sections="\n".join(sections))


def _matrix(stage_id: str, checks: Iterable[str], record: StageRecord, mistakes: Mapping[str, int]) -> str:
    ordered = sorted(checks, key=lambda check: (record.kills.get(check, 0) + mistakes.get(check, 0), check))
    idle = [check for check in ordered if not record.kills.get(check) and not mistakes.get(check)]
    rows = "\n".join(f"| `{check}` | {record.kills.get(check, 0)} | {mistakes.get(check, 0)} |" for check in ordered)
    nothing = ", ".join(f"`{check}`" for check in idle) or "none"
    head = f"\n## `{stage_id}`\n\nChecks that kill nothing: {nothing}.\n"
    return f"{head}\n| check | mutants | mistakes |\n|---|---|---|\n{rows}\n"


_TEXT = """# Which wrong solutions do the hidden tests reject?

`python -m tools.mutate --all` makes mutants of every reference with mutmut's operators and runs the hidden tests on
each. A survivor is allowed if it gives the same results or differs only where the contract leaves the result open;
[{reasons}]({reasons}) holds the reason. The command fails on a survivor without a reason.

| stage | mutants | killed | allowed | without a reason | CPU seconds each | date |
|---|---|---|---|---|---|---|
{rows}

The tables below count the mutants and the named mistakes that each check rejects. A mutant of an exercise meets the
checks of its own exercise first, and the others only if it passes these.
{sections}"""
