"""The course's own solutions, which your course may release after a due date."""

import json
from dataclasses import dataclass

from lab.code import Module
from lab.course import CompanionError, Course, Exercise
from lab.progress import read_module

SOLUTIONS_FILE = "lab/solutions.json"


@dataclass(frozen=True)
class Solution:
    """One exercise twice: the student's code, and the course's with the helpers that it uses."""

    exercise: Exercise
    yours: str
    ours: str


def released_solution(course: Course, exercise: Exercise) -> Solution | None:
    """Return the course's solution of an exercise; None if the course has not released it.

    Raises:
        CompanionError: the file with the solutions, or the student's module, cannot be read.
    """
    file = course.root / SOLUTIONS_FILE
    try:
        text = json.loads(file.read_text(encoding="utf-8")).get(exercise.stage)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise CompanionError(f"{SOLUTIONS_FILE} cannot be read ({error}); fetch it again from your course") from None
    if not isinstance(text, str) or exercise.attachments:
        return None
    stage = course.stage(exercise.stage)
    ours, yours = Module.parse(text, SOLUTIONS_FILE), read_module(course.root, stage)
    others = {other.name for other in stage.exercises} - {exercise.name}
    return Solution(exercise, _code(yours, exercise.name, others), _code(ours, exercise.name, others))


def _code(module: Module, name: str, others: set[str]) -> str:
    """Return a definition and the helpers that it uses, in the order of the module, without their docstrings."""
    wanted = {name} | {used for used in module.mentions(name) if used not in others}
    docstrings = module.docstring_lines()
    spans = sorted(span for used in wanted if (span := module.lines(used)) is not None)
    lines = [(number, line) for number, line in enumerate(module.text.split("\n")) if number not in docstrings]
    return "\n\n\n".join("\n".join(line for number, line in lines if start <= number < end) for start, end in spans)
