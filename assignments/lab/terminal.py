"""The terminal: one console, and signs that every terminal and every pipe can show."""

import io
import sys

from rich.console import Console
from rich.markup import escape
from rich.theme import Theme

from lab.course import Course
from lab.progress import STATE_FOLDER, ExerciseStatus, Progress

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
# The sign carries the meaning without colour; the second sign is for old Windows consoles.
_SIGNS = {
    ExerciseStatus.DONE: ("✓", "+", "good"),
    ExerciseStatus.FAILING: ("✗", "x", "bad"),
    ExerciseStatus.CHANGED: ("~", "~", "warn"),
    ExerciseStatus.STARTED: ("…", ".", "warn"),
    ExerciseStatus.NOT_STARTED: ("·", "-", "quiet"),
}


def make_console() -> Console:
    """Make a console on standard output; characters that its encoding lacks are replaced."""
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


def sign(console: Console, status: ExerciseStatus) -> str:
    """Return the one-character sign of a status, in its colour."""
    rich, plain, style = _SIGNS[status]
    return f"[{style}]{rich if can_show(console, rich) else plain}[/]"


def bar(console: Console, share: float, width: int = 10) -> str:
    """Return a bar of that width, filled up to ``share`` (0 to 1)."""
    full, empty = ("█", "░") if can_show(console, "█░") else ("#", ".")
    filled = int(share * width)
    return f"[good]{full * filled}[/][quiet]{empty * (width - filled)}[/]"


def save_progress(console: Console, course: Course, progress: Progress) -> None:
    """Save the progress; if that fails, say so, because what was shown above is right all the same."""
    try:
        progress.save(course.root)
    except OSError as error:
        reason = f"{course.root / STATE_FOLDER}: {error.strerror or error}"
        console.print(f"[warn]Your progress could not be saved ({escape(reason)}).[/]", soft_wrap=True)
