"""A student's text cannot be invisible, change the text around it, or contain runner commands."""

import unicodedata

import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given

from autograder.base.sinks import LONGEST_LINE, code_parts, log_line, one_line, visible

# From the categories of the Unicode standard, independent of the rule in the code.
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def invisible(text: str) -> list[str]:
    return [character for character in text if unicodedata.category(character) in INVISIBLE]


@given(hostile_text)
def test_tabs_are_the_only_invisible_characters_that_visible_keeps(text):
    assert set(invisible(visible(text))) <= {"\t"}


@pytest.mark.parametrize("text", ["plain", "qᵀk ≤ √d, “né” – ñ", "שלום عليكم 你好", "\ta\tb", "x" * 5000])
def test_honest_source_stays_as_it_is(text):
    assert visible(text) == text


def test_a_message_becomes_one_line():
    assert one_line(" a\n\tb  c\r\n") == "a b c"


@given(hostile_text)
def test_one_line_is_one_short_line(text):
    line = one_line(text)
    assert not invisible(line)
    assert len(line) <= LONGEST_LINE


def test_a_cut_is_marked():
    assert one_line("x" * (LONGEST_LINE + 1)).endswith("x…")
    assert one_line("x" * LONGEST_LINE) == "x" * LONGEST_LINE


@given(hostile_text)
def test_a_log_line_holds_no_command_to_the_runner(text):
    line = log_line(text)
    assert "::" not in line
    assert "##[" not in line


@pytest.mark.parametrize("text", ATTACKS)
def test_a_log_line_still_shows_what_one_line_shows(text):
    assert log_line(text).replace("\u200b", "") == one_line(text)


def test_code_parts_pairs_backticks():
    assert list(code_parts("a `b` c")) == [("a ", False), ("b", True), (" c", False)]
    for text in ("a ` b", "``a``", "`a``b`", "` a`"):
        assert list(code_parts(text)) == [(text, False)]
