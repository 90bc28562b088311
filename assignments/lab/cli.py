"""``lab``: the commands, their arguments and exit codes; nothing else.

Exit codes: 0 all is well, 1 a check failed or a problem was found, 2 wrong use.
"""

import sys
from collections.abc import Sequence

import click
from rich.markup import escape

from lab.course import Course, Exercise, LabError
from lab.hints import next_hint
from lab.progress import Progress, next_exercise
from lab.session import TIME_LIMIT, Session, check
from lab.show_checks import show_checks
from lab.show_status import show_status
from lab.terminal import make_console


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Your companion through the lab. Everything stays on this machine."""


@cli.command()
@click.option("--all", "everything", is_flag=True, help="Show the exercises of every stage.")
def status(everything: bool) -> None:
    """Show where you are and what comes next."""
    course = Course.find()
    show_status(make_console(), course, Progress.load(course.root), everything=everything)


@cli.command(name="check")
@click.argument("names", nargs=-1, metavar="[EXERCISE or STAGE]…")
@click.option("--all", "everything", is_flag=True, help="Check every exercise of every stage.")
@click.option("--limit", default=TIME_LIMIT, show_default=True, metavar="SECONDS", help="Longest time for one test.")
def check_command(names: Sequence[str], everything: bool, limit: float) -> None:
    """Run public tests: of the next exercise, or of those named."""
    course = Course.find()
    progress = Progress.load(course.root)
    exercises = course.exercises if everything else _selected(course, progress, names)
    with Session(course.root) as session:  # it starts while the console is made ready
        checked = check(course, exercises, progress, session=session, limit=limit)
    console = make_console()
    show_checks(console, course, checked)
    if not all(one.passed for one in checked):
        sys.exit(1)
    upcoming = next_exercise(course, progress)
    console.print(f"Next: [name]{upcoming.name}[/]" if upcoming else "All public tests pass: [name]lab submit[/]")


@cli.command()
@click.argument("name", required=False, metavar="[EXERCISE]")
@click.option("--again", is_flag=True, help="Only repeat the hints you have seen.")
def hint(name: str | None, again: bool) -> None:
    """Give the next of three hints, from idea to formula."""
    course = Course.find()
    progress = Progress.load(course.root)
    exercise = _one(_selected(course, progress, [name] if name else []))
    console = make_console()
    for line in next_hint(exercise, progress, again=again):
        console.print(line)
    progress.save(course.root)


def _selected(course: Course, progress: Progress, names: Sequence[str]) -> tuple[Exercise, ...]:
    """The exercises named, each once; the next one when none is named."""
    if names:
        return tuple(dict.fromkeys(exercise for name in names for exercise in course.select(name)))
    upcoming = next_exercise(course, progress)
    if upcoming is None:
        raise LabError("every exercise passes its public tests; name one, or hand in with `lab submit`")
    return (upcoming,)


def _one(exercises: Sequence[Exercise]) -> Exercise:
    if len(exercises) != 1:
        raise LabError(f"name one exercise of {exercises[0].stage}: {', '.join(one.name for one in exercises)}")
    return exercises[0]


def run() -> int:
    """Run a command; errors that a student can mend are one line, without a traceback."""
    try:
        cli.main(prog_name="lab", standalone_mode=False)
    except LabError as error:
        make_console().print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0
