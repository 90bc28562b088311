"""docs/privacy.md names every place where a student's data lies, and its commands delete all of it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_lab import LOOP, MODULE, STAGE, build_tiny_lab

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
STUDENT = "zoe.marker"


def traces(root: Path) -> list[str]:
    """The files below a folder that name the student, in their path or content."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(root).as_posix()
        if STUDENT in name or STUDENT.encode() in path.read_bytes():
            found.append(name)
    return found


@pytest.mark.slow
def test_the_commands_of_the_page_leave_no_trace_of_a_student(autograder, tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    for student in (STUDENT, "ann"):
        module = tmp_path / "class" / student / STAGE / f"{MODULE}.py"
        module.parent.mkdir(parents=True)
        module.write_text(LOOP, encoding="utf-8")
    autograder("grade", tmp_path / "class", cwd=lab.root)
    before = traces(lab.root)
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    places = {place for row in rows for place in re.findall(r"`([\w./]+)`", row)}
    for place in ("gradebook.db", "build/results", "build/results_last", "build/nbgrader"):
        assert any(name.startswith(place) for name in before), place
    assert all(name.startswith(tuple(places)) for name in before), before

    commands = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert commands is not None
    program = f"{shlex.quote(sys.executable)} -m autograder"
    script = commands[1].replace("autograder", program).replace("ada", STUDENT)
    subprocess.run(["bash", "-e", "-c", script], cwd=lab.root, env=os.environ, check=True, capture_output=True)
    assert traces(lab.root) == []
    assert "ann" in " ".join(path.name for path in (lab.root / "build" / "results" / STAGE).iterdir())
