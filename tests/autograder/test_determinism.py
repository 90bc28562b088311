"""``tools.determinism`` grades a class in several ways and finds a point that differs."""

import sys

import pytest
from click.testing import CliRunner

from tools import determinism


@pytest.mark.slow
def test_the_tiny_class_has_the_same_points_in_any_order(tiny_lab):
    result = CliRunner().invoke(determinism.main, ["--lab", str(tiny_lab.root), "--write", "--python", sys.executable])
    assert result.exit_code == 0, result.output
    text = (tiny_lab.root / "docs" / "determinism.md").read_text(encoding="utf-8")
    assert text.count("| identical |") == 4


def test_a_difference_is_named():
    key, passed = ("ada", "1_tiny", "test_a"), ("PASSED", 2, None, ())
    assert determinism.differences({key: passed}, {key: passed}) == []
    assert determinism.differences({key: passed}, {key: ("FAILED", 0, None, ())}) == [
        "ada/1_tiny/test_a: ('PASSED', 2, None, ()) and ('FAILED', 0, None, ())"
    ]
    assert len(determinism.differences({key: passed}, {})) == 1
