"""``lab``: the commands, their arguments and exit codes; nothing else.

Exit codes: 0 all is well, 1 a check failed or a problem was found, 2 wrong use.
"""

import sys
from collections.abc import Sequence

import click
from rich.markup import escape

from lab import ci as actions
from lab import doctor as health
from lab import handin
from lab.checking import TIME_LIMIT, check
from lab.course import Course, Exercise, LabError, Stage
from lab.hints import next_hint
from lab.progress import Progress, next_exercise
from lab.reset import reset
from lab.session import Session
from lab.show_checks import show_checks
from lab.show_handin import show_pack, show_submitted
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
    stuck = [one.exercise.name for one in checked if one.is_begun and not one.passed]
    if len(stuck) == 1:
        console.print(f"Stuck? [name]lab hint {stuck[0]}[/]", style="quiet")
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


@cli.command(name="reset")
@click.argument("name", metavar="EXERCISE or STAGE")
def reset_command(name: str) -> None:
    """Put an exercise or a stage back; what you wrote is kept."""
    course = Course.find()
    exercises = course.select(name)
    backup = reset(course, exercises, Progress.load(course.root))
    console = make_console()
    what = exercises[0].name if len(exercises) == 1 else exercises[0].stage
    console.print(f"[name]{what}[/] is as it was handed out.")
    if backup is not None:
        console.print(f"What you wrote is kept in {backup.relative_to(course.root).as_posix()}", soft_wrap=True)


@cli.command()
@click.argument("name", required=False, metavar="[EXERCISE]")
@click.option("--limit", default=TIME_LIMIT, show_default=True, metavar="SECONDS", help="Longest time for one test.")
def watch(name: str | None, limit: float) -> None:
    """Check again at every save; move on when you say so."""
    from lab.watch import Watcher

    course = Course.find()
    exercise = _one(_selected(course, Progress.load(course.root), [name] if name else []))
    Watcher(make_console(), course, exercise, limit).run()


@cli.command()
def doctor() -> None:
    """Look at this machine: each problem with its fix."""
    console = make_console()
    problems = 0
    for finding in health.examine(Course.find()):
        problems += bool(finding.fix)
        word = "[bad]problem[/]" if finding.fix else "[good]fine[/]   "
        console.print(f"{word}  [name]{finding.name}[/]: {escape(finding.found)}", soft_wrap=True)
        if finding.fix:
            console.print(f"         fix: {escape(finding.fix)}", soft_wrap=True)
    console.print(f"{problems} problem{'s' if problems != 1 else ''}." if problems else "All is well.")
    if problems:
        sys.exit(1)


@cli.command()
@click.argument("names", nargs=-1, metavar="[STAGE]…")
@click.option("--student", metavar="ID", help="Your id, as your course knows you; remembered from then on.")
def submit(names: Sequence[str], student: str | None) -> None:
    """Check the stages you began, and pack them with a receipt."""
    course = Course.find()
    progress = Progress.load(course.root)
    console = make_console()
    stages = named_stages(course, names) or handin.begun_stages(course, progress)
    if not stages:
        raise LabError("there is nothing to hand in yet: every stage is as it was handed out")
    known = student or progress.student or click.prompt("Your id, as your course knows you")
    progress.student = handin.student_id(known)
    checked = check(course, [exercise for stage in stages for exercise in stage.exercises], progress)
    show_submitted(console, checked)
    show_pack(console, course, handin.pack(course, stages, progress.student, checked))
    if left := [stage.id for stage in course.stages if stage not in stages]:
        console.print(f"Left out: {', '.join(left)}. Name what to hand in: lab submit {left[0]}", style="quiet")


@cli.command()
def ci() -> None:
    """Check everything, as after a push; fails when something that was begun does."""
    course = Course.find()
    checked = check(course, course.exercises, Progress.load(course.root))
    actions.write_summary(actions.summary(course, checked))
    show_submitted(make_console(), checked)
    for command in actions.commands(course, checked):
        click.echo(command)
    if actions.failing(checked):
        sys.exit(1)


def named_stages(course: Course, names: Sequence[str]) -> tuple[Stage, ...]:
    """The stages named, or those of the exercises named, each once."""
    found = [course.stage(course.select(name)[0].stage) for name in names]
    return tuple(dict.fromkeys(found))


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
