"""``grading.yml`` → frozen structures, with errors that name the line, the value and the nearest name.

The file is the only place that lists stages, exercises, points, limits and policy. Its JSON Schema
(for editors) is derived from the structures below: see ``schema``.
"""

import difflib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

FORMAT_VERSION = 1

Points = Annotated[int, msgspec.Meta(ge=1, le=100)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ConfigError(ValueError):
    """``grading.yml`` cannot be used; the message names the line, the value and the fix."""


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
    attempts: NonNegativeInt = 0  # graded submissions that count per stage; 0 is any number
    count_bonus: bool = True


class Exercise(_Table, frozen=True, kw_only=True):
    """One exercise: what students see of it, and its hidden checks with their points."""

    title: str
    minutes: PositiveInt
    hints: Annotated[tuple[str, ...], msgspec.Meta(min_length=3, max_length=3)]
    checks: Annotated[dict[str, Points], msgspec.Meta(min_length=1)]
    bonus: bool = False

    @property
    def points(self) -> int:
        """Points of all its checks."""
        return sum(self.checks.values())


class ManualQuestion(_Table, frozen=True, kw_only=True):
    """A question answered in the lab sheet and graded by a person."""

    title: str
    points: Points


class Stage(_Table, frozen=True, kw_only=True):
    """One stage: a folder in ``solutions``, a folder in ``tests/hidden`` and this entry."""

    title: str
    module: str
    needs: tuple[str, ...] = ()  # earlier stages whose modules this one imports
    data: tuple[str, ...] = ()  # folders of data/ that the release gives to students
    due: datetime | None = None
    max_examples: PositiveInt = 20
    limits: ResourceLimits = ResourceLimits()
    exercises: Annotated[dict[str, Exercise], msgspec.Meta(min_length=1)]
    questions: dict[str, ManualQuestion] = {}

    @property
    def checks(self) -> dict[str, tuple[str, Exercise]]:
        """Check id → (exercise name, exercise), in the order shown."""
        return {check: (name, exercise) for name, exercise in self.exercises.items() for check in exercise.checks}

    @property
    def points(self) -> int:
        """Points of the automatic checks, extensions apart."""
        return sum(exercise.points for exercise in self.exercises.values() if not exercise.bonus)


class Config(_Table, frozen=True, kw_only=True):
    """The whole of ``grading.yml``."""

    format_version: int
    course: str
    policies: Policies = Policies()
    stages: Annotated[dict[str, Stage], msgspec.Meta(min_length=1)]


def schema() -> dict[str, Any]:
    """The JSON Schema of ``grading.yml``, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "grading.yml",
        **msgspec.json.schema(Config),
    }


def load_config(path: Path) -> Config:
    """Read and check ``grading.yml``.

    Raises:
        ConfigError: unreadable, not YAML, an unknown key, a bad value, or stages that contradict
            each other. The message starts with the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    source = _Source(path.name, text)
    source.refuse_unknown_keys(source.data, Config, ())
    try:
        config = msgspec.convert(source.data, Config, strict=True)
    except msgspec.ValidationError as error:
        raise source.error_from(error) from None
    if config.format_version != FORMAT_VERSION:
        raise source.error(("format_version",), f"{config.format_version} is not known; this program reads {FORMAT_VERSION}")
    _check_stages(config, source)
    return config


def _check_stages(config: Config, source: "_Source") -> None:
    """What types cannot say: references between stages, names that must be unique."""
    seen: list[str] = []
    modules: dict[str, str] = {}
    for stage_id, stage in config.stages.items():
        place = ("stages", stage_id)
        for needed in stage.needs:
            if needed not in seen:
                raise source.error((*place, "needs"), f"no earlier stage named `{needed}`{_nearest(needed, seen)}")
        if stage.module in modules:
            raise source.error((*place, "module"), f"`{stage.module}` is already the module of {modules[stage.module]}")
        if not stage.module.isidentifier():
            raise source.error((*place, "module"), f"`{stage.module}` is not a Python module name")
        owners: dict[str, str] = {}
        for name, exercise in stage.exercises.items():
            for check in exercise.checks:
                where = (*place, "exercises", name, "checks", check)
                if check in owners:
                    raise source.error(where, f"`{check}` is already listed under {owners[check]}")
                if not check.startswith("test_"):
                    raise source.error(where, f"`{check}` must be the name of a test function, test_…")
                owners[check] = name
        seen.append(stage_id)
        modules[stage.module] = stage_id
    for student, stages in config.policies.extensions.items():
        for stage_id in stages:
            if stage_id not in config.stages:
                where = ("policies", "extensions", student, stage_id)
                raise source.error(where, f"no stage named `{stage_id}`{_nearest(stage_id, list(config.stages))}")


def _nearest(name: str, known: list[str]) -> str:
    """``; nearest: `…``` when something close is known."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; nearest: `{close[0]}`" if close else ""


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a later key silently replace an earlier one: points would vanish without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"`{key}` appears twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Source:
    """The text of ``grading.yml``, to tell the line of a value from its path."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        try:
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.data = yaml.load(text, Loader=_UniqueKeyLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{name}:{line}: {error.problem}") from None
        if not isinstance(self.data, dict):
            raise ConfigError(f"{name}:1: expected a table of settings, starting with format_version")

    def line(self, path: tuple[str, ...]) -> int:
        """The line (from 1) of the deepest part of ``path`` that exists."""
        node, line = self.root, 1
        for part in path:
            found = next((pair for pair in _children(node) if pair[0] == part), None)
            if found is None:
                break
            _, line, node = found
        return line

    def error(self, path: tuple[str, ...], problem: str) -> ConfigError:
        return ConfigError(f"{self.name}:{self.line(path)}: {'.'.join(path)}: {problem}")

    def error_from(self, error: msgspec.ValidationError) -> ConfigError:
        """Turn msgspec's ``… - at `$.stages[...].title``` into a place in the file."""
        problem, _, where = str(error).partition(" - at `")
        place = where.strip("`").removeprefix("key in ").lstrip("$").replace("[...]", ".*").strip(".")
        for path in self._matches(tuple(part for part in place.split(".") if part)):
            try:
                # Several entries match a pattern with `*`: the one that fails alone is the one meant.
                _convert_at(self.data, path)
            except msgspec.ValidationError:
                return self.error(path, problem)
        return ConfigError(f"{self.name}: {place or 'top level'}: {problem}")

    def _matches(self, pattern: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        def walk(data: Any, rest: tuple[str, ...], done: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
            if not rest:
                yield done
            elif isinstance(data, dict):
                for key in data if rest[0] == "*" else [rest[0]]:
                    yield from walk(data.get(key), rest[1:], (*done, str(key)))

        return walk(self.data, pattern, ())

    def refuse_unknown_keys(self, data: Any, expected: Any, path: tuple[str, ...]) -> None:
        """Name the nearest key: "unknown" alone leaves an instructor searching for a typo."""
        if isinstance(expected, type) and issubclass(expected, msgspec.Struct) and isinstance(data, dict):
            fields = {field.name: field.type for field in msgspec.structs.fields(expected)}
            for key, value in data.items():
                if key not in fields:
                    raise self.error((*path, str(key)), f"unknown key `{key}`{_nearest(str(key), list(fields))}")
                self.refuse_unknown_keys(value, fields[key], (*path, key))
        elif isinstance(data, dict) and (value_type := _value_type(expected)) is not None:
            for key, value in data.items():
                self.refuse_unknown_keys(value, value_type, (*path, str(key)))


def _children(node: yaml.Node | None) -> Iterator[tuple[str, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value


def _value_type(expected: Any) -> Any:
    """The type of the values of ``dict[str, X]``, also when annotated."""
    inner = getattr(expected, "__origin__", None)
    if inner is dict:
        return expected.__args__[1]
    return _value_type(inner) if inner is not None and hasattr(expected, "__metadata__") else None


def _type_at(path: tuple[str, ...]) -> Any:
    expected: Any = Config
    for part in path:
        if isinstance(expected, type) and issubclass(expected, msgspec.Struct):
            expected = {field.name: field.type for field in msgspec.structs.fields(expected)}.get(part, Any)
        else:
            expected = _value_type(expected) or Any
    return expected


def _convert_at(data: Any, path: tuple[str, ...]) -> None:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    msgspec.convert(data, _type_at(path), strict=True)
