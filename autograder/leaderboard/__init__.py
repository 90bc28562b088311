"""The class's entries to the speedrun, measured on the same characters of hidden text and ranked."""

from autograder.leaderboard.entry import Entry, Kept, Measured, Measurer
from autograder.leaderboard.events import EVENTS, Event
from autograder.leaderboard.kept import KeptResults
from autograder.leaderboard.ranking import BARS, Bar, Place, Ranking, rank

__all__ = [
    "BARS",
    "EVENTS",
    "Bar",
    "Entry",
    "Event",
    "Kept",
    "KeptResults",
    "Measured",
    "Measurer",
    "Place",
    "Ranking",
    "rank",
]
