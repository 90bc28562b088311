"""The leaderboard as a page for the class: chosen names alone, never whose entry it is."""

from dataclasses import dataclass

import msgspec

from autograder.feedback.html import render
from autograder.feedback.leaderboard_views import shown_loss, shown_name, shown_rank, shown_validation_loss
from autograder.leaderboard import Event, Place, Ranking


@dataclass(frozen=True)
class Row:
    """One line of an event's table."""

    rank: str
    name: str
    tokens: int
    parameters: int
    loss: str
    declared: str


def leaderboard_page(course: str, ranking: Ranking, *, isolated: bool = True) -> str:
    """One self-contained HTML page.

    Args:
        course: its title.
        ranking: the leaderboard.
        isolated: whether student code was kept apart while the entries were measured.
    """
    return render(
        "leaderboard.html",
        course=course,
        events=[(event, [_row(place) for place in places]) for event, places in ranking.places],
        ties=any(place.tied for _, places in ranking.places for place in places),
        bars=ranking.bars,
        problems=[entry.problem for entry in ranking.unranked],
        isolated=isolated,
    )


def leaderboard_json(ranking: Ranking) -> bytes:
    """The same for programs: events with their places, bars, and why entries are not ranked; no student's id."""
    data = {
        "format_version": 1,
        "events": [_event(event, places) for event, places in ranking.places],
        "bars": [{"name": bar.name, "loss": bar.loss, "text": bar.text} for bar in ranking.bars],
        "not_ranked": [entry.problem for entry in ranking.unranked],
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=1) + b"\n"


def _event(event: Event, places: tuple[Place, ...]) -> dict[str, object]:
    return {"class": event.name, "most_tokens": event.most_tokens, "entries": [_entry(place) for place in places]}


def _entry(place: Place) -> dict[str, object]:
    one = place.measured
    return {
        "rank": place.rank,
        "tied": place.tied,
        "name": shown_name(place),
        "tokens": one.tokens,
        "parameters": one.parameters,
        "embeddings": one.embeddings,
        "loss": one.loss,
        "standard_error": one.standard_error,
        "validation_loss": one.validation_loss,
    }


def _row(place: Place) -> Row:
    one = place.measured
    return Row(
        rank=shown_rank(place),
        name=shown_name(place),
        tokens=one.tokens,
        parameters=one.parameters,
        loss=shown_loss(place),
        declared=shown_validation_loss(place),
    )
