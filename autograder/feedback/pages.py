"""Pages on disk: one page per student, and the instructor's page of the class."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.course.check_locations import check_locations
from autograder.course.lab import Lab
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import ClassStatistics, class_statistics, mistake_sentences
from autograder.feedback.student_page import student_page
from autograder.pipeline.grade import Graded

STUDENT_PAGES = "students"


def write_student_pages(folder: Path, lab: Lab, graded: Sequence[Graded]) -> dict[str, str]:
    """Write each student's page to ``folder/students``.

    Args:
        folder: the folder of all pages.
        lab: the lab.
        graded: the results; a student's stages must be adjacent, as grading returns them.

    Returns:
        Student → path of the page, relative to ``folder``.
    """
    pages = {}
    titles = {stage.id: {name: text.title for name, text in stage.exercise_texts().items()} for stage in lab.stages()}
    for student, group in groupby(graded, key=lambda result: result.submission.student):
        results = list(group)
        sources = {
            result.submission.stage: result.judged_source for result in results if result.judged_source is not None
        }
        page = student_page([result.report for result in results], sources, lab.config, titles)
        pages[student] = f"{STUDENT_PAGES}/{student}.html"
        write_atomically(folder / pages[student], page.encode())
    return pages


def write_class_page(folder: Path, statistics: ClassStatistics, pages: dict[str, str]) -> Path:
    """Write the class page, linked to the students' pages, to ``folder``; returns its path."""
    path = folder / "class.html"
    write_atomically(path, class_page(statistics, pages).encode())
    return path


def statistics_of(lab: Lab, reports: Sequence[StageReport]) -> ClassStatistics:
    """Compute the statistics of a class."""
    return class_statistics(reports, lab.config, sentences=mistake_sentences(lab), locations=check_locations(lab))
