"""Runs public tests in a separate process, which then ends: ``python -m lab.runner REPORT``.

The request is one line of JSON on standard input. Each step is written to the file REPORT as one line, at once, so
that the companion knows how far this process came: ``importing`` a test file, a test ``started``, its ``result``, and
``finished``. ``--warm`` imports the large libraries before the process waits for the request.
"""

import faulthandler
import importlib
import json
import os
import pdb
import sys
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, Protocol, TextIO

import pytest

from lab.explain import LIBRARIES, Explanation, explain
from lab.results import TestOutcome, TestResult, no_answer

_MOST_PRINTED = 2000
# Seconds until the large libraries are imported, which alone may take a minute on a cold disk.
_LIBRARY_LIMIT = 300
# For a faster start, and no output or files of other plugins. A file that cannot be imported stops no other file.
# `explain` evaluates a failed comparison itself, so pytest need not rewrite the assertions.
PYTEST_OPTIONS = (
    *("-q", "--no-header", "--continue-on-collection-errors", "--assert=plain"),
    *("-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:debugging", "-p", "no:unraisableexception"),
)
# Exit codes of pytest when it could not start.
NOT_STARTED = (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


class NoAnswer(Exception):
    """A test or an import did not end in time, and was interrupted."""


class Deadline(Protocol):
    """What happens to a step that does not end in time."""

    def start(self, seconds: float) -> None:
        """Begin to count the seconds of a step."""

    def stop(self) -> None:
        """Stop counting: the step has ended."""

    def has_passed(self) -> bool:
        """Whether the step that ended last was interrupted because its time had passed."""


class EndsProcess:
    """A deadline that ends the process; the traceback in a file tells the line."""

    def __init__(self, traces: TextIO) -> None:
        """Set the file for the traceback."""
        self._traces = traces

    def start(self, seconds: float) -> None:
        """Begin to count the seconds of a step."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._traces)

    def stop(self) -> None:
        """Stop counting: the step has ended."""
        faulthandler.cancel_dump_traceback_later()

    def has_passed(self) -> bool:
        """Return False: this process is alive."""
        return False


class ReportPlugin:
    """A pytest plugin that selects the requested tests, limits their time and writes one line for each."""

    def __init__(self, request: dict[str, Any], report: TextIO, deadline: Deadline) -> None:
        """Set the request, the file for results, and what happens to an endless loop."""
        self.root = Path(request["root"])
        self.modules = frozenset(request["modules"])
        self.wanted = {(stage["id"], test) for stage in request["stages"] for test in stage["tests"]}
        self.limit = float(request["limit"])
        self.import_limit = float(request["import_limit"])
        self.report = report
        self.deadline = deadline

    def write(self, kind: str, line: str) -> None:
        """Write a line and flush it: the next test may end this process."""
        self.report.write(f"{kind} {line}\n")
        self.report.flush()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Import a test file with the modules that it tests; stop an import that does not end."""
        if not isinstance(collector, pytest.Module):
            return (yield)
        stage = _stage_of(collector)
        self.write("importing", json.dumps(stage))
        self.deadline.start(self.import_limit)
        try:
            return (yield)
        except (SystemExit, KeyboardInterrupt) as error:  # pytest would stop here, and leave out the other files
            if isinstance(error, KeyboardInterrupt) and not self.deadline.has_passed():
                raise
            self._write_for_all(stage, self._reason(error))
            return pytest.CollectReport(collector.nodeid, "failed", "the import was ended", [])
        finally:
            self.deadline.stop()

    def _reason(self, error: BaseException) -> BaseException:
        """Return the exception; ``NoAnswer`` in its place if the deadline raised it."""
        late = isinstance(error, KeyboardInterrupt) and self.deadline.has_passed()
        return NoAnswer().with_traceback(error.__traceback__) if late else error

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep only the requested tests."""
        items[:] = [item for item in items if (_stage_of(item), item.name.split("[")[0]) in self.wanted]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Stop a test that does not end, and write its traceback."""
        self.write("started", json.dumps([_stage_of(item), item.name]))
        self.deadline.start(self.limit)
        try:
            return (yield)
        finally:
            self.deadline.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Let a test fail that the deadline interrupted: pytest would stop, and leave out the other tests."""
        try:
            return (yield)
        except KeyboardInterrupt as error:
            if not self.deadline.has_passed():
                raise
            raise self._reason(error) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Write the result of a test; setup and teardown count only if they fail."""
        report = yield
        if report.when == "call" or report.failed:
            printed = report.capstdout[-_MOST_PRINTED:]
            self.write("result", self._result(_stage_of(item), item.name, call.excinfo, printed).to_json())
        return report

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """Write the results of a test file that cannot be imported because its module raised an exception."""
        if isinstance(node, pytest.Module):
            error = call.excinfo.value
            self._write_for_all(_stage_of(node), error.__cause__ if error.__cause__ is not None else error)

    def _write_for_all(self, stage: str, error: BaseException) -> None:
        for wanted, test in sorted(self.wanted):
            if wanted == stage:
                self.write("result", self._result(stage, test, error, "").to_json())

    def _result(self, stage: str, test: str, error: Any, printed: str) -> TestResult:
        if error is None:
            return TestResult(stage, test, TestOutcome.PASSED, printed=printed)
        value = error if isinstance(error, BaseException) else error.value
        try:
            explanation = explain(value, value.__traceback__, self.root, self.modules)
        except Exception:  # an unusual object of the student's must not discard the other results
            explanation = Explanation(type(value).__name__)
        outcome = TestOutcome.MISSING if explanation.missing else TestOutcome.FAILED
        message = explanation.message
        if isinstance(value, NoAnswer):
            outcome, message = TestOutcome.HUNG, no_answer(self.limit)
        return TestResult(
            stage,
            test,
            outcome,
            message=message,
            missing=explanation.missing,
            test_line=asdict(explanation.test_line) if explanation.test_line else None,
            student_line=asdict(explanation.student_line) if explanation.student_line else None,
            pair=explanation.pair,
            values=explanation.values,
            printed=printed,
        )


def _stage_of(item: Any) -> str:
    return str(item.path.parent.name)


def main(arguments: list[str]) -> int:
    """Read a request, run its tests and write the report."""
    if "--warm" in arguments:
        _import_libraries()
    line = sys.stdin.readline()
    if not line.strip():
        return 0  # closed without a request
    request = json.loads(line)
    file = Path(arguments[0])
    os.chdir(request["root"])
    pdb.set_trace = refuse_breakpoint  # `breakpoint()` calls it
    with ExitStack() as stack:
        report = stack.enter_context(file.open("w", encoding="utf-8"))
        traces = stack.enter_context(file.with_suffix(".trace").open("w", encoding="utf-8"))
        faulthandler.enable(traces)
        faulthandler.dump_traceback_later(_LIBRARY_LIMIT, exit=True, file=traces)
        _import_libraries()
        faulthandler.cancel_dump_traceback_later()
        plugin = ReportPlugin(request, report, EndsProcess(traces))
        code = run_pytest(plugin, request)
        if code in NOT_STARTED:
            return code  # its output says why
        plugin.write("finished", "")
        faulthandler.disable()
    return 0


def run_pytest(plugin: ReportPlugin, request: dict[str, Any]) -> int:
    """Run the requested tests in the current folder, the root of the repository, and return pytest's exit code."""
    files = [str(Path(stage["id"]) / stage["file"]) for stage in request["stages"]]
    present = [name for name in files if Path(name).is_file()]
    return (
        int(pytest.main([*PYTEST_OPTIONS, f"--rootdir={request['root']}", *present], plugins=[plugin]))
        if present
        else 0
    )


def _import_libraries() -> None:
    for library in LIBRARIES:
        with suppress(Exception):  # a library that is missing or broken: the tests say so
            importlib.import_module(library)


def refuse_breakpoint(*arguments: Any, **options: Any) -> NoReturn:
    """Explain why ``breakpoint()`` does not stop here, in place of an error of the debugger."""
    raise RuntimeError(
        "breakpoint() needs a terminal, and `lab` runs the tests without one. "
        "Type `python -m pytest -s FOLDER -k TEST`, with your stage's folder and this test's name"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
