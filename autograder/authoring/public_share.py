"""Measure which share of a stage's named mistakes the public tests catch, for authors.

``python -m autograder.authoring.public_share 2_attention`` lists the mistakes that pass all public tests of their
exercise, and the correct solutions that fail a public test. It exits with 1 if there is such a solution, or if less
than half of the mistakes are caught. All code that it runs is the course's own.
"""

import contextlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from rich.markup import escape

from autograder.base.console import SafeConsole
from autograder.course.alternatives import load_alternatives
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.mistakes import Mistake, load_mistakes
from autograder.release.folders import FileContent
from autograder.release.public_tests import public_tests
from autograder.release.solved import write_solved

# A public test takes milliseconds: a mistake that needs longer than this many seconds never ends.
_LIMIT = 20
_LEAST_SHARE = 0.5
_OPTIONS = ("-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:faulthandler")


@dataclass(frozen=True)
class PublicShare:
    """What the public tests of a stage catch.

    Attributes:
        caught: the mistakes that fail a public test of their exercise.
        missed: the mistakes that pass them all.
        false_alarms: the correct solutions that fail a public test.
    """

    caught: tuple[Mistake, ...]
    missed: tuple[Mistake, ...]
    false_alarms: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the mistakes that are caught."""
        return len(self.caught) / max(len(self.caught) + len(self.missed), 1)


def measure(lab: Lab, stage: StageFolders) -> PublicShare:
    """Run the public tests of a stage on its correct solutions and its mistakes, each in a fork of this process."""
    tests = public_tests(stage)
    reference, mistakes = stage.reference_source(), load_mistakes(stage)
    trials = [_Trial("reference", reference)] + [_Trial(entry.name, entry.source) for entry in load_alternatives(stage)]
    trials += [_Trial(entry.id, entry.apply(reference), frozenset(tests[entry.exercise])) for entry in mistakes]
    with _student_repository(lab, stage) as file:
        passed = _run_trials(stage, file, trials)
    return PublicShare(
        tuple(mistake for mistake in mistakes if mistake.id not in passed),
        tuple(mistake for mistake in mistakes if mistake.id in passed),
        tuple(trial.name for trial in trials if trial.tests is None and trial.name not in passed),
    )


@dataclass(frozen=True)
class _Trial:
    """A solution, and the names of the tests to run on it; None runs all of them."""

    name: str
    source: str
    tests: frozenset[str] | None = None


class _TrialPlugin:
    """A pytest plugin that collects the tests once, and runs them on each solution in a fork."""

    def __init__(self, module: str, trials: Sequence[_Trial]) -> None:
        self.module = module
        self.trials = trials
        self.passed: set[str] = set()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the trials in place of the tests."""
        for trial in self.trials:
            process = os.fork()
            if process == 0:
                code = 1
                try:
                    signal.alarm(_LIMIT)  # ends a solution that never ends
                    code = 0 if self._passes(session, trial) else 1
                finally:
                    os._exit(code)
            if os.waitpid(process, 0)[1] == 0:
                self.passed.add(trial.name)
        return True

    def _passes(self, session: pytest.Session, trial: _Trial) -> bool:
        module = sys.modules[self.module]
        for name in [name for name in vars(module) if not name.startswith("__")]:
            delattr(module, name)
        exec(compile(trial.source, str(module.__file__), "exec"), module.__dict__)
        for item in session.items:
            if trial.tests is None or item.name.split("[")[0] in trial.tests:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if session.testsfailed:
                    return False
        return trial.tests != frozenset()


def _run_trials(stage: StageFolders, file: Path, trials: Sequence[_Trial]) -> set[str]:
    """Return the names of the solutions that pass their tests."""
    kept = sys.path[:], dict(sys.modules), Path.cwd()
    plugin = _TrialPlugin(stage.spec.module, trials)
    os.chdir(file.parent)
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as output:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            code = pytest.main([*_OPTIONS, f"--rootdir={file.parents[1]}", str(file)], plugins=[plugin])
    finally:
        sys.path[:] = kept[0]
        for name in sys.modules.keys() - kept[1].keys():  # the next stage imports its own modules
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(file.parents[1])):
                del sys.modules[name]
        os.chdir(kept[2])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise LabError(f"the public tests of {stage.id} cannot be run:\n{output.getvalue()}")
    return plugin.passed


@contextlib.contextmanager
def _student_repository(lab: Lab, stage: StageFolders) -> Iterator[Path]:
    """Yield the stage's file of public tests, in a student's repository with every stage solved."""
    with tempfile.TemporaryDirectory(prefix="public-share-") as folder:
        root = Path(folder).resolve()
        write_solved(lab, root)
        for path in (lab.root / "solutions" / "student_repository").glob("conftest.py"):  # finds the other stages
            FileContent.of(path).write(root / path.name)
        file = root / stage.id / f"test_{stage.spec.module}.py"
        FileContent.of(stage.folder / file.name).write(file)
        yield file


@click.command()
@click.argument("stage_ids", nargs=-1, metavar="[STAGE]…")
@click.option("--missed/--no-missed", default=True, help="List the mistakes that pass the public tests.")
def main(stage_ids: tuple[str, ...], missed: bool) -> None:
    """Print the share of each STAGE's mistakes that its public tests catch; without STAGE, of every stage."""
    lab, console = Lab.find(), SafeConsole(soft_wrap=True)
    problems = 0
    for stage in [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages():
        found = measure(lab, stage)
        console.print(f"{stage.id}: {len(found.caught)} of {len(found.caught) + len(found.missed)} ({found.share:.0%})")
        for name in found.false_alarms:
            console.print(f"    [red]false alarm[/]: {escape(name)}")
        problems += len(found.false_alarms) + (found.share < _LEAST_SHARE)
        for exercise in stage.spec.exercises:
            names = [mistake.id for mistake in found.missed if mistake.exercise == exercise]
            if missed and names:
                count = sum(mistake.exercise == exercise for mistake in found.caught)
                console.print(f"    {exercise} ({count} caught) misses {', '.join(names)}", markup=False)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
