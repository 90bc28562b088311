"""The autograder of a Gradescope assignment: this grader with the hidden tests, which stay on Gradescope's server.

A zip with ``setup.sh``, which builds the image as root, and ``run_autograder``, which grades one submission. Source:
https://gradescope-autograders.readthedocs.io/en/latest/specs/.
"""

from collections.abc import Iterable
from pathlib import Path

from autograder.base.digests import program_files
from autograder.course.lab import Lab, StageFolders
from autograder.integrations.bundles.zipped import zipped
from autograder.release.folders import FileContent, read_folder

PYTHON = "3.12"
_HERE = Path(__file__).parent
_FOLDERS = ("autograder", "solutions", "tests/hidden", "data")
_FILES = ("grading.yml", "pyproject.toml", "constraints.txt", "README.md")
# Not at the top of the zip: what decides points, and the secret, is in this folder.
_LAB = "lab"

_SETUP = """\
#!/usr/bin/env bash
# Builds the image. The last command proves that student code can be isolated here: without that, the build fails.
set -euo pipefail
source="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
python=/opt/autograder/bin/python
chmod -R go= "$source"
apt-get -qq update
apt-get -qq install --yes --no-install-recommends bubblewrap python3-pip python3-venv
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet --disable-pip-version-check uv
/opt/uv/bin/uv venv --quiet --python {python} /opt/autograder
/opt/uv/bin/uv pip install --quiet --python "$python" --torch-backend cpu --constraint "$source/lab/constraints.txt" \\
  "$source/lab"
PYTHONPATH="$source/lab" "$python" -P -m autograder --lab "$source/lab" doctor
"""

_RUN = """\
#!/usr/bin/env bash
# Grades one submission; AUTOGRADER_PYTHON and AUTOGRADER_BASE serve to try the bundle elsewhere.
set -euo pipefail
base="${{AUTOGRADER_BASE:-/autograder}}"
exec "${{AUTOGRADER_PYTHON:-/opt/autograder/bin/python}}" -P "$base/source/on_gradescope.py" "$base" {stages}
"""


def gradescope_bundle(lab: Lab, stages: Iterable[StageFolders], secret: bytes) -> bytes:
    """Return the zip to upload.

    Args:
        lab: the lab.
        stages: the stages that count; a stage that was not begun counts 0.
        secret: the course's secret: with it, points equal those of a grading here.
    """
    names = [stage.id for stage in stages]
    files = {
        "setup.sh": FileContent(_SETUP.format(python=PYTHON).encode(), executable=True),
        "run_autograder": FileContent(_RUN.format(stages=" ".join(names)).encode(), executable=True),
        "on_gradescope.py": FileContent.of(_HERE / "on_gradescope.py"),
        "secret": FileContent(secret),
    }
    for name in _FILES:
        if (lab.root / name).is_file():
            files[f"{_LAB}/{name}"] = FileContent.of(lab.root / name)
    package = program_files()[0].parent
    for folder in _FOLDERS:
        found = read_folder(package if folder == "autograder" else lab.root / folder)
        files |= {f"{_LAB}/{folder}/{name}": file for name, file in found.items()}
    return zipped(files)
