"""Shows what in a module does not work where it is graded."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from lab.course import Course, Stage
from lab.portability import remarks


def show_remarks(console: Console, course: Course, stages: Iterable[Stage]) -> None:
    """Print the remarks on the modules of some stages; nothing if there is none."""
    found = [remark for stage in stages for remark in remarks(course, stage)]
    if found:
        console.print("\n[warn]This does not work where your code is graded:[/]")
    for remark in found:
        console.print(f"  {remark.file}, line {remark.line}: {escape(remark.text)}", soft_wrap=True)
