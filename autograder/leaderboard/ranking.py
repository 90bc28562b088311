"""The ranking of entries. Entries whose difference may be due to the draw of the text share a rank."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from autograder.leaderboard.entry import Entry
from autograder.leaderboard.events import Event, event_of
from autograder.models import Evaluation
from autograder.models.evaluation import standard_error
from autograder.models.record import Record

# Entries tie if their losses differ by at most this number of standard errors of the difference.
TIED_WITHIN = 2.0


@dataclass(frozen=True)
class Baseline:
    """A loss to compare entries with, in nats per character of the text named."""

    name: str
    loss: float
    text: str


# Computed by `python -m benchmarks.kneser_ney`.
BASELINES = (Baseline("Counting (a Kneser–Ney 6-gram)", 1.523, "validation text"),)


@dataclass(frozen=True)
class RankedEntry:
    """An entry with its rank; ``tied`` if other entries share the rank."""

    rank: int
    tied: bool
    student: str
    record: Record
    evaluation: Evaluation


@dataclass(frozen=True)
class Ranking:
    """A leaderboard: the ranked entries of each event, best first, and the entries that are not ranked."""

    events: tuple[tuple[Event, tuple[RankedEntry, ...]], ...]
    unranked: tuple[Entry, ...]
    baselines: tuple[Baseline, ...] = BASELINES


# An entry before it has a rank: student, record and evaluation.
_Candidate = tuple[str, Record, Evaluation]


def rank(entries: Iterable[Entry], events: Mapping[str, int], baselines: Sequence[Baseline] = BASELINES) -> Ranking:
    """Rank the entries of each event by their loss on held-out text.

    An entry shares the rank of the best entry that it ties with: their losses on the same blocks of text differ by at
    most ``TIED_WITHIN`` standard errors of that difference. The comparison is with the best entry of a rank, not with
    the previous entry. So a chain of small differences does not become one long tie.

    Args:
        entries: of a class, each with its problem if it has no evaluation.
        events: name → most training tokens; an entry takes part in the shortest event that allows its tokens.
        baselines: losses to show beside the ranking.
    """
    by_event: dict[Event, list[_Candidate]] = {Event(name, most): [] for name, most in events.items()}
    unranked = []
    for entry in entries:
        event = event_of(entry.record.tokens, events) if entry.record is not None else None
        if entry.record is None or entry.evaluation is None or event is None:
            unranked.append(entry)
        else:
            by_event[event].append((entry.student, entry.record, entry.evaluation))
    ranked = tuple((event, _ranked(candidates)) for event, candidates in by_event.items() if candidates)
    return Ranking(ranked, tuple(unranked), tuple(baselines))


def _ranked(candidates: Sequence[_Candidate]) -> tuple[RankedEntry, ...]:
    ties: list[list[_Candidate]] = []
    for candidate in sorted(candidates, key=lambda candidate: (candidate[2].loss, candidate[0])):
        if ties and _tie(best=ties[-1][0][2], other=candidate[2]):
            ties[-1].append(candidate)
        else:
            ties.append([candidate])
    ranked: list[RankedEntry] = []
    for tie in ties:
        first = len(ranked) + 1
        ranked += [RankedEntry(first, len(tie) > 1, *candidate) for candidate in tie]
    return tuple(ranked)


def _tie(best: Evaluation, other: Evaluation) -> bool:
    differences = [worse - better for worse, better in zip(other.losses, best.losses, strict=True)]
    return fmean(differences) <= TIED_WITHIN * standard_error(differences)
