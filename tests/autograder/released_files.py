"""The files of the tiny lab as students received them."""

import json

from tiny_lab import QUESTION, STAGE

from autograder.course.lab import Lab
from autograder.release import strip_solutions
from autograder.release.sheets import build_notebook

ANSWER = "Without an axis, everything would be added up."


def released_stub(lab: Lab, stage_id: str = STAGE) -> str:
    """The stub of a stage."""
    stage = lab.stage(stage_id)
    return strip_solutions(stage.reference_source(), str(stage.reference))


def answered_sheet(lab: Lab, answer: str | None, stage_id: str = STAGE) -> bytes:
    """The lab sheet of a stage with an answer to its question; without one, as it was released."""
    notebook = json.loads(build_notebook(lab.stage(stage_id)))
    for cell in notebook["cells"]:
        if answer is not None and cell["metadata"].get("nbgrader", {}).get("grade_id") == QUESTION:
            cell["source"] = [answer]
    return json.dumps(notebook).encode()
