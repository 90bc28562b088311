"""``lab status``: the stages of the course, your progress and the next exercise."""

from collections.abc import Collection
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from lab.course import Course, Exercise, Stage
from lab.progress import ExerciseStatus, Progress, StageStatus, next_exercise, now, stage_status
from lab.sheet import read_answers
from lab.terminal import bar, sign


def show_status(
    console: Console, course: Course, progress: Progress, *, everything: bool = False, shown: Collection[str] = ()
) -> None:
    """Print the stages and what is left to do.

    Args:
        console: the console.
        course: the course.
        progress: the last checks.
        everything: show the exercises of all stages; otherwise those of the current stage.
        shown: ids of the stages whose exercises are shown instead.
    """
    statuses = [stage_status(course, stage, progress) for stage in course.stages]
    upcoming = next_exercise(course, progress)
    for status in statuses:
        is_current = status.stage.id in (shown or ([upcoming.stage] if upcoming else []))
        console.print(_stage_line(console, status))
        if status.problem:
            console.print(Padding(f"[bad]cannot be read:[/] {escape(status.problem)}", (0, 0, 0, 4)))
        if everything or is_current:
            console.print(_exercises(console, status, progress, upcoming))
        if everything or is_current or _is_started(status):
            for sentence in read_answers(course.root, status.stage).sentences():
                console.print(Padding(f"[warn]question[/] {escape(sentence)}", (0, 0, 0, 4)))
    console.print()
    console.print(_total(statuses))
    unreadable = {status.stage.id for status in statuses if status.problem}
    console.print(_advice(course, upcoming, unreadable))


def _is_started(status: StageStatus) -> bool:
    return any(current is not ExerciseStatus.NOT_STARTED for current in status.exercises.values())


def _stage_line(console: Console, status: StageStatus) -> Table:
    required = [exercise for exercise in status.stage.exercises if not exercise.bonus]
    done = sum(status.exercises[exercise.name] is ExerciseStatus.DONE for exercise in required)
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    title = f"[name]{status.stage.id}[/]  {escape(status.stage.title)}"
    line.add_row(title, f"{_due(status.stage)}{bar(console, done / max(len(required), 1))} {done:2}/{len(required):<2}")
    return line


def _due(stage: Stage) -> str:
    if stage.due is None:
        return ""
    style = "bad" if stage.due < now() else "quiet"
    return f"[{style}]due {_local(stage.due):%d %b %H:%M}[/]  "


def _local(moment: datetime) -> datetime:
    return moment.astimezone()


def _exercises(console: Console, status: StageStatus, progress: Progress, upcoming: Exercise | None) -> Table:
    rows = Table.grid(padding=(0, 1))
    for _ in range(2):
        rows.add_column(width=1)
    rows.add_column(no_wrap=True)
    for _ in range(2):
        rows.add_column(justify="right", no_wrap=True, style="quiet")
    rows.add_column()
    for exercise in status.stage.exercises:
        current = status.exercises[exercise.name]
        hints = progress.hints.get(exercise.key, 0)
        remarks = [
            *([] if current in (ExerciseStatus.NOT_STARTED, ExerciseStatus.DONE) else [str(current)]),
            *(["extension"] if exercise.bonus else []),
            *([f"{hints} of {len(exercise.hints)} hints"] if hints else []),
        ]
        rows.add_row(
            "[name]>[/]" if exercise == upcoming else "",
            sign(console, current),
            exercise.name,
            f"{exercise.points} points",
            f"{exercise.minutes} min",
            f"[quiet]{', '.join(remarks)}[/]",
        )
    return rows


def _total(statuses: list[StageStatus]) -> str:
    """Return the counts of exercises and of their points, with the remark that hidden tests give the points."""
    exercises = [(status, exercise) for status in statuses for exercise in status.stage.exercises]
    required = [exercise for _, exercise in exercises if not exercise.bonus]
    done = [exercise for status, exercise in exercises if status.exercises[exercise.name] is ExerciseStatus.DONE]
    done_required = [exercise for exercise in done if not exercise.bonus]
    extensions = len(done) - len(done_required)
    more = f" and {extensions} extension{'s' if extensions > 1 else ''}" if extensions else ""
    reached, total = (sum(exercise.points for exercise in group) for group in (done_required, required))
    return (
        f"[name]{len(done_required)} of {len(required)} exercises[/]{more} pass their public tests; they are worth "
        f"{reached} of {total} points. [quiet]Further, hidden tests decide the points.[/]"
    )


def _advice(course: Course, upcoming: Exercise | None, unreadable: Collection[str]) -> str:
    if upcoming is None:
        return "All public tests pass. Hand in: [name]lab submit[/]"
    file = course.stage(upcoming.stage).file.as_posix()
    if upcoming.stage in unreadable:
        return f"Next: fix the error in {file}, then [name]lab check[/]."
    return f"Next: [name]{upcoming.name}[/], {escape(upcoming.title)}. Write it in {file}, then [name]lab check[/]."
