"""Values survive the wire as they are; frames that are none are told before they cost anything."""

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
    """Decode a frame; running out of bytes is what a worker's death looks like."""
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


def same(one: object, other: object) -> bool:
    """Equal in type, shape and every bit that can be seen; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        same_form = one.dtype == other.dtype and one.shape == other.shape and _order(one) == _order(other)
        return same_form and _bits(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (float, complex)):
        return repr(one) == repr(other)
    return one == other


def _order(tensor: torch.Tensor) -> list[int]:
    """Strides along the axes where they mean something."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1 and tensor.numel()]


def _bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.numel():
        return True
    flat = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return torch.equal(*flat)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(max_size=40),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.device("cpu"), torch.device("meta")]),
)  # fmt: skip
keys = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Of any dtype, with up to four axes, some of no length, in any memory order."""
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
def test_a_frame_that_was_changed_is_refused_or_is_another_frame(value, data):
    """Never another error, and never more than the caps allow."""
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
def test_a_frame_that_ends_early_is_never_a_value(value, share):
    raw = frame(value)
    with pytest.raises((ProtocolError, EOFError)):
        unframe(raw[: int(share * len(raw))])


def test_the_number_comes_back():
    raw = frame("x", number=12345)
    pieces = iter([raw[:4], raw[4:]])

    def read(view: memoryview) -> None:
        view[:] = next(pieces)

    assert decode(read, REPLIES) == (12345, "x")


@pytest.mark.parametrize(
    "value", [Reference("a.b", 3), slice(1, None, 2), slice(None), torch.Generator().manual_seed(7)],
    ids=["reference", "slice", "whole slice", "generator"],
)
def test_some_things_travel_to_a_worker_alone(value):
    back = there_and_back([value], REQUESTS)[0]
    if isinstance(value, torch.Generator):
        assert torch.equal(back.get_state(), value.get_state())
    else:
        assert back == value
    with pytest.raises(TypeError):
        frame([value])
    with pytest.raises(ProtocolError):
        unframe(frame([value], REQUESTS), REPLIES)


def test_a_tensor_asks_for_gradients_on_the_way_to_a_worker_alone():
    leaf = torch.ones(2, requires_grad=True)
    assert there_and_back(leaf, REQUESTS).requires_grad
    assert not there_and_back(leaf).requires_grad
    with pytest.raises(ProtocolError):
        unframe(frame(leaf, REQUESTS), REPLIES)


def test_a_handle_keeps_its_number_and_a_short_name():
    assert there_and_back(Handle(7, "x" * 500)) == Handle(7, "x" * 100)


def test_subclasses_arrive_as_what_they_are_made_of():
    class Loud(torch.Tensor):
        pass

    class Number(int):
        pass

    arrived = there_and_back([torch.ones(2).as_subclass(Loud), Number(3), torch.nn.Parameter(torch.ones(1))])
    assert [type(item) for item in arrived] == [torch.Tensor, int, torch.Tensor]


def test_tensors_have_memory_of_their_own():
    x = torch.zeros(4)
    one, two = there_and_back([x, x])
    one += 1
    assert two.tolist() == [0.0] * 4
    assert x.tolist() == [0.0] * 4


def test_a_single_number_of_stride_0_travels():
    value = torch.tensor(5.0, dtype=torch.float64).expand(1)
    assert value.stride() == (0,)
    assert torch.equal(there_and_back(value), value)


def test_views_negatives_and_conjugates_arrive_as_values():
    z = torch.tensor([1 + 2j, 3 - 1j])
    arrived = there_and_back([z.conj(), z.conj().imag, torch.arange(6)[::2], np.arange(6)[::-2]])
    assert [list(item) for item in arrived] == [list(z.conj().resolve_conj()), list(-z.imag), [0, 2, 4], [5, 3, 1]]


def test_bytes_that_are_no_truth_value_become_one():
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
def test_what_cannot_travel_is_a_type_error(value):
    with pytest.raises(TypeError, match="cannot send"):
        frame([value])


# --- frames made by hand ----------------------------------------------------------------------------


def made(body: object, metas: list[object], payload: bytes = b"", number: object = 1) -> bytes:
    """A frame with these tensors announced, whether they make sense or not."""
    header = msgspec.msgpack.encode({"id": number, "body": body, "tensors": metas})
    return struct.pack("<I", len(header)) + header + payload


def tensor_at(index: int) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(1, struct.pack("<I", index))


def test_a_frame_made_by_hand_is_read():
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
def test_a_tensor_that_cannot_be_is_refused_before_it_is_given_memory(meta):
    raw = made([tensor_at(0)], [meta])
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            unframe(raw)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20


@pytest.mark.parametrize(
    "body",
    [
        [tensor_at(0), tensor_at(0)],
        [tensor_at(1)],
        [msgspec.msgpack.Ext(1, b"x")],
        [msgspec.msgpack.Ext(2, b"\xc0")],  # a tuple that is no list
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
def test_a_body_that_cannot_be_is_refused(body):
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


def test_a_header_beyond_the_cap_is_refused_unread():
    with pytest.raises(ProtocolError, match="header"):
        unframe(struct.pack("<I", REPLIES.header + 1))
    with pytest.raises(ProtocolError, match="header"):
        frame("x" * (REPLIES.header + 1))


def test_tensors_count_together():
    caps = Caps(payload=1000)
    frame([torch.zeros(100, dtype=torch.uint8)] * 10, caps)
    with pytest.raises(ProtocolError):
        frame([torch.zeros(100, dtype=torch.uint8)] * 11, caps)
    with pytest.raises(ProtocolError):
        unframe(frame([torch.zeros(100, dtype=torch.uint8)] * 11), caps)


def test_too_many_tensors_are_refused():
    with pytest.raises(ProtocolError):
        unframe(frame([torch.zeros(1)] * 5, Caps()), Caps(tensors=4))
