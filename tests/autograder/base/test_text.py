"""Text that students control reaches terminals and pages only in a harmless form."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.base.text import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def softmax(x):", "def softmax(x):"),
        ("naïve √d – 注意", "naïve √d – 注意"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\treturn", "    return"),
        ("admin\u202etxt.exe", r"admin\u202etxt.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("line\u2028separator\x85", r"line\u2028separator\x85"),
        ("lone \ud800 half", r"lone \ud800 half"),
        ("", ""),
    ],
)
def test_only_invisible_characters_are_escaped(text, expected):
    assert printable(text, 100) == expected


def test_three_marks_on_a_letter_stay_and_further_marks_are_escaped():
    marks = "\u0301"
    assert printable("e" + 3 * marks, 100) == "e" + 3 * marks
    assert printable("e" + 5 * marks, 100) == "e" + 3 * marks + r"\u0301\u0301"


def test_a_text_of_exactly_the_limit_is_not_truncated():
    assert printable("12345", 5) == "12345"
    assert printable("123456", 5) == "1234…"
    assert printable("123456", 0) == ""


def test_an_escape_does_not_exceed_the_limit():
    assert printable("abc\x1b", 5) == "abc…"


@given(st.text(st.characters(codec=None)), st.integers(0, 40))
def test_the_result_is_short_visible_and_encodable(text, limit):
    result = printable(text, limit)
    assert len(result) <= limit
    assert not any(unicodedata.category(character)[0] == "C" or character in "\u2028\u2029" for character in result)
    result.encode("utf-8")


@given(st.text(st.characters(codec=None)))
def test_the_result_is_a_single_line(text):
    assert len(printable(text, 10_000).splitlines()) <= 1
