"""Sheets that were renamed, damaged or changed: answers are found, or their questions stay for a person."""

import json
from typing import Any

import pytest
from hand_ins import lay_out, taken, zipped
from tiny_lab import QUESTION, STAGE, build_tiny_lab

from autograder.intake import Answers, graft_answers
from autograder.release.sheets import build_notebook

ANSWER = "Because addition has to know which numbers belong together."
MODULE = {"2_attention/attention.py": "a = 2\n"}
FOLDER = "2_attention"


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> str:
    lab = build_tiny_lab(tmp_path_factory.mktemp("lab"))
    return build_notebook(lab.stage(STAGE))


@pytest.fixture
def sheet(released) -> dict[str, Any]:
    """The released notebook with its question answered."""
    notebook = json.loads(released)
    question(notebook)["source"] = ANSWER
    return notebook


def question(notebook: dict[str, Any]) -> dict[str, Any]:
    (cell,) = (cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == QUESTION)
    return cell


def text_cell(text: str, kind: str = "markdown") -> dict[str, Any]:
    return {"cell_type": kind, "id": "new", "metadata": {}, "source": text}


def answers(tmp_path, files) -> Answers:
    lay_out(tmp_path / "class", {f"ada/{name}": content for name, content in {**MODULE, **files}.items()})
    return taken(tmp_path / "class")["ada", FOLDER].answers


def filed(released: str, found: Answers) -> str:
    """The text in the cell of the question, which the grader or a person grades."""
    return "".join(question(json.loads(graft_answers(released, found).notebook))["source"])


