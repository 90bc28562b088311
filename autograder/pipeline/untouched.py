"""Whether a module is still the stub that was released, so that its stage was not begun.

The text is tokenized and never parsed, because hostile text can crash a parser. In doubt a stage was begun: then its
code is judged.
"""

import contextlib
import io
import json
import tokenize
from collections import Counter
from functools import cached_property

from autograder.course.lab import StageFolders
from autograder.intake import Answers, RefusedError, graft_answers
from autograder.intake.limited import limited
from autograder.release import ReleaseError, released_stub, strip_solutions
from autograder.release.sheets import build_notebook

# One statement at the top level of a module: its tokens, without comments and docstrings.
Statement = tuple[str, ...]

_BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER}
_DEPTH = "depth "  # begins the marks of indentation among the tokens


class ReleasedStage:
    """A stage as students received it."""

    def __init__(self, stage: StageFolders) -> None:
        """Generate the stub. Work in a stage that cannot be released counts as begun.

        Raises:
            LabError: the stage has no reference.
        """
        self._stage = stage
        self._file = f"{stage.spec.module}.py"
        self._exercises = frozenset(stage.spec.graded)
        self._stub: Counter[Statement] | None = None
        self._earlier: Counter[Statement] = Counter()  # of a release before an exercise was dropped
        with contextlib.suppress(ReleaseError):
            self._stub = Counter(statements_of(released_stub(stage)))
            self._earlier = Counter(statements_of(strip_solutions(stage.reference_source(), str(stage.reference))))

    @cached_property
    def _sheet(self) -> str:
        """The lab sheet, which takes long to generate; empty if it cannot be released."""
        with contextlib.suppress(ReleaseError):
            return build_notebook(self._stage)
        return ""

    def is_stub(self, source: str) -> bool:
        """Whether every exercise is still the stub, and nothing but imports was added.

        Comments, docstrings and blanks may differ, and helpers of the stub may be missing.
        """
        if self._stub is None:
            return False
        try:
            statements = Counter(limited(self._file, statements_of, source))
        except RefusedError:
            return False
        added = statements - (self._stub | self._earlier)
        removed = self._stub - statements
        if any(_defined(statement) in self._exercises for statement in removed):
            return False
        return all(self._is_harmless(statement) for statement in added) and bool(self._sheet)

    def is_unanswered(self, answers: Answers) -> bool:
        """Whether the lab sheet holds no answer."""
        if not self._sheet:
            return not answers.texts
        return _cells(graft_answers(self._sheet, answers).notebook) == _cells(self._sheet)

    def _is_harmless(self, statement: Statement) -> bool:
        """Whether a statement is an import that gives no exercise a new value."""
        return statement[0] in ("import", "from") and "*" not in statement and not self._exercises & set(statement)


def _cells(notebook: str) -> list[str]:
    return ["".join(cell["source"]).strip() for cell in json.loads(notebook)["cells"]]


def statements_of(source: str) -> list[Statement]:
    """The statements at the top level, in order; runs in the limited process for students' sources.

    Raises:
        TokenError, SyntaxError: the text is not Python.
    """
    found: list[list[str]] = []
    line: list[tokenize.TokenInfo] = []
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
            found[-1].append(f"{_DEPTH}{depth}")
        elif token.type == tokenize.NEWLINE:
            if any(part.type != tokenize.STRING for part in line):  # not a docstring
                if depth == 0:
                    found.append([])
                found[-1] += [*(part.string for part in line), "\n"]
            line.clear()
        elif token.type not in _BLANK:
            line.append(token)
    return [tuple(statement) for statement in found]


def _defined(statement: Statement) -> str:
    """The name of the function or class that a statement defines; empty for other statements."""
    first, second = (*statement, "", "")[:2]
    return second if first in ("def", "class") else ""
