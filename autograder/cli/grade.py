"""``autograder grade``: submissions in; results, pages and the gradebook out."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport, encode_results, lowest_level
from autograder.cli.shared import (
    FAILURES,
    GRADER_ERROR,
    WRONG_USE,
    LabOption,
    pass_lab,
    progress,
    stage_option,
    unsafe_option,
    workers_option,
)
from autograder.course.lab import Lab
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.pages import statistics_of, write_class_page, write_student_pages
from autograder.feedback.terminal import print_report
from autograder.intake import StageSubmission, take_in
from autograder.integrations.nbgrader import file_results, register_release
from autograder.judge.pool import JudgePool
from autograder.pipeline.grade import Graded, Grader, Reuse, stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@stage_option
@click.option("--only-changed", is_flag=True, help="Keep what older tests gave to files that have not changed since.")
@click.option("--fresh", is_flag=True, help="Judge everything again, whatever is stored.")
@workers_option
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results here.")
@click.option("--html", "html_folder", type=click.Path(file_okay=False, path_type=Path), help="Write the pages here.")
@click.option("--gradebook/--no-gradebook", default=True, help="File the scores in nbgrader's gradebook. [on]")
@click.option("--details", is_flag=True, help="Print each student's report, not only the table.")
@click.option("--fail-on-failures", is_flag=True, help="End with 1 when any check was not passed.")
@unsafe_option
@pass_lab
def grade(
    option: LabOption,
    paths: tuple[Path, ...],
    stage_ids: tuple[str, ...],
    only_changed: bool,
    fresh: bool,
    workers: int,
    json_file: Path | None,
    html_folder: Path | None,
    gradebook: bool,
    details: bool,
    fail_on_failures: bool,
    unsafe_no_isolation: bool,
) -> None:
    """Grade PATHS: folders, zips or clones, one student's or a whole class's.

    A path may be a class in nbgrader's layout (STUDENT/STAGE/MODULE.py), a clone or zip of a student's
    repository, a folder of those, or a folder that holds some MODULE.py. Results are kept by content:
    what has not changed is not judged again, and a run that was killed goes on where it was.
    """
    if only_changed and fresh:
        raise click.UsageError("--only-changed keeps results and --fresh discards them: choose one")
    lab, console = option.lab, Console(highlight=False)
    submissions = take_in(paths, stage_files(lab, stage_ids))
    if not submissions:
        Console(stderr=True).print("autograder: nothing to grade was found in these paths", style="red")
        sys.exit(WRONG_USE)
    if gradebook:
        register_release(lab)  # what cannot be filed is better known before the class is judged
    reuse = Reuse(nothing=fresh, unchanged_submissions=only_changed)
    graded = grade_class(lab, submissions, reuse, workers, console, isolated=not unsafe_no_isolation)
    # Stages that the ones asked for build on were graded for their sake only.
    graded = [one for one in graded if not stage_ids or one.submission.stage in stage_ids]
    reports = [one.report for one in graded]
    if json_file is not None:
        isolation = lowest_level(report.isolation for report in reports)
        write_atomically(json_file, encode_results(reports, isolation))
    statistics = statistics_of(lab, reports, graded)
    if html_folder is not None:
        write_class_page(html_folder, statistics, write_student_pages(html_folder, lab, graded))
    filed = file_results(lab, graded) if gradebook else None
    if details:
        for report in reports:
            print_report(console, report)
    print_class_table(console, statistics)
    print_notes(console, reports, details=details)
    if filed is not None:
        console.print(filed.summary(), soft_wrap=True, markup=False)
    if not all(report.graded for report in reports) or (filed is not None and filed.differences):
        sys.exit(GRADER_ERROR)
    if fail_on_failures and any(not check.passed for report in reports for check in report.checks):
        sys.exit(FAILURES)


def print_notes(console: Console, reports: Sequence[StageReport], *, details: bool) -> None:
    """What intake and the judge noticed, for the instructor alone: no page for students holds it."""
    notes = [f"{report.student} {report.stage}: {note}" for report in reports for note in report.notes]
    if details:
        for note in notes:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
    elif notes:
        console.print(f"{len(notes)} notes for you on these hand-ins: --details prints them, --json keeps them")


def grade_class(
    lab: Lab,
    submissions: Sequence[StageSubmission],
    reuse: Reuse,
    workers: int,
    console: Console,
    *,
    isolated: bool,
) -> list[Graded]:
    """Grade submissions in parallel, showing progress."""
    with (
        JudgePool(lab.root, size=workers, isolated=isolated) as judges,
        progress(console, "grading", len(submissions)) as advance,
    ):

        def show(graded: Graded) -> None:
            report = graded.report
            points = f"{report.score}/{report.points}" if report.graded else "not graded"
            advance(f"{report.student} {report.stage} {points}{' (kept)' if graded.cached else ''}")

        return Grader(lab, judges, reuse).grade_all(submissions, workers=workers, on_done=show)
