"""Notes for the instructor about forbidden calls: calls that were refused, and code that could hide others.

The pipeline imports this module, so it needs neither torch nor pytest.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from autograder.base.results import CheckResult
from autograder.course.config import Stage
from autograder.course.forbidden import short_name
from autograder.intake import RefusedError
from autograder.intake.limited import limited

_MOST_NOTES = 10
# The ways around the guard that tests/attacks/ways_around.py tries, as they look in code. Many have honest uses.
_HIDING = re.compile(
    r"(?<!\. )\b(?P<builtin>exec|eval|__import__) \("
    r"|(?<!\. )\b(?P<module>importlib|ctypes|gc)\b"
    r"|\b(?P<inside>_C|_getframe|__code__|__closure__|__globals__|__dict__|flex_attention)\b"
    r"|\btorch \. (?P<part>ops|jit|library)\b"
    r"|\b(?P<lookup>getattr|vars|setattr) \( [\w. ]*\b(?:torch|nn|functional|F|Tensor)\b"
)
_IMPORTED = re.compile(r"\btorch import (.*)")
_HIDING_PARTS = re.compile(r"\b(?:ops|jit|library)\b")
_LEFT_OUT = {tokenize.COMMENT, tokenize.STRING, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}


def forbidden_call_notes(stage: Stage, source: str, checks: Iterable[CheckResult]) -> tuple[str, ...]:
    """Write the notes about one submission; none for a stage that forbids nothing.

    Args:
        stage: the stage, with the calls that its exercises forbid.
        source: the student's module; empty when there is none.
        checks: the submission's results.
    """
    if not any(exercise.forbid for exercise in stage.exercises.values()):
        return ()
    calls: dict[str, list[str]] = {}
    for check in checks:
        if check.forbidden:
            exercises = calls.setdefault(f"{check.where}: calls {short_name(check.forbidden)}", [])
            exercises += [check.exercise] * (check.exercise not in exercises)
    refused = (f"{call}, which {' and '.join(exercises)} must not" for call, exercises in calls.items())
    return (*refused, *_hiding_notes(f"{stage.module}.py", source))


def _hiding_notes(file: str, source: str) -> list[str]:
    try:
        words = limited(file, hiding_words, source)
    except RefusedError as error:
        return [f"not searched for hidden forbidden calls: {error}"]
    return [f"{file}, line {line}: {word} could hide a forbidden call" for line, word in words[:_MOST_NOTES]]


def hiding_words(source: str) -> list[tuple[int, str]]:
    """Line and word of code that could hide a call, in time that is linear in the source.

    Runs in the limited process. The source is tokenized, because parsers can be crashed.
    """
    found = []
    for line, code in _logical_lines(source):
        found += [(line, match[match.lastgroup or 0]) for match in _HIDING.finditer(code)]
        if (imported := _IMPORTED.search(code)) is not None:
            found += [(line, match[0]) for match in _HIDING_PARTS.finditer(imported[1])]
    return found


def _logical_lines(source: str) -> Iterator[tuple[int, str]]:
    """First line and tokens of each statement, without comments and strings, up to the first error in the source."""
    start, words = 0, list[str]()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NEWLINE:
                yield start, " ".join(words)
                words.clear()
            elif token.type not in _LEFT_OUT:
                start = start if words else token.start[0]
                words.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        return
