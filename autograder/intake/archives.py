"""Archives as trees: nothing is extracted; a member is read into memory on demand."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from autograder.intake.submission import (
    RefusalReason,
    RefusedError,
    link,
    not_a_file,
    shown,
    too_large,
    too_many_files,
)
from autograder.intake.tree import DEEPEST, MOST_ENTRIES, Tree, TreeEntry, folder_entry, is_leftover

_MB = 1024 * 1024
# Text compresses to a fifth, rarely to a twentieth; a far higher ratio indicates an archive bomb.
_LARGEST_RATIO = 200
_RATIO_MATTERS_FROM = 10 * _MB

_ZIP = (".zip",)
_TAR = (".tar.gz", ".tgz", ".tar")
_UNKNOWN = (".rar", ".7z", ".tar.bz2", ".tar.xz", ".gz")

# Fields of a zip entry. Zips made on Unix keep the mode in the upper half of the external attributes.
_UNIX_MODE_SHIFT = 16
_ENCRYPTED = 0x1
_EXTRA_HEADER = struct.Struct("<HH")
_EXTENDED_TIME = 0x5455
_CENTRAL_ENTRY = b"PK\x01\x02"


@dataclass(frozen=True)
class ArchiveLimits:
    """The limits of an archive. ``strict`` refuses the whole archive for a single hostile member."""

    packed: int
    unpacked: int
    entries: int
    strict: bool


HAND_IN = ArchiveLimits(packed=50 * _MB, unpacked=200 * _MB, entries=MOST_ENTRIES, strict=True)
# The export of a class: one student's files must not prevent the grading of other students.
EXPORT = ArchiveLimits(packed=1024 * _MB, unpacked=2048 * _MB, entries=500_000, strict=False)


def archive_name(name: str) -> str | None:
    """The name without its archive suffix; None if the name is not that of an archive."""
    lower = name.lower()
    for suffix in (*_TAR, *_ZIP, *_UNKNOWN):
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def read_archive(name: str, raw: bytes, limits: ArchiveLimits = HAND_IN) -> Tree:
    """Read an archive as a tree.

    Raises:
        RefusedError: The format is not supported, or the archive is damaged or exceeds the limits.
    """
    lower = name.lower()
    if lower.endswith(_ZIP):
        tree = _read_zip(name, raw, limits)
    elif lower.endswith(_TAR):
        tree = _read_tar(name, raw, limits)
    else:
        raise _refused(name, "is not a supported archive; hand in a .zip or .tar.gz")
    return _with_folders(tree)


def _refused(name: str, what: str) -> RefusedError:
    return RefusedError(RefusalReason.ARCHIVE, name, what)


def _read_zip(name: str, raw: bytes, limits: ArchiveLimits) -> Tree:
    if raw.count(_CENTRAL_ENTRY) > limits.entries:
        raise too_many_files(name, limits.entries)
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, RuntimeError):
        raise _refused(name, "is damaged or not a zip archive; create it again") from None
    members = archive.infolist()
    if limits.strict:
        _refuse_bomb(name, sum(member.file_size for member in members), len(raw), limits)
    tree: Tree = {}
    for member in members:
        path = _path(name, member.filename, limits)
        if path is None:
            continue
        # The times in an export of a class are those of the export.
        modified = _zip_time(member) if limits.strict else None
        entry = TreeEntry(member.is_dir(), modified, _zip_reader(archive, member, path))
        tree[path] = _unique(tree, path, entry)
    return tree


def _zip_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        kind = stat.S_IFMT(member.external_attr >> _UNIX_MODE_SHIFT)
        if kind == stat.S_IFLNK:
            raise link(path)
        if member.is_dir() or kind not in (0, stat.S_IFREG):
            raise not_a_file(path)
        if member.flag_bits & _ENCRYPTED:
            raise _refused(path, "is protected by a password; create the archive again without one")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(path, "uses an unsupported compression method; create the archive with your system's zip")
        if member.file_size > limit:
            raise too_large(path, limit)
        try:
            with archive.open(member) as file:
                return file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError):
            raise _refused(path, "is damaged in the archive; create the archive again") from None

    return read


def _zip_time(member: zipfile.ZipInfo) -> datetime | None:
    """The modification time: in UTC if the program that made the zip stored it so, else without a zone."""
    try:
        seconds = _utc_seconds(member.extra)
        return datetime(*member.date_time) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _utc_seconds(extra: bytes) -> int | None:
    """The modification time in an entry's extra fields, as Info-ZIP writes it; None if there is none."""
    while len(extra) >= _EXTRA_HEADER.size:
        kind, size = _EXTRA_HEADER.unpack_from(extra)
        field, extra = extra[_EXTRA_HEADER.size :][:size], extra[_EXTRA_HEADER.size + size :]
        if kind == _EXTENDED_TIME and len(field) >= 5 and field[0] & 1:
            return int.from_bytes(field[1:5], "little", signed=True)
    return None


