"""Lists the members of an archive and reads them; runs in the limited process, because archives can be hostile."""

import functools
import gzip
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO

import msgspec

from autograder.intake.limited_process import Spooled
from autograder.intake.refusals import (
    RefusalReason,
    RefusedError,
    link,
    not_a_file,
    shown,
    too_large,
    too_many_files,
)
from autograder.intake.tree import DEEPEST, is_leftover

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar")

_MB = 1024 * 1024
# Text compresses to a fifth, rarely to a twentieth; a far higher ratio indicates an archive bomb.
_LARGEST_RATIO = 200
_RATIO_MATTERS_FROM = 10 * _MB
# No file system has longer names, in bytes.
_LONGEST_NAME = 255
_STUDENT_LEVELS = 2
# Members of a tar per member that is kept: leftovers of tools are not kept.
_READ_PER_KEPT = 20

# Fields of a zip entry. Zips made on Unix keep the mode in the upper half of the external attributes.
_UNIX_MODE_SHIFT = 16
_ENCRYPTED = 0x1
_EXTRA_HEADER = struct.Struct("<HH")
_EXTENDED_TIME = 0x5455
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,  # an encrypted zip; RecursionError: a tar whose headers are nested
)


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of an archive. ``strict`` refuses the whole archive for a single hostile member."""

    packed: int
    unpacked: int
    entries: int
    seconds: int
    strict: bool


class Packed(msgspec.Struct, frozen=True):
    """An archive: its bytes, its name and its limits."""

    content: Spooled
    name: str
    limits: ArchiveLimits

    @property
    def is_zip(self) -> bool:
        """Whether the name is that of a zip."""
        return self.name.lower().endswith(ZIP_SUFFIXES)


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes:
        path: The path, whose parts are safe.
        index: The index in the archive.
        is_folder: Whether it is a folder.
        modified: The time that the archive states, with or without a zone.
        is_twice: Whether the path occurs again, so that the member is ambiguous.
    """

    path: str
    index: int
    is_folder: bool
    modified: datetime | None
    is_twice: bool = False


def refused_archive(name: str, what: str) -> RefusedError:
    """The refusal of an archive."""
    return RefusedError(RefusalReason.ARCHIVE, name, what)


def list_members(archive: Packed) -> list[Member]:
    """The members of an archive by path, without leftovers of tools.

    Raises:
        RefusedError: The archive is damaged or exceeds the limits.
    """
    what = "is damaged or not a zip archive" if archive.is_zip else "is damaged or not an archive"
    try:
        read = _zip_members if archive.is_zip else _tar_members
        members: dict[str, Member] = {}
        for member in read(archive):
            earlier = members.get(member.path)
            if earlier is not None and not (earlier.is_folder and member.is_folder):
                member = Member(member.path, member.index, False, member.modified, is_twice=True)
            members[member.path] = member
            if len(members) > archive.limits.entries:
                raise too_many_files(archive.name, archive.limits.entries)
    except _DAMAGED:
        raise refused_archive(archive.name, f"{what}; create it again") from None
    return list(members.values())


def member_content(archive: Packed, member: Member, limit: int) -> bytes:
    """The bytes of a member.

    Raises:
        RefusedError: The member is not a regular file of at most ``limit`` bytes, or is damaged.
    """
    read = _zip_content if archive.is_zip else _tar_content
    try:
        return read(archive, member, limit)
    except _DAMAGED:
        raise refused_archive(member.path, "is damaged in the archive; create the archive again") from None


# ---- zip


@functools.lru_cache(maxsize=2)
def _zip(archive: Packed) -> zipfile.ZipFile:
    return zipfile.ZipFile(archive.content.open())


def _zip_members(archive: Packed) -> Iterator[Member]:
    members, limits = _zip(archive).infolist(), archive.limits
    if limits.strict:
        _refuse_bomb(archive, sum(member.file_size for member in members))
    for index, member in enumerate(members):
        if (path := _path(archive, member.filename)) is not None:
            # The times in an export of a class are those of the export.
            yield Member(path, index, member.is_dir(), _zip_time(member) if limits.strict else None)


