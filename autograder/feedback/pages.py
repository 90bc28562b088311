"""Pages on disk: one page per student, and the instructor's page of the class."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.course.check_locations import check_locations
from autograder.course.config import Config
from autograder.course.lab import Lab
from autograder.course.policy import examples_from
from autograder.feedback.claims import Claim
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import ClassStatistics, class_statistics, mistake_sentences
from autograder.feedback.student_page import student_page
from autograder.intake import StageSubmission
from autograder.integrations.grades import Grade
from autograder.pipeline.grade import Graded

STUDENT_PAGES = "students"
_CLASS_PAGE = "class.html"


def write_student_pages(
    folder: Path, lab: Lab, graded: Sequence[Graded], grades: Iterable[Grade] = ()
) -> dict[str, str]:
    """Write each student's page to ``folder/students``.

    Args:
        folder: the folder of all pages.
        lab: the lab.
        graded: the results; a student's stages must be adjacent, as grading returns them.
        grades: the grades of the gradebook, if it was read.

    Returns:
        Student → path of the page, relative to ``folder``.
    """
    pages = {}
    filed: dict[str, dict[str, Grade]] = defaultdict(dict)
    for grade in grades:
        filed[grade.student][grade.stage] = grade
    shown = _with_examples(lab.config, datetime.now(UTC))
    titles = {stage.id: {name: text.title for name, text in stage.exercise_texts().items()} for stage in lab.stages()}
    for student, group in groupby(graded, key=lambda result: result.submission.student):
        results = list(group)
        sources = {
            result.submission.stage: result.judged_source for result in results if result.judged_source is not None
        }
        page = student_page([result.report for result in results], sources, lab.config, titles, shown, filed[student])
        pages[student] = f"{STUDENT_PAGES}/{student}.html"
        write_atomically(folder / pages[student], page.encode())
    return pages


def _with_examples(config: Config, now: datetime) -> frozenset[str]:
    """The stages whose failing examples students may see now."""
    begins = {name: examples_from(config.policies, name, stage.due) for name, stage in config.stages.items()}
    return frozenset(name for name, begin in begins.items() if begin is not None and now > begin)


class GrowingPages:
    """Pages of a class that is being graded: each student's as soon as all of the student's reports are ready."""

    def __init__(self, folder: Path, lab: Lab, submissions: Iterable[StageSubmission]) -> None:
        """Prepare pages in ``folder`` for a class with these submissions; nothing is written yet."""
        self.class_page = folder / _CLASS_PAGE
        self._folder = folder
        self._lab = lab
        self._statistics = _statistics_maker(lab)
        self._missing = Counter(submission.student for submission in submissions)
        self._graded: dict[str, list[Graded]] = {}
        self._pages: dict[str, str] = {}

    def add(self, graded: Graded) -> None:
        """Add a result; the last result of a student writes the student's page, and the class page again."""
        student = graded.submission.student
        self._graded.setdefault(student, []).append(graded)
        self._missing[student] -= 1
        if self._missing[student]:
            return
        self._pages |= write_student_pages(self._folder, self._lab, self._graded[student])
        finished = [result.report for name in self._pages for result in self._graded[name]]
        write_class_page(self._folder, self._statistics(finished, ()), self._pages)


def write_class_page(
    folder: Path, statistics: ClassStatistics, pages: Mapping[str, str], claims: Sequence[Claim] = ()
) -> Path:
    """Write the class page, linked to the students' pages, to ``folder``; returns its path."""
    path = folder / _CLASS_PAGE
    write_atomically(path, class_page(statistics, pages, claims).encode())
    return path


def student_pages_in(folder: Path, students: Iterable[str]) -> dict[str, str]:
    """The pages of students that an earlier run wrote: student → path relative to ``folder``."""
    return {student: path for student in students if (folder / (path := f"{STUDENT_PAGES}/{student}.html")).is_file()}


def statistics_of(lab: Lab, reports: Sequence[StageReport], grades: Iterable[Grade] = ()) -> ClassStatistics:
    """Compute the statistics of a class; with the grades of the gradebook, points by hand count."""
    return _statistics_maker(lab)(reports, grades)


def _statistics_maker(lab: Lab) -> Callable[[Sequence[StageReport], Iterable[Grade]], ClassStatistics]:
    """Read what the statistics of any class of the lab need, and return the function that computes them."""
    sentences, locations = mistake_sentences(lab), check_locations(lab)
    return lambda reports, grades: class_statistics(
        reports, lab.config, sentences=sentences, locations=locations, grades=grades
    )
