"""Which named mistake explains a failure: computed from outputs, not guessed from symptoms.

The requests of a failed check are replayed against each possible mistake. A mistake explains the
check if it gives every reply that the student's code gave. It is possible only if it loses this check
and no check that the student passed.
"""

from collections.abc import Iterable, Mapping, Sequence

from autograder.course.mistakes import Mistake
from autograder.judge.replay import Replays
from autograder.judge.sessions import Exchange


def explain(
    failed: Mapping[str, Sequence[Exchange]],
    not_passed: frozenset[str],
    mistakes: Iterable[Mistake],
    modules: Mapping[str, str],
    main: str,
) -> dict[str, str]:
    """Name the mistake behind each failed check, where the outputs single one out.

    A check that no listed mistake explains may still be explained by a mistake that was found in
    another check of the submission, or by a listed mistake combined with that one.

    Args:
        failed: failed check → its exchanges with the student's code; empty if there were too many.
        not_passed: every check of the stage that the student did not pass, for any reason.
        mistakes: the stage's catalogue.
        modules: the trusted modules, by name; mistakes change ``main``.
        main: the stage's module.

    Returns:
        Check → mistake id. A check that no mistake, or more than one, explains is left out.
    """
    named = [mistake for mistake in mistakes if mistake.named]
    return _Diagnosis(failed, not_passed, named, Replays(modules, main)).names()


class _Diagnosis:
    def __init__(
        self,
        failed: Mapping[str, Sequence[Exchange]],
        not_passed: frozenset[str],
        mistakes: Sequence[Mistake],
        replays: Replays,
    ) -> None:
        self._not_passed = not_passed
        self._mistakes = mistakes
        self._possible = [mistake for mistake in mistakes if mistake.fails and mistake.fails <= not_passed]
        self._replays = replays
        # Replies that the reference gives too are not why the check failed.
        self._telling = {
            check: exchanges
            for check, exchanges in failed.items()
            if exchanges and not replays.reference_answers(exchanges)
        }

    def names(self) -> dict[str, str]:
        """Check → mistake id; empty if not every replay could be made."""
        alone = {
            check: self._replays.explaining(exchanges, _losing(check, self._possible))
            for check, exchanges in self._telling.items()
        }
        named = _most_telling(alone)
        found = [mistake for mistake in self._possible if self._is_sure(mistake, named)]
        sure = {mistake.id for mistake in found}
        named = {check: name for check, name in named.items() if name in sure}
        for check in self._telling:
            if not alone[check] and len(names := self._with_found(check, found)) == 1:
                named[check] = names.pop()
        return {} if self._replays.exhausted else named

    def _is_sure(self, mistake: Mistake, named: Mapping[str, str]) -> bool:
        """Whether at least one of the checks that name this mistake fits no other mistake of the catalogue.

        A mistake that loses more checks than the student lost is ruled out, unless another mistake in the
        submission may have saved the rest. A reply like "not on this device" fits many mistakes.
        """
        checks = [check for check, name in named.items() if name == mistake.id]
        if mistake.fails == self._not_passed:
            return bool(checks)
        return any(not self._rivals(check) for check in checks)

    def _rivals(self, check: str) -> set[str]:
        ruled_out = [mistake for mistake in _losing(check, self._mistakes) if mistake not in self._possible]
        return self._replays.explaining(self._telling[check], ruled_out)

    def _with_found(self, check: str, found: Sequence[Mistake]) -> set[str]:
        """Explain a check by a mistake found in another check, or by a listed mistake on top of that one."""
        exchanges = self._telling[check]
        candidates = _losing(check, self._possible)
        return self._replays.explaining(exchanges, found) or {
            name
            for first in found
            for name in self._replays.explaining(
                exchanges, [mistake for mistake in candidates if mistake is not first], on_top_of=first
            )
        }


def _losing(check: str, mistakes: Iterable[Mistake]) -> list[Mistake]:
    return [mistake for mistake in mistakes if check in mistake.fails]


def _most_telling(alone: Mapping[str, set[str]]) -> dict[str, str]:
    """For each check, choose the mistake that explains it; among several, the one that explains most checks."""
    counts: dict[str, int] = {}
    for names in alone.values():
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    named = {}
    for check, names in alone.items():
        most = max((counts[name] for name in names), default=0)
        best = [name for name in names if counts[name] == most]
        if len(best) == 1:
            named[check] = best[0]
    return named
