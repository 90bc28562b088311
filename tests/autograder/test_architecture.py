"""The floors of the house: who may import whom, and how large a file and a function may be.

A room imports only from rooms on floors below its own. The floors are those of the table in CONTRIBUTING.md; a
change to it is a decision about the house, not a fix for this test.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "autograder"

# What the student's process runs: torch, numpy, msgspec and each other, and nothing of ours besides.
WORKER_SIDE = set(
    "control executor guard huge_pages lockdown preload readable serving sources syscalls template wire".split()
)

MOST_LINES = 200
MOST_FUNCTION_LINES = 40
LARGE_FILES = {
    "isolation/wire.py": "one format, its writer and its reader beside each other",
}
LARGE_FUNCTIONS: dict[str, str] = {}


def floors() -> dict[str, int]:
    """Room → floor, as CONTRIBUTING.md has it."""
    found = {"__main__": 99}
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\| (\d+) \| (`[^|]+`) \|.*", line):
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", match[2]), int(match[1])))
    return found


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, inside functions too."""
    package = ("autograder", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room_of(module: str) -> str | None:
    """The room that `autograder.room.more` is in; None for what is not ours."""
    parts = module.split(".")
    return parts[1] if parts[0] == "autograder" and len(parts) > 1 else None


def code_lines(tree: ast.Module, text: str) -> set[int]:
    """Lines that hold code: no blank line, comment or docstring."""
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


def test_every_room_has_a_floor():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert rooms == set(floors())


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_room_imports_only_from_floors_below(path):
    floor = floors()
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, module in imports(path):
        room = room_of(module)
        if room is not None and room != own:
            assert floor[room] < floor[own], f"{name_of(path)}:{line} imports {module} from floor {floor[room]}"


def test_the_package_itself_imports_nothing():
    """The worker's template loads parts of it, and must not drag the rest in."""
    for folder in (PACKAGE, PACKAGE / "isolation"):
        assert not list(imports(folder / "__init__.py"))


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nbgrader_is_known_at_the_edge_alone(path):
    if path.relative_to(PACKAGE).parts[:2] != ("integrations", "nbgrader"):
        for line, module in imports(path):
            assert module.split(".")[0] != "nbgrader", f"{name_of(path)}:{line} imports {module}"


def test_the_workers_code_knows_nothing_of_ours():
    """Followed from the template, so that no detour leads to the judge, the tests or the solutions."""
    allowed = {"torch", "numpy", "msgspec", *sys.stdlib_module_names}
    reached, waiting = set(), ["template"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for line, module in imports(PACKAGE / "isolation" / f"{name}.py"):
            parts = module.split(".")
            place = f"isolation/{name}.py:{line} imports {module}"
            if parts[0] != "autograder":
                assert parts[0] in allowed, place
                continue
            assert parts[1] == "isolation", place
            if len(parts) > 2 and parts[2] not in reached:
                assert parts[2] in WORKER_SIDE, place
                waiting.append(parts[2])
    assert reached == WORKER_SIDE


def student_files() -> list[Path]:
    folders = [ROOT / "solutions" / "student_repository", ROOT / "assignments", *(ROOT / "solutions").glob("*/given")]
    stages = [path for path in (ROOT / "solutions").glob("*/*.py") if path.name != "mistakes.py"]
    alternatives = list((ROOT / "solutions").glob("*/alternatives/*.py"))
    return sorted([*stages, *alternatives, *(path for folder in folders for path in folder.rglob("*.py"))])


def test_what_students_receive_knows_nothing_of_the_grader():
    files = student_files()
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] in ("autograder", "nbgrader")], path


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_and_functions_can_be_read_in_one_go(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = code_lines(tree, text)
    if name_of(path) not in LARGE_FILES:
        assert len(lines) <= MOST_LINES, f"{name_of(path)} has {len(lines)} lines of code"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            own = {line for line in lines if node.lineno <= line <= (node.end_lineno or 0)}
            place = f"{name_of(path)}:{node.name}"
            assert len(own) <= MOST_FUNCTION_LINES or place in LARGE_FUNCTIONS, f"{place} has {len(own)} lines of code"


def test_exceptions_are_still_needed():
    for name in LARGE_FILES:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        assert len(code_lines(ast.parse(text), text)) > MOST_LINES, f"{name} has become small enough"
