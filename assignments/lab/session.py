"""The process that runs public tests, seen from the companion: start it, ask once, read what came."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.course import LabError

_TRACE_LINE = re.compile(r'File "(.+)", line (\d+) in (\S+)')


class Session:
    """One process, used for one request and gone afterwards. Starting it early makes the answer quick."""

    def __init__(self, root: Path, warm: bool = False) -> None:
        """Start the process; ``warm`` makes it import the large libraries while it waits."""
        self.root = root
        self._folder = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
        self._report = Path(self._folder.name) / "report"
        self._log = (Path(self._folder.name) / "log").open("w+b")
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

    def __enter__(self) -> "Session":
        """The session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, whatever it is doing."""
        self.close()

    def close(self) -> None:
        """End the process and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                self._process.stdin = None  # it broke off with a request half written
        self._log.close()
        self._folder.cleanup()

    def ask(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        """Run the tests asked for; the lines of the report, as kind and content.

        Raises:
            LabError: the process could not run any test, as when pytest is not installed.
        """
        try:
            self._process.communicate((json.dumps(request) + "\n").encode())
        except OSError:
            self._process.wait()  # it ended before it was asked: its log says why
        try:
            lines = self._report.read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        if not lines and (where := self.trace()) is not None:
            place = f"{where['file']}, line {where['line']}"
            raise LabError(f"{place}: Python never got past this line while it read the file: {where['code']}")
        if not lines:
            raise LabError(f"the tests could not be run:\n{self._last_words()}\n`lab doctor` looks for the reason")
        return [(kind, content) for kind, _, content in (line.partition(" ") for line in lines)]

    def trace(self) -> dict[str, Any] | None:
        """Where the process was in the student's own files when its time was up."""
        try:
            text = self._report.with_suffix(".trace").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        for file, line, function in _TRACE_LINE.findall(text):
            path = Path(file)
            if path.is_relative_to(self.root) and path.parent.parent == self.root and _is_students(path):
                where = path.relative_to(self.root).as_posix()
                return {"file": where, "line": int(line), "function": function, "code": _line_of(path, int(line))}
        return None

    def _last_words(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode("utf-8", "replace").strip().splitlines()[-6:])


def _is_students(path: Path) -> bool:
    """Whether a file is one that the student writes, not a public test or the companion."""
    return path.parent.name != "lab" and not path.name.startswith("test_")


def _line_of(path: Path, line: int) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""
