"""What a student's module finds around it where it is graded, as on the student's machine."""

import re
from typing import Any

from autograder.course.lab import Lab

# Third-party libraries that a graded module can use.
USABLE = ("numpy", "torch")
# A requirement installs modules of its own name, and these.
_MORE_MODULES = {
    "jupyterlab": ("IPython", "ipykernel", "ipywidgets", "jupyter_client", "jupyter_core", "nbformat", "notebook"),
    "matplotlib": ("PIL", "mpl_toolkits", "pylab"),
    "pytest": ("_pytest", "hypothesis"),
}
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)")


def importable_only(lab: Lab) -> tuple[str, ...]:
    """Return the libraries that a graded module may import but cannot use.

    They are the requirements of the students' repository, without those that a module can use.
    """
    requirements = lab.root / "solutions" / "student_repository" / "requirements.txt"
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.is_file() else []
    names: set[str] = set()
    for match in filter(None, map(_REQUIREMENT.match, lines)):
        name = match[1].lower()
        names.update([name.replace("-", "_"), *_MORE_MODULES.get(name, ())])
    return tuple(sorted(names - set(USABLE)))


def surroundings(lab: Lab) -> dict[str, Any]:
    """Return the arguments of the operation ``surround`` of a worker.

    A module's file seems to lie in the folder of its stage.
    """
    folders = {stage.spec.module: stage.id for stage in lab.stages()}
    return {"folders": folders, "placeholders": importable_only(lab)}
