"""Values survive the wire unchanged; malformed frames are refused before they use resources."""

import math
import struct
import tracemalloc

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.isolation import wire
from autograder.isolation.wire import REPLIES, REQUESTS, Caps, Handle, ProtocolError, Reference, decode, encode


def frame(body: object, caps: Caps = REPLIES, number: int = 1) -> bytes:
    return b"".join(encode(number, body, caps))


def unframe(raw: bytes, caps: Caps = REPLIES) -> object:
    """Decode a frame; raise EOFError when the bytes run out, as when a worker dies."""
    taken = 0

    def read(view: memoryview) -> None:
        nonlocal taken
        if taken + len(view) > len(raw):
            raise EOFError
        view[:] = raw[taken : taken + len(view)]
        taken += len(view)

    return decode(read, caps)[1]


def there_and_back(body: object, caps: Caps = REPLIES) -> object:
    return unframe(frame(body, caps), caps)


def same(left: object, right: object) -> bool:
    """Whether two values are equal in type, shape and every visible bit; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, torch.Tensor):
        same_form = left.dtype == right.dtype and left.shape == right.shape and _order(left) == _order(right)
        return same_form and _same_bits(left, right)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (float, complex)):
        return repr(left) == repr(right)
    return left == right


def _order(tensor: torch.Tensor) -> list[int]:
    """The strides of the axes whose stride matters: those longer than 1, unless the tensor is empty."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1 and tensor.numel()]


