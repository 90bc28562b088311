"""Every layout of hand-ins that ``grade`` accepts, and files that belong to no student."""

from pathlib import Path

import pytest
from hand_ins import ATTENTION, KERNELS, STAGES, lay_out, refusal, sources, taken, tarred, zipped

from autograder.intake import IntakeError, Owed, StageFiles, take_in

FIRST, SECOND = KERNELS.stage, ATTENTION.stage


def test_nbgraders_layout_is_a_folder_per_student_and_stage(tmp_path):
    lay_out(
        tmp_path / "class",
        {
            f"ada/{FIRST}/kernels.py": "a = 1\n",
            f"ada/{SECOND}/attention.py": "a = 2\n",
            f"bob/{SECOND}/attention.py": "b = 2\n",
            f"bob/{SECOND}/attention.ipynb": "{}",
            "grades.csv": "ada,1\n",
        },
    )
    assert sources(tmp_path / "class") == {
        ("ada", FIRST): "a = 1\n",
        ("ada", SECOND): "a = 2\n",
        ("bob", FIRST): None,
        ("bob", SECOND): "b = 2\n",
    }


def test_a_course_folder_is_entered_at_submitted(tmp_path):
    lay_out(
        tmp_path, {f"submitted/ada/{SECOND}/attention.py": "a = 2\n", f"release/{SECOND}/attention.py": "stub = 0\n"}
    )
    assert sources(tmp_path) == {("ada", SECOND): "a = 2\n"}


def test_a_stages_folder_belongs_to_the_student_above_it(tmp_path):
    lay_out(tmp_path, {f"ada/{SECOND}/attention.py": "a = 2\n"})
    assert sources(tmp_path / "ada" / SECOND) == {("ada", SECOND): "a = 2\n"}
    assert sources(tmp_path / "ada") == {("ada", SECOND): "a = 2\n"}


def test_an_empty_stages_folder_is_still_that_stage(tmp_path):
    lay_out(tmp_path, {f"ada/{SECOND}/": ""})
    (submission,) = take_in([tmp_path / "ada" / SECOND], STAGES)
    assert (submission.student, submission.stage) == ("ada", SECOND)
    assert refusal(submission) == ("MISSING", "2_attention/attention.py was not handed in")


def test_a_folder_may_contain_modules_without_stage_folders(tmp_path):
    lay_out(tmp_path / "ada", {"kernels.py": "a = 1\n", "attention.py": "a = 2\n"})
    assert sources(tmp_path / "ada") == {("ada", FIRST): "a = 1\n", ("ada", SECOND): "a = 2\n"}


def test_a_clone_is_one_student_at_any_depth_of_its_stages(tmp_path):
    head = {".git/HEAD": "ref: refs/heads/main\n", ".git/config": "[core]\n"}
    lay_out(tmp_path / "clones", {f"ada/{name}": text for name, text in head.items()})
    lay_out(
        tmp_path / "clones", {f"ada/labs/{SECOND}/attention.py": "a = 2\n", f"bob/{SECOND}/attention.py": "b = 2\n"}
    )
    assert sources(tmp_path / "clones") == {("ada", SECOND): "a = 2\n", ("bob", SECOND): "b = 2\n"}
    assert sources(tmp_path / "clones" / "ada") == {("ada", SECOND): "a = 2\n"}


def test_a_class_kept_in_git_is_a_class(tmp_path):
    lay_out(
        tmp_path, {".git/HEAD": "x", f"ada/{SECOND}/attention.py": "a = 2\n", f"bob/{SECOND}/attention.py": "b = 2\n"}
    )
    assert set(taken(tmp_path)) == {("ada", SECOND), ("bob", SECOND)}


@pytest.mark.parametrize(
    ("archive", "inside"),
    [
        ("ada.zip", f"{SECOND}/attention.py"),
        ("ada.zip", "attention.py"),
        ("ada.zip", f"my work/{SECOND}/attention.py"),
        ("ada.zip", f"my work/again/{SECOND}/attention.py"),
        ("ada.zip", f"my work\\{SECOND}\\attention.py"),
        ("ada-main.zip", f"ada-main/{SECOND}/attention.py"),
        (f"ada-{'0af' * 13}0.zip", f"ada-{'0af' * 13}0/{SECOND}/attention.py"),
        ("ada.tar.gz", f"ada/{SECOND}/attention.py"),
        ("ada.TGZ", f"./{SECOND}/attention.py"),
    ],
)
def test_an_archive_of_one_student_gives_the_students_name(tmp_path, archive, inside):
    pack = zipped if archive.endswith(".zip") else tarred
    lay_out(tmp_path / "class", {archive: pack({inside: "a = 2\n"})})
    expected = {("ada", SECOND): "a = 2\n"}
    assert sources(tmp_path / "class" / archive) == expected
    assert sources(tmp_path / "class") == expected, "a folder of archives gives the same result"


