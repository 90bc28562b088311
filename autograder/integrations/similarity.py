"""Hand-ins that share passages, found by copydetect: evidence for a person, never a score.

copydetect fingerprints code as MOSS does: names and strings are replaced, comments and blanks ignored (Schleimer,
Wilkerson, Aiken 2003, "Winnowing"). Passages of the course's own solutions, and those that many students share, are
left out: short exercises have few natural solutions.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from copydetect import CodeFingerprint, compare_files

from autograder.course.lab import StageFolders
from autograder.intake import RefusedError, StageSubmission
from autograder.intake.limited import limited
from autograder.integrations.own_lines import OwnLine, own_lines
from autograder.release import strip_solutions

# Characters of normalised code: shorter matches are noise, matches of 40 and more are always found.
_NOISE, _GUARANTEED = 30, 40
# A passage in more hand-ins than this, and than this share of the class, is common.
_MOST_COMMON, _MOST_COMMON_SHARE = 10, 0.1


@dataclass(frozen=True)
class Side:
    """One student of a pair: the own lines, and the numbers of those that the other student shares."""

    student: str
    lines: tuple[OwnLine, ...]
    shared: frozenset[int]


@dataclass(frozen=True)
class SimilarPair:
    """Two hand-ins of a stage that share passages."""

    stage: str
    left: Side
    right: Side

    @property
    def shared_lines(self) -> int:
        """Number of shared lines, of the side that has fewer."""
        return min(len(self.left.shared), len(self.right.shared))

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions and classes with shared lines, in the order of the left module."""
        return tuple(dict.fromkeys(line.function for line in self.left.lines if line.number in self.left.shared))


@dataclass(frozen=True)
class Comparison:
    """The pairs of a stage, those with most shared lines first, and the students who were not compared, and why."""

    pairs: tuple[SimilarPair, ...]
    left_out: tuple[tuple[str, str], ...]


def similar_pairs(stage: StageFolders, submissions: Iterable[StageSubmission], *, least_lines: int) -> Comparison:
    """Compare the hand-ins of a stage, each with each.

    Args:
        stage: the stage.
        submissions: the class's submissions of this stage.
        least_lines: number of lines that a pair must share.

    Raises:
        LabError: the stage has no reference.
    """
    stub = strip_solutions(stage.reference_source(), str(stage.reference))
    written: dict[str, list[OwnLine]] = {}
    left_out: list[tuple[str, str]] = []
    for submission in submissions:
        if submission.source is None:
            left_out.append((submission.student, submission.why_refused.message))
            continue
        try:
            written[submission.student] = limited(f"{stage.spec.module}.py", own_lines, submission.source, stub)
        except RefusedError as error:
            left_out.append((submission.student, str(error)))
    prints = {student: _fingerprint(lines) for student, lines in written.items() if lines}
    own = [stage.reference_source(), *(path.read_text(encoding="utf-8") for path in stage.alternatives)]
    _drop_common(prints, [_fingerprint(own_lines(source, stub)) for source in own])
    pairs = [_pair(stage.id, names, written, prints) for names in _candidates(prints)]
    found = [pair for pair in pairs if pair.shared_lines >= least_lines]
    ordered = sorted(found, key=lambda pair: (-pair.shared_lines, pair.left.student, pair.right.student))
    return Comparison(tuple(ordered), tuple(left_out))


def _fingerprint(lines: Sequence[OwnLine]) -> CodeFingerprint:
    text = io.StringIO("\n".join(line.text for line in lines))
    return CodeFingerprint("module.py", _NOISE, _GUARANTEED - _NOISE + 1, fp=text)


def _drop_common(prints: Mapping[str, CodeFingerprint], own: Iterable[CodeFingerprint]) -> None:
    """Remove the hashes of the course's own solutions, and those of many students."""
    counts = Counter(value for found in prints.values() for value in found.hashes)
    most = max(_MOST_COMMON, _MOST_COMMON_SHARE * len(prints))
    common = {value for value, count in counts.items() if count > most}
    common.update(*(found.hashes for found in own))
    for found in prints.values():
        found.hashes -= common


def _candidates(prints: Mapping[str, CodeFingerprint]) -> list[tuple[str, str]]:
    """The pairs with a hash in common, in a stable order."""
    holders: defaultdict[int, list[str]] = defaultdict(list)
    for student in sorted(prints):
        for value in prints[student].hashes:
            holders[value].append(student)
    return sorted({pair for students in holders.values() for pair in combinations(students, 2)})


def _pair(
    stage: str,
    names: tuple[str, str],
    written: Mapping[str, Sequence[OwnLine]],
    prints: Mapping[str, CodeFingerprint],
) -> SimilarPair:
    _, _, slices = compare_files(prints[names[0]], prints[names[1]])
    sides = [
        Side(name, tuple(written[name]), _lines_in(written[name], list(zip(*found, strict=True))))
        for name, found in zip(names, slices, strict=True)
    ]
    return SimilarPair(stage, sides[0], sides[1])


def _lines_in(lines: Sequence[OwnLine], slices: Iterable[tuple[float, float]]) -> frozenset[int]:
    """The numbers of the lines that are mostly within the slices; a slice counts characters of the joined lines."""
    found, begin = set(), 0
    for line in lines:
        end = begin + len(line.text)
        covered = sum(max(0, min(end, last) - max(begin, first)) for first, last in slices)
        if 2 * covered > len(line.text.strip()):
            found.add(line.number)
        begin = end + 1
    return frozenset(found)
