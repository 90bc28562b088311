"""Read ``grading.yml`` into frozen structures; errors name the line, the value and the closest known name.

No other file lists stages, exercises, points, limits and policy. ``schema`` derives the JSON Schema of the file, for
editors, from the structures below.
"""

import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec

from autograder.course.forbidden import FORBIDDEN_BY, forbidden_functions, full_name
from autograder.course.model_limits import ModelLimits, check_model_limits
from autograder.course.policy import LatePolicy, Policies, check_policies
from autograder.course.speedrun import Speedrun, accept_underscores, check_speedrun
from autograder.course.yaml_source import ConfigError, YamlSource, nearest

__all__ = [
    "Check",
    "Config",
    "ConfigError",
    "Exercise",
    "LatePolicy",
    "ManualQuestion",
    "ModelLimits",
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
Forbidden = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(FORBIDDEN_BY)})]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]

# Names that nbgrader and every file system accept.
_FOLDER_NAME = re.compile(r"\w[\w-]*", re.ASCII)
_TARGET_NAME = re.compile(r"(least|most)_\w+", re.ASCII)
_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
# A submission's module must not replace one of these modules.
_LIBRARIES = frozenset({"hypothesis", "numpy", "pytest", "torch"})


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ResourceLimits(_Section, frozen=True, kw_only=True):
    """Limits on the resources that student code uses, counted per call, per check or for all checks of the stage."""

    call_cpu_seconds: PositiveFloat = 4.0
    check_cpu_seconds: PositiveFloat = 30.0
    stage_cpu_seconds: PositiveFloat = 120.0
    memory_mb: PositiveInt = 1024
    reply_mb: PositiveInt = 64


class Exercise(_Section, frozen=True, kw_only=True):
    """One exercise: its hidden checks and their points. Its title and hints are in ``exercises.yml``."""

    checks: Annotated[dict[str, Points], msgspec.Meta(min_length=1)]
    attachments: tuple[Text, ...] = ()  # files submitted beside the module that its checks read
    forbid: tuple[Forbidden, ...] = ()  # what the student's module must not call: normalisation, torch.softmax
    bonus: bool = False
    dropped: bool = False  # students receive it solved; it has no points. Its files stay, and so does its proof

    @property
    def points(self) -> int:
        """Total points of its checks."""
        return sum(self.checks.values())

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Full names of the functions and classes that the student's module must not call."""
        return forbidden_functions(self.forbid)


@dataclass(frozen=True)
class Check:
    """One hidden check of a stage: its id (the name of its test function), its exercise and its points."""

    id: str
    exercise: str
    points: int


class ManualQuestion(_Section, frozen=True, kw_only=True):
    """A question that students answer in the lab sheet and a person grades."""

    title: Text
    points: Points


class Stage(_Section, frozen=True, kw_only=True, dict=True):
    """One stage: a folder in ``solutions``, a folder in ``tests/hidden`` and this entry."""

    title: Text
    module: str
    needs: tuple[str, ...] = ()  # earlier stages whose modules this one imports
    data: tuple[str, ...] = ()  # folders of data/ that the release gives to students
    due: Timestamp | None = None
    max_examples: PositiveInt = 20
    limits: ResourceLimits = ResourceLimits()
    attachments: dict[str, PositiveInt] = {}  # files submitted beside the module → largest size in MB
    entries: dict[str, PositiveInt] = {}  # the same for the leaderboard: no check reads them, no grade depends on them
    speedrun: Speedrun | None = None
    model_limits: ModelLimits | None = None  # of the trained model among the attachments
    targets: dict[str, PositiveFloat] = {}  # what trained models must reach, for hidden tests and lab sheets
    exercises: Annotated[dict[str, Exercise], msgspec.Meta(min_length=1)]
    questions: dict[str, ManualQuestion] = {}

    @cached_property
    def graded(self) -> Mapping[str, Exercise]:
        """The exercises that students do and that have points: all but those that are dropped."""
        return {name: exercise for name, exercise in self.exercises.items() if not exercise.dropped}

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks of all exercises, in the order of the file; those of dropped exercises included."""
        return tuple(
            Check(check, name, points)
            for name, exercise in self.exercises.items()
            for check, points in exercise.checks.items()
        )

    @cached_property
    def points_of_checks(self) -> Mapping[str, int]:
        """Check → its points."""
        return {check.id: check.points for check in self.checks}

    @property
    def check_ids(self) -> tuple[str, ...]:
        """Ids of all checks, in the order of the file."""
        return tuple(check.id for check in self.checks)

    @property
    def attached_checks(self) -> frozenset[str]:
        """Ids of the checks that read attachments. They run separately, and only on the student's own modules."""
        return frozenset(check.id for check in self.checks if self.exercises[check.exercise].attachments)

    @property
    def code_checks(self) -> frozenset[str]:
        """Ids of all other checks, which do not read attachments."""
        return frozenset(self.check_ids) - self.attached_checks

    @property
    def points(self) -> int:
        """Total points of the automatic checks, without those of bonus exercises."""
        return sum(exercise.points for exercise in self.graded.values() if not exercise.bonus)


