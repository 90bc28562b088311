"""``autograder similarity``: hand-ins that share passages, as evidence for a person."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from autograder.base.atomic_files import write_atomically
from autograder.base.sinks import log_line
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import LabOption, notice, pass_lab, progress, stage_option
from autograder.feedback.words import counted
from autograder.intake import StageSubmission, take_in
from autograder.pipeline.grade import stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@stage_option
@click.option(
    "--least-lines",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    metavar="N",
    help="Show pairs that share at least this many lines.",
)
@click.option(
    "--most", type=click.IntRange(1), default=30, show_default=True, metavar="N", help="Pairs of a stage to show."
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write the pairs side by side to this file."
)
@pass_lab
def similarity(
    option: LabOption,
    paths: tuple[Path, ...],
    stage_ids: tuple[str, ...],
    least_lines: int,
    most: int,
    page: Path | None,
) -> None:
    """List hand-ins that share passages. For instructors only.

    PATHS are submissions as for `autograder grade`. The released stub, docstrings, imports, the course's own solutions
    and passages that many students share are left out. The result is evidence to read: no grade depends on it, and
    nothing is stored.
    """
    try:
        from autograder.feedback.similarity_page import pair_functions, pair_lines, similarity_page
        from autograder.integrations.similarity import similar_pairs  # a second, and an extra
    except ImportError as error:
        fix = "install the extra: pip install -c constraints.txt -e '.[similarity]'"
        raise click.UsageError(f"this command requires copydetect ({error}); {fix}") from None
    lab, console = option.lab, OutputConsole(highlight=False)
    submissions = take_in(paths, stage_files(lab, stage_ids), notice=notice)
    begun = _by_stage(submissions, stage_ids)
    comparisons = []
    with progress(console, "comparing", len(begun)) as advance:
        for stage_id, own in begun.items():
            comparison = similar_pairs(lab.stage(stage_id), own, least_lines=least_lines)
            comparisons.append(comparison)
            advance(f"{stage_id}: {counted(len(comparison.pairs), 'pair')} of {counted(len(own), 'hand-in')}")
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "student", "student", "shared", "in"):
        table.add_column(heading, overflow="fold")
    for pair in (pair for comparison in comparisons for pair in comparison.pairs[:most]):
        names = [Text(log_line(side.student)) for side in (pair.left, pair.right)]
        table.add_row(pair.stage, *names, pair_lines(pair), Text(pair_functions(pair)))
    console.print(table if table.row_count else f"no two hand-ins share {counted(least_lines, 'line')}")
    for student, why in (entry for comparison in comparisons for entry in comparison.left_out):
        notice(f"{log_line(student)} was not compared: {log_line(why)}")
    if page is not None:
        write_atomically(page, similarity_page(lab.config.course, comparisons, most=most).encode())
        console.print(f"the page is {page}", soft_wrap=True, markup=False)


def _by_stage(submissions: Sequence[StageSubmission], stage_ids: tuple[str, ...]) -> dict[str, list[StageSubmission]]:
    """The submissions with work, by stage."""
    found: dict[str, list[StageSubmission]] = {}
    for submission in submissions:
        if submission.source is not None and (not stage_ids or submission.stage in stage_ids):
            found.setdefault(submission.stage, []).append(submission)
    return found
