"""`gpt.safetensors`, honest, damaged and malicious."""

import json
import pickle
import struct

import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.models.errors import TrainedModelError
from autograder.models.weights import read_weights

WEIGHTS = {
    "token_embedding.weight": torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
    "norm.bias": torch.arange(4.0),
    "one": torch.tensor(2.5),
    "none": torch.zeros(0, 7),
}
HONEST = safetensors.torch.save(WEIGHTS, {"run": "x"})


def file_of(header: object, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def entry(shape: object, begin: object, end: object, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_an_honest_file_is_read_as_by_the_library():
    found, expected = read_weights(HONEST), safetensors.torch.load(HONEST)
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_narrow_and_wide_weights_become_float32(dtype):
    narrow = {name: weight.to(dtype) for name, weight in WEIGHTS.items()}
    found = read_weights(safetensors.torch.save(narrow))
    for name, weight in narrow.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], weight.float())


UNFIT = {
    "nothing": (b"", "shorter than its first field"),
    "a header longer than the file": (struct.pack("<Q", 900) + b"{}", "header claims 900 bytes"),
    "an endless header": (struct.pack("<Q", 2**63) + b"{}", "header claims 9223372036854775808"),
    "a header longer than any": (struct.pack("<Q", 2**20 + 1) + b"{" * 2**21, "header claims 1048577"),
    "not JSON": (file_of(b"{weights}"), "header cannot be read"),
    "a list": (file_of([1]), "header cannot be read"),
    "not UTF-8": (file_of(b'{"\xff": 1}'), "header cannot be read"),
    "nested without end": (file_of(b'{"a":' * 50_000), "header cannot be read"),
    "no tensors": (file_of({"__metadata__": {}}), "it holds 0 tensors"),
    "too many tensors": (file_of({str(number): entry([0], 0, 0) for number in range(2001)}), "it holds 2001 tensors"),
    "an unknown field": (file_of({"w": {**entry([1], 0, 4), "more": 1}}, bytes(4)), "header cannot be read"),
    "a negative axis": (file_of({"w": entry([-1], 0, 4)}, bytes(4)), "header cannot be read"),
    "an axis that is not a number": (file_of({"w": entry(["1"], 0, 4)}, bytes(4)), "header cannot be read"),
    "an axis beyond memory": (file_of({"w": entry([2**62], 0, 4)}, bytes(4)), "header cannot be read"),
    "a product beyond memory": (
        file_of({"w": entry([2**26] * 4, 0, 4)}, bytes(4)),
        "`w` has the shape [67108864, 67108864, 67108864, 67108864], which no tensor can have",
    ),
    "no numbers along axes beyond memory": (file_of({"w": entry([0] + [2**26] * 7, 0, 0)}), "which no tensor can have"),
    "no numbers along the last axis": (file_of({"w": entry([2**39] * 7 + [0], 0, 0)}), "which no tensor can have"),
    "axes that are booleans or floats": (file_of({"w": entry([True, 1.0], 0, 4)}, bytes(4)), "header cannot be read"),
    "an axis of 5,000 digits": (
        file_of(b'{"w": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}', bytes(4)),
        "header cannot be read",
    ),
    "half of a character in a name": (
        file_of(b'{"\\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', bytes(4)),
        "header cannot be read",
    ),
    "metadata nested without end": (
        file_of(b'{"__metadata__": ' + b"[" * 99_999 + b"]" * 99_999 + b"}"),
        "header cannot be read",
    ),
    "numbers of eight bits": (file_of({"w": entry([4], 0, 4, "F8_E4M3")}, bytes(4)), "holds `w` as F8_E4M3; allowed"),
    "a name and a type without end": (
        file_of({"w" * 5000: entry([1], 0, 4, "x" * 5000)}, bytes(4)),
        "holds `" + "w" * 79 + "…` as " + "x" * 19 + "…; allowed",
    ),
    "fewer numbers than its shape": (file_of({"w": entry([2], 0, 4)}, bytes(4)), "needs 8 bytes"),
    "an offset after the end": (
        file_of({"w": entry([2], 0, 8)}, bytes(4)),
        "4 of the 8 bytes between its offsets exist",
    ),
    "offsets in descending order": (file_of({"w": entry([1], 4, 0)}, bytes(4)), "begins at byte 4"),
    "two tensors at one offset": (
        file_of({"v": entry([1], 0, 4), "w": entry([1], 0, 4)}, bytes(4)),
        "begins at byte 0",
    ),
    "a gap": (file_of({"v": entry([1], 0, 4), "w": entry([1], 8, 12)}, bytes(12)), "`w` begins at byte 8"),
    "bytes after the last tensor": (file_of({"w": entry([1], 0, 4)}, bytes(9)), "5 bytes belong to no tensor"),
    "complex numbers": (file_of({"w": entry([1], 0, 8, "C64")}, bytes(8)), "holds `w` as C64; allowed are F64, F32,"),
    "too many axes": (file_of({"w": entry([1] * 9, 0, 4)}, bytes(4)), "which no tensor can have"),
    "not a number": (
        safetensors.torch.save({"w": torch.tensor([1.0, float("nan")])}),
        "holds numbers that are not finite in `w`",
    ),
    "infinity": (safetensors.torch.save({"w": torch.tensor([float("inf")])}), "not finite"),
    **{
        f"a pickle of protocol {protocol}": (
            pickle.dumps({"w": [1.0] * 9}, protocol=protocol),
            "a format that can run code and is never loaded",
        )
        for protocol in (2, 3, 4, 5)
    },
    "two bytes of a pickle": (b"\x80\x02", "a format that can run code"),
    "neither a pickle nor weights": (b"\x80\x06" + bytes(6) + b"}", "is damaged: its header claims 1664 bytes"),
    "a file of torch.save": (b"PK\x03\x04" + bytes(60), "a format that can run code"),
}


