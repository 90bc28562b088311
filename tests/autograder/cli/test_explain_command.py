"""``autograder explain``: the student's filed hand-in, run again."""

from tiny_lab import MODULE, STAGE, replace_in, solution

CHECK = "test_double_multiplies_by_two"


def test_a_filed_hand_in_is_explained_and_reproduced(course):
    wrong = "# wrong\n" + solution(double="return x + 2")
    (course.class_folder / "bob" / STAGE / f"{MODULE}.py").write_text(wrong, encoding="utf-8")
    assert course.grade().exit_code == 0
    explained = course.run("explain", "bob", CHECK, "--unsafe-no-isolation")
    assert explained.exit_code == 0, explained.output
    text = " ".join(explained.output.split())
    for part in (
        "graded failed, 0 of 2 points",
        "now failed: the result has the right shape but wrong values",
        "nearest double_adds_two: 2 is added to each element (exactly this output)",
        f"test tests/hidden/{STAGE}/test_tiny.py:",
        "input seed = 0",
    ):
        assert part in text
    folder = course.lab.build / "explain" / "bob" / CHECK
    assert (folder / f"{MODULE}.py").read_text(encoding="utf-8") == wrong
    assert "tiny.double(" in (folder / "reproduce.py").read_text(encoding="utf-8")


def test_what_cannot_be_explained_is_said_in_a_sentence(course):
    assert f"did you mean `{CHECK}`?" in course.run("explain", "bob", CHECK[:-1]).output.replace("\n", " ").replace(
        '"', "`"
    )
    assert "no hand-in of eve is filed" in course.run("explain", "eve", CHECK).output
    (course.class_folder / "bob" / STAGE / f"{MODULE}.py").write_text(solution(), encoding="utf-8")
    other = course.run("explain", "bob", CHECK, "--from", course.class_folder)
    assert "differs from the graded one" in " ".join(other.output.split())


def test_a_check_of_a_file_that_is_not_filed_says_what_to_give(course):
    grading = course.lab.root / "grading.yml"
    replace_in(grading, "    data: [pairs]\n", "    data: [pairs]\n    attachments: {scale.txt: 1}\n")
    replace_in(grading, "      halve:\n", "      halve:\n        attachments: [scale.txt]\n")
    refused = course.run("explain", "ada", "test_halve_divides_by_two")
    assert refused.exit_code == 2
    assert "reads scale.txt, and attachments are not filed; pass the class" in " ".join(refused.output.split())
