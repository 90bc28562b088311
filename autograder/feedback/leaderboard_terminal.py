"""The leaderboard on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.feedback.leaderboard_views import ANONYMOUS, shown_loss, shown_name, shown_rank, shown_validation_loss
from autograder.feedback.text import log_line
from autograder.leaderboard import Event, Place, Ranking

TIES = "=: on the same text, within two standard errors of the best of this rank; another could turn the order round"


def print_leaderboard(console: Console, ranking: Ranking, *, show_students: bool = False) -> None:
    """Print the places of each event, the bars beside them, and who is not ranked and why.

    Args:
        console: prints.
        ranking: the leaderboard.
        show_students: say whose entry each is, whether they chose a name or not.
    """
    for event, places in ranking.places:
        console.print(_table(event, places, show_students=show_students))
    if not ranking.places:
        console.print("no entry could be ranked")
    for bar in ranking.bars:
        console.print(f"{bar.name} reaches {bar.loss:.3f} on the {bar.text}", style="dim", soft_wrap=True)
    if any(place.tied for _, places in ranking.places for place in places):
        console.print(TIES, style="dim", soft_wrap=True)
    for entry in ranking.unranked:
        who = log_line(entry.student) if show_students else ANONYMOUS
        console.print(f"not ranked, {who}: {log_line(entry.problem)}", style="yellow", markup=False, soft_wrap=True)


def _table(event: Event, places: Sequence[Place], *, show_students: bool) -> Table:
    table = Table(title=f"{event.name}: at most {event.most_tokens:,} tokens", title_justify="left")
    for heading in ("rank", "name", *(["student"] if show_students else [])):
        table.add_column(heading, overflow="fold")
    for heading in ("tokens", "parameters", "hidden text", "declared"):
        table.add_column(heading, justify="right", no_wrap=True)
    for place in places:
        one = place.measured
        student = [Text(log_line(place.student))] if show_students else []
        table.add_row(
            shown_rank(place),
            Text(log_line(shown_name(place))),
            *student,
            f"{one.tokens:,}",
            f"{one.parameters:,}",
            shown_loss(place),
            shown_validation_loss(place),
        )
    return table