@pytest.mark.parametrize("top", ["", "spring/", "submitted/"])
def test_an_export_of_a_class_may_contain_folders_and_archives(tmp_path, top):
    export = {
        f"{top}ada/{SECOND}/attention.py": "a = 2\n",
        f"{top}bob.zip": zipped({f"bob-main/{SECOND}/attention.py": "b = 2\n"}),
        "__MACOSX/._ada": b"\0",
    }
    lay_out(tmp_path, {"export.zip": zipped(export)})
    assert sources(tmp_path / "export.zip") == {("ada", SECOND): "a = 2\n", ("bob", SECOND): "b = 2\n"}


def test_an_export_of_a_whole_course_is_entered_at_submitted(tmp_path):
    export = {
        f"course/submitted/ada/{SECOND}/attention.py": "a = 2\n",
        f"course/release/{SECOND}/attention.py": "stub = 0\n",
    }
    lay_out(tmp_path, {"export.zip": zipped(export)})
    assert sources(tmp_path / "export.zip") == {("ada", SECOND): "a = 2\n"}


def test_loose_files_beside_the_only_folder_do_not_make_a_class(tmp_path):
    lay_out(tmp_path, {"ada.zip": zipped({"README.md": "", f"labs/{SECOND}/attention.py": "a = 2\n"})})
    assert sources(tmp_path / "ada.zip") == {("ada", SECOND): "a = 2\n"}


def test_an_archive_in_a_students_folder_is_opened(tmp_path):
    packed = zipped({f"labs/{SECOND}/attention.py": "a = 2\n"})
    lay_out(tmp_path, {"Ada_17_assignsubmission_file/labs.zip": packed, f"bob/{SECOND}/attention.py": "b = 2\n"})
    assert sources(tmp_path)[("Ada_17", SECOND)] == "a = 2\n"


def test_an_archive_beside_a_students_stages_is_ignored(tmp_path):
    lay_out(
        tmp_path, {f"ada/{SECOND}/attention.py": "a = 2\n", "ada/backup.zip": zipped({"attention.py": "old = 1\n"})}
    )
    assert sources(tmp_path) == {("ada", SECOND): "a = 2\n"}


def test_an_export_too_large_for_memory_must_be_unpacked(tmp_path):
    with (tmp_path / "export.zip").open("wb") as file:
        file.truncate(1024**3 + 1)  # takes no space on disk
    with pytest.raises(IntakeError, match="is larger than 1 GB; unpack it and pass the folder"):
        take_in([tmp_path / "export.zip"], STAGES)


def test_files_created_by_tools_are_ignored(tmp_path):
    copies = {f"ada/{folder}/attention.py": "old = 1\n" for folder in (".ipynb_checkpoints", "venv/lib", "__pycache__")}
    lay_out(
        tmp_path,
        {f"ada/{SECOND}/attention.py": "a = 2\n", f"__MACOSX/{SECOND}/attention.py": "", ".trash/x": "", **copies},
    )
    assert sources(tmp_path) == {("ada", SECOND): "a = 2\n"}


def test_the_stages_own_folder_has_priority_over_copies_elsewhere(tmp_path):
    lay_out(
        tmp_path / "ada",
        {f"{SECOND}/attention.py": "a = 2\n", "attention.py": "x = 0\n", f"old/{SECOND}/attention.py": "x = 1\n"},
    )
    assert sources(tmp_path / "ada") == {("ada", SECOND): "a = 2\n"}


def test_a_module_in_another_folder_is_graded_and_noted(tmp_path):
    lay_out(tmp_path, {"ada/final/attention.py": "a = 2\n"})
    (submission,) = take_in([tmp_path], STAGES)
    assert submission.source == "a = 2\n"
    assert submission.notes == ("found as final/attention.py, not as 2_attention/attention.py",)


def test_two_copies_of_equal_priority_are_refused(tmp_path):
    lay_out(tmp_path, {f"bob/{SECOND}/attention.py": "b = 2\n"})
    lay_out(tmp_path, {"ada/v1/attention.py": "a = 1\n", "ada/v2/attention.py": "a = 2\n"})
    assert refusal(taken(tmp_path)["ada", SECOND]) == (
        "AMBIGUOUS",
        "attention.py was handed in 2 times, as v1/attention.py and v2/attention.py; keep only the file to be graded",
    )


