"""Grade a large class with pathological hand-ins, and measure memory, time and honest points.

    python -m benchmarks.load --write        # 300 submissions over all stages, 10 % pathological; writes docs/load.md
    python -m benchmarks.load --students 2   # a short try

The grader runs as a user runs it: one command, two cores, one gradebook. The benchmark fails if an honest student
loses another check than the design says, if the memory of the command grows with the class, or if the seconds per
submission grow.
"""

import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
import psutil

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport, decode_results
from autograder.course.lab import Lab
from autograder.release import write_nbgrader_source
from benchmarks.commands import processor
from benchmarks.load_class import LargeClass, write_large_class

PAGE = Path("docs") / "load.md"
PARTS = 5
# The command may grow by its results; a leak of a megabyte per submission would exceed this.
MOST_GROWTH = 1.5
MOST_SLOWDOWN = 2.0
_MEGABYTE = 1 << 20
_SAMPLE_SECONDS = 0.5


@click.command()
@click.option("--students", default=50, show_default=True, help="Number of students; each hands in every stage.")
@click.option("--share", default=0.1, show_default=True, help="Share of pathological students.")
@click.option("--workers", default=2, show_default=True, help="Number of workers, and of cores.")
@click.option("--write", is_flag=True, help=f"Write the tables to {PAGE.as_posix()}.")
def main(students: int, share: float, workers: int, write: bool) -> None:
    """Grade a large class and print what it took."""
    lab = Lab.find()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        measured = measure(lab, Path(folder), students, share, workers)
    text = page(measured, workers)
    print(text)
    if write:
        write_atomically(lab.root / PAGE, text.encode())
    problems = measured.problems()
    if problems:
        sys.exit("\n".join(problems))


@dataclass
class Measured:
    """What grading a class took.

    Attributes:
        large: the class.
        seconds: wall time of the command.
        done: for each result, the seconds since the start.
        memory: the kind of process → (seconds since the start, MB of the largest process of that kind).
        reports: the results.
        exit_code: the code of the command.
    """

    large: LargeClass
    seconds: float = 0.0
    done: list[float] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    reports: list[StageReport] = field(default_factory=list)
    exit_code: int = 0

    def wrong(self) -> list[str]:
        """Honest results that differ from the design, one line each."""
        lines = []
        for report in self.reports:
            expected = self.large.expected.get((report.student, report.stage))
            lost = {check.id for check in report.checks if not check.passed}
            if expected is not None and lost != expected:
                lines.append(f"{report.student} {report.stage}: lost or kept by mistake: {sorted(lost ^ expected)}")
        missing = self.large.expected.keys() - {(report.student, report.stage) for report in self.reports}
        return lines + [f"{student} {stage}: no report" for student, stage in sorted(missing)]

    def problems(self) -> list[str]:
        """What the benchmark does not accept, one line each."""
        lines = self.wrong()
        if self.exit_code != 0:
            lines.append(f"the command ended with code {self.exit_code}")
        early, late = self.growth("command")
        if late > MOST_GROWTH * early:
            lines.append(f"the command grew from {early:.0f} to {late:.0f} MB")
        rates = self.rates()
        if len(rates) == PARTS and rates[-1] > MOST_SLOWDOWN * statistics.median(rates):
            lines.append(f"the last submissions took {rates[-1]:.2f} s each, {statistics.median(rates):.2f} is usual")
        return lines

    def growth(self, kind: str) -> tuple[float, float]:
        """The largest memory of a kind of process in the second and in the last fifth of the run."""
        parts = [
            [size for at, size in self.memory[kind] if PARTS * at // max(self.seconds, 1e-9) == part]
            for part in (1, PARTS - 1)
        ]
        return max(parts[0], default=0.0), max(parts[1], default=0.0)

    def rates(self) -> list[float]:
        """Seconds per submission in each fifth of the class; fewer if the class is small."""
        size = max(len(self.done) // PARTS, 1)
        ends = [0.0, *self.done[size - 1 :: size]][: PARTS + 1]
        return [(end - start) / size for start, end in itertools.pairwise(ends)]


def measure(lab: Lab, folder: Path, students: int, share: float, workers: int) -> Measured:
    """Grade a class in a workspace of its own below ``folder``."""
    course = folder / "course"
    shutil.copytree(lab.root, course, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    copied = Lab(course)
    write_nbgrader_source(copied)
    measured = Measured(write_large_class(copied.stages(), folder / "class", students, share))
    results = folder / "results.json"
    arguments = ["grade", str(folder / "class"), "--workers", str(workers), "--json", str(results)]
    started = time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "autograder", *arguments],
        cwd=course,
        env={**os.environ, "AUTOGRADER_SECRET": "the secret of the load benchmark", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:workers])),
    )
    watcher = threading.Thread(target=_watch, args=(command.pid, started, measured), daemon=True)
    watcher.start()
    assert command.stdout is not None
    for line in command.stdout:
        if line.startswith("grading "):
            measured.done.append(time.monotonic() - started)
    measured.exit_code = command.wait()
    measured.seconds = time.monotonic() - started
    watcher.join()
    if results.exists():
        _, measured.reports = decode_results(results.read_bytes())
    return measured


