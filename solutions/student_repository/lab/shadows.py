"""Finds files whose names hide a library: ``import random`` would import the student's ``random.py``."""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.course import CompanionError, Course


def hiding_files(course: Course) -> list[str]:
    """Return the files and packages, in the repository and its stages, that hide a library."""
    libraries = {*sys.stdlib_module_names, *course.grading.usable, *course.grading.importable, "lab"}
    libraries |= _dependencies(course.grading.usable + course.grading.importable)
    own = {course.root / "lab", *(course.root / stage.file for stage in course.stages)}
    folders = [course.root, *(course.root / stage.id for stage in course.stages)]
    found = [path for folder in folders for path in _importable(folder) if path.stem in libraries and path not in own]
    return [path.relative_to(course.root).as_posix() + ("/" if path.is_dir() else "") for path in found]


def refuse_hiding_files(course: Course) -> None:
    """Refuse to run tests while a file hides a library: they would fail with errors of that library.

    Raises:
        CompanionError: a file hides a library; the message names it.
    """
    if hiding := hiding_files(course):
        hide = "hides a library" if len(hiding) == 1 else "hide libraries"
        name = hiding[0].rstrip("/").rpartition("/")[2]
        raise CompanionError(f"{', '.join(hiding)} {hide} of that name: rename it, for example to my_{name}")


def _importable(folder: Path) -> Iterator[Path]:
    """Yield the files and packages that an import finds in a folder."""
    yield from sorted(folder.glob("*.py"))
    yield from sorted(path.parent for path in folder.glob("*/__init__.py"))


def _dependencies(libraries: tuple[str, ...]) -> set[str]:
    """Return the packages that the libraries need."""
    names: set[str] = set()
    for library in libraries:
        try:
            requirements = importlib.metadata.requires(library) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found = (re.match(r"[\w.-]+", line) for line in requirements if "extra ==" not in line)
        names |= {match[0].lower().replace("-", "_") for match in found if match}
    return names
