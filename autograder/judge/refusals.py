"""Sessions in which a check's exercise forbids something, and what was refused in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from autograder.config import Stage
from autograder.forbidden import FORBIDDABLE, short_name
from autograder.isolation.errors import Frame, SubmissionError, WorkerDied
from autograder.judge.outcomes import Ending, SourceMap
from autograder.judge.recorder import Session, close
from autograder.results import Outcome

HINT = "build it from simpler operations: what that function does inside is what the exercise is about"


@dataclass(frozen=True)
class Refusal:
    """A forbidden call, as the process of the submission tells it."""

    name: str
    frame: Frame


class Refusals:
    """Opens sessions under the rules of each check, and keeps what was refused.

    Args:
        stage: the stage, with what each exercise forbids.
        open_session: opens a fresh session with nothing loaded.
        forbid: whether to refuse anything at all.
    """

    def __init__(self, stage: Stage, open_session: Callable[[], Session], forbid: bool) -> None:
        self._main = stage.module
        self._forbidden = {check: exercise.forbid for check, (_, exercise) in stage.checks.items() if forbid}
        self._open_session = open_session
        self._found: dict[str, list[Refusal]] = {}

    def open(self, check: str, modules: Mapping[str, str]) -> Session:
        """A session with the submission loaded, in which whatever the check's exercise forbids is refused.

        Raises:
            SubmissionError, WorkerDied: it does not load.
        """
        forbidden = {name: FORBIDDABLE[name] for name in self._forbidden.get(check, ())}
        found = self._found.setdefault(check, [])
        session = _Watched(self._open_session(), found) if forbidden else self._open_session()
        try:
            session.request("load", modules=dict(modules), main=self._main, forbidden=forbidden)
        except BaseException:
            close(session)
            raise
        return session

    def ending(self, check: str, source: SourceMap) -> Ending | None:
        """How a check ended in which something was refused, whatever else came of it; None where nothing was.

        The submission could make things up: what the exercise does not forbid is not believed.
        """
        for refusal in self._found.get(check, ()):
            if refusal.name in self._forbidden[check]:
                what = f"`{short_name(refusal.name)}` may not be used in this exercise: write it yourself"
                return Ending(Outcome.FAILED, what, source.of_frames([refusal.frame]), forbidden=refusal.name)
        return None


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
        self._found += [Refusal(name, Frame(file, line, function)) for name, file, line, function in told]
