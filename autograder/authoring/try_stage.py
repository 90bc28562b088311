"""Run a stage's hidden tests over its own solutions and mistakes, in this process: for authors.

``python -m autograder.authoring.try_stage 2_attention`` answers in seconds what ``autograder verify``
proves in isolation. Everything it runs is the course's own code.
"""

import functools
from collections.abc import Iterable

import click
from rich.console import Console
from rich.markup import escape

from autograder.authoring.verify import LARGEST_COST
from autograder.base.results import CheckResult
from autograder.course.alternatives import load_alternatives
from autograder.course.lab import Lab, StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.lint import lint_hidden_tests
from autograder.judge.run import judge_stage


@click.command()
@click.argument("stage_id")
@click.option("--mistakes/--no-mistakes", default=True, help="Run the catalogue of mistakes.")
@click.option("--alternatives/--no-alternatives", default=True, help="Run the alternatives.")
@click.option("--only", multiple=True, help="Only the mistakes or alternatives with this id.")
@click.option("--seed", default=0, help="What Hypothesis draws from.")
def main(stage_id: str, mistakes: bool, alternatives: bool, only: tuple[str, ...], seed: int) -> None:
    """Judge STAGE_ID's reference, alternatives and mistakes, and print what is not as it should be."""
    lab, console = Lab.find(), Console(soft_wrap=True)
    stage = lab.stage(stage_id)
    trusted = read_course_code(lab, stage)
    judge = functools.partial(_judge, stage, trusted, seed)
    for problem in lint_hidden_tests(stage):
        console.print(f"[red]rule broken[/] {escape(problem)}")
    if not only:
        _report(console, "reference", judge(trusted.modules[stage.spec.module]), frozenset())
    for one in load_alternatives(stage) if alternatives else []:
        if not only or one.name in only:
            _report(console, f"alternative {one.name}", judge(one.source, forbid=not one.refused), frozenset())
    named = 0
    chosen = [mistake for mistake in trusted.mistakes if mistakes and (not only or mistake.id in only)]
    for mistake in chosen:
        results = judge(mistake.apply(trusted.modules[stage.spec.module]))
        _report(console, mistake.id, results, mistake.fails)
        names = {result.mistake for result in results if result.mistake}
        named += names == {mistake.id}
        if names - {mistake.id}:
            console.print(f"    [red]named wrongly[/]: {', '.join(sorted(names - {mistake.id}))}")
        elif mistake.named and not names:
            console.print("    [yellow]not named[/]")
    console.print(f"{len(chosen)} mistakes, {named} named rightly; checks without a mistake: {_idle(stage, trusted)}")


def _judge(
    stage: StageFolders, trusted: CourseCode, seed: int, source: str, forbid: bool = True
) -> tuple[CheckResult, ...]:
    modules = {**trusted.modules, stage.spec.module: source}
    return judge_stage(stage, modules, InProcessSession, trusted, seed, forbid=forbid, only=stage.spec.code_checks)


def _report(console: Console, name: str, results: Iterable[CheckResult], expected: frozenset[str]) -> None:
    results = list(results)
    failed = {result.id: result for result in results if not result.passed}
    lost = sum(result.points for result in failed.values())
    total = sum(result.points for result in results)
    seconds = sum(result.seconds for result in results)
    mark = "[green]ok[/]" if failed.keys() == expected else "[red]NOT AS LISTED[/]"
    share = f" [red]over {LARGEST_COST:.0%}[/]" if lost > LARGEST_COST * total and expected else ""
    console.print(f"{mark} {name}: loses {lost} of {total}{share} ({seconds:.2f} s)")
    for check in sorted(failed.keys() - expected):
        result = failed[check]
        console.print(f"    unexpected: {check}: {result.outcome} {result.what} ({result.where})", markup=False)
    for check in sorted(expected - failed.keys()):
        console.print(f"    survived: {check}", markup=False)


def _idle(stage: StageFolders, trusted: CourseCode) -> str:
    killed = frozenset[str]().union(*(mistake.fails for mistake in trusted.mistakes))
    return ", ".join(sorted(stage.spec.code_checks - killed)) or "none"


if __name__ == "__main__":
    main()
