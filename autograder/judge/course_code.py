"""The course's own code for a stage, read from disk once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from autograder.course.check_kinds import CheckKind, read_check_kinds
from autograder.course.dependencies import builds_on, extract
from autograder.course.lab import Lab, LabError, StageFolders, needed_stages
from autograder.course.mistakes import Mistake, load_mistakes
from autograder.isolation.replacement import Replacement


@dataclass(frozen=True)
class CourseCode:
    """The trusted code of a stage.

    Attributes:
        modules: module name → source of its reference, for the stage and every stage it builds on.
        mistakes: the stage's mistakes.
        builds_on: exercise → the exercises of this stage that it uses in the reference, directly or indirectly.
        stand_in: source of the module that stands in for exercises that did not pass; empty if no exercise builds
            on another.
        check_kinds: check → what it looks at.
        exercises: module name → the exercises that it defines, for every stage that the stage builds on.
    """

    modules: Mapping[str, str]
    mistakes: tuple[Mistake, ...]
    builds_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stand_in: str = ""
    check_kinds: Mapping[str, CheckKind] = field(default_factory=dict)
    exercises: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def replacement(self, exercises: Iterable[str]) -> Replacement:
        """Return the course's definitions of these exercises, with what these need and nothing else."""
        names = tuple(exercises)
        return Replacement(names, extract(self.stand_in, names))


def read_course_code(lab: Lab, stage: StageFolders) -> CourseCode:
    """Read the references, mistakes and stand-ins that the judge needs.

    Raises:
        LabError: a reference, the catalogue of mistakes or the stand-in is missing or contradicts itself.
    """
    stages = list(needed_stages(lab, stage))
    modules = {needed.spec.module: needed.reference_source() for needed in stages}
    exercises = {needed.spec.module: _defined_in(needed) for needed in stages if needed.id != stage.id}
    dependencies = builds_on(modules[stage.spec.module], stage.spec.exercises)
    needed = dict.fromkeys(chain.from_iterable(dependencies.values()))
    stand_in = stage.stand_in_source() if needed else ""
    for name in needed:
        if not extract(stand_in, [name]):
            raise LabError(f"{stage.stand_in} does not define `{name}`, on which other exercises build")
    return CourseCode(modules, load_mistakes(stage), dependencies, stand_in, read_check_kinds(stage), exercises)


def _defined_in(stage: StageFolders) -> tuple[str, ...]:
    """The exercises that the stage's module defines; a file that students hand in is none."""
    return tuple(name for name, exercise in stage.spec.exercises.items() if not exercise.attachments)
