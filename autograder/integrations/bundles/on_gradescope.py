"""``python on_gradescope.py BASE STAGE…``: grade the submission in BASE, and write BASE/results/results.json.

It runs in Gradescope's container and needs only the standard library; the grader runs as a command of its own. A
submission without a number leaves no result, so that Gradescope shows a failure instead of a silent 0.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_STUDENT = "submission"  # the name of Gradescope's folder
_WRONG_USE = 2  # the hand-in has a layout that is not understood; the grader printed why


def main(base: Path, stages: Sequence[str]) -> int:
    """Grade one submission; the exit code."""
    chosen = [part for stage in stages for part in ("--stage", stage)]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        times = work / "times.csv"
        times.write_text(f"student,time\n{_STUDENT},{handed_in(base)}\n", encoding="utf-8")
        options: list[str | Path] = [*chosen, "--no-gradebook", "--workers", "1", "--times", times]
        graded = autograder(base, "grade", base / _STUDENT, *options)
        print(graded.stdout, graded.stderr, sep="\n")
        if graded.returncode == _WRONG_USE:
            write(base, json.dumps(nothing_graded(graded.stderr)))
            return 0
        if graded.returncode:
            return graded.returncode
        exported = autograder(base, "export", "gradescope", work / "out", *chosen)
        print(exported.stdout, exported.stderr, sep="\n")
        results = list((work / "out").glob("*/results.json"))
        if exported.returncode or len(results) != 1:
            print("no stage of this submission has a number: a person must look at it")
            return exported.returncode or 1
        write(base, results[0].read_text(encoding="utf-8"))
    return 0


def autograder(base: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of the grader."""
    lab = base / "source" / "lab"
    secret = (base / "source" / "secret").read_text(encoding="utf-8", errors="surrogateescape")
    return subprocess.run(
        [sys.executable, "-P", "-m", "autograder", "--lab", lab, *arguments],
        cwd=lab,
        env={**os.environ, "PYTHONPATH": str(lab), "COLUMNS": "100", "AUTOGRADER_SECRET": secret},
        capture_output=True,
        text=True,
    )


def handed_in(base: Path) -> str:
    """The time of the upload by Gradescope's clock."""
    metadata = json.loads((base / "submission_metadata.json").read_text(encoding="utf-8"))
    return str(metadata["created_at"])


def nothing_graded(reason: str) -> dict[str, object]:
    """The result of a hand-in that holds no work of the lab, with the reason."""
    lines = [line.removeprefix("autograder: ") for line in reason.splitlines() if not line.startswith("note: ")]
    text = "\n".join(["Nothing was graded. Hand in your files as the lab lays them out.", *lines])
    return {"score": 0, "output": text, "output_format": "text", "visibility": "visible", "tests": []}


def write(base: Path, text: str) -> None:
    """Write the result that Gradescope reads."""
    folder = base / "results"
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
