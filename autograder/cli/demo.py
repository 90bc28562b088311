"""``autograder demo``: grade a sample class up to the gradebook, and compare it with its design."""

import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from autograder.authoring.sample_class import Sample, sample_class, write_class
from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport, lowest_level
from autograder.base.run_lock import only_run
from autograder.cli.endings import FAILURES, OutputConsole
from autograder.cli.grading import grade_class
from autograder.cli.shared import LabOption, pass_lab, stage_option, unsafe_option, workers_option
from autograder.course.lab import Lab
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.pages import (
    STUDENT_PAGES,
    GrowingPages,
    statistics_of,
    write_class_page,
    write_student_pages,
)
from autograder.intake import StageSubmission, take_in
from autograder.integrations.gradebook import file_results, register_release
from autograder.pipeline.grade import Graded, Reuse, stage_files
from autograder.pipeline.secret import SECRET_FILE
from autograder.release import write_nbgrader_source

_SECRET = b"no secret: the sample class is public\n"


@click.command()
@stage_option
@click.option("--full", is_flag=True, help="Grade the large class: over thirty students, who hand in every stage.")
@click.option(
    "--fresh", is_flag=True, help="Judge every submission again instead of reusing results of an earlier demo."
)
@workers_option
@unsafe_option
@pass_lab
def demo(
    option: LabOption, stage_ids: tuple[str, ...], full: bool, fresh: bool, workers: int, unsafe_no_isolation: bool
) -> None:
    """Grade a sample class and compare each score with its design.

    The scores go through nbgrader into a gradebook in build/demo, apart from your own. Pages appear while the class is
    being graded.
    """
    console = OutputConsole(highlight=False)
    workspace = option.lab.root / "build" / "demo"
    lab = replace(option.lab, workspace=workspace)
    stages = [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
    with only_run(workspace, "autograder demo"):
        samples = sample_class(stages, full=full)
        submissions = _write_class(lab, samples, stage_ids)
        graded = _grade(lab, submissions, console, Reuse(nothing=fresh), workers, isolated=not unsafe_no_isolation)
        surprises = _show(lab, samples, graded, console)
    if surprises:
        sys.exit(FAILURES)


def _write_class(lab: Lab, samples: Sequence[Sample], stage_ids: Sequence[str]) -> list[StageSubmission]:
    """Write the class and take it in, the students with the least work first: their pages appear first."""
    workspace = lab.gradebook.parent
    class_folder = workspace / "class"
    shutil.rmtree(class_folder, ignore_errors=True)
    write_class(samples, class_folder)
    # Every demo draws the same examples: each sample must earn its designed score exactly.
    write_atomically(workspace / SECRET_FILE, _SECRET)
    work = Counter(sample.student for sample in samples)
    submissions = take_in([class_folder], stage_files(lab, stage_ids))
    return sorted(submissions, key=lambda submission: (work[submission.student], submission.student))


def _grade(
    lab: Lab,
    submissions: Sequence[StageSubmission],
    console: Console,
    reuse: Reuse,
    workers: int,
    *,
    isolated: bool,
) -> list[Graded]:
    pages = GrowingPages(_pages(lab), lab, submissions)
    console.print(f"The class page grows while the class is being graded: {pages.class_page}", soft_wrap=True)

    def prepare_gradebook() -> None:
        from autograder.integrations.nbgrader import write_workspace_config  # a second, while the judges start

        write_nbgrader_source(lab)
        write_workspace_config(lab)
        register_release(lab)

    return grade_class(
        lab, submissions, reuse, workers, console, isolated=isolated, meanwhile=prepare_gradebook, on_done=pages.add
    )


def _pages(lab: Lab) -> Path:
    return lab.build / "pages"


def _show(lab: Lab, samples: Sequence[Sample], graded: Sequence[Graded], console: Console) -> list[str]:
    """File and show the results, and return the differences from the design, one line each."""
    filed = file_results(lab, graded)
    pages = _pages(lab)
    reports = [result.report for result in graded]
    statistics = statistics_of(lab, reports)
    class_page = write_class_page(pages, statistics, write_student_pages(pages, lab, graded))
    print_class_table(console, statistics)
    _summarise(console, graded)
    console.print(filed.summary(), soft_wrap=True, markup=False)
    console.print(f"pages: {class_page}, and one page per student in {pages / STUDENT_PAGES}", soft_wrap=True)
    console.print(f"gradebook: {lab.gradebook}", soft_wrap=True)
    surprises = [*_surprises(samples, reports), *filed.differences]
    for surprise in surprises:
        console.print(f"[red]not as designed:[/] {surprise}", soft_wrap=True)
    if not surprises:
        console.print(f"[green]all {len(samples)} submissions scored exactly as designed[/]")
    return surprises


def _summarise(console: Console, graded: Sequence[Graded]) -> None:
    seconds = [result.report.seconds for result in graded if result.submission.source is not None]
    level = lowest_level(result.report.isolation for result in graded) or "no code ran"
    console.print(
        f"isolation: {level}; seconds per submission and stage: median {statistics.median(seconds):.2f}, "
        f"maximum {max(seconds):.2f}"
    )


def _surprises(samples: Sequence[Sample], reports: Sequence[StageReport]) -> list[str]:
    """The differences between the reports and the samples' design, one line each."""
    found = {(report.student, report.stage): report for report in reports}
    lines = []
    for sample in samples:
        report = found.get((sample.student, sample.stage))
        if report is None:
            lines.append(f"{sample.student} {sample.stage} ({sample.kind}): no report")
            continue
        lost = {check.id for check in (*report.checks, *report.dropped) if not check.holds}
        for check in sorted(lost ^ sample.lost):
            verb = "lost" if check in lost else "passed"
            lines.append(f"{sample.student} {sample.stage} ({sample.kind}): {verb} {check}")
    return lines
