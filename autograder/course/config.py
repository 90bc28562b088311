"""``grading.yml`` → frozen structures, with errors that name the line, the value and the nearest name.

The file is the only place that lists stages, exercises, points, limits and policy. Its JSON Schema
(for editors) is derived from the structures below: see ``schema``.
"""

import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec

from autograder.course.forbidden import FORBIDDABLE, full_name
from autograder.course.speedrun import Speedrun, accept_underscores, check_speedrun
from autograder.course.yaml_source import ConfigError, YamlSource, nearest

__all__ = [
    "Check",
    "Config",
    "ConfigError",
    "Exercise",
    "LatePolicy",
    "ManualQuestion",
    "Policies",
    "ResourceLimits",
    "Speedrun",
    "Stage",
    "load_config",
    "schema",
]

FORMAT_VERSION = 1

Text = Annotated[str, msgspec.Meta(min_length=1)]
Points = Annotated[int, msgspec.Meta(ge=1, le=100)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Forbidden = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(FORBIDDABLE)})]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

# What nbgrader and every file system take as a name.
_FOLDER_NAME = re.compile(r"\w[\w-]*", re.ASCII)
_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
# A submission's file never takes the place of one of these.
_LIBRARIES = frozenset({"hypothesis", "numpy", "pytest", "torch"})


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ResourceLimits(_Table, frozen=True, kw_only=True):
    """What student code may use; counted per call or per check."""

    call_cpu_seconds: PositiveFloat = 4.0
    check_cpu_seconds: PositiveFloat = 30.0
    memory_mb: PositiveInt = 1024
    reply_mb: PositiveInt = 64


class LatePolicy(_Table, frozen=True, kw_only=True):
    """Share of a stage's score lost per day begun after the due date, and when nothing is left to lose."""

    per_day: Share = 0.0
    max_days: NonNegativeInt = 7
    grace_minutes: NonNegativeInt = 10


class Policies(_Table, frozen=True, kw_only=True):
    """How points become grades."""

    late: LatePolicy = LatePolicy()
    extensions: dict[str, dict[str, NonNegativeInt]] = {}  # student → stage → days
    attempts: PositiveInt | None = None  # graded submissions that count per stage; None for any number
    count_bonus: bool = True


class Exercise(_Table, frozen=True, kw_only=True):
    """One exercise: its hidden checks with their points. Its title and hints are in ``exercises.yml``."""

    checks: Annotated[dict[str, Points], msgspec.Meta(min_length=1)]
    attachments: tuple[Text, ...] = ()  # further files of the hand-in that its checks look at
    forbid: tuple[Forbidden, ...] = ()  # what the student's own module may not call, e.g. torch.softmax
    bonus: bool = False

    @property
    def points(self) -> int:
        """Points of all its checks."""
        return sum(self.checks.values())


@dataclass(frozen=True)
class Check:
    """One hidden check of a stage: its id, which is its test function's name, its exercise and its points."""

    id: str
    exercise: str
    points: int


class ManualQuestion(_Table, frozen=True, kw_only=True):
    """A question answered in the lab sheet and graded by a person."""

    title: Text
    points: Points


class Stage(_Table, frozen=True, kw_only=True):
    """One stage: a folder in ``solutions``, a folder in ``tests/hidden`` and this entry."""

    title: Text
    module: str
    needs: tuple[str, ...] = ()  # earlier stages whose modules this one imports
    data: tuple[str, ...] = ()  # folders of data/ that the release gives to students
    due: Moment | None = None
    max_examples: PositiveInt = 20
    limits: ResourceLimits = ResourceLimits()
    attachments: dict[str, PositiveInt] = {}  # files handed in beside the module → the most MB each may have
    entries: dict[str, PositiveInt] = {}  # the same for the leaderboard: no check reads them, no grade depends on them
    speedrun: Speedrun | None = None
    exercises: Annotated[dict[str, Exercise], msgspec.Meta(min_length=1)]
    questions: dict[str, ManualQuestion] = {}

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks of all exercises, in the order shown."""
        return tuple(
            Check(check, name, points)
            for name, exercise in self.exercises.items()
            for check, points in exercise.checks.items()
        )

    @property
    def check_ids(self) -> tuple[str, ...]:
        """Ids of all checks, in the order shown."""
        return tuple(check.id for check in self.checks)

    @property
    def attached_checks(self) -> frozenset[str]:
        """The checks that look at attachments; they run apart, on the student's own modules throughout."""
        return frozenset(check.id for check in self.checks if self.exercises[check.exercise].attachments)

    @property
    def code_checks(self) -> frozenset[str]:
        """All other checks: they look at the module alone."""
        return frozenset(self.check_ids) - self.attached_checks

    @property
    def points(self) -> int:
        """Points of the automatic checks, extensions apart."""
        return sum(exercise.points for exercise in self.exercises.values() if not exercise.bonus)


