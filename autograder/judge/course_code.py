"""The course's own code for a stage, read from disk once."""

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.course.mistakes import Mistake, load_mistakes


@dataclass(frozen=True)
class CourseCode:
    """The references of a stage's module and of all modules it builds on, and the stage's mistakes."""

    modules: Mapping[str, str]
    mistakes: tuple[Mistake, ...]


def read_course_code(lab: Lab, stage: StageFolders) -> CourseCode:
    """Read what the judge needs of the course's own code.

    Raises:
        LabError: a reference or the catalogue of mistakes is missing or contradicts itself.
    """
    modules = {one.spec.module: one.reference_source() for one in needed_stages(lab, stage)}
    return CourseCode(modules, load_mistakes(stage))
