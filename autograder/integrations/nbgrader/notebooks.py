"""The notebook that nbgrader shows: the released notebook with the student's answers and the judge's results."""

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, is_grade, is_solution

from autograder.base.results import CheckResult, StageReport
from autograder.base.sinks import one_line, visible
from autograder.course.lab import Lab, StageFolders
from autograder.intake import StageSubmission, graft_answers
from autograder.integrations.nbgrader.answer_html import safe_answer, safe_text
from autograder.integrations.nbgrader.course import step_folder
from autograder.integrations.nbgrader.faults import GradebookError
from autograder.integrations.nbgrader.scores import automatic_score, checks_of
from autograder.release import check_id


def released_notebook(lab: Lab, stage: StageFolders) -> str:
    """Read the stage's notebook as students received it, as JSON.

    Raises:
        GradebookError: the notebook has not been released.
    """
    path = step_folder(lab, "source") / stage.id / f"{stage.spec.module}.ipynb"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GradebookError(f"{path} is missing; run `autograder release`") from None


def answered_notebook(lab: Lab, submission: StageSubmission) -> NotebookNode:
    """Put the student's answers into the released notebook, whatever the submitted notebook looks like.

    Raises:
        GradebookError: the notebook has not been released.
    """
    released = released_notebook(lab, lab.stage(submission.stage))
    return read_notebook(graft_answers(released, submission.answers).notebook)


def read_notebook(text: str) -> NotebookNode:
    """Parse a notebook that the grader wrote."""
    notebook: NotebookNode = nbformat.reads(text, as_version=4)
    return notebook


def answers_in(notebook: NotebookNode) -> dict[str, str | None]:
    """Map each question to the student's answer; None if the cell is unchanged or empty."""
    return {
        cell.metadata.nbgrader.grade_id: None if _is_untouched(cell) or not cell.source.strip() else cell.source
        for cell in notebook.cells
        if is_grade(cell) and is_solution(cell)
    }


def _is_untouched(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("checksum") == compute_checksum(cell))


def add_results(notebook: NotebookNode, stage: StageFolders, report: StageReport, source: str | None) -> None:
    """Write a report into the notebook's graded cells, and the student's module below them.

    Every graded cell gets an explicit number as its result, because nbgrader gives full points to a cell
    without a number.

    Args:
        notebook: the released notebook with the student's answers.
        stage: its stage.
        report: a report of a graded submission.
        source: the student's module; None if there is no module to show.
    """
    for name in stage.spec.graded:
        cell = _graded_cell(notebook, name)
        score = automatic_score(report, name)
        assert score is not None
        cell.outputs = [_shown(checks_of(report, name)), _result(score)]
        cell.execution_count = None
    if source is not None:
        notebook.cells += _module_cells(f"{stage.spec.module}.py", source)


def make_safe(notebook: NotebookNode) -> None:
    """Render the student's answers, because formgrader shows them in the instructor's own Jupyter."""
    for cell in notebook.cells:
        if is_grade(cell) and is_solution(cell) and cell.cell_type == "markdown" and not _is_untouched(cell):
            cell.source = safe_answer(cell.source)


def _graded_cell(notebook: NotebookNode, exercise: str) -> NotebookNode:
    cell: NotebookNode
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == check_id(exercise):
            return cell
    raise GradebookError(f"the released notebook has no cell for the exercise `{exercise}`; run `autograder release`")


def _result(score: float) -> NotebookNode:
    return NotebookNode(nbformat.v4.new_output("execute_result", data={"text/plain": repr(score)}))


def _shown(checks: list[CheckResult]) -> NotebookNode:
    """The checks as an HTML table, and as plain text."""
    rows = "".join(_row(check) for check in checks)
    table = f"<table><thead><tr><th>check</th><th>points</th><th>result</th></tr></thead><tbody>{rows}</tbody></table>"
    text = "\n".join(_line(check) for check in checks)
    return NotebookNode(nbformat.v4.new_output("display_data", data={"text/html": table, "text/plain": text}))


def _row(check: CheckResult) -> str:
    cells = (check.title, _points(check), ". ".join(_feedback(check)))
    return "<tr>" + "".join(f'<td style="text-align: left">{safe_text(text)}</td>' for text in cells) + "</tr>"


def _line(check: CheckResult) -> str:
    return one_line(f"[{_points(check)}] {check.title}: {'; '.join(_feedback(check))}")


def _points(check: CheckResult) -> str:
    return f"{check.score}/{check.points}{' extra' if check.bonus else ''}"


def _feedback(check: CheckResult) -> list[str]:
    """The decision about a check, and its symptom, location and hint, without empty texts."""
    hint = f"Hint: {check.hint}" if check.hint else ""
    texts = ("passed",) if check.passed else (check.what, check.where, hint)
    return [text for text in (check.decision, *texts) if text]


def _module_cells(file: str, source: str) -> list[NotebookNode]:
    """The submitted module. Programs that execute the notebook skip its cell, because of the tag."""
    heading = nbformat.v4.new_markdown_cell(f"## Handed in: {file}", id="handed-in")
    shown = "\n".join(visible(line.rstrip("\r")) for line in source.split("\n"))
    module = nbformat.v4.new_code_cell(shown, id="handed-in-module", metadata={"tags": ["skip-execution"]})
    return [heading, module]
