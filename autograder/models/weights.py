"""Weights in the format safetensors, read as data: names, shapes and numbers. Nothing in the file can run.

Intake limits the size of the file.

The format is a length, a JSON header of that length, then the numbers. Every size in it is the student's claim and is
checked against the file before memory is allocated for it.
"""

import math
import struct
from typing import Annotated

import msgspec
import torch
from torch import Tensor

from autograder.base.json_bytes import decode_json
from autograder.base.text import printable
from autograder.models.errors import HAND_IN_AGAIN, TrainedModelError, refusing

NAME = "gpt.safetensors"
LARGEST_HEADER = 2**20
MOST_TENSORS = 2000
MOST_AXES = 8
# A tensor without numbers needs no bytes whatever its other sizes are; PyTorch computes with them all the same.
MOST_NUMBERS = 2**40
_LONGEST_NAME = 80  # in messages

_LENGTH = struct.Struct("<Q")
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_ZIP = b"PK\x03\x04"
_PICKLE, _PICKLE_PROTOCOLS = 0x80, range(2, 6)

Size = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class _TensorHeader(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: list[Size]
    data_offsets: tuple[Size, Size]


def read_weights(raw: bytes, file: str = NAME) -> dict[str, Tensor]:
    """Return the tensors of a state dict by name: floats in float32, integers and booleans as they are.

    Args:
        raw: the file's bytes.
        file: the file's name, for messages.

    Raises:
        TrainedModelError: the file is not in this format, its header misstates sizes, or a number is not finite.
    """
    with refusing(file):
        try:
            return _weights(raw)
        except _UnfitError as error:
            raise TrainedModelError(f"{file} {error}") from None


class _UnfitError(Exception):
    """The file cannot be read; the message continues after the file's name."""


def _weights(raw: bytes) -> dict[str, Tensor]:
    header, numbers = _split(raw)
    # Each tensor must begin where the previous tensor ends: no bytes are hidden between them or read twice.
    end = 0
    weights: dict[str, Tensor] = {}
    for name, tensor in sorted(_headers(header).items(), key=lambda item: item[1].data_offsets):
        begin, stop = tensor.data_offsets
        if begin != end:
            raise _damaged(f"{_shown(name)} begins at byte {begin}, but the previous tensor ends at byte {end}")
        weights[name] = _tensor(name, tensor, numbers[begin:stop])
        end = stop
    if end != len(numbers):
        raise _damaged(f"{len(numbers) - end} bytes belong to no tensor")
    return weights


def _split(raw: bytes) -> tuple[bytes, memoryview]:
    if _is_pickle(raw):
        problem = "was written by `torch.save`, a format that can run code and is never loaded"
        raise _UnfitError(f"{problem}; {HAND_IN_AGAIN}")
    if len(raw) < _LENGTH.size:
        raise _damaged("it is shorter than its first field")
    (length,) = _LENGTH.unpack_from(raw)
    if length > min(LARGEST_HEADER, len(raw) - _LENGTH.size):
        raise _damaged(f"its header claims {length} bytes, but the file has {len(raw)}")
    body = memoryview(raw)[_LENGTH.size :]
    return bytes(body[:length]), body[length:]


def _is_pickle(raw: bytes) -> bool:
    """Whether `torch.save` or `pickle` wrote the file, by its whole signature.

    A pickle begins with byte 80 and the number of its protocol. The length of a header can begin with the same two
    bytes, but is followed by the `{` of the header.
    """
    if raw.startswith(_ZIP):
        return True
    starts_like_pickle = len(raw) > 1 and raw[0] == _PICKLE and raw[1] in _PICKLE_PROTOCOLS
    return starts_like_pickle and raw[_LENGTH.size : _LENGTH.size + 1] != b"{"


def _headers(header: bytes) -> dict[str, _TensorHeader]:
    try:
        fields = decode_json(header, dict[str, msgspec.Raw])
        fields.pop("__metadata__", None)
        headers = {name: decode_json(bytes(field), _TensorHeader) for name, field in fields.items()}
    except msgspec.MsgspecError as error:
        raise _damaged(f"its header cannot be read ({printable(str(error), 200)})") from None
    if not 0 < len(headers) <= MOST_TENSORS:
        raise _damaged(f"it holds {len(headers)} tensors")
    return headers


def _tensor(name: str, header: _TensorHeader, numbers: memoryview) -> Tensor:
    dtype = _DTYPES.get(header.dtype)
    if dtype is None:
        raise _UnfitError(f"holds {_shown(name)} as {printable(header.dtype, 20)}; allowed are {', '.join(_DTYPES)}")
    if len(header.shape) > MOST_AXES or math.prod(size or 1 for size in header.shape) > MOST_NUMBERS:
        raise _damaged(f"{_shown(name)} has the shape {printable(str(header.shape), 200)}, which no tensor can have")
    needed = math.prod(header.shape) * dtype.itemsize
    begin, stop = header.data_offsets
    if needed != stop - begin or len(numbers) != needed:
        found = f"{len(numbers)} of the {stop - begin} bytes between its offsets exist"
        raise _damaged(f"{_shown(name)} of shape {header.shape} needs {needed} bytes; {found}")
    if needed == 0:
        return _widened(torch.zeros(header.shape, dtype=dtype))
    # A copy: the numbers need not be aligned in the file. A boolean is a byte of any value.
    stored = torch.uint8 if dtype == torch.bool else dtype
    weight = _widened(torch.frombuffer(bytearray(numbers), dtype=stored).to(dtype).reshape(header.shape))
    if not weight.isfinite().all():
        raise _UnfitError(
            f"holds numbers that are not finite in {_shown(name)}; train again with a lower learning rate, "
            "or register a buffer with `persistent=False`"
        )
    return weight


def _shown(name: str) -> str:
    return f"`{printable(name, _LONGEST_NAME)}`"


def _widened(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight


def _damaged(problem: str) -> _UnfitError:
    return _UnfitError(f"is damaged: {problem}; {HAND_IN_AGAIN}")
