"""Grafting: for any notebook of a student, the result has exactly the released cells."""

import copy
import json
from typing import Any

import nbformat
import pytest
from hand_ins import lay_out, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_lab import QUESTION, STAGE, build_tiny_lab

from autograder.intake import graft, read_answers
from autograder.intake.notebooks import LARGEST_ANSWER, LARGEST_NOTEBOOK
from autograder.release.sheets import build_notebook

ANSWER = "Because addition has to know which numbers belong together: √d."


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> str:
    """The tiny lab's released notebook: five code or text cells and one question."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("lab"))
    return build_notebook(lab.stage(STAGE))


@pytest.fixture
def student(released) -> dict[str, Any]:
    """The released notebook with the question answered and the cells run, as Jupyter saves it."""
    notebook = json.loads(released)
    question(notebook)["source"] = [ANSWER]
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1 passed\n"}]
    return notebook


def question(notebook: dict[str, Any]) -> dict[str, Any]:
    (cell,) = (cell for cell in notebook["cells"] if grade_id(cell) == QUESTION)
    return cell


def grade_id(cell: dict[str, Any]) -> str | None:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def answered(released: str, answer: str) -> dict[str, Any]:
    notebook = json.loads(released)
    question(notebook)["source"] = answer.splitlines(keepends=True)
    return notebook


def raw(notebook: Any) -> bytes:
    return json.dumps(notebook).encode()


def test_only_the_answer_is_copied_into_the_released_notebook(released, student):
    grafted = graft(released, raw(student))
    assert json.loads(grafted.notebook) == answered(released, ANSWER)
    assert grafted.notes == ()


def test_an_unchanged_notebook_gives_the_bytes_of_the_released_notebook(released):
    assert graft(released, released.encode()).notebook == released


def change_locked_cells(notebook):
    for cell in notebook["cells"]:
        if grade_id(cell) != QUESTION:
            cell["source"] = ["import os; os._exit(0)"]


def delete_everything_else(notebook):
    notebook["cells"] = [question(notebook)]


def reverse(notebook):
    notebook["cells"].reverse()


def raise_the_points(notebook):
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"] |= {"points": 1000, "grade": False, "solution": True, "schema_version": 1}


def add_cells(notebook):
    extra = {"cell_type": "code", "id": "x", "metadata": {}, "source": ["1"], "outputs": [], "execution_count": None}
    notebook["cells"][1:1] = [extra, extra]


def duplicate_a_locked_cell(notebook):
    notebook["cells"].append(notebook["cells"][2])


def drop_the_metadata(notebook):
    """Drop the metadata, as some editors do; the cell's id stays."""
    question(notebook)["metadata"] = {}


def change_the_ids(notebook):
    """Change the ids, as other editors do; the metadata stays."""
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"new-{number}"


def turn_the_answer_into_code(notebook):
    question(notebook).update(cell_type="code", outputs=[], execution_count=None)


def use_one_string(notebook):
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])


def break_the_other_cells(notebook):
    kept = question(notebook)
    notebook["cells"] = [None, 7, [], {}, {"source": 3}, {"metadata": []}, {"metadata": {"nbgrader": 5}}, kept, "x"]


def older_format(notebook):
    notebook |= {"nbformat": 4, "nbformat_minor": 2}
    for cell in notebook["cells"]:
        del cell["id"]


def huge_output(notebook):
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000}]


def nan_in_an_output(notebook):
    notebook["cells"][1]["outputs"] = [{"data": {"application/vnd.plotly.v1+json": [float("nan"), float("inf")]}}]


def lone_surrogate_in_an_output(notebook):
    notebook["cells"][1]["outputs"] = [{"text": "\ud800"}]


def other_top_level(notebook):
    notebook |= {"metadata": "none", "nbformat": "four", "extra": [[]]}