NAMES = [
    "Copy of attention.ipynb",
    "Kopie von attention.ipynb",
    "attention (1).ipynb",
    "attention(12).ipynb",
    "attention-Copy1.ipynb",
    "attention-Copy1-Copy2.ipynb",
    "attention copy 2.ipynb",
    "attention - Copy (2).ipynb",
    "attention_1.ipynb",
    "attention.ipynb.txt",
    "attention.ipynb.json",
    "attention.json",
    "attention (1).ipynb.json",
    "Attention.ipynb",
    "ATTENTION.IPYNB",
    "attention_ada.ipynb",
    "lab sheet.ipynb",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_sheet_is_found_and_named(tmp_path, released, sheet, name):
    found = answers(tmp_path, {f"{FOLDER}/{name}": json.dumps(sheet)})
    assert filed(released, found) == ANSWER
    assert found.notes == (f"the notebook was found as {FOLDER}/{name}",)


@pytest.mark.parametrize("place", ["sheets/attention (1).ipynb", "attention (1).ipynb", f"{FOLDER}/my/attention.ipynb"])
def test_a_sheet_is_found_in_any_folder(tmp_path, released, sheet, place):
    assert filed(released, answers(tmp_path, {place: json.dumps(sheet)})) == ANSWER


def test_a_sheet_in_an_archive_is_found(tmp_path, released, sheet):
    packed = zipped({"attention-Copy1.ipynb": json.dumps(sheet)})
    assert filed(released, answers(tmp_path, {f"{FOLDER}/sheet.zip": packed})) == ANSWER


def test_the_sheet_of_another_stage_is_not_taken(tmp_path, sheet):
    assert not answers(tmp_path, {"1_kernels/kernels (1).ipynb": json.dumps(sheet)}).handed_in


def test_an_answer_in_a_copy_beside_the_untouched_sheet_is_found(tmp_path, released, sheet):
    files = {f"{FOLDER}/attention.ipynb": released, f"{FOLDER}/attention-Copy1.ipynb": json.dumps(sheet)}
    assert filed(released, answers(tmp_path, files)) == ANSWER


def test_the_sheet_has_priority_over_its_copies(tmp_path, released, sheet):
    copied = json.dumps(sheet).replace(ANSWER, "An older draft.")
    files = {f"{FOLDER}/attention.ipynb": json.dumps(sheet), f"{FOLDER}/attention-Copy1.ipynb": copied}
    assert filed(released, answers(tmp_path, files)) == ANSWER


def test_two_sheets_of_equal_priority_are_both_read(tmp_path, released, sheet):
    files = {"v1/attention.ipynb": released, "v2/attention.ipynb": json.dumps(sheet)}
    assert filed(released, answers(tmp_path, files)) == ANSWER


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 33818\n"
DAMAGED = {
    "cut off": (lambda text: text[:-40], "cannot be read"),
    "merge conflicts": (
        lambda text: text.replace('\n "cells"', '\n<<<<<<< HEAD\n "cells"\n=======\n>>>>>>> theirs', 1),
        "it has unresolved merge conflicts, the first in line 2",
    ),
    "a Git LFS pointer": (lambda text: POINTER, "is a Git LFS pointer"),
    "a web page": (lambda text: "<!DOCTYPE html>\n<html></html>", "is a web page"),
    "empty": (lambda text: "", "is empty"),
    "no cells": (lambda text: '{"cells": []}', "has no cells with text"),
}


@pytest.mark.parametrize("name", ["attention.ipynb", "Copy of attention.ipynb"])
@pytest.mark.parametrize(("damage", "problem"), DAMAGED.values(), ids=DAMAGED)
def test_the_question_of_a_damaged_sheet_stays_for_a_person(tmp_path, released, sheet, damage, problem, name):
    found = answers(tmp_path, {f"{FOLDER}/{name}": damage(json.dumps(sheet, indent=1))})
    text = filed(released, found)
    assert text.startswith("*No answer was found here, but there may be one: ")
    assert problem in text
    assert f"{FOLDER}/{name}" in text
    assert any(problem in note for note in graft_answers(released, found).notes)


@pytest.mark.parametrize("name", ["attention.pdf", "attention.html", "Attention (1).docx", "attention.md"])
def test_a_document_in_place_of_the_sheet_stays_for_a_person(tmp_path, released, name):
    assert f"{FOLDER}/{name} was handed in" in filed(released, answers(tmp_path, {f"{FOLDER}/{name}": b"%PDF"}))


def test_without_any_sheet_the_question_is_unanswered(tmp_path, released):
    found = answers(tmp_path, {"README.md": "hello", f"{FOLDER}/notes.txt": "because"})
    assert graft_answers(released, found).notebook == released


def drop_the_marks(sheet):
    """Drop names and metadata, as a conversion to another format does."""
    for cell in sheet["cells"]:
        cell["metadata"] = {}
        del cell["id"]


def old_format(sheet):
    """Save as format 3: worksheets, code in `input`, no ids."""
    for cell in sheet["cells"]:
        del cell["id"]
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
    sheet["worksheets"] = [{"cells": sheet.pop("cells"), "metadata": {}}]
    sheet |= {"nbformat": 3, "nbformat_minor": 0}


def next_format(sheet):
    sheet |= {"nbformat": 5, "nbformat_minor": 0}


def old_format_without_marks(sheet):
    drop_the_marks(sheet | {})
    for cell in sheet["cells"]:
        cell["id"] = None
    old_format(sheet)


CHANGES = [drop_the_marks, old_format, next_format, old_format_without_marks]


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_is_found_without_marks_and_in_other_formats(tmp_path, released, sheet, change):
    change(sheet)
    assert filed(released, answers(tmp_path, {f"{FOLDER}/attention.ipynb": json.dumps(sheet)})) == ANSWER


@pytest.mark.parametrize("kind", ["markdown", "code", "raw"])
def test_an_answer_in_a_new_cell_below_the_question_is_found(tmp_path, released, kind):
    notebook = json.loads(released)
    position = notebook["cells"].index(question(notebook))
    notebook["cells"][position + 1 : position + 1] = [text_cell(ANSWER, kind), text_cell(""), text_cell("And more.")]
    found = answers(tmp_path, {f"{FOLDER}/attention.ipynb": json.dumps(notebook)})
    assert filed(released, found) == f"{ANSWER}\n\n---\n\nAnd more."
    assert graft_answers(released, found).notes == (f"question `{QUESTION}` is answered in a new cell below its own",)


def test_new_text_far_from_an_unanswered_question_stays_for_a_person(tmp_path, released, sheet):
    notebook = json.loads(released)
    for changed in (notebook, sheet):
        changed["cells"].insert(0, text_cell("My answers: because."))
    found = answers(tmp_path, {f"{FOLDER}/attention.ipynb": json.dumps(notebook)})
    assert "the notebook has new text cells" in filed(released, found)
    sheets = answers(tmp_path, {f"{FOLDER}/attention.ipynb": json.dumps(sheet)})
    assert filed(released, sheets) == ANSWER


def test_new_code_far_from_an_unanswered_question_is_no_answer(tmp_path, released):
    notebook = json.loads(released)
    notebook["cells"].insert(0, text_cell("1 + 1", "code"))
    found = answers(tmp_path, {f"{FOLDER}/attention.ipynb": json.dumps(notebook)})
    assert graft_answers(released, found).notebook == released
