"""``autograder regrade``: the table, the gradebook, and a dry run that changes neither."""

import csv

from tiny_course import POINTS, RealJudges
from tiny_lab import MODULE, STAGE, replace_in

CHECK = "test_double_multiplies_by_two"


def test_points_that_change_are_shown_first_and_filed_by_the_real_run(course):
    grading = course.lab.root / "grading.yml"
    replace_in(grading, f"{CHECK}: 2", f"{CHECK}: 1")
    override = f"policies:\n  overrides: {{bob: {{{STAGE}: {{{CHECK}: {{points: 1, reason: agreed}}}}}}}}\n"
    replace_in(grading, "policies:\n", override)
    course.before_job = lambda number: 1 / 0  # nothing may be judged
    table = course.lab.root / "changes.csv"
    dry = course.run("regrade", "--dry-run", "--csv", table)
    assert dry.exit_code == 0, dry.output
    assert "3 results: 1 gain points, 2 lose points, 0 keep theirs" in dry.output
    assert "dry run: no result and no gradebook was changed" in dry.output
    assert course.points()["bob"] == 0
    assert list(csv.reader(table.open())) == [
        ["student", "stage", "before", "after", "change", "why"],
        ["ada", STAGE, "8", "7", "-1", f"{CHECK}: 2 → 1 points"],
        ["cem", STAGE, "8", "7", "-1", f"{CHECK}: 2 → 1 points"],
        ["bob", STAGE, "0", "1", "1", f"{CHECK}: override, 1 of 1: agreed"],
    ]
    assert course.run("release").exit_code == 0
    shown = course.lab.build / "nbgrader" / "autograded" / "cem" / STAGE / f"{MODULE}.ipynb"
    assert "[2/2] double: every element is doubled" in shown.read_text(encoding="utf-8")
    real = course.run("regrade", "--csv", table.with_name("real.csv"))
    assert real.exit_code == 0, real.output
    assert "gradebook: 3 filed, 0 without a number, 0 differences" in real.output
    assert table.with_name("real.csv").read_bytes() == table.read_bytes()
    assert course.points() == {"ada": 7, "bob": 1, "cem": 7}
    assert "[1/1] double: every element is doubled" in shown.read_text(encoding="utf-8")
    again = course.run("regrade", course.class_folder)
    assert "0 gain points, 0 lose points, 3 keep theirs" in again.output, "the class itself gives the same"


def change_the_test(course):
    replace_in(
        course.lab.stage(STAGE).hidden_tests / "test_tiny.py", "student.double(x), x + x", "student.double(x), x + 2"
    )


def test_a_dry_run_that_judges_again_is_equal_to_the_real_run(course):
    course.judges = RealJudges
    change_the_test(course)
    tables = [course.lab.root / name for name in ("dry.csv", "real.csv")]
    dry = course.run("regrade", course.class_folder, "--dry-run", "--workers", "1", "--csv", tables[0])
    assert (dry.exit_code, course.judged, course.points()) == (0, 3, POINTS), dry.output
    real = course.run("regrade", course.class_folder, "--workers", "1", "--csv", tables[1])
    assert (real.exit_code, course.judged) == (0, 3), real.output
    assert tables[0].read_bytes() == tables[1].read_bytes()
    reasons = f"{CHECK}: passed → failed; test_double_keeps_the_dtype: passed → unpaid"
    assert f"ada,{STAGE},8,5,-3,{reasons}" in tables[0].read_text(encoding="utf-8")
    assert course.points() == {"ada": 5, "bob": 0, "cem": 5}


def test_results_of_other_tests_are_named_and_stay_while_the_others_are_regraded(course):
    change_the_test(course)
    for arguments in ([], ["--dry-run"]):
        refused = course.run("regrade", *arguments)
        assert refused.exit_code == 2
        assert "3 of 1_tiny. Pass the class's PATHS" in " ".join(refused.output.split())
    assert course.run("grade", course.class_folder / "ada").exit_code == 0
    replace_in(course.lab.root / "grading.yml", f"{CHECK}: 2", f"{CHECK}: 1")
    assert course.run("release").exit_code == 0
    some = course.run("regrade")
    assert some.exit_code == 1, some.output
    text = " ".join(some.output.split())
    assert "1 result: 0 gain points, 1 lose points, 0 keep theirs" in text
    assert "not regraded: these results were made with other tests or versions: 2 of 1_tiny. Pass" in text
    assert course.points() == {**POINTS, "ada": 7}
