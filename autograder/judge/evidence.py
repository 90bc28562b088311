"""What an instructor should know about forbidden calls: those that were refused, and what could hide others.

In a module of its own: the pipeline needs it, and needs neither torch nor pytest for it.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from autograder.base.results import CheckResult
from autograder.course.config import Stage
from autograder.course.forbidden import short_name

_MOST_NOTES = 10
# The ways round a refusal that tests/attacks/ways_around.py tries, as they look in code. Many have an honest use.
_HIDING = re.compile(
    r"(?<!\. )\b(?P<builtin>exec|eval|__import__) \("
    r"|(?<!\. )\b(?P<module>importlib|ctypes|gc)\b"
    r"|\b(?P<inside>_C|_getframe|__code__|__closure__|__globals__|__dict__|flex_attention)\b"
    r"|\btorch (?:\. |import .*\b)(?P<part>ops|jit|library)\b"
    r"|\b(?P<lookup>getattr|vars|setattr) \( [\w. ]*\b(?:torch|nn|functional|F|Tensor)\b"
)
_LEFT_OUT = {tokenize.COMMENT, tokenize.STRING, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}


def forbidden_call_notes(stage: Stage, source: str, checks: Iterable[CheckResult]) -> tuple[str, ...]:
    """Notes for the instructor about one submission; none for a stage in which nothing is forbidden.

    Args:
        stage: the stage, with what its exercises forbid.
        source: the student's module; empty where there is none.
        checks: its results.
    """
    if not any(exercise.forbid for exercise in stage.exercises.values()):
        return ()
    calls: dict[str, list[str]] = {}
    for check in checks:
        if check.forbidden:
            exercises = calls.setdefault(f"{check.where}: calls {short_name(check.forbidden)}", [])
            exercises += [check.exercise] * (check.exercise not in exercises)
    refused = (f"{call}, which {' and '.join(exercises)} must not" for call, exercises in calls.items())
    hiding = (f"{stage.module}.py, line {line}: {word} could hide a forbidden call" for line, word in _hiding(source))
    return (*refused, *list(hiding)[:_MOST_NOTES])


def _hiding(source: str) -> Iterator[tuple[int, str]]:
    """Line and word of what could hide a call. The text is read token by token: parsers can be brought down."""
    for line, code in _logical_lines(source):
        for match in _HIDING.finditer(code):
            yield line, match[match.lastgroup or 0]


def _logical_lines(source: str) -> Iterator[tuple[int, str]]:
    """First line and tokens of each statement, comments and strings apart; as far as the text is Python."""
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
