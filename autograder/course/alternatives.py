"""Correct solutions that differ from the reference, and the lines in them that students must not write.

One of them stands in for students' modules in later stages, so it may use all of PyTorch. A line that calls a function
that its exercise forbids ends with the comment ``# refused``.
"""

from dataclasses import dataclass

from autograder.course.lab import StageFolders

REFUSED = "# refused"


@dataclass(frozen=True)
class Alternative:
    """One correct solution.

    Attributes:
        name: name of its file, without suffix.
        source: text of its file.
        refused: numbers of the lines that are refused in a student's module. If there are none, the solution earns all
            points as a student's module too.
    """

    name: str
    source: str
    refused: frozenset[int]


def load_alternatives(stage: StageFolders) -> list[Alternative]:
    """Return the stage's alternatives, sorted by name."""
    return [_alternative(path.stem, path.read_text(encoding="utf-8")) for path in stage.alternatives]


def _alternative(name: str, source: str) -> Alternative:
    lines = enumerate(source.split("\n"), start=1)
    return Alternative(name, source, frozenset(number for number, line in lines if line.rstrip().endswith(REFUSED)))
