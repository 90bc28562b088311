"""Right solutions that are written differently, and what in them a student may not write.

One of them stands in for students' modules in later stages, so it may be built on whatever PyTorch has. A line that
calls what its exercise forbids carries the comment ``# refused``.
"""

from dataclasses import dataclass

from autograder.course.lab import StageFolders

REFUSED = "# refused"


@dataclass(frozen=True)
class Alternative:
    """One right solution.

    Attributes:
        name: of its file.
        source: its text.
        refused: lines that are refused in a student's own module; it earns everything where there are none.
    """

    name: str
    source: str
    refused: frozenset[int]


def load_alternatives(stage: StageFolders) -> list[Alternative]:
    """The stage's alternatives, by name."""
    return [_alternative(path.stem, path.read_text(encoding="utf-8")) for path in stage.alternatives]


def _alternative(name: str, source: str) -> Alternative:
    lines = enumerate(source.split("\n"), start=1)
    return Alternative(name, source, frozenset(number for number, line in lines if line.rstrip().endswith(REFUSED)))
