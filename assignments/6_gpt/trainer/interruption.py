"""Ctrl-C as a request to stop after the current step."""

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """Inside this context, the first SIGINT or SIGTERM is recorded as a request; the second stops at once.

    Attributes:
        requested: whether a stop was requested.
    """

    def __init__(self) -> None:
        """Start without a request."""
        self.requested = False

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
