"""``lab status``: the map of the course, and what to do next."""

from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.course import Course, Exercise, Stage
from lab.progress import Progress, StageStanding, Standing, next_exercise, now, standing
from lab.terminal import bar, sign


def show_status(console: Console, course: Course, progress: Progress, *, everything: bool) -> None:
    """Print the stages; the exercises of the stage one is at, or of all."""
    standings = [standing(course, stage, progress) for stage in course.stages]
    upcoming = next_exercise(course, progress)
    for one in standings:
        is_current = upcoming is not None and upcoming.stage == one.stage.id
        console.print(_stage_line(console, one))
        if one.problem:
            console.print(f"   [bad]cannot be read yet:[/] {escape(one.problem)}")
        if everything or is_current:
            console.print(_exercises(console, one, progress, upcoming))
            if count := len(one.stage.questions):
                words = f"{count} question{'s' if count > 1 else ''} to answer in {one.stage.sheet.as_posix()}"
                console.print(f"    [quiet]{words}[/]")
    console.print()
    console.print(_total(standings))
    for line in _advice(course, upcoming):
        console.print(line)


def _stage_line(console: Console, one: StageStanding) -> Table:
    required = [exercise for exercise in one.stage.exercises if not exercise.bonus]
    done = sum(one.exercises[exercise.name] is Standing.DONE for exercise in required)
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    title = f"[name]{one.stage.id}[/]  {escape(one.stage.title)}"
    line.add_row(title, f"{_due(one.stage)}{bar(console, done / max(len(required), 1))} {done:2}/{len(required):<2}")
    return line


def _due(stage: Stage) -> str:
    if stage.due is None:
        return ""
    style = "bad" if stage.due < now() else "quiet"
    return f"[{style}]due {_local(stage.due):%d %b %H:%M}[/]  "


def _local(moment: datetime) -> datetime:
    return moment.astimezone()


def _exercises(console: Console, one: StageStanding, progress: Progress, upcoming: Exercise | None) -> Table:
    rows = Table.grid(padding=(0, 1))
    for _ in range(2):
        rows.add_column(width=1)
    rows.add_column(no_wrap=True)
    rows.add_column(justify="right", no_wrap=True, style="quiet")
    rows.add_column(justify="right", no_wrap=True, style="quiet")
    rows.add_column()
    for exercise in one.stage.exercises:
        now_here = one.exercises[exercise.name]
        hints = progress.hints.get(exercise.key, 0)
        remarks = [
            *([] if now_here in (Standing.NOT_STARTED, Standing.DONE) else [str(now_here)]),
            *(["extension"] if exercise.bonus else []),
            *([f"{hints} of {len(exercise.hints)} hints"] if hints else []),
        ]
        rows.add_row(
            "[name]>[/]" if exercise == upcoming else "",
            sign(console, now_here),
            exercise.name,
            f"{exercise.points} points",
            f"{exercise.minutes} min",
            f"[quiet]{', '.join(remarks)}[/]",
        )
    return rows


def _total(standings: list[StageStanding]) -> str:
    """Counts of exercises and of the points that stand behind them; no grade, and it says so."""
    pairs = [
        (exercise, one.exercises[exercise.name])
        for one in standings
        for exercise in one.stage.exercises
        if not exercise.bonus
    ]
    done = [exercise for exercise, where in pairs if where is Standing.DONE]
    reached, total = sum(one.points for one in done), sum(one.points for one, _ in pairs)
    extensions = sum(
        one.exercises[exercise.name] is Standing.DONE
        for one in standings
        for exercise in one.stage.exercises
        if exercise.bonus
    )
    more = f" and {extensions} extension{'s' if extensions > 1 else ''}" if extensions else ""
    return (
        f"[name]{len(done)} of {len(pairs)} exercises[/]{more} pass their public tests; {reached} of {total} points "
        "stand behind them. [quiet]Points are given by further, hidden tests.[/]"
    )


def _advice(course: Course, upcoming: Exercise | None) -> list[str]:
    if upcoming is None:
        return ["Everything passes its public tests. Hand in: [name]lab submit[/]"]
    file = course.stage(upcoming.stage).file.as_posix()
    return [
        f"Next: [name]{upcoming.name}[/], {escape(upcoming.title)}. Write it in {file}, then [name]lab check[/].",
    ]
