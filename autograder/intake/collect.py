"""Collects one checked submission per student and stage from paths."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.intake.exports import is_of_lab
from autograder.intake.hand_ins import Found, HandIn
from autograder.intake.layout import class_in, expected, find_hand_ins, refuse_unknown
from autograder.intake.refusals import IntakeError, RefusedError, shown
from autograder.intake.students import safe_id, student_ids
from autograder.intake.submission import Owed, StageFiles, StageSubmission
from autograder.intake.time_table import NO_TIMES, KnownTimes
from autograder.intake.tree import Tree
from autograder.intake.works import Work, merge, read_work, refused_work


def take_in(
    paths: Iterable[Path],
    stages: Sequence[StageFiles],
    times: KnownTimes = NO_TIMES,
    *,
    roster: frozenset[str] | None = None,
    notice: Callable[[str], None] = lambda line: None,
) -> list[StageSubmission]:
    """Read the students' hand-ins in ``paths``.

    Args:
        paths: Folders, clones and archives of one student or of a whole class.
        stages: All stages of the course, in the order in which they are graded.
        times: Times of hand-ins that the instructor knows, and the course's time zone.
        roster: The students' ids, if they are known. They settle whether a folder is a student's.
        notice: Called with a line for each file or folder that is not a student's, or may not be.

    Returns:
        One submission per student and listed stage, ordered by student. A problem with a student's files is
        a refusal for that student only.

    Raises:
        IntakeError: A path does not exist, contains nothing that looks like a hand-in, or contains entries that
            were not understood; the message lists them all.
    """
    class_ = _Class(stages, roster)
    for path in paths:
        class_.add(path)
    refuse_unknown(class_.unknown, stages)
    for line in class_.notices:
        notice(line)
    ids = student_ids(class_.works)
    works = {name: merge(works, stages).named(ids[name], name) for name, works in class_.works.items()}
    students = sorted(works, key=ids.__getitem__)
    begun = frozenset[str]().union(*(work.handed_in for work in works.values()))
    submissions = [
        replace(works[name].submissions[stage.stage], owed=stage.owed is Owed.ALWAYS)
        for name in students
        for stage in stages
        if _is_listed(stage, works[name].handed_in, begun)
    ]
    submissions = submissions or [works[name].submissions[stage.stage] for name in students for stage in stages]
    return [times.settled(submission) for submission in submissions]


def _is_listed(stage: StageFiles, own: frozenset[str], begun: frozenset[str]) -> bool:
    """Whether to list a student's stage, given the stages of the student (``own``) and of the class (``begun``)."""
    match stage.owed:
        case Owed.NEVER:
            return False
        case Owed.IF_HANDED_IN:
            return stage.stage in own
        case Owed.ONCE_BEGUN:
            return stage.stage in begun
        case Owed.ALWAYS:
            return True


@dataclass
class _Class:
    """The works that were found so far, by name, and what is to be reported."""

    stages: Sequence[StageFiles]
    roster: frozenset[str] | None
    works: dict[str, list[Work]] = field(default_factory=lambda: defaultdict(list))
    notices: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Add the hand-ins in a path.

        Raises:
            IntakeError: The path cannot be read, or contains no work.
        """
        found = find_hand_ins(path, self.stages)
        before = len(self.unknown)
        has_work = self._add_all(path, found)
        if not has_work and not found.unknown:
            del self.unknown[before:]
            raise IntakeError(f"{path.resolve()} contains nothing to grade; {expected(self.stages)}")

    def _add_all(self, path: Path, found: Found) -> bool:
        """Add hand-ins; whether at least one of them has work, or may have."""
        self.notices += found.unclaimed
        self.unknown += found.unknown
        return any([self._add(path, hand_in) for hand_in in found.hand_ins])

    def _add(self, path: Path, hand_in: HandIn) -> bool:
        try:
            tree = hand_in.open()
        except RefusedError as error:
            self.works[hand_in.name].append(refused_work(hand_in, error, self.stages))
            return True
        is_known = hand_in.is_student or self._is_in_roster(hand_in)
        if not is_known and (inner := class_in(path, hand_in, tree, self.stages)) is not None:
            return self._add_all(path, inner)
        has_work = any(is_of_lab(entry, self.stages) for entry in tree)
        if is_known or self._is_student(path, hand_in, tree, has_work=has_work):
            self.works[hand_in.name].append(read_work(hand_in, tree, self.stages))
        return has_work

    def _is_in_roster(self, hand_in: HandIn) -> bool:
        return self.roster is not None and not self.roster.isdisjoint({hand_in.name, safe_id(hand_in.name)})

    def _is_student(self, path: Path, hand_in: HandIn, tree: Tree, *, has_work: bool) -> bool:
        """Whether a folder or archive of a class is a student's; if not, or if it is unclear, it is reported."""
        place = f"{path}: {shown(hand_in.name)}"
        if self.roster is not None:
            if has_work:
                self.unknown.append(f"{place} holds work of the lab, but is not in the roster")
            else:
                self.notices.append(f"{place} is not in the roster and is not graded")
            return False
        if not tree:
            self.notices.append(f"{place} is empty: taken for a student who handed in nothing")
        elif not has_work:
            self.unknown.append(f"{place} holds no file of the lab: is it a student's?")
        return has_work or not tree