def _read_tar(name: str, raw: bytes, limits: ArchiveLimits) -> Tree:
    try:
        if not name.lower().endswith(".tar"):
            unpacked = _unzipped(raw, limits.unpacked)
            _refuse_bomb(name, len(unpacked), len(raw), limits)
            raw = unpacked
        archive = tarfile.open(fileobj=io.BytesIO(raw), mode="r:")
        tree: Tree = {}
        for member in archive:
            path = _path(name, member.name, limits)
            if path is not None:
                tree[path] = _unique(tree, path, _tar_entry(archive, member, path, limits))
            if len(tree) > limits.entries:
                raise too_many_files(name, limits.entries)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError):
        raise _refused(name, "is damaged or not an archive; create it again") from None
    return tree


def _unzipped(raw: bytes, limit: int) -> bytes:
    """The decompressed bytes; decompression stops shortly after ``limit`` bytes."""
    unpacked = bytearray()
    with gzip.open(io.BytesIO(raw)) as packed:
        while len(unpacked) <= limit and (chunk := packed.read(_MB)):
            unpacked += chunk
    return bytes(unpacked)


def _tar_entry(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, limits: ArchiveLimits) -> TreeEntry:
    def read(limit: int) -> bytes:
        if member.issym() or member.islnk():
            raise link(path)
        if not member.isreg() or member.issparse():
            raise not_a_file(path)
        if member.size > limit:
            raise too_large(path, limit)
        try:
            file = archive.extractfile(member)  # opens the member for reading; writes no file
            return file.read(limit + 1) if file else b""
        except (tarfile.TarError, OSError, ValueError):
            raise _refused(path, "is damaged in the archive; create the archive again") from None

    try:
        modified = datetime.fromtimestamp(member.mtime, UTC) if limits.strict else None
    except (ValueError, OverflowError, OSError):
        modified = None
    return TreeEntry(member.isdir(), modified, read)


def _refuse_bomb(name: str, unpacked: int, packed: int, limits: ArchiveLimits) -> None:
    if unpacked > limits.unpacked or (unpacked > _RATIO_MATTERS_FROM and unpacked > _LARGEST_RATIO * packed):
        most = limits.unpacked // _MB
        what = f"unpacks to more than {most} MB or looks like an archive bomb; hand in only the lab's files"
        raise RefusedError(RefusalReason.TOO_LARGE, name, what)


def _path(archive: str, name: str, limits: ArchiveLimits) -> str | None:
    """A member's path in its archive; None if the member is ignored.

    Raises:
        RefusedError: The path leads out of the archive.
    """
    # Some Windows programs write backslashes, which violates the format.
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        if not limits.strict:
            return None
        raise _refused(archive, f"contains the path {shown(name)}, which leads out of the archive; create it again")
    if not 0 < len(path.parts) <= DEEPEST or any(is_leftover(part) for part in path.parts):
        return None
    return path.as_posix()


def _unique(tree: Tree, path: str, entry: TreeEntry) -> TreeEntry:
    """The entry, or an unreadable entry if its path occurred before, because the duplicate is ambiguous."""
    if path not in tree or (entry.is_folder and tree[path].is_folder):
        return entry

    def read(limit: int) -> bytes:
        raise RefusedError(RefusalReason.AMBIGUOUS, path, "is in the archive twice; create it again with one copy")

    return TreeEntry(False, entry.modified, read)


def _with_folders(tree: Tree) -> Tree:
    """Add the folders that contain the files: an archive need not list them."""
    complete = dict(tree)
    for path in tree:
        for parent in PurePosixPath(path).parents:
            if parent.parts and parent.as_posix() not in complete:
                complete[parent.as_posix()] = folder_entry()
    return dict(sorted(complete.items()))
