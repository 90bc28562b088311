"""Which named mistake explains a failure: computed from outputs, not guessed from symptoms.

The requests of a failed check are replayed against each mistake that could be meant. A mistake
explains the check when it gives the student's every reply, and it could be meant only when it
loses this check and no check that the student passed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autograder.isolation.errors import SubmissionError
from autograder.isolation.trusted import TrustedSession
from autograder.isolation.wire import Handle
from autograder.judge.recorder import Exchange
from autograder.lab import LabError
from autograder.mistakes import Mistake

# Requests replayed for one submission, all mistakes together. Counted, not timed: the same
# submission gets the same report on every machine.
MOST_REPLAYED = 20_000


def explain(
    failed: Mapping[str, Sequence[Exchange]],
    not_passed: frozenset[str],
    mistakes: Iterable[Mistake],
    modules: Mapping[str, str],
    main: str,
) -> dict[str, str]:
    """Name the mistake behind each failed check, where outputs single one out.

    A check that no listed mistake explains may still be explained by a mistake that was found
    elsewhere in the submission, or by one on top of that.

    Args:
        failed: failed check → its exchanges with the student's code; none when they were too many.
        not_passed: every check of the stage that the student did not pass, for whatever reason.
        mistakes: the stage's catalogue.
        modules: the trusted modules, by name; ``main`` is the one that mistakes change.
        main: the stage's module.

    Returns:
        Check → mistake id. A check that no mistake, or more than one, explains is left out.
    """
    possible = [mistake for mistake in mistakes if mistake.named and mistake.fails <= not_passed]
    replays = _Replays(modules, main)
    # What the reference answers as well is not what the check failed by.
    telling = {
        check: exchanges
        for check, exchanges in failed.items()
        if exchanges and not replays.alike(exchanges, modules[main])
    }
    alone = {
        check: replays.explaining(exchanges, [mistake for mistake in possible if check in mistake.fails])
        for check, exchanges in telling.items()
    }
    named = _most_telling(alone)
    found = [mistake for mistake in possible if mistake.id in named.values()]
    for check, exchanges in telling.items():
        if not alone[check]:
            candidates = [mistake for mistake in possible if check in mistake.fails]
            names = replays.explaining(exchanges, found) or _on_top(exchanges, found, candidates, replays)
            if len(names) == 1:
                named[check] = names.pop()
    return {} if replays.exhausted else named


def _on_top(
    exchanges: Sequence[Exchange], found: Iterable[Mistake], candidates: Sequence[Mistake], replays: "_Replays"
) -> set[str]:
    """The mistakes that give the student's every reply together with one that was found elsewhere."""
    return {
        name
        for first in found
        for name in replays.explaining(exchanges, [one for one in candidates if one is not first], on_top_of=first)
    }


def _most_telling(alone: Mapping[str, set[str]]) -> dict[str, str]:
    """For each check the one mistake that explains it; of several, the one that explains most checks."""
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


class _Replays:
    """Replays exchanges against changed references, up to a number of requests in all."""

    def __init__(self, modules: Mapping[str, str], main: str) -> None:
        self._modules = modules
        self._main = main
        self._left = MOST_REPLAYED

    @property
    def exhausted(self) -> bool:
        """Whether some replay was not made, so that nothing can be said for certain."""
        return self._left < 0

    def explaining(
        self, exchanges: Sequence[Exchange], mistakes: Iterable[Mistake], on_top_of: Mistake | None = None
    ) -> set[str]:
        """The mistakes that give every one of these replies, alone or together with another."""
        return {mistake.id for mistake, source in self._sources(mistakes, on_top_of) if self.alike(exchanges, source)}

    def _sources(self, mistakes: Iterable[Mistake], on_top_of: Mistake | None) -> Iterator[tuple[Mistake, str]]:
        """Each mistake with the text of a module that makes it; two that change the same lines never go together."""
        reference = self._modules[self._main]
        for mistake in mistakes:
            try:
                yield mistake, mistake.apply(on_top_of.apply(reference) if on_top_of else reference)
            except LabError:
                continue

    def alike(self, exchanges: Sequence[Exchange], source: str) -> bool:
        """Whether the module with this text gives every one of these replies."""
        session = TrustedSession()
        try:
            session.request("load", modules={**self._modules, self._main: source}, main=self._main)
        except SubmissionError:
            return False
        return all(self._answers_alike(session, exchange) for exchange in exchanges)

    def _answers_alike(self, session: TrustedSession, exchange: Exchange) -> bool:
        self._left -= 1
        if self.exhausted:
            return False
        try:
            reply = session.request(exchange.op, **exchange.arguments)
        except SubmissionError as error:
            return exchange.error == (error.type_name, error.message)
        return exchange.error is None and same_reply(reply, exchange.reply)


def same_reply(one: Any, other: Any) -> bool:
    """Whether two replies are the same up to rounding, NaN being equal to NaN."""
    if isinstance(one, Handle) and isinstance(other, Handle):
        return True  # which object it is shows in what is asked of it
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return _same_tensor(one.detach(), other.detach())
    if isinstance(one, np.ndarray):
        return _same_tensor(torch.from_numpy(one), torch.from_numpy(other))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same_reply, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_reply(value, other[key]) for key, value in one.items())
    if isinstance(one, (float, complex)):
        return _same_tensor(torch.tensor(one, dtype=torch.complex128), torch.tensor(other, dtype=torch.complex128))
    return bool(one == other)


def _same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not (one.dtype.is_floating_point or one.dtype.is_complex):
        return torch.equal(one, other)
    # Narrow dtypes round differently in another order of operations; float64 hardly does.
    wide = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float32: 1e-4, torch.complex64: 1e-4}
    rtol = wide.get(one.dtype, 3e-2)
    return bool(torch.isclose(one, other, rtol=rtol, atol=rtol * 1e-2, equal_nan=True).all())
