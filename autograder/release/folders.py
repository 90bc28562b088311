"""Folders as data: read them, compare them, and replace a folder atomically."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.release.errors import ReleaseError

# Caches of tests and notebooks: neither released nor reported.
CACHES = frozenset({"__pycache__", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True)
class FileContent:
    """A file's content and executable bit, as git stores them."""

    content: bytes
    executable: bool = False

    @classmethod
    def of(cls, path: Path) -> "FileContent":
        """Read a file."""
        return cls(path.read_bytes(), bool(path.stat().st_mode & 0o100))

    def write(self, path: Path) -> None:
        """Write the file, and create its folder if needed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        path.chmod(0o755 if self.executable else 0o644)


def read_folder(folder: Path) -> dict[str, FileContent]:
    """Read every file below ``folder`` by its relative path; empty if the folder does not exist.

    Caches and a top-level ``.git`` are left out.

    Raises:
        ReleaseError: the folder contains a link, which would be lost when the folder is replaced.
    """
    return {path.relative_to(folder).as_posix(): FileContent.of(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not CACHES.isdisjoint(parts) or parts[0] == ".git" or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            raise ReleaseError(f"{path} is a link; replace it with the file itself, or remove it")
        if path.is_file():
            yield path


def replace_folder(folder: Path, files: Mapping[str, FileContent]) -> None:
    """Make ``folder`` hold exactly ``files``.

    The files are first written to a folder beside it; then two renames put that folder in place. A run that
    is killed leaves the old folder or the new folder. A kill between the renames leaves the old folder as
    ``.NAME.old``, which ``restore_folder`` renames back.
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
    """Finish or undo a ``replace_folder`` that was killed, and remove its temporary folders."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    if (old / ".git").exists():
        # The folder is itself a repository, for publishing: keep its history.
        (old / ".git").rename(folder / ".git")
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, word: str) -> Path:
    return folder.with_name(f".{folder.name}.{word}")
