"""The students' repository with every exercise solved, to try the programs that students run."""

from pathlib import Path

from autograder.course.lab import Lab
from autograder.release.course import COURSE_FILE, course_file
from autograder.release.folders import FileContent, read_folder


def write_solved(lab: Lab, folder: Path) -> None:
    """Write each stage's reference and given files, and ``course.json``, to ``folder``, and link the data.

    Other files in ``folder`` stay. Stages are the folders of ``solutions``, so that a stage that ``grading.yml`` does
    not list yet works too.
    """
    for stage in sorted((lab.root / "solutions").glob("[0-9]*_*")):
        references = {path.name: FileContent.of(path) for path in stage.glob("*.py") if _is_reference(path)}
        for name, file in {**references, **read_folder(stage / "given")}.items():
            file.write(folder / stage.name / name)
    FileContent(course_file(lab)).write(folder / COURSE_FILE)
    for data in sorted((lab.root / "data").iterdir()):
        link = folder / "data" / data.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(data)


def _is_reference(path: Path) -> bool:
    return path.name != "mistakes.py" and not path.name.startswith("test_")
