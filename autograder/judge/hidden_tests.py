"""Run a stage's hidden tests with pytest in this process, unaffected by its settings and modules."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from autograder.course.lab import StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.judge.attachments import Attachments
from autograder.judge.course_code import CourseCode
from autograder.judge.errors import HiddenTestsError
from autograder.judge.plugin import CheckRecord, JudgePlugin, OpenForCheck

# Two of these collect garbage at the end of a run, 0.1 s each once torch is imported, and longer after a fork.
_UNUSED_PLUGINS = (
    "cacheprovider", "doctest", "faulthandler", "logging", "terminal", "threadexception", "unittest",
    "unraisableexception",
)  # fmt: skip
_PYTEST_ARGUMENTS = (
    f"--config-file={os.devnull}",
    "--noconftest",
    "--assert=plain",
    "--capture=no",
    *("-W", "ignore"),
    *(f"-pno:{plugin}" for plugin in _UNUSED_PLUGINS),
)
# Environment variables that could select other tests or plugins.
_PYTEST_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
_PROFILE = "judge"


def run_checks(
    stage: StageFolders,
    open_session: OpenForCheck,
    code: CourseCode,
    seed: int,
    only: frozenset[str] | None = None,
    attachments: Attachments | None = None,
) -> dict[str, CheckRecord]:
    """Run the stage's hidden tests and return one record per test function.

    Args:
        stage: the stage, with its hidden tests.
        open_session: opens a session in which the submission is loaded; see ``JudgePlugin``.
        code: the course's own code.
        seed: the seed of Hypothesis.
        only: ids of the checks to run; all when None.
        attachments: the files submitted beside the module.

    Raises:
        HiddenTestsError: the tests cannot be collected or run.
    """
    plugin = JudgePlugin(open_session, lambda: open_reference(stage, code), seed, only, attachments, stage.spec.targets)
    run_plugin(stage, plugin)
    return plugin.records


def collect_checks(stage: StageFolders) -> dict[str, CheckRecord]:
    """Import the stage's hidden tests without running them, and return the title and hint of each check.

    Raises:
        HiddenTestsError: the tests cannot be collected.
    """
    plugin = JudgePlugin(lambda *_: InProcessSession(), InProcessSession, seed=0)
    run_plugin(stage, plugin, arguments=("--collect-only",))
    return plugin.records


def open_reference(stage: StageFolders, code: CourseCode) -> InProcessSession:
    """Load the reference in this process."""
    session = InProcessSession()
    session.request("load", modules=dict(code.modules), main=stage.spec.module)
    return session


def run_plugin(stage: StageFolders, plugin: JudgePlugin, *others: object, arguments: tuple[str, ...] = ()) -> None:
    """Run the stage's hidden tests with pytest and this plugin, which then holds the records.

    Args:
        stage: the stage, with its hidden tests.
        plugin: the plugin that runs the checks.
        others: further plugins of pytest.
        arguments: further arguments of pytest.

    Raises:
        HiddenTestsError: the tests cannot be collected or run.
    """
    folder = stage.hidden_tests
    with _separate(folder), _judge_profile(stage.spec.max_examples), _silence():
        pytest.main([str(folder), f"--rootdir={folder}", *_PYTEST_ARGUMENTS, *arguments], plugins=[plugin, *others])
    if plugin.problems:
        raise HiddenTestsError("\n".join([f"{folder}: the hidden tests cannot run:", *plugin.problems]))
    if plugin.interruption is not None:
        raise plugin.interruption
    if not plugin.records:
        raise HiddenTestsError(f"{folder}: no hidden tests, or none of the requested checks")


@contextlib.contextmanager
def _separate(folder: Path) -> Iterator[None]:
    """Keep settings of this process out of the run, and modules that the run imports out of this process.

    Two stages, or a stage and this process, may have test files and helpers of the same name; each keeps its own.
    """
    environment, path, bytecode = dict(os.environ), list(sys.path), sys.dont_write_bytecode
    own_names = {file.stem for file in folder.glob("*.py")}
    set_aside = {name: sys.modules.pop(name) for name in own_names & sys.modules.keys()}
    modules = set(sys.modules)
    for name in _PYTEST_VARIABLES:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        sys.dont_write_bytecode = bytecode
        for name in sys.modules.keys() - modules:
            if Path(getattr(sys.modules[name], "__file__", None) or "").is_relative_to(folder):
                del sys.modules[name]
        sys.modules.update(set_aside)


@contextlib.contextmanager
def _judge_profile(max_examples: int) -> Iterator[None]:
    """Set how Hypothesis runs while grading: no shrinking, database or deadline, and only the first failure."""
    before = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.register_profile(
        _PROFILE,
        max_examples=max_examples,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile(_PROFILE)
    try:
        yield
    finally:
        hypothesis.settings.load_profile(before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
