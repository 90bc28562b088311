"""Mutated inputs of the wire, stored results and ``grading.yml``: each is read, or refused in words, never a crash.

The seeds are inputs that a reader accepts; ``examples/`` keeps inputs that once broke a reader. Mutations are those
that fuzzers use: changed, inserted, removed, repeated and spliced parts. Hypothesis chooses them and makes failures
small; ``FUZZ_EXAMPLES`` sets the number for each reader.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_lab import GRADING

from autograder.base.results import (
    CheckResult,
    Outcome,
    ResultsFormatError,
    StageReport,
    decode_results,
    encode_results,
)
from autograder.base.sealed_store import DistrustError, SealedStore
from autograder.course.config import ConfigError, load_config
from autograder.isolation.wire import REPLIES, REQUESTS, Handle, ProtocolError, Reference, decode, encode
from autograder.pipeline.store import StoredResult

EXAMPLES = Path(__file__).parent / "examples"
SHORT, LONG = 40, int(os.environ.get("FUZZ_EXAMPLES", "5000"))
# Parts that readers treat in a special way.
TOKENS = [
    b"\x00", b"\xff\xff\xff\xff", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xc7\xff\x01", b"\x7f" * 9, b"{", b"}" * 40,
    b"[" * 40, b"[" * 5000, b"null", b"NaN", b"1e999", b"-1", b"9" * 40, b"\xed\xa0\x80", b"\xef\xbb\xbf", b"&a", b"*a",
    b"!!python/object:os.system", b"<<: *a", b"? ", b"- ", b": ", b"\t", b"\r\n", b"#", b"%YAML 9.9", b"---", b"'",
    b'"', b"2026-13-99", b"0x", b"1_000",
]  # fmt: skip


def report() -> StageReport:
    check = CheckResult(id="test_a", title="a: it holds", exercise="a", outcome=Outcome.FAILED, points=2, what="no")
    return StageReport(student="ada", stage="1_tiny", checks=(check,), isolation=None, digest="d")


def read_wire(caps) -> Callable[[bytes, Path], object]:
    def read(raw: bytes, folder: Path) -> object:
        taken = 0

        def fill(view: memoryview) -> None:
            nonlocal taken
            part = raw[taken : taken + len(view)]
            if len(part) < len(view):
                raise EOFError
            view[:] = part
            taken += len(view)

        return decode(fill, caps)

    return read


def store(folder: Path) -> SealedStore[StoredResult]:
    return SealedStore(folder / "results", StoredResult, b"secret")


def stored_result() -> bytes:
    with TemporaryDirectory() as folder:
        results = store(Path(folder))
        results.put(StoredResult(key="k", digest="d", attempts=("d",), report=report()), "ada")
        return results.path("ada").read_bytes()


def read_stored(raw: bytes, folder: Path) -> object:
    path = store(folder).path("ada")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    return store(folder).get("ada")


def read_grading(raw: bytes, folder: Path) -> object:
    path = folder / "grading.yml"
    path.write_bytes(raw)
    return load_config(path)


_REPLY = ["value", [{"a": (1, 2.0, 1j, "x", b"y", 1 << 70, torch.float32)}, torch.ones(2, 3), Handle(1, "Net")]]
_REQUEST = ["call", {"target": Reference("f"), "args": [slice(1, None), torch.Generator()], "kwargs": {}, "grad": True}]

# Reader → an input that it accepts, how it reads, and the errors that are its refusals.
READERS: dict[str, tuple[bytes, Callable[[bytes, Path], object], tuple[type[Exception], ...]]] = {
    "reply": (b"".join(encode(1, _REPLY, REPLIES)), read_wire(REPLIES), (ProtocolError, EOFError)),
    "request": (b"".join(encode(1, _REQUEST, REQUESTS)), read_wire(REQUESTS), (ProtocolError, EOFError)),
    "stored result": (stored_result(), read_stored, (DistrustError,)),
    "results file": (encode_results([report()], None), lambda raw, _: decode_results(raw), (ResultsFormatError,)),
    "grading.yml": (GRADING.encode(), read_grading, (ConfigError,)),
}


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    raw = bytearray(seed)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.sampled_from([0, 1, 2, 4, 16, 200])))
        part = bytes(raw[start:end])
        replacement = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=4),
                st.sampled_from([b"", part * 2, part[::-1], seed[end : end + 20], seed]),
            )
        )
        raw[start:end] = replacement
        del raw[1 << 20 :]
    return bytes(raw)


@pytest.mark.parametrize("examples", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)], ids=["short", "long"])
@pytest.mark.parametrize("name", READERS)
def test_mutated_bytes_are_refused_in_words(name, examples, tmp_path):
    seed, read, refusals = READERS[name]
    read(seed, tmp_path)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated(seed))
    def mutate(raw: bytes) -> None:
        try:
            read(raw, tmp_path)
        except refusals as refusal:
            assert len(str(refusal)) < 2000  # noqa: PT017

    mutate()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.bin")), ids=lambda path: path.stem)
def test_inputs_that_once_broke_a_reader_are_refused(path, tmp_path):
    """The name of a file is that of its reader, then a dash and what broke."""
    _, read, refusals = READERS[path.stem.partition("-")[0]]
    try:
        read(path.read_bytes(), tmp_path)
    except refusals:
        return
