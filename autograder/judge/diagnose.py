"""Which named mistake explains a failure: computed from outputs, not guessed from symptoms.

A mistake explains a failed check if the reference with that mistake gives the student's replies to everything that
the check requests. It is ruled out if more than half of the checks that it loses contradict it: the student passed
them, or failed them with other replies. If the student passed half of them, it is ruled out as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import Outcome
from autograder.course.mistakes import Mistake
from autograder.judge.course_code import CourseCode
from autograder.judge.outcomes import Ending
from autograder.judge.suspects import Exhausted, Suspects

# More explanations than this are no explanation.
MOST_NAMES = 2


def explain(
    suspects: Suspects, code: CourseCode, exercises: Mapping[str, Mapping[str, Ending]]
) -> dict[str, tuple[Mistake, ...]]:
    """Name the mistake behind each failed check, where the outputs single one out.

    Args:
        suspects: compares the submission with wrong solutions.
        code: the course's own code, with its mistakes.
        exercises: exercise → its checks and how they ended. Checks that can neither confirm nor contradict a mistake
            are left out.

    Returns:
        Check → the mistake that explains it; two, where both explain everything. A check that no mistake, or more
        than two, explain is left out.
    """
    named = [mistake for mistake in code.mistakes if mistake.named]
    names: dict[str, tuple[Mistake, ...]] = {}
    try:
        for exercise, endings in exercises.items():
            own = [mistake for mistake in named if mistake.exercise == exercise]
            used = {*code.builds_on.get(exercise, ())}
            others = [
                mistake
                for mistake in named
                if mistake.exercise in used or (mistake.exercise != exercise and mistake.fails & endings.keys())
            ]
            names |= _ExerciseDiagnosis(suspects, own, others, endings).names()
    except Exhausted:
        return {}
    return names


@dataclass(frozen=True)
class _Case:
    """The failed checks that a mistake explains, and the number of checks that contradict it."""

    explained: frozenset[str]
    contradicted: int


class _ExerciseDiagnosis:
    """The diagnosis of the failed checks of one exercise.

    Args:
        suspects: compares the submission with wrong solutions.
        own: the mistakes of the exercise.
        others: the mistakes of exercises whose work may be written out in this exercise.
        endings: the exercise's checks and how they ended.
    """

    def __init__(
        self, suspects: Suspects, own: Sequence[Mistake], others: Sequence[Mistake], endings: Mapping[str, Ending]
    ) -> None:
        self._suspects = suspects
        self._own = own
        self._others = others
        self._endings = endings
        failed = [check for check, ending in endings.items() if ending.outcome is not Outcome.PASSED]
        self._failed = [check for check in failed if suspects.can_tell(check)]
        self._known = frozenset(endings) - (frozenset(failed) - frozenset(self._failed))

    def names(self) -> dict[str, tuple[Mistake, ...]]:
        """Check → its explanations."""
        if not self._failed:
            return {}
        cases = self._cases({mistake: mistake.fails for mistake in self._own})
        cases = cases or self._cases(self._written_out())
        names = {check: found for check in self._failed if (found := _most_telling(check, cases))}
        for check in self._failed:
            if check not in names and (found := self._together(check, list(cases))):
                names[check] = found
        return names

    def _written_out(self) -> dict[Mistake, frozenset[str]]:
        """The mistakes of other exercises that explain the first wrong result, with the checks here that they lose."""
        wrong = [check for check in self._failed if self._endings[check].outcome is Outcome.FAILED]
        return {
            mistake: self._suspects.loses(mistake, self._known)
            for check in wrong[:1]
            for mistake in self._others
            if self._suspects.explains(check, mistake)
        }

    def _cases(self, lost: Mapping[Mistake, frozenset[str]]) -> dict[Mistake, _Case]:
        """Return the mistakes that the student's replies do not rule out."""
        cases = {}
        for mistake, checks in lost.items():
            explained = self._without_shared_crashes(
                {check for check in self._failed if check in checks and self._suspects.explains(check, mistake)}
            )
            contradicted = len(checks & self._known) - len(explained)
            passed = len((checks & self._known).difference(self._failed))
            if len(explained) >= max(contradicted, passed + 1):
                cases[mistake] = _Case(explained, contradicted)
        return cases

    def _without_shared_crashes(self, explained: set[str]) -> frozenset[str]:
        """Leave out the checks that ended with the same error as a check that the mistake does not explain.

        Errors are compared by class, so an error that occurs in every call looks like one that occurs in some.
        """
        crashes = {self._endings[check] for check in self._failed if self._endings[check].outcome is Outcome.ERROR}
        other = {self._endings[check] for check in self._failed if check not in explained} & crashes
        return frozenset(check for check in explained if self._endings[check] not in other)

    def _together(self, check: str, found: Sequence[Mistake]) -> tuple[Mistake, ...]:
        """Explain a check by a mistake found in another check, or by a mistake of this exercise on top of that one."""
        alone = [mistake for mistake in found if self._suspects.explains(check, mistake)]
        added = {
            mistake
            for first in found
            for mistake in (() if alone else self._own)
            if mistake is not first and check in mistake.fails and self._suspects.explains(check, first, mistake)
        }
        names = tuple(alone or added)
        return names if len(names) == 1 else ()


def _most_telling(check: str, cases: Mapping[Mistake, _Case]) -> tuple[Mistake, ...]:
    """Return the mistakes that explain this check; of several, those that explain most and are contradicted least."""
    candidates = {
        mistake: (len(case.explained), -case.contradicted) for mistake, case in cases.items() if check in case.explained
    }
    best = tuple(mistake for mistake, rank in candidates.items() if rank == max(candidates.values()))
    return best if len(best) <= MOST_NAMES else ()
