"""Words for an error that has its cause where the code runs: a library, a file, the network or a thread.

The words contain a name only if the student's own import lines contain it: the text of the error comes from the
student's process.
"""

import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.course.surroundings import USABLE
from autograder.isolation.errors import SubmissionError
from autograder.isolation.placeholders import UNAVAILABLE

Imports = Sequence[Sequence[str]]

_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_PLACEHOLDER = re.compile(rf"(\w+) {re.escape(UNAVAILABLE)}")
_MISSING_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_SYSTEM_ERROR = "[Errno "
_FILE_ERROR = re.compile(r"\[Errno -?\d+\] [^:]*: ")
_THREAD_ERROR = "can't start new thread"

_MAY_IMPORT = "a graded module imports Python's standard library, torch, numpy and the modules of earlier stages"
_NOTEBOOK = 'the lines that need it belong in the lab sheet or under `if __name__ == "__main__":`'


@dataclass(frozen=True)
class EnvironmentProblem:
    """An error in words: the symptom, and a hint that leads to the fix."""

    what: str
    hint: str


def environment_problem(
    error: SubmissionError, imports: Imports, modules: Iterable[str] = (), subject: str = "your code"
) -> EnvironmentProblem | None:
    """Return the words for an error; None for an error of another kind.

    Args:
        error: the error.
        imports: the names in each import statement of the student's module.
        modules: the modules of the course that it may import.
        subject: the subject of the symptom.
    """
    if isinstance(error, ImportError):
        return _import_problem(error.message, imports, modules, subject)
    if isinstance(error, OSError) and _SYSTEM_ERROR in error.message:
        what = "opened a file: a graded module has no files"
        if not _FILE_ERROR.match(error.message):
            what = "used a file, the network or another program, which a graded module cannot do"
        return EnvironmentProblem(f"{subject} {what}", _NOTEBOOK)
    if isinstance(error, RuntimeError) and error.message.startswith(_THREAD_ERROR):
        return EnvironmentProblem(f"{subject} started a thread, which a graded module cannot do", _NOTEBOOK)
    return None


def _import_problem(message: str, imports: Imports, modules: Iterable[str], subject: str) -> EnvironmentProblem | None:
    if message.startswith("attempted relative import"):
        hint = "write `from module import name` without the leading dot: the folder of a stage is not a package"
        return EnvironmentProblem(f"{subject} uses a relative import", hint)
    if match := _PLACEHOLDER.match(message):
        library = f"`{match[1]}`" if _named(imports, match[1]) else "a library that it imports"
        return EnvironmentProblem(f"{library} {UNAVAILABLE}, but {subject} uses it", _NOTEBOOK)
    if match := _MISSING_MODULE.match(message):
        return _missing_module(match[1], imports, modules)
    if (match := _MISSING_NAME.match(message)) and _named(imports, match[1], match[2]):
        hint = "import only what the stub of that stage defines: a working module may stand in for yours"
        if match[2] not in modules:
            hint = f"check the name against the documentation of `{match[2]}`"
        return EnvironmentProblem(f"`{match[2]}` has no `{match[1]}` where grading happens", hint)
    return None


def _missing_module(name: str, imports: Imports, modules: Iterable[str]) -> EnvironmentProblem:
    library = name.partition(".")[0]
    if not _named(imports, name.rpartition(".")[2]):
        return EnvironmentProblem("a library is not installed where grading happens", _MAY_IMPORT)
    known = [*modules, *USABLE, *(module for module in sys.stdlib_module_names if not module.startswith("_"))]
    if library in known:
        return EnvironmentProblem(f"there is no module `{name}` where grading happens", _MAY_IMPORT)
    close = difflib.get_close_matches(library, known, n=1, cutoff=0.75)
    hint = f"did you mean `{close[0]}`?" if close else _MAY_IMPORT
    return EnvironmentProblem(f"`{name}` is not installed where grading happens", hint)


def _named(imports: Imports, *names: str) -> bool:
    """Whether one import statement has all of these names."""
    return any(set(names) <= set(statement) for statement in imports)