_NOT_COPIED = (".git", ".venv", "build", "gradebook.db*", "__pycache__", ".*_cache", "class", ".hypothesis")


def _watch(pid: int, started: float, measured: Measured) -> None:
    """Record the memory of every process of the command until it ends."""
    while True:
        try:
            command = psutil.Process(pid)
            sizes: dict[str, float] = defaultdict(float)
            for kind, process in _processes(command):
                sizes[kind] = max(sizes[kind], process.memory_info().rss / _MEGABYTE)
            if command.status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            if not psutil.pid_exists(pid):
                return
            continue
        for kind, size in sizes.items():
            measured.memory[kind].append((time.monotonic() - started, size))
        time.sleep(_SAMPLE_SECONDS)


def _processes(command: psutil.Process) -> Iterator[tuple[str, psutil.Process]]:
    """Yield every process of a command with its kind."""
    yield "command", command
    for process in command.children(recursive=True):
        try:
            line, parent = " ".join(process.cmdline()), process.ppid()
        except psutil.NoSuchProcess:
            continue
        if "autograder.judge.start" in line:
            yield ("judge" if parent == command.pid else "job"), process
        elif "autograder.isolation" in line:
            yield "student code", process
        else:
            yield "other", process


def page(measured: Measured, workers: int) -> str:
    """Return the page, as Markdown."""
    large = measured.large
    honest = len(large.expected)
    right = honest - len(measured.wrong())
    memory = "\n".join(
        f"| {kind} | {measured.growth(kind)[0]:.0f} | {measured.growth(kind)[1]:.0f} | {max(s for _, s in sizes):.0f} |"
        for kind, sizes in measured.memory.items()
    )
    rates = "\n".join(f"| {part} | {rate:.2f} |" for part, rate in enumerate(measured.rates(), start=1))
    kinds = "\n".join(f"- {kind}" for kind in dict.fromkeys(large.pathological.values()))
    return f"""\
# How does the grader bear a large class?

`python -m benchmarks.load --write` writes this page: it grades {large.submissions} submissions with {workers} workers
on {workers} cores.

- Date: {datetime.now(UTC):%Y-%m-%d}; machine: {processor()}, {psutil.virtual_memory().total >> 30} GiB, \
{platform.system()} {platform.release()}
- Python {platform.python_version()}, torch {version("torch")}, nbgrader {version("nbgrader")}
- {large.submissions} submissions of {len(large.pathological) + len({name for name, _ in large.expected})} students, \
{len(large.pathological)} of them pathological
- {measured.seconds:.0f} s in all; exit code {measured.exit_code}
- honest results as designed: {right} of {honest}

## Does memory grow?

The largest process of each kind, in MB (resident, shared pages included):

| process | second fifth of the run | last fifth | largest |
|---|---|---|---|
{memory}

## Does time grow?

| fifth of the class | seconds per submission |
|---|---|
{rates}

## Which hand-ins are pathological?

{kinds or "None in this class."}
"""


if __name__ == "__main__":
    main()
