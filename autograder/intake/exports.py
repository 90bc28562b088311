"""The names that learning platforms give to what students hand in, and whose each file or folder is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.intake.archives import archive_name
from autograder.intake.students import readable, student_id
from autograder.intake.submission import StageFiles
from autograder.intake.tree import Tree

# A suffix that Canvas adds to the name of a file that was handed in again: kernels-1.py.
_AGAIN = re.compile(r"-\d{1,3}(?=\.\w+$)")
# GitHub names its archives, and the single folder in them, REPOSITORY-BRANCH or REPOSITORY-COMMIT.
_BRANCH = re.compile(r"-(main|master|[0-9a-f]{40})$")
_ARCHIVE_OF_PLATFORM = r"(?:\.zip|\.tar\.gz|\.tgz)?"


@dataclass(frozen=True)
class Member:
    """An entry of an export.

    Attributes:
        entry: The name of the file or folder.
        user: Identifies the student within the export.
        student: The student's name.
        id: The student's id.
        file: The path that the entry gets among the student's files; empty for a folder that holds them.
        order: Of two entries with the same path, the greater one was handed in later.
        note: For the instructor.
        is_download: Whether only a platform's download has such a name.
    """

    entry: str
    user: str
    student: str
    id: str
    file: str
    order: tuple[int, str] = (0, "")
    note: str = ""
    is_download: bool = True


@dataclass(frozen=True)
class _Shape:
    """A platform's names. The groups `name` and `file` are required; `user`, `order` and `mark` are optional."""

    platform: str
    pattern: re.Pattern[str]
    student: str  # from the groups of the pattern
    notes: tuple[tuple[str, str], ...] = ()  # group → note if the group matched


def _shape(platform: str, pattern: str, student: str, **notes: str) -> _Shape:
    return _Shape(platform, re.compile(pattern, re.DOTALL), student, tuple(notes.items()))


_TEXT_ONLY = "handed in a text or an address on the platform; read it there"
SHAPES = (
    _shape(
        "Canvas",
        r"(?P<name>.+?)_(?P<late>LATE_)?(?P<user>\d+)_(?P<order>\d+)_(?P<file>.+)",
        "{name}_{user}",
        late="Canvas marks a file as late",
    ),
    _shape(
        "Canvas, anonymous",
        r"(?P<name>anon(?:ymous)?)_(?P<late>LATE_)?(?P<user>[0-9A-Za-z]{5})_(?P<order>\d+)_(?P<file>.+)",
        "{name}_{user}",
        late="Canvas marks a file as late",
    ),
    _shape(
        "Canvas, text",
        r"(?P<name>.+?)_(?:LATE_)?(?P<user>\d+)_(?P<file>(?P<online>text|link)\.html)",
        "{name}_{user}",
        online=_TEXT_ONLY,
    ),
    _shape(
        "Moodle",
        rf"(?P<name>.+?)_(?P<user>\d+)_assignsubmission_file(?:_(?P<file>.*)|{_ARCHIVE_OF_PLATFORM})",
        "{name}_{user}",
    ),
    _shape(
        "Moodle, text",
        r"(?P<name>.+?)_(?P<user>\d+)_assignsubmission_(?P<online>[a-z]+)(?:_?(?P<file>.*))",
        "{name}_{user}",
        online=_TEXT_ONLY,
    ),
    _shape(
        "Blackboard",
        r"(?P<name>.+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)",
        "{name}",
    ),
    _shape("Gradescope", r"(?P<name>submission_\d+)", "{name}"),
)
# These shapes have no mark of a platform: what follows the name must be one of the lab's own files.
_DRIVE = re.compile(r"(?P<name>.+?) - (?P<file>.+)", re.DOTALL)


def members(level: Tree, stages: Sequence[StageFiles]) -> list[Member]:
    """The entries whose names are those of a platform's export; empty if none of them is of the lab."""
    found = [member for entry in level if (member := _member(entry, stages)) is not None]
    is_lab = any(level[member.entry].is_folder or is_of_lab(member.file, stages) for member in found)
    return found if is_lab else []


def is_of_lab(file: str, stages: Sequence[StageFiles]) -> bool:
    """Whether a file's name suggests work on the lab: an archive, or a name like that of a stage or module."""
    name = file.rpartition("/")[2].casefold()
    names = [part.casefold() for stage in stages for part in (stage.stage, stage.module)]
    return archive_name(name) is not None or any(part in name for part in names)


def repository_name(entry: str) -> str:
    """The name of a folder or archive, without the suffixes of an archive and of a branch."""
    return _BRANCH.sub("", archive_name(entry) or entry)


def _member(entry: str, stages: Sequence[StageFiles]) -> Member | None:
    matches = [(shape, match) for shape in SHAPES if (match := shape.pattern.fullmatch(entry)) is not None]
    if matches:
        # The platform's part comes first. The rest is the student's, who can write anything there.
        shape, match = min(matches, key=lambda pair: pair[1].end("name"))
        return _from_platform(entry, shape, match, stages)
    drive = _DRIVE.fullmatch(entry)
    if drive is not None and any(drive["file"] in stage.own_names for stage in stages):
        name = drive["name"]
        return Member(entry, f"Drive {name}", name, student_id(name), drive["file"], is_download=False)
    return _clone_of_stage(entry, stages)


def _from_platform(entry: str, shape: _Shape, match: re.Match[str], stages: Sequence[StageFiles]) -> Member:
    groups = {name: text for name, text in match.groupdict().items() if text is not None}
    platform = shape.platform.partition(",")[0]
    user = f"{platform} {groups.get('user') or groups['name']}"
    notes = [note for group, note in shape.notes if group in groups]
    order = (int(groups.get("order", "0")[:18]), groups.get("time", ""))
    file = groups.get("file", "")
    if "online" in groups:
        file = f"{groups['online']}/{file}".rstrip("/")
    elif not file and archive_name(entry) is not None:
        file = f"files{entry[len(archive_name(entry) or '') :]}"
    elif not file and platform == "Blackboard":
        file = "attempt.txt"
    student = shape.student.format(**groups)
    # What the platform writes makes the id unique, however the name is written: a number, or a login.
    own_id = f"{readable(groups['name'])}_{groups['user']}" if "user" in groups else student_id(student)
    if platform == "Blackboard":
        own_id = readable(student)
    return Member(entry, user, student, own_id, _plain(file, stages), order, "; ".join(notes))


def _plain(file: str, stages: Sequence[StageFiles]) -> str:
    """The name of one of the lab's files without the suffix of a file that was handed in again."""
    plain = _AGAIN.sub("", file)
    is_own = any(plain in stage.own_names or plain in dict(stage.attachments) for stage in stages)
    return plain if is_own else file


def _clone_of_stage(entry: str, stages: Sequence[StageFiles]) -> Member | None:
    """A clone or archive of a repository for one stage, which GitHub Classroom names STAGE-USER."""
    name = repository_name(entry)
    for stage in stages:
        for start in (stage.stage, stage.stage.replace("_", "-")):
            if name.lower().startswith(f"{start.lower()}-") and (user := name[len(start) + 1 :]):
                file = entry if archive_name(entry) is not None else stage.stage
                return Member(entry, f"GitHub {user}", user, student_id(user), file, is_download=False)
    return None
