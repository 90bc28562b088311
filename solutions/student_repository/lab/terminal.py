"""The terminal: one console, signs that every terminal can show, and nothing that breaks in a pipe."""

import io
import sys

from rich.console import Console
from rich.theme import Theme

from lab.progress import Standing

THEME = Theme(
    {
        "good": "green",
        "bad": "red",
        "warn": "yellow",
        "quiet": "dim",
        "name": "bold",
        "mark": "bold red",
    }
)
# Colour-blind eyes and terminals without colour read the sign, old Windows consoles the second one.
_SIGNS = {
    Standing.DONE: ("✓", "+", "good"),
    Standing.FAILING: ("✗", "x", "bad"),
    Standing.CHANGED: ("~", "~", "warn"),
    Standing.BEGUN: ("…", ".", "warn"),
    Standing.NOT_STARTED: ("·", "-", "quiet"),
}


def make_console() -> Console:
    """A console on standard output; characters that its encoding lacks are replaced, not fatal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(theme=THEME, highlight=False)


def can_show(console: Console, text: str) -> bool:
    """Whether the console's encoding has these characters."""
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sign(console: Console, standing: Standing) -> str:
    """One character for a standing, in its colour."""
    rich, plain, style = _SIGNS[standing]
    return f"[{style}]{rich if can_show(console, rich) else plain}[/]"


def bar(console: Console, share: float, width: int = 10) -> str:
    """A bar that is filled up to a share of it."""
    full, empty = ("█", "░") if can_show(console, "█░") else ("#", ".")
    filled = int(share * width)
    return f"[good]{full * filled}[/][quiet]{empty * (width - filled)}[/]"
