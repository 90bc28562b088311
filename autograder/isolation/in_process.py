"""Runs the course's own code in the judge's process, under the rules for submissions."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from autograder.isolation.errors import value_of
from autograder.isolation.executor import Executor
from autograder.isolation.wire import REPLIES, REQUESTS, Caps, decode, encode


class InProcessSession:
    """An executor in this process: for references, alternatives and mistakes only.

    Every request and reply is encoded and decoded, so values behave as they do in a worker. While a
    request runs, the global random generators have the session's own state; the caller's state is restored
    afterwards. Several sessions may hold modules of the same name.
    """

    def __init__(self) -> None:
        self.refusals: list[tuple[str, str, int, str]] = []  # the forbidden calls so far
        self._executor = Executor(lambda *call: self.refusals.append(call))
        self._generators: _Generators | None = None

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value.

        Raises:
            SubmissionError: The code raised.
            TypeError: An argument cannot be sent.
            ProtocolError: The request or the reply exceeds a worker's size limits.
        """
        request = _through_wire(arguments, REQUESTS)
        with self._own_generators():
            answer = self._executor.answer(op, request)
        return value_of(_through_wire(answer, REPLIES))

    def kill(self) -> None:
        """End the session and lift its forbidden calls in this process; the counterpart of ``Worker.kill``."""
        self._executor.close()

    def load(self, modules: dict[str, str], main: str) -> None:
        """Load ``main``; the other modules can be imported by it."""
        self.request("load", modules=modules, main=main)

    @contextmanager
    def _own_generators(self) -> Iterator[None]:
        callers_state = _Generators()
        if self._generators is not None:
            self._generators.restore()
        try:
            yield
        finally:
            self._generators = _Generators()
            callers_state.restore()


class _Generators:
    """A snapshot of the state of Python's, NumPy's and PyTorch's global generators."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        self._torch = torch.get_rng_state()

    def restore(self) -> None:
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)


def _through_wire(body: Any, caps: Caps) -> Any:
    pieces = memoryview(b"".join(encode(0, body, caps)))
    taken = 0

    def read(view: memoryview) -> None:
        nonlocal taken
        view[:] = pieces[taken : taken + len(view)]
        taken += len(view)

    return decode(read, caps)[1]
