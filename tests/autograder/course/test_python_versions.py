"""One range of Python, stated in several files: they agree."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from tiny_lab import build_tiny_lab

from autograder.course.lab import Lab
from autograder.course.python_versions import NEWEST, OLDEST, added_names, dotted, grading_version, newer_version
from autograder.course.surroundings import importable_only

ROOT = Path(__file__).parents[3]
STUDENTS = ROOT / "solutions" / "student_repository"
_REQUIRES = f'requires-python = ">={dotted(OLDEST)},<{NEWEST[0]}.{NEWEST[1] + 1}"'
_RANGE = f"Python {dotted(OLDEST)} to {dotted(NEWEST)}"
STATED = {
    "pyproject.toml": _REQUIRES,
    "README.md": _RANGE,
    "docs/instructors.md": _RANGE,
    "Makefile": _RANGE,
    "solutions/student_repository/pyproject.toml": _REQUIRES,
    "solutions/student_repository/README.md": _RANGE,
    "solutions/student_repository/docs/graded-module.md": _RANGE,
    "solutions/student_repository/lab/__main__.py": f"sys.version_info < {OLDEST}",
    "solutions/student_repository/.github/workflows/classroom.yml": f'python-version: "{dotted(OLDEST)}"',
    "solutions/student_repository/.devcontainer/devcontainer.json": f"python:{dotted(OLDEST)}",
}


@pytest.mark.parametrize("name", STATED)
def test_every_statement_of_the_range_is_the_same(name):
    assert STATED[name] in (ROOT / name).read_text(encoding="utf-8")


def test_this_python_is_in_the_range():
    assert OLDEST <= sys.version_info[:2] <= NEWEST
    assert grading_version() == f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_names_are_new_only_for_an_older_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert newer_version("typing", "override") is None
    assert newer_version("typing", "TypeIs") == "3.13"
    assert newer_version("string.templatelib", "Template") == newer_version("compression.zstd") == "3.14"
    assert newer_version("typing", "overide") is newer_version("einops") is None


def is_there(name: str) -> bool:
    """Whether this Python has a module, or a name in a module."""
    module, _, attribute = name.rpartition(".")
    try:
        if module and hasattr(importlib.import_module(module), attribute):
            return True
        importlib.import_module(name)
    except ImportError:
        return False
    return True


@pytest.mark.parametrize(("name", "version"), added_names().items())
def test_a_name_is_there_since_its_version(name, version):
    here = tuple(map(int, version.split("."))) <= sys.version_info[:2]
    assert is_there(name) == here


def test_the_importable_libraries_are_the_requirements_of_the_lab(tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    requirements = lab.root / "solutions" / "student_repository" / "requirements.txt"
    requirements.write_text(
        "# libraries\nmatplotlib>=3.8\ntorch\n\nJupyterLab  # sheets\nmy-package==1\n", encoding="utf-8"
    )
    assert {"matplotlib", "mpl_toolkits", "jupyterlab", "IPython", "my_package"} <= set(importable_only(lab))
    assert not {"torch", "numpy", "pytest", "#"} & set(importable_only(lab))
    requirements.unlink()
    assert importable_only(lab) == ()


def test_the_libraries_of_the_real_lab_are_importable():
    names = importable_only(Lab(ROOT))
    assert {"matplotlib", "rich", "pytest", "hypothesis", "IPython", "click"} <= set(names)
    assert not {"torch", "numpy"} & set(names)
    assert re.match(r"[\w]+$", "".join(names))