def _zip_content(archive: Packed, listed: Member, limit: int) -> bytes:
    member, path = _zip(archive).infolist()[listed.index], listed.path
    kind = stat.S_IFMT(member.external_attr >> _UNIX_MODE_SHIFT)
    if kind == stat.S_IFLNK:
        raise link(path)
    if member.is_dir() or kind not in (0, stat.S_IFREG):
        raise not_a_file(path)
    if member.flag_bits & _ENCRYPTED:
        raise refused_archive(path, "is protected by a password; create the archive again without one")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused_archive(path, "uses an unsupported compression method; create the archive with your system's zip")
    if member.file_size > limit:
        raise too_large(path, limit)
    with _zip(archive).open(member) as file:
        return file.read(limit + 1)


def _zip_time(member: zipfile.ZipInfo) -> datetime | None:
    """The modification time: in UTC if the program that made the zip stored it so, else without a zone."""
    try:
        seconds = _utc_seconds(member.extra)
        return datetime(*member.date_time) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _utc_seconds(extra: bytes) -> int | None:
    """The modification time in an entry's extra fields, as Info-ZIP writes it; None if there is none."""
    position = 0
    while position + _EXTRA_HEADER.size <= len(extra):
        kind, size = _EXTRA_HEADER.unpack_from(extra, position)
        position += _EXTRA_HEADER.size
        field = extra[position : position + size]
        if kind == _EXTENDED_TIME and len(field) >= 5 and field[0] & 1:
            return int.from_bytes(field[1:5], "little", signed=True)
        position += size
    return None


# ---- tar


@functools.lru_cache(maxsize=2)
def _tar(archive: Packed) -> tarfile.TarFile:
    packed = archive.content.open()
    unpacked = packed if archive.name.lower().endswith(".tar") else _unzipped(archive, packed)
    return tarfile.open(fileobj=unpacked, mode="r:")


def _unzipped(archive: Packed, packed: BinaryIO) -> BinaryIO:
    """The decompressed bytes in a file without a name; decompression stops shortly after the limit."""
    unpacked, limit = tempfile.TemporaryFile(), archive.limits.unpacked
    with gzip.open(packed) as stream:
        while unpacked.tell() <= limit and (chunk := stream.read(_MB)):
            unpacked.write(chunk)
    _refuse_bomb(archive, unpacked.tell())
    unpacked.seek(0)
    return unpacked


def _tar_members(archive: Packed) -> Iterator[Member]:
    limits, end = archive.limits, -1
    for index, member in enumerate(_tar(archive)):
        if index > limits.entries * _READ_PER_KEPT:
            raise too_many_files(archive.name, limits.entries)
        if member.offset <= end or member.size < 0:  # a header that points back: the members would never end
            raise tarfile.ReadError
        end = member.offset
        if (path := _path(archive, member.name)) is not None:
            yield Member(path, index, member.isdir(), _tar_time(member) if limits.strict else None)


def _tar_content(archive: Packed, listed: Member, limit: int) -> bytes:
    tar, path = _tar(archive), listed.path
    member = tar.getmembers()[listed.index]
    if member.issym() or member.islnk():
        raise link(path)
    if not member.isreg() or member.issparse():
        raise not_a_file(path)
    if member.size > limit:
        raise too_large(path, limit)
    file = tar.extractfile(member)  # opens the member for reading; writes no file
    return file.read(limit + 1) if file else b""


def _tar_time(member: tarfile.TarInfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(member.mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return None


# ---- both


def _refuse_bomb(archive: Packed, unpacked: int) -> None:
    limits = archive.limits
    is_suspicious = unpacked > _RATIO_MATTERS_FROM and unpacked > _LARGEST_RATIO * archive.content.size
    if unpacked > limits.unpacked or is_suspicious:
        most = limits.unpacked // _MB
        what = f"unpacks to more than {most} MB or looks like an archive bomb; hand in only the lab's files"
        raise RefusedError(RefusalReason.TOO_LARGE, archive.name, what)


def _path(archive: Packed, name: str) -> str | None:
    """A member's path in its archive; None if the member is ignored.

    Raises:
        RefusedError: The path leads out of the archive.
    """
    # Some Windows programs write backslashes, which violates the format. Names need not be text.
    path = PurePosixPath(name.encode("utf-8", "replace").decode().replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        if not archive.limits.strict:
            return None
        what = f"contains the path {shown(name)}, which leads out of the archive; create it again"
        raise refused_archive(archive.name, what)
    if not 0 < len(path.parts) <= DEEPEST or any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        return None
    # A folder at the top, or in a single folder there, may be a student's, whatever its name.
    student = max(0, min(_STUDENT_LEVELS, len(path.parts) - 1))
    return None if any(map(is_leftover, path.parts[student:])) or path.parts[0] == ".git" else path.as_posix()
