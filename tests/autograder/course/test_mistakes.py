"""Each mistake makes its replacements in the reference; the catalogue and the lock file match grading.yml."""

from pathlib import Path

import pytest
from tiny_lab import REFERENCE, STAGE, replace_in

from autograder.course.lab import Lab, LabError
from autograder.course.mistakes import ON_THE_CPU, Mistake, encode_lock, load_mistakes, mistake, read_lock

LAB = Lab.find(Path(__file__).parent)


@pytest.mark.parametrize("stage", LAB.stages(), ids=lambda stage: stage.id)
def test_a_name_says_of_no_tensor_that_it_is_on_the_cpu(stage):
    """A check of the device fails alike for any tensor there; an ignored argument `device` is another matter."""
    for named in load_mistakes(stage):
        if named.named and "CPU" in named.says and all("device" in check for check in named.fails):
            assert named.says == ON_THE_CPU or "`device`" in named.says, named.id


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


def made(*replace: tuple[str, str]) -> Mistake:
    return mistake("made", "it is made", *(text for pair in replace for text in pair))


def test_a_mistake_is_the_reference_with_its_replacements():
    text = made(("2 * x", "3 * x"), ("x / 2", "x / 3")).apply(REFERENCE)
    assert ("return 3 * x" in text, "return x / 3" in text) == (True, True)
    assert text.count("\n") == REFERENCE.count("\n")


def test_replacements_are_made_in_order():
    assert "return 4 * x" in made(("2 * x", "3 * x"), ("3 * x", "4 * x")).apply(REFERENCE)


@pytest.mark.parametrize(("old", "times"), [("no such text", 0), ("def ", 3)])
def test_a_text_that_does_not_occur_once_is_refused(old, times):
    with pytest.raises(LabError, match=f"mistake made: the text to replace occurs {times} times, not once"):
        made((old, "new")).apply(REFERENCE)


def test_the_catalogue_is_read(stage):
    first, second, *_ = load_mistakes(stage)
    assert [first.id, second.id] == ["double_adds_two", "double_upcasts"]
    assert (first.exercise, first.named) == ("double", True)
    assert first.fails == {"test_double_multiplies_by_two"}


@pytest.mark.parametrize("texts", [(), ("old",), ("old", "new", "older")])
def test_texts_that_are_not_pairs_are_refused(texts):
    with pytest.raises(ValueError, match="mistake made: give pairs of old and new text"):
        mistake("made", "it is made", *texts)


def test_a_check_that_the_course_no_longer_has_is_left_out(stage):
    replace_in(stage.mistakes_lock, '["test_double_keeps_the_dtype"]', '["test_double_keeps_the_dtype", "test_gone"]')
    assert load_mistakes(stage)[1].fails == {"test_double_keeps_the_dtype"}


def test_without_a_lock_file_mistakes_have_no_checks(stage):
    stage.mistakes_lock.unlink()
    assert {mistake.fails for mistake in load_mistakes(stage)} == {frozenset()}


def test_a_lock_file_is_read_as_it_was_written(stage):
    fails = {"second": {"test_b", "test_a"}, "first": set()}
    stage.mistakes_lock.write_bytes(encode_lock(fails))
    assert read_lock(stage) == {"second": ["test_a", "test_b"], "first": []}
    assert list(read_lock(stage)) == ["second", "first"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "truncated; write it again with `autograder verify --update`"),
        (b'{"format_version": 1, "mistakes": {"a": 1}}', "Expected `array`, got `int` - at `$.mistakes[...]`"),
        (b'{"format_version": 2, "mistakes": {}}', "format_version 2 is unknown; this program reads 1"),
    ],
)
def test_a_lock_file_that_cannot_be_read_is_named(stage, content, says):
    stage.mistakes_lock.write_bytes(content)
    with pytest.raises(LabError) as caught:
        load_mistakes(stage)
    assert str(caught.value).startswith(str(stage.mistakes_lock))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"double_upcasts"', '"double_adds_two"', "mistake double_adds_two: the id is used twice"),
        ('"halve":', '"half":', "grading.yml has no exercise `half` in 1_tiny"),
        ("MISTAKES = {", "OTHERS = {", "MISTAKES must map each exercise to a tuple of `mistake(…)`"),
        ("MISTAKES = {", "MISTAKES = {'double': 'x'}, {", "MISTAKES must map each exercise to a tuple of `mistake(…)`"),
        ('"halve": (', '"halve": (1,', "MISTAKES must map each exercise to a tuple of `mistake(…)`"),
        ("MISTAKES = {", "MISTAKES = 1 / 0, {", "cannot be run: ZeroDivisionError"),
        ("MISTAKES = {", "MISTAKES = ((", "cannot be run: SyntaxError"),
        ('"return x / 2", "return x"', '"return x / 2"', "cannot be run: ValueError: mistake halve_forgets_to_divide"),
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
