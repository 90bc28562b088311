"""Names, statuses, and the progress saved between two commands."""

import dataclasses

import pytest
from tiny_lab import STAGE

from lab.checking import check
from lab.course import CompanionError, Course
from lab.hints import next_hint
from lab.progress import ExerciseStatus, Progress, next_exercise, read_module, stage_status
from lab.reset import reset


def statuses(course: Course, progress: Progress) -> dict[str, ExerciseStatus]:
    return stage_status(course, course.stages[0], progress).exercises


def record(course: Course, progress: Progress, name: str, passed: bool) -> None:
    (exercise,) = course.select(name)
    progress.record_check(exercise, read_module(course.root, course.stages[0]).digest(name), passed)


@pytest.mark.parametrize("name", ["double", "DOUBLE", f"{STAGE}/double"])
def test_an_exercise_is_found_by_its_name(course, name):
    assert [exercise.name for exercise in course.select(name)] == ["double"]


@pytest.mark.parametrize("name", [STAGE, f"{STAGE}/", "tiny", "1"])
def test_a_stage_is_found_by_folder_module_and_number(course, name):
    assert [exercise.name for exercise in course.select(name)] == ["double", "total", "halve"]


def test_an_unknown_name_gets_the_nearest_name(course):
    with pytest.raises(CompanionError, match="`dubble`; did you mean `double`"):
        course.select("dubble")
    with pytest.raises(CompanionError, match="`lab status --all` lists them"):
        course.select("zzz")


def test_a_name_in_two_stages_needs_the_stage(course):
    stage = course.stages[0]
    again = tuple(dataclasses.replace(exercise, stage="2_more") for exercise in stage.exercises)
    two = dataclasses.replace(course, stages=(stage, dataclasses.replace(stage, id="2_more", exercises=again)))
    with pytest.raises(CompanionError, match=f"choose one: {STAGE}/double, 2_more/double"):
        two.select("double")
    assert two.select("2_more/double")[0].stage == "2_more"


def test_the_course_is_found_from_inside_a_stage(course):
    assert Course.find(course.root / STAGE).root == course.root


def test_a_status_follows_the_code_and_its_checks(course, write):
    progress = Progress()
    assert set(statuses(course, progress).values()) == {ExerciseStatus.NOT_STARTED}
    write(double="return 2 * x")
    assert statuses(course, progress)["double"] is ExerciseStatus.STARTED
    record(course, progress, "double", passed=False)
    assert statuses(course, progress)["double"] is ExerciseStatus.FAILING
    record(course, progress, "double", passed=True)
    untouched = ExerciseStatus.NOT_STARTED
    assert statuses(course, progress) == {"double": ExerciseStatus.DONE, "total": untouched, "halve": untouched}


def test_a_change_invalidates_an_earlier_check(course, write):
    progress = Progress()
    write(double="return 2 * x")
    record(course, progress, "double", passed=True)
    file = course.root / course.stages[0].file
    file.write_text(file.read_text(encoding="utf-8").replace("return 2 * x", "return x + x"), encoding="utf-8")
    assert statuses(course, progress)["double"] is ExerciseStatus.CHANGED


def test_an_unreadable_module_is_reported_and_keeps_its_checks(course, write):
    progress = Progress()
    write(double="return 2 * x")
    record(course, progress, "double", passed=True)
    write(top="\ndef broken(:\n")
    found = stage_status(course, course.stages[0], progress)
    assert f"{STAGE}/tiny.py, line " in found.problem
    assert found.exercises["double"] is ExerciseStatus.CHANGED


def test_extensions_come_after_everything_else(course, write):
    progress = Progress()
    assert next_exercise(course, progress).name == "double"
    write(double="return 2 * x", total="return x.sum(axis)")
    record(course, progress, "double", passed=True)
    record(course, progress, "total", passed=True)
    assert next_exercise(course, progress).name == "halve"
    write(halve="return x / 2")
    record(course, progress, "halve", passed=True)
    assert next_exercise(course, progress) is None


def test_saved_progress_is_loaded_unchanged(course):
    progress = Progress(student="ada")
    record(course, progress, "double", passed=True)
    next_hint(course.select("total")[0], progress)
    progress.save(course.root)
    assert Progress.load(course.root) == progress


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checks": 3}', '{"checks": {"a": {"b": 1}}, "hints": {}}'])
def test_a_damaged_file_gives_empty_progress(course, text):
    Progress(student="ada").save(course.root)
    (course.root / ".lab" / "progress.json").write_text(text, encoding="utf-8")
    assert Progress.load(course.root) == Progress()


def test_hints_are_shown_one_at_a_time_and_stay(course):
    (exercise,) = course.select("double")
    progress = Progress()
    assert not any("1 of 3" in line for line in next_hint(exercise, progress, again=True))
    for level in (1, 2, 3, 3):
        text = "\n".join(next_hint(exercise, progress))
        assert [hint in text for hint in exercise.hints] == [number <= level for number in (1, 2, 3)]
    assert "That was the last hint" in text


def test_one_exercise_is_reset_and_its_code_is_kept(course, write):
    write(double="return 2 * x", halve="return x / 2")
    mine = (course.root / course.stages[0].file).read_bytes()
    progress = Progress()
    record(course, progress, "double", passed=True)
    backup = reset(course, course.select("double"), progress)
    assert backup.read_bytes() == mine
    assert statuses(course, Progress.load(course.root)) == {
        "double": ExerciseStatus.NOT_STARTED,
        "total": ExerciseStatus.NOT_STARTED,
        "halve": ExerciseStatus.STARTED,
    }
    again = reset(course, course.select("halve"), progress)
    assert again != backup
    assert backup.read_bytes() == mine


def test_a_whole_stage_is_reset_even_if_its_module_is_broken_or_missing(course, write):
    write(top="\ndef broken(:\n")
    with pytest.raises(CompanionError, match="line "):
        reset(course, course.select("double"), Progress())
    assert reset(course, course.select(STAGE), Progress()).read_text(encoding="utf-8").endswith("def broken(:\n")
    file = course.root / course.stages[0].file
    assert file.read_text(encoding="utf-8") == course.stages[0].stub
    file.unlink()
    assert reset(course, course.select("1"), Progress()) is None
    assert file.read_text(encoding="utf-8") == course.stages[0].stub


def test_an_exercise_that_requires_files_is_done_when_they_exist_and_pass(course):
    stage = course.stages[0]
    trained = dataclasses.replace(stage.exercises[0], name="trained", tests=(), attachments=("model.bin", "log.json"))
    stage = dataclasses.replace(stage, exercises=(trained,), attachments=(("model.bin", 1), ("log.json", 1)))
    course = dataclasses.replace(course, stages=(stage,))
    progress = Progress()

    def look() -> tuple[bool, bool, ExerciseStatus]:
        (result,) = check(course, [trained], progress)
        return result.is_started, result.passed, statuses(course, progress)["trained"]

    assert look() == (False, False, ExerciseStatus.NOT_STARTED)
    (course.root / STAGE / "model.bin").write_bytes(b"1")
    assert look() == (False, False, ExerciseStatus.NOT_STARTED)
    (course.root / STAGE / "log.json").write_bytes(b"{}")
    assert look() == (True, True, ExerciseStatus.DONE)
    (course.root / STAGE / "model.bin").write_bytes(b"2")
    assert statuses(course, progress)["trained"] is ExerciseStatus.CHANGED