def _same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    if not left.numel():
        return True
    flat = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (left, right)]
    return torch.equal(*flat)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(max_size=40),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.device("cpu"), torch.device("meta")]),
)  # fmt: skip
keys = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Tensors of any dtype, with up to four axes, some of length 0, in any memory order."""
    dtype = draw(st.sampled_from(sorted(wire._TORCH_DTYPES, key=str)))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    largest = 2 if dtype is torch.bool else 256
    raw = torch.randint(0, largest, (math.prod(shape) * dtype.itemsize,), dtype=torch.uint8, generator=generator)
    dense = raw.view(dtype).reshape(shape) if raw.numel() else torch.empty(shape, dtype=dtype)
    order = draw(st.permutations(range(len(shape))))
    return dense.permute(order)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    tensor = draw(tensors().filter(lambda tensor: tensor.dtype != torch.bfloat16))
    return tensor.numpy()


values = st.recursive(
    st.one_of(scalars, tensors(), arrays()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(values)
def test_values_survive(value):
    assert same(there_and_back(value), value)


@settings(deadline=None, max_examples=200)
@given(values, st.data())
def test_a_corrupted_frame_is_refused_or_decodes_as_a_valid_frame(value, data):
    """Decoding raises no other error and never exceeds the caps."""
    raw = bytearray(frame(value))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        unframe(bytes(raw))
    except (ProtocolError, EOFError):
        return


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise):
    with pytest.raises((ProtocolError, EOFError)):
        unframe(struct.pack("<I", len(noise)) + noise)


@settings(deadline=None)
@given(values, st.floats(0, 1, exclude_max=True))
def test_a_truncated_frame_is_never_a_value(value, share):
    raw = frame(value)
    with pytest.raises((ProtocolError, EOFError)):
        unframe(raw[: int(share * len(raw))])


def test_the_number_is_decoded():
    raw = frame("x", number=12345)
    pieces = iter([raw[:4], raw[4:]])

    def read(view: memoryview) -> None:
        view[:] = next(pieces)

    assert decode(read, REPLIES) == (12345, "x")


@pytest.mark.parametrize(
    "value",
    [Reference("a.b", 3), slice(1, None, 2), slice(None), torch.Generator().manual_seed(7)],
    ids=["reference", "slice", "whole slice", "generator"],
)
def test_some_types_can_be_sent_only_to_a_worker(value):
    back = there_and_back([value], REQUESTS)[0]
    if isinstance(value, torch.Generator):
        assert torch.equal(back.get_state(), value.get_state())
    else:
        assert back == value
    with pytest.raises(TypeError):
        frame([value])
    with pytest.raises(ProtocolError):
        unframe(frame([value], REQUESTS), REPLIES)


def test_a_tensor_keeps_requires_grad_only_on_the_way_to_a_worker():
    leaf = torch.ones(2, requires_grad=True)
    assert there_and_back(leaf, REQUESTS).requires_grad
    assert not there_and_back(leaf).requires_grad
    with pytest.raises(ProtocolError):
        unframe(frame(leaf, REQUESTS), REPLIES)


def test_a_handle_keeps_its_number_and_a_shortened_name():
    assert there_and_back(Handle(7, "x" * 500)) == Handle(7, "x" * 100)


def test_subclasses_arrive_as_their_base_types():
    class Loud(torch.Tensor):
        pass

    class Number(int):
        pass

    arrived = there_and_back([torch.ones(2).as_subclass(Loud), Number(3), torch.nn.Parameter(torch.ones(1))])
    assert [type(item) for item in arrived] == [torch.Tensor, int, torch.Tensor]


def test_decoded_tensors_own_their_memory():
    x = torch.zeros(4)
    first, second = there_and_back([x, x])
    first += 1
    assert second.tolist() == [0.0] * 4
    assert x.tolist() == [0.0] * 4


def test_a_single_element_of_stride_0_can_be_sent():
    value = torch.tensor(5.0, dtype=torch.float64).expand(1)
    assert value.stride() == (0,)
    assert torch.equal(there_and_back(value), value)


def test_lazy_views_negatives_and_conjugates_arrive_as_values():
    z = torch.tensor([1 + 2j, 3 - 1j])
    arrived = there_and_back([z.conj(), z.conj().imag, torch.arange(6)[::2], np.arange(6)[::-2]])
    assert [list(item) for item in arrived] == [list(z.conj().resolve_conj()), list(-z.imag), [0, 2, 4], [5, 3, 1]]


def test_invalid_bool_bytes_become_true():
    raw = bytearray(frame(torch.tensor([True, False])))
    raw[-2:] = b"\x07\x00"
    arrived = unframe(bytes(raw))
    assert arrived.view(torch.uint8).tolist() == [1, 0]


@pytest.mark.parametrize(
    "value",
    [object(), print, {(1, 2): 3}, {1 << 70: 0}, torch.ones(2).to_sparse(), torch.empty(2, device="meta"),
     np.array(["text"]), 1 << 20000],
    ids=["object", "function", "tuple key", "large key", "sparse", "meta", "text array", "large number"],
)  # fmt: skip
def test_an_unsupported_value_is_a_type_error(value):
    with pytest.raises(TypeError, match="cannot send"):
        frame([value])


# --- hand-made frames -------------------------------------------------------------------------------


def made(body: object, metas: list[object], payload: bytes = b"", number: object = 1) -> bytes:
    """A frame whose header has this metadata of tensors, valid or not."""
    header = msgspec.msgpack.encode({"id": number, "body": body, "tensors": metas})
    return struct.pack("<I", len(header)) + header + payload


def tensor_at(index: int) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(1, struct.pack("<I", index))


def test_a_hand_made_frame_is_read():
    raw = made([tensor_at(0)], [["float32", False, False, [2], []]], struct.pack("<2f", 1, 2))
    assert unframe(raw)[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "meta",
    [
        ["float32", False, False, [1 << 62, 1 << 62], []],
        ["float32", False, False, [0, 1 << 62], []],
        ["float32", False, False, [-1], []],
        ["float32", False, False, [1 << 25], []],
        ["float32", False, False, [1] * 17, []],
        ["float32", False, True, [1], []],
        ["int64", False, True, [1], []],
        ["float32", False, False, [2, 2], [0]],
        ["float32", False, False, [2, 2], [0, 0]],
        ["float32", False, False, [2, 2], [0, 7]],
        ["bfloat16", True, False, [1], []],
        ["object", True, False, [1], []],
        ["float32", "yes", False, [1], []],
        ["float32", False, False, ["1"], []],
        ["float32", False, False, [1], [], 0],
    ],
    ids=str,
)
def test_an_invalid_tensor_is_refused_before_memory_is_allocated(meta):
    raw = made([tensor_at(0)], [meta])
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            unframe(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "body",
    [
        [tensor_at(0), tensor_at(0)],
        [tensor_at(1)],
        [msgspec.msgpack.Ext(1, b"x")],
        [msgspec.msgpack.Ext(2, b"\xc0")],  # a tuple that is not a list
        [msgspec.msgpack.Ext(2, b"\xdd\xff\xff\xff\xff")],  # a list of four billion items
        [msgspec.msgpack.Ext(3, b"f" * 5000)],
        [msgspec.msgpack.Ext(3, b"xyz")],
        [msgspec.msgpack.Ext(4, b"short")],
        [msgspec.msgpack.Ext(5, b"\x90")],
        [msgspec.msgpack.Ext(6, b"Tensor")],
        [msgspec.msgpack.Ext(7, b"no such device")],
        [msgspec.msgpack.Ext(8, msgspec.msgpack.encode([[1]]))],
        [msgspec.msgpack.Ext(8, msgspec.msgpack.encode([[[1], 2]]))],
        [msgspec.msgpack.Ext(8, msgspec.msgpack.encode([[1, 2], [1, 3]]))],
        [msgspec.msgpack.Ext(16, msgspec.msgpack.encode(["path", 0]))],
        [msgspec.msgpack.Ext(17, msgspec.msgpack.encode([0, 1, 2]))],
        [msgspec.msgpack.Ext(77, b"")],
        {1: 2, "a": 3, b"bytes": 4},
    ],
)
def test_an_invalid_body_is_refused(body):
    with pytest.raises(ProtocolError):
        unframe(made(body, [["uint8", False, False, [1], []]], b"\x00"))


@pytest.mark.parametrize("nested", [b"\x91" * 100 + b"\xc0", b"\x91" * 200_000 + b"\xc0"], ids=["deep", "deeper"])
def test_deep_nesting_is_refused(nested):
    header = b"\x83\xa2id\x01\xa4body" + nested + b"\xa7tensors\x90"
    with pytest.raises(ProtocolError):
        unframe(struct.pack("<I", len(header)) + header)


def test_nested_extensions_are_refused():
    body = msgspec.msgpack.Ext(2, b"\x90")
    for _ in range(60):
        body = msgspec.msgpack.Ext(2, msgspec.msgpack.encode([body]))
    with pytest.raises(ProtocolError):
        unframe(made(body, []))


def test_many_empty_values_are_refused():
    with pytest.raises(ProtocolError):
        unframe(made([{}] * 200_000, []))


def test_many_empty_tuples_are_refused():
    with pytest.raises(ProtocolError):
        unframe(made([msgspec.msgpack.Ext(2, b"\x90")] * 150_000, []))


def test_a_header_beyond_the_cap_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError, match="header"):
        unframe(struct.pack("<I", REPLIES.header + 1))
    with pytest.raises(ProtocolError, match="header"):
        frame("x" * (REPLIES.header + 1))


def test_the_payload_limit_applies_to_all_tensors_together():
    caps = Caps(payload=1000)
    frame([torch.zeros(100, dtype=torch.uint8)] * 10, caps)
    with pytest.raises(ProtocolError):
        frame([torch.zeros(100, dtype=torch.uint8)] * 11, caps)
    with pytest.raises(ProtocolError):
        unframe(frame([torch.zeros(100, dtype=torch.uint8)] * 11), caps)


def test_too_many_tensors_are_refused():
    with pytest.raises(ProtocolError):
        unframe(frame([torch.zeros(1)] * 5, Caps()), Caps(tensors=4))
