"""``lab``: the commands with their arguments and exit codes.

Exit codes: 0 no problem, 1 a check failed or a problem was found, 2 usage error.
"""

import sys
from collections.abc import Sequence

import click
from rich.markup import escape

from lab import ci as actions
from lab import doctor as health
from lab import handin
from lab.ask import ask_id, confirm_answers
from lab.checking import TIME_LIMIT, check
from lab.course import CompanionError, Course, Exercise, Stage
from lab.hints import next_hint
from lab.progress import Progress, next_exercise, selected
from lab.reset import reset
from lab.runner_process import RunnerProcess
from lab.show_checks import show_checks
from lab.show_handin import show_pack, show_stage_lines
from lab.show_remarks import show_remarks
from lab.show_status import show_status
from lab.solutions import released_solution
from lab.terminal import make_console, save_progress


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Companion of the lab: progress, checks, hints and hand-in. Everything stays on this machine."""


@cli.command()
@click.argument("names", nargs=-1, metavar="[STAGE]…")
@click.option("--all", "everything", is_flag=True, help="Show the exercises of every stage.")
def status(names: Sequence[str], everything: bool) -> None:
    """Show your progress and the next exercise, or the exercises of the named stages."""
    course = Course.find()
    shown = [stage.id for stage in named_stages(course, names)]
    show_status(make_console(), course, Progress.load(course.root), everything=everything, shown=shown)


@cli.command(name="check")
@click.argument("names", nargs=-1, metavar="[EXERCISE or STAGE]…")
@click.option("--all", "everything", is_flag=True, help="Check every exercise of every stage.")
@click.option("--limit", default=TIME_LIMIT, show_default=True, metavar="SECONDS", help="Time limit of one test.")
def check_command(names: Sequence[str], everything: bool, limit: float) -> None:
    """Run the public tests of the named exercises, or of the next exercise."""
    course = Course.find()
    progress = Progress.load(course.root)
    exercises = course.exercises if everything else selected(course, progress, names)
    with RunnerProcess(course.root) as process:  # it starts while the console is made
        results = check(course, exercises, progress, process=process, limit=limit)
    console = make_console()
    show_checks(console, course, results)
    show_remarks(console, course, _stages(course, exercises))
    save_progress(console, course, progress)
    stuck = [result.exercise.name for result in results if result.can_have_a_hint]
    if len(stuck) == 1:
        console.print(f"Stuck? [name]lab hint {stuck[0]}[/]", style="quiet")
    if not all(result.passed for result in results):
        sys.exit(1)
    upcoming = next_exercise(course, progress)
    console.print(f"Next: [name]{upcoming.name}[/]" if upcoming else "All public tests pass: [name]lab submit[/]")


@cli.command()
@click.argument("name", required=False, metavar="[EXERCISE]")
@click.option("--again", is_flag=True, help="Show only the hints that you have seen.")
def hint(name: str | None, again: bool) -> None:
    """Show the next of three hints, from idea to formula."""
    course = Course.find()
    progress = Progress.load(course.root)
    exercise = _only(selected(course, progress, [name] if name else []))
    console = make_console()
    for line in next_hint(exercise, progress, again=again):
        console.print(line)
    save_progress(console, course, progress)


@cli.command()
@click.argument("name", metavar="EXERCISE")
def solution(name: str) -> None:
    """Show the course's solution of an exercise after yours, once your course has released it."""
    course = Course.find()
    exercise = _only(course.select(name))
    found = released_solution(course, exercise)
    if found is None:
        raise CompanionError(f"your course has not released the solution of {exercise.name}")
    console = make_console()
    for label, code in (("yours", found.yours), ("the course's", found.ours)):
        console.print(f"[name]{label}[/]")
        console.print(code, markup=False, soft_wrap=True)
        console.print()


@cli.command(name="reset")
@click.argument("name", metavar="EXERCISE or STAGE")
def reset_command(name: str) -> None:
    """Restore the stub of an exercise or a stage; a copy of your code is kept."""
    course = Course.find()
    exercises = course.select(name)
    progress = Progress.load(course.root)
    backup = reset(course, exercises, progress)
    console = make_console()
    target = exercises[0].name if len(exercises) == 1 else exercises[0].stage
    console.print(f"[name]{target}[/] is reset to its stub.")
    if backup is not None:
        console.print(f"Your code is kept in {backup.relative_to(course.root).as_posix()}", soft_wrap=True)
    save_progress(console, course, progress)


