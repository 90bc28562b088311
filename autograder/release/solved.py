"""The students' repository as it is when everything is solved: to try what students run."""

from pathlib import Path

from autograder.course.lab import Lab
from autograder.release.course import COURSE_FILE, course_file
from autograder.release.folders import FileContent, read_folder


def write_solved(lab: Lab, folder: Path) -> None:
    """Lay out in ``folder`` each stage's reference and given files, the data and ``course.json``; the rest stays.

    Stages are taken as they lie in ``solutions``, so that one that is still being written can be tried too.
    """
    for stage in sorted((lab.root / "solutions").glob("[0-9]*_*")):
        references = {path.name: FileContent.of(path) for path in stage.glob("*.py") if _is_reference(path)}
        for name, file in {**references, **read_folder(stage / "given")}.items():
            file.write(folder / stage.name / name)
    FileContent(course_file(lab)).write(folder / COURSE_FILE)
    for data in sorted((lab.root / "data").iterdir()):
        place = folder / "data" / data.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(data)


def _is_reference(path: Path) -> bool:
    return path.name != "mistakes.py" and not path.name.startswith("test_")
