"""Who stands where. What chance decides is no order: entries that close together share a place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from autograder.leaderboard.entry import Entry, Measured
from autograder.leaderboard.events import EVENTS, Event, event_of
from autograder.models.result import standard_error

# Beyond so many of its standard errors, a difference is no accident of the text that was drawn.
TIED_WITHIN = 2.0


@dataclass(frozen=True)
class Bar:
    """A loss to compare with, in nats per character of the text named."""

    name: str
    loss: float
    text: str


# Measured by `python -m benchmarks.kneser_ney`.
BARS = (Bar("Counting (a Kneser–Ney 6-gram)", 1.523, "validation text"),)


@dataclass(frozen=True)
class Place:
    """One ranked entry; ``tied`` with the others of the same rank."""

    rank: int
    tied: bool
    student: str
    measured: Measured


@dataclass(frozen=True)
class Ranking:
    """A whole leaderboard: places by event, best first, and the entries that are not ranked."""

    places: tuple[tuple[Event, tuple[Place, ...]], ...]
    unranked: tuple[Entry, ...]
    bars: tuple[Bar, ...] = BARS


def rank(entries: Iterable[Entry], bars: Sequence[Bar] = BARS) -> Ranking:
    """Rank the entries of each event by their loss on hidden text.

    An entry shares the place of the best one that it cannot be told from: their losses on the same blocks of text
    differ by no more than ``TIED_WITHIN`` standard errors of that difference. Compared is with the best of a place,
    not with the next above, so that a chain of small steps makes no long tie.
    """
    by_event: dict[Event, list[tuple[str, Measured]]] = {event: [] for event in EVENTS}
    unranked = []
    for entry in entries:
        event = event_of(entry.measured.tokens) if entry.measured is not None else None
        if entry.measured is None or event is None:
            unranked.append(entry)
        else:
            by_event[event].append((entry.student, entry.measured))
    places = tuple((event, _places(ones)) for event, ones in by_event.items() if ones)
    return Ranking(places, tuple(unranked), tuple(bars))


def _places(ones: Sequence[tuple[str, Measured]]) -> tuple[Place, ...]:
    groups: list[list[tuple[str, Measured]]] = []
    for student, measured in sorted(ones, key=lambda one: (one[1].loss, one[0])):
        if groups and _cannot_be_told_apart(groups[-1][0][1], measured):
            groups[-1].append((student, measured))
        else:
            groups.append([(student, measured)])
    places: list[Place] = []
    for group in groups:
        first = len(places) + 1
        places += [Place(first, len(group) > 1, student, measured) for student, measured in group]
    return tuple(places)


def _cannot_be_told_apart(best: Measured, other: Measured) -> bool:
    differences = [worse - better for worse, better in zip(other.losses, best.losses, strict=True)]
    return fmean(differences) <= TIED_WITHIN * standard_error(differences)
