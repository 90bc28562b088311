"""The class report on the terminal, for instructors: scores, distribution, checks, mistakes, students."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.base.sinks import log_line
from autograder.feedback.claims import Claim
from autograder.feedback.class_statistics import ClassStatistics
from autograder.feedback.class_terminal import WARNING, plain_table, print_class_table
from autograder.feedback.stage_statistics import CheckStatistics, StageStatistics

MOST_ROWS = 10  # of a table, unless everything is printed


def print_class_report(
    console: Console, statistics: ClassStatistics, claims: Sequence[Claim] = (), *, everything: bool = False
) -> None:
    """Print distribution, checks, common mistakes, students who may need help, and the table of scores.

    Args:
        console: the console.
        statistics: the statistics of the class.
        claims: claims of students that differ from the results.
        everything: print every check, mistake and student, instead of the first of each table.
    """
    most = None if everything else MOST_ROWS
    print_class_table(console, statistics)
    console.print(_stage_table(statistics.stages))
    if everything:
        for stage in statistics.stages:
            console.print(_check_table(stage))
    else:
        console.print(_lost_table(statistics.stages))
    if statistics.mistakes:
        console.print(_mistake_table(statistics, most))
    if claims:
        console.print(_claim_table(claims))
    if statistics.needs_help:
        console.print(_help_table(statistics, most))
    if not everything:
        console.print(
            "--all prints every check, mistake and student; --html FOLDER writes all of it as a page", style="dim"
        )


def _stage_table(stages: Sequence[StageStatistics]) -> Table:
    table = plain_table("Stage", title="Distribution")
    for heading in ("Graded", "Not graded", "Not begun", "Mean", "Median", "Full marks", "Points", "Alpha"):
        table.add_column(heading, justify="right")
    for stage in stages:
        waiting = Text(str(stage.not_graded), style=WARNING if stage.not_graded else "dim")
        counts = (str(len(stage.scores)), waiting, Text(str(stage.not_begun), style="dim"))
        scores = (_number(stage.mean), _number(stage.median), str(stage.histogram[-1]))
        table.add_row(Text(log_line(stage.id)), *counts, *scores, str(stage.points), _number(stage.reliability, 2))
    return table


def _check_table(stage: StageStatistics) -> Table:
    title = f"Checks of {log_line(stage.id)}, {stage.ran} submission{'' if stage.ran == 1 else 's'}"
    folders = dict.fromkeys(check.test.rpartition("/")[0] for check in stage.checks if check.test)
    table = plain_table("Check", title=f"{title}; hidden tests in {log_line(', '.join(folders))}" if folders else title)
    for heading in ("Points", "Passed", "Discrimination"):
        table.add_column(heading, justify="right", no_wrap=True)
    for check in stage.checks:
        passed = "–" if check.passed_share is None else f"{check.passed_share:.0%}"
        flag = f"{check.flag} " if check.flag else ""
        discrimination = Text.assemble((flag, WARNING), _discrimination(check))
        table.add_row(_check_name(check), str(check.points), passed, discrimination)
    return table


def _lost_table(stages: Sequence[StageStatistics]) -> Table:
    """The checks that the fewest submissions pass, and those that are flagged."""
    checks = [(stage, check) for stage in stages for check in stage.checks if check.passed_share is not None]
    checks.sort(key=lambda pair: (not pair[1].flag, pair[1].passed_share))
    table = plain_table("Check", title="Checks that are flagged or that the fewest pass")
    for heading in ("Passed", "Discrimination"):
        table.add_column(heading, justify="right", no_wrap=True)
    for stage, check in checks[:MOST_ROWS]:
        flag = f"{check.flag} " if check.flag else ""
        name = Text.assemble((f"{log_line(stage.id)} ", "dim"), _check_name(check))
        table.add_row(name, f"{check.passed_share:.0%}", Text.assemble((flag, WARNING), _discrimination(check)))
    return table


def _discrimination(check: CheckStatistics) -> str:
    found = check.discrimination
    return "–" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _check_name(check: CheckStatistics) -> Text:
    """The title; below it the check's id and the file and line of its hidden test."""
    file_and_line = log_line(check.test).rpartition("/")[2]
    return Text.assemble(log_line(check.title), "\n", (f"{log_line(check.id)} {file_and_line}".rstrip(), "dim"))


def _mistake_table(statistics: ClassStatistics, most: int | None) -> Table:
    table = plain_table("Mistake", title=_first(most, len(statistics.mistakes), "Common mistakes"))
    table.add_column("Stage", no_wrap=True)
    table.add_column("Students", justify="right", no_wrap=True)
    for mistake in statistics.mistakes[:most]:
        table.add_row(Text(log_line(mistake.says)), Text(log_line(mistake.stage)), str(len(mistake.students)))
    return table


def _claim_table(claims: Sequence[Claim]) -> Table:
    table = plain_table("Student", title="Claims that differ from our re-run")
    for heading in ("Claimed", "Hidden tests"):
        table.add_column(heading, justify="right", no_wrap=True)
    for claim in claims:
        table.add_row(Text(log_line(claim.student)), f"{claim.claimed:.0%}", f"{claim.ours:.0%}")
    return table


def _help_table(statistics: ClassStatistics, most: int | None) -> Table:
    table = plain_table("Student", title=_first(most, len(statistics.needs_help), "Students who may need help"))
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for row in statistics.needs_help[:most]:
        share = "–" if row.share is None else f"{row.share:.0%}"
        reasons = "\n".join(log_line(f"{stage}: {reason}") for stage, reason in row.reasons.items())
        table.add_row(Text(log_line(row.student)), share, Text(reasons))
    return table


def _first(most: int | None, count: int, title: str) -> str:
    """The title, with the number of rows if not all of them are shown."""
    return title if most is None or count <= most else f"{title}, {most} of {count}"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
