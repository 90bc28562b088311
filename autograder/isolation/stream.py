"""The judge's end of a worker's socket and output, read and written with deadlines."""

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
# Lower limit of one poll, so that a sleeping worker with little CPU time left does not keep the judge busy.
_SHORTEST_WAIT = 0.01
# The polling interval for a worker that is past its wall-clock limit and awake.
_RECHECK_SECONDS = 0.1


class StreamClosed(Exception):
    """The worker's end of the socket is closed."""


class DeadlinePassed(Exception):
    """The worker used up its time."""


class OutputFlood(Exception):
    """The worker printed more than the limit."""


@dataclass(frozen=True)
class Deadline:
    """When to stop waiting: at a reading of the worker's CPU clock or of the wall clock.

    The wall-clock limit is for workers that sleep. Time that a worker waits for a processor is added to it. A worker
    that is awake at the limit, or waits for the disk, may continue until ``last``.
    """

    cpu: float
    wall: float
    cpu_clock: Callable[[], float]
    starved: Callable[[], float] = lambda: 0.0
    asleep: Callable[[], bool] = lambda: True
    last: float = math.inf

    def left(self) -> float:
        """Seconds until the deadline can be due at the earliest; 0 if it is due.

        A worker runs one thread, so its CPU clock is not faster than the wall clock and need not be polled.
        """
        now = time.monotonic()
        cpu, wall = self.cpu - self.cpu_clock(), self.wall - now
        if wall <= 0:
            wall += self.starved()
        if wall <= 0 and now < self.last and not self.asleep():
            wall = _RECHECK_SECONDS
        return max(0.0, min(cpu, wall))


class WorkerStream:
    """Bytes to and from one worker. Its printed output is drained and counted, and the beginning is kept.

    Args:
        channel: The socket; owned.
        output: The reading end of the worker's output pipe; owned.
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
        """Send the whole piece."""
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
        """Whether bytes arrived beyond those that were read."""
        return len(self._ahead) > 0

    @property
    def printed(self) -> str:
        """The beginning of the worker's printed output."""
        return self._kept.decode(errors="replace")

    def drain(self) -> None:
        """Read the output that the worker has printed so far.

        Raises:
            OutputFlood: The worker printed more than the limit.
        """
        try:
            while part := os.read(self._output, _READ_AHEAD):
                self._printed += len(part)
                self._kept += part[: _KEPT_OUTPUT - len(self._kept)]
                if self._printed > _MOST_OUTPUT:
                    raise OutputFlood
        except BlockingIOError:
            return
        if self._output_open:  # stop polling: a closed pipe is always ready
            self._output_open = False
            for poll in self._polls.values():
                poll.unregister(self._output)

    def close(self) -> None:
        """Close the socket and the pipe."""
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
        """Wait until the socket is ready."""
        while True:
            left = deadline.left()
            milliseconds = 1000 * max(left, _SHORTEST_WAIT)
            ready = {descriptor for descriptor, _ in self._polls[event].poll(milliseconds)}
            if self._output in ready:
                self.drain()
            if self._channel.fileno() in ready:
                return  # even past the deadline: the judge itself may have waited for a processor
            if left <= 0:
                raise DeadlinePassed
