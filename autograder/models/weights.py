"""``gpt.safetensors``, read as what it is: names, shapes and numbers. Nothing in it can run.

The format is a length, a JSON header of that length, then the numbers. Every size in it is a claim of
the student's, and held against the file before memory is allocated for it.
"""

import math
import struct
from typing import Annotated

import msgspec
import torch
from torch import Tensor

from autograder.models.errors import TrainedModelError

NAME = "gpt.safetensors"
LARGEST_WEIGHTS = 64 * 2**20
LARGEST_HEADER = 2**20
MOST_TENSORS = 2000
MOST_AXES = 8

_LENGTH = struct.Struct("<Q")
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_PICKLES = (b"PK\x03\x04", b"\x80")

Size = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_WEIGHTS)]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: list[Size]
    data_offsets: tuple[Size, Size]


def read_weights(raw: bytes, file: str = NAME) -> dict[str, Tensor]:
    """The weights by their names, in float32.

    Args:
        raw: the file's bytes.
        file: what it is called.

    Raises:
        TrainedModelError: too large, another format, a header that lies about sizes, or numbers that are not finite.
    """
    try:
        return _weights(raw)
    except _UnfitError as error:
        raise TrainedModelError(f"{file} {error}") from None


class _UnfitError(Exception):
    """The file is not what it should be; the message goes on after its name."""


def _weights(raw: bytes) -> dict[str, Tensor]:
    header, numbers = _split(raw)
    entries = _entries(header)
    # Each tensor has to begin where the one before ends: nothing is hidden between them, nothing is read twice.
    end = 0
    weights: dict[str, Tensor] = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, stop = entry.data_offsets
        if begin != end:
            raise _broken(f"`{name}` begins at byte {begin}, and the tensor before it ends at {end}")
        weights[name] = _tensor(name, entry, numbers[begin:stop])
        end = stop
    if end != len(numbers):
        raise _broken(f"{len(numbers) - end} bytes belong to no tensor")
    return weights


def _split(raw: bytes) -> tuple[bytes, memoryview]:
    if len(raw) > LARGEST_WEIGHTS:
        size = f"{len(raw) / 2**20:.0f} MB, and {LARGEST_WEIGHTS >> 20} MB is the most"
        raise _UnfitError(f"has {size}; hand in the model of the recipe, or its weights in bfloat16")
    if raw.startswith(_PICKLES):
        what = "was written by `torch.save`, a format that can run code and is never opened"
        raise _UnfitError(f"{what}; hand in the file that train.py writes")
    if len(raw) < _LENGTH.size:
        raise _broken("it is shorter than its first field")
    (length,) = _LENGTH.unpack_from(raw)
    if length > min(LARGEST_HEADER, len(raw) - _LENGTH.size):
        raise _broken(f"its header claims {length} bytes, and the file has {len(raw)}")
    body = memoryview(raw)[_LENGTH.size :]
    return bytes(body[:length]), body[length:]


def _entries(header: bytes) -> dict[str, _Entry]:
    try:
        fields = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        fields.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(field, type=_Entry) for name, field in fields.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(f"its header cannot be read ({error})") from None
    if not 0 < len(entries) <= MOST_TENSORS:
        raise _broken(f"it holds {len(entries)} tensors")
    return entries


def _tensor(name: str, entry: _Entry, numbers: memoryview) -> Tensor:
    dtype = _DTYPES.get(entry.dtype)
    if dtype is None:
        raise _UnfitError(f"holds `{name}` as {entry.dtype}; weights are {', '.join(_DTYPES)}")
    needed = math.prod(entry.shape) * dtype.itemsize
    begin, stop = entry.data_offsets
    if len(entry.shape) > MOST_AXES or needed != stop - begin or len(numbers) != needed:
        has = f"it has {len(numbers)} of the {stop - begin} bytes that its place claims"
        raise _broken(f"`{name}` of shape {entry.shape} needs {needed} bytes; {has}")
    if needed == 0:
        return torch.zeros(entry.shape)
    # A copy, which need not be aligned in the file.
    weight = torch.frombuffer(bytearray(numbers), dtype=dtype).reshape(entry.shape).float()
    if not weight.isfinite().all():
        raise _UnfitError(f"holds numbers that are not finite in `{name}`; train again with a lower rate")
    return weight


def _broken(what: str) -> _UnfitError:
    return _UnfitError(f"is damaged: {what}; hand in the file as train.py wrote it")
