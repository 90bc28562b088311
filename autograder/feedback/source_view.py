"""The student's own file as lines of HTML with syntax colours."""

import io
import keyword
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from autograder.base.sinks import visible

# Far more than an honest file of the lab has. The tokenizer's time grows with the square of a line's
# length, so larger files and longer lines are shown without colours.
LARGEST_COLOURED = 64 * 1024
LONGEST_LINE_COLOURED = 1000

# Token types by name: newer versions of Python split an f-string into several types.
_KINDS = {
    "COMMENT": "comment",
    "STRING": "string",
    "FSTRING_START": "string",
    "FSTRING_MIDDLE": "string",
    "FSTRING_END": "string",
    "NUMBER": "number",
}


@dataclass(frozen=True)
class Span:
    """A coloured range of one line: columns ``start`` (inclusive) to ``end`` (exclusive), counted from 0."""

    start: int
    end: int
    kind: str


def source_lines(source: str) -> list[Markup]:
    """Each line of ``source`` as HTML; only a newline ends a line, as in Python's line numbers."""
    lines = source.split("\n")
    short = len(source) <= LARGEST_COLOURED and max(map(len, lines)) <= LONGEST_LINE_COLOURED
    spans = _spans(source) if short else {}
    return [_html(line, spans.get(number, [])) for number, line in enumerate(lines, 1)]


def _html(line: str, spans: list[Span]) -> Markup:
    parts, done = [], 0
    for span in spans:
        end = min(span.end, len(line))
        if span.start == end:  # an empty line within a string
            continue
        parts.append(escape(visible(line[done : span.start])))
        parts.append(Markup('<span class="{}">{}</span>').format(span.kind, visible(line[span.start : end])))
        done = end
    parts.append(escape(visible(line[done:].rstrip("\r"))))
    return Markup("").join(parts)


def _spans(source: str) -> Mapping[int, list[Span]]:
    """Line number → coloured ranges. Text after a syntax error that stops the tokenizer stays plain."""
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    try:
        for kind, token in _kinds(source):
            for number in range(token.start[0], token.end[0] + 1):
                start = token.start[1] if number == token.start[0] else 0
                end = token.end[1] if number == token.end[0] else LONGEST_LINE_COLOURED
                spans[number].append(Span(start, end, kind))
    except (tokenize.TokenError, SyntaxError):
        return spans  # a file that is not valid Python is shown too
    return spans


def _kinds(source: str) -> Iterator[tuple[str, tokenize.TokenInfo]]:
    names = False  # whether the next name is being defined
    for token in tokenize.generate_tokens(io.StringIO(source, newline="\n").readline):
        kind = _KINDS.get(tokenize.tok_name[token.type])
        if kind:
            yield kind, token
        elif token.type == tokenize.NAME and names:
            yield "name", token
        elif token.type == tokenize.NAME and keyword.iskeyword(token.string):
            yield "keyword", token
        if token.type == tokenize.NAME:
            names = token.string in ("def", "class")
