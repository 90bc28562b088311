"""``dropped: true`` of an exercise: one line takes it out of the release, the points and all outputs."""

import json

import pytest
from msgspec.structs import replace
from nbgrader.api import Gradebook
from tiny_course import POINTS, Course
from tiny_lab import MODULE, STAGE, replace_in

from autograder.authoring.exercise_faults import exercise_faults
from autograder.base.results import Outcome, StageReport
from autograder.course.config import ConfigError
from autograder.course.lab import Lab
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.final_grade import with_rules
from autograder.pipeline.grade import code_passed
from autograder.pipeline.untouched import ReleasedStage
from autograder.release import released_stub

TOTAL = "      total:\n"
DROPPED = f"{TOTAL}        dropped: true\n"


def drop(lab: Lab) -> Lab:
    """Drop ``total``: 4 of 7 points."""
    replace_in(lab.root / "grading.yml", TOTAL, DROPPED)
    return Lab(lab.root)


def regrade(course: Course) -> str:
    """Release and regrade, without the hand-ins and without a judge; the table."""
    course.before_job = lambda number: 1 / 0
    for command in ("release", "regrade"):
        done = course.run(command)
        assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def cells(course: Course) -> set[str]:
    with Gradebook(f"sqlite:///{course.lab.gradebook}") as gradebook:
        return {cell.name for cell in gradebook.find_notebook(MODULE, STAGE).grade_cells}


def test_one_line_drops_an_exercise_after_grading_and_one_line_brings_it_back(course):
    lab = drop(course.lab)
    assert exercise_faults(lab, lab.stages()) == [], "no other file must change"
    assert "2 lose points" in regrade(course)
    assert course.points() == {"ada": 4, "bob": 0, "cem": 4}
    assert cells(course) == {"check_double", "check_halve", "why_axes"}
    assert "/ 3" in course.run("report").output
    file = course.lab.root / "checks.csv"
    assert course.run("export", "checks", file).exit_code == 0
    assert "test_total" not in file.read_text(encoding="utf-8")
    again = course.run("regrade", course.class_folder)
    assert "0 gain points, 0 lose points, 3 keep theirs" in " ".join(again.output.split()), again.output

    replace_in(course.lab.root / "grading.yml", DROPPED, TOTAL)
    assert "2 gain points" in regrade(course)
    assert course.points() == POINTS
    assert "check_total" in cells(course)


def test_students_receive_the_exercise_solved_and_without_a_task(course):
    drop(course.lab)
    assert course.run("release").exit_code == 0
    folder = course.lab.stage(STAGE).assignment
    stub = (folder / f"{MODULE}.py").read_text(encoding="utf-8")
    assert "return torch.sum(x, dim=axis)" in stub
    assert 'raise NotImplementedError("double")' in stub
    sheet = (folder / f"{MODULE}.ipynb").read_text(encoding="utf-8")
    assert "%check total" not in sheet
    assert "`total` is not part of your course. `tiny.py` already contains it." in sheet
    companion = json.loads((course.lab.root / "assignments" / "lab" / "course.json").read_bytes())
    assert [exercise["name"] for exercise in companion["stages"][0]["exercises"]] == ["double", "halve"]
    assert companion["stages"][0]["stub"] == stub


def test_a_stub_is_not_begun_whether_or_not_it_was_released_before_the_drop(tiny_lab):
    earlier = released_stub(tiny_lab.stage(STAGE))
    stage = drop(tiny_lab).stage(STAGE)
    stub, solved = ReleasedStage(stage), released_stub(stage)
    assert earlier != solved
    assert [stub.is_stub(source) for source in (earlier, solved)] == [True, True]
    assert not stub.is_stub(solved.replace('raise NotImplementedError("double")', "return x + x"))
    assert not stub.is_stub(solved.replace("torch.sum(x, dim=axis)", "x.sum(axis)"))


def test_what_a_dropped_exercise_failed_keeps_later_stages_on_the_courses_module(tiny_lab):
    lab = drop(tiny_lab)
    stage = lab.stage(STAGE)
    outcomes = {name: Outcome.FAILED if name == "total" else Outcome.PASSED for name in stage.spec.exercises}
    checks = [replace(check, outcome=outcomes[check.exercise]) for check in unrun_stage(stage, "", "", Outcome.PASSED)]
    report = with_rules(StageReport(student="ada", stage=STAGE, checks=tuple(checks), isolation=None), lab.config, 0)
    assert (report.points, report.score, report.bonus) == (3, 3, 1)
    assert [check.exercise for check in report.dropped] == ["total", "total"]
    assert not code_passed(stage, report)


def test_points_by_hand_in_a_dropped_exercise_are_not_lost_in_silence(course):
    with Gradebook(f"sqlite:///{course.lab.gradebook}") as gradebook:
        gradebook.find_grade("check_total", MODULE, STAGE, "ada").manual_score = 2
        gradebook.db.commit()
    drop(course.lab)
    refused = course.run("release")
    assert refused.exit_code == 2
    assert "points by hand were given in cells of dropped exercises: check_total" in " ".join(refused.output.split())
    assert cells(course) >= {"check_total"}


def test_a_stage_keeps_an_exercise(tiny_lab):
    grading = tiny_lab.root / "grading.yml"
    text = grading.read_text(encoding="utf-8")
    for name in ("double", "total", "halve"):
        text = text.replace(f"      {name}:\n", f"      {name}:\n        dropped: true\n")
    grading.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="every exercise is dropped"):
        _ = Lab(tiny_lab.root).config