@cli.command()
@click.argument("name", required=False, metavar="[EXERCISE]")
@click.option("--limit", default=TIME_LIMIT, show_default=True, metavar="SECONDS", help="Time limit of one test.")
def watch(name: str | None, limit: float) -> None:
    """Check an exercise at every save; go on when you say so."""
    from lab.watch import Watcher

    course = Course.find()
    exercise = _only(selected(course, Progress.load(course.root), [name] if name else []))
    Watcher(make_console(), course, exercise, limit).run()


@cli.command()
def doctor() -> None:
    """Examine this machine and show a fix for each problem."""
    console = make_console()
    problems = 0
    for finding in health.examine(Course.find()):
        problems += bool(finding.fix)
        word = "[bad]problem[/]" if finding.fix else "[good]fine[/]   "
        console.print(f"{word}  [name]{finding.name}[/]: {escape(finding.found)}", soft_wrap=True)
        if finding.fix:
            console.print(f"         fix: {escape(finding.fix)}", soft_wrap=True)
    console.print(f"{problems} problem{'s' if problems != 1 else ''}." if problems else "No problems found.")
    if problems:
        sys.exit(1)


@cli.command()
@click.argument("names", nargs=-1, metavar="[STAGE]…")
@click.option("--student", metavar="ID", help="Your id in the course; remembered for later commands.")
def submit(names: Sequence[str], student: str | None) -> None:
    """Check the stages that you started, and pack them with a receipt."""
    course = Course.find()
    progress = Progress.load(course.root)
    console = make_console()
    stages = named_stages(course, names) or handin.started_stages(course, progress)
    if not stages:
        raise CompanionError("there is nothing to hand in yet: no stage has been started")
    answer = student or progress.student or ask_id()
    progress.student = handin.student_id(answer)
    try:
        results = check(course, [exercise for stage in stages for exercise in stage.exercises], progress)
    except CompanionError as error:  # the work can be handed in all the same
        console.print(f"[bad]The public tests were not run: {escape(str(error))}[/]", soft_wrap=True)
        results = []
    show_stage_lines(console, results)
    show_remarks(console, course, stages)
    if not confirm_answers(console, course, stages):
        console.print("Nothing was packed.")
        sys.exit(1)
    show_pack(console, course, handin.pack(course, stages, progress.student, results))
    save_progress(console, course, progress)
    if omitted := [stage.id for stage in course.stages if stage not in stages]:
        command = f"lab submit {omitted[0]}"
        console.print(f"Not included: {', '.join(omitted)}. To hand in a stage, name it: {command}", style="quiet")


@cli.command()
def ci() -> None:
    """Check everything, as after a push; fail if a started exercise fails."""
    course = Course.find()
    progress = Progress.load(course.root)
    results = check(course, course.exercises, progress)
    actions.write_summary(actions.summary(course, results))
    console = make_console()
    show_stage_lines(console, results)
    save_progress(console, course, progress)
    for command in actions.commands(course, results):
        click.echo(command)
    if actions.failing(results):
        sys.exit(1)


def named_stages(course: Course, names: Sequence[str]) -> tuple[Stage, ...]:
    """Return the named stages and the stages of the named exercises, each once."""
    return _stages(course, [course.select(name)[0] for name in names])


def _stages(course: Course, exercises: Sequence[Exercise]) -> tuple[Stage, ...]:
    """Return the stages of some exercises, each once."""
    return tuple(course.stage(stage_id) for stage_id in dict.fromkeys(exercise.stage for exercise in exercises))


def _only(exercises: Sequence[Exercise]) -> Exercise:
    if len(exercises) != 1:
        names = ", ".join(exercise.name for exercise in exercises)
        raise CompanionError(f"name one exercise of {exercises[0].stage}: {names}")
    return exercises[0]


def run() -> int:
    """Run a command; errors that a student can fix are printed as one line, without a traceback."""
    try:
        cli.main(prog_name="lab", standalone_mode=False)
    except CompanionError as error:
        make_console().print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except OSError as error:  # a full disk, a read-only folder
        reason = f"{error.filename or 'a file'} cannot be read or written: {error.strerror or error}"
        make_console().print(f"[bad]{escape(reason)}[/]", soft_wrap=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0
