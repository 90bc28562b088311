"""The leaderboard on the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.feedback.leaderboard_views import ANONYMOUS, shown_loss, shown_name, shown_rank, shown_validation_loss
from autograder.feedback.text import log_line
from autograder.leaderboard import Ranking

TIES = "=: within two standard errors of the best of this rank; another text could turn the order round"


def print_leaderboard(console: Console, ranking: Ranking, *, show_students: bool = False) -> None:
    """Print the places of each event, the bars beside them, and who is not ranked and why.

    Args:
        console: prints.
        ranking: the leaderboard.
        show_students: say whose entry each is, whether they chose a name or not.
    """
    table = _table(ranking, show_students=show_students)
    if ranking.places:
        console.print(table, soft_wrap=True)
    else:
        console.print("no entry could be ranked")
    if any(place.tied for _, places in ranking.places for place in places):
        console.print(TIES, style="dim", soft_wrap=True)
    for entry in ranking.unranked:
        who = log_line(entry.student) if show_students else ANONYMOUS
        console.print(f"not ranked, {who}: {log_line(entry.problem)}", style="yellow", markup=False, soft_wrap=True)


def _table(ranking: Ranking, *, show_students: bool) -> Table:
    table = Table()
    for heading in ("class", "rank", "name", *(["student"] if show_students else [])):
        table.add_column(heading, overflow="fold")
    for heading in ("tokens", "parameters", "hidden text", "declared"):
        table.add_column(heading, justify="right", no_wrap=True)
    for event, places in ranking.places:
        for place in places:
            one = place.measured
            student = [Text(log_line(place.student))] if show_students else []
            table.add_row(
                event.name,
                shown_rank(place),
                Text(log_line(shown_name(place))),
                *student,
                f"{one.tokens:,}",
                f"{one.parameters:,}",
                shown_loss(place),
                shown_validation_loss(place),
            )
        table.add_section()
    for bar in ranking.bars:
        gap = [""] if show_students else []
        table.add_row("bar", "", Text(bar.name), *gap, "", "", "", f"{bar.loss:.3f}", style="dim")
    return table
