"""The course's own code for a stage, read from disk once."""

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course.lab import Lab, StageFolders
from autograder.course.mistakes import Mistake, load_mistakes


@dataclass(frozen=True)
class Trusted:
    """The references of a stage's module and of all modules it builds on, and the stage's mistakes."""

    modules: Mapping[str, str]
    mistakes: tuple[Mistake, ...]


def read_trusted(lab: Lab, stage: StageFolders) -> Trusted:
    """Read what the judge needs of the course's own code.

    Raises:
        LabError: a reference or the catalogue of mistakes is missing or contradicts itself.
    """
    modules = {one.stage.module: one.reference_source() for one in needed_stages(lab, stage)}
    return Trusted(modules, load_mistakes(stage))


def needed_stages(lab: Lab, stage: StageFolders) -> list[StageFolders]:
    """The stage and every earlier stage that its module needs, directly or not, earliest first."""
    wanted = {stage.id}
    for other in reversed(lab.stages()):
        if other.id in wanted:
            wanted.update(other.stage.needs)
    return [one for one in lab.stages() if one.id in wanted]
