"""Sessions guarded against forbidden calls, and the calls that were refused in them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.base.results import Outcome
from autograder.course.config import Stage
from autograder.course.forbidden import FORBIDDABLE, short_name
from autograder.isolation.errors import TracebackFrame
from autograder.isolation.proxy import Session
from autograder.isolation.replacement import Replacement
from autograder.isolation.worker import Worker
from autograder.judge.outcomes import Ending
from autograder.judge.sessions import close
from autograder.judge.source_map import SourceMap

HINT = "build it from simpler operations: the exercise is to write what that function does"


@dataclass(frozen=True)
class ForbiddenCall:
    """A forbidden call, as the process of the submission reports it."""

    name: str
    frame: TracebackFrame


class GuardedSessions:
    """Opens sessions that refuse what each check's exercise forbids, and collects the refused calls.

    A worker for the next check begins to load when the current check starts: where a core is free, it is
    ready in time. Sessions in this process are opened one by one, because a call forbidden in one of them
    is forbidden in the whole process.

    Args:
        stage: the stage, with the calls that its exercises forbid.
        modules: the submission's source texts by module name.
        open_session: opens a fresh session with nothing loaded.
        forbid: whether to refuse forbidden calls at all.
        replacements: check → the course's definitions that replace the submission's.
        exercises: earlier module → its exercises, which may call what this stage forbids.
    """

    def __init__(
        self,
        stage: Stage,
        modules: Mapping[str, str],
        open_session: Callable[[], Session],
        forbid: bool,
        replacements: Mapping[str, Replacement],
        exercises: Mapping[str, Sequence[str]],
    ) -> None:
        self._main = stage.module
        self._modules = dict(modules)
        self._forbidden = {check.id: stage.exercises[check.exercise].forbidden for check in stage.checks if forbid}
        self._open_session = open_session
        self._replacements = replacements
        self._exercises = exercises
        self._loading: dict[str, _LoadingSession] = {}
        self._calls: dict[str, list[ForbiddenCall]] = {}

    def open(self, check: str, following: str | None = None) -> Session:
        """Open a session with the submission loaded, guarded for the check's exercise.

        Args:
            check: the check that uses the session.
            following: the check after it, if any; its session begins to load.

        Raises:
            SubmissionError, WorkerDied: the submission does not load.
        """
        loading = self._loading.pop(check, None) or self._begin(check)
        if isinstance(loading.opened, Worker):
            if following is not None and following not in self._loading:
                # An error here belongs to the following check: it occurs again, and is reported, when that is run.
                with contextlib.suppress(Exception):
                    self._loading[following] = self._begin(following)
            try:
                loading.opened.settle()
            except BaseException:
                close(loading.session)
                raise
        return loading.session

    def close(self) -> None:
        """End the sessions that began to load and were not used."""
        while self._loading:
            close(self._loading.popitem()[1].opened)

    def _begin(self, check: str) -> "_LoadingSession":
        opened = self._open_session()
        forbidden = {name: FORBIDDABLE[name] for name in self._forbidden.get(check, ())}
        session = _GuardedSession(opened, self._calls.setdefault(check, [])) if forbidden else opened
        load = opened.post if isinstance(opened, Worker) else opened.request
        try:
            more = self._replacing(check) | ({"exercises": dict(self._exercises)} if forbidden else {})
            load("load", modules=self._modules, main=self._main, forbidden=forbidden, **more)
        except BaseException:
            close(session)
            raise
        return _LoadingSession(session, opened)

    def _replacing(self, check: str) -> dict[str, Any]:
        replacement = self._replacements.get(check)
        return {"replace": replacement.names, "replacement": replacement.source} if replacement else {}

    def ending(self, check: str, source: SourceMap) -> Ending | None:
        """Return the ending of a check that made a forbidden call, whatever its result; None for any other check.

        The report of calls is untrusted: a call counts only if the check's exercise forbids it.
        """
        for call in self._calls.get(check, ()):
            if call.name in self._forbidden[check]:
                what = f"`{short_name(call.name)}` may not be used in this exercise: write it yourself"
                return Ending(Outcome.FAILED, what, source.of_frames([call.frame]), forbidden=call.name)
        return None


@dataclass(frozen=True)
class _LoadingSession:
    """A check's session, and the session it wraps: a worker that is loading, or a session that has loaded."""

    session: Session
    opened: Session


class _GuardedSession:
    """A session that hands over its refused calls when it ends."""

    def __init__(self, session: Session, calls: list[ForbiddenCall]) -> None:
        self._session = session
        self._calls = calls

    def request(self, op: str, **arguments: Any) -> Any:
        return self._session.request(op, **arguments)

    def kill(self) -> None:
        close(self._session)
        self._calls += [
            ForbiddenCall(name, TracebackFrame(file, line, function))
            for name, file, line, function in getattr(self._session, "refusals", ())
        ]
