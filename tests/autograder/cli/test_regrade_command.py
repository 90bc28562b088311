"""``autograder regrade``: the table, the gradebook, and a dry run that changes neither."""

import csv

from tiny_lab import STAGE, replace_in

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
    real = course.run("regrade", course.class_folder)
    assert real.exit_code == 0, real.output
    assert [line for line in real.output.splitlines() if "│" in line] == [
        line for line in dry.output.splitlines() if "│" in line
    ]
    assert course.points() == {"ada": 7, "bob": 1, "cem": 7}


def test_a_real_run_needs_the_class_and_so_does_a_change_of_the_tests(course):
    assert course.run("regrade").exit_code == 2
    replace_in(course.lab.stage(STAGE).hidden_tests / "test_tiny.py", "x + x", "2 * x")
    refused = course.run("regrade", "--dry-run")
    assert refused.exit_code == 2
    assert "3 of 1_tiny. Pass the class's PATHS" in " ".join(refused.output.split())