class Config(_Table, frozen=True, kw_only=True):
    """The whole of ``grading.yml``."""

    format_version: int
    course: Text
    policies: Policies = Policies()
    stages: Annotated[dict[str, Stage], msgspec.Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """The JSON Schema of ``grading.yml``, for editors."""
    generated = msgspec.json.schema(Config)
    accept_underscores(generated)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "grading.yml", **generated}


def load_config(path: Path) -> Config:
    """Read and check ``grading.yml``.

    Raises:
        ConfigError: unreadable, not YAML, an unknown key, a bad value, or stages that contradict
            each other. The message starts with the file and the line.
    """
    source = YamlSource(path)
    config = source.convert(Config)
    if config.format_version != FORMAT_VERSION:
        problem = f"{config.format_version} is not known; this program reads {FORMAT_VERSION}"
        raise source.error(("format_version",), problem)
    _check_stages(config, source)
    _check_extensions(config, source)
    return config


def _check_stages(config: Config, source: YamlSource) -> None:
    """What types cannot say: references between stages, names that must be unique or possible."""
    earlier: list[str] = []
    modules: dict[str, str] = {}
    for stage_id, stage in config.stages.items():
        place = ("stages", stage_id)
        if not _FOLDER_NAME.fullmatch(stage_id):
            raise source.error(place, f"`{stage_id}` names a folder: write it in letters, digits, _ and -")
        for needed in stage.needs:
            if needed not in earlier:
                raise source.error((*place, "needs"), f"no earlier stage named `{needed}`{nearest(needed, earlier)}")
        _check_module(stage.module, modules, (*place, "module"), source)
        _check_names(stage, place, source)
        if stage.speedrun is not None:
            _check_module(stage.speedrun.module, {stage.module: stage_id}, (*place, "speedrun", "module"), source)
            check_speedrun(stage.speedrun, stage.entries, (*place, "speedrun"), source)
        elif stage.entries:
            raise source.error((*place, "entries"), "a stage with entries needs `speedrun`: its limits and events")
        if stage.limits.call_cpu_seconds > stage.limits.check_cpu_seconds:
            raise source.error((*place, "limits"), "one call may not take longer than a whole check")
        earlier.append(stage_id)
        modules[stage.module] = stage_id


def _check_module(module: str, taken: Mapping[str, str], place: tuple[str, ...], source: YamlSource) -> None:
    if not module.isidentifier() or keyword.iskeyword(module):
        raise source.error(place, f"`{module}` is not a Python module name")
    if module in sys.stdlib_module_names or module in _LIBRARIES:
        raise source.error(place, f"`{module}` is a module that Python or the lab already has")
    if module in taken:
        raise source.error(place, f"`{module}` is already the module of {taken[module]}")


def _check_names(stage: Stage, place: tuple[str, ...], source: YamlSource) -> None:
    """Exercises, checks, questions and attachments are found by their names."""
    taken = {f"{stage.module}.py", f"{stage.module}.ipynb"}
    for key, name in [*product(["attachments"], stage.attachments), *product(["entries"], stage.entries)]:
        if not _FILE_NAME.fullmatch(name) or name in taken:
            raise source.error((*place, key, name), f"`{name}` must be the name of a further file")
        taken.add(name)
    owners: dict[str, str] = {}
    for name, exercise in stage.exercises.items():
        here = (*place, "exercises", name)
        if not name.isidentifier():
            raise source.error(here, f"`{name}` must be the name of a function or class")
        for index, forbidden in enumerate(exercise.forbid):
            if forbidden not in FORBIDDABLE:
                close = nearest(full_name(forbidden), FORBIDDABLE)
                problem = f"`{forbidden}` is not known as something to forbid{close}"
                raise source.error((*here, "forbid", str(index)), problem)
        for index, attachment in enumerate(exercise.attachments):
            if attachment not in stage.attachments:
                problem = f"`{attachment}` is not among the stage's attachments{nearest(attachment, stage.attachments)}"
                raise source.error((*here, "attachments", str(index)), problem)
        for check in exercise.checks:
            if check in owners:
                raise source.error((*here, "checks", check), f"`{check}` is already listed under {owners[check]}")
            if not check.startswith("test_") or not check.isidentifier():
                raise source.error((*here, "checks", check), f"`{check}` must be the name of a test function, test_…")
            owners[check] = name
    for question in stage.questions:
        if not _FOLDER_NAME.fullmatch(question):
            where = (*place, "questions", question)
            raise source.error(where, f"`{question}` names a cell: write it in letters, digits, _ and -")


def _check_extensions(config: Config, source: YamlSource) -> None:
    for student, stages in config.policies.extensions.items():
        for stage_id in stages:
            if stage_id not in config.stages:
                where = ("policies", "extensions", student, stage_id)
                raise source.error(where, f"no stage named `{stage_id}`{nearest(stage_id, config.stages)}")
