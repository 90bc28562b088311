"""Replay a submission's exchanges against the reference and against named mistakes in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autograder.course.lab import LabError
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.wire import Handle
from autograder.judge.sessions import Exchange

# Requests replayed for one submission, all mistakes together. Counted, not timed: the same
# submission gets the same report on every machine.
MOST_REPLAYED = 20_000


class Replays:
    """Replays exchanges, up to a total number of requests.

    Args:
        modules: the trusted modules, by name.
        main: name of the module that mistakes change.
    """

    def __init__(self, modules: Mapping[str, str], main: str) -> None:
        self._modules = modules
        self._main = main
        self._left = MOST_REPLAYED

    @property
    def exhausted(self) -> bool:
        """Whether some replay was not made, so that no conclusion is certain."""
        return self._left < 0

    def reference_answers(self, exchanges: Sequence[Exchange]) -> bool:
        """Whether the reference gives every one of these replies too."""
        return self._gives_replies(exchanges, self._modules[self._main])

    def explaining(
        self, exchanges: Sequence[Exchange], mistakes: Iterable[Mistake], on_top_of: Mistake | None = None
    ) -> set[str]:
        """Return the ids of the mistakes that give every one of these replies, alone or on top of another mistake."""
        return {
            mistake.id
            for mistake, source in self._sources(mistakes, on_top_of)
            if self._gives_replies(exchanges, source)
        }

    def _sources(self, mistakes: Iterable[Mistake], on_top_of: Mistake | None) -> Iterator[tuple[Mistake, str]]:
        """Each mistake with the source of a module that makes it; two that change the same lines are not combined."""
        reference = self._modules[self._main]
        for mistake in mistakes:
            try:
                yield mistake, mistake.apply(on_top_of.apply(reference) if on_top_of else reference)
            except LabError:
                continue

    def _gives_replies(self, exchanges: Sequence[Exchange], source: str) -> bool:
        """Whether the module with this source gives every one of these replies."""
        session = InProcessSession()
        try:
            session.request("load", modules={**self._modules, self._main: source}, main=self._main)
        except SubmissionError:
            return False
        return all(self._gives_reply(session, exchange) for exchange in exchanges)

    def _gives_reply(self, session: InProcessSession, exchange: Exchange) -> bool:
        self._left -= 1
        if self.exhausted:
            return False
        try:
            reply = session.request(exchange.op, **exchange.arguments)
        except SubmissionError as error:
            return exchange.error == (error.type_name, error.message)
        return exchange.error is None and same_reply(reply, exchange.reply)


def same_reply(first: Any, second: Any) -> bool:
    """Whether two replies are the same up to rounding; NaN equals NaN."""
    if isinstance(first, Handle) and isinstance(second, Handle):
        return True  # later requests to the object show which object it is
    if type(first) is not type(second):
        return False
    if isinstance(first, torch.Tensor):
        return _same_tensor(first.detach(), second.detach())
    if isinstance(first, np.ndarray):
        return _same_tensor(torch.from_numpy(first), torch.from_numpy(second))
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same_reply, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_reply(value, second[key]) for key, value in first.items())
    if isinstance(first, (float, complex)):
        return _same_tensor(torch.tensor(first, dtype=torch.complex128), torch.tensor(second, dtype=torch.complex128))
    return bool(first == second)


def _same_tensor(first: torch.Tensor, second: torch.Tensor) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if not (first.dtype.is_floating_point or first.dtype.is_complex):
        return torch.equal(first, second)
    # Narrow dtypes round differently in another order of operations; float64 hardly does.
    wide = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float32: 1e-4, torch.complex64: 1e-4}
    rtol = wide.get(first.dtype, 3e-2)
    return bool(torch.isclose(first, second, rtol=rtol, atol=rtol * 1e-2, equal_nan=True).all())
