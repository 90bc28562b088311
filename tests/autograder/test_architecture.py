"""The architecture: the imports that each package may have, and the largest sizes of files and functions.

A package imports only from packages in layers below its own. The table in CONTRIBUTING.md lists the layers; a change
to it is a decision about the architecture, not a fix for this test.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import WORKER_SIDE

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "autograder"

MAX_FILE_LINES = 200
MAX_FUNCTION_LINES = 40
LARGE_FILES = {
    "isolation/wire.py": "the writer and the reader of one format belong together",
}
LARGE_FUNCTIONS: dict[str, str] = {}


def layers() -> dict[str, int]:
    """Return the layer of each package, from the table in CONTRIBUTING.md."""
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
    """Yield the line and full name of every import of a file, including imports inside functions."""
    package = ("autograder", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def package_of(module: str) -> str | None:
    """Return `judge` for `autograder.judge.run`, and None for a module outside `autograder`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "autograder" and len(parts) > 1 else None


def code_lines(tree: ast.Module, text: str) -> set[int]:
    """Return the lines that contain code: not blank lines, comments or docstrings."""
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


def test_every_package_has_a_layer():
    packages = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert packages == set(layers())


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_package_imports_only_from_layers_below(path):
    layer = layers()
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, module in imports(path):
        package = package_of(module)
        if package is not None and package != own:
            assert layer[package] < layer[own], f"{name_of(path)}:{line} imports {module} from layer {layer[package]}"


def test_the_package_itself_imports_no_module():
    """The worker's template loads some of its modules and must not load the others."""
    for folder in (PACKAGE, PACKAGE / "isolation"):
        assert not list(imports(folder / "__init__.py"))


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_nbgrader_integration_imports_nbgrader(path):
    if path.relative_to(PACKAGE).parts[:2] != ("integrations", "nbgrader"):
        for line, module in imports(path):
            assert module.split(".")[0] != "nbgrader", f"{name_of(path)}:{line} imports {module}"


def test_the_code_of_the_worker_imports_no_other_module_of_the_grader():
    """The imports are followed from the template: none leads to the judge, the hidden tests or the solutions."""
    allowed = {"torch", "numpy", "msgspec", *sys.stdlib_module_names}
    reached, waiting = set(), ["template"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for line, module in imports(PACKAGE / "isolation" / f"{name}.py"):
            parts = module.split(".")
            imported = f"isolation/{name}.py:{line} imports {module}"
            if parts[0] != "autograder":
                assert parts[0] in allowed, imported
                continue
            assert parts[1] == "isolation", imported
            if len(parts) > 2 and parts[2] not in reached:
                assert parts[2] in WORKER_SIDE, imported
                waiting.append(parts[2])
    assert reached == WORKER_SIDE


def student_files() -> list[Path]:
    folders = [ROOT / "solutions" / "student_repository", ROOT / "assignments", *(ROOT / "solutions").glob("*/given")]
    stages = [path for path in (ROOT / "solutions").glob("*/*.py") if path.name != "mistakes.py"]
    alternatives = list((ROOT / "solutions").glob("*/alternatives/*.py"))
    return sorted([*stages, *alternatives, *(path for folder in folders for path in folder.rglob("*.py"))])


def test_files_for_students_do_not_import_the_grader():
    files = student_files()
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] in ("autograder", "nbgrader")], path


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_and_functions_are_not_too_long(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = code_lines(tree, text)
    if name_of(path) not in LARGE_FILES:
        assert len(lines) <= MAX_FILE_LINES, f"{name_of(path)} has {len(lines)} lines of code"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            own = {line for line in lines if node.lineno <= line <= (node.end_lineno or 0)}
            function = f"{name_of(path)}:{node.name}"
            assert len(own) <= MAX_FUNCTION_LINES or function in LARGE_FUNCTIONS, (
                f"{function} has {len(own)} lines of code"
            )


def test_the_large_files_are_still_large():
    for name in LARGE_FILES:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        assert len(code_lines(ast.parse(text), text)) > MAX_FILE_LINES, (
            f"{name} is no longer too long: remove it from LARGE_FILES"
        )
