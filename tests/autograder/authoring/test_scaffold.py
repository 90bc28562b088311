"""A new stage is complete at once and never overwrites a file."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from tiny_lab import STAGE

from autograder.authoring.scaffold import new_stage
from autograder.authoring.verify import WRONG_VALUES, variants
from autograder.course.lab import Lab, LabError
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.run import judge_stage
from autograder.release import release

CONTRIBUTING = Path(__file__).parents[3] / "CONTRIBUTING.md"


def contents(root: Path) -> dict[str, str]:
    """Every file below a folder: path → text."""
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def paths_of_a_new_stage() -> list[str]:
    """The paths and patterns that the section "Add a stage" names, for the stage N_stage and its module MODULE."""
    section = re.search(r"^## Add a stage$(.*?)^## ", CONTRIBUTING.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert section
    return re.findall(r"`([\w./*]+\.\w+)`", section[1])


def test_every_solution_of_a_new_stage_is_judged_as_expected(tiny_lab):
    new_stage(tiny_lab, "2_twice", "twice")
    lab = Lab(tiny_lab.root)
    stage = lab.stage("2_twice")
    code = read_course_code(lab, stage)
    kinds = set()
    for variant in variants(lab, stage, code):
        results = judge_stage(stage, variant.modules, InProcessSession, code, seed=0)
        if variant.kind == WRONG_VALUES:
            assert not any(result.score for result in results), variant.name
        else:
            assert {result.id for result in results if not result.holds} == variant.fails, variant.name
        kinds.add(variant.kind)
    assert kinds == {"reference", "stub", "alternative", "mistake", WRONG_VALUES}


def test_a_new_stage_is_released(tiny_lab):
    new_stage(tiny_lab, "2_twice", "twice")
    written = release(Lab(tiny_lab.root)).written
    assert {"2_twice/twice.py", "2_twice/twice.ipynb", "2_twice/test_twice.py"} <= set(written)


def test_a_new_stage_touches_what_the_page_lists_and_nothing_else(tiny_lab):
    before = contents(tiny_lab.root)
    written = new_stage(tiny_lab, "2_twice", "twice")
    after = contents(tiny_lab.root)
    changed = {path for path, text in after.items() if before.get(path) != text}
    assert before.keys() <= after.keys()
    assert changed == {path.relative_to(tiny_lab.root).as_posix() for path in written}
    assert changed & before.keys() == {"grading.yml"}
    assert after["grading.yml"].startswith(before["grading.yml"].rstrip("\n"))
    listed = paths_of_a_new_stage()
    for path in changed:
        general = path.replace("2_twice", "N_stage").replace("twice", "MODULE")
        assert any(fnmatch(general, pattern) for pattern in listed), f'"Add a stage" does not name {general}'


def test_the_page_names_what_an_author_adds_by_hand():
    by_hand = {"tests/references/test_MODULE.py", "docs/validity_reasons.yml", "CHANGELOG.md"}
    assert by_hand <= set(paths_of_a_new_stage())


@pytest.mark.parametrize(
    ("stage_id", "module", "complaint"),
    [
        ("twice", "twice", "is not a stage id"),
        ("../2_twice", "twice", "is not a stage id"),
        ("2_twice", "two words", "is not a module name"),
        (STAGE, "twice", "already has a stage"),
    ],
)
def test_an_invalid_name_changes_no_file(tiny_lab, stage_id, module, complaint):
    before = (tiny_lab.root / "grading.yml").read_bytes()
    with pytest.raises(LabError, match=complaint):
        new_stage(tiny_lab, stage_id, module)
    assert (tiny_lab.root / "grading.yml").read_bytes() == before
    assert not (tiny_lab.root / "solutions" / "2_twice").exists()


def test_existing_files_stay(tiny_lab):
    existing = tiny_lab.root / "tests" / "hidden" / "2_twice" / "test_twice.py"
    existing.parent.mkdir()
    existing.write_text("mine", encoding="utf-8")
    with pytest.raises(LabError, match="already exists"):
        new_stage(tiny_lab, "2_twice", "twice")
    assert existing.read_text(encoding="utf-8") == "mine"
    assert not (tiny_lab.root / "solutions" / "2_twice").exists()
