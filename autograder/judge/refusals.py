"""Sessions in which a check's exercise forbids something, and what was refused in them."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from autograder.base.results import Outcome
from autograder.course.config import Stage
from autograder.course.forbidden import FORBIDDABLE, short_name
from autograder.isolation.errors import SubmissionError, TracebackFrame, WorkerDied
from autograder.isolation.worker import Worker
from autograder.judge.outcomes import Ending, SourceMap
from autograder.judge.recorder import Session, close

HINT = "build it from simpler operations: what that function does inside is what the exercise is about"


@dataclass(frozen=True)
class Refusal:
    """A forbidden call, as the process of the submission tells it."""

    name: str
    frame: TracebackFrame


class Refusals:
    """Opens sessions under the rules of each check, and keeps what was refused.

    A worker for the check to come begins to load when its predecessor starts: where a core is free, it
    is there when it is wanted. Sessions in this process are opened one by one: what is forbidden in one
    is forbidden in the whole process.

    Args:
        stage: the stage, with what each exercise forbids.
        modules: the submission's source texts by module name.
        open_session: opens a fresh session with nothing loaded.
        forbid: whether to refuse anything at all.
    """

    def __init__(
        self, stage: Stage, modules: Mapping[str, str], open_session: Callable[[], Session], forbid: bool
    ) -> None:
        self._main = stage.module
        self._modules = dict(modules)
        self._forbidden = {check.id: stage.exercises[check.exercise].forbid for check in stage.checks if forbid}
        self._open_session = open_session
        self._begun: dict[str, _Begun] = {}
        self._found: dict[str, list[Refusal]] = {}

    def open(self, check: str, following: str | None = None) -> Session:
        """A session with the submission loaded, in which whatever the check's exercise forbids is refused.

        Args:
            check: whose session it is.
            following: the check that comes after it, if any; its session is begun.

        Raises:
            SubmissionError, WorkerDied: it does not load.
        """
        begun = self._begun.pop(check, None) or self._begin(check)
        if isinstance(begun.opened, Worker):
            if following is not None and following not in self._begun:
                # Whatever goes wrong is that check's affair: it is met again, and told, when its turn has come.
                with contextlib.suppress(Exception):
                    self._begun[following] = self._begin(following)
            try:
                begun.opened.settle()
            except BaseException:
                close(begun.session)
                raise
        return begun.session

    def close(self) -> None:
        """End the sessions that were begun and not wanted."""
        while self._begun:
            close(self._begun.popitem()[1].opened)

    def _begin(self, check: str) -> "_Begun":
        opened = self._open_session()
        forbidden = {name: FORBIDDABLE[name] for name in self._forbidden.get(check, ())}
        session = _Watched(opened, self._found.setdefault(check, [])) if forbidden else opened
        load = opened.post if isinstance(opened, Worker) else opened.request
        try:
            load("load", modules=self._modules, main=self._main, forbidden=forbidden)
        except BaseException:
            close(session)
            raise
        return _Begun(session, opened)

    def ending(self, check: str, source: SourceMap) -> Ending | None:
        """How a check ended in which something was refused, whatever else came of it; None where nothing was.

        The submission could make things up: what the exercise does not forbid is not believed.
        """
        for refusal in self._found.get(check, ()):
            if refusal.name in self._forbidden[check]:
                what = f"`{short_name(refusal.name)}` may not be used in this exercise: write it yourself"
                return Ending(Outcome.FAILED, what, source.of_frames([refusal.frame]), forbidden=refusal.name)
        return None


@dataclass(frozen=True)
class _Begun:
    """A session for a check, and the one it is made of: that has loaded the submission, or is a worker at it."""

    session: Session
    opened: Session


class _Watched:
    """A session that is asked for what was refused in it before it ends."""

    def __init__(self, session: Session, found: list[Refusal]) -> None:
        self._session = session
        self._found = found

    def request(self, op: str, **arguments: Any) -> Any:
        return self._session.request(op, **arguments)

    def kill(self) -> None:
        try:
            told = msgspec.convert(self._session.request("refusals"), list[tuple[str, str, int, str]])
        except (SubmissionError, WorkerDied, msgspec.ValidationError):
            told = []  # a process that is gone, or talks nonsense, has failed the check by that
        finally:
            close(self._session)
        self._found += [Refusal(name, TracebackFrame(file, line, function)) for name, file, line, function in told]
