"""Judge every mutant of the references, and record which checks kill it.

    python -m tools.mutate 1_kernels       # one stage
    python -m tools.mutate --all
    python -m tools.mutate --since main    # what changed since a commit: functions, or stages whose tests changed

Each mutant is judged like a submission, in a process forked from this one, so nothing is imported again. Verdicts are
kept in `build/mutants` as they come: a run that is stopped goes on when the command is repeated. A full run of a stage
updates `docs/validity.json` and the page `docs/validity.md`. The command fails on a survivor without a reason in
`docs/validity_reasons.yml`.
"""

import ast
import hashlib
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import torch

from autograder.course.lab import Lab, StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.hidden_tests import collect_checks, run_checks
from tools.mutants import Mutant, mutants_of
from tools.validity import Verdict, read_reasons, record_of, write_record

# CPU time after which a mutant counts as endless. Wall-clock time would count survivors as killed on a busy machine.
SECONDS_PER_MUTANT = 60
ENDED = ("(its process ended)",)


@click.command()
@click.argument("stage_ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Judge the mutants of every stage.")
@click.option("--since", metavar="COMMIT", help="Judge the mutants of what changed since this commit.")
@click.option("--function", "only", help="Judge only mutants of this function or class.")
@click.option("--seed", default=0, help="Seed of Hypothesis's examples.")
@click.option("--jobs", default=os.cpu_count() or 1, help="Number of mutants to judge at the same time.")
def main(stage_ids: tuple[str, ...], every: bool, since: str | None, only: str | None, seed: int, jobs: int) -> None:
    """Judge the mutants of STAGE_IDS' references and print the survivors without a reason."""
    torch.set_num_threads(1)  # threads do not survive a fork
    lab = Lab.find()
    chosen = {stage.id: frozenset[str]() for stage in (lab.stages() if every else map(lab.stage, stage_ids))}
    if since is not None:
        chosen |= changed_since(lab, since)
    if not chosen and since is None:
        raise click.UsageError("name a stage, or give --all or --since")
    unexplained = 0
    for stage_id, functions in chosen.items():
        wanted = functions | ({only} if only else set())
        unexplained += mutate_stage(lab, lab.stage(stage_id), wanted, seed, jobs)
    sys.exit(1 if unexplained else 0)


def mutate_stage(lab: Lab, stage: StageFolders, functions: frozenset[str], seed: int, jobs: int) -> int:
    """Judge the mutants of some functions, or of all; return the number of survivors without a reason."""
    code = replace(read_course_code(lab, stage), mistakes=())  # a mutant needs no diagnosis
    collect_checks(stage)  # fail early if they cannot be run, and import their modules before forking
    mutants = {mutant.digest: mutant for mutant in mutants_of(stage)}
    chosen = {d: m for d, m in mutants.items() if not functions or functions & {m.function, m.definition}}
    log = VerdictLog(lab.build / "mutants" / f"{stage.id}.jsonl", tests_digest(stage, code, seed))
    known = log.read()
    waiting = [mutant for digest, mutant in chosen.items() if digest not in known]
    click.echo(f"{stage.id}: {len(chosen)} mutants, {len(chosen) - len(waiting)} of them judged before")
    with click.progressbar(length=len(waiting), label=stage.id, file=sys.stderr) as bar:
        judge_all(waiting, lambda mutant: killers(stage, code, seed, mutant), log, jobs, bar.update)
    verdicts = {digest: verdict for digest, verdict in log.read().items() if digest in chosen}
    reasons = read_reasons(lab, stage.id)
    survivors = [chosen[digest] for digest, verdict in verdicts.items() if not verdict.killed_by]
    unexplained = [mutant for mutant in survivors if mutant.diff not in reasons]
    for mutant in unexplained:
        click.echo(f"{mutant.function}\n{mutant.diff}")
    seconds = sum(verdict.seconds for verdict in verdicts.values()) / max(1, len(verdicts))
    click.echo(
        f"{stage.id}: {len(verdicts) - len(survivors)} killed, {len(survivors)} survive, {len(unexplained)} of them "
        f"without a reason; {seconds:.1f} CPU seconds for each mutant"
    )
    if verdicts.keys() == mutants.keys():
        date = datetime.now(UTC).date().isoformat()
        diffs = {digest: mutant.diff for digest, mutant in mutants.items()}
        write_record(lab, stage.id, record_of(verdicts, diffs, date))
    return len(unexplained)


