"""The course's own code, run in the judge's process under the rules that submissions live by."""

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
    """An executor without a process around it: for references, alternatives and mistakes only.

    Every request and reply passes through the wire, so a value means here what it means in a worker.
    The global random generators are the session's own while a request runs and the caller's before
    and after. Sessions may hold modules of the same name side by side.
    """

    def __init__(self) -> None:
        self._executor = Executor()
        self._generators: _Generators | None = None

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value.

        Raises:
            SubmissionError: the code raised.
            TypeError: an argument cannot travel.
            ProtocolError: the request or the reply is larger than a worker's could be.
        """
        request = _through_wire(arguments, REQUESTS)
        with self._own_generators():
            answer = self._executor.answer(op, request)
        return value_of(_through_wire(answer, REPLIES))

    def kill(self) -> None:
        """End the session, as one ends a worker: what it forbade its code is open again in this process."""
        self._executor.close()

    def load(self, modules: dict[str, str], main: str) -> None:
        """Load ``main``; the other modules are there to be imported."""
        self.request("load", modules=modules, main=main)

    @contextmanager
    def _own_generators(self) -> Iterator[None]:
        callers = _Generators()
        if self._generators is not None:
            self._generators.restore()
        try:
            yield
        finally:
            self._generators = _Generators()
            callers.restore()


class _Generators:
    """The state of Python's, NumPy's and PyTorch's global generators at one moment."""

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
