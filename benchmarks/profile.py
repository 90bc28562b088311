"""CPU seconds of one submission by part: where the time of grading goes.

    python -m benchmarks.profile 2_attention

Three solutions of a stage are judged as a warm judge does it, in a fork and in isolation: the reference, a mistake
from the middle of the catalogue, and the reference with every result doubled. The reference is also judged in process,
without isolation.

The judge's time is sampled: every few milliseconds of processor time, the innermost frame of a known part gets what
passed since the last sample. The times of the template and its workers are those of the kernel. A second loop that
only starts workers and loads the submission tells the start of a worker from its calls.
"""

import json
import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from autograder.authoring.wrong_values import wrong_solutions
from autograder.course.lab import Lab, StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.preload import import_rest_of_torch
from autograder.isolation.process import Template
from autograder.isolation.proxy import Session
from autograder.judge.course_code import read_course_code
from autograder.judge.run import judge_stage
from autograder.judge.server import prepare_for_forks

# Part of the judge → parts of the paths of its files. The innermost frame that matches decides.
PARTS = {
    "exchanges": ("isolation/wire.py", "isolation/worker.py", "isolation/stream.py", "isolation/proxy.py"),
    "course code": ("isolation/executor.py", "isolation/in_process.py", "isolation/sources.py", "/lab/"),
    "start of workers": ("isolation/process.py", "isolation/control.py"),
    "comparison": ("judge/compare.py", "judge/replies.py"),
    "inputs, oracles": ("tests/hidden/", "judge/strategies.py", "judge/probes.py"),
    "Hypothesis": ("/hypothesis/",),
    "pytest, rest": ("/_pytest/", "/pluggy/", "autograder/judge/"),
}
DIAGNOSIS = "diagnosis"
STARTS, CALLS = "workers: start", "workers: calls"
_DIAGNOSIS_FILE = "judge/diagnose.py"
_INTERVAL = 0.004
# How long the template may take to reap the workers of a submission that was judged.
_REAPING_SECONDS = 0.3

Cost = tuple[float, float]  # user and system seconds


@click.command()
@click.argument("stage_ids", nargs=-1)
@click.option("--rounds", default=3, show_default=True, help="Number of times to judge each solution; medians count.")
def main(stage_ids: tuple[str, ...], rounds: int) -> None:
    """Print a table for each of STAGE_IDS, all by default."""
    lab = Lab.find()
    with Template.start() as template:
        for stage_id in stage_ids or [stage.id for stage in lab.stages()]:
            _Profile(lab.stage(stage_id), template, rounds).show()


