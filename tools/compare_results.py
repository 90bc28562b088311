"""Compare two folders of stored results, point for point: what a change of the grader must leave as it is.

``python -m tools.compare_results BEFORE AFTER``, where each folder is the ``build/results`` of a workspace, for example
``build/demo/build/results`` after ``autograder demo``. Titles, hints, seconds and the words of a symptom may differ;
points, outcomes, named mistakes and stand-ins may not.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

COMPARED = ("outcome", "points", "exercise", "bonus", "mistake")


def reports_in(folder: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the reports of a folder, by student and stage."""
    paths = sorted(folder.glob("*/*.json"))
    return {(path.stem, path.parent.name): json.loads(path.read_bytes())["report"] for path in paths}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield where two reports of one student and stage differ, one line each."""
    for total in ("score", "max_score"):
        old, new = (sum(points_of(report, total)) for report in (before, after))
        if old != new:
            yield f"{total}: {old} before, {new} after"
    if before.get("stand_ins") != after.get("stand_ins"):
        yield f"stand-ins: {before.get('stand_ins')} before, {after.get('stand_ins')} after"
    old_checks, new_checks = ({check["id"]: check for check in report["checks"]} for report in (before, after))
    for check in sorted(old_checks.keys() ^ new_checks.keys()):
        yield f"{check}: only {'before' if check in old_checks else 'after'}"
    for check in sorted(old_checks.keys() & new_checks.keys()):
        for key in COMPARED:
            old, new = old_checks[check].get(key), new_checks[check].get(key)
            if old != new:
                yield f"{check}: {key} {old!r} before, {new!r} after"


def points_of(report: Mapping[str, Any], total: str) -> Iterator[int]:
    """Yield the points of each check: all of them, or those of checks that passed."""
    for check in report["checks"]:
        if total == "max_score" or check["outcome"] == "PASSED":
            yield check["points"]


@click.command()
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--ignore", multiple=True, metavar="CHECK", help="Leave this check out; compare totals all the same.")
def main(before: Path, after: Path, ignore: tuple[str, ...]) -> None:
    """Compare the stored results in BEFORE and AFTER and end with 1 if they differ."""
    old, new = reports_in(before), reports_in(after)
    lines = [f"{' '.join(key)}: only {'before' if key in old else 'after'}" for key in sorted({*old} ^ {*new})]
    for key in sorted(old.keys() & new.keys()):
        found = [line for line in differences(old[key], new[key]) if line.split(":")[0] not in ignore]
        lines += [f"{' '.join(key)}: {line}" for line in found]
    for line in lines:
        click.echo(line)
    scores = [sum(sum(points_of(report, "score")) for report in reports.values()) for reports in (old, new)]
    click.echo(
        f"{len(old)} and {len(new)} reports, {scores[0]} and {scores[1]} points in all, {len(lines)} differences"
    )
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
