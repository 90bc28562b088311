"""One check run again with everything recorded that it requests of the submission in its failing example."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autograder.course.config import Check
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Session
from autograder.judge.attachments import Attachments
from autograder.judge.course_code import CourseCode
from autograder.judge.failing_example import Example, failing_example
from autograder.judge.hidden_tests import open_reference, run_plugin
from autograder.judge.loading import load_with_helpers
from autograder.judge.messages import Job
from autograder.judge.outcomes import Ending, ending_of
from autograder.judge.plugin import JudgePlugin
from autograder.judge.replay import Transcript
from autograder.judge.replies import same_reply
from autograder.judge.run import Submission
from autograder.judge.sessions import Exchange, RecordingSession

_STOP_AT_THE_FIRST = ("-x",)


@dataclass(frozen=True)
class Nearest:
    """A mistake whose output comes nearest to the student's, and the largest difference between the two."""

    mistake: Mistake
    difference: float


@dataclass(frozen=True)
class RecordedRun:
    """A check that was run again.

    Attributes:
        ending: how it ended.
        example: the failing example, in words; empty if the check passed.
        exchanges: the requests of the failing example and the student's replies; empty if there were too many.
        expected: the reference's reply to the last request; None without one.
        nearest: the mistake whose output comes nearest; None if no output is comparable.
        modules: the source texts that ran, by module name.
        replacement: the course's definitions that stood in for exercises that did not pass; empty if none did.
    """

    ending: Ending
    example: Example
    exchanges: Sequence[Exchange]
    expected: Any
    nearest: Nearest | None
    modules: Mapping[str, str]
    replacement: str = ""


def run_recorded(
    stage: StageFolders,
    job: Job,
    check: Check,
    stand_ins: Sequence[str],
    code: CourseCode,
    open_session: Callable[[], Session],
) -> RecordedRun:
    """Run one check of a submission again, and record its failing example.

    Args:
        stage: the stage.
        job: the submission.
        check: the check.
        stand_ins: the exercises for which the course's stood in when the check was graded.
        code: the course's own code.
        open_session: opens a fresh session with nothing loaded.

    Raises:
        HiddenTestsError: the tests cannot be collected or run.
    """
    attachments = Attachments(job.attachments, job.class_secret)
    first = load_with_helpers(open_session, job.modules, job.own, stage.spec.module, code)
    submission = Submission(stage, first.modules, open_session, code, job.seed, job.forbid, attachments, first)
    if first.error is not None:
        return RecordedRun(ending_of(first.error, first.source), (), (), None, None, first.modules)
    sessions = submission.guarded({check.id: tuple(stand_ins)} if stand_ins else {})
    recordings: list[RecordingSession] = []

    def open_recorded(name: str, following: str | None) -> Session:
        recordings.append(RecordingSession(sessions.open(name, None)))
        return recordings[-1]

    def restart() -> None:
        for recording in recordings:
            recording.restart()

    reference, only = functools.partial(open_reference, stage, code), frozenset({check.id})
    plugin = JudgePlugin(open_recorded, reference, job.seed, only, attachments, stage.spec.targets)
    plugin.on_example = restart
    try:
        run_plugin(stage, plugin, arguments=_STOP_AT_THE_FIRST)
    finally:
        sessions.close()
    error = plugin.records[check.id].error
    ending = sessions.ending(check.id, first.source) or ending_of(error, first.source, check.exercise)
    exchanges = recordings[-1].exchanges if recordings else []
    return RecordedRun(
        ending=ending,
        example=failing_example(error, stage.hidden_tests),
        exchanges=exchanges,
        expected=_last_reply(exchanges, reference()),
        nearest=_nearest(stage, check, exchanges, code),
        modules=first.modules,
        replacement=code.replacement(stand_ins).source if stand_ins else "",
    )


def _last_reply(exchanges: Sequence[Exchange], session: Session) -> Any:
    """The reply of another module to the last of these requests; None if it gives none."""
    if not exchanges:
        return None
    try:
        reply = list(Transcript.of(exchanges).replayed(session))[-1]
    except (SubmissionError, WorkerDied):
        return None
    return reply[0] if exchanges[-1].op == "call" and isinstance(reply, list) else reply


def _nearest(stage: StageFolders, check: Check, exchanges: Sequence[Exchange], code: CourseCode) -> Nearest | None:
    last = exchanges[-1] if exchanges else None
    if last is None or last.error is not None:
        return None
    students = last.reply[0] if last.op == "call" else last.reply
    candidates = [mistake for mistake in code.mistakes if check.exercise in (mistake.exercise, "")]
    found = [
        Nearest(mistake, _difference(students, _last_reply(exchanges, session)))
        for mistake in candidates
        for session in _sessions_of(stage, mistake, code)
    ]
    return min((near for near in found if near.difference < math.inf), key=lambda near: near.difference, default=None)


def _sessions_of(stage: StageFolders, mistake: Mistake, code: CourseCode) -> Iterator[Session]:
    """A session with the reference that has this mistake; none if it does not load."""
    session, main = InProcessSession(), stage.spec.module
    try:
        session.load({**code.modules, main: mistake.apply(code.modules[main])}, main)
    except SubmissionError:
        return
    yield session


def _difference(first: Any, second: Any) -> float:
    """The largest difference between two replies; infinite where they are not comparable."""
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        if len(first) != len(second):
            return math.inf
        return max((_difference(*items) for items in zip(first, second, strict=True)), default=0.0)
    if isinstance(first, (torch.Tensor, np.ndarray)) and isinstance(second, (torch.Tensor, np.ndarray)):
        left, right = (torch.as_tensor(value).detach().to(torch.float64) for value in (first, second))
        if left.shape != right.shape:
            return math.inf
        gap = (left - right).abs().nan_to_num(nan=math.inf)
        return float(torch.where(left == right, 0.0, gap).max()) if left.numel() else 0.0
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return max((_difference(value, second[key]) for key, value in first.items()), default=0.0)
    return 0.0 if same_reply(first, second) else math.inf
