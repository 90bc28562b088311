"""The catalogue of mistakes: each changes the reference as it says, and fits grading.yml."""

import pytest
from tiny_lab import REFERENCE, STAGE, replace_in

from autograder.course.lab import LabError
from autograder.course.mistakes import Mistake, load_mistakes


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


def made(*replace: tuple[str, str]) -> Mistake:
    return Mistake(id="made", exercise="double", says="it is made", replace=replace)


def test_a_mistake_is_the_reference_with_its_replacements():
    text = made(("2 * x", "3 * x"), ("x / 2", "x / 3")).apply(REFERENCE)
    assert ("return 3 * x" in text, "return x / 3" in text) == (True, True)
    assert text.count("\n") == REFERENCE.count("\n")


def test_replacements_are_made_one_after_the_other():
    assert "return 4 * x" in made(("2 * x", "3 * x"), ("3 * x", "4 * x")).apply(REFERENCE)


@pytest.mark.parametrize(("old", "times"), [("no such text", 0), ("def ", 3)])
def test_a_text_that_does_not_occur_once_is_refused(old, times):
    with pytest.raises(LabError, match=f"mistake made: the text to replace occurs {times} times, not once"):
        made((old, "new")).apply(REFERENCE)


def test_the_catalogue_is_read(stage):
    mistakes = load_mistakes(stage)
    assert [one.id for one in mistakes][:2] == ["double_adds_two", "double_upcasts"]
    assert mistakes[0].named


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id="double_upcasts"', 'id="double_adds_two"', "mistake double_adds_two: the id is used twice"),
        ('exercise="halve"', 'exercise="half"', "grading.yml has no exercise `half` in 1_tiny"),
        ('{"test_double_keeps_the_dtype"}', '{"test_nothing"}', "grading.yml has no check named test_nothing"),
        ("MISTAKES = (", "OTHERS = (", "MISTAKES must be a tuple of `Mistake`s"),
        ("MISTAKES = (", "MISTAKES = ('x',", "MISTAKES must be a tuple of `Mistake`s"),
        ("MISTAKES = (", "MISTAKES = 1 / 0, (", "cannot be run: ZeroDivisionError"),
        ("MISTAKES = (", "MISTAKES = ((", "cannot be run: SyntaxError"),
        ('exercise="halve",', "", "cannot be run: TypeError"),
    ],
)
def test_a_catalogue_that_contradicts_the_lab_is_refused(stage, old, new, says):
    replace_in(stage.mistakes, old, new)
    with pytest.raises(LabError) as caught:
        load_mistakes(stage)
    assert str(caught.value).startswith(str(stage.mistakes))
    assert says in str(caught.value)


def test_a_missing_catalogue_is_named(stage):
    stage.mistakes.unlink()
    with pytest.raises(LabError, match=r"mistakes\.py is missing: every stage needs its named mistakes"):
        load_mistakes(stage)
