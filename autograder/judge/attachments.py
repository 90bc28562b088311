"""Files that a student hands in besides the module, as hidden tests see them: the fixture ``attachments``."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError

from autograder.judge.messages import Attached
from autograder.judge.symptoms import CheckFailure, Symptom

T = TypeVar("T")

_DTYPES = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})


class NotHandedIn(Exception):
    """A file that a check looks at was not handed in; ``file`` is its name."""

    def __init__(self, file: str) -> None:
        super().__init__(f"not handed in: {file}")
        self.file = file


class Attachments:
    """The further files of one submission. What is in them is the student's word: it is data, and never run.

    Attributes:
        seed: the same for everybody: what a whole class is measured on is drawn from it.
    """

    def __init__(self, files: Mapping[str, Attached], seed: int = 0) -> None:
        self.seed = seed
        self._files = files
        self._known: dict[str, Any] = {}

    def content(self, file: str) -> bytes:
        """The file's bytes.

        Raises:
            NotHandedIn: there is no such file.
            CheckFailure: intake refused it.
        """
        if file not in self._files:
            raise NotHandedIn(file)
        found = self._files[file]
        if found.problem:
            raise CheckFailure(Symptom.BAD_FILE, found.problem)
        return found.content

    def weights(self, file: str) -> dict[str, torch.Tensor]:
        """The tensors of a safetensors file by name, floating point and finite.

        The format has no code in it, and every length in its header is held to the file by the library.

        Raises:
            NotHandedIn: there is no such file.
            CheckFailure: it is not of that format, or holds what no weights are.
        """
        try:
            weights = safetensors.torch.load(self.content(file))
        except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError):
            says = f"{file} is not a whole safetensors file: save it again, with the given trainer or `save_file`"
            raise CheckFailure(Symptom.BAD_FILE, says) from None
        if not all(tensor.dtype in _DTYPES for tensor in weights.values()):
            raise CheckFailure(Symptom.BAD_FILE, f"{file} holds a tensor that is not of floating point")
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise CheckFailure(Symptom.BAD_FILE, f"{file} holds NaN or infinity: the training went astray")
        return weights

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """What ``compute`` gives, computed for the first check that asks and kept for the others.

        A failure is kept as well: every check that asks fails with it.
        """
        if key not in self._known:
            try:
                self._known[key] = (compute(), None)
            except Exception as error:
                self._known[key] = (None, error)
        value, failure = self._known[key]
        if failure is not None:
            raise failure
        result: T = value
        return result
