"""The process that runs public tests, from the companion's side: start it, send one request, read the report."""

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from lab.course import CompanionError

_TRACE_LINE = re.compile(r'File "(.+)", line (\d+) in (\S+)')
_CRASH = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (.+)$", re.MULTILINE)
_KILLED = -9


@dataclass(frozen=True)
class Ending:
    """How a process ended before its last test.

    Attributes:
        timed_out: whether its time ran out.
        reason: why it ended otherwise.
        line: the line of the student's files that ran last, if it is known.
    """

    timed_out: bool
    reason: str
    line: dict[str, Any] | None


class Runner(AbstractContextManager["Runner"], Protocol):
    """Runs public tests once, and reports them as lines of kind and content."""

    def run_tests(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        """Run the requested tests and return the lines of the report."""

    def ending(self) -> Ending:
        """Return why the run ended before its last test."""


class RunnerProcess:
    """A process that serves one request and then ends. Starting it early makes the answer quick."""

    def __init__(self, root: Path, warm: bool = False) -> None:
        """Start the process; ``warm`` makes it import the large libraries while it waits."""
        self.root = root
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
            self._report = Path(self._folder.name) / "report"
            self._log = (Path(self._folder.name) / "log").open("w+b")
        except OSError as error:
            raise CompanionError(f"no temporary file can be written ({error}): free some disk space") from None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.runner", str(self._report), *(["--warm"] if warm else [])],
            cwd=root,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUTF8": "1",
            },
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "RunnerProcess":
        """Return the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process, whatever it is doing."""
        self.close()

    def close(self) -> None:
        """Stop the process and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                self._process.stdin = None  # the process ended with the request half written
        self._log.close()
        self._folder.cleanup()

    def run_tests(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        """Run the requested tests and return the lines of the report, as kind and content.

        Raises:
            CompanionError: the process could not run any test, for example because pytest is not installed.
        """
        try:
            self._process.communicate((json.dumps(request) + "\n").encode())
        except OSError:
            self._process.wait()  # it ended before the request: its log says why
        try:
            lines = self._report.read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        if not lines:
            raise CompanionError(
                f"the tests could not be run:\n{self._last_output()}\nRun `lab doctor` to look for the reason."
            )
        return [(kind, content) for kind, _, content in (line.partition(" ") for line in lines)]

    def ending(self) -> "Ending":
        """Return how the process ended, if it ended before its last test."""
        try:
            trace = self._report.with_suffix(".trace").read_text(encoding="utf-8", errors="replace")
        except OSError:
            trace = ""
        line = self._students_line(trace)
        if trace.startswith("Timeout"):
            return Ending(True, "", line)
        if crash := _CRASH.search(trace):
            return Ending(False, f"Python crashed ({crash[1]})", line)
        code = self._process.returncode
        if code == _KILLED:
            return Ending(False, "the system stopped Python, most likely because memory ran out", line)
        return Ending(False, f"Python ended with code {code}: is exit() or os._exit() called?", line)

    def _students_line(self, trace: str) -> dict[str, Any] | None:
        """Return the innermost line of the student's files in a traceback."""
        for file, line, function in _TRACE_LINE.findall(trace):
            path = Path(file)
            if path.is_relative_to(self.root) and path.parent.parent == self.root and _is_students(path):
                relative = path.relative_to(self.root).as_posix()
                return {"file": relative, "line": int(line), "function": function, "code": _line_of(path, int(line))}
        return None

    def _last_output(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode("utf-8", "replace").strip().splitlines()[-6:])


def _is_students(path: Path) -> bool:
    """Whether the student writes this file; public tests and the companion are not the student's."""
    return path.parent.name != "lab" and not path.name.startswith("test_")


def _line_of(path: Path, line: int) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")  # the lines that Python counts
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""
