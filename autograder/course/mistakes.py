"""Named mistakes: wrong solutions as students write them, one replacement in the reference each.

They serve three ends: the report names the mistake that explains a failure, ``verify`` proves that
the hidden tests reject each of them, and the class report counts them.
"""

import runpy
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course.lab import LabError, StageFolders


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrong solution: the reference with each ``old`` text replaced by its ``new`` text.

    ``says`` completes "your output is what you get when …" and is read by students; ``fails`` is
    the set of checks that this mistake loses, no more and no fewer.
    """

    id: str
    exercise: str
    says: str
    replace: tuple[tuple[str, str], ...]
    fails: frozenset[str] = field(default_factory=frozenset)
    # A mistake whose result is random, never ends or cannot be told from another one by outputs is not named.
    named: bool = True

    def apply(self, reference: str) -> str:
        """The text of the wrong solution.

        Raises:
            LabError: an ``old`` text does not occur exactly once in the reference.
        """
        text = reference
        for old, new in self.replace:
            count = text.count(old)
            if count != 1:
                raise LabError(f"mistake {self.id}: the text to replace occurs {count} times, not once: {old!r}")
            text = text.replace(old, new)
        return text


def load_mistakes(stage: StageFolders) -> tuple[Mistake, ...]:
    """The catalogue of a stage, its ``MISTAKES``.

    Raises:
        LabError: the file is missing or cannot be run, two mistakes share an id, or an exercise or a
            check is not known.
    """
    path = stage.mistakes
    if not path.is_file():
        raise LabError(f"{path} is missing: every stage needs its named mistakes")
    try:
        mistakes = runpy.run_path(str(path)).get("MISTAKES")
    except Exception as error:
        raise LabError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    if not isinstance(mistakes, (tuple, list)) or not all(isinstance(one, Mistake) for one in mistakes):
        raise LabError(f"{path}: MISTAKES must be a tuple of `Mistake`s")
    return check_catalogue(path, tuple(mistakes), stage)


def check_catalogue(path: Path, mistakes: tuple[Mistake, ...], stage: StageFolders) -> tuple[Mistake, ...]:
    """Refuse a catalogue that contradicts itself or ``grading.yml``.

    Raises:
        LabError: as said by the message.
    """
    seen: set[str] = set()
    for mistake in mistakes:
        place = f"{path}: mistake {mistake.id}"
        if mistake.id in seen:
            raise LabError(f"{place}: the id is used twice")
        if mistake.exercise not in stage.spec.exercises:
            raise LabError(f"{place}: grading.yml has no exercise `{mistake.exercise}` in {stage.id}")
        if unknown := mistake.fails - set(stage.spec.check_ids):
            raise LabError(f"{place}: grading.yml has no check named {', '.join(sorted(unknown))}")
        seen.add(mistake.id)
    return mistakes
