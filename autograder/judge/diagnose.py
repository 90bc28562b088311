"""Which named mistake explains a failure: computed from outputs, not guessed from symptoms.

The requests of a failed check are replayed against each mistake that could be meant. A mistake
explains the check when it gives the student's every reply, and it could be meant only when it
loses this check and no check that the student passed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autograder.isolation.errors import SubmissionError
from autograder.isolation.trusted import TrustedSession
from autograder.isolation.wire import Handle
from autograder.judge.recorder import Exchange
from autograder.mistakes import Mistake


def explain(
    recorded: Mapping[str, Sequence[Exchange]],
    not_passed: frozenset[str],
    mistakes: Iterable[Mistake],
    modules: Mapping[str, str],
    main: str,
) -> dict[str, str]:
    """Name the mistake behind each failed check, where outputs single one out.

    Args:
        recorded: failed check → its exchanges with the student's code.
        not_passed: every check of the stage that the student did not pass, for whatever reason.
        mistakes: the stage's catalogue.
        modules: the trusted modules, by name; ``main`` is the one that mistakes change.
        main: the stage's module.

    Returns:
        Check → mistake id. A check that no mistake, or more than one, explains is left out.
    """
    possible = [mistake for mistake in mistakes if mistake.named and mistake.fails <= not_passed]
    explained: dict[str, set[str]] = {mistake.id: set() for mistake in possible}
    for mistake in possible:
        changed = {**modules, main: mistake.apply(modules[main])}
        for check, exchanges in recorded.items():
            if check in mistake.fails and exchanges and _replies_alike(exchanges, changed, main):
                explained[mistake.id].add(check)
    return {
        check: names[0]
        for check in recorded
        if len(names := _best(check, explained)) == 1
    }


def _best(check: str, explained: Mapping[str, set[str]]) -> list[str]:
    """The mistakes that explain ``check`` and, of those, the most checks besides."""
    able = {name: len(checks) for name, checks in explained.items() if check in checks}
    return [name for name, count in able.items() if count == max(able.values())]


def _replies_alike(exchanges: Sequence[Exchange], modules: Mapping[str, str], main: str) -> bool:
    session = TrustedSession()
    session.request("load", modules=dict(modules), main=main)
    for exchange in exchanges:
        try:
            reply, error = session.request(exchange.op, **exchange.arguments), None
        except SubmissionError as raised:
            reply, error = None, raised.type_name
        if error != exchange.error or not same_reply(reply, exchange.reply):
            return False
    return True


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
    if isinstance(one, float):
        return _same_tensor(torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64))
    return bool(one == other)


def _same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.dtype.is_floating_point:
        return torch.equal(one, other)
    # Narrow dtypes round differently in another order of operations; float64 hardly does.
    rtol = {torch.float64: 1e-7, torch.float32: 1e-4}.get(one.dtype, 3e-2)
    return bool(torch.isclose(one, other, rtol=rtol, atol=rtol * 1e-2, equal_nan=True).all())
