"""What was asked of a session and what it answered, kept for the diagnosis of a failure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from autograder.isolation.errors import SubmissionError, WorkerDied

MOST_EXCHANGES = 400
MOST_BYTES = 128 << 20


class Session(Protocol):
    """Anything that runs a submission's code on request: a worker, or trusted code in this process."""

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value."""


class SessionFault(Exception):
    """A session could not be opened or used, and the submission had no part in it."""


@dataclass(frozen=True)
class Exchange:
    """One request and its reply, or the error that it raised as ``(class name, text)``."""

    op: str
    arguments: dict[str, Any]
    reply: Any = None
    error: tuple[str, str] | None = None


class Recorder:
    """A session that keeps its exchanges, as they were at the time.

    A check that asks for more than can be kept is too long to replay against every mistake:
    ``complete`` turns False and its failure goes unnamed.
    """

    def __init__(self, session: Session, most: int = MOST_EXCHANGES, most_bytes: int = MOST_BYTES) -> None:
        self._session = session
        self._most = most
        self._bytes_left = most_bytes
        self.exchanges: list[Exchange] = []
        self.complete = True

    def request(self, op: str, **arguments: Any) -> Any:
        """Pass the request on, and keep what comes back.

        Raises:
            SubmissionError, WorkerDied: as the session does.
            SessionFault: the operating system, not the submission, stood in the way.
        """
        # The check may go on to change a tensor in place, so what travels is copied now.
        asked = self._copy(arguments)
        try:
            reply = self._session.request(op, **arguments)
        except SubmissionError as error:
            self._keep(Exchange(op, asked, error=(error.type_name, error.message)))
            raise
        except WorkerDied:
            self._give_up()
            raise
        except OSError as error:
            raise SessionFault(f"the session failed: {error}") from error
        self._keep(Exchange(op, asked, self._copy(reply)))
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
        """The value with its tensors and arrays copied, once no more than can be kept."""
        if not self.complete:
            return None
        self._bytes_left -= sum(array.nbytes for array in _arrays_in(value))
        return copied(value) if self._bytes_left >= 0 else None


def close(session: Session) -> None:
    """End a session that has something to end: a worker, or one that changed this process."""
    kill = getattr(session, "kill", None)
    if kill is not None:
        kill()


def copied(value: Any) -> Any:
    """The value with each tensor, array and generator replaced by a copy, at any depth."""
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
