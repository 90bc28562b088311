"""Archives as trees: nothing is extracted; a member is read into memory on demand, in the limited process."""

from functools import partial
from pathlib import PurePosixPath

from autograder.intake.archive_members import (
    TAR_SUFFIXES,
    ZIP_SUFFIXES,
    ArchiveLimits,
    Member,
    Packed,
    list_members,
    member_content,
    refused_archive,
)
from autograder.intake.limited import limited_to, spooled
from autograder.intake.refusals import RefusalReason, RefusedError, too_many_files
from autograder.intake.tree import MOST_ENTRIES, Tree, TreeEntry, folder_entry, visible

_MB = 1024 * 1024
_UNKNOWN = (".rar", ".7z", ".tar.bz2", ".tar.xz", ".gz")
_CENTRAL_ENTRY = b"PK\x01\x02"
_GZIP_MEMBER = b"\x1f\x8b\x08"
_MOST_GZIP_MEMBERS = 1000

HAND_IN = ArchiveLimits(packed=50 * _MB, unpacked=200 * _MB, entries=MOST_ENTRIES, seconds=10, strict=True)
# The export of a class: one student's files must not prevent the grading of other students.
EXPORT = ArchiveLimits(packed=1024 * _MB, unpacked=2048 * _MB, entries=500_000, seconds=300, strict=False)


def archive_name(name: str) -> str | None:
    """The name without its archive suffix; None if the name is not that of an archive."""
    lower = name.lower()
    for suffix in (*TAR_SUFFIXES, *ZIP_SUFFIXES, *_UNKNOWN):
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def read_archive(name: str, raw: bytes, limits: ArchiveLimits = HAND_IN) -> Tree:
    """Read an archive as a tree; that of a class keeps the folders of students whose names begin with a dot.

    Raises:
        RefusedError: The format is not supported, or the archive is damaged or exceeds the limits.
    """
    if not name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES)):
        raise refused_archive(name, "is not a supported archive; hand in a .zip or .tar.gz")
    if raw.count(_CENTRAL_ENTRY) > limits.entries:
        raise too_many_files(name, limits.entries)
    if raw.startswith(_GZIP_MEMBER) and raw.count(_GZIP_MEMBER) > _MOST_GZIP_MEMBERS:
        raise refused_archive(name, "consists of too many compressed parts; create it again")
    archive = Packed(spooled(raw), name, limits)
    members = limited_to(limits.seconds, name, list_members, archive)
    tree = _with_folders({member.path: _entry(archive, member) for member in members})
    return visible(tree) if limits.strict else tree


def _entry(archive: Packed, member: Member) -> TreeEntry:
    return TreeEntry(member.is_folder, member.modified, partial(_content, archive, member))


def _content(archive: Packed, member: Member, limit: int) -> bytes:
    if member.is_twice:
        what = "is in the archive twice; create it again with one copy"
        raise RefusedError(RefusalReason.AMBIGUOUS, member.path, what)
    return limited_to(archive.limits.seconds, member.path, member_content, archive, member, limit)


def _with_folders(tree: Tree) -> Tree:
    """Add the folders that contain the files: an archive need not list them."""
    complete = dict(tree)
    for path in tree:
        for parent in PurePosixPath(path).parents:
            if parent.parts and parent.as_posix() not in complete:
                complete[parent.as_posix()] = folder_entry()
    return dict(sorted(complete.items()))
