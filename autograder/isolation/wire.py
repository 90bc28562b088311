"""The wire format between the judge and a worker: a msgpack header, then raw tensor bytes.

A frame is ``u32 header length | header | bytes of tensor 0 | bytes of tensor 1 | …``. The header
holds the request's id, the value, and for each tensor its dtype, shape and memory order. Decoding
cannot run code. A worker's frames are checked against ``Caps`` before memory is allocated:
the header is data, and the tensors are copied into buffers that the judge allocates.

Supported values: None, bool, int, float, complex, str, bytes, list, tuple, dict (plain scalars as
keys), torch tensors, NumPy arrays, torch dtypes and devices, and ``Handle``s. Requests support
more: ``Reference``, slices, ``torch.Generator`` and tensors that require grad. Types are exact:
a tensor arrives as a plain ``torch.Tensor``, an array as a plain ``numpy.ndarray``, a NumPy scalar as
a 0-d array.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
import torch

# A submission's error is reported as its nearest ancestor in this list. None of these errors has a special meaning
# for pytest or Hypothesis.
ERROR_NAMES = (
    "ArithmeticError", "AssertionError", "AttributeError", "EOFError", "FloatingPointError", "ImportError",
    "IndexError", "KeyError", "LookupError", "MemoryError", "NameError", "NotImplementedError", "OSError",
    "OverflowError", "RecursionError", "RuntimeError", "SyntaxError", "TypeError", "ValueError", "ZeroDivisionError",
)  # fmt: skip
MESSAGE_LENGTH = 4000


class ProtocolError(Exception):
    """The bytes are not a valid frame within the caps."""


class Handle(msgspec.Struct, frozen=True, array_like=True):
    """A reference to an object kept in the worker: its number and the name of its type."""

    id: int
    type: str


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """A dotted attribute of the submission's module, or of the kept object ``owner``; owner 0 is the module."""

    path: str
    owner: int = 0


@dataclass(frozen=True)
class Caps:
    """Upper limits for one frame.

    ``payload`` limits the bytes of all tensors together; ``requests`` allows the types that only the judge sends.
    """

    header: int = 1 << 20
    payload: int = 64 << 20
    tensors: int = 2048
    axes: int = 16
    nodes: int = 100_000
    depth: int = 32
    requests: bool = False


REPLIES = Caps()
REQUESTS = Caps(header=8 << 20, payload=256 << 20, requests=True)

