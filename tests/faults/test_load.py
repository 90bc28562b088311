"""A small class with pathological hand-ins, graded by the load benchmark: honest points are untouched."""

import pytest
from tiny_lab import STAGE, build_tiny_lab

from autograder.release import release
from benchmarks.load import MOST_GROWTH, Measured, measure, page
from benchmarks.load_class import PATHOLOGICAL, LargeClass, write_large_class


def test_the_class_has_the_share_of_pathological_students_and_all_others_as_designed(tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    large = write_large_class(lab.stages(), tmp_path / "class", students=20, share=0.1)
    assert large.submissions == 20
    assert list(large.pathological.values()) == list(PATHOLOGICAL)[:2]
    assert {student for student, _ in large.expected} | set(large.pathological) == {
        path.name for path in (tmp_path / "class").iterdir()
    }
    assert large.expected["student000", STAGE] == frozenset()
    assert any(lost for lost in large.expected.values())


def test_a_lost_point_a_failure_and_a_growing_command_are_problems():
    large = LargeClass(submissions=10, expected={("ann", STAGE): frozenset()}, pathological={})
    measured = Measured(large, seconds=100.0, done=[10.0 * number for number in range(1, 11)])
    measured.memory["command"] = [(float(second), 100.0 + second * MOST_GROWTH) for second in range(100)]
    measured.exit_code = 3
    assert [line.partition(":")[0] for line in measured.problems()] == [
        f"ann {STAGE}",
        "the command ended with code 3",
        "the command grew from 158 to 248 MB",
    ]
    assert measured.rates() == [10.0] * 5
    measured.done[-1] += 40
    assert "the last submissions took 30.00 s each" in measured.problems()[-1]


@pytest.mark.slow
def test_a_small_class_with_every_pathological_hand_in_is_graded_as_designed(tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    release(lab)
    students = 2 * len(PATHOLOGICAL)
    measured = measure(lab, tmp_path, students, share=0.5, workers=2)
    assert set(measured.large.pathological.values()) == set(PATHOLOGICAL)
    assert measured.wrong() == []
    assert measured.exit_code == 0
    assert f"honest results as designed: {students // 2} of {students // 2}" in page(measured, workers=2)
