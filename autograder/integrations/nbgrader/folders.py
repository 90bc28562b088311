"""The files of a submission in nbgrader's folders, each folder replaced atomically."""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import nbformat
from nbformat import NotebookNode

from autograder.base.atomic_files import write_atomically
from autograder.base.json_bytes import decode_json
from autograder.course.lab import Lab, StageFolders
from autograder.intake import RefusalReason, StageSubmission
from autograder.integrations.nbgrader.course import step_folder
from autograder.release.folders import FileContent, replace_folder

TIME_STAMP = "timestamp.txt"
NOTHING_HANDED_IN = (RefusalReason.MISSING, RefusalReason.NOT_BEGUN)


def write_submitted(lab: Lab, stage: StageFolders, submission: StageSubmission, notebook: NotebookNode) -> None:
    """Write a checked submission in nbgrader's layout, so that nbgrader's own commands can grade it again.

    If intake refused the submission's file, the folder is removed instead.
    """
    folder = step_folder(lab, "submitted") / submission.student / stage.id
    if submission.refusal is not None and submission.refusal.reason not in NOTHING_HANDED_IN:
        shutil.rmtree(folder, ignore_errors=True)
        return
    files = {f"{stage.spec.module}.ipynb": _notebook(notebook), **_time_stamp(submission.handed_in)}
    if submission.source is not None:
        files[f"{stage.spec.module}.py"] = FileContent(submission.source.encode())
    replace_folder(folder, files)


def write_autograded(lab: Lab, stage: StageFolders, submission: StageSubmission, notebook: NotebookNode) -> None:
    """Write the graded notebook to the folder that formgrader and feedback read."""
    folder = step_folder(lab, "autograded") / submission.student / stage.id
    replace_folder(folder, {f"{stage.spec.module}.ipynb": _notebook(notebook), **_time_stamp(submission.handed_in)})


def remove_shown(lab: Lab, stage: StageFolders, student: str) -> None:
    """Remove the files of an earlier grading that formgrader and the student see."""
    for step in ("autograded", "feedback"):
        shutil.rmtree(step_folder(lab, step) / student / stage.id, ignore_errors=True)


def write_time_stamp(folder: Path, moment: datetime | None) -> None:
    """Write nbgrader's time stamp into the folder of a graded submission, if the time is known."""
    for name, file in _time_stamp(moment).items():
        write_atomically(folder / name, file.content)


def _notebook(notebook: NotebookNode) -> FileContent:
    return FileContent(nbformat.writes(notebook).encode())


def _time_stamp(moment: datetime | None) -> dict[str, FileContent]:
    if moment is None:
        return {}
    return {TIME_STAMP: FileContent(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC\n").encode())}


class FiledAnswers:
    """Digests of the answers that are filed in the gradebook for a submission.

    They are written after the gradebook. A run that is killed in between finds the older answers, and marks
    a cell for manual grading once too often, never once too seldom.
    """

    def __init__(self, lab: Lab, stage: StageFolders, student: str) -> None:
        self._path: Path = lab.build / "nbgrader" / "filed" / stage.id / f"{student}.json"

    def differ(self, answers: Mapping[str, str | None]) -> frozenset[str]:
        """The questions whose answer differs from the filed answer; all of them if no digests can be read."""
        try:
            filed = decode_json(self._path.read_bytes(), dict[str, str])
        except (OSError, msgspec.MsgspecError):
            filed = {}
        return frozenset(question for question, answer in answers.items() if filed.get(question) != _digest(answer))

    def keep(self, answers: Mapping[str, str | None]) -> None:
        """Store the digests of the filed answers."""
        digests = {question: _digest(answer) for question, answer in answers.items()}
        write_atomically(self._path, msgspec.json.encode(digests))


def _digest(answer: str | None) -> str:
    return hashlib.sha256(answer.encode()).hexdigest() if answer is not None else ""
