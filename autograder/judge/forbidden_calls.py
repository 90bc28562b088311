"""Sessions guarded against forbidden calls, and the calls that were refused in them."""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.base.results import Outcome
from autograder.course.config import Stage
from autograder.course.forbidden import FORBIDDABLE, short_name
from autograder.isolation.errors import TracebackFrame, WorkerDied
from autograder.isolation.proxy import Session
from autograder.isolation.replacement import Replacement
from autograder.isolation.worker import Worker
from autograder.judge.outcomes import Ending
from autograder.judge.sessions import close
from autograder.judge.source_map import SourceMap

HINT = "build it from simpler operations: the exercise is to write what that function does"


# What the workers of two checks must have in common: the forbidden functions, and the exercises that are replaced.
_Rules = tuple[frozenset[str], tuple[str, ...] | None]


@dataclass(frozen=True)
class ForbiddenCall:
    """A forbidden call, as the process of the submission reports it."""

    name: str
    frame: TracebackFrame


class GuardedSessions:
    """Opens sessions that refuse what each check's exercise forbids, and collects the refused calls.

    A check that passes gives its worker back. If the submission keeps state in its own objects only, and these hold
    what they held when they were loaded, the worker serves the next check under the same rules, see ``Worker.renewed``.
    Every other check has a worker of its own. It begins to load when the check before it starts: where a core is
    free, it is ready in time.

    Sessions in this process are opened one by one, because a call forbidden in one of them is forbidden in the whole
    process.

    Args:
        stage: the stage, with the calls that its exercises forbid.
        modules: the submission's source texts by module name.
        open_session: opens a fresh session with nothing loaded.
        forbid: whether to refuse forbidden calls at all.
        replacements: check → the course's definitions that replace the submission's.
        exercises: earlier module → its exercises, which may call what this stage forbids.
        self_contained: whether the submission keeps state in its own objects only, as its text says.
        code: module name → its code, compiled by a worker that has not run it.
    """

    def __init__(
        self,
        stage: Stage,
        modules: Mapping[str, str],
        open_session: Callable[[], Session],
        forbid: bool,
        replacements: Mapping[str, Replacement],
        exercises: Mapping[str, Sequence[str]],
        self_contained: bool = False,
        code: Mapping[str, bytes] = {},
    ) -> None:
        self._code = dict(code)
        self._main = stage.module
        self._modules = dict(modules)
        self._forbidden = {check.id: stage.exercises[check.exercise].forbidden for check in stage.checks if forbid}
        self._open_session = open_session
        self._replacements = replacements
        self._exercises = exercises
        # What is evaluated for a whole class runs in workers of its own.
        self._alone = frozenset(stage.attached_checks) if self_contained else frozenset(stage.check_ids)
        self._loading: dict[str, _LoadingSession] = {}
        self._given_back: dict[_Rules, Worker] = {}
        self._calls: dict[str, list[ForbiddenCall]] = {}

    def open(self, check: str, following: str | None = None) -> Session:
        """Open a session with the submission loaded, guarded for the check's exercise.

        Args:
            check: the check that uses the session.
            following: the check after it, if any; its session begins to load unless it can use the session of this one.

        Raises:
            SubmissionError, WorkerDied: the submission does not load.
        """
        if (worker := self._renewed(check)) is not None:
            return self._session(check, worker)
        loading = self._loading.pop(check, None) or self._begin(check)
        if isinstance(loading.opened, Worker):
            if following is not None and following not in self._loading and not self._shares(check, following):
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
        """End the sessions that began to load and were not used, and those that were given back."""
        while self._loading:
            close(self._loading.popitem()[1].opened)
        while self._given_back:
            close(self._given_back.popitem()[1])

    def _rules(self, check: str) -> "_Rules":
        replacement = self._replacements.get(check)
        return frozenset(self._forbidden.get(check, ())), replacement.names if replacement else None

    def _shares(self, check: str, following: str) -> bool:
        """Whether the following check can use the worker of this check, or one that another check gave back."""
        rules = self._rules(following)
        return following not in self._alone and (rules == self._rules(check) or rules in self._given_back)

    def _renewed(self, check: str) -> Worker | None:
        """A worker that another check under the same rules gave back, if it is as good as a fresh one."""
        worker = self._given_back.pop(self._rules(check), None) if check not in self._alone else None
        if worker is not None and not worker.renewed():
            close(worker)
            return None
        return worker

    def _give_back(self, check: str, worker: Worker) -> None:
        rules = self._rules(check)
        if check in self._alone or rules in self._given_back:
            close(worker)
            return
        try:
            worker.renew()
        except WorkerDied:
            close(worker)
        else:
            self._given_back[rules] = worker

    def _session(self, check: str, opened: Session) -> "_GuardedSession":
        return _GuardedSession(opened, self._calls.setdefault(check, []), functools.partial(self._give_back, check))

    def _begin(self, check: str) -> "_LoadingSession":
        opened = self._open_session()
        forbidden = {name: FORBIDDABLE[name] for name in self._forbidden.get(check, ())}
        session = self._session(check, opened)
        load = opened.post if isinstance(opened, Worker) else opened.request
        options = {"forbidden": forbidden, "renewable": check not in self._alone, **self._replacing(check)}
        options |= {"code": self._code} if isinstance(opened, Worker) else {}
        options |= {"exercises": dict(self._exercises)} if forbidden else {}
        try:
            load("load", modules=self._modules, main=self._main, **options)
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
    """A session that hands over its refused calls when it ends, and its worker if that can be used again."""

    def __init__(self, session: Session, calls: list[ForbiddenCall], give_back: Callable[[Worker], None]) -> None:
        self._session = session
        self._calls = calls
        self._give_back = give_back

    def request(self, op: str, **arguments: Any) -> Any:
        return self._session.request(op, **arguments)

    def kill(self) -> None:
        close(self._session)
        self._calls += [
            ForbiddenCall(name, TracebackFrame(file, line, function))
            for name, file, line, function in getattr(self._session, "refusals", ())
        ]

    def give_back(self) -> None:
        if isinstance(self._session, Worker) and not self._session.refusals:
            self._give_back(self._session)
        else:
            self.kill()