_DTYPES = (
    "float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
_TORCH_DTYPES: dict[torch.dtype, str] = {getattr(torch, name): name for name in _DTYPES}
_NUMPY_DTYPES: dict[np.dtype[Any], str] = {np.dtype(name): name for name in _DTYPES if name != "bfloat16"}
_NUMPY_NUMBERS = frozenset(name for name in _DTYPES if name not in ("bool", "bfloat16"))
_ITEM_BYTES = {name: dtype.itemsize for dtype, name in _TORCH_DTYPES.items()}
_LENGTH = struct.Struct("<I")
_COMPLEX = struct.Struct("<dd")
_INT64 = range(-(2**63), 2**63)
_MOST_DIGITS = 4000
_COALESCED_BYTES = 1 << 17


class _Code(IntEnum):
    """Extension codes for types that msgpack lacks."""

    TENSOR = 1
    TUPLE = 2
    INTEGER = 3
    COMPLEX = 4
    HANDLE = 5
    DTYPE = 6
    DEVICE = 7
    MAPPING = 8
    # Requests only:
    REFERENCE = 16
    SLICE = 17
    GENERATOR = 18


class _Meta(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The metadata of one tensor; ``order`` lists its axes from slowest to fastest in memory, [] for row-major."""

    dtype: str
    numpy: bool
    leaf: bool
    shape: list[int]
    order: list[int]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    id: int
    body: msgspec.Raw
    tensors: list[_Meta]


_encoder = msgspec.msgpack.Encoder()
_header_decoder = msgspec.msgpack.Decoder(_Header)


def is_sendable(value: object) -> bool:
    """Whether a tensor or array can be sent: dense, with data, and of a supported dtype."""
    if isinstance(value, torch.Tensor):
        fake = type(value).__name__ == "FakeTensor"
        return value.layout == torch.strided and value.dtype in _TORCH_DTYPES and not value.is_meta and not fake
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.newbyteorder("=") in _NUMPY_DTYPES


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """The torch tensors in nested values, in an order that is the same on both sides."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)


def encode(number: int, body: object, caps: Caps) -> list[bytes | memoryview]:
    """Encode a frame as pieces to be sent in order.

    Raises:
        TypeError: The body holds a value that cannot be sent.
        ProtocolError: The frame exceeds ``caps``.
    """
    encoder = _BodyEncoder(caps)
    packed = _encoder.encode(encoder.plain(body))
    header = _encoder.encode(_Header(number, msgspec.Raw(packed), encoder.metas))
    if len(header) > caps.header:
        raise ProtocolError(f"a header has {len(header)} bytes; at most {caps.header} are allowed")
    payload = sum(piece.nbytes for piece in encoder.pieces)
    if payload > caps.payload:
        raise ProtocolError(f"tensors have {payload} bytes in total; at most {caps.payload} are allowed")
    first = _LENGTH.pack(len(header)) + header
    if payload <= _COALESCED_BYTES:  # one write, so that the reader wakes up only once
        return [b"".join([first, *encoder.pieces])]
    return [first, *encoder.pieces]


class _BodyEncoder:
    """Converts a body to msgpack types and collects its tensors."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self.metas: list[_Meta] = []
        self.pieces: list[memoryview] = []

    def plain(self, value: object) -> object:
        """Convert ``value`` to msgpack's own types and extensions."""
        kind = type(value)
        if value is None or kind in (bool, float, bytes) or (kind is str and value.isascii()):  # type: ignore[attr-defined]
            return value
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
            return _extension(_Code.TENSOR, _LENGTH.pack(self._set_aside(value)))
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return float(value)
        if isinstance(value, str):
            return value.encode(errors="replace").decode()  # a lone surrogate has no UTF-8 encoding
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, tuple):
            return _extension(_Code.TUPLE, _encoder.encode([self.plain(item) for item in value]))
        if isinstance(value, dict):
            return self._mapping(value)
        return self._tagged(value)

    def _integer(self, value: int) -> object:
        if value in _INT64:
            return value
        digits = b"%x" % value
        if len(digits) > _MOST_DIGITS:
            raise TypeError(f"cannot send an integer with more than {_MOST_DIGITS} hexadecimal digits")
        return _extension(_Code.INTEGER, digits)

    def _mapping(self, value: dict[Any, Any]) -> object:
        if all(type(key) is str for key in value):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        if not all(_is_key(key) for key in value):
            raise TypeError("cannot send a dict whose keys are not plain scalars")
        pairs = [[key, self.plain(item)] for key, item in value.items()]
        return _extension(_Code.MAPPING, _encoder.encode(pairs))

    def _tagged(self, value: object) -> msgspec.msgpack.Ext:
        if type(value) is complex:
            return _extension(_Code.COMPLEX, _COMPLEX.pack(value.real, value.imag))
        if type(value) is Handle:
            return _extension(_Code.HANDLE, _encoder.encode(value))
        if isinstance(value, torch.dtype):
            return _extension(_Code.DTYPE, str(value).removeprefix("torch.").encode())
        if isinstance(value, torch.device):
            return _extension(_Code.DEVICE, str(value).encode())
        if self._caps.requests:
            if type(value) is Reference:
                return _extension(_Code.REFERENCE, _encoder.encode(value))
            if isinstance(value, slice):
                ends = [self.plain(end) for end in (value.start, value.stop, value.step)]
                return _extension(_Code.SLICE, _encoder.encode(ends))
            if isinstance(value, torch.Generator):
                return _extension(_Code.GENERATOR, _LENGTH.pack(self._set_aside(value.get_state())))
        raise TypeError(f"cannot send a {type(value).__name__}")

    def _set_aside(self, value: "torch.Tensor | np.ndarray[Any, Any] | np.generic") -> int:
        if not is_sendable(value):
            raise TypeError(f"cannot send a {type(value).__name__} of {value.dtype}")
        numpy = not isinstance(value, torch.Tensor)
        if type(value) is torch.Tensor and _is_ordinary(value):
            flat = value.detach().view(-1).view(torch.uint8)
            leaf = self._caps.requests and value.requires_grad
            self.metas.append(_Meta(_TORCH_DTYPES[value.dtype], numpy, leaf, list(value.shape), []))
            self.pieces.append(flat.numpy().data)
            return len(self.metas) - 1
        if isinstance(value, torch.Tensor):
            leaf = self._caps.requests and value.requires_grad
            dense = value.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
            name, strides = _TORCH_DTYPES[dense.dtype], dense.stride()
        else:
            leaf = False
            array = np.asarray(value)
            array = array.astype(array.dtype.newbyteorder("="), order="K", copy=False)
            name, strides = _NUMPY_DTYPES[array.dtype], array.strides
            dense = _as_tensor(array)
        order = sorted(range(dense.ndim), key=lambda axis: -strides[axis])
        turned = dense.permute(order)
        if dense.is_contiguous() or not turned.is_contiguous():
            order, turned = [], dense.contiguous()
        self.metas.append(_Meta(name, numpy, leaf, list(dense.shape), order))
        # Not `reshape`: a single element may have stride 0, and torch cannot view such a tensor as bytes.
        flat = turned.as_strided((turned.numel(),), (1,))
        raw = flat.view(torch.uint8).numpy() if turned.numel() else np.empty(0, np.uint8)
        self.pieces.append(raw.data)
        return len(self.metas) - 1


def _is_ordinary(tensor: torch.Tensor) -> bool:
    """Whether the bytes of a tensor are its numbers in order; most tensors are like this."""
    return (
        tensor.is_contiguous() and tensor.numel() > 1 and tensor.is_cpu and not tensor.is_neg() and not tensor.is_conj()
    )


def _as_tensor(array: "np.ndarray[Any, Any]") -> torch.Tensor:
    """A tensor that shares the array's memory if torch supports it, else a copy."""
    usable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if usable else array.copy(order="K" if min(array.strides, default=0) >= 0 else "C"))


