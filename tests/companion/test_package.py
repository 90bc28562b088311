"""The companion as a package: small files, and no imports beyond its requirements."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "solutions" / "student_repository"
FILES = sorted((ROOT / "lab").glob("*.py"))
# These files run before the requirements are known to be installed: they must not import click.
WITHOUT_REQUIREMENTS = {"__init__.py", "__main__.py", "bootstrap.py"}


def required() -> set[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {re.split(r"[<>=\[]", line)[0] for line in lines}


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names - sys.stdlib_module_names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_imports_only_what_the_requirements_list(file):
    allowed = {"lab"} if file.name in WITHOUT_REQUIREMENTS else {"lab", *required()}
    assert imported(file) <= allowed


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_and_functions_are_short(file):
    text = file.read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 200
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 45, f"{file.name}:{node.name}"


def test_every_requirement_is_used():
    """The companion, a stage or a lab sheet imports each requirement; two are programs."""
    stages = ROOT.parent.glob("[1-9]*_*")
    code = [
        *FILES,
        *(file for stage in stages for pattern in ("*.py", "given/**/*.py") for file in stage.glob(pattern)),
    ]
    sheets = "".join(sheet.read_text(encoding="utf-8") for sheet in ROOT.parent.glob("*/lab.md"))
    used = set().union(*map(imported, code)) | set(re.findall(r"^(?:import|from) (\w+)", sheets, re.MULTILINE))
    assert required() - used == {"jupyterlab", "ruff"}
