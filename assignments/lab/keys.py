"""Keys that are pressed while a command works: single keys at a terminal, whole lines from a pipe."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import select
    import termios
    import tty

_ESCAPE = "\x1b"


class Keys:
    """Inside this context, a terminal passes each key on at once; Ctrl-C works as before."""

    def __init__(self) -> None:
        """Look for a terminal; without standard input there are no keys."""
        try:
            self._input: int | None = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):  # missing, closed, or not a file
            self._input = None
        self._is_terminal = self._input is not None and os.isatty(self._input)
        self._before: list[Any] | None = None
        self._typed = ""

    def __enter__(self) -> "Keys":
        """Let the terminal pass on single keys."""
        if sys.platform != "win32" and self._is_terminal and self._input is not None:
            self._before = termios.tcgetattr(self._input)
            tty.setcbreak(self._input)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the terminal."""
        if sys.platform != "win32" and self._before is not None and self._input is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    @contextmanager
    def released(self) -> Iterator[None]:
        """Restore the terminal for another program, such as an editor."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()

    def pressed(self) -> list[str]:
        """Return the keys since the last call; Enter is a line feed. Does not wait."""
        text = self._read()
        if self._is_terminal:
            return [] if text.startswith(_ESCAPE) else list(text.replace("\r", "\n"))  # an arrow is several characters
        *lines, self._typed = (self._typed + text).split("\n")
        return [line.strip()[:1] or "\n" for line in lines]

    def _read(self) -> str:
        if sys.platform == "win32":
            found = ""
            while self._is_terminal and msvcrt.kbhit():
                found += msvcrt.getwch()
            return found
        if self._input is None or not select.select([self._input], [], [], 0)[0]:
            return ""
        content = os.read(self._input, 1024)
        if not content:
            self._input = None  # the end of the input: there will be no more keys
        return content.decode(errors="replace")
