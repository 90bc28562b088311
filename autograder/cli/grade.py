"""``autograder grade``: submissions in; results, pages and the gradebook out."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from autograder.base.atomic_files import write_atomically
from autograder.base.results import ReportState, StageReport, encode_results, lowest_level
from autograder.base.run_lock import only_run
from autograder.cli.class_options import class_options, read_class, read_students
from autograder.cli.cluster import scheduler_option
from autograder.cli.endings import FAILURES, GRADER_ERROR, OutputConsole
from autograder.cli.grading import grade_class
from autograder.cli.shared import (
    LabOption,
    notice,
    pass_lab,
    tell_about_secret,
    unsafe_option,
    workers_option,
)
from autograder.course.check_locations import check_locations
from autograder.course.lab import Lab
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.pages import statistics_of, write_class_page, write_student_pages
from autograder.feedback.terminal import print_report
from autograder.feedback.words import counted
from autograder.intake import Roster, is_commit_note
from autograder.integrations.gradebook import file_results, register_release
from autograder.pipeline.grade import Graded, Reuse
from autograder.release import released_notebooks, source_folder, write_nbgrader_source


@dataclass(frozen=True, kw_only=True)
class GradeOptions:
    """The arguments and options of ``autograder grade``, as click parsed them."""

    paths: tuple[Path, ...]
    times_file: Path | None
    roster_file: Path | None
    names: str | None
    stage_ids: tuple[str, ...]
    only_changed: bool
    fresh: bool
    workers: int
    scheduler: str | None
    json_file: Path | None
    html_folder: Path | None
    gradebook: bool
    details: bool
    fail_on_failures: bool
    unsafe_no_isolation: bool

    @cached_property
    def roster(self) -> Roster | None:
        """The students of the class; None if no roster was given."""
        return read_students(self.roster_file, self.names)

    @property
    def reuse(self) -> Reuse:
        """The stored results that this run accepts."""
        return Reuse(nothing=self.fresh, unchanged_submissions=self.only_changed)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@class_options
@click.option("--only-changed", is_flag=True, help="Reuse results of unchanged submissions even if the tests changed.")
@click.option("--fresh", is_flag=True, help="Judge every submission again, whatever is stored.")
@workers_option
@scheduler_option
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every check of every report to this file.",
)
@click.option(
    "--html",
    "html_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the class page and one page per student to this folder.",
)
@click.option(
    "--gradebook/--no-gradebook", default=True, show_default=True, help="File the scores in nbgrader's gradebook."
)
@click.option("--details", is_flag=True, help="Print each student's report before the table, and each note after it.")
@click.option(
    "--fail-on-failures", is_flag=True, help="Exit with code 1 if any check did not pass, or a stage is not graded."
)
@unsafe_option
@pass_lab
def grade(option: LabOption, /, **arguments: Any) -> None:
    """Grade PATHS: folders, zips or clones of one student or a whole class.

    A path may be a class in nbgrader's layout (STUDENT/STAGE/MODULE.py), an export of a learning platform,
    a clone or zip of a student's repository, a folder of clones and zips, or a folder that holds a
    MODULE.py. If a path holds entries that are not understood, they are listed and nothing is graded.
    Results are stored as soon as they are known: unchanged submissions are not judged again, and an
    interrupted run resumes when you repeat the command.
    """
    options = GradeOptions(**arguments)
    if options.only_changed and options.fresh:
        raise click.UsageError("--only-changed keeps results and --fresh discards them: choose one")
    lab, console = option.lab, OutputConsole(highlight=False)
    with only_run(lab.gradebook.parent, "autograder grade"):
        submissions = read_class(lab, options.paths, options.stage_ids, options.times_file, options.roster)
        tell_about_secret(lab)
        graded = grade_class(
            lab,
            submissions,
            options.reuse,
            options.workers,
            console,
            isolated=not options.unsafe_no_isolation,
            meanwhile=lambda: register(lab) if options.gradebook else None,
            scheduler=options.scheduler,
        )
        # Earlier stages that a chosen stage needs are graded but not shown.
        chosen = [result for result in graded if not options.stage_ids or result.submission.stage in options.stage_ids]
        exit_code = _publish(lab, chosen, options, console)
    sys.exit(exit_code)


def register(lab: Lab) -> None:
    """Prepare the gradebook: one that refuses scores must fail before the class is judged."""
    if not all(notebook.is_file() for notebook in released_notebooks(lab)):
        write_nbgrader_source(lab)
        notice(f"no release was here yet: its notebooks, which the gradebook needs, are now in {source_folder(lab)}")
    register_release(lab)


def _publish(lab: Lab, graded: Sequence[Graded], options: GradeOptions, console: Console) -> int:
    """Write files and gradebook, print the reports; the exit code."""
    reports = [result.report for result in graded]
    if options.json_file is not None:
        isolation = lowest_level(report.isolation for report in reports)
        write_atomically(options.json_file, encode_results(reports, isolation, check_locations(lab)))
    people = options.roster.people if options.roster is not None else {}
    filed = file_results(lab, graded, people) if options.gradebook else None
    grades = filed.grades if filed is not None else ()
    statistics = statistics_of(lab, reports, grades)
    if options.html_folder is not None:
        pages = write_student_pages(options.html_folder, lab, graded, grades)
        write_class_page(options.html_folder, statistics, pages)
    if options.details:
        for report in reports:
            print_report(console, report)
    print_class_table(console, statistics)
    print_notes(console, reports, details=options.details)
    if filed is not None:
        console.print(filed.summary(), soft_wrap=True, markup=False)
    if any(report.grader_failed for report in reports) or (filed is not None and filed.differences):
        return GRADER_ERROR
    failed = any(
        report.why_not_graded or not all(check.passed for check in report.checks)
        for report in reports
        if report.state is not ReportState.NOT_BEGUN or report.owed
    )
    return FAILURES if options.fail_on_failures and failed else 0


def print_notes(console: Console, reports: Sequence[StageReport], *, details: bool) -> None:
    """Print the notes of intake and judge. They are for the instructor: pages for students omit them.

    A note that only names the commit of a hand-in is counted: it would hide those that matter.
    """
    found = [(report, note) for report in reports for note in report.notes]
    notes = [f"{report.student} {report.stage}: {note}" for report, note in found if not is_commit_note(note)]
    if details and len(notes) < len(found):
        console.print(f"{counted(len(found) - len(notes), 'submission')} with a known commit: --json names it")
    if details:
        for note in notes:
            console.print(f"note: {' '.join(note.split())}", markup=False, soft_wrap=True)
    elif notes:
        count = counted(len(notes), "note")
        console.print(f"{count} about these submissions: --details prints them, --json includes them")
