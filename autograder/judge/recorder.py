"""What was asked of a session and what it answered, kept for the diagnosis of a failure."""

from dataclasses import dataclass
from typing import Any, Protocol

from autograder.isolation.errors import SubmissionError


class Session(Protocol):
    """Anything that runs a submission's code on request: a worker, or trusted code in this process."""

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value."""


@dataclass(frozen=True)
class Exchange:
    """One request and its reply, or the name of the error that it raised."""

    op: str
    arguments: dict[str, Any]
    reply: Any = None
    error: str | None = None


class Recorder:
    """A session that keeps its exchanges, up to ``most`` of them.

    A check that asks for more is too long to replay against every mistake: ``complete`` turns
    False and its failure goes unnamed.
    """

    def __init__(self, session: Session, most: int = 400) -> None:
        self._session = session
        self._most = most
        self.exchanges: list[Exchange] = []
        self.complete = True

    def request(self, op: str, **arguments: Any) -> Any:
        """Pass the request on, and keep what comes back."""
        try:
            reply = self._session.request(op, **arguments)
        except SubmissionError as error:
            self._keep(Exchange(op, arguments, error=error.type_name))
            raise
        self._keep(Exchange(op, arguments, reply))
        return reply

    def _keep(self, exchange: Exchange) -> None:
        if len(self.exchanges) < self._most:
            self.exchanges.append(exchange)
        else:
            self.complete = False
