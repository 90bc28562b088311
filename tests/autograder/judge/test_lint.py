"""The lint: each rule has a breach that it finds and a rightful use that it leaves alone."""

import pytest
from judging import write_checks
from tiny_lab import STAGE, replace_in

from autograder.judge.lint import lint_hidden_tests

CHECK = '''\
def test_made(student):
    """A title.

    Hint: a hint.
    """
'''
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
        ("    import numpy.testing\n", "`numpy.testing` compares in other ways"),
        ("    import torch.testing as tt\n", "`torch.testing` compares in other ways"),
        ("    from torch.testing import make_tensor\n", "`torch.testing` compares in other ways"),
        ("    from numpy import testing\n", "`numpy.testing` compares in other ways"),
        ("    from unittest import mock\n", "`unittest` compares in other ways"),
        ("    pytest.skip('later')\n", "`pytest.skip` has no place"),
        ("    pytest.fail('x')\n", "`pytest.fail` has no place"),
        ("    pytest.xfail('x')\n", "`pytest.xfail` has no place"),
        ("    pytest.importorskip('x')\n", "`pytest.importorskip` has no place"),
        ("    with pytest.raises(ValueError):\n        pass\n", "`pytest.raises` has no place"),
        ("    try:\n        pass\n    finally:\n        pass\n", "`try` can hide"),
        ("    student.double(1)\n    assume(True)\n", "`assume(…)` after the student's code was asked"),
        ("    assume(student.double(1))\n", "`assume(…)` after the student's code was asked"),
        ("    check_that(bool(a == b), 'x')\n", "`==` in check_that"),
        ("    check_that(a != 3, 'x')\n", "`==` in check_that"),
        ("    check_that(not (a > b), 'x')\n", "`not` in check_that"),
    ],
)
def test_a_breach_in_a_check_is_found(tiny_lab, body, problem):
    assert only_problem(tiny_lab, body).startswith(problem)


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ("@pytest.mark.skip\ndef made():\n    pass", "`pytest.mark.skip` has no place"),
        ("@pytest.mark.xfail(strict=True)\ndef made():\n    pass", "`pytest.mark.xfail` has no place"),
        ("pytestmark = pytest.mark.skipif(True)", "`pytest.mark.skipif` has no place"),
        ("from pytest import skip", "import pytest itself"),
        ("class TestMade:\n    pass", "`TestMade`: a hidden test is a plain function"),
        ("def test_made(student):\n    check_equal(1, 2)", "`test_made` is defined 2 times"),
    ],
)
def test_a_breach_around_a_check_is_found(tiny_lab, before, problem):
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
def test_a_rightful_use_is_left_alone(tiny_lab, body):
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
def test_rightful_helpers_are_left_alone(tiny_lab, before):
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
    """An oracle may compute as it likes, but what students read is literal wherever it stands."""
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
        ("A negative axis is counted from the end.", "", "needs a title line and a paragraph that begins `Hint:`"),
        ("A negative axis is counted from the end.", "Word " * 30, "characters; 90 fit a line"),
    ],
)
def test_wording_is_looked_at(tiny_lab, old, new, problem):
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
