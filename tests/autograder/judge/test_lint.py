"""The lint: each rule has a violation that it reports and a correct use that it accepts."""

import pytest
from judging import write_checks
from tiny_lab import STAGE, replace_in

from autograder.judge.lint import lint_hidden_tests

CHECK = '''\
def test_made(student):
    """double: a title.

    Hint: a hint.
    """
'''
NEGATIVE = "total: a negative axis is counted from the end"
ASSERTS = "    check_equal(1, 1)\n"


def problems(lab, body: str = "", before: str = "", check: str = CHECK) -> list[str]:
    write_checks(lab, f"{before}\n\n\n{check}{body}{ASSERTS}", "test_made")
    return list(lint_hidden_tests(lab.stage(STAGE)))


def only_problem(lab, body: str, before: str = "") -> str:
    found = problems(lab, body, before)
    made = [problem for problem in found if "test_made.py" in problem]
    assert len(made) == 1, found
    return made[0].split(": ", 1)[1]


def of_made(lab, body: str = "", before: str = "") -> list[str]:
    return [problem for problem in problems(lab, body, before) if "test_made" in problem]


def test_the_tiny_lab_has_no_problem(tiny_lab):
    assert list(lint_hidden_tests(tiny_lab.stage(STAGE))) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("    assert student.double(1) == 2\n", "a bare assert"),
        ("    torch.allclose(a, b)\n", "`allclose(…)` compares by hand"),
        ("    torch.isclose(a, b)\n", "`isclose(…)` compares by hand"),
        ("    (a == b).all()\n", "`all(…)` compares by hand"),
        ("    all(x for x in a)\n", "`all(…)` compares by hand"),
        ("    any(x for x in a)\n", "`any(…)` compares by hand"),
        ("    a.any()\n", "`any(…)` compares by hand"),
        ("    torch.equal(a, b)\n", "`equal(…)` compares by hand"),
        ("    a.equal(b)\n", "`equal(…)` compares by hand"),
        ("    np.array_equal(a, b)\n", "`array_equal(…)` compares by hand"),
        ("    np.testing.assert_allclose(a, b)\n", "`assert_allclose(…)` compares by hand"),
        ("    torch.testing.assert_close(a, b)\n", "`assert_close(…)` compares by hand"),
        ("    self.assertEqual(a, b)\n", "`assertEqual(…)` compares by hand"),
        ("    import numpy.testing\n", "`numpy.testing` has its own comparisons"),
        ("    import torch.testing as tt\n", "`torch.testing` has its own comparisons"),
        ("    from torch.testing import make_tensor\n", "`torch.testing` has its own comparisons"),
        ("    from numpy import testing\n", "`numpy.testing` has its own comparisons"),
        ("    from unittest import mock\n", "`unittest` has its own comparisons"),
        ("    pytest.skip('later')\n", "`pytest.skip` is not allowed"),
        ("    pytest.fail('x')\n", "`pytest.fail` is not allowed"),
        ("    pytest.xfail('x')\n", "`pytest.xfail` is not allowed"),
        ("    pytest.importorskip('x')\n", "`pytest.importorskip` is not allowed"),
        ("    with pytest.raises(ValueError):\n        pass\n", "`pytest.raises` is not allowed"),
        ("    try:\n        pass\n    finally:\n        pass\n", "`try` can hide"),
        ("    student.double(1)\n    assume(True)\n", "`assume(…)` after a call of the student's code"),
        ("    assume(student.double(1))\n", "`assume(…)` after a call of the student's code"),
        ("    check_that(bool(a == b), 'x')\n", "`==` in check_that"),
        ("    check_that(a != 3, 'x')\n", "`==` in check_that"),
        ("    check_that(not (a > b), 'x')\n", "`not` in check_that"),
    ],
)
def test_a_violation_in_a_check_is_found(tiny_lab, body, problem):
    assert only_problem(tiny_lab, body).startswith(problem)


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ("@pytest.mark.skip\ndef made():\n    pass", "`pytest.mark.skip` is not allowed"),
        ("@pytest.mark.xfail(strict=True)\ndef made():\n    pass", "`pytest.mark.xfail` is not allowed"),
        ("pytestmark = pytest.mark.skipif(True)", "`pytest.mark.skipif` is not allowed"),
        ("from pytest import skip", "import pytest itself"),
        ("class TestMade:\n    pass", "`TestMade`: a hidden test must be a plain function"),
        ("def test_made(student):\n    check_equal(1, 2)", "`test_made` is defined 2 times"),
    ],
)
def test_a_violation_around_a_check_is_found(tiny_lab, before, problem):
    found = [text.split(": ", 1)[1] for text in of_made(tiny_lab, before=before)]
    assert any(text.startswith(problem) for text in found), found


@pytest.mark.parametrize(
    "body",
    [
        "    check_that(len(a) == 3, 'three')\n",
        "    check_that(type(a) is tuple and len(a) == 2, 'two')\n",
        "    check_that(a.shape != b.shape, 'shapes')\n",
        "    check_that(abs(a.mean().item() - 0.15) < 0.01, 'rate')\n",
        "    assume(1 < 2)\n    student.double(1)\n",
        "    with check_raises(ValueError):\n        student.double(1)\n",
        "    if 1 == 1:\n        pass\n",
        "    check_close(1, 1, says='a sentence')\n",
        "    says = 'a sentence'\n    check_close(1, 1, says=says)\n",
        "    check_close(1, 1, says=None)\n",
        "    check_close(1, 1, says='one' if 1 else 'other')\n",
        "    import torch.nn.functional\n",
    ],
)
def test_a_correct_use_is_accepted(tiny_lab, body):
    assert of_made(tiny_lab, body) == []


