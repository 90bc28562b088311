"""Each check has the location of its hidden test; a file that cannot be parsed hides no other file."""

import ast
from pathlib import Path

from tiny_lab import HIDDEN_TESTS, STAGE

from autograder.course.check_locations import check_functions, check_locations
from autograder.course.lab import Lab

FILE = f"tests/hidden/{STAGE}/test_tiny.py"


def test_every_check_of_the_lab_has_the_line_of_its_function(tiny_lab):
    lines = HIDDEN_TESTS.splitlines()
    expected = {
        (STAGE, check): f"{FILE}:{next(n for n, line in enumerate(lines, 1) if line.startswith(f'def {check}('))}"
        for check in tiny_lab.stage(STAGE).spec.check_ids
    }
    assert check_locations(tiny_lab) == expected


def test_the_real_lab_has_a_location_for_each_check():
    lab = Lab.find(Path(__file__).parent)
    listed = {(stage.id, check) for stage in lab.stages() for check in stage.spec.check_ids}
    assert listed == check_locations(lab).keys()


def test_a_file_that_cannot_be_parsed_hides_no_other(tiny_lab):
    folder = tiny_lab.stage(STAGE).hidden_tests
    expected = check_locations(tiny_lab)
    (folder / "test_broken.py").write_text("def test_broken(:\n", encoding="utf-8")
    (folder / "test_null.py").write_bytes(b"\0")
    assert check_locations(tiny_lab) == expected


def test_helpers_classes_nested_and_async_functions_are_not_checks():
    source = (
        "def helper(): pass\nclass Test_a: pass\ndef test_a():\n    def test_inner(): pass\nasync def test_b(): pass\n"
    )
    assert [function.name for function in check_functions(ast.parse(source))] == ["test_a"]
