"""Answers, in the HTML that nbgrader's pages make of them: the words stay, and nothing else can happen."""

import re

import pytest
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
    for text in block.find_all(string=re.compile(r"[$\\]")):
        assert not formula_that_mathjax_finds(text) or is_plain_formula(str(text).strip("$"))
    return block


def formula_that_mathjax_finds(text) -> bool:
    """Whether an element that is not code holds delimiters of a formula."""
    if any(parent.name in ("code", "pre") for parent in text.parents):
        return False
    return re.search(r"\$.+\$|\\\(|\\\[|\\begin|\\[a-zA-Z]", str(text), re.DOTALL) is not None


LINKS = (
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript&colon;alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:image/svg+xml;base64,PHN2Zy8+)",
    "[x](vbscript:x) [y](file:///etc/passwd) [z](blob:x) [w](/api/shutdown) [v](//evil.example) [u](http:/api)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[x]\n\n[x]: <data:text/html,x>",
    "<javascript:alert(1)> <data:text/html,x> <x-y:z>",
    "![x](javascript:alert(1)) ![y](https://evil.example/y.png) ![z](//e.example/z.png) ![w](data:image/png;base64,)",
    "![x](attachment:x.svg) ![y][z]\n\n[z]: https://evil.example/z.svg",
    "[![x](https://evil.example/x.png)](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a> <a href=javascript:alert(1) >x</a>",
)
HTML = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<p onclick=alert(1)>x</p> <b style='background:url(https://evil.example)'>y</b>",
    "</div></div></div><h1 id=notebook class=panel>0 / 2</h1>",
    "<table></td></tr></table></div>\n\n| a |\n|---|\n| </td></table></div> |",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x><embed src=x><base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'><link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><input autofocus onfocus=alert(1)><textarea></form>",
    "<!--><script>alert(1)</script>--> <![CDATA[<script>alert(1)</script>]]> <?x <b>?>",
    "<pre>\n\n</pre><script>alert(1)</script>",
    "```html onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    '```mermaid\nclick a href "javascript:alert(1)"\n```',
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
)
FORMULAS = (
    r"$\href{javascript:alert(1)}{x}$",
    r"$$\href{https://evil.example}{x}$$",
    r"\begin{align}\href{javascript:alert(1)}{x}\end{align}",
    r"\\(\href{javascript:alert(1)}{x}\\) \\[\unicode[x]{1}\\]",
    r"$\require{html}\style{position:fixed;top:0;background:url(//evil.example)}{x}$",
    r"$\class{btn}{x} \cssId{notebook}{y} \data{a=b}{z} \mmlToken{mi}[href='javascript:alert(1)']{w}$",
    r"$\bbox[background:url(//evil.example)]{x} \fcolorbox{red;background:url(//evil.example)}{red}{y}$",
    r"$\def\frac#1#2{\text{full points}} \let\x\href \newcommand{\y}{z} \csname href\endcsname{w}$",
    r"$\rule{100em}{100em}\hspace{-50em}\Huge\raise 50em x \kern-9em\llap{y}\smash{z}$",
    r"$a \\[-50em] b \begin{array}{p{900em}} c \end{array}$",
    r"a $\hr<wbr>ef{javascript:alert(1)}{x}$ $\hr**e**f{y}$ \$\href{z}{z}\$ &#36;\href{w}{w}&#36;",
    "$x " + r"\alpha" * 2000 + "$",
    "$ { $ \\href{javascript:alert(1)}{x} $ } $",
    r"$\text{$\href{javascript:alert(1)}{x}$}$",
)


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


HONEST = {
    "code with signs": ("`a < b` and `\"x\" & 'y'`", "a < b and \"x\" & 'y'", "<code>a &lt; b</code>"),
    "signs in text": ('"a" isn\'t b & x < y > z', '"a" isn\'t b & x < y > z', "<p>"),
    "special tokens": ("<pad>, <eos> and x<y and y>z", "<pad>, <eos> and x<y and y>z", "&lt;pad&gt;"),
    "a table": ("| a | b |\n|---|---|\n| `x<y` | $a<b$ |", "a b x<y $a<b$", "<td><code>x&lt;y</code></td>"),
    "a block of code": ('```python\nif a < b:\n\n    x = "$y$"\n```', 'if a < b: x = "$y$"', "\n\n    x"),
    "a list": ("1. one\n2. two\n   - three", "one two three", "<li>three</li>"),
    "a quotation": ("> so *it* is", "so it is", "<blockquote>"),
    "emphasis and a heading": ("# Why\n\n**a** ~~b~~ x<sub>i</sub>", "Why a b xi", "<h1>Why</h1>"),
    "a link": ("[a](https://a.example/?b=1&c=$2$)", "a", 'href="https://a.example/?b=1&amp;c=$2$"'),
    "an address": ("<mailto:a@b.example>", "mailto:a@b.example", 'href="mailto:a@b.example"'),
    "a picture of the web": ("![plot](https://a.example/p.png)", "plot", 'href="https://a.example/p.png"'),
    "a picture that was pasted": ("![plot](attachment:p.png)", "![plot](attachment:p.png)", "<p>"),
    "a path": (r"C:\Users\ann \alpha", r"C:\Users\ann \alpha", "<p>"),
    "a formula": (r"so $\frac{a_1}{b_1} < \sqrt{d_k}$.", r"so $\frac{a_1}{b_1} < \sqrt{d_k}$.", "<span>$"),
    "a displayed formula": ("$$\n\\sum_i a_i \\\\\n= 1\n$$", "$$ \\sum_i a_i \\\\ = 1 $$", "<span>$$"),
    "aligned formulas": (
        "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}",
        "\\begin{align} a &= b \\\\ c &= d \\end{align}",
        r"<span>\begin",
    ),
    "a cell matrix": (r"$\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$", None, "<span>$"),
    "an invisible sign": ("a\u202eb", r"a\u202eb", "<p>"),
}


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
