"""What ``lab submit`` says: how the public tests stand, what was packed, and what to do with it."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from lab.checking import Checked
from lab.course import Course
from lab.handin import Pack
from lab.progress import Standing
from lab.terminal import sign


def show_submitted(console: Console, checked: Sequence[Checked]) -> None:
    """One line per stage: how many exercises pass, and which do not."""
    for stage in dict.fromkeys(one.exercise.stage for one in checked):
        own = [one for one in checked if one.exercise.stage == stage]
        failing = [one.exercise.name for one in own if not one.passed]
        standing = Standing.FAILING if failing else Standing.DONE
        line = f"{sign(console, standing)} [name]{stage}[/]  {len(own) - len(failing)} of {len(own)} exercises pass"
        console.print(f"{line}; not yet: {', '.join(failing)}" if failing else line)


def show_pack(console: Console, course: Course, pack: Pack) -> None:
    """The receipt, and what is left to do."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(justify="right", no_wrap=True, style="quiet")
    rows.add_column(no_wrap=True, overflow="ellipsis", style="quiet")
    for name, digest, size in pack.files:
        rows.add_row(name, f"{size} bytes", f"sha256 {digest[:16]}")
    console.print()
    console.print(rows)
    archive, receipt = (path.relative_to(course.root).as_posix() for path in (pack.archive, pack.receipt))
    when = f"{pack.when.astimezone():%d %b %Y at %H:%M:%S %Z}"
    console.print(f"\nPacked on {when}: [name]{archive}[/]", soft_wrap=True)
    console.print(f"Its sha256 is {pack.digest}", soft_wrap=True)
    console.print(f"The receipt is in {receipt}; keep it.", soft_wrap=True)
    console.print("Nothing was sent: upload the archive where your course collects, or commit and push.")
