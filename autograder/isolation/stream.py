"""The judge's end of a worker's socket and output, read and written against deadlines."""

import math
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

_Received = TypeVar("_Received", bytes, int)

_READ_AHEAD = 1 << 16
_KEPT_OUTPUT = 64 << 10
_MOST_OUTPUT = 64 << 20
# A worker that sleeps with little CPU time left must not keep the judge busy.
_SHORTEST_WAIT = 0.01
# One that is past the wall and awake is looked at again after this long.
_LOOK_AGAIN = 0.1


class StreamClosed(Exception):
    """The worker's end of the socket is closed."""


class DeadlinePassed(Exception):
    """The worker used up its time."""


class OutputFlood(Exception):
    """The worker printed more than anyone would read."""


@dataclass(frozen=True)
class Deadline:
    """When to stop waiting: at a reading of the worker's CPU clock, or of the clock on the wall.

    The wall is for workers that sleep. One that waits for a processor on a busy machine gets that time back, and
    one that is found awake at the wall, or waiting for the disk, may go on until ``last``.
    """

    cpu: float
    wall: float
    cpu_clock: Callable[[], float]
    starved: Callable[[], float] = lambda: 0.0
    asleep: Callable[[], bool] = lambda: True
    last: float = math.inf

    def left(self) -> float:
        """Seconds that may pass before it can be due; 0 when it is.

        A worker runs one thread, so its CPU clock is no faster than ours and need not be polled.
        """
        now = time.monotonic()
        cpu, wall = self.cpu - self.cpu_clock(), self.wall - now
        if wall <= 0:
            wall += self.starved()
        if wall <= 0 and now < self.last and not self.asleep():
            wall = _LOOK_AGAIN
        return max(0.0, min(cpu, wall))


class WorkerStream:
    """Bytes to and from one worker. What it prints is drained, counted, and its beginning kept.

    Args:
        channel: the socket; owned.
        output: the reading end of its output pipe; owned.
    """

    def __init__(self, channel: socket.socket, output: int) -> None:
        self._channel = channel
        self._output = output
        self._ahead = memoryview(b"")
        self._printed = 0
        self._kept = bytearray()
        self._output_open = True
        channel.setblocking(False)
        os.set_blocking(output, False)
        self._polls = {event: select.poll() for event in (select.POLLIN, select.POLLOUT)}
        for event, poll in self._polls.items():
            poll.register(channel, event)
            poll.register(output, select.POLLIN)

    def write(self, piece: bytes | memoryview, deadline: Deadline) -> None:
        """Send all of it."""
        rest = memoryview(piece).cast("B")
        while rest:
            try:
                rest = rest[self._channel.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except ConnectionError:
                raise StreamClosed from None

    def read(self, view: memoryview, deadline: Deadline) -> None:
        """Fill the view."""
        while view:
            if not self._ahead and len(view) >= _READ_AHEAD:
                count = self._receive(partial(self._channel.recv_into, view), deadline)
            else:
                if not self._ahead:
                    self._ahead = memoryview(self._receive(partial(self._channel.recv, _READ_AHEAD), deadline))
                count = min(len(view), len(self._ahead))
                view[:count] = self._ahead[:count]
                self._ahead = self._ahead[count:]
            if count == 0:
                raise StreamClosed
            view = view[count:]

    @property
    def leftover(self) -> bool:
        """Whether more arrived than was asked for."""
        return len(self._ahead) > 0

    @property
    def printed(self) -> str:
        """The beginning of what the worker printed."""
        return self._kept.decode(errors="replace")

    def drain(self) -> None:
        """Take what the worker printed so far.

        Raises:
            OutputFlood: it is too much.
        """
        try:
            while part := os.read(self._output, _READ_AHEAD):
                self._printed += len(part)
                self._kept += part[: _KEPT_OUTPUT - len(self._kept)]
                if self._printed > _MOST_OUTPUT:
                    raise OutputFlood
        except BlockingIOError:
            return
        if self._output_open:  # no longer: it would be ready for ever
            self._output_open = False
            for poll in self._polls.values():
                poll.unregister(self._output)

    def close(self) -> None:
        """Close both."""
        self._channel.close()
        os.close(self._output)

    def _receive(self, receive: Callable[[], _Received], deadline: Deadline) -> _Received:
        while True:
            try:
                return receive()
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)
            except ConnectionError:
                raise StreamClosed from None

    def _wait(self, event: int, deadline: Deadline) -> None:
        """Until the socket is ready."""
        while True:
            left = deadline.left()
            milliseconds = 1000 * max(left, _SHORTEST_WAIT)
            ready = {descriptor for descriptor, _ in self._polls[event].poll(milliseconds)}
            if self._output in ready:
                self.drain()
            if self._channel.fileno() in ready:
                return  # also past the deadline: it was the judge that had no processor
            if left <= 0:
                raise DeadlinePassed
