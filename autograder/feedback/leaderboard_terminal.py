"""The leaderboard on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.base.sinks import log_line
from autograder.feedback.leaderboard_views import ANONYMOUS, shown_loss, shown_name, shown_rank, shown_validation_loss
from autograder.leaderboard import Event, RankedEntry, Ranking

TIES = (
    "=: on the same text, within two standard errors of the best entry of this rank; other text could change the order"
)


def print_leaderboard(console: Console, ranking: Ranking, *, show_students: bool = False) -> None:
    """Print the ranked entries of each event, the baselines, and the entries that are not ranked, with the reason.

    Args:
        console: prints.
        ranking: the leaderboard.
        show_students: print the student of each entry, with or without a chosen name.
    """
    for event, entries in ranking.events:
        console.print(_table(event, entries, show_students=show_students))
    if not ranking.events:
        console.print("no entry could be ranked")
    for baseline in ranking.baselines:
        line = f"{baseline.name} reaches {baseline.loss:.3f} on the {baseline.text}"
        console.print(line, style="dim", soft_wrap=True)
    if any(entry.tied for _, entries in ranking.events for entry in entries):
        console.print(TIES, style="dim", soft_wrap=True)
    for unranked in ranking.unranked:
        name = log_line(unranked.student) if show_students else ANONYMOUS
        line = f"not ranked, {name}: {log_line(unranked.problem)}"
        console.print(line, style="yellow", markup=False, soft_wrap=True)


def _table(event: Event, entries: Sequence[RankedEntry], *, show_students: bool) -> Table:
    table = Table(title=f"{event.name}: at most {event.most_tokens:,} tokens", title_justify="left")
    for heading in ("rank", "name", *(["student"] if show_students else [])):
        table.add_column(heading, overflow="fold")
    for heading in ("tokens", "parameters", "held-out loss", "declared"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in entries:
        student = [Text(log_line(entry.student))] if show_students else []
        table.add_row(
            shown_rank(entry),
            Text(log_line(shown_name(entry))),
            *student,
            f"{entry.record.tokens:,}",
            f"{entry.evaluation.parameters:,}",
            shown_loss(entry),
            shown_validation_loss(entry),
        )
    return table
