"""Replaying what was asked of a submission against the reference and against named mistakes in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autograder.course.lab import LabError
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.wire import Handle
from autograder.judge.recorder import Exchange

# Requests replayed for one submission, all mistakes together. Counted, not timed: the same
# submission gets the same report on every machine.
MOST_REPLAYED = 20_000


class Replays:
    """Replays exchanges, up to a number of requests in all.

    Args:
        modules: the trusted modules, by name.
        main: the one among them that mistakes change.
    """

    def __init__(self, modules: Mapping[str, str], main: str) -> None:
        self._modules = modules
        self._main = main
        self._left = MOST_REPLAYED

    @property
    def exhausted(self) -> bool:
        """Whether some replay was not made, so that nothing can be said for certain."""
        return self._left < 0

    def reference_answers(self, exchanges: Sequence[Exchange]) -> bool:
        """Whether the reference gives every one of these replies too."""
        return self._alike(exchanges, self._modules[self._main])

    def explaining(
        self, exchanges: Sequence[Exchange], mistakes: Iterable[Mistake], on_top_of: Mistake | None = None
    ) -> set[str]:
        """The mistakes that give every one of these replies, alone or together with another."""
        return {mistake.id for mistake, source in self._sources(mistakes, on_top_of) if self._alike(exchanges, source)}

    def _sources(self, mistakes: Iterable[Mistake], on_top_of: Mistake | None) -> Iterator[tuple[Mistake, str]]:
        """Each mistake with the text of a module that makes it; two that change the same lines never go together."""
        reference = self._modules[self._main]
        for mistake in mistakes:
            try:
                yield mistake, mistake.apply(on_top_of.apply(reference) if on_top_of else reference)
            except LabError:
                continue

    def _alike(self, exchanges: Sequence[Exchange], source: str) -> bool:
        """Whether the module with this text gives every one of these replies."""
        session = InProcessSession()
        try:
            session.request("load", modules={**self._modules, self._main: source}, main=self._main)
        except SubmissionError:
            return False
        return all(self._answers_alike(session, exchange) for exchange in exchanges)

    def _answers_alike(self, session: InProcessSession, exchange: Exchange) -> bool:
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