def _extension(code: _Code, data: bytes) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(int(code), data)


def _is_key(value: object) -> bool:
    """Whether a value may be a key: plain scalars, whose hashes cannot be made to collide in large numbers."""
    return value is None or type(value) in (bool, float, str) or (type(value) is int and value in _INT64)


def decode(read: Callable[[memoryview], None], caps: Caps) -> tuple[int, Any]:
    """Read one frame.

    Args:
        read: Fills the view that it receives, or raises.
        caps: The limits for the frame.

    Returns:
        The frame's number and its body.

    Raises:
        ProtocolError: The bytes are not a valid frame within ``caps``.
    """
    prefix = bytearray(_LENGTH.size)
    read(memoryview(prefix))
    (length,) = _LENGTH.unpack(prefix)
    if length > caps.header:
        raise ProtocolError(f"a header has {length} bytes; at most {caps.header} are allowed")
    raw = bytearray(length)
    read(memoryview(raw))
    header = _guarded(lambda: _header_decoder.decode(raw))
    _check_metas(header.tensors, caps)
    buffers = []
    for meta in header.tensors:
        buffer = np.empty(math.prod(meta.shape) * _ITEM_BYTES[meta.dtype], np.uint8)
        if buffer.size:
            read(buffer.data)
        buffers.append(buffer)

    def body() -> Any:
        value = _BodyDecoder(list(map(_rebuild, header.tensors, buffers)), caps).decode(header.body)
        _check_nodes(value, caps)
        return value

    return header.id, _guarded(body)


_PARSING_ERRORS = (
    msgspec.MsgspecError, RecursionError, ValueError, TypeError, OverflowError, RuntimeError, struct.error,
)  # fmt: skip


def _guarded(parse: Callable[[], Any]) -> Any:
    """Run a parsing step and convert its errors to ``ProtocolError``: the sender is at fault."""
    try:
        return parse()
    except ProtocolError:
        raise
    except _PARSING_ERRORS as error:
        raise ProtocolError(f"{type(error).__name__}: {str(error)[:200]}") from None


def _check_metas(metas: list[_Meta], caps: Caps) -> None:
    """Check a header's tensors against the caps; Python's integers cannot overflow."""
    if len(metas) > caps.tensors:
        raise ProtocolError(f"a frame has {len(metas)} tensors; at most {caps.tensors} are allowed")
    total = 0
    for meta in metas:
        if meta.dtype not in _ITEM_BYTES or (meta.numpy and meta.dtype == "bfloat16"):
            raise ProtocolError("a tensor has an unknown dtype")
        if len(meta.shape) > caps.axes or any(not 0 <= size <= caps.payload for size in meta.shape):
            raise ProtocolError("a tensor has an invalid shape")
        if meta.order and sorted(meta.order) != list(range(len(meta.shape))):
            raise ProtocolError("a tensor has an invalid order of axes")
        if meta.leaf and not (caps.requests and meta.dtype.startswith(("float", "bfloat", "complex"))):
            raise ProtocolError("a tensor cannot require grad")
        total += math.prod(meta.shape) * _ITEM_BYTES[meta.dtype]
        if total > caps.payload:
            raise ProtocolError(f"tensors have more than {caps.payload} bytes in total")


