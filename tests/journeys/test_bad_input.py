"""A class of mostly broken or hostile hand-ins, graded by the real command.

Each student gets a clear message and the points for the correct parts, and no hand-in affects another student.
"""

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from tiny_lab import LOOP, MODULE, QUESTION, STAGE, build_tiny_lab, replace_in

from autograder.base.results import IsolationLevel, ReportState, StageReport, decode_results
from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import open_gradebook
from autograder.release.sheets import build_notebook

FULL = 7
ANSWER = "Without an axis, everything would be added up."


@dataclass(frozen=True)
class Case:
    """One student's hand-in, its expected points, and words that each lost check's message must contain."""

    points: int
    says: str = ""
    module: str | bytes | None = LOOP
    notebook: bytes | None = None
    archive: bytes | None = None
    lost: frozenset[str] = field(default_factory=frozenset)


def archive_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, LOOP)
    return buffer.getvalue()


def with_double(body: str) -> str:
    """A correct module except for ``double``, whose three points are lost."""
    return LOOP.replace("return x + x", body)


CASES = {
    "ada-right": Case(FULL),
    "archive-right": Case(FULL, archive=archive_of(f"labs-main/{STAGE}/{MODULE}.py")),
    "archive-slip": Case(0, "leads out of the archive", archive=archive_of(f"../../{STAGE}/{MODULE}.py")),
    "archive-damaged": Case(0, "is damaged or not a zip archive", archive=b"PK\x03\x04 nothing"),
    "empty-folder": Case(0, "was not handed in", module=None),
    "syntax-error": Case(0, "SyntaxError", module=LOOP + "\ndef broken(:\n"),
    "wrong-encoding": Case(0, "is saved as UTF-16", module=LOOP.encode("utf-16")),
    "long-line": Case(0, "is larger than 256 KB", module="x = " + "1+" * 5 * 2**20 + "1\n"),
    "nested-parser-bomb": Case(0, "cannot be loaded", module="x = " + "(" * 4000 + "\n"),
    "infinite-loop": Case(4, "", module=with_double("while True: pass")),
    "hard-exit": Case(4, "", module=with_double("__import__('os')._exit(0)")),
    "eight-gigabytes": Case(4, "", module=with_double("return torch.ones(2**30, dtype=torch.float64)")),
    "exit-when-loaded": Case(0, "cannot be loaded", module="import os\nos._exit(0)\n" + LOOP),
    "hidden-characters": Case(FULL, module=LOOP + "# \u202e\n"),
    "notebook-broken": Case(FULL, notebook=b'{"cells": [{"sour'),
    "notebook-nested": Case(FULL, notebook=b'{"cells": ' + b"[" * 100_000),
    "zz-right": Case(FULL),
}
NO_NUMBER = {
    "archive-slip": ReportState.NOT_GRADED,
    "archive-damaged": ReportState.NOT_GRADED,
    "empty-folder": ReportState.NOT_BEGUN,
}
NOTEBOOKS = {"notebook-cells-deleted", "notebook-cells-doubled"}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = build_tiny_lab(tmp_path / "lab")
    replace_in(lab.root / "grading.yml", "call_cpu_seconds: 2.0", "call_cpu_seconds: 0.5")
    return lab


@pytest.fixture
def class_folder(tmp_path: Path, lab: Lab) -> Path:
    folder = tmp_path / "class"
    for student, case in CASES.items():
        stage_folder = folder / student / STAGE
        if case.archive is not None:
            folder.mkdir(exist_ok=True)
            (folder / f"{student}.zip").write_bytes(case.archive)
            continue
        stage_folder.mkdir(parents=True)
        write(stage_folder / f"{MODULE}.py", case.module)
        write(stage_folder / f"{MODULE}.ipynb", case.notebook)
    (folder / "link-to-reference" / STAGE).mkdir(parents=True)
    (folder / "link-to-reference" / STAGE / f"{MODULE}.py").symlink_to(lab.stage(STAGE).reference)
    for student, notebook in answered_notebooks(lab).items():
        (folder / student / STAGE).mkdir(parents=True)
        write(folder / student / STAGE / f"{MODULE}.py", LOOP)
        write(folder / student / STAGE / f"{MODULE}.ipynb", notebook)
    return folder


def write(path: Path, content: str | bytes | None) -> None:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def answered_notebooks(lab: Lab) -> dict[str, bytes]:
    """Notebooks with the question answered: with all other cells deleted, and with every cell duplicated."""
    notebook = json.loads(build_notebook(lab.stage(STAGE)))
    (answer,) = (cell for cell in notebook["cells"] if is_question(cell))
    answer["source"] = ANSWER
    return {
        "notebook-cells-deleted": json.dumps(notebook | {"cells": [answer]}).encode(),
        "notebook-cells-doubled": json.dumps(notebook | {"cells": notebook["cells"] * 2}).encode(),
    }


def is_question(cell) -> bool:
    return cell["metadata"].get("nbgrader", {}).get("grade_id") == QUESTION


def test_each_student_gets_a_clear_message_and_the_earned_points(lab, class_folder, tmp_path, autograder):
    results = tmp_path / "results.json"
    autograder("release", cwd=lab.root)
    printed = autograder("grade", class_folder, "--details", "--json", results, cwd=lab.root).stdout
    note = f"{STAGE}/{MODULE}.py contains U+202E RIGHT-TO-LEFT OVERRIDE in line 20"
    assert f"note: hidden-characters {STAGE}: {note}" in printed
    level, reports = decode_results(results.read_bytes())
    by_student = {report.student: report for report in reports}

    assert level is not IsolationLevel.NONE
    assert by_student.keys() == CASES.keys() | NOTEBOOKS | {"link-to-reference"}
    for student, case in CASES.items():
        report = by_student[student]
        assert report.score == case.points, f"{student}: {lines(report)}"
        state = NO_NUMBER.get(student, ReportState.GRADED)
        assert (report.state, report.graded) == (state, state is ReportState.GRADED), student
        for line in lines(report):
            assert case.says in line, student
    assert lines(by_student["link-to-reference"]) == [f"{STAGE}/{MODULE}.py is a link; hand in the file itself"] * 5
    assert {by_student[student].score for student in NOTEBOOKS} == {FULL}

    assert filed_scores(lab) == {
        student: report.score + report.bonus for student, report in by_student.items() if is_filed(student)
    }
    for student in NOTEBOOKS:
        filed = nbformat.read(lab.build / "nbgrader" / "autograded" / student / STAGE / f"{MODULE}.ipynb", as_version=4)
        (answer,) = (cell for cell in filed.cells if is_question(cell))
        assert BeautifulSoup(answer.source, "html.parser").text.strip() == ANSWER


def is_filed(student: str) -> bool:
    """Whether a student has an entry: a stage that was not begun has none."""
    return student != "empty-folder"


def lines(report: StageReport) -> list[str]:
    return [check.what for check in report.checks if not check.passed]


def filed_scores(lab: Lab) -> dict[str, float]:
    """The scores in nbgrader's gradebook by student."""
    with open_gradebook(lab) as gradebook:
        return {submission.student.id: submission.score for submission in gradebook.assignment_submissions(STAGE)}
