"""Write the sample report of the README: a hand-in for stage 2 with one mistake, graded by ``autograder grade``.

    python -m tools.readme_sample

replaces the report between the two markers in ``README.md``. Run it after a change to a text that the
report shows; a test compares the README with a new report.
"""

import io
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from autograder.base.atomic_files import write_atomically
from autograder.cli.grading import grade_class
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes
from autograder.feedback.pages import write_student_pages
from autograder.feedback.terminal import print_report
from autograder.intake import take_in
from autograder.pipeline.grade import Reuse, stage_files
from autograder.pipeline.secret import SECRET_FILE
from autograder.release.stubs import BEGIN, END

STUDENT = "mina"
STAGE = "2_attention"
MISTAKE = "scores_not_scaled"
EXERCISE = "scaled_dot_product_attention"
FIRST_MARKER, LAST_MARKER = "<!-- report -->", "<!-- end of the report -->"
_WIDTH = 84
_MOST_PASSED = 3  # passed checks of the exercise that the excerpt shows


def main() -> None:
    """Grade the sample and write the excerpt into ``README.md``."""
    lab = Lab.find()
    readme = lab.root / "README.md"
    with tempfile.TemporaryDirectory() as folder:
        report = excerpt(grade_sample(lab, Path(folder)))
    text = readme.read_text(encoding="utf-8")
    readme.write_text(text.replace(shown_report(text), report), encoding="utf-8")


def grade_sample(lab: Lab, folder: Path) -> str:
    """Grade the sample hand-in and return the printed report; the pages are in ``folder/pages``."""
    stage = lab.stage(STAGE)
    mistake = next(mistake for mistake in load_mistakes(stage) if mistake.id == MISTAKE)
    lines = mistake.apply(stage.reference_source()).splitlines(keepends=True)
    module = folder / "class" / STUDENT / STAGE / f"{stage.spec.module}.py"
    module.parent.mkdir(parents=True)
    module.write_text("".join(line for line in lines if line.strip() not in (BEGIN, END)), encoding="utf-8")
    sample = replace(lab, workspace=folder / "workspace")  # the course's own results stay as they are
    write_atomically(folder / "workspace" / SECRET_FILE, b"the README's sample\n")
    submissions = take_in([folder / "class"], stage_files(sample, [STAGE]))
    printed = Console(file=io.StringIO(), width=_WIDTH)
    results = grade_class(sample, submissions, Reuse(), 1, Console(file=io.StringIO()), isolated=True)
    (graded,) = (result for result in results if result.submission.stage == STAGE)
    write_student_pages(folder / "pages", sample, [graded])
    print_report(printed, graded.report)
    return printed.file.getvalue()


def excerpt(report: str) -> str:
    """Return the heading of a report and the exercise with the mistake, without most of its passed checks."""
    heading, *exercises = report.strip().split("\n\n")
    exercise = next(block for block in exercises if block.startswith(EXERCISE))
    title, *lines = exercise.splitlines()
    passed = [number for number, line in enumerate(lines) if line.startswith("✓")]
    end = passed[_MOST_PASSED] if len(passed) > _MOST_PASSED else len(lines)
    shown = [heading.splitlines()[-1], "", title, *lines[:end], *(["…"] if end < len(lines) else [])]
    return "\n".join(line.rstrip() for line in shown)


def shown_report(readme: str) -> str:
    """Return the report that the text of a README shows.

    Raises:
        ValueError: the README has no report between its markers.
    """
    block = readme[readme.index(FIRST_MARKER) : readme.index(LAST_MARKER)]
    return block.split("```text\n", 1)[1].rsplit("\n```", 1)[0]


if __name__ == "__main__":
    main()
