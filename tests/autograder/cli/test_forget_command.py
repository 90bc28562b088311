"""``autograder forget``: nothing of a student is left, and other students lose nothing."""

import pytest
from tiny_lab import STAGE


def traces(course, student: str) -> list[str]:
    return [path.name for path in course.lab.build.rglob("*") if student in path.name]


def test_a_student_is_forgotten_everywhere_and_others_stay(course):
    kept = traces(course, "ada")
    assert traces(course, "bob")
    entry = course.lab.build / "leaderboard" / "0123.json"
    entry.parent.mkdir()
    entry.write_text('{"value": {"student":"bob","problem":""}}', encoding="utf-8")
    listed = course.run("forget", "bob")
    assert "Pass --yes to delete them" in listed.output
    assert traces(course, "bob"), "nothing is deleted without --yes"
    deleted = course.run("forget", "bob", "--yes")
    assert deleted.exit_code == 0, deleted.output
    assert traces(course, "bob") == []
    assert course.points() == {"ada": 8, "cem": 8}
    assert traces(course, "ada") == kept
    for path in course.lab.build.rglob("*.json"):
        assert b"bob" not in path.read_bytes()
    assert b"bob" not in course.lab.gradebook.read_bytes()
    assert "nothing is stored" in course.run("forget", "bob", "--yes").output
    again = course.grade()
    assert again.exit_code == 0
    assert course.judged == 1


@pytest.mark.parametrize(
    "arguments", [("*",), ("..",), ("../results-0123456789ab",), ("--stage", "*"), ("a", "--stage", "..")]
)
def test_a_pattern_or_a_path_deletes_nothing(course, arguments):
    before = sorted(course.lab.build.rglob("*")), course.points()
    course.run("forget", *arguments, "--yes")
    assert (sorted(course.lab.build.rglob("*")), course.points()) == before


def test_a_stage_is_forgotten_for_every_student(course):
    assert course.run("forget").exit_code == 2
    assert course.run("forget", "--stage", STAGE, "--yes").exit_code == 0
    assert course.points() == {}
    assert traces(course, "ada") == []
    assert "no submission has been graded yet" in course.run("report").output
