"""Written questions: which cells still hold what was handed out, and what `lab` says about them."""

import json

import pytest
from click.testing import CliRunner
from tiny_lab import MODULE, QUESTION, STAGE

from lab import ask, cli
from lab.course import CompanionError
from lab.sheet import read_answers

SHEET = f"{STAGE}/{MODULE}.ipynb"
TITLE = "Why a sum needs an axis"


@pytest.fixture
def change(course):
    """Change the question's cell in the student's sheet: ``change(lambda cell: …)``."""

    def change_cell(action) -> None:
        file = course.root / SHEET
        notebook = json.loads(file.read_text(encoding="utf-8"))
        (cell,) = [cell for cell in notebook["cells"] if cell["id"] == QUESTION]
        action(cell)
        file.write_text(json.dumps(notebook), encoding="utf-8")

    return change_cell


def unanswered(course) -> list[str]:
    return [question.title for question in read_answers(course.root, course.stages[0]).unchanged]


def test_a_cell_as_handed_out_has_no_answer(course):
    answers = read_answers(course.root, course.stages[0])
    assert answers.untouched
    assert answers.sentences() == [f'{SHEET}: "{TITLE}" (2 points) has no answer yet; write it into its cell']


@pytest.mark.parametrize(
    "action",
    [
        lambda cell: cell.update(source=["  ".join(cell["source"]), "\r\n\r\n"]),  # an editor changed the spaces
        lambda cell: cell.update(source=""),
        lambda cell: cell.pop("metadata"),
        lambda cell: (cell.pop("metadata"), cell.update(id="a1b2")),  # another editor wrote the file anew
    ],
)
def test_no_answer_is_recognised_after_another_editor_saved_the_sheet(course, change, action):
    change(action)
    assert unanswered(course) == [TITLE]


@pytest.mark.parametrize("more", ["An axis vanishes.", "**No.**"])
def test_an_answer_is_recognised(course, change, more):
    change(lambda cell: cell.update(source=[*cell["source"], "\n\n", more]))
    assert unanswered(course) == []
    assert read_answers(course.root, course.stages[0]).sentences() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "the file is missing"),
        ("", "it is not a notebook"),
        ('{"cells": 3}', "it is not a notebook"),
        ("{\n<<<<<<< HEAD\n=======\n>>>>>>> b\n}", "git left merge markers in it"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named(course, text, reason):
    file = course.root / SHEET
    file.unlink() if text is None else file.write_text(text, encoding="utf-8")
    (sentence,) = read_answers(course.root, course.stages[0]).sentences()
    assert sentence.startswith(f"{SHEET} cannot be read: {reason}")


@pytest.fixture
def lab(course, monkeypatch):
    """Run a command of the companion in the student's repository; the public tests are not run."""
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(cli, "check", lambda *arguments, **options: [])

    def run(*arguments: str, typed: str = "", terminal: bool = True):
        monkeypatch.setattr(ask, "is_terminal", lambda: terminal)
        return CliRunner().invoke(cli.cli, arguments, input=typed)

    return run


def test_the_status_names_unanswered_questions(lab, change):
    says = f'"{TITLE}" (2 points) has no answer yet'
    assert says in " ".join(lab("status").output.split())
    change(lambda cell: cell.update(source="my answer"))
    assert "question" not in lab("status").output


@pytest.mark.parametrize("stage", ["1", STAGE, "tiny"])
def test_the_status_of_a_stage_can_be_asked_for(lab, stage):
    assert "halve" in lab("status", stage).output


@pytest.mark.parametrize(("typed", "packed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_an_untouched_sheet_is_packed_only_after_a_question(course, lab, write, typed, packed):
    write(double="return 2 * x")
    done = lab("submit", "--student", "ada", typed=typed)
    assert f"No question is answered in {SHEET}. Pack it all the same?" in done.output
    assert (done.exit_code, bool(list(course.root.glob("handin/*/ada.zip")))) == (0 if packed else 1, packed)


def test_without_a_terminal_or_with_an_answer_nothing_is_asked(course, lab, write, change):
    write(double="return 2 * x")
    done = lab("submit", "--student", "ada", terminal=False)
    assert (done.exit_code, "Pack it" in done.output, "has no answer yet" in done.output) == (0, False, True)
    change(lambda cell: cell.update(source="my answer"))
    done = lab("submit", "--student", "ada")
    assert (done.exit_code, "has no answer yet" in done.output) == (0, False)


def test_the_end_of_the_input_at_the_id_is_explained(lab, write, monkeypatch):
    write(double="return 2 * x")
    done = lab("submit")
    assert isinstance(done.exception, CompanionError)
    assert str(done.exception) == "no id was given; type: lab submit --student ID"
