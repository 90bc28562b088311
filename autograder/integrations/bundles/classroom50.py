"""The bundle of a Classroom 50 assignment: public tests only.

Classroom 50 publishes the files of an assignment's autograder: every student can read them. The bundle therefore holds
files of the release and nothing else of the lab, and is refused if it holds anything hidden.

Source: Classroom 50, wiki, "Advanced Autograding"; bundles have at most 10 MiB.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.integrations.bundles.zipped import zipped
from autograder.release.contents import assignments
from autograder.release.errors import ReleaseError
from autograder.release.folders import FileContent, read_folder
from autograder.release.public_tests import public_tests

MOST_BYTES = 10 * 2**20
PYTHON = "3.12"
_HERE = Path(__file__).parent
_SHIMS = {"autograder.py": _HERE / "on_classroom50.py", "public_tests.py": _HERE / "public_tests.py"}
_NOT_NEEDED = frozenset({"jupyterlab", "watchfiles"})
_TOP_FILES = ("conftest.py", "pytest.ini")
# Names of files and folders that only instructors have.
_PRIVATE_NAMES = frozenset(
    "hidden alternatives mistakes.py mistakes.lock.json checks.lock.json promises.yml grading.yml .course_secret "
    "gradebook.db".split()
)

_README = """\
# {course}: public tests on Classroom 50

1. Copy this folder to `CLASSROOM/autograders/SLUG/` of the classroom's configuration repository.
2. Copy the value of `runtime.json` to `runtime` of the assignment: Python is pinned to {python}.

Every student can read these files. They hold public tests only; the points are advice. Grade with `autograder grade`
over the clones of `gh teacher download`, and return the grades with `autograder export classroom50`.
"""


def classroom50_bundle(lab: Lab, stages: Iterable[StageFolders]) -> dict[str, FileContent]:
    """Return the files of the bundle by name.

    Raises:
        ReleaseError: the lab cannot be released, or the bundle would hold something hidden or be too large.
        LabError: a stage has no reference.
    """
    chosen = list(stages)
    released = assignments(lab)
    kept = _kept(lab, chosen, released)
    requirements = [
        line for line in released["requirements.txt"].content.decode().split() if line.split(">")[0] not in _NOT_NEEDED
    ]
    texts = {
        "bundle.json": json.dumps(_listed(lab, chosen), indent=1) + "\n",
        "runtime.json": json.dumps({"runs-on": "ubuntu-24.04", "python": PYTHON}, indent=1) + "\n",
        "requirements.txt": "\n".join(requirements) + "\n",
        "README.md": _README.format(course=lab.config.course, python=PYTHON),
    }
    files = {name: FileContent(text.encode()) for name, text in texts.items()}
    files |= {name: FileContent.of(path) for name, path in _SHIMS.items()}
    _refuse_hidden(lab, {**kept, **files})
    files["public.zip"] = FileContent(zipped(kept))
    if (size := sum(len(file.content) for file in files.values())) > MOST_BYTES:
        raise ReleaseError(f"the bundle has {size} bytes; Classroom 50 accepts {MOST_BYTES}: choose fewer stages")
    return files


def _kept(lab: Lab, stages: Iterable[StageFolders], released: Mapping[str, FileContent]) -> dict[str, FileContent]:
    """The released files that public tests need: the companion, stages without their sheets, their data."""
    needed = {folder.id: folder for stage in stages for folder in needed_stages(lab, stage)}
    data = {f"data/{name}/" for stage in needed.values() for name in stage.spec.data}
    folders = ("lab/", *(f"{stage}/" for stage in needed), *data)
    return {
        name: file
        for name, file in released.items()
        if name in _TOP_FILES or (name.startswith(folders) and not name.endswith(".ipynb"))
    }


def _listed(lab: Lab, stages: Iterable[StageFolders]) -> dict[str, object]:
    """What the autograder reads: stages, modules, and the points of exercises that have public tests."""
    tested = {stage.id: public_tests(stage) for stage in stages}
    exercises = [
        {"key": f"{stage_id}/{name}", "points": 0 if exercise.bonus else exercise.points}
        for stage_id, tests in tested.items()
        for name, exercise in lab.stage(stage_id).spec.graded.items()
        if tests[name]
    ]
    needed = {folder.id: folder for stage_id in tested for folder in needed_stages(lab, lab.stage(stage_id))}
    modules = [f"{stage.id}/{stage.spec.module}.py" for stage in needed.values()]
    return {"stages": list(tested), "modules": modules, "exercises": exercises}


def _refuse_hidden(lab: Lab, files: Mapping[str, FileContent]) -> None:
    """Refuse files of the instructor, also under another name, and texts that name a hidden check.

    A release already refuses every line of a solution.
    """
    private = _private_files(lab)
    public = {test for stage in lab.stages() for tests in public_tests(stage).values() for test in tests}
    checks = {check for stage in lab.stages() for check in stage.spec.check_ids} - public
    for name, file in files.items():
        if names := _PRIVATE_NAMES.intersection(Path(name).parts):
            raise ReleaseError(f"the bundle would hold {name}: `{min(names)}` is the instructor's")
        if file.content in private:
            raise ReleaseError(f"the bundle would hold {name}, which equals {private[file.content]}")
        words = set(re.findall(r"test_\w+", file.content.decode(errors="replace")))
        if found := words & checks:
            raise ReleaseError(f"the bundle would hold {name}, which names the hidden check `{min(found)}`")


def _private_files(lab: Lab) -> dict[bytes, str]:
    """Content → path of every file that decides points or holds a solution."""
    paths = [lab.root / "grading.yml"]
    for stage in lab.stages():
        paths += [stage.reference, stage.mistakes, stage.promises, *stage.alternatives]
        paths += [stage.hidden_tests / name for name in read_folder(stage.hidden_tests)]
    return {path.read_bytes(): path.relative_to(lab.root).as_posix() for path in paths if path.is_file()}
