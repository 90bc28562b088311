"""``autograder commitment`` and ``replay``: what was published cannot be changed unseen."""

import hmac
import json

from tiny_lab import STAGE, replace_in


def test_a_change_of_tests_points_or_secret_after_the_publication_is_named(course, tmp_path):
    file = tmp_path / "commitments.json"
    assert course.run("commitment", file).exit_code == 0
    published = file.read_text(encoding="utf-8")
    assert json.loads(published)["stages"][STAGE]["opened"] is None
    same = course.run("replay", file, course.class_folder)
    assert (same.exit_code, f"{STAGE}: unchanged" in same.output) == (0, True), same.output
    assert "3 of 3 results equal the stored results" in same.output
    tests = course.lab.stage(STAGE).hidden_tests / "test_tiny.py"
    replace_in(tests, "check_close(student.double(x), x + x)", "check_close(student.double(x), 2 * x)")
    replace_in(course.lab.root / "grading.yml", "test_double_keeps_the_dtype: 1", "test_double_keeps_the_dtype: 2")
    other = course.run("replay", file)
    assert other.exit_code == 1
    assert f"{STAGE}: changed: checks, points and targets, tests/hidden/{STAGE}/test_tiny.py" in other.output
    refused = course.run("commitment", file)
    assert refused.exit_code == 3
    assert file.read_text(encoding="utf-8") == published, "a commitment is never replaced"
    secret = course.lab.root / ".course_secret"
    secret.write_text("0" * 64, encoding="utf-8")
    assert "seed of the examples" in course.run("replay", file).output


def test_students_verify_the_seed_once_it_is_revealed_after_the_due_date(course, tmp_path):
    file = tmp_path / "commitments.json"
    course.run("commitment", file)
    grading = course.lab.root / "grading.yml"
    replace_in(grading, "due: 2026", "due: 2926")
    early = course.run("commitment", file, "--reveal")
    assert (early.exit_code, "not due yet" in early.output) == (2, True)
    replace_in(grading, "due: 2926", "due: 2026")
    before = json.loads(file.read_text(encoding="utf-8"))["stages"][STAGE]["digests"]
    assert course.run("commitment", file, "--reveal").exit_code == 0
    stage = json.loads(file.read_text(encoding="utf-8"))["stages"][STAGE]
    assert stage["digests"] == before
    key, name = bytes.fromhex(stage["opened"]["key"]), "seed of the examples"
    message = f"{name}\0{stage['opened']['seed']}".encode()
    assert hmac.digest(key, message, "sha256").hex() == stage["digests"][name]
    (course.lab.root / ".course_secret").write_text("0" * 64, encoding="utf-8")
    assert f"{STAGE}: changed: the course's secret" in course.run("replay", file).output
