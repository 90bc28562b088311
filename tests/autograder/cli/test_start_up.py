"""What takes seconds to import is imported where it is needed, and what is unchanged is not made again."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tiny_lab import REFERENCE, STAGE, build_tiny_lab

from autograder.cli.main import main
from autograder.course.lab import Lab

HEAVY = ("torch", "numpy", "nbgrader", "sqlalchemy", "jupytext", "nbformat", "hypothesis", "pytest", "matplotlib")
# Runs the command in this process and prints which heavy modules it imported, as the last line of the error output.
RUN = f"""
import json, sys
from autograder.__main__ import run
try:
    run()
finally:
    print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)
"""


def run_command(*arguments: object, cwd: Path) -> tuple[set[str], str]:
    """Run ``autograder ARGUMENTS…``; the heavy modules that it imported, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=True,
    )
    *notes, modules = done.stderr.splitlines()
    return set(json.loads(modules)), done.stdout + "\n".join(notes)


@pytest.mark.parametrize("command", ["", "release", "grade", "report", "export", "doctor", "demo"])
def test_a_help_text_imports_nothing_heavy(command, tmp_path):
    modules, shown = run_command(*command.split(), "--help", cwd=tmp_path)
    assert modules == set()
    assert "Usage:" in shown


def test_the_list_of_commands_has_the_first_sentence_of_each_help_text(tmp_path):
    _, shown = run_command("--help", cwd=tmp_path)
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f"{name} {command.get_short_help_str(limit=200)}" in " ".join(shown.split())


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, str]:
    """A lab that was never released, whose class has been graded once, and what that printed."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("start") / "lab")
    for student in ("ann", "bob"):
        module = lab.root / "class" / student / STAGE / "tiny.py"
        module.parent.mkdir(parents=True)
        module.write_text(REFERENCE, encoding="utf-8")
    return lab, run_command("grade", "class", cwd=lab.root)[1]


@pytest.fixture
def lab(graded: tuple[Lab, str], tmp_path: Path) -> Lab:
    """A copy of the graded lab."""
    shutil.copytree(graded[0].root, tmp_path / "lab", copy_function=shutil.copy2)
    return Lab(tmp_path / "lab")


def test_grading_without_a_release_makes_its_notebooks_and_says_so(graded):
    lab, shown = graded
    assert "note: no release was here yet" in shown
    assert "gradebook: 2 filed, 0 without a number, 0 differences" in shown
    assert not (lab.root / "assignments").exists()


def test_an_unchanged_class_is_graded_again_without_nbgrader(lab):
    gradebook = lab.gradebook.read_bytes()
    modules, shown = run_command("grade", "class", cwd=lab.root)
    assert modules == set()
    assert "gradebook: 2 filed, 0 without a number, 0 differences" in shown
    assert lab.gradebook.read_bytes() == gradebook


def scores(lab: Lab) -> list[tuple[float | None]]:
    with sqlite3.connect(lab.gradebook) as database:
        return database.execute("SELECT auto_score FROM grade ORDER BY id").fetchall()


def change_a_score(lab: Lab) -> None:
    with sqlite3.connect(lab.gradebook) as database:
        database.execute("UPDATE grade SET auto_score = 0 WHERE auto_score > 0")


def remove_a_filed_notebook(lab: Lab) -> None:
    next((lab.build / "nbgrader" / "autograded").rglob("*.ipynb")).unlink()


@pytest.mark.parametrize("change", [change_a_score, remove_a_filed_notebook])
def test_what_was_changed_after_filing_is_filed_again(lab, change):
    before = scores(lab)
    change(lab)
    run_command("grade", "class", cwd=lab.root)
    assert scores(lab) == before
    assert len(list((lab.build / "nbgrader" / "autograded").rglob("*.ipynb"))) == 2


def test_an_unchanged_release_makes_no_file_again(lab):
    first, shown = run_command("release", cwd=lab.root)
    assert "jupytext" in first
    again, shown_again = run_command("release", cwd=lab.root)
    assert again == set()
    assert ", 0 new or changed, 0 removed" in shown_again
    assert shown_again.split()[1] == shown.split()[1]


@pytest.mark.parametrize("change", ["solutions/1_tiny/lab.md", "grading.yml", "assignments/1_tiny/tiny.py"])
def test_a_release_after_any_change_makes_its_files_again(lab, change):
    run_command("release", cwd=lab.root)
    path = lab.root / change
    before = path.read_bytes()
    path.write_bytes(before + b"\n# a change\n")
    modules, _ = run_command("release", cwd=lab.root)
    assert "jupytext" in modules
    if change.startswith("assignments"):
        assert path.read_bytes() == before
