"""``lab watch``: checks the exercise again at every save, and moves on when you say so.

A process waits with the large libraries imported, so that an answer takes well under a second. Each process serves
one check, and the next process starts while you read the answer. So an earlier version of your code cannot change a
result.
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
from lab.course import CompanionError, Course, Exercise
from lab.hints import next_hint
from lab.progress import Progress, next_exercise
from lab.runner_process import RunnerProcess
from lab.show_checks import show_checks
from lab.show_status import show_status

_POLL_INTERVAL = 150  # milliseconds until a key is read
_SETTLE_TIME = 80  # milliseconds: editors save in several steps
_KEYS = "Enter check · n next · h hint · s status · q quit"


class Watcher:
    """Watches one exercise at a time."""

    def __init__(self, console: Console, course: Course, exercise: Exercise, limit: float) -> None:
        """Start with an exercise; ``limit`` is the time limit of one test, in seconds."""
        self.console = console
        self.course = course
        self.exercise = exercise
        self.limit = limit
        self.progress = Progress.load(course.root)
        self.waiting = RunnerProcess(course.root, warm=True)
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
        """Check, then wait for saves and keys until the student quits."""
        try:
            keys = _keys()
            saves = self._changes()
            next(saves)  # from here on no save is missed, not even during the first check
            self.check()
            for changes in saves:
                self._press(keys)
                if not self.running:
                    return
                if any(Path(path).suffix == ".py" for _, path in changes):
                    self.check()
        finally:
            self.waiting.close()

    def _changes(self) -> Iterator[set[tuple[Change, str]]]:
        """Yield changes in the stages' folders; an empty set after an interval without changes."""
        folders = [self.course.root / stage.id for stage in self.course.stages]
        return watch(
            *(folder for folder in folders if folder.is_dir()),
            debounce=_SETTLE_TIME,
            step=_SETTLE_TIME // 2,
            rust_timeout=_POLL_INTERVAL,
            yield_on_timeout=True,
        )

    def _press(self, keys: "queue.SimpleQueue[str]") -> None:
        while self.running and not keys.empty():
            key = keys.get().strip().lower()
            command = self.commands.get(key)
            if command is None:
                self.console.print(f"There is no command `{escape(key)}`. {_KEYS}", style="quiet")
            else:
                command()

    def check(self) -> None:
        """Run the exercise's public tests in the waiting process, then start the next process."""
        self.console.rule(f"{self.exercise.stage} · {self.exercise.name}", style="quiet")
        passed = False
        try:
            results = check(self.course, [self.exercise], self.progress, process=self.waiting, limit=self.limit)
            show_checks(self.console, self.course, results)
            passed = results[0].passed
        except CompanionError as error:
            self.console.print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
        finally:
            self.waiting.close()
            self.waiting = RunnerProcess(self.course.root, warm=True)
        if passed:
            self.console.print(
                "[good]All its public tests pass.[/] Polish it if you like; press n and Enter for the next exercise."
            )
        self.console.print(_KEYS, style="quiet")

    def move_on(self) -> None:
        """Go to the next exercise that is not done."""
        upcoming = next_exercise(self.course, self.progress)
        if upcoming is None:
            self.console.print("All public tests pass. Hand in: [name]lab submit[/]")
        elif upcoming == self.exercise:
            self.console.print(
                f"{self.exercise.name} is still the next exercise: it does not pass yet. h gives a hint."
            )
        else:
            self.exercise = upcoming
            self.check()

    def hint(self) -> None:
        """Show the next hint."""
        for line in next_hint(self.exercise, self.progress):
            self.console.print(line)
        self.progress.save(self.course.root)

    def status(self) -> None:
        """Show the progress in all stages."""
        show_status(self.console, self.course, self.progress, everything=False)

    def quit(self) -> None:
        """Stop watching."""
        self.running = False


def _keys() -> "queue.SimpleQueue[str]":
    """Return a queue of the lines typed on standard input. Whole lines need no change of the terminal's mode.

    The thread reads the file descriptor: a thread that waits in ``sys.stdin`` would keep Python from exiting.
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
