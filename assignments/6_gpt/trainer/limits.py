"""The limits on models and on the speedrun, which the course sets in `lab/course.json`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COURSE_FILE = Path("lab") / "course.json"


class LimitsError(Exception):
    """The limits cannot be read; the message says how to fix it."""


@dataclass(frozen=True)
class Limits:
    """The models and runs that the leaderboard accepts.

    Attributes:
        most_parameters: largest number of parameters, without free embeddings.
        free_embeddings: largest number of parameters of embeddings that do not count.
        context_length: the shortest and the longest.
        events: name → largest number of training tokens, in ascending order.
    """

    most_parameters: int
    free_embeddings: int
    context_length: tuple[int, int]
    events: dict[str, int]


@dataclass(frozen=True)
class ModelLimits:
    """The models that the grader accepts.

    Attributes:
        most_parameters: largest number of parameters.
        sizes: name of a size in `GPTConfig` → the smallest and the largest.
    """

    most_parameters: int
    sizes: dict[str, tuple[int, int]]


def read_limits(stage: Path) -> Limits:
    """Read the limits of the speedrun of the stage whose folder is `stage`.

    Raises:
        LimitsError: the course's file is missing, or does not hold them.
    """
    with _course_entry(stage, "the limits of the speedrun") as entry:
        found = entry["speedrun"] or {}
        shortest, longest = found["context_length"]
        return Limits(found["most_parameters"], found["free_embeddings"], (shortest, longest), dict(found["events"]))


def read_model_limits(stage: Path) -> ModelLimits:
    """Read the limits of the trained model of the stage whose folder is `stage`.

    Raises:
        LimitsError: the course's file is missing, or does not hold them.
    """
    with _course_entry(stage, "the limits of the trained model") as entry:
        found = dict(entry["model_limits"] or {})
        most = found.pop("most_parameters")
        return ModelLimits(most, {name: (smallest, largest) for name, (smallest, largest) in found.items()})


def read_file_sizes(stage: Path) -> dict[str, int]:
    """Read the largest size in bytes of each file that can be handed in beside the module.

    Raises:
        LimitsError: the course's file is missing, or does not hold them.
    """
    with _course_entry(stage, "the limits on files") as entry:
        return {name: megabytes << 20 for name, megabytes in entry["attachments"].items()}


@contextmanager
def _course_entry(stage: Path, content: str) -> Iterator[dict[str, Any]]:
    """Yield the stage's entry in the course's file; errors while it is read become `LimitsError`s."""
    file = stage.parent / COURSE_FILE
    try:
        course = json.loads(file.read_text(encoding="utf-8"))
        yield {entry["id"]: entry for entry in course["stages"]}[stage.name]
        return
    except OSError as error:
        problem = error.strerror or str(error)
    except KeyError as error:
        problem = f"{error} is missing"
    except (TypeError, ValueError) as error:
        problem = str(error)
    raise LimitsError(f"{file} does not hold {content} ({problem}); update your repository with `git pull`")
