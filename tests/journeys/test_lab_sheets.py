"""Every lab sheet runs on the references without errors or warnings, and every figure is drawn and described."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.course.lab import Lab
from autograder.release.contents import assignments
from autograder.release.folders import replace_folder

LAB = Lab.find(Path(__file__).parent)
# Stops a cell that never ends, not a cell on a slow machine: a whole sheet takes well under a minute.
MAX_SECONDS_PER_CELL = 600
# Stage → number of trainings whose output shows the percentage of unseen sentences that are entirely correct, and the
# percentage that each training must reach.
_TRAININGS = {"5_transformer": 2}
_MIN_PERCENTAGE = 95.0
_PERCENTAGE = re.compile(r"([\d.]+)% of unseen right")
# The number of steps of a training. With half of them it misses its percentage, and the cells below it still run.
_TRAINING_STEPS = re.compile(r"(?<=\bsteps=)\d{3,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FIGURE = re.compile(r"\bplt\.(?:subplots|figure)\(")


@dataclass(frozen=True)
class Cell:
    """A code cell that was run; ``below`` is the text of the cell below it, if that is a Markdown cell."""

    source: str
    outputs: list[nbformat.NotebookNode]
    below: str

    @property
    def images(self) -> int:
        return sum("image/png" in output.get("data", {}) for output in self.outputs)

    @property
    def printed(self) -> str:
        texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in self.outputs]
        return _COLOURS.sub("", "".join(texts))

    @property
    def warnings(self) -> str:
        return "".join(output.text for output in self.outputs if output.get("name") == "stderr")


@dataclass(frozen=True)
class Sheet:
    """The code cells of one stage's sheet after a run."""

    stage: str
    cells: list[Cell]


@pytest.fixture(scope="module")
def student_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that students receive, with the references instead of the stubs."""
    folder = tmp_path_factory.mktemp("sheets") / "labs"
    replace_folder(folder, assignments(LAB))
    for stage in LAB.stages():
        (folder / stage.id / stage.reference.name).write_text(stage.reference_source(), encoding="utf-8")
    return folder


# Each stage as students run it; each stage in less time.
IN_FULL = [pytest.param((stage, True), id=f"{stage.id}-in-full", marks=pytest.mark.slow) for stage in LAB.stages()]
SHORT = [pytest.param((stage, False), id=f"{stage.id}-short") for stage in LAB.stages()]


@pytest.fixture(scope="module", params=[*SHORT, *IN_FULL])
def sheet(request: pytest.FixtureRequest, student_repository: Path) -> Sheet:
    """The code cells of one stage's sheet, run in order; the first error stops the run."""
    stage, in_full = request.param
    folder = student_repository / stage.id
    notebook = nbformat.read(folder / f"{stage.spec.module}.ipynb", as_version=4)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not in_full:
        for cell in notebook.cells:
            cell.source = _TRAINING_STEPS.sub(lambda steps: str(int(steps[0]) // 2), cell.source)
    client = NotebookClient(
        notebook, timeout=MAX_SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"})
    below = [*notebook.cells[1:], nbformat.v4.new_markdown_cell()]
    cells = [
        Cell(cell.source, cell.outputs, following.source if following.cell_type == "markdown" else "")
        for cell, following in zip(notebook.cells, below, strict=True)
        if cell.cell_type == "code"
    ]
    return Sheet(stage.id, cells)


def test_no_cell_prints_a_warning(sheet):
    assert [cell.warnings for cell in sheet.cells if cell.warnings] == []


def test_every_exercise_passes_its_public_tests(sheet):
    checks = [cell for cell in sheet.cells if cell.source.startswith("%check ")]
    assert {cell.source.split()[1] for cell in checks} == {*LAB.stage(sheet.stage).spec.exercises}
    for cell in checks:
        assert re.search(r"(\d+) of \1 tests pass|its files exist|not made yet", cell.printed), cell.printed


def test_every_figure_is_drawn(sheet):
    assert any(cell.images for cell in sheet.cells)
    for cell in sheet.cells:
        assert cell.images == len(_FIGURE.findall(cell.source)), cell.source


def test_every_figure_is_described_below_it(sheet):
    for cell in sheet.cells:
        if cell.images:
            assert re.match(r"\*[^*]", cell.below), f"a description in italics must follow\n{cell.source}"


@pytest.mark.parametrize("sheet", IN_FULL, indirect=True)
def test_every_training_reaches_the_percentage(sheet):
    percentages = [_PERCENTAGE.findall(cell.printed) for cell in sheet.cells]
    last = [float(training[-1]) for training in percentages if training]
    assert len(last) == _TRAININGS.get(sheet.stage, 0)
    assert all(percentage >= _MIN_PERCENTAGE for percentage in last), last
