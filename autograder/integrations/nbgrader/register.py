"""Stages → assignments of the gradebook."""

from typing import Any

from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.preprocessors import SaveCells
from nbgrader.utils import is_grade, is_locked, is_solution

from autograder.course.lab import Lab, StageFolders
from autograder.integrations.nbgrader.course import LOCK_SECONDS, database_url, open_gradebook
from autograder.integrations.nbgrader.faults import GradebookError, explained
from autograder.integrations.nbgrader.notebooks import read_notebook, released_notebook
from autograder.release import check_id


def register_release(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> None:
    """Update the gradebook's assignments to the release: cells, points and due dates.

    Exercises may be added and points changed at any time; existing submissions get the new cells when they
    are filed again.

    Raises:
        GradebookError: a stage has not been released, or the release lacks a cell that submissions have.
    """
    for stage in lab.stages():
        notebook = read_notebook(released_notebook(lab, stage))
        with open_gradebook(lab, lock_seconds) as gradebook:
            gradebook.update_or_create_assignment(stage.id, duedate=stage.spec.due, course_id=lab.config.course)
            if _is_current(gradebook, stage, notebook):
                continue
            _prepare_submitted(gradebook, stage, notebook)
        resources = {
            "nbgrader": {
                "notebook": stage.spec.module,
                "assignment": stage.id,
                "db_url": database_url(lab, lock_seconds),
            }
        }
        with explained(lab):
            SaveCells().preprocess(notebook, resources)


def _is_current(gradebook: Any, stage: StageFolders, notebook: NotebookNode) -> bool:
    registered = _registered(gradebook, stage)
    if registered is None:
        return False
    points = {cell.name: cell.max_score for cell in registered.grade_cells}
    checksums = {cell.name: cell.checksum for cell in registered.source_cells}
    cells = _marked_cells(notebook)
    released = {name: cell.metadata.nbgrader.checksum for name, cell in cells.items()}
    return points == _points(cells) and checksums == released


def _registered(gradebook: Any, stage: StageFolders) -> Any:
    try:
        return gradebook.find_notebook(stage.spec.module, stage.id)
    except MissingEntry:
        return None


def _marked_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def _points(cells: dict[str, NotebookNode]) -> dict[str, float]:
    return {name: float(cell.metadata.nbgrader.points) for name, cell in cells.items() if is_grade(cell)}


def _prepare_submitted(gradebook: Any, stage: StageFolders, notebook: NotebookNode) -> None:
    """Make the changes that nbgrader omits or refuses once an assignment has submissions."""
    registered = _registered(gradebook, stage)
    if registered is None or not registered.submissions:
        return
    cells = _marked_cells(notebook)
    _remove_dropped(gradebook, stage, registered)
    _refuse_removed_cells(stage, registered, cells)
    _add_cells(gradebook, stage, registered, cells)
    points = _points(cells)
    for cell in registered.grade_cells:
        if not cell.max_score and points[cell.name]:
            # The exercise was an extension and no longer is: its points are its score, not extra credit.
            for grade in cell.grades:
                grade.extra_credit = None
    gradebook.db.commit()


def _remove_dropped(gradebook: Any, stage: StageFolders, registered: Any) -> None:
    """Remove the cells of dropped exercises, with their automatic scores."""
    names = {check_id(name) for name, exercise in stage.spec.exercises.items() if exercise.dropped}
    cells = [cell for cell in registered.grade_cells if cell.name in names]
    by_hand = [cell.name for cell in cells if any(grade.manual_score is not None for grade in cell.grades)]
    if by_hand:
        raise GradebookError(
            f"{stage.id}: points by hand were given in cells of dropped exercises: {', '.join(sorted(by_hand))}; "
            "remove them in formgrader, or keep the exercise"
        )
    for row in (*(grade for cell in cells for grade in cell.grades), *cells):
        gradebook.db.delete(row)
    for cell in [cell for cell in registered.source_cells if cell.name in names]:
        gradebook.db.delete(cell)
    gradebook.db.commit()


def _refuse_removed_cells(stage: StageFolders, registered: Any, cells: dict[str, NotebookNode]) -> None:
    known = {cell.name for cell in registered.source_cells}
    if removed := sorted(known - cells.keys()):
        raise GradebookError(
            f"the gradebook has submissions of {stage.id} with cells that the release no longer has: "
            f"{', '.join(removed)}; restore them in grading.yml and lab.md, or remove the stage with all its manual "
            f"grades with `nbgrader db assignment remove {stage.id} --force`, and file again"
        )


def _add_cells(gradebook: Any, stage: StageFolders, registered: Any, cells: dict[str, NotebookNode]) -> None:
    names = (stage.spec.module, stage.id)
    for name in sorted(cells.keys() - {cell.name for cell in registered.source_cells}):
        cell = cells[name]
        marks = cell.metadata.nbgrader
        if is_grade(cell):
            gradebook.update_or_create_grade_cell(name, *names, max_score=float(marks.points), cell_type=cell.cell_type)
        if is_solution(cell):
            gradebook.update_or_create_solution_cell(name, *names)
        gradebook.update_or_create_source_cell(
            name, *names, cell_type=cell.cell_type, locked=is_locked(cell), source=cell.source, checksum=marks.checksum
        )
