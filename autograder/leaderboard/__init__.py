"""The leaderboard of a class: entries to the speedrun, evaluated on the same held-out characters and ranked."""

from autograder.leaderboard.entry import Entry
from autograder.leaderboard.evaluator import EntryEvaluator
from autograder.leaderboard.events import Event
from autograder.leaderboard.ranking import BASELINES, Baseline, RankedEntry, Ranking, rank
from autograder.leaderboard.record import LONGEST_NAME

__all__ = [
    "BASELINES",
    "LONGEST_NAME",
    "Baseline",
    "Entry",
    "EntryEvaluator",
    "Event",
    "RankedEntry",
    "Ranking",
    "rank",
]
