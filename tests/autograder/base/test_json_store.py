"""Values on disk by key: what was put there is read back, and nothing else is."""

from dataclasses import dataclass

import pytest

from autograder.base.json_store import JsonStore


@dataclass(frozen=True)
class Value:
    number: int
    parts: tuple[float, ...] = ()


def test_a_value_is_read_back_by_its_key(tmp_path):
    store = JsonStore(tmp_path / "new", Value)
    assert list(store.keys()) == []
    store.put(Value(1, (0.5, 1e-9)), "one")
    store.put(Value(2), "stage", "ada.b")
    store.put(Value(3), "stage", "ada.b")
    assert store.get("one") == Value(1, (0.5, 1e-9))
    assert store.get("stage", "ada.b") == Value(3)
    assert store.get("stage", "ada") is None
    assert sorted(store.keys()) == [("one",), ("stage", "ada.b")]
    assert [path.name for path in (tmp_path / "new" / "stage").iterdir()] == ["ada.b.json"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff\xfe", b'{"number": "1"}'])
def test_a_file_of_another_kind_counts_as_absent(tmp_path, raw):
    (tmp_path / "one.json").write_bytes(raw)
    assert JsonStore(tmp_path, Value).get("one") is None
