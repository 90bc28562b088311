"""Adding or dropping an exercise: every file that disagrees with `grading.yml` is listed at once."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pipeline import build_two_stages
from tiny_lab import MODULE, STAGE, replace_in

from autograder.authoring.exercise_faults import exercise_faults
from autograder.cli import main
from autograder.course.lab import Lab

FOLDER = f"solutions/{STAGE}"
HIDDEN = f"tests/hidden/{STAGE}"
HALVE = "      halve:\n        bonus: true\n        checks:\n          test_halve_divides_by_two: 1\n"
QUARTER = HALVE.replace("halve", "quarter").replace("two", "four").replace("test_halve", "test_quarter")


def faults(lab: Lab, **options: bool) -> list[str]:
    lab = Lab(lab.root)  # reads the files again
    return exercise_faults(lab, lab.stages(), **options)


def places(lines: list[str]) -> list[str]:
    """The file at the beginning of each line."""
    return [line.partition(": ")[0].partition(":")[0] for line in lines]


def test_a_complete_lab_has_no_fault(tiny_lab):
    assert faults(tiny_lab) == []


def test_a_dropped_exercise_is_found_in_every_file_at_once(tiny_lab):
    replace_in(tiny_lab.root / "grading.yml", HALVE, "")
    found = faults(tiny_lab)
    assert places(found) == [
        f"{FOLDER}/{MODULE}.py",
        f"{FOLDER}/exercises.yml",
        f"{HIDDEN}/test_{MODULE}.py",
        f"{FOLDER}/promises.yml",
        f"{FOLDER}/mistakes.py",
        f"{FOLDER}/lab.md",
        f"{FOLDER}/test_{MODULE}.py",
        f"{FOLDER}/mistakes.lock.json",
        f"{FOLDER}/checks.lock.json",
    ]
    assert all("halve" in line for line in found)


def test_an_added_exercise_is_missed_in_every_file_at_once(tiny_lab):
    replace_in(tiny_lab.root / "grading.yml", HALVE, HALVE + QUARTER)
    found = faults(tiny_lab)
    assert places(found) == [
        f"{FOLDER}/{MODULE}.py",
        f"{FOLDER}/exercises.yml",
        HIDDEN,
        f"{FOLDER}/promises.yml",
        f"{FOLDER}/mistakes.py",
        f"{FOLDER}/alternatives/loop.py",
        f"{FOLDER}/alternatives/pytorch.py",
        f"{FOLDER}/lab.md",
        f"{FOLDER}/checks.lock.json",
    ]
    assert all("quarter" in line for line in found)


def test_what_an_update_writes_is_not_a_fault_before_it(tiny_lab):
    tiny_lab.stage(STAGE).checks_lock.write_text('{"format_version": 1, "checks": {}}')
    assert len(faults(tiny_lab)) == 5
    assert faults(tiny_lab, locks=False) == []


@pytest.mark.parametrize("use", ["from tiny import treble", "import tiny\n\n\ndef six(x):\n    return tiny.treble(x)"])
def test_a_name_that_a_later_stage_takes_is_missed(tmp_path, use):
    lab = build_two_stages(tmp_path / "lab")
    later = lab.stages()[1]
    later.reference.write_text(f"{later.reference_source()}\n{use}\n", encoding="utf-8")
    found = exercise_faults(lab, [lab.stage(STAGE)])
    assert len(found) == 1
    assert "solutions/2_more/more.py:" in found[0]
    assert "takes `treble` from tiny" in found[0]


def broken_yaml(lab: Lab) -> None:
    lab.stage(STAGE).promises.write_text("exercises: [", encoding="utf-8")


def broken_python(lab: Lab) -> None:
    lab.stage(STAGE).alternatives[0].write_text("def double(:\n", encoding="utf-8")


def missing_sheet(lab: Lab) -> None:
    lab.stage(STAGE).sheet.unlink()


@pytest.mark.parametrize(
    ("damage", "file"),
    [(broken_yaml, "promises.yml"), (broken_python, "alternatives/loop.py"), (missing_sheet, "lab.md")],
)
def test_a_file_that_cannot_be_read_is_a_fault_and_hides_no_other(tiny_lab, damage, file):
    replace_in(tiny_lab.root / "grading.yml", HALVE, "")
    damage(tiny_lab)
    found = faults(tiny_lab)
    assert any(line.startswith(f"{FOLDER}/{file}") for line in found)
    assert len(set(places(found)) - {f"{FOLDER}/{file}"}) >= 6


@pytest.fixture
def in_the_lab(tiny_lab, monkeypatch) -> Path:
    monkeypatch.chdir(tiny_lab.root)
    return tiny_lab.root


def test_verify_prints_the_list_and_judges_nothing(in_the_lab):
    replace_in(in_the_lab / "grading.yml", HALVE, "")
    done = CliRunner().invoke(main, ["verify"])
    assert done.exit_code == 1
    assert "9 faults, nothing was judged" in done.output
    assert done.output.count("halve") >= 9


def test_grade_judges_nothing_without_a_hidden_test(in_the_lab):
    student = in_the_lab / "class" / "ann" / STAGE / f"{MODULE}.py"
    student.parent.mkdir(parents=True)
    student.write_text("def double(x):\n    return x + x\n", encoding="utf-8")
    replace_in(in_the_lab / "grading.yml", "          test_halve_divides_by_two: 1\n", "          test_halve: 1\n")
    done = CliRunner().invoke(main, ["grade", "class", "--no-gradebook"])
    assert done.exit_code == 2
    assert f"{HIDDEN}: no hidden test `test_halve`, which grading.yml lists under halve" in done.output
