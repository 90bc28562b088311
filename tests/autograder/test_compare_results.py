"""``tools.compare_results`` finds what a change of the grader did to stored results."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.compare_results import main


def store(folder: Path, **change) -> Path:
    check = {"id": "test_a", "exercise": "a", "outcome": "PASSED", "points": 2, "bonus": False, "mistake": None}
    report = {"stand_ins": [], "checks": [check | change, check | {"id": "test_b", "title": str(folder)}]}
    path = folder / "1_kernels" / "ada.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"report": report}), encoding="utf-8")
    return folder


def compared(*arguments) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output.splitlines()


def test_titles_may_differ(tmp_path):
    code, lines = compared(store(tmp_path / "before"), store(tmp_path / "after"))
    assert (code, lines) == (0, ["1 and 1 reports, 4 and 4 points in all, 0 differences"])


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"outcome": "FAILED"}, ["score: 4 before, 2 after", "test_a: outcome 'PASSED' before, 'FAILED' after"]),
        (
            {"points": 3},
            ["score: 4 before, 5 after", "max_score: 4 before, 5 after", "test_a: points 2 before, 3 after"],
        ),
        ({"mistake": "m"}, ["test_a: mistake None before, 'm' after"]),
        ({"id": "test_c"}, ["test_a: only before", "test_c: only after"]),
    ],
)
def test_each_difference_is_printed(tmp_path, change, lines):
    code, found = compared(store(tmp_path / "before"), store(tmp_path / "after", **change))
    assert code == 1
    assert found[:-1] == [f"ada 1_kernels: {line}" for line in lines]


def test_a_report_on_one_side_is_printed(tmp_path):
    (tmp_path / "after").mkdir()
    code, lines = compared(store(tmp_path / "before"), tmp_path / "after")
    assert (code, lines[0]) == (1, "ada 1_kernels: only before")


def test_a_check_that_was_split_can_be_left_out(tmp_path):
    before, after = store(tmp_path / "before"), store(tmp_path / "after", id="test_c")
    assert compared(before, after, "--ignore", "test_a", "--ignore", "test_c")[0] == 0
