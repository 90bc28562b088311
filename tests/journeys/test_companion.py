"""A student works through the lab in a terminal: from a fresh copy of ``assignments`` to a graded hand-in."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from autograder.course.lab import Lab
from autograder.intake.collect import take_in
from autograder.intake.submission import StageFiles
from lab.checking import check
from lab.code import Module, put_back
from lab.course import Course, Exercise, Stage
from lab.progress import Progress

ROOT = Lab.find(Path(__file__).parent)
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PASSES = "All its public tests pass"
KEYS = "q quit"


class Terminal:
    """A terminal of a given width in which a student types."""

    def __init__(self, home: Path, *arguments: str, columns: int = 80, **environment: str) -> None:
        cleared = ("NO_COLOR", "COLUMNS", "LINES", "PYTHONPATH", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in cleared}
        self.columns = columns
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "lab", *arguments],
            cwd=str(home),
            env={**kept, "TERM": "xterm-256color", **environment},
            dimensions=(50, columns),
            encoding="utf-8",
            timeout=120,
        )
        self.shown = ""

    def until(self, text: str) -> str:
        """Return all output up to a text, that text included."""
        self.child.expect_exact(text)
        piece = self.child.before + text
        self.shown += piece
        return ANSI.sub("", piece)

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self.child.sendline(line)

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and all output, without colours."""
        self.child.expect(pexpect.EOF)
        self.shown += self.child.before
        self.child.close()
        return self.child.exitstatus, ANSI.sub("", self.shown).replace("\r\n", "\n")


def lab(home: Path, *arguments: str, **options) -> tuple[int, str]:
    return Terminal(home, *arguments, **options).finish()


def paste(home: Path, exercise: Exercise) -> None:
    """Save the reference of one exercise and its helpers as an editor does: the whole file in one step.

    If the exercise requires files, copy the course's own files, as far as the course has them.
    """
    stage = ROOT.stage(exercise.stage)
    if exercise.attachments:
        for name, file in stage.attachments.items():
            shutil.copy(file, home / exercise.stage / name)
        return
    lines = stage.reference_source().splitlines(keepends=True)
    reference = Module.parse("".join(line for line in lines if line.strip() not in MARKERS), "reference")
    file = home / exercise.stage / f"{stage.spec.module}.py"
    mine = Module.parse(file.read_text(encoding="utf-8"), "mine")
    fresh = file.with_suffix(".tmp")
    definitions = [getattr(node, "name", "") for node in reference.tree.body]
    helpers = [name for name in definitions if name and name not in stage.spec.exercises]
    for name in (*helpers, exercise.name):
        mine = Module.parse(put_back(mine, reference, name), "mine")
    fresh.write_text(mine.text, encoding="utf-8")
    fresh.replace(file)


def can_be_done(exercise: Exercise) -> bool:
    """Whether the course has the files that the exercise requires; it may lack a trained model, which takes minutes."""
    return all(name in ROOT.stage(exercise.stage).attachments for name in exercise.attachments)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of the released repository, outside the lab's own repository."""
    target = tmp_path / "my lab"
    shutil.copytree(ROOT.root / "assignments", target)
    return target


@pytest.fixture
def course(home: Path) -> Course:
    return Course.load(home)


def first_stage(course: Course) -> Iterator[Exercise]:
    yield from course.stages[0].exercises


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_the_status_at_each_width_with_and_without_colour(home, course, columns, colour):
    paste(home, course.exercises[0])  # started: the status of a fresh course has no colour
    terminal = Terminal(home, "status", "--all", columns=columns, **({} if colour else {"NO_COLOR": "1"}))
    code, text = terminal.finish()
    assert code == 0
    assert all(len(line) <= columns for line in text.splitlines())
    assert all(f" {exercise.name} " in text for exercise in course.exercises)
    assert bool(re.search(r"\x1b\[[\d;]*3\dm", terminal.shown)) == colour


