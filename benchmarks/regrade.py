"""Time a dry run of `autograder regrade` for a large class, after the points of a check have changed.

``python -m benchmarks.regrade --students 1000`` stores a made-up result of every stage for each student in a copy of
the lab, changes the points of a check, and runs the command as an instructor does.
"""

import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.course.lab import Lab
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.final_grade import with_rules
from autograder.pipeline.fingerprint import result_key, stage_fingerprint
from autograder.pipeline.stored_reports import result_store
from benchmarks.commands import copy_lab


@click.command()
@click.option("--students", default=1000, show_default=True, help="Number of students.")
def main(students: int) -> None:
    """Time `autograder regrade --dry-run` for a made-up class of the whole lab."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        copy_lab(Lab.find().root, lab.root)
        _store(lab, students)
        grading = lab.root / "grading.yml"
        changed, count = re.subn(r"(test_\w+: )1\b", r"\g<1>2", grading.read_text(encoding="utf-8"), count=1)
        assert count, "no check has one point"
        grading.write_text(changed, encoding="utf-8")
        started = time.perf_counter()
        command = [sys.executable, "-m", "autograder", "--lab", folder, "regrade", "--dry-run"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - started
    summary = next(line for line in output.splitlines() if "gain points" in line)
    click.echo(f"{students} students, {len(lab.stages())} stages: {seconds:.1f} s; {summary}")


def _store(lab: Lab, students: int) -> None:
    store, draw = result_store(lab), random.Random(0)
    for stage in lab.stages():
        fingerprint = stage_fingerprint(lab, stage)
        passed, failed = (
            unrun_stage(stage, "the result has wrong values", f"{stage.spec.module}.py, line 9", outcome, "a hint")
            for outcome in (Outcome.PASSED, Outcome.FAILED)
        )
        for number in range(students):
            student = f"student{number:05}"
            checks = tuple(draw.choice(pair) for pair in zip(passed, failed, strict=True))
            level = IsolationLevel.KERNEL_NAMESPACES
            report = StageReport(student=student, stage=stage.id, checks=checks, isolation=level, digest=student)
            key = result_key(fingerprint, student, student, [])
            store.put(key, with_rules(report, lab.config, 0))


if __name__ == "__main__":
    main()
