"""The course's own code for a stage, read from disk once."""

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.course.mistakes import Mistake, load_mistakes


@dataclass(frozen=True)
class CourseCode:
    """The trusted code of a stage.

    Attributes:
        modules: module name → source of its reference, for the stage and every stage it builds on.
        mistakes: the stage's mistakes.
    """

    modules: Mapping[str, str]
    mistakes: tuple[Mistake, ...]


def read_course_code(lab: Lab, stage: StageFolders) -> CourseCode:
    """Read the references and mistakes that the judge needs.

    Raises:
        LabError: a reference or the catalogue of mistakes is missing or contradicts itself.
    """
    modules = {needed.spec.module: needed.reference_source() for needed in needed_stages(lab, stage)}
    return CourseCode(modules, load_mistakes(stage))