def test_a_stage_from_stub_to_hand_in(home, course, autograder, instructor, tmp_path):
    first, second, *rest = first_stage(course)

    terminal = Terminal(home, "watch")
    assert "not written yet" in terminal.until(KEYS)
    terminal.type("h")
    assert first.hints[0].split()[0] in terminal.until("1 of 3") + terminal.until("lab hint")
    paste(home, first)
    seen = terminal.until(PASSES)
    assert first.name in seen
    assert second.name not in seen
    paste(home, second)  # the watcher stays at the first exercise until `n`
    assert second.name not in terminal.until(PASSES)
    terminal.until(KEYS)
    terminal.type("n")
    assert second.name in terminal.until(PASSES)
    terminal.type("q")
    assert terminal.finish()[0] == 0

    code, text = lab(home, "check", columns=120)  # the next exercise, which is still a stub
    assert (code, f"{rest[0].name}" in text, "not written yet" in text) == (1, True, True)
    for exercise in rest:
        paste(home, exercise)
    code, text = lab(home, "check", course.stages[0].id)
    assert code == 0, text
    assert all(exercise.name in text for exercise in rest)

    code, text = lab(home, "hint", first.name)
    assert (code, "2 of 3" in text, "3 of 3" in text) == (0, True, False)  # it remembers the hint from `watch`
    mine = (home / course.stages[0].file).read_bytes()
    assert lab(home, "reset", first.name)[0] == 0
    (backup,) = (home / ".lab" / "backups").rglob("*.py")
    assert backup.read_bytes() == mine
    code, text = lab(home, "status")
    assert f"Next: {first.name}" in text
    paste(home, first)

    terminal = Terminal(home, "submit")
    terminal.until("Your id in the course")
    terminal.type("ada")
    terminal.until("No question is answered in")  # asked before an untouched sheet is packed
    terminal.type("y")
    code, text = terminal.finish()
    assert code == 0, text
    (pack,) = (home / "handin").rglob("ada.zip")
    assert pack.relative_to(home).as_posix() in text
    receipt = json.loads(pack.with_name("receipt.json").read_text(encoding="utf-8"))
    assert all(receipt["public_tests"].values())

    results = tmp_path / "results.json"
    autograder("grade", pack, "--no-gradebook", "--json", results, "--stage", course.stages[0].id, cwd=instructor)
    (report,) = json.loads(results.read_text(encoding="utf-8"))["reports"]
    assert (report["student"], report["score"]) == ("ada", report["points"])