@dataclass
class Sampler:
    """Attributes processor time of this process to parts while it is installed."""

    costs: dict[str, list[float]]
    _last: Cost = (0.0, 0.0)

    def install(self) -> None:
        """Start sampling."""
        self._last = _own_cost()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)

    def stop(self) -> dict[str, list[float]]:
        """Stop sampling and return part → user and system seconds."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        return self.costs

    def _sample(self, number: int, frame: FrameType | None) -> None:
        now = _own_cost()
        cost = self.costs.setdefault(_part_of(frame), [0.0, 0.0])
        for index in (0, 1):
            cost[index] += now[index] - self._last[index]
        self._last = now


def _part_of(frame: FrameType | None) -> str:
    part = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.endswith(_DIAGNOSIS_FILE):
            return DIAGNOSIS
        part = part or next((name for name, marks in PARTS.items() if any(mark in file for mark in marks)), "")
        frame = frame.f_back
    return part or "pytest, rest"


def _own_cost() -> Cost:
    times = os.times()
    return times.user, times.system


class _Profile:
    """The profile of one stage."""

    def __init__(self, stage: StageFolders, template: Template, rounds: int) -> None:
        self._stage = stage
        self._template = template
        self._rounds = rounds
        self._code = read_course_code(Lab(stage.root), stage)
        import_rest_of_torch()  # as from the second job on
        prepare_for_forks(stage)

    def show(self) -> None:
        """Judge the solutions and print the table."""
        columns = {name: self._isolated(modules) for name, modules in self._solutions()}
        columns["reference, in process"] = self._in_process()
        table = Table("CPU seconds, user + system", *columns, title=f"{self._stage.id}: one submission")
        inside = [*PARTS, DIAGNOSIS]
        for part in [*(f"  {name}" for name in inside), "judge", "template", STARTS, CALLS, "all"]:
            table.add_row(part, *(_words(costs.get(part.strip())) for costs in columns.values()))
        Console(width=140).print(table)

    def _solutions(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        code, main = self._code, self._stage.spec.module
        yield "reference", code.modules
        mistake = code.mistakes[len(code.mistakes) // 2]
        yield f"mistake {mistake.id}", {**code.modules, main: mistake.apply(code.modules[main])}
        name, modules = next(iter(wrong_solutions(self._stage.spec, code.modules)))
        yield f"all wrong: {name}", modules

    def _isolated(self, modules: Mapping[str, str]) -> dict[str, Cost]:
        rounds = [self._round(modules) for _ in range(self._rounds + 1)][1:]  # the first one warms up
        parts = {part for costs, _ in rounds for part in costs}
        costs = {part: _median([costs.get(part, (0.0, 0.0)) for costs, _ in rounds]) for part in parts}
        workers = round(statistics.median(count for _, count in rounds))
        start = self._start_of_worker(modules)
        calls = costs.pop("workers")
        template = costs.pop("template")
        starts = workers * start[0], workers * start[1]
        return {
            **costs,
            "judge": _sum(costs.values()),
            "template": template,
            STARTS: starts,
            CALLS: _minus(calls, starts),
            "all": _sum([*costs.values(), template, calls]),
        }

    def _round(self, modules: Mapping[str, str]) -> tuple[dict[str, Cost], int]:
        before = self._template_costs()
        costs, workers = _in_fork(lambda: self._judge(modules, self._template.spawn))
        template, ended = (_minus(after, then) for after, then in zip(self._template_costs(), before, strict=True))
        return {**costs, "template": template, "workers": ended}, workers

    def _in_process(self) -> dict[str, Cost]:
        def judge() -> Any:
            return self._judge(self._code.modules, InProcessSession)

        rounds = [_in_fork(judge)[0] for _ in range(self._rounds + 1)][1:]
        costs = {part: _median([costs.get(part, (0.0, 0.0)) for costs in rounds]) for part in rounds[0]}
        return {**costs, "judge": _sum(costs.values()), "all": _sum(costs.values())}

    def _judge(self, modules: Mapping[str, str], open_session: Callable[[], Session]) -> Any:
        workers = Counter[str]()

        def counted() -> Session:
            workers["opened"] += 1
            return open_session()

        sampler = Sampler({})
        sampler.install()
        only = self._stage.spec.code_checks
        judge_stage(self._stage, modules, counted, self._code, 0, only=only)
        return sampler.stop(), workers["opened"]

    def _start_of_worker(self, modules: Mapping[str, str], count: int = 20) -> Cost:
        """The cost of a worker that loads the submission and ends."""
        before = self._template_costs()[1]
        for _ in range(count):
            worker = self._template.spawn()
            worker.request("load", modules=dict(modules), main=self._stage.spec.module)
            worker.kill()
        user, system = _minus(self._template_costs()[1], before)
        return user / count, system / count

    def _template_costs(self) -> tuple[Cost, Cost]:
        """The costs of the template and of its workers that have ended."""
        time.sleep(_REAPING_SECONDS)
        process = psutil.Process(self._template._process.pid)
        while "bwrap" in process.name():  # around the template
            process = process.children()[0]
        times = process.cpu_times()
        return (times.user, times.system), (times.children_user, times.children_system)


def _in_fork(work: Callable[[], Any]) -> Any:
    """Run in a fork, as the judge does for each job, and return the result."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        result = json.load(pipe)
    os.wait()
    return result


def _minus(first: Cost, second: Cost) -> Cost:
    return first[0] - second[0], first[1] - second[1]


def _sum(costs: Iterable[Cost]) -> Cost:
    listed = list(costs)
    return sum(cost[0] for cost in listed), sum(cost[1] for cost in listed)


def _median(costs: Iterable[Cost]) -> Cost:
    user, system = zip(*costs, strict=True)
    return statistics.median(user), statistics.median(system)


def _words(cost: Cost | None) -> str:
    return "" if cost is None else f"{sum(cost):.2f} = {cost[0]:.2f} + {cost[1]:.2f}"


if __name__ == "__main__":
    main()