@pytest.mark.parametrize(
    "before",
    [
        "@pytest.mark.parametrize('n', [pytest.param(1)])\ndef made(n):\n    pass",
        "@pytest.fixture\ndef made():\n    return 1",
        "def check_rows(x, says):\n    check_close(x, 1, says=says)",
        "SAYS = 'a sentence'\n\n\ndef check_rows(x):\n    check_close(x, 1, says=SAYS)",
    ],
)
def test_correct_helpers_are_accepted(tiny_lab, before):
    assert of_made(tiny_lab, before=before) == []


@pytest.mark.parametrize(
    "body",
    [
        "    check_close(1, 1, says=f'got {a}')\n",
        "    check_close(1, 1, says='got ' + str(a))\n",
        "    check_close(1, 1, says='got {}'.format(a))\n",
        "    check_close(1, 1, says='got %s' % a)\n",
        "    check_close(1, 1, says=str(a))\n",
        "    says = f'got {a}'\n    check_close(1, 1, says=says)\n",
        "    says = 'a'\n    says += str(a)\n    check_close(1, 1, says=says)\n",
        "    for says in a:\n        check_close(1, 1, says=says)\n",
        "    says, b = a\n    check_close(1, 1, says=says)\n",
        "    check_close(1, 1, says='x' if a else str(a))\n",
        "    check_that(True, f'got {a}')\n",
        "    check_that(True, says=str(a))\n",
        "    raise CheckFailure(Symptom.WRONG_VALUES, str(a))\n",
        "    with check_raises(ValueError, says=str(a)):\n        pass\n",
        "    check_close(1, 1, says=unknown)\n",
    ],
)
def test_a_sentence_that_is_not_literal_is_found(tiny_lab, body):
    assert only_problem(tiny_lab, body).startswith("`says` must be a literal sentence")


def test_a_sentence_in_a_helper_file_must_be_literal_too(tiny_lab):
    """An oracle may compute in any way, but sentences for students must be literal in every file."""
    helper = tiny_lab.stage(STAGE).hidden_tests / "oracles.py"
    source = "def check(x):\n    check_close(x, 1, says=f'{x}')\n    return (x == 1).all()\n"
    helper.write_text(source, encoding="utf-8")
    (found,) = lint_hidden_tests(tiny_lab.stage(STAGE))
    assert found.startswith("oracles.py:2: `says` must be a literal sentence")


def test_a_check_that_asserts_nothing_is_found(tiny_lab):
    write_checks(tiny_lab, f"{CHECK}    student.double(1)\n", "test_made")
    assert any("asserts nothing" in problem for problem in lint_hidden_tests(tiny_lab.stage(STAGE)))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    Hint: -1 is the last axis.\n", "", "needs a title line and a paragraph that begins `Hint:`"),
        (f"{NEGATIVE}.", "", "needs a title line and a paragraph that begins `Hint:`"),
        (NEGATIVE, "total: " + "word " * 30, "characters; at most 90 fit a line"),
    ],
)
def test_titles_and_hints_are_checked(tiny_lab, old, new, problem):
    stage = tiny_lab.stage(STAGE)
    replace_in(stage.hidden_tests / "test_tiny.py", old, new)
    found = list(lint_hidden_tests(stage))
    assert len(found) == 1
    assert found[0].startswith("test_total_counts_axes_from_the_end: ")
    assert problem in found[0]


def test_checks_and_points_must_match(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    replace_in(stage.hidden_tests / "test_tiny.py", "def test_halve_divides_by_two", "def test_halve_divides")
    assert list(lint_hidden_tests(stage)) == [
        "grading.yml lists test_halve_divides_by_two, but no hidden test has that name",
        "hidden test test_halve_divides has no points in grading.yml",
    ]


@pytest.mark.parametrize("title", ["Every element is halved", "double: every element is halved", "halve, each"])
def test_a_title_without_the_name_of_its_exercise_is_found(tiny_lab, title):
    stage = tiny_lab.stage(STAGE)
    replace_in(stage.hidden_tests / "test_tiny.py", "halve: every element is halved", title)
    assert list(lint_hidden_tests(stage)) == [
        "test_halve_divides_by_two: the title must begin with the name of its exercise and a colon: `halve: …`"
    ]


def test_a_title_that_two_checks_share_is_found(tiny_lab):
    """Even if the two checks are in different files."""
    stage = tiny_lab.stage(STAGE)
    tests = stage.hidden_tests / "test_tiny.py"
    before, halve = tests.read_text(encoding="utf-8").split("@given(seeds(), distinct_sizes(count=2))\ndef test_halve")
    header = before.split("@given", 1)[0]
    tests.write_text(before, encoding="utf-8")
    halve = f"{header}@given(seeds(), distinct_sizes(count=2))\ndef test_halve{halve}"
    (stage.hidden_tests / "test_tiny_halve.py").write_text(halve, encoding="utf-8")
    assert list(lint_hidden_tests(stage)) == []
    shared = "total: the sum runs over the given axis"
    replace_in(tests, NEGATIVE, shared)
    found = list(lint_hidden_tests(stage))
    unique = "a title must be unique in its stage"
    assert found == [
        f"test_total_counts_axes_from_the_end: test_total_adds_along_the_axis has the same title; {unique}"
    ]
    replace_in(stage.hidden_tests / "test_tiny_halve.py", "halve: every element is halved", shared)
    assert list(lint_hidden_tests(stage))[-1] == (
        f"test_halve_divides_by_two: test_total_adds_along_the_axis has the same title; {unique}"
    )
