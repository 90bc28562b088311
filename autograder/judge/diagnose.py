"""Which named mistake explains a failure: computed from outputs, not guessed from symptoms.

A mistake explains a failed check if the reference with that mistake gives the student's replies to everything that
the check requests. It is ruled out if more than half of the checks that it loses contradict it: the student passed
them, or failed them with other replies. If the student passed half of them, it is ruled out as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import Outcome
from autograder.course.mistakes import Mistake
from autograder.judge.suspects import Exhausted, Suspects

# More explanations than this are no explanation.
MOST_NAMES = 2


def explain(
    suspects: Suspects, mistakes: Iterable[Mistake], exercises: Mapping[str, Mapping[str, Outcome]]
) -> dict[str, tuple[Mistake, ...]]:
    """Name the mistake behind each failed check, where the outputs single one out.

    Args:
        suspects: compares the submission with wrong solutions.
        mistakes: the stage's catalogue.
        exercises: exercise → its checks with their outcomes, in the order of the stage. Checks that can neither
            confirm nor contradict a mistake are left out.

    Returns:
        Check → the mistake that explains it; two, where both explain everything. A check that no mistake, or more
        than two, explain is left out.
    """
    named = [mistake for mistake in mistakes if mistake.named]
    order = list(exercises)
    names: dict[str, tuple[Mistake, ...]] = {}
    try:
        for number, exercise in enumerate(order):
            own = [mistake for mistake in named if mistake.exercise == exercise]
            before = [mistake for mistake in named if mistake.exercise in order[:number]]
            names |= _ExerciseDiagnosis(suspects, own, before, exercises[exercise]).names()
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
        before: the mistakes of the exercises before it, whose work may be written out in this exercise.
        outcomes: the exercise's checks with their outcomes.
    """

    def __init__(
        self, suspects: Suspects, own: Sequence[Mistake], before: Sequence[Mistake], outcomes: Mapping[str, Outcome]
    ) -> None:
        self._suspects = suspects
        self._own = own
        self._before = before
        failed = [check for check, outcome in outcomes.items() if outcome is not Outcome.PASSED]
        self._failed = [check for check in failed if suspects.can_tell(check)]
        self._known = frozenset(outcomes) - (frozenset(failed) - frozenset(self._failed))

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
        """The mistakes of other exercises that explain the first failed check, with the checks here that they lose."""
        return {
            mistake: self._suspects.loses(mistake, self._known)
            for mistake in self._before
            if self._suspects.explains(self._failed[0], mistake)
        }

    def _cases(self, lost: Mapping[Mistake, frozenset[str]]) -> dict[Mistake, _Case]:
        """Return the mistakes that the student's replies do not rule out."""
        cases = {}
        for mistake, checks in lost.items():
            explained = frozenset(
                check for check in self._failed if check in checks and self._suspects.explains(check, mistake)
            )
            contradicted = len(checks & self._known) - len(explained)
            passed = len((checks & self._known).difference(self._failed))
            if len(explained) >= max(contradicted, passed + 1):
                cases[mistake] = _Case(explained, contradicted)
        return cases

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
