"""The leaderboard as a page for the class: it shows only the names that students chose."""

from dataclasses import dataclass

import msgspec

from autograder.base.sinks import json_text
from autograder.feedback.html import render
from autograder.feedback.leaderboard_views import shown_loss, shown_name, shown_rank, shown_validation_loss
from autograder.leaderboard import Event, RankedEntry, Ranking


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
    """Return one self-contained HTML page.

    Args:
        course: the course's title.
        ranking: the leaderboard.
        isolated: whether student code ran isolated while the entries were evaluated.
    """
    return render(
        "leaderboard.html",
        course=course,
        events=[(event, [_row(entry) for entry in entries]) for event, entries in ranking.events],
        ties=any(entry.tied for _, entries in ranking.events for entry in entries),
        baselines=ranking.baselines,
        problems=[entry.problem for entry in ranking.unranked],
        isolated=isolated,
    )


def leaderboard_json(ranking: Ranking) -> bytes:
    """Return the leaderboard as JSON: events, baselines, and why entries are not ranked; it holds no student's id."""
    data = {
        "format_version": 1,
        "events": [_event(event, entries) for event, entries in ranking.events],
        "bars": [msgspec.to_builtins(baseline) for baseline in ranking.baselines],
        "not_ranked": [entry.problem for entry in ranking.unranked],
    }
    return json_text(data)


def _event(event: Event, entries: tuple[RankedEntry, ...]) -> dict[str, object]:
    return {"class": event.name, "most_tokens": event.most_tokens, "entries": [_entry(entry) for entry in entries]}


def _entry(entry: RankedEntry) -> dict[str, object]:
    evaluation = entry.evaluation
    return {
        "rank": entry.rank,
        "tied": entry.tied,
        "name": shown_name(entry),
        "tokens": entry.record.tokens,
        "parameters": evaluation.parameters,
        "embeddings": evaluation.free_embeddings,
        "loss": evaluation.loss,
        "standard_error": evaluation.standard_error,
        "validation_loss": entry.record.validation_loss,
    }


def _row(entry: RankedEntry) -> Row:
    return Row(
        rank=shown_rank(entry),
        name=shown_name(entry),
        tokens=entry.record.tokens,
        parameters=entry.evaluation.parameters,
        loss=shown_loss(entry),
        declared=shown_validation_loss(entry),
    )
