"""Runs public tests in a process of its own, which ends afterwards: ``python -m lab.runner REPORT``.

The request is one line of JSON on standard input; results go to the file REPORT, line by line, each
as soon as it is there. ``--warm`` imports the large libraries before it waits for the request.
"""

import faulthandler
import importlib.util
import json
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import pytest

from lab.explain import Explanation, explain
from lab.results import Outcome, TestResult

LIBRARIES = ("numpy", "torch")
_MOST_PRINTED = 2000
# Faster to start, and no other plugin's output or files in between.
PYTEST_OPTIONS = ("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:faulthandler")


class Recorder:
    """A pytest plugin: selects the tests asked for, watches their time, and writes one line for each."""

    def __init__(self, request: dict[str, Any], report: TextIO, traces: TextIO) -> None:
        """Take the request, and the files that results and the place of an endless loop go to."""
        self.root = Path(request["root"])
        self.modules = frozenset(request["modules"])
        self.wanted = {(stage["id"], test) for stage in request["stages"] for test in stage["tests"]}
        self.limit = float(request["limit"])
        self.report = report
        self.traces = traces

    def write(self, kind: str, line: str) -> None:
        """Hand a line over at once: the next test may end this process."""
        self.report.write(f"{kind} {line}\n")
        self.report.flush()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that were asked for."""
        items[:] = [item for item in items if (_stage_of(item), item.name.split("[")[0]) in self.wanted]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Stop a test that does not end, and leave a note of where it was."""
        self.write("started", json.dumps([_stage_of(item), item.name]))
        faulthandler.dump_traceback_later(self.limit, exit=True, file=self.traces)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Write what came of a test; setting up and taking down count when they fail."""
        report = yield
        if report.when == "call" or report.failed:
            printed = report.capstdout[-_MOST_PRINTED:]
            self.write("result", self._result(_stage_of(item), item.name, call.excinfo, printed).to_json())
        return report

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """A test file that cannot even be imported: its module raised something."""
        if isinstance(node, pytest.Module):
            error = call.excinfo.value
            cause = error.__cause__ if error.__cause__ is not None else error
            for stage, test in sorted(self.wanted):
                if stage == _stage_of(node):
                    self.write("result", self._result(stage, test, cause, "").to_json())

    def _result(self, stage: str, test: str, error: Any, printed: str) -> TestResult:
        if error is None:
            return TestResult(stage, test, Outcome.PASSED, printed=printed)
        value = error if isinstance(error, BaseException) else error.value
        try:
            found = explain(value, value.__traceback__, self.root, self.modules)
        except Exception:  # an odd object of the student's must not take the other tests' results along
            found = Explanation(f"{type(value).__name__}, raised with values that cannot be shown")
        outcome = Outcome.MISSING if found.missing else Outcome.FAILED
        return TestResult(
            stage,
            test,
            outcome,
            message=found.message,
            missing=found.missing,
            asks=asdict(found.asks) if found.asks else None,
            where=asdict(found.where) if found.where else None,
            pair=found.pair,
            values=found.values,
            printed=printed,
        )


def _stage_of(item: Any) -> str:
    return str(item.path.parent.name)


def main(arguments: list[str]) -> int:
    """Read a request, run its tests, write the report."""
    if "--warm" in arguments:
        for library in LIBRARIES:
            if importlib.util.find_spec(library) is not None:
                importlib.import_module(library)
    line = sys.stdin.readline()
    if not line.strip():
        return 0  # not needed after all
    request = json.loads(line)
    file = Path(arguments[0])
    os.chdir(request["root"])
    with ExitStack() as stack:
        report = stack.enter_context(file.open("w", encoding="utf-8"))
        traces = stack.enter_context(file.with_suffix(".trace").open("w", encoding="utf-8"))
        files = [str(Path(stage["id"]) / stage["file"]) for stage in request["stages"]]
        recorder = Recorder(request, report, traces)
        # Until the first test: a module may loop without end while it is imported.
        faulthandler.dump_traceback_later(float(request["import_limit"]), exit=True, file=traces)
        code = pytest.main([*PYTEST_OPTIONS, f"--rootdir={request['root']}", *files], plugins=[recorder])
        if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
            return int(code)  # it could not begin; what it printed says why
        recorder.write("finished", "")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
