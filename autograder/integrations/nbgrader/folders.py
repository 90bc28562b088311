"""What filing leaves in nbgrader's folders, each submission's replaced whole or not at all."""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import nbformat
from nbformat import NotebookNode

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab, StageFolders
from autograder.intake import RefusalReason, StageSubmission
from autograder.integrations.nbgrader.course import step_folder
from autograder.release.folders import FileContent, replace_folder

TIME_STAMP = "timestamp.txt"


def write_submitted(lab: Lab, stage: StageFolders, submission: StageSubmission, notebook: NotebookNode) -> None:
    """Lay a checked submission out as nbgrader expects it, so that its own commands can grade it again.

    A file that intake refused is not there to be graded again: neither is its folder then.
    """
    folder = step_folder(lab, "submitted") / submission.student / stage.id
    if submission.refusal is not None and submission.refusal.reason is not RefusalReason.MISSING:
        shutil.rmtree(folder, ignore_errors=True)
        return
    files = {f"{stage.spec.module}.ipynb": _notebook(notebook), **_time_stamp(submission.handed_in)}
    if submission.source is not None:
        files[f"{stage.spec.module}.py"] = FileContent(submission.source.encode())
    replace_folder(folder, files)


def write_autograded(lab: Lab, stage: StageFolders, submission: StageSubmission, notebook: NotebookNode) -> None:
    """Put the graded notebook where formgrader and feedback look for it."""
    folder = step_folder(lab, "autograded") / submission.student / stage.id
    replace_folder(folder, {f"{stage.spec.module}.ipynb": _notebook(notebook), **_time_stamp(submission.handed_in)})


def remove_shown(lab: Lab, stage: StageFolders, student: str) -> None:
    """Take away what an earlier grading left for formgrader and the student to see."""
    for step in ("autograded", "feedback"):
        shutil.rmtree(step_folder(lab, step) / student / stage.id, ignore_errors=True)


def remove_all_but(name: str, folder: Path) -> None:
    """Empty a folder, its folders included, of everything but one file."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != name:
            path.unlink()


def _notebook(notebook: NotebookNode) -> FileContent:
    return FileContent(nbformat.writes(notebook).encode())


def _time_stamp(moment: datetime | None) -> dict[str, FileContent]:
    if moment is None:
        return {}
    return {TIME_STAMP: FileContent(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC\n").encode())}


class FiledAnswers:
    """The answers that a submission's entry in the gradebook is about, as digests.

    Written after the entry: a run killed between the two finds the older answers, and asks for a
    person's look once more rather than once too few.
    """

    def __init__(self, lab: Lab, stage: StageFolders, student: str) -> None:
        self._path: Path = lab.build / "nbgrader" / "filed" / stage.id / f"{student}.json"

    def differ(self, answers: Mapping[str, str | None]) -> frozenset[str]:
        """The questions whose answer is another than the one filed; all of them when nothing tells."""
        try:
            filed = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            filed = {}
        return frozenset(question for question, answer in answers.items() if filed.get(question) != _digest(answer))

    def keep(self, answers: Mapping[str, str | None]) -> None:
        """Remember the answers as filed."""
        digests = {question: _digest(answer) for question, answer in answers.items()}
        write_atomically(self._path, msgspec.json.encode(digests))


def _digest(answer: str | None) -> str:
    return hashlib.sha256(answer.encode()).hexdigest() if answer is not None else ""
