"""Whose work lies where: every layout that ``grade`` takes, and what is nobody's."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hand_ins import ATTENTION, KERNELS, STAGES, lay_out, refusal, sources, taken, tarred, zipped

from autograder.intake import IntakeError, Owed, StageFiles, take_in

ONE, TWO = KERNELS.stage, ATTENTION.stage


def test_nbgraders_layout_is_a_folder_per_student_and_stage(tmp_path):
    lay_out(
        tmp_path / "class",
        {
            f"ada/{ONE}/kernels.py": "a = 1\n",
            f"ada/{TWO}/attention.py": "a = 2\n",
            f"bob/{TWO}/attention.py": "b = 2\n",
            f"bob/{TWO}/attention.ipynb": "{}",
            "grades.csv": "ada,1\n",
        },
    )
    assert sources(tmp_path / "class") == {
        ("ada", ONE): "a = 1\n",
        ("ada", TWO): "a = 2\n",
        ("bob", ONE): None,
        ("bob", TWO): "b = 2\n",
    }


def test_a_course_folder_is_entered_at_submitted(tmp_path):
    lay_out(tmp_path, {f"submitted/ada/{TWO}/attention.py": "a = 2\n", f"release/{TWO}/attention.py": "stub = 0\n"})
    assert sources(tmp_path) == {("ada", TWO): "a = 2\n"}


def test_a_stages_folder_belongs_to_the_student_above_it(tmp_path):
    lay_out(tmp_path, {f"ada/{TWO}/attention.py": "a = 2\n"})
    assert sources(tmp_path / "ada" / TWO) == {("ada", TWO): "a = 2\n"}
    assert sources(tmp_path / "ada") == {("ada", TWO): "a = 2\n"}


def test_an_empty_stages_folder_is_still_that_stage(tmp_path):
    lay_out(tmp_path, {f"ada/{TWO}/": ""})
    (one,) = take_in([tmp_path / "ada" / TWO], STAGES)
    assert (one.student, one.stage) == ("ada", TWO)
    assert refusal(one) == ("MISSING", "2_attention/attention.py was not handed in")


def test_a_folder_may_hold_modules_without_stages(tmp_path):
    lay_out(tmp_path / "ada", {"kernels.py": "a = 1\n", "attention.py": "a = 2\n"})
    assert sources(tmp_path / "ada") == {("ada", ONE): "a = 1\n", ("ada", TWO): "a = 2\n"}


def test_a_clone_is_one_student_wherever_its_stages_are(tmp_path):
    head = {".git/HEAD": "ref: refs/heads/main\n", ".git/config": "[core]\n"}
    lay_out(tmp_path / "clones", {f"ada/{name}": text for name, text in head.items()})
    lay_out(tmp_path / "clones", {f"ada/labs/{TWO}/attention.py": "a = 2\n", f"bob/{TWO}/attention.py": "b = 2\n"})
    assert sources(tmp_path / "clones") == {("ada", TWO): "a = 2\n", ("bob", TWO): "b = 2\n"}
    assert sources(tmp_path / "clones" / "ada") == {("ada", TWO): "a = 2\n"}


def test_a_class_that_is_kept_in_git_is_a_class(tmp_path):
    lay_out(tmp_path, {".git/HEAD": "x", f"ada/{TWO}/attention.py": "a = 2\n", f"bob/{TWO}/attention.py": "b = 2\n"})
    assert set(taken(tmp_path)) == {("ada", TWO), ("bob", TWO)}


@pytest.mark.parametrize(
    ("archive", "inside"),
    [
        ("ada.zip", f"{TWO}/attention.py"),
        ("ada.zip", "attention.py"),
        ("ada.zip", f"my work/{TWO}/attention.py"),
        ("ada.zip", f"my work/again/{TWO}/attention.py"),
        ("ada.zip", f"my work\\{TWO}\\attention.py"),
        ("ada-main.zip", f"ada-main/{TWO}/attention.py"),
        (f"ada-{'0af' * 13}0.zip", f"ada-{'0af' * 13}0/{TWO}/attention.py"),
        ("ada.tar.gz", f"ada/{TWO}/attention.py"),
        ("ada.TGZ", f"./{TWO}/attention.py"),
    ],
)
def test_an_archive_of_one_student_is_named_by_the_archive(tmp_path, archive, inside):
    pack = zipped if archive.endswith(".zip") else tarred
    lay_out(tmp_path / "class", {archive: pack({inside: "a = 2\n"})})
    expected = {("ada", TWO): "a = 2\n"}
    assert sources(tmp_path / "class" / archive) == expected
    assert sources(tmp_path / "class") == expected, "the same in a folder of archives"


@pytest.mark.parametrize("top", ["", "spring/", "submitted/"])
def test_an_export_of_a_class_holds_folders_and_archives(tmp_path, top):
    export = {
        f"{top}ada/{TWO}/attention.py": "a = 2\n",
        f"{top}bob.zip": zipped({f"bob-main/{TWO}/attention.py": "b = 2\n"}),
        "__MACOSX/._ada": b"\0",
    }
    lay_out(tmp_path, {"export.zip": zipped(export)})
    assert sources(tmp_path / "export.zip") == {("ada", TWO): "a = 2\n", ("bob", TWO): "b = 2\n"}


def test_an_export_of_a_whole_course_is_entered_at_submitted(tmp_path):
    export = {f"course/submitted/ada/{TWO}/attention.py": "a = 2\n", f"course/release/{TWO}/attention.py": "stub = 0\n"}
    lay_out(tmp_path, {"export.zip": zipped(export)})
    assert sources(tmp_path / "export.zip") == {("ada", TWO): "a = 2\n"}


def test_loose_files_beside_the_one_folder_make_no_class(tmp_path):
    lay_out(tmp_path, {"ada.zip": zipped({"README.md": "", f"labs/{TWO}/attention.py": "a = 2\n"})})
    assert sources(tmp_path / "ada.zip") == {("ada", TWO): "a = 2\n"}


def test_an_archive_in_a_students_folder_is_looked_into(tmp_path):
    packed = zipped({f"labs/{TWO}/attention.py": "a = 2\n"})
    lay_out(tmp_path, {"Ada_17_assignsubmission_file/labs.zip": packed, f"bob/{TWO}/attention.py": "b = 2\n"})
    assert sources(tmp_path)[("Ada_17_assignsubmission_file", TWO)] == "a = 2\n"


def test_an_archive_beside_a_students_stages_is_only_a_file(tmp_path):
    lay_out(tmp_path, {f"ada/{TWO}/attention.py": "a = 2\n", "ada/backup.zip": zipped({"attention.py": "old = 1\n"})})
    assert sources(tmp_path) == {("ada", TWO): "a = 2\n"}


def test_an_export_too_large_for_memory_is_asked_for_unpacked(tmp_path):
    with (tmp_path / "export.zip").open("wb") as file:
        file.truncate(1024**3 + 1)  # takes no space on disk
    with pytest.raises(IntakeError, match="is larger than 1 GB; unpack it and give the folder"):
        take_in([tmp_path / "export.zip"], STAGES)


def test_what_tools_leave_behind_is_nobodys(tmp_path):
    copies = {f"ada/{folder}/attention.py": "old = 1\n" for folder in (".ipynb_checkpoints", "venv/lib", "__pycache__")}
    lay_out(
        tmp_path, {f"ada/{TWO}/attention.py": "a = 2\n", f"__MACOSX/{TWO}/attention.py": "", ".trash/x": "", **copies}
    )
    assert sources(tmp_path) == {("ada", TWO): "a = 2\n"}


def test_the_stages_own_folder_wins_over_copies_elsewhere(tmp_path):
    lay_out(
        tmp_path / "ada",
        {f"{TWO}/attention.py": "a = 2\n", "attention.py": "x = 0\n", f"old/{TWO}/attention.py": "x = 1\n"},
    )
    assert sources(tmp_path / "ada") == {("ada", TWO): "a = 2\n"}


def test_a_module_in_another_folder_is_taken_and_noted(tmp_path):
    lay_out(tmp_path, {"ada/final/attention.py": "a = 2\n"})
    (one,) = take_in([tmp_path], STAGES)
    assert one.source == "a = 2\n"
    assert one.notes == ("found as final/attention.py, not as 2_attention/attention.py",)


def test_two_copies_that_are_equally_good_are_refused(tmp_path):
    lay_out(tmp_path, {"ada/v1/attention.py": "a = 1\n", "ada/v2/attention.py": "a = 2\n"})
    (one,) = take_in([tmp_path], STAGES)
    assert refusal(one) == (
        "AMBIGUOUS",
        "attention.py was handed in 2 times, as v1/attention.py and v2/attention.py; keep the one that counts",
    )


@pytest.mark.parametrize(
    "name", ["attention (1).py", "Attention.py", "attention.py.txt", "atention.py", "attention_final.py"]
)
def test_a_module_under_a_wrong_name_is_pointed_out(tmp_path, name):
    lay_out(tmp_path, {f"ada/{TWO}/{name}": "a = 2\n", f"ada/{TWO}/test_attention.py": ""})
    reason, message = refusal(taken(tmp_path)[("ada", TWO)])
    assert reason == "MISSING"
    there = f"there is 2_attention/{name}: if that is it, call it attention.py"
    assert message == f"2_attention/attention.py was not handed in; {there}"


def test_public_tests_and_notebooks_are_not_mistaken_for_the_module(tmp_path):
    lay_out(tmp_path, {f"ada/{TWO}/test_attention.py": "", f"ada/{TWO}/attention.ipynb": "{}"})
    assert refusal(taken(tmp_path)[("ada", TWO)]) == ("MISSING", "2_attention/attention.py was not handed in")


def test_work_from_several_paths_is_put_together(tmp_path):
    lay_out(tmp_path, {f"one/ada/{ONE}/kernels.py": "a = 1\n", "two/ada.zip": zipped({"attention.py": "a = 2\n"})})
    assert sources(tmp_path / "one", tmp_path / "two") == {("ada", ONE): "a = 1\n", ("ada", TWO): "a = 2\n"}


def test_the_same_stage_from_two_paths_is_a_conflict_unless_it_is_the_same(tmp_path):
    lay_out(tmp_path, {f"{week}/ada/{ONE}/kernels.py": "a = 1\n" for week in ("one", "two")})
    assert sources(tmp_path / "one", tmp_path / "two") == {("ada", ONE): "a = 1\n"}
    lay_out(tmp_path, {f"three/ada/{ONE}/": ""})
    assert sources(tmp_path / "three", tmp_path / "one") == {("ada", ONE): "a = 1\n"}
    lay_out(tmp_path, {f"two/ada/{ONE}/kernels.py": "a = 2\n"})
    assert refusal(taken(tmp_path / "one", tmp_path / "two")[("ada", ONE)]) == (
        "AMBIGUOUS",
        "1_kernels was handed in 2 times, each time different; your instructor has to choose one",
    )


def test_an_archive_that_cannot_be_opened_does_not_cost_the_stages_that_came_another_way(tmp_path):
    lay_out(
        tmp_path, {f"one/ada/{ONE}/kernels.py": "a = 1\n", "two/ada.zip": b"nothing", f"two/bob/{TWO}/attention.py": ""}
    )
    found = taken(tmp_path / "one", tmp_path / "two")
    assert found["ada", ONE].source == "a = 1\n"
    assert refusal(found["ada", TWO])[0] == "ARCHIVE"


def test_a_notebook_alone_is_work_begun(tmp_path):
    lay_out(tmp_path, {"ada/attention.ipynb": b'{"cells": [{"id": "why", "source": "because"}]}', "bob/": ""})
    found = taken(tmp_path)
    assert set(found) == {("ada", TWO), ("bob", TWO)}
    assert refusal(found["ada", TWO])[0] == "MISSING"
    assert found["ada", TWO].answers.texts == {"why": ("because",)}
    assert found["ada", TWO].handed_in is not None


def test_a_stage_that_nobody_has_begun_is_owed_by_nobody(tmp_path):
    lay_out(tmp_path, {f"ada/{ONE}/kernels.py": "a = 1\n", "bob/": ""})
    assert set(taken(tmp_path)) == {("ada", ONE), ("bob", ONE)}


def test_a_stage_that_is_owed_by_all_is_missing_where_it_was_not_handed_in(tmp_path):
    lay_out(tmp_path, {f"ada/{ONE}/kernels.py": "a = 1\n"})
    stages = [StageFiles(ONE, "kernels", Owed.NEVER), StageFiles(TWO, "attention", Owed.ALWAYS)]
    for path in (tmp_path, tmp_path / "ada"):
        (one,) = take_in([path], stages)
        assert (one.student, one.stage, refusal(one)[0]) == ("ada", TWO, "MISSING")


def test_an_empty_folder_owes_every_stage(tmp_path):
    lay_out(tmp_path, {"ada/": ""})
    assert [refusal(one)[0] for one in take_in([tmp_path / "ada"], STAGES)] == ["MISSING", "MISSING"]


@pytest.mark.parametrize("files", [{"photos/summer.jpg": b"\xff\xd8"}, {"a/b/c.txt": "", "d/e.py": ""}])
def test_a_folder_of_anything_else_is_no_class_of_zeros(tmp_path, files):
    lay_out(tmp_path, files)
    with pytest.raises(IntakeError, match=r"holds nothing to grade; expected 1_kernels/kernels\.py, STUDENT/"):
        take_in([tmp_path], STAGES)


def test_a_path_that_is_not_there_or_no_archive_is_wrong_use(tmp_path):
    with pytest.raises(IntakeError, match="does not exist"):
        take_in([tmp_path / "nowhere"], STAGES)
    lay_out(tmp_path, {"grades.csv": ""})
    with pytest.raises(IntakeError, match="neither a folder nor an archive"):
        take_in([tmp_path / "grades.csv"], STAGES)


def test_students_come_in_order_and_a_students_stages_together(tmp_path):
    students = ["zoe", "Ada", "ödön", "bob"]
    lay_out(tmp_path, {f"{name}/{stage}/x": "" for name in students for stage in (TWO, ONE)})
    found = take_in([tmp_path], STAGES)
    assert [one.stage for one in found] == [ONE, TWO] * len(students)
    assert [one.student for one in found[::2]] == sorted(students)


def test_the_time_is_nbgraders_stamp_else_the_files_own_and_unknown_in_a_clone(tmp_path):
    lay_out(
        tmp_path,
        {
            f"ada/{TWO}/attention.py": "",
            f"ada/{TWO}/timestamp.txt": "2026-03-01 11:58:03.120000 UTC\n",
            f"bob/{TWO}/attention.py": "",
            f"cy/{TWO}/attention.py": "",
            f"cy/{TWO}/timestamp.txt": "2026-03-01 11:58:03 UTC\n",
            "cy/.git/HEAD": "x",
            "dan.tar.gz": tarred({f"{TWO}/attention.py": "", f"{TWO}/timestamp.txt": "2020-01-01 00:00:00 UTC"}),
            "eve.zip": zipped({f"{TWO}/attention.py": "", f"{TWO}/timestamp.txt": "2020-01-01 00:00:00 UTC"}),
            "fay/fay.tar.gz": tarred({f"{TWO}/attention.py": "", f"{TWO}/timestamp.txt": "2020-01-01 00:00:00 UTC"}),
        },
    )
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    set_time(tmp_path / "bob" / TWO / "attention.py", moment)
    times = {student: one.handed_in for (student, stage), one in taken(tmp_path).items() if stage == TWO}
    assert times["ada"] == moment - timedelta(seconds=116.88)
    assert times["bob"] == moment
    assert times["cy"] is None, "a clone's files are as old as the cloning, and a stamp in it is the student's own"
    assert times["dan"] == times["fay"] == moment
    assert times["eve"] is not None
    assert times["eve"].year > 2020


def set_time(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def test_a_clones_commit_is_noted(tmp_path):
    commit = "0123456789abcdef" * 2 + "01234567"
    lay_out(tmp_path, {f"ada/{TWO}/attention.py": "", "ada/.git/HEAD": "ref: refs/heads/main\n"})
    lay_out(tmp_path, {"ada/.git/refs/heads/main": commit + "\n"})
    (one,) = take_in([tmp_path / "ada"], STAGES)
    assert one.notes == (f"at commit {commit}",)
