"""``autograder verify``: prove that the lab grades as its authors say."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import click
from rich.console import Console

from autograder.authoring.exercise_faults import exercise_faults
from autograder.authoring.update_lock import count_wrong_solutions, update_check_kinds, update_lock
from autograder.authoring.verify import Verdict, count_variants, released_problems, verify_stage
from autograder.cli.endings import FAILURES, OutputConsole
from autograder.cli.shared import (
    LabOption,
    pass_lab,
    progress,
    stage_option,
    unsafe_option,
    workers_option,
)
from autograder.course.lab import Lab, StageFolders
from autograder.course.mistakes import load_mistakes
from autograder.feedback.words import counted
from autograder.judge.pool import JudgePool


@click.command()
@stage_option
@click.option(
    "--seeds", default=1, type=click.IntRange(1), show_default=True, metavar="N", help="Number of seeds to run."
)
@click.option(
    "--update",
    is_flag=True,
    help="Write the lock files (the checks that each mistake loses, and what each check looks at), and stop.",
)
@click.option(
    "--mistakes/--no-mistakes", default=True, show_default=True, help="Judge the named mistakes too: most of the work."
)
@workers_option
@unsafe_option
@pass_lab
def verify(
    option: LabOption,
    stage_ids: tuple[str, ...],
    seeds: int,
    update: bool,
    mistakes: bool,
    workers: int,
    unsafe_no_isolation: bool,
) -> None:
    """Prove that the lab grades correctly.

    All files of a stage list the same exercises and checks; if they do not, nothing is judged. In each
    stage, the reference and every alternative earn all points; an alternative that calls a
    forbidden function is refused in the lines it marks. The stub earns none. Every named mistake loses
    exactly the checks in the lock file, and the diagnosis names it correctly or not at all. Every check
    is lost by some mistake. A mistake costs its own exercise only. Solutions whose values are all wrong earn
    at most 10 % of the points. The hidden tests follow their rules, and `assignments` equals a fresh release.
    """
    if update and not mistakes:
        raise click.UsageError("--update judges the mistakes and --no-mistakes omits them: choose one")
    lab, console = option.lab, OutputConsole(highlight=False)
    stages = [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
    if faults := exercise_faults(lab, stages, locks=not update):
        for fault in faults:
            console.print(fault, markup=False, soft_wrap=True)
        console.print(f"{counted(len(faults), 'fault')}, nothing was judged: grading.yml and the other files disagree")
        sys.exit(FAILURES)
    if update:
        _update(lab, stages, console, range(seeds), workers, isolated=not unsafe_no_isolation)
        return
    problems = [] if stage_ids else released_problems(lab)
    with JudgePool(lab.root, size=workers, isolated=not unsafe_no_isolation) as judges:
        for stage in stages:
            total = count_variants(lab, stage, mistakes) * seeds
            with progress(console, stage.id, total) as advance:
                show = partial(_show, advance)
                found = verify_stage(
                    lab, stage, judges, seeds=range(seeds), workers=workers, with_mistakes=mistakes, on_done=show
                )
            console.print(f"{stage.id}: {total} solutions judged, {len(found)} problems")
            problems += found
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        sys.exit(FAILURES)
    console.print("[green]the lab holds[/]" if mistakes else "[green]the lab holds[/], its mistakes not judged")


def _update(
    lab: Lab, stages: Sequence[StageFolders], console: Console, seeds: range, workers: int, *, isolated: bool
) -> None:
    problems: list[str] = []
    with JudgePool(lab.root, size=workers, isolated=isolated) as judges:
        for stage in stages:
            total = (len(load_mistakes(stage)) + count_wrong_solutions(lab, stage)) * len(seeds)
            with progress(console, stage.id, total) as advance:
                updates = [
                    update(lab, stage, judges, seeds=seeds, workers=workers, on_done=advance)
                    for update in (update_lock, update_check_kinds)
                ]
            changes = [change for update in updates for change in update.changes]
            console.print(f"{stage.id}: {total} solutions judged, {len(changes)} entries changed")
            for change in changes:
                console.print(change, markup=False, soft_wrap=True)
            problems += [problem for update in updates for problem in update.problems]
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        sys.exit(FAILURES)
    console.print("review the changes of the lock files, then run `autograder verify`")


def _show(advance: Callable[[str], None], verdict: Verdict) -> None:
    mark = "; ".join(verdict.problems) or "ok"
    advance(f"{verdict.variant.kind} {verdict.variant.name}: {mark}")
