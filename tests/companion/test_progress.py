"""Names, standings, and what survives between two commands."""

import dataclasses

import pytest
from tiny_lab import STAGE

from lab.checking import check
from lab.course import Course, LabError
from lab.hints import next_hint
from lab.progress import Progress, Standing, next_exercise, read_module, standing
from lab.reset import reset


def where(course: Course, progress: Progress) -> dict[str, Standing]:
    return standing(course, course.stages[0], progress).exercises


def note(course: Course, progress: Progress, name: str, passed: bool) -> None:
    (exercise,) = course.select(name)
    progress.note(exercise, read_module(course.root, course.stages[0]).digest(name), passed)


@pytest.mark.parametrize("name", ["double", "DOUBLE", f"{STAGE}/double"])
def test_an_exercise_is_found_by_its_name(course, name):
    assert [exercise.name for exercise in course.select(name)] == ["double"]


@pytest.mark.parametrize("name", [STAGE, f"{STAGE}/", "tiny", "1"])
def test_a_stage_is_found_by_folder_module_and_number(course, name):
    assert [exercise.name for exercise in course.select(name)] == ["double", "total", "halve"]


def test_a_name_that_is_not_there_gets_the_nearest_one(course):
    with pytest.raises(LabError, match="`dubble`; did you mean `double`"):
        course.select("dubble")
    with pytest.raises(LabError, match="`lab status --all` lists them"):
        course.select("zzz")


def test_a_name_in_two_stages_must_be_told_apart(course):
    stage = course.stages[0]
    again = tuple(dataclasses.replace(exercise, stage="2_more") for exercise in stage.exercises)
    two = dataclasses.replace(course, stages=(stage, dataclasses.replace(stage, id="2_more", exercises=again)))
    with pytest.raises(LabError, match=f"say which: {STAGE}/double, 2_more/double"):
        two.select("double")
    assert two.select("2_more/double")[0].stage == "2_more"


def test_the_course_is_found_from_inside_a_stage(course):
    assert Course.find(course.root / STAGE).root == course.root


def test_a_standing_follows_what_is_written_and_checked(course, write):
    progress = Progress()
    assert set(where(course, progress).values()) == {Standing.NOT_STARTED}
    write(double="return 2 * x")
    assert where(course, progress)["double"] is Standing.BEGUN
    note(course, progress, "double", passed=False)
    assert where(course, progress)["double"] is Standing.FAILING
    note(course, progress, "double", passed=True)
    left = Standing.NOT_STARTED
    assert where(course, progress) == {"double": Standing.DONE, "total": left, "halve": left}


def test_a_change_makes_an_earlier_check_old(course, write):
    progress = Progress()
    write(double="return 2 * x")
    note(course, progress, "double", passed=True)
    file = course.root / course.stages[0].file
    file.write_text(file.read_text(encoding="utf-8").replace("return 2 * x", "return x + x"), encoding="utf-8")
    assert where(course, progress)["double"] is Standing.CHANGED


def test_a_module_that_cannot_be_read_is_said_and_loses_nothing(course, write):
    progress = Progress()
    write(double="return 2 * x")
    note(course, progress, "double", passed=True)
    write(top="\ndef broken(:\n")
    found = standing(course, course.stages[0], progress)
    assert f"{STAGE}/tiny.py, line " in found.problem
    assert found.exercises["double"] is Standing.CHANGED


def test_extensions_come_after_everything_else(course, write):
    progress = Progress()
    assert next_exercise(course, progress).name == "double"
    write(double="return 2 * x", total="return x.sum(axis)")
    note(course, progress, "double", passed=True)
    note(course, progress, "total", passed=True)
    assert next_exercise(course, progress).name == "halve"
    write(halve="return x / 2")
    note(course, progress, "halve", passed=True)
    assert next_exercise(course, progress) is None


def test_what_is_noted_is_there_the_next_time(course):
    progress = Progress(student="ada")
    note(course, progress, "double", passed=True)
    next_hint(course.select("total")[0], progress)
    progress.save(course.root)
    assert Progress.load(course.root) == progress


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checks": 3}', '{"checks": {"a": {"b": 1}}, "hints": {}}'])
def test_a_damaged_file_is_a_fresh_start(course, text):
    Progress(student="ada").save(course.root)
    (course.root / ".lab" / "progress.json").write_text(text, encoding="utf-8")
    assert Progress.load(course.root) == Progress()


def test_hints_come_one_at_a_time_and_stay(course):
    (exercise,) = course.select("double")
    progress = Progress()
    assert not any("1 of 3" in line for line in next_hint(exercise, progress, again=True))
    for level in (1, 2, 3, 3):
        text = "\n".join(next_hint(exercise, progress))
        assert [hint in text for hint in exercise.hints] == [number <= level for number in (1, 2, 3)]
    assert "That was the last one" in text


def test_one_exercise_is_reset_and_kept(course, write):
    write(double="return 2 * x", halve="return x / 2")
    mine = (course.root / course.stages[0].file).read_bytes()
    progress = Progress()
    note(course, progress, "double", passed=True)
    backup = reset(course, course.select("double"), progress)
    assert backup.read_bytes() == mine
    assert where(course, Progress.load(course.root)) == {
        "double": Standing.NOT_STARTED,
        "total": Standing.NOT_STARTED,
        "halve": Standing.BEGUN,
    }
    again = reset(course, course.select("halve"), progress)
    assert again != backup
    assert backup.read_bytes() == mine


def test_a_whole_stage_is_reset_even_when_it_is_broken_or_gone(course, write):
    write(top="\ndef broken(:\n")
    with pytest.raises(LabError, match="line "):
        reset(course, course.select("double"), Progress())
    assert reset(course, course.select(STAGE), Progress()).read_text(encoding="utf-8").endswith("def broken(:\n")
    file = course.root / course.stages[0].file
    assert file.read_text(encoding="utf-8") == course.stages[0].stub
    file.unlink()
    assert reset(course, course.select("1"), Progress()) is None
    assert file.read_text(encoding="utf-8") == course.stages[0].stub


def test_an_exercise_that_asks_for_files_is_done_when_they_are_there_and_pass(course):
    stage = course.stages[0]
    trained = dataclasses.replace(stage.exercises[0], name="trained", tests=(), attachments=("model.bin", "log.json"))
    stage = dataclasses.replace(stage, exercises=(trained,), attachments=(("model.bin", 1), ("log.json", 1)))
    course = dataclasses.replace(course, stages=(stage,))
    progress = Progress()

    def look() -> tuple[bool, bool, Standing]:
        (checked,) = check(course, [trained], progress)
        return checked.is_begun, checked.passed, where(course, progress)["trained"]

    assert look() == (False, False, Standing.NOT_STARTED)
    (course.root / STAGE / "model.bin").write_bytes(b"1")
    assert look() == (False, False, Standing.NOT_STARTED)
    (course.root / STAGE / "log.json").write_bytes(b"{}")
    assert look() == (True, True, Standing.DONE)
    (course.root / STAGE / "model.bin").write_bytes(b"2")
    assert where(course, progress)["trained"] is Standing.CHANGED
