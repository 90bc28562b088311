"""``exercises.yml`` beside a lab sheet: what students read about each exercise before they look at its stub.

An author or a translator edits this file; ``grading.yml`` has the checks and their points.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import msgspec

from autograder.course.yaml_source import YamlSource, nearest

Text = Annotated[str, msgspec.Meta(min_length=1)]


class ExerciseText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exercise: its title, the minutes it takes a student, and three hints from idea to formula.

    ``tests`` selects its public tests, as ``pytest -k`` does; without it, those whose names contain the exercise's.
    """

    title: Text
    minutes: Annotated[int, msgspec.Meta(ge=1)]
    tests: Text | None = None
    hints: Annotated[tuple[Text, ...], msgspec.Meta(min_length=3, max_length=3)]


def load_exercise_texts(path: Path, exercises: Collection[str]) -> dict[str, ExerciseText]:
    """Read the texts of a stage's exercises, in the order of ``exercises``.

    Args:
        path: ``solutions/STAGE/exercises.yml``.
        exercises: the names that ``grading.yml`` lists for the stage.

    Raises:
        ConfigError: the file cannot be read or is not YAML, a key is unknown, a value is invalid, or the exercises
            differ from those of ``grading.yml``. The message starts with the file and the line.
    """
    source = YamlSource(path, name="/".join(path.parts[-3:]))
    texts = source.convert(dict[str, ExerciseText])
    for name in texts:
        if name not in exercises:
            raise source.error((name,), f"grading.yml has no exercise of this name{nearest(name, exercises)}")
    for name in exercises:
        if name not in texts:
            raise source.error((), f"the exercise `{name}` of grading.yml is missing")
    return {name: texts[name] for name in exercises}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``exercises.yml``, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "exercises.yml",
        **msgspec.json.schema(dict[str, ExerciseText]),
    }
