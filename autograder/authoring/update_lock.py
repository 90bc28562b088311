"""Write the lock files of a stage by judging.

``mistakes.lock.json`` holds the checks that each named mistake loses, ``checks.lock.json`` what each check looks at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autograder.authoring.wrong_values import check_kinds, wrong_solutions
from autograder.base.atomic_files import write_atomically
from autograder.base.parallel_map import parallel_map
from autograder.base.results import Outcome
from autograder.course.check_kinds import encode_check_kinds, read_check_kinds
from autograder.course.lab import Lab, StageFolders
from autograder.course.mistakes import encode_lock, read_lock
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Broken, Job
from autograder.pipeline.judging import Judges


@dataclass(frozen=True)
class LockUpdate:
    """The result of an update: ``changes`` lists changed entries, ``problems`` entries that were not written."""

    changes: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Judged:
    """One solution judged with one seed: the checks that it loses, or the reason why they are unknown."""

    name: str
    lost: frozenset[str] = frozenset()
    problem: str = ""


def update_lock(
    lab: Lab,
    stage: StageFolders,
    judges: Judges,
    *,
    seeds: Sequence[int],
    workers: int,
    on_done: Callable[[str], None] = lambda mistake_id: None,
) -> LockUpdate:
    """Judge every mistake of a stage with each seed and write the checks that it loses.

    An entry stays unchanged if the lost checks depend on the seed, if the judge failed, or if the mistake loses no
    check or not every check of its ``must_fail``. Entries of mistakes that the catalogue no longer has are removed.

    Raises:
        LabError: the stage's files are incomplete, or a mistake does not fit the reference.
    """
    code = read_course_code(lab, stage)
    jobs = [
        (mistake.id, {**code.modules, stage.spec.module: mistake.apply(code.modules[stage.spec.module])}, seed)
        for mistake in code.mistakes
        for seed in seeds
    ]
    judged = parallel_map(
        lambda job: _judge(stage, judges, *job), jobs, workers, lambda result: on_done(result.name), judges.stop
    )
    before = {name: frozenset(checks) for name, checks in read_lock(stage).items()}
    after: dict[str, frozenset[str]] = {}
    problems = []
    for mistake in code.mistakes:
        results = [result for result in judged if result.name == mistake.id]
        problem = _problem(results, mistake.must_fail)
        if problem:
            problems.append(f"{stage.id}: mistake {mistake.id}: {problem}")
        after[mistake.id] = before.get(mistake.id, frozenset()) if problem else results[0].lost
    write_atomically(stage.mistakes_lock, encode_lock(after))
    names = dict.fromkeys([*after, *before])
    changes = [
        f"{stage.id}: {name}: {_difference(before, after, name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]
    return LockUpdate(tuple(changes), tuple(problems))


def update_check_kinds(
    lab: Lab,
    stage: StageFolders,
    judges: Judges,
    *,
    seeds: Sequence[int],
    workers: int,
    on_done: Callable[[str], None] = lambda name: None,
) -> LockUpdate:
    """Judge the solutions with wrong values and write what each check looks at; nothing is written if a judge failed.

    Raises:
        LabError: the stage's files are incomplete.
    """
    code = read_course_code(lab, stage)
    jobs = [(name, modules, seed) for name, modules in wrong_solutions(stage.spec, code.modules) for seed in seeds]
    judged = parallel_map(lambda job: _judge(stage, judges, *job), jobs, workers, lambda result: on_done(result.name))
    if problems := [
        f"{stage.id}: wrong values ({result.name}): {result.problem}" for result in judged if result.problem
    ]:
        return LockUpdate((), tuple(problems))
    kept = {name: frozenset[str]() for name, _, _ in jobs}
    for result in judged:
        kept[result.name] |= stage.spec.code_checks - result.lost
    before, after = read_check_kinds(stage), check_kinds(stage.spec, kept)
    write_atomically(stage.checks_lock, encode_check_kinds(after))
    changes = [
        f"{stage.id}: {check}: {before.get(check, 'new')} → {after.get(check, 'removed')}"
        for check in dict.fromkeys([*after, *before])
        if before.get(check) != after.get(check)
    ]
    return LockUpdate(tuple(changes), ())


def count_wrong_solutions(lab: Lab, stage: StageFolders) -> int:
    """Return the number of solutions that ``update_check_kinds`` judges with each seed."""
    return sum(1 for _ in wrong_solutions(stage.spec, read_course_code(lab, stage).modules))


def _judge(stage: StageFolders, judges: Judges, name: str, modules: Mapping[str, str], seed: int) -> _Judged:
    reply = judges.judge(Job(stage=stage.id, modules=dict(modules), seed=seed, checks=stage.spec.code_checks))
    if isinstance(reply, Broken):
        return _Judged(name, problem=f"the judge failed: {reply.reason.strip()}")
    if any(check.outcome is Outcome.GRADER_ERROR for check in reply.checks):
        return _Judged(name, problem="a check ended in a grader error")
    return _Judged(name, frozenset(check.id for check in reply.checks if not check.holds))


def _problem(results: Sequence[_Judged], must_fail: frozenset[str]) -> str:
    """Return why the checks that a mistake loses are not written; empty if they are."""
    if failures := [result.problem for result in results if result.problem]:
        return failures[0]
    lost = results[0].lost
    if varying := frozenset().union(*(result.lost ^ lost for result in results)):
        return f"it loses {', '.join(sorted(varying))} with some seeds only"
    if not lost:
        return "it loses no check: the hidden tests accept it"
    if kept := must_fail - lost:
        return f"it does not lose {', '.join(sorted(kept))}, which its `must_fail` lists"
    return ""


def _difference(before: dict[str, frozenset[str]], after: dict[str, frozenset[str]], name: str) -> str:
    if name not in after:
        return "removed"
    old, new = before.get(name, frozenset()), after[name]
    return " ".join([*(f"-{check}" for check in sorted(old - new)), *(f"+{check}" for check in sorted(new - old))])
