"""Finds a stage's module among a student's files."""

import difflib
import re

from autograder.intake.submission import RefusalReason, RefusedError, StageFiles, shown
from autograder.intake.tree import Tree

_CLOSE = 0.75
_SOURCE_LIKE = re.compile(r".*\.(py|txt)", re.IGNORECASE | re.DOTALL)


def locate(tree: Tree, stage: StageFiles, suffix: str = ".py") -> str:
    """Find the path of a stage's module, or of its notebook, in a student's tree.

    ``STAGE/MODULE.py`` has priority over ``MODULE.py`` in any other folder. Among equals the shallowest
    path is chosen.

    Raises:
        RefusedError: There is no such file, or two paths have the same priority.
    """
    name = stage.module + suffix
    candidates = [path for path in tree if path.rpartition("/")[2] == name]
    if not candidates:
        raise _missing(tree, stage)
    best = min(_rank(path, f"{stage.stage}/{name}") for path in candidates)
    paths = [path for path in candidates if _rank(path, f"{stage.stage}/{name}") == best]
    if len(paths) > 1:
        listed = " and ".join(shown(path) for path in sorted(paths)[:3])
        what = f"was handed in {len(paths)} times, as {listed}; keep only the file to be graded"
        raise RefusedError(RefusalReason.AMBIGUOUS, name, what)
    return paths[0]


def _rank(path: str, wanted: str) -> tuple[bool, int]:
    return not f"/{path}".endswith(f"/{wanted}"), path.count("/")


def _missing(tree: Tree, stage: StageFiles) -> RefusedError:
    """The refusal of a missing module; names a similar file, because a wrong name is the most common reason."""
    folder = tree.get(stage.stage)
    if folder is not None and not folder.is_folder:
        what = "is a link" if folder.is_link else "is not a folder"
        reason = RefusalReason.LINK if folder.is_link else RefusalReason.NOT_A_FILE
        return RefusedError(reason, stage.stage, f"{what}; hand in the folder itself")
    what = "was not handed in"
    if (similar := _similar(tree, stage)) is not None:
        what += f"; if {shown(similar)} is your solution, rename it to {stage.module}.py"
        return RefusedError(RefusalReason.MISNAMED, stage.file, what)
    return RefusedError(RefusalReason.MISSING, stage.file, what)


def _similar(tree: Tree, stage: StageFiles) -> str | None:
    """A file with a similar name, such as ``Attention.py``, ``attention (1).py`` or ``attention.py.txt``."""
    wanted = f"{stage.module}.py"
    files = {
        path: name.lower()
        for path, entry in tree.items()
        if not entry.is_folder and _SOURCE_LIKE.fullmatch(name := path.rpartition("/")[2]) and name != f"test_{wanted}"
    }
    for path, name in files.items():
        if name.startswith(stage.module):
            return path
    close = difflib.get_close_matches(wanted, files.values(), n=1, cutoff=_CLOSE)
    return next((path for path, name in files.items() if name in close), None)
