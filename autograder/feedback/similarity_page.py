"""Pairs of hand-ins that share passages, side by side: for instructors only."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from autograder.base.sinks import log_line
from autograder.feedback.html import render
from autograder.feedback.source_view import source_lines
from autograder.integrations.similarity import Comparison, Side, SimilarPair


@dataclass(frozen=True)
class Line:
    """A line as HTML: its number in the student's file, and whether the other student shares it."""

    number: int
    html: Markup
    shared: bool


def similarity_page(course: str, comparisons: Sequence[Comparison], *, most: int) -> str:
    """Return one self-contained HTML page.

    Args:
        course: the course's title.
        comparisons: the comparison of each stage.
        most: number of pairs of a stage to show side by side.
    """
    stages = [
        {
            "pairs": [
                (pair, f"{pair_lines(pair)} shared, in {pair_functions(pair)}", _lines(pair.left), _lines(pair.right))
                for pair in comparison.pairs[:most]
            ],
            "hidden": max(len(comparison.pairs) - most, 0),
            "left_out": comparison.left_out,
        }
        for comparison in comparisons
    ]
    return render("similarity.html", course=course, stages=stages)


def pair_lines(pair: SimilarPair) -> str:
    """``23 of 120 and 25 of 98 lines``: how many own lines of each side the other shares."""
    left, right = (f"{len(side.shared)} of {len(side.lines)}" for side in (pair.left, pair.right))
    return f"{left} and {right} lines"


def pair_functions(pair: SimilarPair) -> str:
    """The functions with shared lines, as a list."""
    return log_line(", ".join(name or "outside of functions" for name in pair.functions))


def _lines(side: Side) -> list[Line]:
    colours = source_lines("\n".join(line.text for line in side.lines))
    return [Line(line.number, html, line.number in side.shared) for line, html in zip(side.lines, colours, strict=True)]
