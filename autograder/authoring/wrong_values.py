"""Solutions with wrong values: the reference, with the results of every exercise spoiled.

Their shapes, dtypes, devices, parameters and errors are right. What they pass shows which checks look at values.
"""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from autograder.authoring.spoiler import FORMULAS, NOTHING
from autograder.course.check_kinds import CheckKind
from autograder.course.config import Stage
from autograder.course.lab import StageFolders
from autograder.course.python_source import parse_python

# The largest share of a stage's points that a solution with wrong values may earn.
MOST_POINTS = 0.1
_SPOILER = Path(__file__).with_name("spoiler.py")


def wrong_solutions(stage: Stage, modules: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the name and the modules of each solution with wrong values, and of one whose results are all None."""
    spoiler = _SPOILER.read_text(encoding="utf-8")
    for kind in (*FORMULAS, NOTHING):
        main = _spoiled(modules[stage.module], stage.exercises, kind)
        yield kind, {**modules, stage.module: main, _SPOILER.stem: spoiler}


def check_kinds(stage: Stage, kept: Mapping[str, Collection[str]]) -> dict[str, CheckKind]:
    """Return the kind of each check that reads no attachment.

    Args:
        stage: the stage.
        kept: name of the solution → the checks that found nothing wrong with it.
    """
    wrong = frozenset[str]().union(*(checks for name, checks in kept.items() if name != NOTHING))
    kinds = {}
    for check in stage.check_ids:
        if check in stage.code_checks:
            form = CheckKind.FORM if check in wrong else CheckKind.VALUES
            kinds[check] = CheckKind.STRUCTURE if check in kept[NOTHING] else form
    return kinds


def earns_too_much(stage: Stage, name: str, score: int) -> Iterator[str]:
    """Yield a problem if a solution with wrong values earns more than the allowed share of the points."""
    points = sum(check.points for check in stage.checks if check.id in stage.code_checks)
    if score > MOST_POINTS * points:
        yield f"wrong values ({name}) earn {score} of {points} points, more than {MOST_POINTS:.0%}"


def kind_problems(
    stage: StageFolders, listed: Mapping[str, CheckKind], found: Mapping[str, CheckKind]
) -> Iterator[str]:
    """Yield a problem for each exercise without a check of values, and for each check whose kind is not the listed one.

    Args:
        stage: the stage.
        listed: check → its kind in the lock file.
        found: check → its kind according to the solutions with wrong values.
    """
    for name, exercise in stage.spec.exercises.items():
        kinds = {found[check] for check in exercise.checks if check in found}
        if kinds and CheckKind.VALUES not in kinds:
            yield f"every check of {name} passes for some solution with wrong values: compare values in one of them"
    for check in sorted(listed.keys() | found.keys()):
        if listed.get(check) != found.get(check):
            kinds_of = (
                f"{listed.get(check, 'nothing')} in {stage.checks_lock.name}, {found.get(check, 'nothing')} by judging"
            )
            yield f"check {check} looks at {kinds_of}; run `autograder verify --stage {stage.id} --update`"


def _spoiled(reference: str, exercises: Collection[str], kind: str) -> str:
    nodes = [node for node in parse_python(reference).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    lines: Sequence[str] = reference.splitlines(keepends=True)
    starts = {_first_line(node) - 1 for node in nodes if node.name in exercises}
    first = min(_first_line(node) - 1 for node in nodes)
    text = []
    for number, line in enumerate(lines):
        if number == first:
            text.append(f"import {_SPOILER.stem}\n\nspoiled = {_SPOILER.stem}.Spoiler({kind!r})\n\n\n")
        if number in starts:
            text.append("@spoiled\n")
        text.append(line)
    return "".join(text)


def _first_line(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min(part.lineno for part in (*node.decorator_list, node))
