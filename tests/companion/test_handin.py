"""The hand-in: exactly the files that are graded, and a receipt that lists them."""

import dataclasses
import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest
from processes import deadline
from tiny_lab import MODULE, STAGE

from autograder.intake import collect
from autograder.intake.submission import StageFiles
from lab import cli
from lab.course import CompanionError
from lab.handin import pack, started_stages, student_id
from lab.progress import Progress

ASSIGNMENTS = Path(__file__).parents[2] / "assignments"


def test_only_modules_and_sheets_are_packed(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    assert done.archive.name == "ada.zip"
    with zipfile.ZipFile(done.archive) as archive:
        assert archive.namelist() == [f"{STAGE}/{MODULE}.py", f"{STAGE}/{MODULE}.ipynb", "receipt.json"]
        assert archive.read(f"{STAGE}/{MODULE}.py") == (course.root / STAGE / f"{MODULE}.py").read_bytes()


def test_the_receipt_lists_files_and_time(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    receipt = json.loads(done.receipt.read_text(encoding="utf-8"))
    assert receipt["student"] == "ada"
    assert receipt["packed"].endswith("+00:00")
    assert receipt["archive_sha256"] == hashlib.sha256(done.archive.read_bytes()).hexdigest() == done.digest
    for entry in receipt["files"]:
        content = (course.root / entry["file"]).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_two_hand_ins_in_the_same_second_are_kept_apart(course, write):
    write(double="return 2 * x")
    first, second = (pack(course, course.stages, "ada", ()) for _ in range(2))
    assert first.archive != second.archive
    assert first.archive.exists()


def test_the_instructors_program_reads_the_archive(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    (work,) = collect.take_in([done.archive], [StageFiles(stage=STAGE, module=MODULE)])
    assert (work.student, work.stage, work.refusal) == ("ada", STAGE, None)
    assert work.source == (course.root / STAGE / f"{MODULE}.py").read_text(encoding="utf-8")
    assert work.notes == ()


@pytest.mark.parametrize("names", [["1"], ["tiny", STAGE], ["double", "total"]])
def test_a_stage_may_be_named_in_several_ways_and_is_packed_once(course, names):
    assert cli.named_stages(course, names) == course.stages


def test_only_started_stages_are_handed_in(course, write):
    assert started_stages(course, Progress()) == ()
    write(double="return 2 * x")
    assert started_stages(course, Progress()) == course.stages


@pytest.mark.parametrize("name", [f"{MODULE}.py", f"{MODULE}.ipynb"])
def test_a_missing_or_too_large_file_is_named(course, name):
    file = course.root / STAGE / name
    file.write_bytes(b" " * (20 * 2**20 + 1))
    with pytest.raises(CompanionError, match=f"{STAGE}/{name} is larger than"):
        pack(course, course.stages, "ada", ())
    file.unlink()
    with pytest.raises(CompanionError, match=f"{STAGE}/{name} is missing"):
        pack(course, course.stages, "ada", ())
    assert not (course.root / "handin").exists()


@pytest.mark.parametrize("name", [f"{STAGE}/{MODULE}.py", f"{STAGE}/{MODULE}.ipynb", f"{STAGE}/model.bin", STAGE])
@pytest.mark.parametrize("kind", ["link to a file", "link to a device", "dangling link", "pipe"])
def test_links_and_special_files_are_not_packed(course, tmp_path, name, kind):
    stage = dataclasses.replace(course.stages[0], attachments=(("model.bin", 1),))
    path, elsewhere = course.root / name, tmp_path / "elsewhere"
    if path.exists():
        path.rename(elsewhere)
    targets = {"link to a file": elsewhere, "link to a device": Path("/dev/zero"), "dangling link": tmp_path / "none"}
    if kind in targets:
        path.symlink_to(targets[kind])
    else:
        os.mkfifo(path)
    with deadline(20), pytest.raises(CompanionError, match=r"(is a link|is not a regular file|is missing)"):
        pack(course, [stage], "ada", ())
    assert not (course.root / "handin").exists()


@pytest.mark.parametrize("name", ["ada", "s1234567", "ada.lovelace", "a+b@uni.example", " Zoë "])
def test_a_valid_id_is_accepted_unchanged(name):
    assert student_id(name) == name.strip()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ada lovelace", "not a space"),
        ("../ada", "not /"),
        ("", "give the id"),
        ("-a", "give the id"),
        ("a" * 65, "give the id"),
    ],
)
def test_an_id_that_cannot_name_a_file_is_refused(name, message):
    with pytest.raises(CompanionError, match=message):
        student_id(name)


def test_attachments_are_packed_if_they_exist(course, write):
    write(double="return 2 * x")
    stage = dataclasses.replace(course.stages[0], attachments=(("model.bin", 1), ("log.json", 1)))
    (course.root / STAGE / "model.bin").write_bytes(b"weights")
    done = pack(course, [stage], "ada", ())
    assert [name for name, _, _ in done.files] == [
        f"{STAGE}/{MODULE}.py",
        f"{STAGE}/{MODULE}.ipynb",
        f"{STAGE}/model.bin",
    ]
    (course.root / STAGE / "model.bin").write_bytes(b"0" * (2**20 + 1))
    with pytest.raises(CompanionError, match=f"{STAGE}/model.bin is larger than 1024 KB"):
        pack(course, [stage], "ada", ())


def test_a_speedrun_entry_is_packed_and_listed_in_the_receipt(course, write):
    """The released course describes stage 6; a starter without a trained model is packed as well."""
    files = ["speedrun.py", "speedrun.safetensors", "speedrun.json"]
    released = json.loads((ASSIGNMENTS / "lab" / "course.json").read_text(encoding="utf-8"))
    (gpt,) = [stage for stage in released["stages"] if stage["id"] == "6_gpt"]
    write(double="return 2 * x")
    stage = dataclasses.replace(course.stages[0], attachments=tuple(gpt["attachments"].items()))
    for name in files:
        (course.root / STAGE / name).write_bytes(name.encode())
    done = pack(course, [stage], "ada", ())
    receipt = json.loads(done.receipt.read_bytes())
    listed = {entry["file"]: entry["sha256"] for entry in receipt["files"]}
    with zipfile.ZipFile(done.archive) as archive:
        for name in files:
            content = archive.read(f"{STAGE}/{name}")
            assert content == name.encode()
            assert listed[f"{STAGE}/{name}"] == hashlib.sha256(content).hexdigest()
