"""Answers, in the HTML that nbgrader's pages make of them: the words stay, and nothing else can happen."""

import re

import pytest
from answer_corpus import FORMULAS, HONEST, HTML, LINKS
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.base.sinks import one_line
from autograder.integrations.nbgrader.answer_html import BEGIN, END, safe_answer, safe_text
from autograder.integrations.nbgrader.tex_commands import is_plain_formula

# The tags that show text, and nothing else.
SHOWN = frozenset(
    """p br hr strong b em i u s del ins sub sup small mark kbd code pre blockquote ul ol li dl dt dd table thead tbody
    tr th td caption h1 h2 h3 h4 h5 h6 a span div""".split()
)
ATTRIBUTES = {"a": {"href", "target", "rel"}, "div": {"style"}}


def page(source: str) -> BeautifulSoup:
    """The page of a cell, made by the renderer that nbconvert gives to nbgrader's templates."""
    html = MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(source)
    return BeautifulSoup(html, "html.parser")


def words(text: str) -> str:
    return " ".join(text.split())


def assert_inert(source: str) -> BeautifulSoup:
    """No element, attribute, link or formula can do more than show text; the answer stays in its block."""
    assert source.startswith(BEGIN)
    assert source.endswith(END)
    assert "\n" not in source
    root = page(source)
    (block,) = root.find_all(recursive=False)
    assert (block.name, block["style"]) == ("div", "contain: paint; overflow-x: auto")
    for element in block.find_all():
        assert element.name in SHOWN
        assert set(element.attrs) <= ATTRIBUTES.get(element.name, set())
        if element.name == "a" and "href" in element.attrs:
            assert re.match(r"(https?://|mailto:)[^\s]", element["href"], re.IGNORECASE)
            assert (element["target"], element["rel"]) == ("_blank", ["noopener", "noreferrer"])
    for text in block.find_all(string=re.compile(r"[$\\]")):
        assert not formula_that_mathjax_finds(text) or is_plain_formula(str(text).strip("$"))
    return block


def formula_that_mathjax_finds(text) -> bool:
    """Whether an element that is not code holds delimiters of a formula."""
    if any(parent.name in ("code", "pre") for parent in text.parents):
        return False
    return re.search(r"\$.+\$|\\\(|\\\[|\\begin|\\[a-zA-Z]", str(text), re.DOTALL) is not None


@pytest.mark.parametrize("attack", [*LINKS, *HTML, *FORMULAS])
def test_an_attack_is_shown_and_does_nothing(attack):
    assert_inert(safe_answer(attack))
    assert_inert(safe_answer(f"- > {attack}\n\n| a |\n|---|\n| {attack} |"))


PIECES = [*LINKS, *HTML, *FORMULAS, "`", "```\n", "$", "$$", "\\", "<", ">", "&", "|", "\n", "\n\n", "    ", "* ", "a"]
hostile_answers = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.text(st.characters(codec=None), max_size=80)
)


@given(hostile_answers)
@settings(max_examples=150, deadline=None)
def test_no_answer_does_anything(answer):
    assert_inert(safe_answer(answer))


@given(st.text(st.characters(codec=None), max_size=80))
@settings(deadline=None)
def test_a_line_about_a_check_shows_its_text(text):
    shown = page(f"<table><tr><td>x{safe_text(text)}x</td></tr></table>").td
    assert shown.text == f"x{one_line(text)}x"
    assert {element.name for element in shown.find_all()} <= {"span"}


@pytest.mark.parametrize(("answer", "text", "html"), HONEST.values(), ids=HONEST)
def test_an_honest_answer_looks_as_it_was_written(answer, text, html):
    block = assert_inert(safe_answer(answer))
    assert words(block.text) == words(text or answer)
    assert html in str(block)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
@settings(deadline=None)
def test_code_is_shown_word_by_word(code):
    code = code.replace("`", "")
    if code:
        assert page(safe_answer(f"x `{code}` x")).code.text == code
        assert page(safe_answer(f"```\n{code}\n```")).code.text == f"{code}\n"


def test_a_parser_that_fails_leaves_the_text(monkeypatch):
    monkeypatch.setattr("markdown_it.MarkdownIt.render", lambda *args: 1 / 0)
    assert assert_inert(safe_answer("**a** <b> $x$")).pre.text == "**a** <b> $x$"


def test_nbgraders_templates_render_with_the_renderer_of_this_test():
    """If nbconvert changed its renderer, the tests above would look at another program."""
    source = "<b>*x*</b> $a$ [x](javascript:y)"
    assert HTMLExporter().markdown2html({}, source) == MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(
        source
    )
