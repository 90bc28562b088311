"""Lab sheet → notebook, as nbgrader and Jupyter require it."""

import json

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution
from tiny_lab import MODULE, QUESTION, SHEET, STAGE, replace_in

from autograder.release import ReleaseError, check_id
from autograder.release.sheets import build_notebook


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


def graded(stage) -> dict:
    notebook = nbformat.reads(build_notebook(stage), as_version=4)
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def test_the_notebook_is_valid_for_jupyter_and_nbgrader(stage):
    notebook = nbformat.reads(build_notebook(stage), as_version=4)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)


def test_exercises_carry_their_points_and_extensions_none(stage):
    cells = graded(stage)
    points = {name: cells[check_id(name)].metadata.nbgrader.points for name in stage.spec.exercises}
    assert points == {"double": 3, "total": 4, "halve": 0}
    assert cells[QUESTION].metadata.nbgrader.points == 2


def test_a_check_is_locked_and_an_answer_is_not(stage):
    cells = graded(stage)
    check, answer = cells[check_id("double")], cells[QUESTION]
    assert (is_grade(check), is_locked(check), is_solution(check)) == (True, True, False)
    assert (is_grade(answer), is_locked(answer), is_solution(answer)) == (True, False, True)
    assert (check.metadata.deletable, check.metadata.editable) == (False, False)
    assert answer.metadata.deletable is False
    assert "editable" not in answer.metadata


def test_checksums_are_nbgraders_own(stage):
    for cell in graded(stage).values():
        assert cell.metadata.nbgrader.checksum == compute_checksum(cell)


def test_the_same_sheet_gives_the_same_bytes(stage):
    assert build_notebook(stage) == build_notebook(stage)


def test_a_cells_id_stays_while_its_text_stays(stage):
    before = {"".join(cell["source"]): cell["id"] for cell in json.loads(build_notebook(stage))["cells"]}
    replace_in(stage.sheet, "# Twice and together\n", "# Before\n\n+++\n\n# Twice and together\n")
    after = {"".join(cell["source"]): cell["id"] for cell in json.loads(build_notebook(stage))["cells"]}
    kept = before.keys() & after.keys()
    assert len(kept) >= len(before) - 1
    assert all(before[text] == after[text] for text in kept)


def test_ids_are_unique_even_for_equal_cells(stage):
    twice = "```python\nimport torch\n```\n\n"
    stage.sheet.write_text(SHEET + "\n" + twice * 3, encoding="utf-8")
    ids = [cell["id"] for cell in json.loads(build_notebook(stage))["cells"]]
    assert len(ids) == len(set(ids))


def test_no_output_is_released(stage):
    cells = json.loads(build_notebook(stage))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('exercise="double"', "", 'exercise `double` has no cell; mark exactly one with exercise="double"'),
        ('exercise="total"\n%check total', 'exercise="double"\n%check double', "exercise `double` has 2 cells"),
        ("%check total", "tiny.total(x)", "the cell of exercise `total` must have the line `%check total`"),
        ('exercise="total"', 'exercise="tootal"', "grading.yml lists no exercise `tootal` in 1_tiny"),
        ('question="why_axes"', 'question="why_not"', "grading.yml lists no question `why_not` in 1_tiny"),
        ('question="why_axes"', "", 'question `why_axes` has no cell; mark exactly one with question="why_axes"'),
        ('exercise="double"', 'question="why_axes"', 'question="why_axes" marks a code cell; mark a markdown cell'),
        ('question="why_axes"', 'exercise="double"', 'exercise="double" marks a markdown cell; mark a code cell'),
        ("%check double", "%check test_double_keeps_the_dtype", "names the hidden check `test_double_keeps_the_dtype`"),
    ],
)
def test_a_sheet_that_does_not_fit_grading_yml_is_refused(stage, old, new, says):
    replace_in(stage.sheet, old, new)
    with pytest.raises(ReleaseError) as caught:
        build_notebook(stage)
    assert str(caught.value).startswith(f"{stage.sheet}: ")
    assert says in str(caught.value)


def test_the_description_below_a_figure_is_its_alternative_text(stage):
    figure = "```python\nplt.plot([1, 2])\n```\n\n*A rising\nline.* It is blue.\n\n## Twice\n"
    replace_in(stage.sheet, "## Twice\n", figure)
    notebook = nbformat.reads(build_notebook(stage), as_version=4)
    (cell,) = [cell for cell in notebook.cells if "plt.plot" in cell.source]
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})]
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'alt="A rising line."' in page


def test_a_missing_sheet_is_named(stage):
    stage.sheet.unlink()
    with pytest.raises(ReleaseError, match=r"lab\.md is missing"):
        build_notebook(stage)


def test_the_sheet_imports_the_module(stage):
    assert f"import {MODULE}" in build_notebook(stage)
