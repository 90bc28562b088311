"""``lab watch``: checks the exercise again at every save, and moves on when you say so.

A process waits with the large libraries imported, so that an answer takes well under a second. Each process serves
one check, and the next process starts while you read the answer. So an earlier version of your code cannot change a
result.
"""

import string
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from watchfiles import Change, watch

from lab.checking import ExerciseResult, check
from lab.course import CompanionError, Course, Exercise
from lab.editor import editor_command
from lab.hints import next_hint
from lab.keys import Keys
from lab.progress import Progress, next_exercise, read_module, stage_status
from lab.runner_process import RunnerProcess
from lab.show_checks import show_checks
from lab.show_remarks import show_remarks
from lab.terminal import save_progress, sign

_POLL_INTERVAL = 150  # milliseconds until a key is read
_SETTLE_TIME = 80  # milliseconds: editors save in several steps
_KEYS = "n next · h hint · l list · c check · q quit"
_EDITOR_KEY = "e editor"


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
        self.keys = Keys()
        self.choices: dict[str, Exercise] = {}
        self.line: int | None = None
        self.commands: dict[str, Callable[[], None]] = {
            **dict.fromkeys(("\n", " ", "c"), self.check),
            "n": self.move_on,
            "h": self.hint,
            "l": self.list_exercises,
            "e": self.edit,
            **dict.fromkeys(("q", "\x04"), self.quit),  # Ctrl-D ends a program that reads keys
        }

    def run(self) -> None:
        """Check, then wait for saves and keys until the student quits."""
        try:
            with self.keys:
                saves = self._changes()
                next(saves)  # from here on no save is missed, not even during the first check
                self.check()
                for changes in saves:
                    self._press(self.keys.pressed())
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

    def _press(self, keys: list[str]) -> None:
        for key in (key.lower() for key in keys):
            if not self.running:
                return
            choices, self.choices = self.choices, {}
            if key in choices:
                self.exercise = choices[key]
                self.check()
            elif key in self.commands:
                self.commands[key]()
            elif key.isprintable():
                self.console.print(f"There is no key `{escape(key)}`. {self._offer()}", style="quiet")

    def _offer(self) -> str:
        return f"{_KEYS} · {_EDITOR_KEY}" if self._editor() else _KEYS

    def check(self) -> None:
        """Run the exercise's public tests in the waiting process, then start the next process."""
        self.console.rule(f"{self.exercise.stage} · {self.exercise.name}", style="quiet")
        passed, self.line = False, None
        try:
            results = check(self.course, [self.exercise], self.progress, process=self.waiting, limit=self.limit)
            show_checks(self.console, self.course, results)
            show_remarks(self.console, self.course, [self.course.stage(self.exercise.stage)])
            save_progress(self.console, self.course, self.progress)
            passed, self.line = results[0].passed, _failing_line(self.course, results[0])
        except CompanionError as error:
            self.console.print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
        finally:
            self.waiting.close()
            self.waiting = RunnerProcess(self.course.root, warm=True)
        if passed:
            self.console.print(
                "[good]All its public tests pass.[/] Polish it if you like; n goes to the next exercise."
            )
        self.console.print(self._offer(), style="quiet")

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
        save_progress(self.console, self.course, self.progress)

    def list_exercises(self) -> None:
        """Show the exercises of this stage, each with the key that goes there."""
        stage = self.course.stage(self.exercise.stage)
        statuses = stage_status(self.course, stage, self.progress).exercises
        self.choices = dict(zip(string.ascii_lowercase, stage.exercises, strict=False))
        self.console.rule(f"{stage.id} · {escape(stage.title)}", style="quiet")
        for key, exercise in self.choices.items():
            here = "[name]>[/]" if exercise == self.exercise else " "
            mark = sign(self.console, statuses[exercise.name])
            title = f"[quiet]{escape(exercise.title)}[/]"
            line = f"{here} [name]{key}[/] {mark} {exercise.name}  {title}"
            self.console.print(line, no_wrap=True, overflow="ellipsis")
        self.console.print("Press the letter of an exercise, or another key to stay.", style="quiet")

    def edit(self) -> None:
        """Open the editor at the line that failed, or at the exercise."""
        command = self._editor()
        if command is None:
            self.console.print("No editor is known. Set EDITOR, for example: export EDITOR=nano", style="quiet")
            return
        with self.keys.released():
            subprocess.run(command, cwd=self.course.root)

    def _editor(self) -> list[str] | None:
        stage = self.course.stage(self.exercise.stage)
        return editor_command(stage.file, self.line or _first_line(self.course, self.exercise))

    def quit(self) -> None:
        """Stop watching."""
        self.running = False


def _failing_line(course: Course, result: ExerciseResult) -> int | None:
    """Return the student's line in which the first failing test ended; None if it is not known."""
    file = course.stage(result.exercise.stage).file.as_posix()
    lines = [test.student_line for test in result.test_results if not test.passed and test.student_line]
    return next((line["line"] for line in lines if line["file"] == file), None)


def _first_line(course: Course, exercise: Exercise) -> int:
    try:
        found = read_module(course.root, course.stage(exercise.stage)).lines(exercise.name)
    except CompanionError as error:
        return error.line or 1
    return found[0] + 1 if found else 1
