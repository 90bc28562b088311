"""Results on disk: written atomically, and read back exactly."""

import contextlib
import os
from pathlib import Path

import pytest
from tiny_lab import STAGE

from autograder.base import sealed_store
from autograder.base.atomic_files import write_atomically
from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.base.sealed_store import Distrust
from autograder.course.lab import Lab
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.fingerprint import result_key
from autograder.pipeline.secret import SecretError, close_to_others, course_secret, example_seed, seal_secret
from autograder.pipeline.store import ResultStore


def report(lab: Lab, student: str, digest: str, outcome: Outcome = Outcome.PASSED) -> StageReport:
    checks = unrun_stage(lab.stage(STAGE), "", "", outcome)
    return StageReport(student=student, stage=STAGE, checks=checks, isolation=IsolationLevel.KERNEL, digest=digest)


def open_store(lab: Lab) -> ResultStore:
    return ResultStore(lab.build / "results", seal_secret(b"a secret"))


def test_the_last_result_is_found_with_all_attempts_in_order(tiny_lab):
    store = open_store(tiny_lab)
    for digest in ("a", "b", "a", "c"):
        store.put(f"key {digest}", report(tiny_lab, "ada", digest))
    stored = store.get("ada", STAGE)
    assert (stored.key, stored.digest, stored.attempts) == ("key c", "c", ("a", "b", "c"))
    assert stored.report == report(tiny_lab, "ada", "c")


def test_a_refused_submission_is_stored_and_does_not_count_as_an_attempt(tiny_lab):
    store = open_store(tiny_lab)
    store.put("key", report(tiny_lab, "ada", "a"))
    store.put("key", report(tiny_lab, "ada", "refused", Outcome.BLOCKED), is_attempt=False)
    stored = store.get("ada", STAGE)
    assert (stored.digest, stored.attempts) == ("refused", ("a",))


def test_students_do_not_share_results_and_all_are_listed_by_name(tiny_lab):
    store = open_store(tiny_lab)
    assert store.all() == []
    for student in ("bob", "李", "ada.b", "ada"):
        store.put("key", report(tiny_lab, student, student))
    assert [stored_report.student for stored_report in store.all()] == ["ada", "ada.b", "bob", "李"]
    assert store.get("dan", STAGE) is None


def result_file(lab: Lab, student: str = "ada", folder: str = "results") -> Path:
    return lab.build / folder / STAGE / f"{student}.json"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff\xfe", b'{"format_version": 1}'])
def test_a_result_that_is_not_believed_counts_as_absent_and_is_listed(tiny_lab, raw):
    store = open_store(tiny_lab)
    store.put("key", report(tiny_lab, "ada", "a"))
    result_file(tiny_lab).write_bytes(raw)
    assert store.get("ada", STAGE) is None
    assert store.all() == []
    assert list(store.distrusted) == [("ada", STAGE)]


def test_an_older_result_that_was_put_back_is_not_believed(tiny_lab):
    store = open_store(tiny_lab)
    store.put("key", report(tiny_lab, "ada", "a"))
    older = result_file(tiny_lab).read_bytes()
    store.put("key", report(tiny_lab, "ada", "b"))
    result_file(tiny_lab).write_bytes(older)
    assert store.get("ada", STAGE) is None
    assert store.distrusted["ada", STAGE].reason is Distrust.NOT_LAST


def test_a_result_that_was_removed_is_missed_and_its_attempts_stay_counted(tiny_lab):
    store = open_store(tiny_lab)
    store.put("key", report(tiny_lab, "ada", "a"))
    result_file(tiny_lab).unlink()
    assert store.all() == []
    assert store.distrusted["ada", STAGE].reason is Distrust.MISSING
    store.put("key", report(tiny_lab, "ada", "b"))
    assert open_store(tiny_lab).get("ada", STAGE).attempts == ("a", "b")


def test_a_run_that_is_killed_at_any_write_leaves_a_result_that_is_believed(tiny_lab, monkeypatch):
    open_store(tiny_lab).put("key", report(tiny_lab, "ada", "0"))
    writes_left = 0

    def killed(path: Path, content: bytes) -> None:
        nonlocal writes_left
        writes_left -= 1
        if writes_left < 0:
            raise KeyboardInterrupt
        write_atomically(path, content)

    monkeypatch.setattr(sealed_store, "write_atomically", killed)
    for number, writes in enumerate((1, 1, 2, 0, 1, 9), start=1):
        writes_left = writes
        with contextlib.suppress(KeyboardInterrupt):
            open_store(tiny_lab).put("key", report(tiny_lab, "ada", str(number)))
        store = open_store(tiny_lab)
        assert store.get("ada", STAGE) is not None
        assert store.distrusted == {}
    assert store.get("ada", STAGE).attempts == ("0", "1", "3", "5", "6")


