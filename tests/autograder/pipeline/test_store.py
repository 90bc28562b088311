"""Results on disk: written atomically, and read back exactly."""

import os

import pytest
from tiny_lab import STAGE

from autograder.base.atomic_files import write_atomically
from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.course.lab import Lab
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.fingerprint import course_secret, example_seed, result_key
from autograder.pipeline.store import ResultStore


def report(lab: Lab, student: str, digest: str, outcome: Outcome = Outcome.PASSED) -> StageReport:
    checks = unrun_stage(lab.stage(STAGE), "", "", outcome)
    return StageReport(student=student, stage=STAGE, checks=checks, isolation=IsolationLevel.KERNEL, digest=digest)


def test_the_last_result_is_found_with_all_attempts_in_order(tiny_lab):
    store = ResultStore(tiny_lab.build)
    for digest in ("a", "b", "a", "c"):
        store.put(f"key {digest}", report(tiny_lab, "ada", digest))
    stored = store.get("ada", STAGE)
    assert (stored.key, stored.digest, stored.attempts) == ("key c", "c", ("a", "b", "c"))
    assert stored.report == report(tiny_lab, "ada", "c")


def test_a_refused_submission_is_stored_and_does_not_count_as_an_attempt(tiny_lab):
    store = ResultStore(tiny_lab.build)
    store.put("key", report(tiny_lab, "ada", "a"))
    store.put("key", report(tiny_lab, "ada", "refused", Outcome.BLOCKED), is_attempt=False)
    stored = store.get("ada", STAGE)
    assert (stored.digest, stored.attempts) == ("refused", ("a",))


def test_students_do_not_share_results_and_all_are_listed_by_name(tiny_lab):
    store = ResultStore(tiny_lab.build)
    assert store.all() == []
    for student in ("bob", "李", "ada.b", "ada"):
        store.put("key", report(tiny_lab, student, student))
    assert [stored_report.student for stored_report in store.all()] == ["ada", "ada.b", "bob", "李"]
    assert store.get("dan", STAGE) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff\xfe", b'{"format_version": 1}'])
def test_an_unreadable_result_counts_as_absent(tiny_lab, raw):
    store = ResultStore(tiny_lab.build)
    store.put("key", report(tiny_lab, "ada", "a"))
    (tiny_lab.build / STAGE / "ada.json").write_bytes(raw)
    assert store.get("ada", STAGE) is None
    assert store.all() == []


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


def test_the_course_secret_is_created_once_and_only_its_owner_can_read_it(tiny_lab, monkeypatch):
    monkeypatch.delenv("AUTOGRADER_SECRET", raising=False)
    secret = course_secret(tiny_lab)
    assert len(secret) == 64
    assert course_secret(tiny_lab) == secret
    assert (tiny_lab.root / ".course_secret").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("AUTOGRADER_SECRET", "from the environment")
    assert course_secret(tiny_lab) == b"from the environment"


def test_examples_are_unpredictable_without_the_secret_and_repeat_with_it():
    seeds = {
        example_seed(b"one", STAGE),
        example_seed(b"two", STAGE),
        example_seed(b"one", "2_more"),
    }
    assert len(seeds) == 3
    assert example_seed(b"one", STAGE) in seeds
    assert all(0 <= seed < 2**32 for seed in seeds)
