"""Sessions that record their exchanges, kept for the diagnosis of a failure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.proxy import Session

MOST_EXCHANGES = 400
MOST_BYTES = 128 << 20


class SessionFault(Exception):
    """A session could not be opened or used, and the submission did not cause it."""


@dataclass(frozen=True)
class Exchange:
    """One request and its reply, or the error that it raised as ``(class name, text)``."""

    op: str
    arguments: dict[str, Any]
    reply: Any = None
    error: tuple[str, str] | None = None


class CheckedSession:
    """A session of a check, in which a failure of the operating system is not an error of the submission."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def request(self, op: str, **arguments: Any) -> Any:
        """Pass the request on.

        Raises:
            SubmissionError, WorkerDied: as the session does.
            SessionFault: the operating system failed.
        """
        try:
            return self._session.request(op, **arguments)
        except SubmissionError:  # it may be an OSError of the student's code
            raise
        except OSError as error:
            raise SessionFault(f"the session failed: {error}") from error


class RecordingSession:
    """A session that keeps copies of its exchanges, as they were at the time.

    A check with more exchanges than the limits allow is too long to replay against every mistake: its
    failure gets no named mistake.

    Attributes:
        exchanges: the exchanges so far, oldest first; empty once a limit was passed.
        complete: whether every exchange was kept.
    """

    def __init__(self, session: Session, most: int = MOST_EXCHANGES, most_bytes: int = MOST_BYTES) -> None:
        self._session = session
        self._most = most
        self._most_bytes = self._bytes_left = most_bytes
        self.exchanges: list[Exchange] = []
        self.complete = True

    def restart(self) -> None:
        """Forget the exchanges so far: another example begins."""
        self.exchanges.clear()
        self.complete = True
        self._bytes_left = self._most_bytes

    def request(self, op: str, **arguments: Any) -> Any:
        """Pass the request on, and record the exchange.

        Raises:
            SubmissionError, WorkerDied: as the session does.
        """
        # The check may change a tensor in place later, so the arguments are copied now.
        sent = self._copy(arguments)
        try:
            reply = self._session.request(op, **arguments)
        except SubmissionError as error:
            self._keep(Exchange(op, sent, error=(error.type_name, error.message)))
            raise
        except WorkerDied:
            self._give_up()
            raise
        self._keep(Exchange(op, sent, self._copy(reply)))
        return reply

    def _keep(self, exchange: Exchange) -> None:
        if self.complete:
            self.exchanges.append(exchange)
        if len(self.exchanges) > self._most or self._bytes_left < 0:
            self._give_up()

    def _give_up(self) -> None:
        self.complete = False
        self.exchanges.clear()

    def _copy(self, value: Any) -> Any:
        """Copy the value with its tensors and arrays; None once a limit was passed."""
        if not self.complete:
            return None
        self._bytes_left -= sum(array.nbytes for array in _arrays_in(value))
        return copied(value) if self._bytes_left >= 0 else None


class TooLarge(Exception):
    """Replies exceed the limit on memory."""


def limited(replies: Iterable[Any], most_bytes: int = MOST_BYTES) -> Iterator[Any]:
    """Yield replies.

    Raises:
        TooLarge: they have more bytes together than the judge keeps.
    """
    for reply in replies:
        most_bytes -= sum(array.nbytes for array in _arrays_in(reply))
        if most_bytes < 0:
            raise TooLarge
        yield reply


def close(session: Session) -> None:
    """End a session that has something to end: a worker, or a session that changed this process."""
    kill = getattr(session, "kill", None)
    if kill is not None:
        kill()


def give_back(session: Session) -> None:
    """End the use of a session, which may serve another check if it can be renewed."""
    give_back = getattr(session, "give_back", None)
    if give_back is not None:
        give_back()
    else:
        close(session)


def copied(value: Any) -> Any:
    """Copy the value with each tensor, array and generator in it, at any depth."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (list, tuple)):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return value


def _arrays_in(value: Any) -> Iterator[Any]:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays_in(item)
    elif isinstance(value, dict):
        yield from _arrays_in(list(value.values()))
