"""How a command ends: the only module that turns an error into a sentence and an exit code.

docs/exit-codes.md lists the codes.
"""

import contextlib
import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Generator, Iterator
from types import FrameType

import click

from autograder.base.console import SafeConsole

DONE = 0
FAILURES = 1
WRONG_USE = 2
GRADER_ERROR = 3
INTERRUPTED = 130

_KEPT = "Results that were stored are kept: run the same command again to continue."
_STOPPING_SIGNALS = ("SIGTERM", "SIGHUP")

# What is wrong with the machine, by the number of an OSError; the file's name follows in parentheses.
_OS_ERRORS = {
    errno.ENOSPC: "the disk is full{}. Free space, then run the same command again: stored results are kept",
    errno.EDQUOT: "the disk quota is used up{}. Free space, then run the same command again: stored results are kept",
    errno.EFBIG: "a file would be larger than this account may write{}. Raise the limit (`ulimit -f`), then run again",
    errno.EROFS: "the file system is read-only{}. Make it writable, or work in a copy of the lab",
    errno.EACCES: "permission denied{}. Give this account access, then run the same command again",
    errno.EPERM: "permission denied{}. Give this account access, then run the same command again",
    errno.EMFILE: "too many open files{}. Raise the limit (`ulimit -n`), or pass a smaller --workers",
    errno.ENFILE: "this machine has too many open files{}. Close programs, then run the same command again",
    errno.EAGAIN: "this machine cannot start another process{}. Raise the limit (`ulimit -u`), or pass --workers 1",
    errno.ENOMEM: "memory is used up{}. Close programs or pass a smaller --workers, then run the same command again",
    errno.EIO: "the disk does not read or write{}. Check the disk; stored results are kept",
    errno.ENOENT: "a file or folder is missing{}. If it was removed during the run, run the same command again",
    errno.ENOTDIR: "a folder is needed, but a file is in its place{}",
    errno.EEXIST: "a folder is needed, but a file is in its place{}",
    errno.EISDIR: "a file is needed, but a folder is in its place{}",
    errno.ENOTEMPTY: "a folder is not empty, because another program writes to it{}. Run the same command again",
    errno.ESTALE: "a network file system lost a file{}. Run the same command again",
}


class OutputClosedError(Exception):
    """The program that reads the output has ended, as ``head`` does."""


class Stopped(KeyboardInterrupt):
    """The user or the system stops the command; the message says what is kept and how to go on."""


class OutputConsole(SafeConsole):
    """A console for the results of a command."""

    def on_broken_pipe(self) -> None:
        """Stop the command: Rich itself would end the process with code 1."""
        raise OutputClosedError


@contextlib.contextmanager
def ended_with_a_sentence(*, debug: bool) -> Iterator[None]:
    """End the process with a sentence and the right code if the block raises an error.

    Args:
        debug: print the traceback too.
    """
    try:
        with _stopping_signals_interrupt():
            try:
                yield
            except SystemExit:
                _flush()
                raise
            _flush()
    except (SystemExit, click.ClickException, click.exceptions.Exit):  # click prints a wrong use of options
        raise
    except BaseException as error:
        sentence, code = ending(error)
        if debug:
            sentence = f"{''.join(traceback.format_exception(error))}{sentence}"
        elif not sentence:
            sentence = _fault(error)
        _print(sentence)
        sys.exit(code)


def ending(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code of an error; the sentence is empty if the error is unexpected."""
    if isinstance(error, Stopped):
        return f"stopped: {error}", INTERRUPTED
    if isinstance(error, KeyboardInterrupt):
        return f"stopped. {_KEPT}", INTERRUPTED
    for kinds, code in _explained():
        if isinstance(error, kinds):
            return str(error), code
    if isinstance(error, (OutputClosedError, BrokenPipeError)):
        return f"the program that reads the output has ended. {_KEPT}", GRADER_ERROR
    if isinstance(error, OSError) and error.errno in _OS_ERRORS:
        return _OS_ERRORS[error.errno].format(_place(error)), GRADER_ERROR
    if isinstance(error, MemoryError):
        return _OS_ERRORS[errno.ENOMEM].format(""), GRADER_ERROR
    if isinstance(error, UnicodeEncodeError):
        how = "set PYTHONIOENCODING=utf-8, then run the same command again"
        return f"the output cannot show {error.object[error.start]!a} in {error.encoding}; {how}", GRADER_ERROR
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("autograder"):
        return f"the package {error.name} is not installed: run `make setup`", GRADER_ERROR
    return "", GRADER_ERROR


def _explained() -> list[tuple[tuple[type[BaseException], ...], int]]:
    """Errors whose message is written for the user, with their exit codes; the first that fits counts."""
    from autograder.base.errors import UnusableError
    from autograder.base.results import ResultsFormatError
    from autograder.course.config import ConfigError
    from autograder.course.lab import LabError
    from autograder.intake import IntakeError
    from autograder.isolation.errors import TemplateError
    from autograder.judge.errors import HiddenTestsError
    from autograder.judge.pool import JudgeError

    return [
        ((UnusableError, HiddenTestsError, JudgeError, TemplateError), GRADER_ERROR),
        ((ConfigError, LabError, ResultsFormatError, IntakeError), WRONG_USE),
    ]


def _place(error: OSError) -> str:
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    return f" ({names[-1]})" if names else ""


def _fault(error: BaseException) -> str:
    """Save the traceback of an unexpected error, and say so."""
    trace = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    sentence = f"This is a fault of the autograder ({kind}), not of a hand-in. {_KEPT}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="autograder-fault-", suffix=".txt", delete=False
        ) as file:
            file.write(trace)
    except OSError:
        return f"{trace}{sentence} Please report it with this traceback"
    return f"{sentence} The traceback is in {file.name}: please report it"


def _print(sentence: str) -> None:
    """Print to the error output, which may be closed too."""
    with contextlib.suppress(OSError, ValueError, OutputClosedError):
        console = OutputConsole(stderr=True, soft_wrap=True)
        console.print(f"autograder: {sentence}", style="red", markup=False, highlight=False)


def _flush() -> None:
    """Write what is left of the output now: an error while the interpreter ends would come too late."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # the interpreter flushes again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


@contextlib.contextmanager
def _stopping_signals_interrupt() -> Generator[None, None, None]:
    """Treat a signal that ends a process like Ctrl-C, so that the judges end too and a sentence is printed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    with contextlib.suppress(ValueError):  # only the main thread may set handlers
        for name in _STOPPING_SIGNALS:
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
                before[getattr(signal, name)] = signal.signal(getattr(signal, name), interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
