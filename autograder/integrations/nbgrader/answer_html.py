r"""A student's answer as HTML that is safe in the instructor's own browser, whichever program shows it.

formgrader, nbgrader's feedback and JupyterLab each turn the Markdown of a notebook into HTML, each in its own way, and
each typesets formulas in the result with MathJax. So an answer is rendered here, sanitised, and written back as one
block of HTML in which a Markdown parser finds nothing to do: it has a single line, and only letters, digits and
spaces outside its tags are not character references.

The student's text is always shown. Other links than those to web and mail addresses, and other HTML tags than those
that format text, appear as they were written. A picture of the web becomes a link. Nothing is loaded.
"""

import re
from collections.abc import MutableMapping, Sequence
from html import escape, unescape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from autograder.base.sinks import one_line, visible
from autograder.integrations.nbgrader.tex_commands import is_plain_formula

# `contain` keeps a formula from covering other parts of the page.
BEGIN, END = '<div style="contain: paint; overflow-x: auto">', "</div>"

# Tags that students may write themselves, without attributes.
_WRITTEN_TAGS = frozenset(
    """b strong i em u s del ins sub sup small mark kbd code pre br hr p blockquote ul ol li dl dt dd table thead tbody
    tr th td caption h1 h2 h3 h4 h5 h6""".split()
)
_TAGS = {*_WRITTEN_TAGS, "a", "span"}
_WRITTEN_TAG = re.compile(r"</?([a-z0-9]+)\s*/?>", re.IGNORECASE)
_WEB_OR_MAIL = re.compile(r"(https?://|mailto:)[^\s\x00-\x20\x7f]+", re.IGNORECASE)
_TAG = re.compile(r'(<[^<>"]*(?:"[^"]*"[^<>"]*)*>)')
_QUOTED = re.compile(r'"([^"]*)"')
# MathJax and Markdown parsers give meanings to signs, never to these.
_NEITHER_LETTER_NOR_SPACE = re.compile(r"[^\w ]|_")
_MATH_SIGN = re.compile(r"[$\\]")


def safe_answer(answer: str) -> str:
    """Return the Markdown source that shows an answer, rendered and made safe."""
    try:
        html = _Markdown().render(answer)
    except Exception:  # the parser fails on a text that a student wrote: the text is shown as it is
        html = f"<pre>{escape(answer)}</pre>"
    return f"{BEGIN}{_inert(_sanitised(html))}{END}"


def safe_text(text: str) -> str:
    """Return a text as one line of HTML in which MathJax and Markdown parsers find nothing to do."""
    return _inert(_plain(one_line(text)))


def _sanitised(html: str) -> str:
    """Keep listed tags only, and of their attributes only web and mail addresses of links."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=lambda tag, name, value: value if name != "href" or _is_web_or_mail(value) else None,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        clean_content_tags=set(),
        url_schemes={"http", "https", "mailto"},
    )


def _inert(html: str) -> str:
    """Write every sign outside the tags, and within the values of attributes, as a character reference."""
    tags_and_texts = _TAG.split(html)
    tags_and_texts[::2] = map(_referenced, tags_and_texts[::2])
    tags_and_texts[1::2] = [
        _QUOTED.sub(lambda value: f'"{_referenced(value[1])}"', tag) for tag in tags_and_texts[1::2]
    ]
    return "".join(tags_and_texts)


def _referenced(text: str) -> str:
    return _NEITHER_LETTER_NOR_SPACE.sub(lambda sign: f"&#{ord(sign.group())};", unescape(text))


def _plain(text: str) -> str:
    """Escape a text outside formulas. Each sign that could begin a formula stands alone in an element."""
    return _MATH_SIGN.sub(r"<span>\g<0></span>", escape(text))


def _is_web_or_mail(address: str) -> bool:
    return _WEB_OR_MAIL.fullmatch(address) is not None


class _Markdown(MarkdownIt):
    """CommonMark with tables, strikethrough and formulas; the text of everything else is shown."""

    def __init__(self) -> None:
        super().__init__("commonmark")
        self.enable(["table", "strikethrough"])
        self.use(dollarmath_plugin, allow_labels=False, double_inline=True)
        self.use(amsmath_plugin)
        self.add_render_rule("text", lambda renderer, tokens, index, options, env: _plain(tokens[index].content))
        for kind, dollars in _FORMULAS.items():
            self.add_render_rule(kind, _formula(dollars))
        for kind in ("html_inline", "html_block"):
            self.add_render_rule(kind, _written_html)
        self.add_render_rule("image", _picture)

    def validateLink(self, url: str) -> bool:
        """Whether an address may be a link; otherwise the parser leaves the text as it was written."""
        return _is_web_or_mail(url)

    def render(self, src: str, env: MutableMapping[str, Any] | None = None) -> str:
        """Render a text whose invisible characters are made visible."""
        html: str = super().render("\n".join(map(visible, src.splitlines())), env)
        return html


# Token of a formula → the dollar signs around it; those of `\begin` … `\end` have none.
_FORMULAS = {"math_inline": "$", "math_inline_double": "$$", "math_block": "$$", "amsmath": ""}


def _formula(dollars: str) -> Any:
    def render(renderer: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
        tex = tokens[index].content
        shown = escape(f"{dollars}{tex}{dollars}")
        # MathJax looks for formulas within an element, and not in code.
        return f"<span>{shown}</span>" if is_plain_formula(tex) else f"<code>{shown}</code>"

    return render


def _written_html(renderer: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
    """HTML that a student wrote: the tags that only format it, and the text of all others."""
    html, done, parts = tokens[index].content, 0, []
    for tag in _WRITTEN_TAG.finditer(html):
        if tag[1].lower() in _WRITTEN_TAGS:
            parts += [_plain(html[done : tag.start()]), tag.group()]
            done = tag.end()
    return "".join([*parts, _plain(html[done:])])


def _picture(renderer: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
    """A link to a picture, because the page loads none."""
    token = tokens[index]
    address = str(token.attrs["src"])
    return f'<a href="{escape(address)}">{_plain(token.content or address)}</a>'
