"""Digests of files, of folders and of this program, which say whether something has changed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder in order, without Python's caches."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def program_files() -> list[Path]:
    """Return the modules of this program, in order."""
    return [path for path in files_below(_PACKAGE) if path.suffix == ".py"]


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """Digest the paths of files, relative to ``root``, with their contents and executable bits.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_mode & 0o100}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def digest_of_program() -> str:
    """Digest the modules of this program."""
    return digest_of_files(program_files(), _PACKAGE)
