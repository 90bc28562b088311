"""The names that students choose decide nothing: no student's result depends on the other students."""

import os
from pathlib import Path

import pytest
from hand_ins import ATTENTION, KERNELS, STAGES, lay_out, refusal, sources, taken, zipped

from autograder.intake import IntakeError, Roster, TimeSource, read_times, take_in
from autograder.intake.students import student_id

FIRST, SECOND = KERNELS.stage, ATTENTION.stage
CLASS = {name: f"x = {name!r}\n" for name in ("ada", "bob", "cy")}
ZIP = zipped({f"{FIRST}/kernels.py": "x = 'mallory'\n"})


def lay_out_class(root: Path, bare: bool = False) -> Path:
    return lay_out(root, {f"{name}/{'' if bare else FIRST + '/'}kernels.py": text for name, text in CLASS.items()})


# What one more person hands in, and the id under which it is listed; "" if it is listed under none.
FURTHER = {
    "submitted": ({f"submitted/{FIRST}/kernels.py": "x = 0\n"}, "submitted"),
    "submitted with a folder": ({f"submitted/me/{FIRST}/kernels.py": "x = 0\n"}, "submitted"),
    "a stage": ({f"{SECOND}/kernels.py": "x = 0\n"}, SECOND),
    "a stage with stages": ({f"{SECOND}/{FIRST}/kernels.py": "x = 0\n"}, SECOND),
    "a stage with two folders": ({f"{SECOND}/{v}/attention.py": f"x = {v!r}\n" for v in "ab"}, SECOND),
    "the companion's folder": ({"handin/kernels.py": "x = 0\n"}, "handin"),
    "an archive named after a stage": ({f"{FIRST}.zip": ZIP}, FIRST),
    "a loose module": ({"kernels.py": "x = 0\n"}, ""),
    "a folder that begins with a dot": ({f".me/{FIRST}/kernels.py": "x = 0\n"}, student_id(".me")),
    "a folder of a tool": ({f"venv/{FIRST}/kernels.py": "x = 0\n"}, "venv"),
    "another case": ({f"ADA/{FIRST}/kernels.py": "x = 0\n"}, "ADA"),
    "a blank in place of a line": ({f"a da/{FIRST}/kernels.py": "x = 0\n"}, student_id("a da")),
    "a branch": ({"ada-main.zip": ZIP}, "ada-main"),
    "a platform's name": ({"ada_1_2_kernels.zip": ZIP}, "ada_1"),
    "an archive with platforms' names": ({"me.zip": zipped({"ada_1_2_kernels.py": "x = 0\n"})}, "me"),
    "an archive with the class": (
        {"me.zip": zipped({f"{name}/{FIRST}/kernels.py": "x = 0\n" for name in CLASS})},
        "me",
    ),
    "a nest of stages": ({"/".join([SECOND] * 300) + "/": ""}, SECOND),
}


@pytest.mark.parametrize("bare", [False, True], ids=["with stages", "bare"])
@pytest.mark.parametrize(("files", "further"), FURTHER.values(), ids=FURTHER)
@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "as a zip"])
def test_a_further_hand_in_changes_no_result(tmp_path, files, further, bare, packed):
    path = lay_out(lay_out_class(tmp_path / "class", bare), files)
    if packed:
        names = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
        path = tmp_path / "class.zip"
        path.write_bytes(zipped(names))
    found = {student: source for (student, stage), source in sources(path).items() if stage == FIRST}
    assert {name: found.get(name) for name in CLASS} == CLASS
    assert set(found) - set(CLASS) <= {further}
    assert further in {"", *found} or not any("kernels.py" in name or ".zip" in name for name in files)


def test_names_that_look_alike_are_different_students_in_every_run(tmp_path):
    names = ["Ann Lee", "Ann_Lee", "ann_lee", "\u00d6dön", "O\u0308dön"]
    lay_out(tmp_path / "all", {f"{name}/{FIRST}/kernels.py": f"x = {number}\n" for number, name in enumerate(names)})
    together = sources(tmp_path / "all")
    assert len(together) == len(names)
    for number, name in enumerate(names):
        alone = sources(lay_out(tmp_path / f"run {number}" / "class", {f"{name}/{FIRST}/kernels.py": "x = 9\n"}))
        ((student, _),) = alone
        assert together[student, FIRST] == f"x = {number}\n"


def test_a_table_and_a_roster_name_students_exactly(tmp_path):
    lay_out(tmp_path / "class", {f"{name}/{FIRST}/kernels.py": "x = 1\n" for name in ("Ann Lee", "Ann_Lee")})
    lay_out(tmp_path, {"times.csv": "student,time\nAnn Lee,2026-03-01T12:00Z\n"})
    known = read_times(tmp_path / "times.csv", [FIRST, SECOND], None)
    found = take_in([tmp_path / "class"], STAGES, known)
    assert {each.student: each.time_source for each in found} == {
        student_id("Ann Lee"): TimeSource.TABLE,
        "Ann_Lee": TimeSource.UNKNOWN,
    }
    with pytest.raises(IntakeError, match="Ann_Lee holds work of the lab, but is not in the roster"):
        take_in([tmp_path / "class"], STAGES, roster=Roster.of({"Ann Lee"}))


def test_a_second_hand_in_by_name_is_refused_with_words_and_the_first_counts(tmp_path):
    lay_out(tmp_path / "class", {f"victim/{FIRST}/kernels.py": "x = 1\n", "victim-main.zip": ZIP})
    found = taken(tmp_path / "class")
    assert found["victim", FIRST].source == "x = 1\n"
    assert refusal(found["victim-main", FIRST]) == (
        "AMBIGUOUS",
        "victim-main may be a second hand-in of victim, whose own counts; give it the name of its student",
    )
    lay_out(tmp_path / "class", {f"victim/{FIRST}/kernels.py": "x = 'mallory'\n"})
    assert set(sources(tmp_path / "class")) == {("victim", FIRST)}, "an equal copy is not listed"


def test_a_hard_link_to_another_students_file_refuses_neither(tmp_path):
    lay_out(tmp_path, {f"victim/{FIRST}/kernels.py": "x = 1\n", f"mallory/{FIRST}/": "", f"bob/{FIRST}/kernels.py": ""})
    os.link(tmp_path / f"victim/{FIRST}/kernels.py", tmp_path / f"mallory/{FIRST}/kernels.py")
    found = sources(tmp_path)
    assert found["victim", FIRST] == found["mallory", FIRST] == "x = 1\n"


def test_a_file_that_a_student_named_like_a_platform_stays_the_students(tmp_path):
    lay_out(
        tmp_path,
        {
            "Ada Doe_17_assignsubmission_file_kernels.py": "x = 1\n",
            "Mal_18_assignsubmission_file_x_17_assignsubmission_file_kernels.py": "x = 2\n",
            "Mal_18_assignsubmission_file_x_17_99_kernels.py": "x = 3\n",
        },
    )
    found = sources(tmp_path)
    assert found["Ada_Doe_17", FIRST] == "x = 1\n"
    assert {student for student, _ in found} == {"Ada_Doe_17", "Mal_18"}


def test_with_a_roster_no_entry_hides_its_students(tmp_path):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": "x = 1\n", f"{FIRST}/kernels.py": "x = 0\n", "kernels.py": "x = 2\n"})
    found = {each.student: each.source for each in take_in([tmp_path], STAGES, roster=Roster.of({"ada"}))}
    assert found == {"ada": "x = 1\n", FIRST: None}