def test_stubs_fail_their_public_tests_and_references_pass_them(course):
    stubs = check(course, course.exercises, Progress())
    assert [result.exercise.key for result in stubs if result.is_started or result.passed] == []
    for exercise in course.exercises:
        paste(course.root, exercise)
    done = check(course, course.exercises, Progress())
    assert [result.exercise.key for result in done if not result.passed] == [
        exercise.key for exercise in course.exercises if not can_be_done(exercise)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("line", ["def broken(:", "import no_such_library", "<<<<<<< HEAD"])
def test_a_broken_stage_2_blanks_no_other_stage(home, course, line):
    """Stages 1 to 4 are solved; then stage 2 breaks, and is repaired."""
    stages = course.stages[:4]
    for exercise in (exercise for stage in stages for exercise in stage.exercises):
        paste(home, exercise)
    file = home / course.stages[1].file
    good = file.read_text(encoding="utf-8")
    file.write_text(f"{line}\n{good}", encoding="utf-8")
    code, text = lab(home, "check", *(stage.id for stage in stages), columns=120)
    assert code == 1
    broken = f"{course.stages[1].file.as_posix()}, line 1"
    assert broken in text
    for stage in (stages[0], stages[3]):  # they do not import stage 2
        for exercise in stage.exercises:
            count = len(exercise.tests)
            assert re.search(rf"✓ {exercise.name}  {count} of {count} tests pass", text), text
    assert "no longer in" not in text
    code, text = lab(home, "status", columns=120)
    assert code == 0
    file.write_text(good, encoding="utf-8")
    code, text = lab(home, "check", *(stage.id for stage in stages), columns=120)
    assert code == 0, text


def work_through(home: Path, stage: Stage, options: dict[str, Any], *, is_next: bool = True) -> None:
    """Write each exercise of a stage, and check it; watch, hint and reset the first.

    ``lab watch`` finds the stage by itself if it ``is_next``.
    """
    first, *rest = stage.exercises
    terminal = Terminal(home, "watch", *([] if is_next else [first.key]), **options)
    assert first.name in terminal.until(KEYS)
    paste(home, first)
    assert first.name in terminal.until(PASSES)
    terminal.until(KEYS)
    terminal.type("q")
    assert terminal.finish()[0] == 0
    code, text = lab(home, "hint", first.key, **options)
    assert (code, "1 of 3" in text) == (0, True), text
    assert lab(home, "reset", first.key, **options)[0] == 0
    assert lab(home, "check", first.key, **options)[0] == 1
    paste(home, first)
    assert lab(home, "check", first.key, **options)[0] == 0
    for exercise in rest:
        paste(home, exercise)
        code, text = lab(home, "check", exercise.key, **options)
        assert code == (0 if can_be_done(exercise) else 1), text
    assert all(len(line) <= options["columns"] for line in text.splitlines())


@contextmanager
def broken_stage_2(home: Path, course: Course, options: dict[str, Any]) -> Iterator[None]:
    """Break the module of stage 2 for a while: every command names the place, and what does not import it goes on."""
    second, third = course.stages[1:3]
    file = home / second.file
    good = file.read_text(encoding="utf-8")
    file.write_text(f"def broken(:\n{good}", encoding="utf-8")
    place = f"{second.file.as_posix()}, line 1"
    code, text = lab(home, "status", **options)
    assert (code, place in text, f"Next: fix the error in {second.file.as_posix()}" in text) == (0, True, True), text
    code, text = lab(home, "check", third.id, **options)
    assert (code, text.count(place), "lab hint" in text) == (1, 1, False), text
    yield
    terminal = Terminal(home, "submit", "--student", "ada", **options)
    text = " ".join(terminal.until("No question is answered in").split())
    assert text.count("no test can run") == 2, text
    terminal.type("n")
    assert terminal.finish()[0] == 1
    assert not (home / "handin").exists()
    file.write_text(good, encoding="utf-8")
    code, text = lab(home, "check", *(stage.id for stage in course.stages[:4]), **options)
    assert code == 0, text


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "colour"), [(80, {}), (120, {"NO_COLOR": "1"})], ids=["80", "120-plain"])
def test_every_stage_exercise_by_exercise(home, course, autograder, instructor, tmp_path, columns, colour):
    """Write the references one by one: each passes as soon as it and the exercises before it are written.

    The first exercise of each stage is saved while it is watched, then hinted, reset and written again. While stage 4
    is written, stage 2 is broken: stage 4 does not import it.
    """
    options = {"columns": columns, **colour}
    for stage in course.stages[:3]:
        work_through(home, stage, options)
    with broken_stage_2(home, course, options):
        work_through(home, course.stages[3], options, is_next=False)
    for stage in course.stages[4:]:
        work_through(home, stage, options)
    terminal = Terminal(home, "submit", "--student", "ada", **options)
    terminal.until("No question is answered in")  # asked before untouched sheets are packed
    terminal.type("y")
    code, text = terminal.finish()
    assert code == 0, text
    (pack,) = (home / "handin").rglob("ada.zip")
    stages = [StageFiles(stage=stage.id, module=stage.module) for stage in course.stages]
    assert [work.refusal for work in take_in([pack], stages)] == [None] * len(stages)
    results = tmp_path / "results.json"
    autograder("grade", pack, "--no-gradebook", "--json", results, cwd=instructor)
    reports = json.loads(results.read_text(encoding="utf-8"))["reports"]
    assert [report["stage"] for report in reports] == [stage.id for stage in course.stages]
    missing = {exercise.stage: exercise.points for exercise in course.exercises if not can_be_done(exercise)}
    assert [report["score"] for report in reports] == [
        report["points"] - missing.get(report["stage"], 0) for report in reports
    ]
