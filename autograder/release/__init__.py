"""Solutions → assignments: what students receive is made, never edited by hand.

The same lab gives the same bytes, so ``differences`` can tell whether ``assignments`` is up to
date. Nothing is touched unless everything could be made.
"""

from dataclasses import dataclass

from autograder.course.lab import Lab
from autograder.release.contents import assignments, generated_earlier, stage_files
from autograder.release.errors import ReleaseError
from autograder.release.folders import FileContent, read_folder, replace_folder, restore_folder
from autograder.release.sheets import check_id
from autograder.release.stubs import strip_solutions

__all__ = [
    "ReleaseError",
    "ReleaseReport",
    "check_id",
    "differences",
    "release",
    "strip_solutions",
    "write_nbgrader_source",
]


@dataclass(frozen=True)
class ReleaseReport:
    """What a release did in ``assignments``, as paths in it.

    ``written`` are new or changed, ``removed`` were made by an earlier release, ``strangers`` are
    files that no release made; they stay.
    """

    files: int
    written: tuple[str, ...]
    removed: tuple[str, ...]
    strangers: tuple[str, ...]


def release(lab: Lab) -> ReleaseReport:
    """Make ``assignments`` and the folders that nbgrader takes as its source.

    Raises:
        ReleaseError: something cannot be made; ``assignments`` is then as it was.
        LabError: a stage has no reference.
    """
    fresh = assignments(lab)
    folder = lab.root / "assignments"
    restore_folder(folder)
    present = read_folder(folder)
    ours = generated_earlier(present)
    written = [name for name, file in fresh.items() if present.get(name) != file]
    removed = [name for name in present if name not in fresh and name in ours]
    strangers = {name: file for name, file in present.items() if name not in fresh and name not in ours}
    if written or removed:
        replace_folder(folder, {**fresh, **strangers})
    write_nbgrader_source(lab)
    return ReleaseReport(len(fresh), tuple(written), tuple(removed), tuple(strangers))


def differences(lab: Lab) -> list[str]:
    """Where ``assignments`` is not what a release would make, one line each.

    Raises:
        ReleaseError: a release would fail.
        LabError: a stage has no reference.
    """
    fresh, present = assignments(lab), read_folder(lab.root / "assignments")
    lines = []
    for name in sorted(fresh.keys() | present.keys()):
        if name not in present:
            lines.append(f"{name} is missing; run `autograder release`")
        elif name not in fresh:
            lines.append(f"{name} is not made by a release; remove it, or add it to solutions/student_repository")
        elif fresh[name] != present[name]:
            lines.append(f"{name} is not what a release makes; change it in solutions and run `autograder release`")
    return lines


def write_nbgrader_source(lab: Lab) -> None:
    """Bring ``build/nbgrader/source`` up to date: per stage the notebook, the stub and the public tests, nothing else.

    nbgrader copies every file of its source to students and over submissions, so the instructor's
    folder can never be its source.
    """
    folder = lab.build / "nbgrader" / "source"
    restore_folder(folder)
    fresh: dict[str, FileContent] = {
        f"{stage.id}/{name}": file for stage in lab.stages() for name, file in stage_files(stage).items()
    }
    if read_folder(folder) != fresh:
        replace_folder(folder, fresh)