def _rebuild(meta: _Meta, raw: "np.ndarray[Any, Any]") -> "torch.Tensor | np.ndarray[Any, Any]":
    """Build a tensor or array over its own buffer."""
    if not meta.order and raw.size and meta.dtype in _NUMPY_NUMBERS:
        array = raw.view(meta.dtype).reshape(meta.shape)
        if meta.numpy:
            return array
        plain = torch.from_numpy(array)
        return plain.requires_grad_() if meta.leaf else plain
    order = meta.order or list(range(len(meta.shape)))
    stored = [meta.shape[axis] for axis in order]
    back = [order.index(axis) for axis in range(len(order))]
    if meta.dtype == "bool":
        raw = (raw != 0).view(np.uint8)  # a bool stored as any other byte is undefined behaviour
    if meta.numpy:
        return raw.view(meta.dtype).reshape(stored).transpose(back)
    dtype = getattr(torch, meta.dtype)
    # torch cannot view an empty tensor as a wider dtype.
    flat = torch.from_numpy(raw).view(dtype) if raw.size else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(stored).permute(back)
    return tensor.requires_grad_() if meta.leaf else tensor


class _BodyDecoder:
    """Decodes a body. Each tensor may be referenced once."""

    def __init__(self, tensors: list[Any], caps: Caps) -> None:
        self._tensors = tensors
        self._caps = caps
        self._used: set[int] = set()
        self._extensions = 0
        self._decoder = msgspec.msgpack.Decoder(ext_hook=self._extension)

    def decode(self, raw: bytes | memoryview | msgspec.Raw) -> Any:
        return self._decoder.decode(raw)

    def _extension(self, code: int, data: memoryview) -> Any:
        self._extensions += 1
        if self._extensions > self._caps.nodes:
            raise ProtocolError("a body has too many values")
        if code >= _Code.REFERENCE and not self._caps.requests:
            raise ProtocolError(f"extension {code} is not allowed in a reply")
        match code:
            case _Code.TENSOR:
                return self._tensor(data)
            case _Code.TUPLE:
                return tuple(self._list(data))
            case _Code.INTEGER:
                if len(data) > _MOST_DIGITS:
                    raise ProtocolError("an integer has too many digits")
                return int(bytes(data), 16)
            case _Code.COMPLEX:
                return complex(*_COMPLEX.unpack(data))
            case _Code.HANDLE:
                handle = msgspec.msgpack.decode(data, type=Handle)
                return Handle(handle.id, handle.type[:100])
            case _Code.DTYPE:
                return getattr(torch, _known_dtype(bytes(data).decode()))
            case _Code.DEVICE:
                return torch.device(bytes(data[:32]).decode())
            case _Code.MAPPING:
                return self._mapping(data)
            case _Code.REFERENCE:
                return msgspec.msgpack.decode(data, type=Reference)
            case _Code.SLICE:
                return slice(*self._list(data))
            case _Code.GENERATOR:
                generator = torch.Generator()
                generator.set_state(self._tensor(data))
                return generator
        raise ProtocolError(f"extension {code} is unknown")

    def _tensor(self, data: memoryview) -> Any:
        (index,) = _LENGTH.unpack(data)
        if index in self._used or index >= len(self._tensors):
            raise ProtocolError("a tensor was not sent, or is referenced twice")
        self._used.add(index)
        return self._tensors[index]

    def _list(self, data: memoryview) -> list[Any]:
        items = self.decode(data)
        if not isinstance(items, list):
            raise ProtocolError("a sequence is not a list")
        return items

    def _mapping(self, data: memoryview) -> dict[Any, Any]:
        pairs = self._list(data)
        if not all(isinstance(pair, list) and len(pair) == 2 and _is_key(pair[0]) for pair in pairs):
            raise ProtocolError("a mapping is not a list of pairs")
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            raise ProtocolError("a mapping has a duplicate key")
        return mapping


def _known_dtype(name: str) -> str:
    if name not in _DTYPES:
        raise ProtocolError("a dtype is unknown")
    return name


_LEAVES = frozenset(
    {type(None), bool, int, float, complex, str, bytes, torch.Tensor, np.ndarray, torch.dtype, torch.device, Handle}
)
_REQUEST_LEAVES = _LEAVES | {Reference, slice, torch.Generator}


def _check_nodes(value: Any, caps: Caps) -> None:
    """Check the types, the depth and the number of values; a small header can hold many."""
    leaves = _REQUEST_LEAVES if caps.requests else _LEAVES
    pending: list[tuple[Any, int]] = [(value, 0)]
    count = 0
    while pending:
        item, depth = pending.pop()
        count += 1
        if count > caps.nodes or depth > caps.depth:
            raise ProtocolError("a body has too many values, or is nested too deeply")
        if type(item) in (list, tuple):
            pending.extend((inner, depth + 1) for inner in item)
        elif type(item) is dict:
            if not all(_is_key(key) for key in item):
                raise ProtocolError("a key is not a plain scalar")
            pending.extend((inner, depth + 1) for inner in item.values())
        elif type(item) not in leaves:
            raise ProtocolError(f"a value has the type {type(item).__name__}")
