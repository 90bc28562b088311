"""What is handed in: exactly the files that count, and a receipt that proves which."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from tiny_lab import MODULE, STAGE

from autograder.intake import collect
from autograder.intake.submission import StageFiles
from lab import cli
from lab.course import LabError
from lab.handin import begun_stages, pack, student_id
from lab.progress import Progress

ASSIGNMENTS = Path(__file__).parents[2] / "assignments"


def test_modules_and_sheets_are_packed_and_nothing_else(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    assert done.archive.name == "ada.zip"
    with zipfile.ZipFile(done.archive) as archive:
        assert archive.namelist() == [f"{STAGE}/{MODULE}.py", f"{STAGE}/{MODULE}.ipynb", "receipt.json"]
        assert archive.read(f"{STAGE}/{MODULE}.py") == (course.root / STAGE / f"{MODULE}.py").read_bytes()


def test_the_receipt_tells_files_and_time(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    receipt = json.loads(done.receipt.read_text(encoding="utf-8"))
    assert receipt["student"] == "ada"
    assert receipt["packed"].endswith("+00:00")
    assert receipt["archive_sha256"] == hashlib.sha256(done.archive.read_bytes()).hexdigest() == done.digest
    for one in receipt["files"]:
        content = (course.root / one["file"]).read_bytes()
        assert (one["sha256"], one["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_two_hand_ins_of_one_second_are_kept_apart(course, write):
    write(double="return 2 * x")
    first, second = (pack(course, course.stages, "ada", ()) for _ in range(2))
    assert first.archive != second.archive
    assert first.archive.exists()


def test_the_instructors_program_takes_it_in(course, write):
    write(double="return 2 * x")
    done = pack(course, course.stages, "ada", ())
    (work,) = collect.take_in([done.archive], [StageFiles(stage=STAGE, module=MODULE)])
    assert (work.student, work.stage, work.refusal) == ("ada", STAGE, None)
    assert work.source == (course.root / STAGE / f"{MODULE}.py").read_text(encoding="utf-8")
    assert work.notes == ()


@pytest.mark.parametrize("names", [["1"], ["tiny", STAGE], ["double", "total"]])
def test_a_stage_is_named_in_any_way_and_handed_in_once(course, names):
    assert cli.named_stages(course, names) == course.stages


def test_only_what_was_begun_is_handed_in(course, write):
    assert begun_stages(course, Progress()) == ()
    write(double="return 2 * x")
    assert begun_stages(course, Progress()) == course.stages


@pytest.mark.parametrize("name", [f"{MODULE}.py", f"{MODULE}.ipynb"])
def test_what_is_missing_or_too_large_is_named(course, name):
    file = course.root / STAGE / name
    file.write_bytes(b" " * (20 * 2**20 + 1))
    with pytest.raises(LabError, match=f"{STAGE}/{name} is larger than"):
        pack(course, course.stages, "ada", ())
    file.unlink()
    with pytest.raises(LabError, match=f"{STAGE}/{name} is missing"):
        pack(course, course.stages, "ada", ())
    assert not (course.root / "handin").exists()


@pytest.mark.parametrize("name", ["ada", "s1234567", "ada.lovelace", "a+b@uni.example", " Zoë "])
def test_an_id_is_taken_as_it_is(name):
    assert student_id(name) == name.strip()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ada lovelace", "not a space"),
        ("../ada", "not /"),
        ("", "give your id"),
        ("-a", "give your id"),
        ("a" * 65, "give your id"),
    ],
)
def test_an_id_that_cannot_name_a_file_is_refused(name, says):
    with pytest.raises(LabError, match=says):
        student_id(name)


def test_further_files_are_packed_when_they_are_there(course, write):
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
    with pytest.raises(LabError, match=f"{STAGE}/model.bin is larger than 1024 KB"):
        pack(course, [stage], "ada", ())


def test_an_entry_to_the_speedrun_is_packed_with_its_receipt(course, write):
    """As the released course describes stage 6; a starter without a model beside it is packed as well."""
    files = ["speedrun.py", "speedrun.safetensors", "speedrun.json"]
    released = json.loads((ASSIGNMENTS / "lab" / "course.json").read_text(encoding="utf-8"))
    (gpt,) = [stage for stage in released["stages"] if stage["id"] == "6_gpt"]
    write(double="return 2 * x")
    stage = dataclasses.replace(course.stages[0], attachments=tuple(gpt["attachments"].items()))
    for name in files:
        (course.root / STAGE / name).write_bytes(name.encode())
    done = pack(course, [stage], "ada", ())
    listed = {one["file"]: one["sha256"] for one in json.loads(done.receipt.read_bytes())["files"]}
    with zipfile.ZipFile(done.archive) as archive:
        for name in files:
            content = archive.read(f"{STAGE}/{name}")
            assert content == name.encode()
            assert listed[f"{STAGE}/{name}"] == hashlib.sha256(content).hexdigest()
