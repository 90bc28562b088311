"""The limits of the speedrun, which the course sets in `lab/course.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

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


def read_limits(stage: Path) -> Limits:
    """Read the limits of the stage whose folder is `stage`.

    Raises:
        LimitsError: the course's file is missing, or does not hold them.
    """
    file = stage.parent / COURSE_FILE
    try:
        course = json.loads(file.read_text(encoding="utf-8"))
        found = {entry["id"]: entry for entry in course["stages"]}[stage.name]["speedrun"] or {}
        shortest, longest = found["context_length"]
        return Limits(found["most_parameters"], found["free_embeddings"], (shortest, longest), dict(found["events"]))
    except OSError as error:
        problem = error.strerror or str(error)
    except KeyError as error:
        problem = f"{error} is missing"
    except (TypeError, ValueError) as error:
        problem = str(error)
    raise LimitsError(
        f"{file} does not hold the limits of the speedrun ({problem}); update your repository with `git pull`"
    )
