"""Solutions that the course has released, beside the student's own."""

import json
import sys
import types

import pytest
from click.testing import CliRunner
from rich.console import Console
from tiny_lab import STAGE

from lab import cli, notebook
from lab.course import CompanionError
from lab.solutions import SOLUTIONS_FILE, released_solution
from lab.terminal import THEME

OURS = """\
def double(x):
    '''Say what students know.

    Over several lines.
    '''
    return _twice(x)


def _twice(x):
    return 2 * x


def total(x, axis):
    return x.sum(axis)
"""


@pytest.fixture
def released(course):
    (course.root / SOLUTIONS_FILE).write_text(json.dumps({STAGE: OURS}), encoding="utf-8")
    return course


def test_both_versions_are_shown_with_the_helpers_of_the_exercise(released, write, monkeypatch):
    write(double="return x + x  # <mine>")
    monkeypatch.chdir(released.root)
    done = CliRunner().invoke(cli.cli, ["solution", "double"])
    assert done.exit_code == 0
    yours, ours = done.output.split("the course's")
    assert "return x + x  # <mine>" in yours
    docstring = OURS[OURS.index("    '''") : OURS.index("    return _twice")]
    assert ours.strip() == OURS.partition("\n\n\ndef total")[0].replace(docstring, "").strip()


def test_the_html_is_folded_and_escaped(released, write):
    write(double="return x + x  # <mine>")
    text = notebook.solution_html(released_solution(released, released.select("double")[0]))
    assert text.startswith("<details><summary>")
    assert "# &lt;mine&gt;" in text
    assert "<mine>" not in text


def test_a_check_in_a_notebook_shows_the_solution_below(released, write, monkeypatch):
    display = types.ModuleType("IPython.display")
    shown = []
    display.HTML, display.display = str, shown.append
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "make_console", lambda: Console(force_jupyter=True, theme=THEME, highlight=False))
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: shown.append(text))
    monkeypatch.chdir(released.root / STAGE)
    write(double="return x + x")
    notebook.check("double")
    result, solution = shown
    assert "1 of 1 tests pass" in result
    assert solution.startswith("<details>")
    write(top="\ndef broken(:\n")
    notebook.check("double")
    assert "invalid syntax" in shown[-1]  # and no solution, because there is nothing to compare


def test_without_a_release_there_is_nothing_to_show(course, monkeypatch):
    assert released_solution(course, course.select("double")[0]) is None
    monkeypatch.chdir(course.root)
    done = CliRunner().invoke(cli.cli, ["solution", "double"])
    assert isinstance(done.exception, CompanionError)
    (course.root / SOLUTIONS_FILE).write_text("[", encoding="utf-8")
    with pytest.raises(CompanionError, match="cannot be read"):
        released_solution(course, course.select("double")[0])
