"""Reference → stub: each solution block becomes one line that names the missing function."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from autograder.course.dependencies import helpers_of
from autograder.course.lab import StageFolders
from autograder.course.python_source import parse_python
from autograder.release.errors import ReleaseError

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"

_MARKER_LIKE = re.compile(r"\b(begin|end)[\s_-]*solution", re.IGNORECASE)
# Lines that many functions share and that reveal nothing: `x, y = y, x`, `self.d_model = d_model`.
_PLAIN_ASSIGNMENT = re.compile(r"[\w., ]+ = [\w., ]+")
_TELLING = re.compile(r"[-+*/@%<>=(\[]")
SHORTEST_TELLING = 12
# Outside the exercise's own stage, where lines such as `model.eval()` occur anyway.
SHORTEST_TELLING_ELSEWHERE = 24


@dataclass(frozen=True)
class _Block:
    """A solution block: 0-based lines of its two markers, and the function that contains it."""

    begin: int
    end: int
    name: str
    indentation: str


def released_stub(stage: StageFolders) -> str:
    """The stub that students receive: dropped exercises are solved.

    Raises:
        ReleaseError: the reference cannot be stripped; see ``strip_solutions``.
        LabError: the stage has no reference.
    """
    return strip_solutions(stage.reference_source(), str(stage.reference), given_names(stage))


def given_names(stage: StageFolders) -> frozenset[str]:
    """The definitions that students receive solved: dropped exercises, and the helpers that these need."""
    dropped = stage.spec.exercises.keys() - stage.spec.graded.keys()
    return helpers_of(stage.reference_source(), dropped, stage.spec.exercises) if dropped else frozenset()


def given_lines(stage: StageFolders) -> set[str]:
    """The lines of the solutions that students receive solved."""
    if not (names := given_names(stage)):
        return set()
    source, file = stage.reference_source(), str(stage.reference)
    lines = source.split("\n")
    given = [block for block in _blocks(lines, _parse(source, file), file) if block.name.split(".")[0] in names]
    return {line for block in given for line in _solution_lines(lines, block)}


def strip_solutions(source: str, file: str, keep: Collection[str] = ()) -> str:
    """Make the stub of a reference.

    Args:
        source: the reference's text.
        file: its path, for messages.
        keep: functions and classes whose solution stays, without its markers.

    Returns:
        The text with each block between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` replaced by
        ``raise NotImplementedError("NAME")``; NAME is the function, or ``Class.method``.

    Raises:
        ReleaseError: markers are nested, unpaired or misspelt, a block is outside any function, the
            reference has no block, the stub is not Python, or it still shows a line of a solution.
    """
    lines = source.split("\n")
    blocks = list(_blocks(lines, _parse(source, file), file))
    if not blocks:
        raise ReleaseError(f"{file}:1: the file has no solution block, so students would receive the whole reference")
    hidden = {index for block in blocks for index in range(block.begin, block.end + 1)}
    _refuse_leaks(lines, blocks, [(f"{file}:{n + 1}", line) for n, line in enumerate(lines) if n not in hidden])
    stub: list[str] = []
    after = 0
    for block in blocks:
        stub += lines[after : block.begin]
        if block.name.split(".")[0] in keep:
            stub += lines[block.begin + 1 : block.end]
        else:
            stub.append(f'{block.indentation}raise NotImplementedError("{block.name}")')
        after = block.end + 1
    text = "\n".join([*stub, *lines[after:]])
    _parse(text, f"the stub of {file}")
    return text


def refuse_leaks(
    source: str, file: str, shown: Mapping[str, str], shortest: int = SHORTEST_TELLING, public: Collection[str] = ()
) -> None:
    """Refuse files for students that contain a telling line of a solution.

    Args:
        source: the reference's text.
        file: its path, for messages.
        shown: path → text, for each file that students receive.
        shortest: the least number of characters of a telling line.
        public: lines of solutions that students receive; see ``given_lines``.

    Raises:
        ReleaseError: a file contains a telling line of a solution.
    """
    lines = source.split("\n")
    blocks = list(_blocks(lines, _parse(source, file), file))
    _refuse_leaks(
        lines,
        blocks,
        [(f"{name}:{n + 1}", line) for name, text in shown.items() for n, line in enumerate(text.split("\n"))],
        shortest,
        public,
    )


def _parse(source: str, file: str) -> ast.Module:
    try:
        return parse_python(source)
    except SyntaxError as error:
        raise ReleaseError(f"{file}:{error.lineno}: not Python: {error.msg}") from None


def _blocks(lines: list[str], tree: ast.Module, file: str) -> Iterator[_Block]:
    """The solution blocks, in order."""
    begin: int | None = None
    for index, line in enumerate(lines):
        marker = line.strip()
        if marker not in (BEGIN, END):
            if _MARKER_LIKE.search(line):
                raise ReleaseError(
                    f"{file}:{index + 1}: `{marker}` is not a marker; write exactly `{BEGIN}` or `{END}`"
                )
        elif marker == BEGIN:
            if begin is not None:
                raise ReleaseError(
                    f"{file}:{index + 1}: this block is inside the block of line {begin + 1}; end that block first"
                )
            begin = index
        elif begin is None:
            raise ReleaseError(f"{file}:{index + 1}: this `{END}` has no `{BEGIN}` above it")
        else:
            yield _block(lines, begin, index, tree, file)
            begin = None
    if begin is not None:
        raise ReleaseError(f"{file}:{begin + 1}: this block has no `{END}`")


def _block(lines: list[str], begin: int, end: int, tree: ast.Module, file: str) -> _Block:
    indentation = lines[begin].removesuffix(BEGIN)
    if lines[end].removesuffix(END) != indentation:
        raise ReleaseError(
            f"{file}:{end + 1}: `{END}` and its `{BEGIN}` in line {begin + 1} have different indentation"
        )
    name = _enclosing_function(tree, begin + 1)
    if name is None:
        raise ReleaseError(f"{file}:{begin + 1}: a solution block must be inside a function")
    return _Block(begin, end, name, indentation)


def _enclosing_function(node: ast.AST, line: int) -> str | None:
    """The ``function`` or ``Class.method`` around a line; the outermost function if functions are nested."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if child.lineno < line <= (child.end_lineno or child.lineno):
            if not isinstance(child, ast.ClassDef):
                return child.name
            inner = _enclosing_function(child, line)
            return f"{child.name}.{inner}" if inner else None
    return None


def _refuse_leaks(
    lines: list[str],
    blocks: list[_Block],
    shown: list[tuple[str, str]],
    shortest: int = SHORTEST_TELLING,
    public: Collection[str] = (),
) -> None:
    """Refuse a telling line of a solution in the lines that students receive, as ``(location, line)``.

    What a ``public`` line contains tells nothing.
    """
    shown = [(location, _single_spaced(line)) for location, line in shown]
    everything = "\n".join(line for _, line in shown)
    for block in blocks:
        for solution in filter(_is_telling, _solution_lines(lines, block)):
            if len(solution) < shortest or solution not in everything or any(solution in line for line in public):
                continue
            for location, line in shown:
                if solution in line:
                    raise ReleaseError(
                        f"{location}: students would read a line of the solution of {block.name}: `{solution}`; "
                        "reword it, or move it between the markers"
                    )


def _solution_lines(lines: list[str], block: _Block) -> Iterator[str]:
    return map(_without_comment, lines[block.begin + 1 : block.end])


def _without_comment(line: str) -> str:
    return _single_spaced(line.split("  #")[0])


def _single_spaced(line: str) -> str:
    return " ".join(line.split())


def _is_telling(line: str) -> bool:
    """Whether a line of a solution reveals something by itself."""
    return (
        len(line) >= SHORTEST_TELLING
        and _TELLING.search(line) is not None
        and not _PLAIN_ASSIGNMENT.fullmatch(line)
        and not line.startswith(("#", "super().__init__("))
    )
