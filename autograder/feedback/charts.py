"""Charts for pages, drawn by Matplotlib as inline SVG without styles, scripts or references.

A page's policy allows no style attribute, so that each style becomes an attribute of SVG, and each colour a class of
the page's style sheet: charts follow the theme of the screen.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.base.sinks import one_line

_SVG = "{http://www.w3.org/2000/svg}"
# Class of the style sheet → the colour that stands for it while Matplotlib draws.
_COLOURS = {
    "plain": "#000001",
    "good": "#000002",
    "bad": "#000003",
    "stop": "#000004",
    "open": "#000005",
    "ours": "#000006",
    "words": "#000007",
    "axis": "#000008",
}
_CLASS_OF = {colour: name for name, colour in _COLOURS.items()}
_LONGEST_NAME = 24  # of a bar
_KEPT = frozenset({"x", "y", "width", "height", "d", "transform", "viewBox"})
_STYLES = frozenset({"stroke-width", "stroke-linecap", "stroke-linejoin", "text-anchor", "opacity"})
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "class page",
    "path.simplify": False,
    "text.parse_math": False,
    "font.size": 9,
    "text.color": _COLOURS["words"],
    "axes.edgecolor": _COLOURS["axis"],
    "xtick.labelcolor": _COLOURS["words"],
    "ytick.labelcolor": _COLOURS["words"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


@dataclass(frozen=True)
class Series:
    """One part of each bar: its values, in the order of the bars, its class of colour and its name."""

    kind: str
    label: str
    values: tuple[int, ...]


@lru_cache(maxsize=64)  # the page of a class that is being graded is drawn again after each student
def histogram(counts: tuple[int, ...], label: str) -> Markup:
    """The distribution of scores: a bar for each tenth of the points, and one for full marks.

    Args:
        counts: number of scores in each bin.
        label: the chart in words.
    """

    def draw(axes: Axes) -> None:
        kinds = ["plain"] * (len(counts) - 1) + ["good"]
        bars = axes.bar(range(len(counts)), counts, width=0.88, color=[_COLOURS[kind] for kind in kinds])
        axes.bar_label(bars, [str(count) if count else "" for count in counts], padding=1)
        axes.set_xlim(-0.6, len(counts) - 0.4)
        axes.set_xticks([0, 5, len(counts) - 1], ["0 %", "50 %", "full"])
        axes.set_yticks([])

    return _svg(3.4, 1.5, draw, label)


def stacked_bars(names: Sequence[str], series: Iterable[Series], label: str) -> Markup:
    """Horizontal bars of several parts, the first at the top.

    Args:
        names: the bars.
        series: the parts of the bars, from left to right.
        label: the chart in words.
    """

    def draw(axes: Axes) -> None:
        start = [0] * len(names)
        for part in series:
            axes.barh(range(len(names)), part.values, left=start, height=0.72, color=_COLOURS[part.kind])
            start = [left + value for left, value in zip(start, part.values, strict=True)]
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, max([*start, 1]))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _svg(8.0, 0.3 * len(names) + 0.5, draw, label)


def _short(name: str) -> str:
    line = one_line(name)
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"


def _svg(width: float, height: float, draw: Callable[[Axes], None], label: str) -> Markup:
    """Draw a figure of this size, in inches of 72 pixels, and return it as inline SVG."""
    buffer = io.BytesIO()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        FigureCanvasSVG(figure)
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(buffer.getvalue())
    size = root.get("viewBox")
    for element in list(root):
        if element.tag != f"{_SVG}g":
            root.remove(element)
    _plain(root)
    root.attrib = {"class": "chart", "role": "img", "viewBox": size or "", "aria-label": one_line(label)}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _plain(parent: ElementTree.Element) -> None:
    """Remove backgrounds, ids and styles; turn the colours into classes."""
    parent.tag = parent.tag.removeprefix(_SVG)
    parent.text = parent.text.strip() if parent.text and parent.tag == "text" else None
    for child in list(parent):
        child.tail = None
        _plain(child)
        is_empty = child.tag == "g" and not len(child)
        if is_empty or child.tag in ("defs", "use") or (child.tag == "path" and not child.get("class")):
            parent.remove(child)
    styles = dict(re.findall(r"([\w-]+): ([^;]+)", parent.attrib.get("style", "")))
    attributes = {name: value for name, value in parent.attrib.items() if name in _KEPT}
    attributes |= {name: value for name, value in styles.items() if name in _STYLES}
    names = [_CLASS_OF[styles[part]] for part in ("fill", "stroke") if styles.get(part) in _CLASS_OF]
    if names:
        attributes["class"] = names[0]
    elif parent.tag == "text":
        attributes["class"] = "words"
    parent.attrib = attributes
