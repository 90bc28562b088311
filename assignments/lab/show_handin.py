"""Output of ``lab submit``: the results of the public tests, the packed files, and what to do with the archive."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.checking import ExerciseResult
from lab.course import Course
from lab.handin import PackedHandIn
from lab.progress import ExerciseStatus
from lab.terminal import sign


def show_stage_lines(console: Console, results: Sequence[ExerciseResult]) -> None:
    """Print one line per stage: the number of exercises that pass, and the names of the others or why none can run."""
    for stage in dict.fromkeys(result.exercise.stage for result in results):
        own = [result for result in results if result.exercise.stage == stage]
        failing = [result for result in own if not result.passed]
        reasons = {result.import_error for result in failing}
        reason = reasons.pop() if len(reasons) == 1 else None
        status = ExerciseStatus.FAILING if failing else ExerciseStatus.DONE
        line = f"{sign(console, status)} [name]{stage}[/]  {len(own) - len(failing)} of {len(own)} exercises pass"
        if reason:
            line += f"; no test can run: {escape(reason)}"
        elif failing:
            line += f"; not yet: {', '.join(result.exercise.name for result in failing)}"
        console.print(line)


def show_pack(console: Console, course: Course, pack: PackedHandIn) -> None:
    """Print the packed files and what is left to do."""
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
    console.print(f"The sha256 of the archive is {pack.digest}", soft_wrap=True)
    console.print(f"Keep the receipt: {receipt}", soft_wrap=True)
    console.print("Nothing was sent. Upload the archive where your course collects hand-ins, or commit and push.")