CHANGES = [
    change_locked_cells,
    delete_everything_else,
    reverse,
    raise_the_points,
    add_cells,
    duplicate_a_locked_cell,
    drop_the_metadata,
    change_the_ids,
    turn_the_answer_into_code,
    use_one_string,
    break_the_other_cells,
    older_format,
    huge_output,
    nan_in_an_output,
    lone_surrogate_in_an_output,
    other_top_level,
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_answer_is_kept_and_the_change_is_not(released, student, change):
    change(student)
    assert json.loads(graft(released, raw(student)).notebook) == answered(released, ANSWER)


def empty_file(notebook):
    return b""


def cut_off(notebook):
    return raw(notebook)[:-20]


def nested_too_deep(notebook):
    return b'{"cells": [' + b"[" * 200_000 + b"]" * 200_000 + b"]}"


def no_cells(notebook):
    return b'{"nbformat": 4}'


def cells_of_the_wrong_type(notebook):
    return b'{"cells": {"a": 1}}'


def a_list(notebook):
    return b"[1, 2]"


def a_picture(notebook):
    return b"\x89PNG\r\n\x1a\n\0\0"


def too_large(notebook):
    return raw(notebook) + b" " * LARGEST_NOTEBOOK


@pytest.mark.parametrize(
    "make",
    [
        empty_file,
        cut_off,
        nested_too_deep,
        no_cells,
        cells_of_the_wrong_type,
        a_list,
        a_picture,
        too_large,
    ],
)
def test_the_question_of_an_unreadable_notebook_stays_for_a_person(released, student, make):
    grafted = graft(released, make(student))
    assert "the notebook" in grafted.notes[0]
    assert json.loads(grafted.notebook) == answered(released, unanswered_text(grafted))
    assert grafted.notes[0] in unanswered_text(grafted)


def unanswered_text(grafted) -> str:
    """The text that stands for an answer that a person must look for."""
    text = "".join(question(json.loads(grafted.notebook))["source"])
    assert text.startswith("*No answer was found here, but there may be one: ")
    return text


def test_the_question_of_a_missing_notebook_is_unanswered(released):
    assert graft(released, None).notebook == released
    assert graft(released, None).notes == ("no notebook was handed in",)


def test_bytes_that_are_not_utf_8_affect_only_their_own_cell(released, student):
    student["cells"][0] |= {"source": "BROKEN"}
    assert (
        ANSWER
        in json.loads(graft(released, raw(student).replace(b"BROKEN", b"\xff\xfe")).notebook)["cells"][-1]["source"]
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_a_notebook_in_another_encoding_is_read(released, student, encoding):
    submitted = json.dumps(student, ensure_ascii=False).encode(encoding)
    assert json.loads(graft(released, submitted).notebook) == answered(released, ANSWER)


def test_the_question_of_a_deleted_cell_stays_for_a_person(released, student):
    student["cells"].remove(question(student))
    grafted = graft(released, raw(student))
    assert grafted.notes == (f"the cell of question `{QUESTION}` is missing from the notebook",)
    assert grafted.notes[0] in unanswered_text(grafted)


@pytest.mark.parametrize("first", [True, False])
def test_the_answered_copy_of_a_duplicated_cell_counts(released, student, first):
    copied = copy.deepcopy(question(student))
    copied["source"] = question(json.loads(released))["source"]
    student["cells"].insert(0 if first else len(student["cells"]), copied)
    grafted = graft(released, raw(student))
    assert json.loads(grafted.notebook) == answered(released, ANSWER)
    assert grafted.notes == ()


def test_an_answer_in_several_cells_is_joined(released, student):
    student["cells"].append(question(student) | {"source": ["And more."]})
    grafted = graft(released, raw(student))
    assert json.loads(grafted.notebook) == answered(released, f"{ANSWER}\n\n---\n\nAnd more.")
    assert grafted.notes == (f"question `{QUESTION}` is answered in 2 cells; their texts are joined",)


def test_a_very_long_answer_is_truncated(released, student):
    question(student)["source"] = "x" * (LARGEST_ANSWER + 1)
    grafted = graft(released, raw(student))
    assert json.loads(grafted.notebook) == answered(released, "x" * LARGEST_ANSWER)
    assert "50001 characters" in grafted.notes[0]


def test_a_picture_in_an_answer_is_noted(released, student):
    question(student)["attachments"] = {"map.png": {"image/png": "iVBORw0KGgo="}}
    grafted = graft(released, raw(student))
    assert "attachments" not in question(json.loads(grafted.notebook))
    assert "images pasted into the answer are omitted" in grafted.notes[0]


def test_an_answer_that_is_not_text_is_noted(released, student):
    question(student)["source"] = {"a": 1}
    grafted = graft(released, raw(student))
    assert "is missing from the notebook" in unanswered_text(grafted)
    assert grafted.notes[0] == f"cell {len(student['cells'])} of the notebook: its source is not text"


def test_thousands_of_cells_with_the_same_name_give_one_answer(released, student):
    student["cells"] = [question(student) | {"source": f"answer {number}"} for number in range(20_000)]
    grafted = graft(released, raw(student))
    assert len("".join(question(json.loads(grafted.notebook))["source"])) == LARGEST_ANSWER
    assert len(grafted.notes) == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["cells", "source", "metadata", "nbgrader", "grade_id", "cell_type", "id", "solution", "attachments"]
)


@st.composite
def mangled(draw: st.DrawFn, value: Any) -> Any:
    """A notebook with some values replaced by arbitrary JSON."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON_VALUES)
    if isinstance(value, dict):
        changed = {key: draw(mangled(inner)) for key, inner in value.items() if draw(st.integers(0, 9))}
        return changed | ({draw(KEYS): draw(JSON_VALUES)} if draw(st.integers(0, 9)) == 0 else {})
    if isinstance(value, list):
        return draw(st.permutations([draw(mangled(inner)) for inner in value if draw(st.integers(0, 9))]))
    return value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_only_the_answer_can_differ_for_any_mangled_notebook(released, student, data):
    submitted = json.dumps(data.draw(mangled(student))).encode("utf-8", "surrogatepass")
    result = json.loads(graft(released, submitted).notebook)
    nbformat.validate(nbformat.reads(json.dumps(result), as_version=4))
    question(result)["source"] = question(json.loads(released))["source"]
    assert result == json.loads(released)


@given(st.binary(max_size=200))
def test_any_bytes_give_answers_or_a_note(submitted):
    answers = read_answers(submitted)
    assert answers.texts or answers.notes or b"cells" in submitted


def test_intake_reads_the_notebook_beside_the_module(tmp_path, student):
    lay_out(tmp_path, {"ada/2_attention/attention.ipynb": raw(student), "bob/2_attention/attention.py": ""})
    found = taken(tmp_path)
    assert found["ada", "2_attention"].answers.texts[QUESTION] == (ANSWER,)
    assert found["bob", "2_attention"].answers.notes == ("no notebook was handed in",)


def test_a_notebook_that_is_a_link_is_not_followed(tmp_path, student):
    (tmp_path / "other.ipynb").write_bytes(raw(student))
    lay_out(tmp_path / "class", {"ada/2_attention/attention.py": ""})
    (tmp_path / "class/ada/2_attention/attention.ipynb").symlink_to(tmp_path / "other.ipynb")
    answers = taken(tmp_path / "class")["ada", "2_attention"].answers
    assert not answers.texts
    assert answers.notes == ("2_attention/attention.ipynb is a link; hand in the file itself",)
