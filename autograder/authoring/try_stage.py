"""Run a stage's hidden tests on its own solutions and mistakes in this process, for authors.

``python -m autograder.authoring.try_stage 2_attention`` shows in seconds what ``autograder verify``
proves in isolation. All code that it runs is the course's own.
"""

import functools
import sys
from collections.abc import Iterable

import click
from rich.console import Console
from rich.markup import escape

from autograder.authoring.exercise_faults import exercise_faults
from autograder.base.console import SafeConsole
from autograder.base.results import CheckResult
from autograder.course.alternatives import load_alternatives
from autograder.course.lab import Lab, StageFolders
from autograder.course.promises import promise_problems
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.lint import lint_hidden_tests
from autograder.judge.run import judge_stage


@click.command()
@click.argument("stage_id")
@click.option("--mistakes/--no-mistakes", default=True, help="Run the mistakes.")
@click.option("--alternatives/--no-alternatives", default=True, help="Run the alternatives.")
@click.option(
    "--only", multiple=True, help="Run only the mistake or alternative with this id; may be given several times."
)
@click.option("--seed", default=0, help="Seed of the inputs that Hypothesis draws.")
def main(stage_id: str, mistakes: bool, alternatives: bool, only: tuple[str, ...], seed: int) -> None:
    """Judge the reference, alternatives and mistakes of STAGE_ID, and print every unexpected result."""
    lab, console = Lab.find(), SafeConsole(soft_wrap=True)
    stage = lab.stage(stage_id)
    if faults := exercise_faults(lab, [stage], locks=False):
        for fault in faults:
            console.print(f"[red]fault[/] {escape(fault)}")
        sys.exit(1)
    code = read_course_code(lab, stage)
    judge = functools.partial(_judge, stage, code, seed)
    for problem in (*lint_hidden_tests(stage), *promise_problems(stage, code.mistakes)):
        console.print(f"[red]lint error[/] {escape(problem)}")
    if not only:
        _report(console, "reference", judge(code.modules[stage.spec.module]), frozenset())
    for alternative in load_alternatives(stage) if alternatives else []:
        if not only or alternative.name in only:
            results = judge(alternative.source, forbid=not alternative.refused)
            _report(console, f"alternative {alternative.name}", results, frozenset())
    named = 0
    chosen = [mistake for mistake in code.mistakes if mistakes and (not only or mistake.id in only)]
    for mistake in chosen:
        results = judge(mistake.apply(code.modules[stage.spec.module]))
        _report(console, mistake.id, results, mistake.fails)
        names = {result.mistake for result in results if result.mistake}
        named += names == {mistake.id}
        if names - {mistake.id}:
            console.print(f"    [red]is diagnosed as[/] {', '.join(sorted(names - {mistake.id}))}")
        elif mistake.named and not names:
            console.print("    [yellow]is not named[/]")
    without_mistake = ", ".join(
        sorted(stage.spec.code_checks.difference(*(mistake.fails for mistake in code.mistakes)))
    )
    console.print(
        f"{len(chosen)} mistakes, {named} named correctly; checks that no mistake loses: {without_mistake or 'none'}"
    )


def _judge(
    stage: StageFolders, code: CourseCode, seed: int, source: str, forbid: bool = True
) -> tuple[CheckResult, ...]:
    modules = {**code.modules, stage.spec.module: source}
    return judge_stage(stage, modules, InProcessSession, code, seed, forbid=forbid, only=stage.spec.code_checks)


def _report(console: Console, name: str, results: Iterable[CheckResult], expected: frozenset[str]) -> None:
    results = list(results)
    failed = {result.id: result for result in results if not result.holds}
    lost = sum(result.points for result in failed.values())
    total = sum(result.points for result in results)
    seconds = sum(result.seconds for result in results)
    mark = "[green]ok[/]" if failed.keys() == expected else "[red]UNEXPECTED[/]"
    console.print(f"{mark} {name}: loses {lost} of {total} ({seconds:.2f} s)")
    for check in sorted(failed.keys() - expected):
        result = failed[check]
        console.print(f"    loses check {check}: {result.outcome}, {result.what} ({result.where})", markup=False)
    for check in sorted(expected - failed.keys()):
        console.print(f"    does not lose check {check}", markup=False)


if __name__ == "__main__":
    main()
