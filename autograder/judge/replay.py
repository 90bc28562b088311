"""Transcripts: what a check requests of the reference, replayed on other modules to compare their replies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.isolation.errors import DeathReason, SubmissionError, WorkerDied
from autograder.isolation.proxy import Session
from autograder.isolation.wire import Handle, Reference
from autograder.judge.replies import Raised
from autograder.judge.sessions import Exchange, copied

_NO_SUCH_OBJECT = Raised("no such object")
_NO_GRAPH = Raised("no such graph")


@dataclass(frozen=True)
class Transcript:
    """The exchanges of a check with the reference in one session.

    Attributes:
        exchanges: oldest first.
        replies: what each exchange gave, comparable with the replies of another module.
    """

    exchanges: Sequence[Exchange]
    replies: Sequence[Any]

    @classmethod
    def of(cls, exchanges: Sequence[Exchange]) -> "Transcript":
        """Take the replies out of the exchanges."""
        return cls(exchanges, [comparable(exchange) for exchange in exchanges])

    def replayed(self, session: Session) -> Iterator[Any]:
        """Send the requests to another session in which a module is loaded, and yield each reply.

        Numbers of objects and graphs are translated: another structure may create more of them.

        Raises:
            WorkerDied: the worker ended.
        """
        numbers = _Numbers()
        for exchange in self.exchanges:
            arguments = numbers.translated(exchange.arguments)
            if arguments is None:
                yield _NO_SUCH_OBJECT
            elif arguments.get("graph", 1) == 0:
                yield _NO_GRAPH
            else:
                given = _answer(session, exchange.op, arguments)
                numbers.learn(exchange, given)
                yield comparable(given)


def comparable(exchange: Exchange) -> Any:
    """The reply, or its error; of a call, whether a graph was kept in place of the graph's number."""
    if exchange.error is not None:
        return Raised(exchange.error[0])
    if exchange.op == "call":
        value, graph, flags = exchange.reply
        return [value, bool(graph), flags]
    return exchange.reply


def _answer(session: Session, op: str, arguments: Mapping[str, Any]) -> Exchange:
    try:
        reply = session.request(op, **arguments)
    except SubmissionError as error:
        return Exchange(op, {}, error=(error.type_name, error.message))
    if op == "call" and not (isinstance(reply, tuple) and len(reply) == 3):
        return Exchange(op, {}, error=("no result", ""))
    return Exchange(op, {}, reply)


class _Numbers:
    """The numbers of objects and graphs in another session, by their numbers in the transcript."""

    def __init__(self) -> None:
        self._objects: dict[int, int] = {}
        self._graphs: dict[int, int] = {}

    def learn(self, exchange: Exchange, given: Exchange) -> None:
        """Note the numbers in a reply to the same request."""
        if exchange.error is None and given.error is None:
            self._objects.update(_pairs(exchange.reply, given.reply))
            if exchange.op == "call":
                self._graphs[exchange.reply[1]] = given.reply[1]

    def translated(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments of a request for the other session; None if it lacks an object among them."""
        try:
            translated: dict[str, Any] = _changed(arguments, self._translate)
        except KeyError:
            return None
        if "graph" in arguments:
            translated["graph"] = self._graphs.get(arguments["graph"], 0)
        return translated

    def _translate(self, value: Any) -> Any:
        if isinstance(value, Handle):
            return Handle(self._objects[value.id], value.type)
        if isinstance(value, Reference) and value.owner:
            return Reference(value.path, self._objects[value.owner])
        return value


def _pairs(first: Any, second: Any) -> Iterator[tuple[int, int]]:
    """The numbers of the objects in the same positions of two replies."""
    if isinstance(first, Handle) and isinstance(second, Handle):
        yield first.id, second.id
    elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        for items in zip(first, second, strict=False):
            yield from _pairs(*items)
    elif isinstance(first, dict) and isinstance(second, dict):
        for key in first.keys() & second.keys():
            yield from _pairs(first[key], second[key])


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_changed(item, change) for item in value)
    if isinstance(value, Mapping):
        return {key: _changed(item, change) for key, item in value.items()}
    return change(copied(value))


class ChangedReplies:
    """A session that runs the reference and replaces some of its replies, to see whether a check notices.

    Args:
        session: a session in which the reference is loaded.
        transcript: the exchanges of the check with the unchanged reference.
        changed: the replies to replace, by the number of the exchange.
    """

    def __init__(self, session: Session, transcript: Transcript, changed: Mapping[int, Any]) -> None:
        self._session = session
        self._transcript = transcript
        self._changed = changed
        self._number = -1

    def request(self, op: str, **arguments: Any) -> Any:
        """Run the request on the reference; return the replaced reply, if there is one.

        Raises:
            SubmissionError: the reference raised, or the replaced reply is an error.
            WorkerDied: the check went another way than with the unchanged reference.
        """
        self._number += 1
        exchanges = self._transcript.exchanges
        if self._number >= len(exchanges) or exchanges[self._number].op != op:
            raise WorkerDied(DeathReason.PROTOCOL, "the check makes other requests")
        changed: Any = self._changed.get(self._number)
        try:
            reply = self._session.request(op, **arguments)
        except SubmissionError:
            if self._number not in self._changed or isinstance(changed, Raised):
                raise
            reply = None, 0, []
        if self._number not in self._changed:
            return reply
        if isinstance(changed, Raised):
            raise SubmissionError.of(changed.type_name, "")
        if op != "call":
            return changed
        value, has_graph, flags = changed
        return value, reply[1] if has_graph else 0, flags