@pytest.mark.parametrize(("raw", "says"), UNFIT.values(), ids=UNFIT)
def test_a_damaged_or_false_file_is_refused_with_a_clear_message(raw, says):
    with pytest.raises(TrainedModelError, match=r"gpt\.safetensors") as caught:
        read_weights(raw)
    assert says in str(caught.value)


def padded(raw: bytes, low: int, high: int) -> bytes:
    """The same file with a header of `256 * high + low` bytes."""
    (length,) = struct.unpack_from("<Q", raw)
    header = raw[8 : 8 + length].rstrip(b" ").ljust(256 * high + low)
    return struct.pack("<Q", len(header)) + header + raw[8 + length :]


@pytest.mark.parametrize("high", [2, 3, 4, 5, 6, 0x14])
def test_a_header_whose_length_begins_like_a_pickle_is_read(high):
    """The first two bytes are then 80 02, as in a pickle, or 80 14, as a plain run with `--d-hidden 256` writes."""
    raw = padded(HONEST, 0x80, high)
    assert raw[:2] == bytes([0x80, high])
    assert read_weights(raw).keys() == WEIGHTS.keys()


@pytest.mark.parametrize(
    "buffer",
    [
        torch.ones(3, 3, dtype=torch.bool).tril(),
        torch.arange(2**40, 2**40 + 3),
        torch.tensor([-7], dtype=torch.int8),
        torch.zeros(0, 2, dtype=torch.int32),
    ],
    ids=str,
)
def test_a_buffer_of_integers_or_booleans_keeps_its_dtype(buffer):
    found = read_weights(safetensors.torch.save({**WEIGHTS, "buffer": buffer}))
    assert found["buffer"].dtype == buffer.dtype
    assert torch.equal(found["buffer"], buffer)


@given(st.data())
def test_a_damaged_file_is_refused_or_read(data):
    raw = bytearray(HONEST)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    try:
        found = read_weights(bytes(raw))
    except TrainedModelError:
        return
    assert sum(weight.numel() for weight in found.values()) * 2 <= len(raw)


odd_integers = st.one_of(
    st.sampled_from([0, -1, 1, 4, 2**26, 2**39, 2**40, 2**63, 10**30, True, 1.0, 1e300, None, "1", [1]]),
    st.integers(-9, 99),
)
odd_entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E5M2", "", None, 1, "F32\n"]),
        "shape": st.lists(odd_integers, max_size=9),
        "data_offsets": st.lists(odd_integers, min_size=1, max_size=3),
    }
)


@given(st.dictionaries(st.text(max_size=3), odd_entries, max_size=3), st.binary(max_size=24))
@settings(max_examples=300, deadline=None)
@example({"w": entry([0] + [2**26] * 7, 0, 0)}, b"")
@example({"w": entry([2**39, 0, 2**39], 0, 0, "BOOL")}, b"")
def test_an_odd_header_is_refused_or_read(header, numbers):
    try:
        found = read_weights(file_of(header, numbers))
    except TrainedModelError:
        return
    assert sum(weight.numel() for weight in found.values()) <= len(numbers)


def test_any_failure_of_the_reader_is_a_refusal(monkeypatch):
    for error in (MemoryError(), RuntimeError("\x1b[2J" * 99), RecursionError(), OverflowError("x")):
        monkeypatch.setattr("torch.frombuffer", lambda *args, error=error, **more: (_ for _ in ()).throw(error))
        with pytest.raises(TrainedModelError, match=r"^gpt\.safetensors cannot be read: [^\x1b]{0,120}; hand in"):
            read_weights(HONEST)
