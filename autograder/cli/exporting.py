"""Parts that the export commands share: the stored reports, their grades, and the lines about what differs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import NOTHING_GRADED, notice
from autograder.course.lab import Lab
from autograder.integrations.grades import Grade, differences, final_grades
from autograder.pipeline.stored_reports import stored_reports

_MOST_NAMED = 10


@dataclass(frozen=True)
class ClassGrades:
    """The stored reports of the chosen stages, by student and in the order of ``grading.yml``, and their grades."""

    reports: list[StageReport]
    grades: list[Grade]

    def by_student(self) -> dict[str, tuple[list[StageReport], list[Grade]]]:
        """Student → reports and their grades."""
        pairs = zip(self.reports, self.grades, strict=True)
        groups = groupby(pairs, key=lambda pair: pair[0].student)
        listed = {student: list(group) for student, group in groups}
        return {student: ([r for r, _ in own], [g for _, g in own]) for student, own in listed.items()}


def class_reports(lab: Lab, stage_ids: Collection[str] = ()) -> list[StageReport]:
    """The stored reports by student, each student's in the order of ``grading.yml``.

    Args:
        lab: the lab.
        stage_ids: the stages of ``--stage``; all if empty.

    Raises:
        click.UsageError: there are none.
        LabError: a stage does not exist.
    """
    for stage_id in stage_ids:
        lab.stage(stage_id)
    reports = [report for report in stored_reports(lab, notice) if not stage_ids or report.stage in stage_ids]
    if not reports:
        raise click.UsageError(NOTHING_GRADED)
    order = {stage: index for index, stage in enumerate(lab.config.stages)}
    return sorted(reports, key=lambda report: (report.student, order.get(report.stage, len(order))))


def class_grades(lab: Lab, stage_ids: Collection[str] = ()) -> ClassGrades:
    """The stored reports with their final grades; prints where gradebook and results differ.

    Raises:
        click.UsageError: there are none.
        LabError: a stage does not exist, or the gradebook cannot be read.
    """
    reports = class_reports(lab, stage_ids)
    grades = final_grades(lab, reports)
    for line in differences(lab, reports, grades):
        notice(f"the gradebook differs from the results: {line}")
    return ClassGrades(reports, grades)


def write(path: Path, content: bytes, what: str) -> None:
    """Write a file and print what it holds."""
    write_atomically(path, content)
    OutputConsole(highlight=False, soft_wrap=True).print(f"{path}: {what}", markup=False)


def tell(notes: Iterable[str], unknown: Sequence[str], where: str) -> None:
    """Print the notes about a filled file, and the students whom it does not list."""
    for note in notes:
        notice(note)
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        notice(f"not in {where}, so their points were not written: {', '.join(unknown[:_MOST_NAMED])}{more}")