@pytest.mark.parametrize("name", ["atention.py", "attention_final.py", "my_attention.py"])
def test_a_module_with_a_wrong_name_is_pointed_out(tmp_path, name):
    lay_out(tmp_path, {f"ada/{SECOND}/{name}": "a = 2\n", f"ada/{SECOND}/test_attention.py": ""})
    reason, message = refusal(taken(tmp_path)[("ada", SECOND)])
    assert reason == "MISNAMED"
    fix = f"if 2_attention/{name} is your solution, rename it to attention.py"
    assert message == f"2_attention/attention.py was not handed in; {fix}"


COPIES = [
    "attention (1).py",
    "attention(2).py",
    "attention-1.py",
    "attention copy.py",
    "attention - Copy (2).py",
    "Copy of attention.py",
    "Kopie von attention (1).py",
    "Attention.py",
    "ATTENTION.PY",
    "attention.py.txt",
]


@pytest.mark.parametrize("name", COPIES)
def test_a_module_with_the_name_of_a_copy_is_graded_and_noted(tmp_path, name):
    lay_out(tmp_path, {f"ada/{SECOND}/{name}": "a = 2\n", f"ada/{SECOND}/test_attention.py": "x = 0\n"})
    submission = taken(tmp_path)["ada", SECOND]
    assert submission.source == "a = 2\n"
    assert submission.notes == (f"found as 2_attention/{name}, not as 2_attention/attention.py",)


def test_a_module_has_priority_over_its_copies_and_two_copies_must_be_equal(tmp_path):
    lay_out(tmp_path / "ada", {"attention.py": "a = 2\n", "attention (1).py": "x = 1\n"})
    lay_out(tmp_path / "bob", {"attention (2).py": "b = 2\n", "attention (1).py": "b = 2\n"})
    lay_out(tmp_path / "cy", {"attention (2).py": "c = 2\n", "attention (1).py": "c = 1\n"})
    found = taken(tmp_path)
    assert found["ada", SECOND].source == "a = 2\n"
    assert found["bob", SECOND].source == "b = 2\n"
    assert refusal(found["cy", SECOND])[0] == "AMBIGUOUS"


def test_versions_in_a_stages_folder_are_not_students(tmp_path):
    lay_out(tmp_path / "ada", {f"{FIRST}/kernels.py": "a = 1\n", f"{SECOND}/v1/attention.py": "a = 2\n"})
    lay_out(tmp_path / "ada", {f"{SECOND}/v2/attention.py": "a = 3\n"})
    assert {student for student, _ in sources(tmp_path / "ada")} == {"ada"}


def test_public_tests_and_notebooks_are_not_mistaken_for_the_module(tmp_path):
    lay_out(tmp_path, {f"ada/{SECOND}/test_attention.py": "", f"ada/{SECOND}/attention.ipynb": "{}"})
    assert refusal(taken(tmp_path)[("ada", SECOND)]) == ("MISSING", "2_attention/attention.py was not handed in")


def test_work_from_several_paths_is_merged(tmp_path):
    lay_out(tmp_path, {f"one/ada/{FIRST}/kernels.py": "a = 1\n", "two/ada.zip": zipped({"attention.py": "a = 2\n"})})
    assert sources(tmp_path / "one", tmp_path / "two") == {("ada", FIRST): "a = 1\n", ("ada", SECOND): "a = 2\n"}


def test_a_stage_from_two_paths_is_a_conflict_unless_the_copies_are_equal(tmp_path):
    lay_out(tmp_path, {f"{week}/ada/{FIRST}/kernels.py": "a = 1\n" for week in ("one", "two")})
    assert sources(tmp_path / "one", tmp_path / "two") == {("ada", FIRST): "a = 1\n"}
    lay_out(tmp_path, {f"three/ada/{FIRST}/": ""})
    assert sources(tmp_path / "three", tmp_path / "one") == {("ada", FIRST): "a = 1\n"}
    lay_out(tmp_path, {f"two/ada/{FIRST}/kernels.py": "a = 2\n"})
    assert refusal(taken(tmp_path / "one", tmp_path / "two")[("ada", FIRST)]) == (
        "AMBIGUOUS",
        "1_kernels was handed in 2 times with different content; your instructor must choose one",
    )


