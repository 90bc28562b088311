"""The contents of a release: every file of ``assignments``, generated from the instructor's files."""

import hashlib
from collections.abc import Collection, Iterator

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.course.lab import Lab, StageFolders
from autograder.release.course import COURSE_FILE, course_file
from autograder.release.errors import ReleaseError
from autograder.release.folders import FileContent, read_folder
from autograder.release.sheets import build_notebook
from autograder.release.solutions import solutions_files
from autograder.release.stubs import SHORTEST_TELLING_ELSEWHERE, given_lines, refuse_leaks, released_stub

# Lists the generated files with their digests: a later release may remove a file that an earlier
# release generated, but not any other file.
MANIFEST = ".release.json"

# Data is part of every student's clone and of every submitted zip.
LARGEST_DATA_FILE = 5 * 2**20


def assignments(lab: Lab, solved: Collection[str] = ()) -> dict[str, FileContent]:
    """Generate every file of ``assignments``, by its path there, the manifest included.

    Args:
        lab: the lab.
        solved: ids of the stages whose solutions students receive.

    Raises:
        ReleaseError: a file is missing, two files have the same path, or a stage cannot be released.
        LabError: a stage has no reference.
    """
    files: dict[str, FileContent] = {}
    for name, file in _all_files(lab):
        if files.setdefault(name, file) != file:
            raise ReleaseError(f"assignments/{name} has two sources; rename it in solutions/student_repository")
    _refuse_all_leaks(lab, files)
    files |= solutions_files(lab, solved)
    files[MANIFEST] = FileContent(_manifest(files))
    return dict(sorted(files.items()))


def _refuse_all_leaks(lab: Lab, files: dict[str, FileContent]) -> None:
    """Refuse a line of any stage's solution in any file, including the README, the companion and later stages."""
    shown = {
        f"assignments/{name}": file.content.decode(errors="replace").replace(r"\"", '"')  # as JSON writes it
        for name, file in files.items()
        if not name.startswith("data/")
    }
    public = {line for stage in lab.stages() for line in given_lines(stage)}
    for stage in lab.stages():
        refuse_leaks(stage.reference_source(), str(stage.reference), shown, SHORTEST_TELLING_ELSEWHERE, public)


def stage_files(stage: StageFolders) -> dict[str, FileContent]:
    """Generate a stage's own files: stub, lab sheet, public tests, and the given files unchanged.

    Raises:
        ReleaseError: a file is missing, or would show a solution.
    """
    module = stage.spec.module
    reference = stage.reference_source()
    stub = released_stub(stage)
    notebook = build_notebook(stage)
    tests = stage.folder / f"test_{module}.py"
    if not tests.is_file():
        raise ReleaseError(f"{tests} is missing: every stage needs its public tests")
    given = read_folder(stage.given)
    shown = [stage.sheet, tests, *(stage.given / name for name in given if name.endswith(".py"))]
    refuse_leaks(reference, str(stage.reference), {str(path): path.read_text(encoding="utf-8") for path in shown})
    made = {
        f"{module}.py": FileContent(stub.encode()),
        f"{module}.ipynb": FileContent(notebook.encode()),
        tests.name: FileContent.of(tests),
    }
    for name in made.keys() & given.keys():
        raise ReleaseError(f"{stage.given / name} would replace the stage's own {name}; rename it")
    return {**made, **given}


def _all_files(lab: Lab) -> Iterator[tuple[str, FileContent]]:
    for stage in lab.stages():
        for name, file in stage_files(stage).items():
            yield f"{stage.id}/{name}", file
        for data in stage.spec.data:
            yield from _data_files(lab, stage, data)
    skeleton = lab.root / "solutions" / "student_repository"
    if not skeleton.is_dir():
        raise ReleaseError(f"{skeleton} is missing: it holds the top-level files of the students' repository")
    yield from read_folder(skeleton).items()
    yield COURSE_FILE, FileContent(course_file(lab))


def _data_files(lab: Lab, stage: StageFolders, name: str) -> Iterator[tuple[str, FileContent]]:
    """The files of a data folder, without the scripts that prepared them."""
    folder = lab.root / "data" / name
    if not folder.is_dir():
        raise ReleaseError(f"grading.yml: stages.{stage.id}.data: the folder {folder} does not exist")
    for path, file in read_folder(folder).items():
        if len(file.content) > LARGEST_DATA_FILE:
            size = f"{len(file.content)} bytes; a release accepts at most {LARGEST_DATA_FILE}"
            raise ReleaseError(f"{folder / path} has {size}")
        if not path.endswith(".py"):
            yield f"data/{name}/{path}", file


def _manifest(files: dict[str, FileContent]) -> bytes:
    digests = {name: hashlib.sha256(file.content).hexdigest() for name, file in sorted(files.items())}
    return msgspec.json.format(msgspec.json.encode({"format_version": 1, "files": digests}), indent=1) + b"\n"


def generated_earlier(files: dict[str, FileContent]) -> set[str]:
    """Return the names of the files that an earlier release generated and that are unchanged since."""
    try:
        digests = decode_json(files[MANIFEST].content, _Manifest).files
    except (KeyError, msgspec.MsgspecError):
        return set()
    unchanged = {name for name in files if digests.get(name) == hashlib.sha256(files[name].content).hexdigest()}
    return unchanged | {MANIFEST}


class _Manifest(msgspec.Struct):
    files: dict[str, str]
