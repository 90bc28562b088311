"""Mutate a stage's reference and count the mutants that pass the hidden tests.

    python -m tools.mutate 1_kernels

mutmut's operators, called through its library, mutate the functions of the reference. Each mutant is
judged like a submission, in a process forked from this one, so nothing is imported again. A survivor
that is equivalent to the reference, or that the contract allows, is listed with its reason in
`docs/mutation/STAGE.md`. The command fails when a survivor is not on that page.
"""

import ast
import difflib
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import click
import libcst
import torch
from mutmut.mutation.file_mutation import create_mutations, deep_replace
from rich.console import Console

from autograder.course.lab import Lab, StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.hidden_tests import collect_checks, run_checks

# CPU time after which a mutant counts as endless. Wall-clock time would count survivors as killed on a busy machine.
SECONDS_PER_MUTANT = 120


@dataclass(frozen=True)
class Mutant:
    """A changed reference: the function that changed, the new text and the difference."""

    function: str
    source: str
    diff: str


@click.command()
@click.argument("stage_id")
@click.option("--seed", default=0, help="Seed of Hypothesis's examples.")
@click.option("--function", "only", help="Mutate only this function or class.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Number of mutants to judge at the same time.")
def main(stage_id: str, seed: int, only: str | None, jobs: int) -> None:
    """Judge every mutant of STAGE_ID's reference and print the survivors."""
    torch.set_num_threads(1)  # threads do not survive a fork
    lab, console = Lab.find(), Console(soft_wrap=True)
    stage = lab.stage(stage_id)
    code = replace(read_course_code(lab, stage), mistakes=())  # a mutant needs no diagnosis
    collect_checks(stage)  # fail early if they cannot be run, and import their modules before forking
    mutants = [mutant for mutant in mutants_of(stage) if only in (None, *_names(mutant))]
    page = lab.root / "docs" / "mutation" / f"{stage_id}.md"
    known = page.read_text(encoding="utf-8") if page.is_file() else ""

    started = time.perf_counter()
    with click.progressbar(length=len(mutants), label="Judging", file=sys.stderr) as bar:
        survivors = judge_all(mutants, lambda mutant: survives(stage, code, seed, mutant), jobs, bar.update)
    unlisted = [mutant for mutant in survivors if mutant.diff not in known]

    for mutant in unlisted:
        console.print(f"{mutant.function}\n{mutant.diff}", markup=False, highlight=False)
    _print_counts(console, mutants, survivors)
    console.print(
        f"{len(mutants)} mutants, {len(mutants) - len(survivors)} killed, {len(survivors)} survive, "
        f"{len(unlisted)} of them not in {page.relative_to(lab.root)} ({time.perf_counter() - started:.0f} s)"
    )
    sys.exit(1 if unlisted else 0)


def mutants_of(stage: StageFolders) -> Iterator[Mutant]:
    """Yield every mutant that mutmut makes of the reference's functions and methods, except of their docstrings."""
    code = stage.reference_source()
    module, mutations, _, _ = create_mutations(str(stage.reference), code, covered_lines=_lines_to_mutate(code))
    for mutation in mutations:
        owner = mutation.contained_by_top_level_function
        if owner is None:
            continue
        changed = deep_replace(module, mutation.original_node, mutation.mutated_node).code  # type: ignore[union-attr]
        if ast.dump(ast.parse(changed)) != ast.dump(ast.parse(code)):
            yield Mutant(_qualified_name(module, owner), changed, _diff(code, changed))


def _qualified_name(module: libcst.Module, function: libcst.FunctionDef) -> str:
    """Return ``function`` or ``Class.method``."""
    for statement in module.body:
        if isinstance(statement, libcst.ClassDef) and any(child is function for child in statement.body.body):
            return f"{statement.name.value}.{function.name.value}"
    return function.name.value


def _names(mutant: Mutant) -> tuple[str, str]:
    """Return the names that select a mutant: its function's and its class's."""
    return mutant.function, mutant.function.partition(".")[0]


def judge_all(
    mutants: Iterable[Mutant], survives: Callable[[Mutant], bool], jobs: int, done: Callable[[int], object]
) -> list[Mutant]:
    """Return the surviving mutants in the order given; judge ``jobs`` of them at a time, each in a child process."""
    waiting, running, alive = list(mutants), dict[int, int](), set[int]()
    for index, mutant in enumerate(waiting):
        if len(running) == jobs:
            _reap(running, alive, done)
        child = os.fork()
        if child == 0:
            _judge_and_exit(mutant, survives)
        running[child] = index
    while running:
        _reap(running, alive, done)
    return [waiting[index] for index in sorted(alive)]


def survives(stage: StageFolders, code: CourseCode, seed: int, mutant: Mutant) -> bool:
    """Return whether the mutant passes every check; its own exercise runs first, because most mutants fail there."""
    modules = {**code.modules, stage.spec.module: mutant.source}
    own = mutant.function.partition(".")[0]

    def open_mutant(check: str, following: str | None) -> InProcessSession:
        session = InProcessSession()
        session.load(modules, stage.spec.module)
        return session

    of_code = {name: exercise for name, exercise in stage.spec.exercises.items() if not exercise.attachments}
    for _, exercise in sorted(of_code.items(), key=lambda item: item[0] != own):
        records = run_checks(stage, open_mutant, code, seed, frozenset(exercise.checks))
        if not all(record.complete and record.error is None for record in records.values()):
            return False
    return True


def _judge_and_exit(mutant: Mutant, survives: Callable[[Mutant], bool]) -> None:
    """Judge one mutant in the child process; exit with 0 only if it survives, not if it dies or never ends."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_PER_MUTANT, SECONDS_PER_MUTANT))  # then the kernel kills the child
    alive = False
    try:
        alive = survives(mutant)
    finally:
        os._exit(0 if alive else 1)


def _reap(running: dict[int, int], alive: set[int], done: Callable[[int], object]) -> None:
    child, status = os.wait()
    index = running.pop(child)
    if status == 0:
        alive.add(index)
    done(1)


def _lines_to_mutate(code: str) -> set[int]:
    """Return the lines of all functions and methods, without their docstrings."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            if ast.get_docstring(node) is not None:
                lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def _diff(code: str, changed: str) -> str:
    """Return the lines that differ, marked `-` and `+`."""
    lines = list(difflib.unified_diff(code.splitlines(), changed.splitlines(), n=0, lineterm=""))[2:]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-")


def _print_counts(console: Console, mutants: list[Mutant], survivors: list[Mutant]) -> None:
    made, alive = Counter(m.function for m in mutants), Counter(m.function for m in survivors)
    for function, count in made.items():
        console.print(f"{function}: {count - alive[function]} of {count} killed", highlight=False)


if __name__ == "__main__":
    main()
