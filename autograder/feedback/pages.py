"""Pages on disk: one per student, and the instructor's page of the class."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.course.lab import Lab
from autograder.course.policy import days_late
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import ClassStatistics, class_statistics, mistake_sentences
from autograder.feedback.student_page import student_page
from autograder.pipeline.grade import Graded

STUDENT_PAGES = "students"


def write_student_pages(folder: Path, lab: Lab, graded: Sequence[Graded]) -> dict[str, str]:
    """Write each student's page to ``folder/students``; student → path of the page in ``folder``.

    ``graded`` lists a student's stages next to each other, as grading does.
    """
    pages = {}
    titles = {stage.id: {name: text.title for name, text in stage.exercise_texts().items()} for stage in lab.stages()}
    for student, ones in groupby(graded, key=lambda one: one.submission.student):
        stages = list(ones)
        sources = {one.submission.stage: one.judged_source for one in stages if one.judged_source is not None}
        page = student_page([one.report for one in stages], sources, lab.config, titles)
        pages[student] = f"{STUDENT_PAGES}/{student}.html"
        write_atomically(folder / pages[student], page.encode())
    return pages


def write_class_page(folder: Path, statistics: ClassStatistics, pages: dict[str, str]) -> Path:
    """Write the class page into ``folder``, linked to the students' pages; its path."""
    path = folder / "class.html"
    write_atomically(path, class_page(statistics, pages).encode())
    return path


def statistics_of(lab: Lab, reports: Sequence[StageReport], graded: Sequence[Graded] = ()) -> ClassStatistics:
    """A class's figures. Who was late is known where the hand-ins themselves are given too."""
    late = {(one.submission.student, one.submission.stage): _days_late(lab, one) for one in graded}
    late = {place: days for place, days in late.items() if days}
    return class_statistics(reports, lab.config, sentences=mistake_sentences(lab), late_days=late)


def _days_late(lab: Lab, one: Graded) -> int:
    policies = lab.config.policies
    return days_late(
        policies.late,
        due=lab.stage(one.submission.stage).spec.due,
        handed_in=one.submission.handed_in,
        extension_days=policies.extensions.get(one.submission.student, {}).get(one.submission.stage, 0),
    )
