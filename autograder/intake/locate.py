"""Finds a stage's module or notebook among a student's files."""

import difflib
import re
import unicodedata

from autograder.intake.refusals import RefusalReason, RefusedError, shown
from autograder.intake.submission import StageFiles
from autograder.intake.tree import Tree

_CLOSE = 0.75
_LARGEST_COPY = 20 * 1024 * 1024
_SOURCE_LIKE = re.compile(r".*\.(py|txt)", re.IGNORECASE | re.DOTALL)
# What browsers, editors and systems add to the name of a copy.
_COPY_OF = re.compile(r"^(copy|copie|kopie|copia|cópia) (of|de|von|di) ")
_COPY = re.compile(r"( - copy| - kopie| copy|[-_]copy)?(\s*\(\d{1,3}\)|[-_ ]?(?<=copy)\d{1,3}|[-_ ]\d{1,3})?$")
_ADDED_SUFFIX = re.compile(r"(?<=\.py|ynb)(\.txt|\.json|\.py|\.ipynb|\.html?)+$")


def locate(tree: Tree, stage: StageFiles, suffix: str = ".py") -> str:
    """Find the path of a stage's module, or of its notebook, in a student's tree.

    ``STAGE/MODULE.py`` has priority over ``MODULE.py`` in any other folder, and both over the names that systems
    give to copies: ``MODULE (1).py``. Among equals the shallowest path is chosen.

    Raises:
        RefusedError: There is no such file, or files of the same priority differ.
    """
    name = stage.module + suffix
    candidates = [path for path in tree if _name(path) == name]
    if not candidates:
        candidates = [path for path, entry in tree.items() if not entry.is_folder and is_copy(_name(path), name)]
    if not candidates:
        raise _missing(tree, stage)
    best = min(_rank(path, stage) for path in candidates)
    paths = sorted(path for path in candidates if _rank(path, stage) == best)
    if len(paths) > 1 and not are_equal(tree, paths):
        listed = " and ".join(shown(path) for path in paths[:3])
        what = f"was handed in {len(paths)} times, as {listed}; keep only the file to be graded"
        raise RefusedError(RefusalReason.AMBIGUOUS, name, what)
    return paths[0]


def is_copy(name: str, wanted: str) -> bool:
    """Whether a name is the wanted name as a browser, an editor or a system renames a copy."""
    return _original(name) == wanted.casefold()


def _original(name: str) -> str:
    """The name without case and without what was added to a copy's name."""
    plain = unicodedata.normalize("NFC", name).casefold().strip()
    plain = _ADDED_SUFFIX.sub("", plain)
    stem, dot, suffix = plain.rpartition(".")
    # Twice, because a copy of a copy has two marks: "Copy of kernels (1)".
    for _ in range(2):
        stem = _COPY.sub("", _COPY_OF.sub("", stem))
    return f"{stem}{dot}{suffix}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _rank(path: str, stage: StageFiles) -> tuple[bool, int]:
    return not f"/{path}".rpartition("/")[0].endswith(f"/{stage.stage}"), path.count("/")


def are_equal(tree: Tree, paths: list[str]) -> bool:
    """Whether files have the same content; False if one of them cannot be read."""
    try:
        return len({tree[path].read(_LARGEST_COPY) for path in paths}) == 1
    except RefusedError:
        return False


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
    """A file with a similar name, such as ``atention.py`` or ``attention_final.py``."""
    wanted = f"{stage.module}.py"
    files = {
        path: name.lower()
        for path, entry in tree.items()
        if not entry.is_folder and _SOURCE_LIKE.fullmatch(name := _name(path)) and name != f"test_{wanted}"
    }
    for path, name in files.items():
        if name.startswith(stage.module):
            return path
    close = difflib.get_close_matches(wanted, files.values(), n=1, cutoff=_CLOSE)
    return next((path for path, name in files.items() if name in close), None)