def test_a_file_that_was_not_believed_is_kept_for_a_person(tiny_lab):
    store = open_store(tiny_lab)
    store.put("key", report(tiny_lab, "ada", "a"))
    result_file(tiny_lab).write_bytes(b"edited")
    store.put("key", report(tiny_lab, "ada", "a"))
    assert (store.set_aside / STAGE / "ada.json").read_bytes() == b"edited"
    assert open_store(tiny_lab).get("ada", STAGE).digest == "a"


def test_a_waiting_report_hides_the_result_until_it_is_settled(tiny_lab):
    store = open_store(tiny_lab)
    first, second = report(tiny_lab, "ada", "a"), report(tiny_lab, "ada", "b")
    store.put("key", first)
    store.put_waiting(second)
    assert (store.all(), store.get("ada", STAGE).report) == ([second], first)
    store.settle("ada", STAGE)
    assert store.all() == [first]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content_and_no_trace(tmp_path, monkeypatch, step):
    path = tmp_path / "deep" / "result.json"
    write_atomically(path, b"old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]


def test_the_key_depends_on_everything_that_it_names():
    base = {"fingerprint": "f", "student": "s", "digest": "d", "judged": [{"a": "1", "b": "2"}]}
    variants = [
        base,
        base | {"fingerprint": "g"},
        base | {"student": "t"},
        base | {"digest": "e"},
        base | {"judged": [{"a": "1", "b": "3"}]},
        base | {"judged": [{"a": "12", "b": ""}]},
        base | {"judged": [{"a": "1"}]},
        base | {"judged": [{"b": "1", "a": "2"}]},
        base | {"judged": [{"a": "1"}, {"b": "2"}]},
        base | {"judged": []},
    ]
    assert len({result_key(**variant) for variant in variants}) == len(variants)
    assert result_key(**base) == result_key(**base | {"judged": [{"b": "2", "a": "1"}]})


@pytest.fixture
def _no_secret_in_the_environment(monkeypatch):
    monkeypatch.delenv("AUTOGRADER_SECRET", raising=False)


@pytest.mark.usefixtures("_no_secret_in_the_environment")
def test_the_course_secret_is_created_once_and_only_its_owner_can_read_it(tiny_lab, monkeypatch):
    secret = course_secret(tiny_lab)
    assert len(secret) == 64
    assert course_secret(tiny_lab) == secret
    assert (tiny_lab.root / ".course_secret").stat().st_mode & 0o077 == 0
    assert not list(tiny_lab.root.glob(".course_secret.*"))
    monkeypatch.setenv("AUTOGRADER_SECRET", "from the environment")
    assert course_secret(tiny_lab) == b"from the environment"
    seeds = {
        example_seed(b"one", STAGE),
        example_seed(b"two", STAGE),
        example_seed(b"one", "2_more"),
    }
    assert len(seeds) == 3
    assert example_seed(b"one", STAGE) in seeds
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.usefixtures("_no_secret_in_the_environment")
@pytest.mark.parametrize("content", [b"", b" \n", b"\0" * 65, b"\xff" * 65, b"8d3f" * 10, b"short"])
def test_a_damaged_secret_is_an_error_that_names_the_way_out(tiny_lab, content):
    course_secret(tiny_lab)
    (tiny_lab.root / ".course_secret").write_bytes(content)
    with pytest.raises(SecretError, match="Restore it from a backup"):
        course_secret(tiny_lab)


@pytest.mark.usefixtures("_no_secret_in_the_environment")
@pytest.mark.parametrize("store", ["results", "leaderboard"])
def test_a_secret_is_not_created_beside_results_that_need_the_lost_one(tiny_lab, store):
    result = tiny_lab.build / store / "ada.json"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"{}")
    with pytest.raises(SecretError, match="is missing, although"):
        course_secret(tiny_lab)
    assert not (tiny_lab.root / ".course_secret").exists()


@pytest.mark.usefixtures("_no_secret_in_the_environment")
def test_a_secret_that_others_can_read_is_closed_to_them(tiny_lab):
    course_secret(tiny_lab)
    assert close_to_others(tiny_lab) == ""
    (tiny_lab.root / ".course_secret").chmod(0o640)
    assert "(mode 640); it is now readable only by its owner" in close_to_others(tiny_lab)
    assert (tiny_lab.root / ".course_secret").stat().st_mode & 0o777 == 0o600
