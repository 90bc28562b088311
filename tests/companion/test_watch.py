"""The watcher notices every save after its start, takes single keys, and opens the editor at a line."""

import io
import os
import select
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console
from tiny_lab import MODULE, STAGE

from lab import watch
from lab.editor import editor_command
from lab.keys import Keys
from lab.terminal import THEME
from lab.watch import Watcher

MOST_WAITS = 40  # a save is noticed after one or two


@pytest.fixture
def watcher(course):
    """A watcher during whose first check the student saves; the second check ends it."""

    class Saving(Watcher):
        checks = waits = 0

        def check(self):
            self.checks += 1
            if self.checks > 1:
                self.quit()
                return
            file = course.root / STAGE / f"{MODULE}.py"
            file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")

        def _press(self, keys):
            self.waits += 1
            if self.waits > MOST_WAITS:
                self.quit()

    return Saving(Console(quiet=True), course, course.exercises[0], limit=10.0)


def test_a_save_during_the_first_check_is_noticed(watcher):
    watcher.run()
    assert watcher.checks == 2


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def pressing(course, screen, monkeypatch):
    """A watcher whose checks print the exercise's name; ``pressing("nh")`` presses keys."""

    class Waiting(Watcher):
        def check(self):
            self.console.print(f"checked {self.exercise.name}")

    class NoProcess:
        def __init__(self, *arguments, **options) -> None: ...

    monkeypatch.setattr(watch, "RunnerProcess", NoProcess)
    console = Console(file=screen, width=80, theme=THEME)
    watcher = Waiting(console, course, course.exercises[0], limit=10.0)

    def press(keys: str) -> Watcher:
        watcher._press(list(keys))
        return watcher

    return press


def test_single_keys_check_and_quit(pressing, screen):
    assert not pressing("c\n q").running
    assert screen.getvalue().split("\n")[:3] == ["checked double"] * 3


def test_an_exercise_is_chosen_from_the_list(pressing, screen):
    watcher = pressing("lb")
    assert watcher.exercise.name == "total"
    shown = screen.getvalue()
    assert [name in shown for name in ("> a · double", "b · total", "c · halve", "checked total")] == [True] * 4
    assert pressing("l\n").exercise.name == "total"  # another key stays
    assert pressing("c").exercise.name == "total"


def test_hints_and_unknown_keys_are_answered(pressing, screen, course):
    pressing("hx")
    assert "1 of 3  What is twice a number?" in screen.getvalue()
    assert "There is no key `x`. n next · h hint · l list · c check · q quit" in screen.getvalue()


@pytest.fixture
def terminal(monkeypatch):
    """A terminal as standard input: the end at which a person types, and the end that the program reads."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield ours, theirs
    os.close(ours)


def test_a_key_needs_no_enter_and_the_terminal_is_restored(terminal):
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    with Keys() as keys:
        assert keys.pressed() == []
        os.write(ours, b"nh\r")
        assert keys.pressed() == ["n", "h", "\n"]
        os.write(ours, b"\x1b[A")  # an arrow
        assert keys.pressed() == []
        with keys.released():
            assert termios.tcgetattr(theirs) == before
        os.write(ours, b"q")
        assert keys.pressed() == ["q"]
    assert termios.tcgetattr(theirs) == before


def test_lines_of_a_pipe_are_keys_and_its_end_is_not(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading) as file:
        monkeypatch.setattr(sys, "stdin", file)
        with Keys() as keys:
            os.write(writing, b"n\n\nhi")
            assert keys.pressed() == ["n", "\n"]
            os.write(writing, b"nt\n")
            os.close(writing)
            assert (keys.pressed(), keys.pressed(), keys.pressed()) == (["h"], [], [])


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"EDITOR": "nano"}, ["nano", "+7", "a b.py"]),
        ({"VISUAL": "code --wait", "EDITOR": "nano"}, ["code", "--wait", "--goto", "a b.py:7"]),
        ({"VISUAL": "missing", "EDITOR": "hx"}, ["hx", "a b.py:7"]),
        ({"TERM_PROGRAM": "vscode"}, ["code", "--goto", "a b.py:7"]),
        ({"EDITOR": "other"}, ["other", "a b.py"]),
        ({"EDITOR": "missing"}, None),
        ({}, None),
    ],
)
def test_the_editor_opens_at_the_line(tmp_path, environment, arguments):
    for name in ("nano", "code", "hx", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert editor_command(Path("a b.py"), 7, {"PATH": str(tmp_path), **environment}) == arguments


def test_the_editor_key_opens_the_exercise(pressing, course, monkeypatch, tmp_path):
    program, written = tmp_path / "nano", tmp_path / "arguments"
    program.write_text(f'#!/bin/sh\necho "$PWD $@" > "{written}"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))
    pressing("e")
    lines = (course.root / STAGE / f"{MODULE}.py").read_text(encoding="utf-8").split("\n")
    line = lines.index(next(text for text in lines if text.startswith("def double("))) + 1
    assert written.read_text(encoding="utf-8") == f"{course.root} +{line} {STAGE}/{MODULE}.py\n"


@pytest.mark.slow
def test_a_whole_session_in_a_terminal(course, write):
    """A real process in a real terminal: a broken exercise, the list, another exercise, and the end."""
    write(double="return x", total="return x.sum(axis)")
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
    command = [sys.executable, "-m", "lab", "watch", "double"]
    with subprocess.Popen(command, cwd=course.root, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as lab:
        shown = ""

        def until(text: str) -> None:
            nonlocal shown
            start = len(shown)
            while text not in shown[start:]:
                assert select.select([ours], [], [], 120)[0], shown
                shown += os.read(ours, 4096).decode(errors="replace")

        until("n next")
        assert "each element should be twice as large" in shown
        os.write(ours, b"l")
        until("Press the letter")
        os.write(ours, b"b")
        until("All its public tests pass")
        os.write(ours, b"q")
        assert lab.wait(60) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
