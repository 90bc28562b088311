"""Titles and hints of checks: the docstrings of their hidden tests, read without running anything."""

import ast
from functools import lru_cache
from pathlib import Path

from autograder.course.check_locations import check_functions, parsed
from autograder.course.lab import StageFolders


def check_titles(stage: StageFolders) -> dict[str, str]:
    """Return the title of each check of a stage, by check id; a check without a docstring is left out."""
    titles: dict[str, str] = {}
    for path in sorted(stage.hidden_tests.glob("test_*.py")):
        titles.update(_titles_in(path, path.stat().st_mtime_ns))
    return titles


def title_and_hint(docstring: str) -> tuple[str, str]:
    """Split a check's docstring into its title, the first line, and its hint, the paragraph that begins ``Hint:``."""
    title, _, rest = docstring.partition("\n")
    _, found, hint = rest.partition("Hint:")
    first_paragraph = hint.strip().split("\n\n")[0] if found else ""
    return title.strip().rstrip("."), " ".join(first_paragraph.split())


# A class has thousands of submissions that were not run; `changed` makes an edited file a new key.
@lru_cache(maxsize=64)
def _titles_in(path: Path, changed: int) -> dict[str, str]:
    titles = {
        function.name: title_and_hint(ast.get_docstring(function) or "")[0]
        for function in check_functions(parsed(path))
    }
    return {check: title for check, title in titles.items() if title}
