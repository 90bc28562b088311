"""Write ``mistakes.lock.json``: the checks that each named mistake of a stage loses, found by judging it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograder.base.atomic_files import write_atomically
from autograder.base.parallel_map import parallel_map
from autograder.base.results import Outcome
from autograder.course.lab import Lab, StageFolders
from autograder.course.mistakes import encode_lock, read_lock
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.messages import Broken, Job
from autograder.pipeline.grade import Judges


@dataclass(frozen=True)
class LockUpdate:
    """The result of an update: ``changes`` lists changed entries, ``problems`` entries that were not written."""

    changes: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Judged:
    """One mistake judged with one seed: the checks that it loses, or the reason why they are unknown."""

    mistake: str
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
        (mistake.id, mistake.apply(code.modules[stage.spec.module]), seed)
        for mistake in code.mistakes
        for seed in seeds
    ]
    judged = parallel_map(
        lambda job: _judge(stage, code, judges, *job),
        jobs,
        workers,
        lambda result: on_done(result.mistake),
        judges.stop,
    )
    before = {name: frozenset(checks) for name, checks in read_lock(stage).items()}
    after: dict[str, frozenset[str]] = {}
    problems = []
    for mistake in code.mistakes:
        results = [result for result in judged if result.mistake == mistake.id]
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


def _judge(stage: StageFolders, code: CourseCode, judges: Judges, mistake_id: str, source: str, seed: int) -> _Judged:
    modules = {**code.modules, stage.spec.module: source}
    reply = judges.judge(Job(stage=stage.id, modules=modules, seed=seed, checks=stage.spec.code_checks))
    if isinstance(reply, Broken):
        return _Judged(mistake_id, problem=f"the judge failed: {reply.reason.strip()}")
    if any(check.outcome is Outcome.GRADER_ERROR for check in reply.checks):
        return _Judged(mistake_id, problem="a check ended in a grader error")
    return _Judged(mistake_id, frozenset(check.id for check in reply.checks if not check.passed))


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
