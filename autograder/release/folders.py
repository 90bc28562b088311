"""Folders as data: read them, compare them, and replace one whole or not at all."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.release.errors import ReleaseError

# What running tests and notebooks leaves behind: neither released nor worth a word.
CACHES = frozenset({"__pycache__", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True)
class FileContent:
    """One file, as git would keep it."""

    content: bytes
    executable: bool = False

    @classmethod
    def of(cls, path: Path) -> "FileContent":
        """Read a file."""
        return cls(path.read_bytes(), bool(path.stat().st_mode & 0o100))

    def write(self, path: Path) -> None:
        """Write the file, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        path.chmod(0o755 if self.executable else 0o644)


def read_folder(folder: Path) -> dict[str, FileContent]:
    """Every file below ``folder`` by its path in it; nothing when there is no folder.

    Caches and a ``.git`` at the top are left out.

    Raises:
        ReleaseError: a link, which could not be kept when the folder is replaced.
    """
    return {path.relative_to(folder).as_posix(): FileContent.of(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not CACHES.isdisjoint(parts) or parts[0] == ".git" or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            raise ReleaseError(f"{path} is a link; put the file itself there, or remove it")
        if path.is_file():
            yield path


def replace_folder(folder: Path, files: Mapping[str, FileContent]) -> None:
    """Make ``folder`` hold exactly ``files``.

    All is written beside it first; then two renames put it in place. A run that is killed leaves
    the old folder or the new one, under its name or, between the renames, as ``.NAME.old``, which
    ``restore_folder`` puts back.
    """
    restore_folder(folder)
    new, old = _beside(folder, "new"), _beside(folder, "old")
    new.mkdir(parents=True)
    for name, file in files.items():
        file.write(new / name)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    restore_folder(folder)


def restore_folder(folder: Path) -> None:
    """Finish or undo what a killed ``replace_folder`` began, and take its traces away."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    if (old / ".git").exists():
        # The folder is a repository of its own, for publishing: its history moves along.
        (old / ".git").rename(folder / ".git")
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, word: str) -> Path:
    return folder.with_name(f".{folder.name}.{word}")
