"""Collects one checked submission per student and stage from paths."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from autograder.intake.exports import is_of_lab
from autograder.intake.find import class_in, expected, find_hand_ins, refuse_unknown
from autograder.intake.hand_ins import Found, HandIn
from autograder.intake.refusals import IntakeError, RefusalReason, RefusedError, shown
from autograder.intake.roster import Roster
from autograder.intake.students import student_id
from autograder.intake.submission import Owed, StageFiles, StageSubmission
from autograder.intake.time_table import NO_TIMES, KnownTimes
from autograder.intake.tree import HardLinks, Tree, read_folder
from autograder.intake.works import Work, merge, read_work, refused_work


def take_in(
    paths: Iterable[Path],
    stages: Sequence[StageFiles],
    times: KnownTimes = NO_TIMES,
    *,
    roster: Roster | None = None,
    notice: Callable[[str], None] = lambda line: None,
) -> list[StageSubmission]:
    """Read the students' hand-ins in ``paths``.

    Args:
        paths: Folders, clones and archives of one student or of a whole class.
        stages: All stages of the course, in the order in which they are graded.
        times: Times of hand-ins that the instructor knows, and the course's time zone.
        roster: The students, if they are known. They settle whether a folder is a student's, and its id. Each of them
            has submissions, found or not.
        notice: Called with a line for each file or folder that is not a student's, or may not be.

    Returns:
        One submission per student and listed stage, ordered by student. A problem with a student's files is
        a refusal for that student only.

    Raises:
        IntakeError: A path does not exist, contains nothing that looks like a hand-in, or contains entries that
            were not understood; the message lists them all.
    """
    found = look_in(paths, stages, times, roster=roster)
    refuse_unknown(found.unknown, stages)
    for line in found.notices:
        notice(line)
    return found.submissions


@dataclass(frozen=True)
class Look:
    """What paths contain: submissions, lines about what is ignored, and about what was not understood."""

    submissions: list[StageSubmission]
    notices: list[str]
    unknown: list[str]


def look_in(
    paths: Iterable[Path],
    stages: Sequence[StageFiles],
    times: KnownTimes = NO_TIMES,
    *,
    roster: Roster | None = None,
) -> Look:
    """Read the hand-ins as ``take_in`` does, but list the entries that were not understood instead of refusing them.

    A student of the roster whose work is in no path has handed in nothing.

    Raises:
        IntakeError: A path does not exist, or contains nothing that looks like a hand-in.
    """
    class_ = _Class(stages, roster, times)
    for path in paths:
        class_.add(path)
    works = {student: merge(works, stages) for student, works in class_.settled().items()}
    for student in roster.students if roster is not None else ():
        if student not in works:
            works[student] = read_work(HandIn(student, student, dict), {}, stages).at(times, student)
    return Look(_listed(works, stages), class_.notices, class_.unknown)


def take_in_student(folder: Path, student: str, stages: Sequence[StageFiles]) -> list[StageSubmission]:
    """Read the folder of a student who is known, such as one of nbgrader's, whatever its name and layout.

    Args:
        folder: The folder, among those of the class.
        student: The student's id.
        stages: All stages of the course.
    """
    read = partial(read_folder, folder, links=HardLinks(folder.parent))
    hand_in = HandIn(student, student, read, folder)
    try:
        work = read_work(hand_in, hand_in.open(), stages)
    except RefusedError as error:
        work = refused_work(hand_in, error, stages)
    return _listed({student: work.at(NO_TIMES, student)}, stages)


def _listed(works: Mapping[str, Work], stages: Sequence[StageFiles]) -> list[StageSubmission]:
    students = sorted(works)
    begun = frozenset[str]().union(*(work.handed_in for work in works.values()))
    submissions = [
        replace(works[student].submissions[stage.stage], owed=stage.owed is Owed.ALWAYS)
        for student in students
        for stage in stages
        if _is_listed(stage, works[student].handed_in, begun)
    ]
    return submissions or [works[student].submissions[stage.stage] for student in students for stage in stages]


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


def _second(hand_in: HandIn, student: str) -> RefusedError:
    what = f"may be a second hand-in of {shown(student)}, whose own counts; give it the name of its student"
    return RefusedError(RefusalReason.AMBIGUOUS, hand_in.name, what)


@dataclass(frozen=True)
class _Opened:
    """A hand-in: its files, the students in it if it is a class itself, or the reason why it is refused."""

    hand_in: HandIn
    tree: Tree
    inner: Found | None = None
    error: RefusedError | None = None


@dataclass
class _Class:
    """The works that were found so far, by student and path, and what is to be reported."""

    stages: Sequence[StageFiles]
    roster: Roster | None
    times: KnownTimes
    works: dict[tuple[str, Path], list[tuple[HandIn, Work]]] = field(default_factory=lambda: defaultdict(list))
    notices: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Add the hand-ins in a path.

        Raises:
            IntakeError: The path cannot be read, or contains no work.
        """
        found = find_hand_ins(path, self.stages, self.roster if self.roster is not None else frozenset())
        before = len(self.unknown)
        has_work = self._add_all(path, found)
        if not has_work and not found.unknown:
            del self.unknown[before:]
            raise IntakeError(f"{path.resolve()} contains nothing to grade; {expected(self.stages)}")

    def _add_all(self, path: Path, found: Found) -> bool:
        """Add hand-ins; whether at least one of them has work, or may have."""
        self.notices += found.unclaimed
        self.unknown += found.unknown
        opened = [self._opened(path, hand_in) for hand_in in found.hand_ins]
        # A student must not hand in under the names of others: an export inside an export, or alone, is the class's.
        names_decide = not any(item.inner is None and not item.hand_in.is_download for item in opened)
        return any([self._add(path, item, names_decide=names_decide) for item in opened])

    def _opened(self, path: Path, hand_in: HandIn) -> "_Opened":
        is_known = hand_in.is_student or self._is_in_roster(hand_in)
        try:
            tree = hand_in.open()
            return _Opened(hand_in, tree, None if is_known else class_in(path, hand_in, tree, self.stages))
        except RefusedError as error:
            return _Opened(hand_in, {}, error=error)

    def _add(self, path: Path, opened: "_Opened", *, names_decide: bool) -> bool:
        hand_in, error = opened.hand_in, opened.error
        if opened.inner is not None:
            if names_decide:
                return self._add_all(path, opened.inner)
            what = "holds an export of a learning platform; if it is a class, give it as a path of its own"
            error = RefusedError(RefusalReason.AMBIGUOUS, hand_in.name, what)
        if error is not None:
            self._keep(path, hand_in, refused_work(hand_in, error, self.stages))
            return True
        has_work = any(is_of_lab(entry, self.stages) for entry in opened.tree)
        is_known = hand_in.is_student or self._is_in_roster(hand_in)
        if is_known or self._is_student(path, hand_in, opened.tree, has_work=has_work):
            self._keep(path, hand_in, read_work(hand_in, opened.tree, self.stages))
        return has_work

    def _keep(self, path: Path, hand_in: HandIn, work: Work) -> None:
        student = self._in_roster(hand_in) or hand_in.id
        named = work.named(student, hand_in.name).at(self.times, hand_in.name)
        self.works[student, path].append((hand_in, named))

    def settled(self) -> Mapping[str, list[Work]]:
        """The works by student. In one path, a whole name counts before a name that is a part of an entry's name."""
        result: dict[str, list[Work]] = defaultdict(list)
        for (student, _), found in self.works.items():
            exact = [work for hand_in, work in found if not hand_in.derived_from]
            result[student] += exact or [work for _, work in found]
            for hand_in, work in found if exact else ():
                if hand_in.derived_from and not any(work.equals(other) for other in exact):
                    whole = hand_in.derived_from
                    second = HandIn(whole, student_id(whole), hand_in.open, notes=hand_in.notes)
                    refused = refused_work(second, _second(second, student), self.stages)
                    result[second.id].append(refused.named(second.id, whole))
        return result

    def _is_in_roster(self, hand_in: HandIn) -> bool:
        return self._in_roster(hand_in) is not None

    def _in_roster(self, hand_in: HandIn) -> str | None:
        """The id of the student in the roster whose hand-in it is."""
        if self.roster is None:
            return None
        return self.roster.student(hand_in.name, hand_in.id, is_download=hand_in.is_download)

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
