"""An error of a submission as a reply describes it: its class, its text and its lines in the submission."""

import builtins
from collections.abc import Iterator
from types import CodeType, TracebackType

from autograder.isolation.sources import Sources
from autograder.isolation.wire import ERROR_NAMES, MESSAGE_LENGTH

_ERROR_CLASSES: dict[type[BaseException], str] = {getattr(builtins, name): name for name in ERROR_NAMES}
_MOST_FRAMES = 20
_NO_MEMORY = ("can't allocate memory", "not enough memory", "cannot allocate memory")


def describe(error: BaseException, sources: Sources) -> tuple[str, str, list[tuple[str, int, str]]]:
    """Describe an error by its class name, its text and its traceback frames in the sources.

    Frames of code that the submission compiled or changed itself are left out: it chose their file, line and name.
    The class name is the error's nearest ancestor in ``ERROR_NAMES``, else its own.
    """
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text is not available: {type(second).__name__})"
    out_of_memory = isinstance(error, RuntimeError) and any(words in text.lower() for words in _NO_MEMORY)
    known = (_ERROR_CLASSES[ancestor] for ancestor in type(error).__mro__ if ancestor in _ERROR_CLASSES)
    name = "MemoryError" if out_of_memory else next(known, type(error).__name__)
    frames = [
        (sources.files[code.co_filename], line, code.co_name[:100])
        for code, line in _frames(error.__traceback__)
        if sources.holds(code)
    ]
    return name[:100], text[:MESSAGE_LENGTH], frames[-_MOST_FRAMES:]


def _frames(trace: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code, trace.tb_lineno
        trace = trace.tb_next
