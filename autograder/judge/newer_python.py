"""Recognise code that a newer Python than this one accepts: it is not wrong, and is not graded here.

ruff knows the syntax of every version. It reads the text and never runs it, in a process with limited time and memory.
"""

import re
import resource
import subprocess
import sys
from collections.abc import Callable

import msgspec

from autograder.course.python_versions import dotted, grading_version, newer_version
from autograder.isolation.errors import SubmissionError

_SECONDS = 10
_MEMORY = 4 << 30
_ADDED_SYNTAX = re.compile(r"\(syntax was (?:added|changed) in Python 3\.(\d+)\)$")
_LATE_ANNOTATIONS = (3, 14)
_MISSING = re.compile(r"No module named '([\w.]+)'|cannot import name '(\w+)' from '([\w.]+)'")


class _Problem(msgspec.Struct):
    """One line of ruff's report."""

    message: str


def python_needed(error: SubmissionError, source: str, loads: Callable[[str], bool]) -> str | None:
    """Return the oldest Python that can load a module which raised this error, as in ``3.12``.

    None if the error has another cause, or if that is not certain.

    Args:
        error: the error that the module raised when it was loaded.
        source: the module's source text.
        loads: whether the module loads with another source text.
    """
    if isinstance(error, NameError):  # annotations are evaluated late since 3.14, and never with this import
        older = sys.version_info < _LATE_ANNOTATIONS
        return dotted(_LATE_ANNOTATIONS) if older and loads(f"from __future__ import annotations\n{source}") else None
    if isinstance(error, SyntaxError):
        return _version_for_syntax(source)
    if isinstance(error, ImportError) and (match := _MISSING.match(error.message)):
        module, name, owner = match.groups()
        named = (name or module).rpartition(".")[2]
        return newer_version(module or owner, name or "") if re.search(rf"\b{named}\b", source) else None
    return None


def needs_newer_python(version: str) -> str:
    """Return the reason for which a submission is not graded."""
    return f"it needs Python {version} or newer, grading runs on {grading_version()}"


def _version_for_syntax(source: str) -> str | None:
    """Return the version that accepts the source; None if a problem in it has another cause than the version."""
    version = f"py{grading_version().replace('.', '')}"
    # E902 is about files that cannot be read: no rule but syntax.
    options = ["--isolated", "--no-cache", "--select=E902", f"--target-version={version}", "--output-format=json"]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "ruff", "check", *options, "-"],
            input=source.encode(),
            capture_output=True,
            timeout=_SECONDS,
            env={"RAYON_NUM_THREADS": "1"},
            preexec_fn=_limit,
            check=False,
        )
        problems = msgspec.json.decode(done.stdout, type=list[_Problem])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None
    minors = [_ADDED_SYNTAX.search(problem.message) for problem in problems]
    known = [int(match[1]) for match in minors if match is not None]
    return f"3.{max(known)}" if known and len(known) == len(minors) else None


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
