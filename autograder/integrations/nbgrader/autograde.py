"""``nbgrader autograde`` with the judge instead of a kernel that executes the notebook.

nbgrader converts each submitted notebook twice, ``submitted`` → ``autograded`` → ``autograded``, with a
configurable exporter. This exporter reads a submission through intake, so broken notebooks, links and
duplicate cells do not stop the grading of other students. No student code is executed, and nbgrader parses no
notebook of a student and copies no other file of theirs: a link can lead to ``/dev/zero``.
"""

import functools
import weakref
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from traitlets import Instance, Unicode, default

from autograder.base.run_lock import only_run
from autograder.base.sinks import log_line
from autograder.course.lab import Lab
from autograder.intake import StageSubmission, take_in_student
from autograder.intake.timestamps import read_stamp
from autograder.integrations.nbgrader.course import step_folder
from autograder.integrations.nbgrader.filing import file_scores, show, take_back_scores
from autograder.integrations.nbgrader.folders import write_time_stamp
from autograder.integrations.nbgrader.notebooks import answered_notebook, make_safe
from autograder.integrations.nbgrader.rows import SubmissionRows
from autograder.judge.pool import JudgePool
from autograder.pipeline.grade import Graded, Grader, stage_files


class NotGradedError(Exception):
    """A submission has no grade for a reason that the student did not cause, so it must not get a score."""


class CheckedCourseDirectory(CourseDirectory):  # type: ignore[misc]
    """The course's folders, of which nbgrader copies no file and reads no file that is not a plain one."""

    @classmethod
    def like(cls, folders: CourseDirectory) -> "CheckedCourseDirectory":
        """The same folders."""
        own = {name: getattr(folders, name) for name in folders.trait_names(config=True)}
        return cls(parent=folders.parent, **{**own, "ignore": ["*"]})

    def get_existing_timestamp(self, dest_path: str) -> datetime | None:
        """Read the time stamp of a submission; None if it is missing, unreadable or not a plain file."""
        moment = read_stamp(Path(dest_path))
        return parse_utc(moment) if moment is not None else None


class JudgedNotebookExporter(NotebookExporter):
    """Converts a submission to its graded notebook, and files its scores."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # type: ignore[no-untyped-call]
        if isinstance(self.parent, Autograde):
            self.parent.coursedir = CheckedCourseDirectory.like(self.parent.coursedir)

    lab = Unicode(help="The folder that holds grading.yml").tag(config=True)
    workspace = Unicode(help="The folder that holds the gradebook and build").tag(config=True)

    # One judge, and one lock of the course, for a whole run of nbgrader; both end with the exporter.
    judges = Instance(JudgePool)
    lock = Instance(ExitStack, allow_none=True)

    def _take_lock(self) -> None:
        """Take the lock of the course, unless this run has it."""
        if self.lock is None:
            lock = ExitStack()
            lock.enter_context(only_run(self._lab.gradebook.parent, "nbgrader autograde"))
            weakref.finalize(self, lock.close)
            self.lock = lock

    @default("judges")
    def _start_judges(self) -> JudgePool:
        judges = JudgePool(self._lab.root, size=1)
        weakref.finalize(self, judges.__exit__)
        return judges

    @functools.cached_property
    def _lab(self) -> Lab:
        return Lab(Path(self.lab), Path(self.workspace))

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the released notebook with the student's answers in the first pass, and with grades in the second.

        Raises:
            NotGradedError: a person must decide about the submission; its earlier scores are removed.
            OtherRunError: another run works with the same results; nothing is changed.
        """
        assert resources is not None
        self._take_lock()
        names = resources["nbgrader"]
        path = Path(filename)
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        try:
            if path.is_relative_to(step_folder(self._lab, "submitted")):
                notebook = answered_notebook(self._lab, self._take_in(names))
                make_safe(notebook)  # it lies where formgrader looks until the second pass
            else:
                notebook = self._graded(names, path.parent)
        except Exception:
            self._take_back(names)
            raise
        converted: tuple[NotebookNode, dict[str, Any]]
        converted = self.from_notebook_node(notebook, resources, **kw)  # type: ignore[no-untyped-call]
        return converted

    def _graded(self, names: dict[str, str], folder: Path) -> NotebookNode:
        graded = self._grade(names)
        write_time_stamp(folder, graded.submission.handed_in)
        if not graded.report.graded:
            reason = log_line(graded.report.why_not_graded)
            raise NotGradedError(f"{names['student']} {names['assignment']}: no score is filed: {reason}")
        stage = self._lab.stage(names["assignment"])
        notebook = answered_notebook(self._lab, graded.submission)
        with Gradebook(names["db_url"]) as gradebook:
            assignment = gradebook.find_submission(stage.id, names["student"])
            file_scores(self._lab, SubmissionRows.of(gradebook, stage, assignment), graded.report, notebook)
        return show(notebook, stage, graded.report, graded.submission)

    def _grade(self, names: dict[str, str]) -> Graded:
        """Grade one stage, on the student's own earlier modules if these passed."""
        grader = Grader(self._lab, self.judges)
        for graded in grader.grade_student(self._student(names)):
            if graded.submission.stage == names["assignment"]:
                if line := grader.distrusted():
                    self.log.warning(line)
                return graded
        raise _not_found(names)

    def _take_in(self, names: dict[str, str]) -> StageSubmission:
        for submission in self._student(names):
            if submission.stage == names["assignment"]:
                return submission
        raise _not_found(names)

    def _student(self, names: dict[str, str]) -> list[StageSubmission]:
        """The student's submissions for this stage and the stages it builds on."""
        folder = step_folder(self._lab, "submitted") / names["student"]
        return take_in_student(folder, names["student"], stage_files(self._lab, [names["assignment"]]))

    def _take_back(self, names: dict[str, str]) -> None:
        """Remove the automatic scores of a submission that could not be graded again."""
        with Gradebook(names["db_url"]) as gradebook:
            try:
                notebook = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            except MissingEntry:
                return
            take_back_scores(self._lab, notebook)
            gradebook.db.commit()


def _not_found(names: dict[str, str]) -> NotGradedError:
    return NotGradedError(f"{names['student']} {names['assignment']}: intake found no such submission")