def test_an_unreadable_archive_does_not_affect_stages_from_another_path(tmp_path):
    lay_out(
        tmp_path,
        {f"one/ada/{FIRST}/kernels.py": "a = 1\n", "two/ada.zip": b"nothing", f"two/bob/{SECOND}/attention.py": ""},
    )
    found = taken(tmp_path / "one", tmp_path / "two")
    assert found["ada", FIRST].source == "a = 1\n"
    assert refusal(found["ada", SECOND])[0] == "ARCHIVE"


def test_a_notebook_without_a_module_counts_as_begun_work(tmp_path):
    lay_out(tmp_path, {"ada/attention.ipynb": b'{"cells": [{"id": "why", "source": "because"}]}', "bob/": ""})
    found = taken(tmp_path)
    assert set(found) == {("ada", SECOND), ("bob", SECOND)}
    assert refusal(found["ada", SECOND])[0] == "MISSING"
    assert found["ada", SECOND].answers.texts == {"why": ("because",)}


def test_a_stage_that_no_student_has_begun_is_not_owed(tmp_path):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": "a = 1\n", "bob/": ""})
    assert set(taken(tmp_path)) == {("ada", FIRST), ("bob", FIRST)}


def test_a_stage_that_is_always_owed_is_missing_if_it_was_not_handed_in(tmp_path):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": "a = 1\n"})
    stages = [StageFiles(FIRST, "kernels", Owed.NEVER), StageFiles(SECOND, "attention", Owed.ALWAYS)]
    for path in (tmp_path, tmp_path / "ada"):
        (submission,) = take_in([path], stages)
        assert (submission.student, submission.stage, refusal(submission)[0]) == ("ada", SECOND, "MISSING")


def test_an_empty_folder_of_a_class_is_a_student_who_handed_in_nothing_and_this_is_said(tmp_path):
    lay_out(tmp_path, {"ada/": "", f"bob/{SECOND}/attention.py": "b = 2\n"})
    notices: list[str] = []
    submissions = take_in([tmp_path], STAGES, notice=notices.append)
    assert [(submission.student, submission.source) for submission in submissions] == [
        ("ada", None),
        ("bob", "b = 2\n"),
    ]
    assert notices == [f"{tmp_path}: ada is empty: taken for a student who handed in nothing"]


@pytest.mark.parametrize(
    "files",
    [
        {"photos/summer.jpg": b"\xff\xd8"},
        {"ada/": "", "bob/": ""},
        {"report.docx": ""},
        {"a/b/c.txt": "", "d/e.py": ""},
        {},
    ],
)
def test_an_unrelated_folder_is_an_error_and_not_a_class_of_zeros(tmp_path, files):
    lay_out(tmp_path / "class", files)
    lay_out(tmp_path, {"class.zip": zipped(files)})
    for path in (tmp_path / "class", tmp_path / "class.zip"):
        refuse_unrelated(path)


def refuse_unrelated(path: Path) -> None:
    with pytest.raises(IntakeError, match=r"contains nothing to grade; expected 1_kernels/kernels\.py, STUDENT/"):
        take_in([path], STAGES)


def test_a_missing_path_or_unrelated_file_is_an_error(tmp_path):
    with pytest.raises(IntakeError, match="does not exist"):
        take_in([tmp_path / "nowhere"], STAGES)
    lay_out(tmp_path, {"grades.csv": ""})
    with pytest.raises(IntakeError, match="neither a folder nor an archive"):
        take_in([tmp_path / "grades.csv"], STAGES)


def test_submissions_are_ordered_by_student_and_stage(tmp_path):
    students = ["zoe", "Ada", "ödön", "bob"]
    lay_out(tmp_path, {f"{name}/{stage}/x": "" for name in students for stage in (SECOND, FIRST)})
    found = take_in([tmp_path], STAGES)
    assert [submission.stage for submission in found] == [FIRST, SECOND] * len(students)
    assert [submission.student for submission in found[::2]] == sorted(students)


def test_a_clones_commit_is_noted(tmp_path):
    commit = "0123456789abcdef" * 2 + "01234567"
    lay_out(tmp_path, {f"ada/{SECOND}/attention.py": "", "ada/.git/HEAD": "ref: refs/heads/main\n"})
    lay_out(tmp_path, {"ada/.git/refs/heads/main": commit + "\n"})
    (submission,) = take_in([tmp_path / "ada"], STAGES)
    assert submission.notes == (f"at commit {commit}",)