class Config(_Section, frozen=True, kw_only=True):
    """The content of ``grading.yml``."""

    format_version: int
    course: Text
    policies: Policies = Policies()
    stages: Annotated[dict[str, Stage], msgspec.Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``grading.yml``, for editors."""
    generated = msgspec.json.schema(Config)
    accept_underscores(generated)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "grading.yml", **generated}


def load_config(path: Path) -> Config:
    """Read and check ``grading.yml``.

    Raises:
        ConfigError: the file cannot be read or is not YAML, a key is unknown, a value is invalid, or stages contradict
            each other. The message starts with the file and the line.
    """
    source = YamlSource(path)
    config = source.convert(Config)
    if config.format_version != FORMAT_VERSION:
        problem = f"{config.format_version} is unknown; this program reads {FORMAT_VERSION}"
        raise source.error(("format_version",), problem)
    _check_stages(config, source)
    points = {stage_id: stage.points_of_checks for stage_id, stage in config.stages.items()}
    check_policies(config.policies, points, ("policies",), source)
    return config


def _check_stages(config: Config, source: YamlSource) -> None:
    """Check the rules that types do not express: references between stages, and valid, unique names."""
    earlier: list[str] = []
    modules: dict[str, str] = {}
    for stage_id, stage in config.stages.items():
        keys = ("stages", stage_id)
        if not _FOLDER_NAME.fullmatch(stage_id):
            raise source.error(keys, f"`{stage_id}` must be a folder name of letters, digits, _ and -")
        for needed in stage.needs:
            if needed not in earlier:
                raise source.error((*keys, "needs"), f"no earlier stage named `{needed}`{nearest(needed, earlier)}")
        _check_module(stage.module, modules, (*keys, "module"), source)
        _check_names(stage, keys, source)
        if stage.speedrun is not None:
            _check_module(stage.speedrun.module, {stage.module: stage_id}, (*keys, "speedrun", "module"), source)
            check_speedrun(stage.speedrun, stage.entries, (*keys, "speedrun"), source)
        elif stage.entries:
            raise source.error((*keys, "entries"), "a stage with entries needs `speedrun`: its limits and events")
        if stage.model_limits is not None:
            check_model_limits(stage.model_limits, (*keys, "model_limits"), source)
        for part, whole in (("call", "check"), ("check", "stage")):
            if getattr(stage.limits, f"{part}_cpu_seconds") > getattr(stage.limits, f"{whole}_cpu_seconds"):
                problem = f"{part}_cpu_seconds must be at most {whole}_cpu_seconds: a {part} is part of a {whole}"
                raise source.error((*keys, "limits"), problem)
        earlier.append(stage_id)
        modules[stage.module] = stage_id


def _check_module(module: str, taken: Mapping[str, str], keys: tuple[str, ...], source: YamlSource) -> None:
    if not module.isidentifier() or keyword.iskeyword(module):
        raise source.error(keys, f"`{module}` is not a Python module name")
    if module in sys.stdlib_module_names or module in _LIBRARIES:
        raise source.error(keys, f"`{module}` is the name of a module of Python or of the lab's libraries")
    if module in taken:
        raise source.error(keys, f"`{module}` is already the module of {taken[module]}")


def _check_names(stage: Stage, keys: tuple[str, ...], source: YamlSource) -> None:
    """Check the names of exercises, checks, targets, questions, attachments and entries."""
    taken = {f"{stage.module}.py", f"{stage.module}.ipynb"}
    for key, name in [*product(["attachments"], stage.attachments), *product(["entries"], stage.entries)]:
        if not _FILE_NAME.fullmatch(name) or name in taken:
            raise source.error((*keys, key, name), f"`{name}` must be the name of an additional file")
        taken.add(name)
    if not stage.graded:
        raise source.error((*keys, "exercises"), "every exercise is dropped; a stage needs at least one")
    owners: dict[str, str] = {}
    for name, exercise in stage.exercises.items():
        here = (*keys, "exercises", name)
        if not name.isidentifier():
            raise source.error(here, f"`{name}` must be the name of a function or class")
        for index, forbidden in enumerate(exercise.forbid):
            if forbidden not in FORBIDDEN_BY:
                close = nearest(full_name(forbidden), FORBIDDEN_BY)
                problem = f"`{forbidden}` cannot be forbidden: autograder/course/forbidden.py does not list it{close}"
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
    for target in stage.targets:
        if not _TARGET_NAME.fullmatch(target):
            problem = f"`{target}` must begin with `least_` or `most_`, followed by the name of what is measured"
            raise source.error((*keys, "targets", target), problem)
    for question in stage.questions:
        if not _FOLDER_NAME.fullmatch(question):
            where = (*keys, "questions", question)
            raise source.error(where, f"`{question}` must be a cell id of letters, digits, _ and -")