class VerdictLog:
    """A file of verdicts, one a line; each process appends its own, so a run that is stopped loses none."""

    def __init__(self, path: Path, tests: str) -> None:
        self._path = path
        self._tests = tests
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, Verdict]:
        """Return the verdicts of the present tests, by digest of the mutant; half a line is ignored."""
        found = {}
        lines = self._path.read_bytes().splitlines() if self._path.is_file() else []
        for line in lines:
            try:
                verdict = msgspec.json.decode(line, type=Verdict)
            except msgspec.DecodeError:
                continue
            if verdict.tests == self._tests:
                found[verdict.mutant] = verdict
        return found

    def add(self, mutant: Mutant, killed_by: Iterable[str], seconds: float) -> None:
        """Append one verdict in a single write."""
        verdict = Verdict(mutant=mutant.digest, tests=self._tests, killed_by=tuple(killed_by), seconds=seconds)
        with self._path.open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(verdict) + b"\n")


def tests_digest(stage: StageFolders, code: CourseCode, seed: int) -> str:
    """Identify what decides a verdict: the hidden tests, the modules of the stage and the seed."""
    digest = hashlib.sha256(repr((seed, sorted(code.modules.items()))).encode())
    for path in sorted(stage.hidden_tests.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def judge_all(
    mutants: Iterable[Mutant],
    killers: Callable[[Mutant], list[str]],
    log: VerdictLog,
    jobs: int,
    done: Callable[[int], object],
) -> None:
    """Judge ``jobs`` mutants at a time, each in a child process that writes its verdict to the log."""
    running: dict[int, Mutant] = {}
    for mutant in mutants:
        if len(running) == jobs:
            _reap(running, log, done)
        child = os.fork()
        if child == 0:
            _judge_and_exit(mutant, killers, log)
        running[child] = mutant
    while running:
        _reap(running, log, done)


def _judge_and_exit(mutant: Mutant, killers: Callable[[Mutant], list[str]], log: VerdictLog) -> None:
    """Judge one mutant in the child process; exit with 0 only if its verdict is in the log."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_PER_MUTANT, SECONDS_PER_MUTANT))  # then the kernel kills the child
    written = False
    try:
        started = time.process_time()
        killed_by = killers(mutant)
        log.add(mutant, killed_by, round(time.process_time() - started, 2))
        written = True
    finally:
        os._exit(0 if written else 1)


def _reap(running: dict[int, Mutant], log: VerdictLog, done: Callable[[int], object]) -> None:
    child, status, used = os.wait3(0)
    mutant = running.pop(child)
    if status != 0:
        log.add(mutant, ENDED, round(used.ru_utime + used.ru_stime, 2))
    done(1)


def killers(stage: StageFolders, code: CourseCode, seed: int, mutant: Mutant) -> list[str]:
    """Return the checks that the mutant fails: those of its own exercise, or else all others."""
    modules = {**code.modules, stage.spec.module: mutant.source}

    def open_mutant(check: str, following: str | None) -> InProcessSession:
        session = InProcessSession()
        session.load(modules, stage.spec.module)
        return session

    own = {check.id for check in stage.spec.checks if check.exercise == mutant.definition} & stage.spec.code_checks
    for checks in filter(None, (own, stage.spec.code_checks - own)):
        records = run_checks(stage, open_mutant, code, seed, frozenset(checks))
        failed = [check for check, record in records.items() if not record.complete or record.error is not None]
        if failed:
            return sorted(failed)
    return []


def changed_since(lab: Lab, commit: str) -> Mapping[str, frozenset[str]]:
    """Return the stages that changed, and their changed functions and classes; none stands for all of a stage."""
    changed: dict[str, frozenset[str]] = {}
    for stage in lab.stages():
        if _git(lab, "diff", "--name-only", commit, "--", str(stage.hidden_tests)):
            changed[stage.id] = frozenset()
            continue
        hunks = re.findall(
            r"^@@ .*\+(\d+)(?:,(\d+))? @@", _git(lab, "diff", "-U0", commit, "--", str(stage.reference)), re.MULTILINE
        )
        lines = {int(first) + more for first, count in hunks for more in range(int(count or 1) or 1)}
        definitions = frozenset(
            node.name
            for node in ast.parse(stage.reference_source()).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        )
        if definitions:
            changed[stage.id] = definitions
    return changed


def _git(lab: Lab, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=lab.root, capture_output=True, text=True)
    if done.returncode != 0:
        raise click.UsageError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
