"""Sealed values on disk: what was put there is read back, and nothing else is believed."""

import json
import shutil
from dataclasses import dataclass

import pytest

from autograder.base.sealed_store import Distrust, DistrustError, SealedStore

SECRET = b"for seals only"


@dataclass(frozen=True)
class Value:
    number: int
    parts: tuple[float, ...] = ()


def test_a_value_is_read_back_by_its_key(tmp_path):
    store = SealedStore(tmp_path / "new", Value, SECRET)
    assert list(store.keys()) == []
    store.put(Value(1, (0.5, 1e-9)), "one")
    store.put(Value(2), "stage", "ada.b")
    store.put(Value(3), "stage", "ada.b")
    assert store.get("one") == Value(1, (0.5, 1e-9))
    assert store.get("stage", "ada.b") == Value(3)
    assert store.get("stage", "ada") is None
    assert store.get("one", "ada") is None
    assert sorted(store.keys()) == [("one",), ("stage", "ada.b")]
    assert [path.name for path in (tmp_path / "new" / "stage").iterdir()] == ["ada.b.json"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Distrust.UNREADABLE),
        (b"[]", Distrust.UNREADABLE),
        (b'{"value": ' + b"[" * 100_000, Distrust.UNREADABLE),
        (b"\xff\xfe", Distrust.UNREADABLE),
        (b'{"number": 1}', Distrust.UNSEALED),
        (b'{"format_version": 2, "value": {"number": 1}}', Distrust.UNSEALED),
        (b'{"format_version": 2, "seal": "", "value": {"number": 1}}', Distrust.UNSEALED),
        (b'{"format_version": 2, "seal": "00", "value": {"number": 1}}', Distrust.CHANGED),
        ('{"format_version": 2, "seal": "é", "value": {"number": 1}}'.encode(), Distrust.CHANGED),
    ],
)
def test_a_file_without_a_seal_is_not_believed(tmp_path, raw, reason):
    (tmp_path / "one.json").write_bytes(raw)
    with pytest.raises(DistrustError) as caught:
        SealedStore(tmp_path, Value, SECRET).get("one")
    assert caught.value.reason is reason


def edited(tmp_path):
    path = tmp_path / "values" / "stage" / "ada.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"number":1', '"number":999'), encoding="utf-8")


def with_a_second_value(tmp_path):
    path = tmp_path / "values" / "stage" / "ada.json"
    path.write_bytes(path.read_bytes()[:-1] + b',"value":{"number":999}}')


def copied_from_another_student(tmp_path):
    shutil.copy(tmp_path / "values" / "stage" / "bob.json", tmp_path / "values" / "stage" / "ada.json")


def copied_from_another_stage(tmp_path):
    shutil.copy(tmp_path / "values" / "other" / "ada.json", tmp_path / "values" / "stage" / "ada.json")


def copied_from_another_store(tmp_path):
    SealedStore(tmp_path / "others", Value, SECRET).put(Value(999), "stage", "ada")
    shutil.copy(tmp_path / "others" / "stage" / "ada.json", tmp_path / "values" / "stage" / "ada.json")


def sealed_with_another_secret(tmp_path):
    SealedStore(tmp_path / "values", Value, b"another").put(Value(999), "stage", "ada")


@pytest.mark.parametrize(
    "attack",
    [
        edited,
        with_a_second_value,
        copied_from_another_student,
        copied_from_another_stage,
        copied_from_another_store,
        sealed_with_another_secret,
    ],
)
def test_a_value_that_was_not_sealed_here_is_not_believed(tmp_path, attack):
    store = SealedStore(tmp_path / "values", Value, SECRET)
    for key in (("stage", "ada"), ("stage", "bob"), ("other", "ada")):
        store.put(Value(1), *key)
    attack(tmp_path)
    with pytest.raises(DistrustError) as caught:
        store.get("stage", "ada")
    assert caught.value.reason is Distrust.CHANGED
    assert store.get("stage", "bob") == Value(1)


def test_a_sealed_value_of_another_version_is_not_believed(tmp_path):
    SealedStore(tmp_path / "values", dict, SECRET).put({"size": 1}, "one")
    with pytest.raises(DistrustError) as caught:
        SealedStore(tmp_path / "values", Value, SECRET).get("one")
    assert caught.value.reason is Distrust.UNREADABLE
    assert json.loads(caught.value.claimed or b"{}") == {}
