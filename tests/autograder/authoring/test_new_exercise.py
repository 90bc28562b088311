"""`new-exercise` adds an exercise that `verify` accepts, to every file that must list it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline import InProcessJudges
from tiny_lab import MODULE, STAGE, replace_in

from autograder.authoring.exercise_faults import exercise_faults
from autograder.authoring.scaffold.exercise import new_exercise
from autograder.authoring.update_lock import update_check_kinds, update_lock
from autograder.authoring.verify import Variant, verify_stage
from autograder.course.lab import Lab, LabError
from autograder.release import release

ROOT = Path(__file__).parents[3]
SOLUTIONS = f"solutions/{STAGE}"
HIDDEN = f"tests/hidden/{STAGE}/test_square.py"

# What an author replaces in ten minutes, so that the new exercise is a square: file → old, new.
SQUARE = {
    f"{SOLUTIONS}/{MODULE}.py": [
        ("return x + x", "return x * x"),
        ("Return twice the input.", "Return the square of the input."),
        ("2·`x`, with", "x² of `x`, with"),
    ],
    f"{SOLUTIONS}/exercises.yml": [
        ("square:\n  title: Twice the input", "square:\n  title: The square of the input"),
    ],
    f"{SOLUTIONS}/test_{MODULE}.py": [
        ("result.tolist() == [2.0, 6.0], \"each element should be twice as large\"", "result.tolist() == [1.0, 9.0]"),
    ],
    f"{SOLUTIONS}/mistakes.py": [
        ("square_adds_two", "square_doubles"),
        ("2 is added to each element\",\n            \"return x + x\",\n            \"return 2 + x",
         "each element is doubled\",\n            \"return x * x\",\n            \"return x + x"),
        ("return x + x\",\n            \"return x.double() +", "return x * x\",\n            \"return x.double() *"),
    ],
    f"{SOLUTIONS}/promises.yml": [
        ("Return twice the input.", "Return the square of the input."),
        ("2·`x`, with", "x² of `x`, with"),
        ("square_adds_two", "square_doubles"),
    ],
    f"{SOLUTIONS}/alternatives/loop.py": [("def square(x):\n    return 2 * x", "def square(x):\n    return x**2")],
    f"{SOLUTIONS}/alternatives/pytorch.py": [("(x):\n    return 2 * x", "(x):\n    return x.square()")],
    HIDDEN: [("student.square(x), x + x", "student.square(x), x**2"), ("is doubled", "is squared")],
}  # fmt: skip


def problems(lab: Lab, chosen: Callable[[Variant], bool] = lambda variant: True) -> list[str]:
    """What `verify` says of the tiny stage."""
    lab = Lab(lab.root)
    stage, judges = lab.stage(STAGE), InProcessJudges(lab)
    judged = verify_stage(lab, stage, judges, seeds=[0], workers=1, chosen=chosen)
    return [*exercise_faults(lab, [stage]), *judged]


def test_a_new_exercise_is_accepted_as_it_is(tiny_lab):
    new_exercise(tiny_lab, STAGE, "square")
    assert problems(tiny_lab, lambda variant: variant.kind == "reference" or "square" in variant.name) == []
    assert f"{STAGE}/{MODULE}.ipynb" in release(Lab(tiny_lab.root)).written


@pytest.mark.slow
def test_an_author_adds_an_exercise_in_ten_minutes(tiny_lab):
    """The steps of "Add an exercise in ten minutes" in CONTRIBUTING.md."""
    written = new_exercise(tiny_lab, STAGE, "square")
    for file, replacements in SQUARE.items():
        assert tiny_lab.root / file in written
        for old, new in replacements:
            replace_in(tiny_lab.root / file, old, new)
    lab = Lab(tiny_lab.root)
    for update in (update_lock, update_check_kinds):
        assert update(lab, lab.stage(STAGE), InProcessJudges(lab), seeds=[0], workers=1).problems == ()
    assert problems(lab) == []
    assert {f"{STAGE}/{MODULE}.py", f"{STAGE}/{MODULE}.ipynb"} <= set(release(lab).written)


def test_every_stage_of_the_lab_takes_a_new_exercise(tmp_path):
    for folder in ("solutions", "tests/hidden"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    before = (ROOT / "grading.yml").read_text(encoding="utf-8")
    (tmp_path / "grading.yml").write_text(before, encoding="utf-8")
    stages = Lab(tmp_path).stages()
    for number, stage in enumerate(stages):
        new_exercise(Lab(tmp_path), stage.id, f"added_{number}")
    lab = Lab(tmp_path)
    assert exercise_faults(lab, lab.stages()) == []
    after = (tmp_path / "grading.yml").read_text(encoding="utf-8")
    added = re.sub(r" {6}added_\d+:\n {8}checks:\n(?: {10}test_added_\w+: 1\n){2}", "", after)
    assert (added, len(after) > len(before)) == (before, True)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("two words", "is not the name of a function"), ("class", "is not the name"), ("total", "already has `total`")],
)
def test_an_invalid_name_changes_no_file(tiny_lab, name, complaint):
    with pytest.raises(LabError, match=complaint):
        new_exercise(tiny_lab, STAGE, name)
    assert exercise_faults(tiny_lab, tiny_lab.stages()) == []


def test_a_second_new_exercise_waits_until_the_first_is_written(tiny_lab):
    new_exercise(tiny_lab, STAGE, "square")
    with pytest.raises(LabError, match="replace that first"):
        new_exercise(Lab(tiny_lab.root), STAGE, "cube")
    assert not (tiny_lab.root / HIDDEN.replace("square", "cube")).exists()


def test_a_file_that_cannot_take_it_leaves_all_files_alone(tiny_lab):
    replace_in(tiny_lab.stage(STAGE).mistakes, "),\n}\n", ")}\n")
    with pytest.raises(LabError, match="must end with a comma and a brace"):
        new_exercise(tiny_lab, STAGE, "square")
    assert exercise_faults(tiny_lab, tiny_lab.stages()) == []
