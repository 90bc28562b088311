"""Ctrl-C as a request, not as an accident."""

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """While it is open, the first Ctrl-C (or a request to end) is remembered; a second one stops at once.

    Attributes:
        asked: whether somebody asked to stop.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False

    def __enter__(self) -> Self:
        """Listen."""
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave signals to who had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
