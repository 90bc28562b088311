"""``lab watch``: checks the exercise again whenever you save, and moves on when you say so.

A process waits with the large libraries imported, so that an answer takes well under a second. It is
used once: the next one is started while you read the answer. So nothing that an earlier version of
your code left behind can change a result.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from watchfiles import Change, watch

from lab.checking import check
from lab.course import Course, Exercise, LabError
from lab.hints import next_hint
from lab.progress import Progress, next_exercise
from lab.session import Session
from lab.show_checks import show_checks
from lab.show_status import show_status

_LOOK_EVERY = 150  # milliseconds: how soon a key is seen
_SETTLE = 80  # milliseconds: editors save in several steps
_KEYS = "Enter check · n next · h hint · s status · q quit"


class Watcher:
    """Watches one exercise at a time."""

    def __init__(self, console: Console, course: Course, exercise: Exercise, limit: float) -> None:
        """Start with an exercise; ``limit`` is the longest time for one test, in seconds."""
        self.console = console
        self.course = course
        self.exercise = exercise
        self.limit = limit
        self.progress = Progress.load(course.root)
        self.spare = Session(course.root, warm=True)
        self.running = True
        self.commands: dict[str, Callable[[], None]] = {
            "": self.check,
            "c": self.check,
            "n": self.move_on,
            "h": self.hint,
            "s": self.status,
            "q": self.quit,
        }

    def run(self) -> None:
        """Check, then wait for saves and keys until told to stop."""
        try:
            keys = _keys()
            coming = self._changes()
            next(coming)  # from here on no save is missed, not even during the first check
            self.check()
            for changes in coming:
                self._press(keys)
                if not self.running:
                    return
                if any(Path(path).suffix == ".py" for _, path in changes):
                    self.check()
        finally:
            self.spare.close()

    def _changes(self) -> Iterator[set[tuple[Change, str]]]:
        """Changes in the stages' folders; an empty set when there were none for a while."""
        folders = [self.course.root / stage.id for stage in self.course.stages]
        return watch(
            *(folder for folder in folders if folder.is_dir()),
            debounce=_SETTLE,
            step=_SETTLE // 2,
            rust_timeout=_LOOK_EVERY,
            yield_on_timeout=True,
        )

    def _press(self, keys: "queue.SimpleQueue[str]") -> None:
        while self.running and not keys.empty():
            key = keys.get().strip().lower()
            command = self.commands.get(key)
            if command is None:
                self.console.print(f"`{escape(key)}` is no command here. {_KEYS}", style="quiet")
            else:
                command()

    def check(self) -> None:
        """Run the exercise's public tests with the process that waits, then start the next one."""
        self.console.rule(f"{self.exercise.stage} · {self.exercise.name}", style="quiet")
        passed = False
        try:
            checked = check(self.course, [self.exercise], self.progress, session=self.spare, limit=self.limit)
            show_checks(self.console, self.course, checked)
            passed = checked[0].passed
        except LabError as error:
            self.console.print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
        finally:
            self.spare.close()
            self.spare = Session(self.course.root, warm=True)
        if passed:
            self.console.print("[good]All its public tests pass.[/] Polish it if you like; n and Enter moves on.")
        self.console.print(_KEYS, style="quiet")

    def move_on(self) -> None:
        """Go to the next exercise that is not done."""
        upcoming = next_exercise(self.course, self.progress)
        if upcoming is None:
            self.console.print("Everything passes its public tests. Hand in: [name]lab submit[/]")
        elif upcoming == self.exercise:
            self.console.print(f"{self.exercise.name} is the next one: it does not pass yet. h gives a hint.")
        else:
            self.exercise = upcoming
            self.check()

    def hint(self) -> None:
        """Give the next hint."""
        for line in next_hint(self.exercise, self.progress):
            self.console.print(line)
        self.progress.save(self.course.root)

    def status(self) -> None:
        """Show the map."""
        show_status(self.console, self.course, self.progress, everything=False)

    def quit(self) -> None:
        """Stop watching."""
        self.running = False


def _keys() -> "queue.SimpleQueue[str]":
    """Lines typed on standard input, as they come. Whole lines: no terminal needs to be put into another mode.

    The descriptor is read and not ``sys.stdin``: a thread that waits in there would stop Python from ending.
    """
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        typed = b""
        while piece := os.read(sys.stdin.fileno(), 1024):
            *whole, typed = (typed + piece).split(b"\n")
            for line in whole:
                lines.put(line.decode(errors="replace"))

    threading.Thread(target=read, daemon=True).start()
    return lines
