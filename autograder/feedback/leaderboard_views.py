"""Words and figures of a leaderboard, the same for terminal, page and file."""

from autograder.base.text import printable
from autograder.leaderboard import LONGEST_NAME, RankedEntry

ANONYMOUS = "anonymous"


def shown_name(entry: RankedEntry) -> str:
    """Return the name that the student chose to show, on one line."""
    return printable(" ".join(entry.record.name.split()), LONGEST_NAME) or ANONYMOUS


def shown_rank(entry: RankedEntry) -> str:
    """Return the rank, with ``=`` if other entries share it."""
    return f"{entry.rank}=" if entry.tied else str(entry.rank)


def shown_loss(entry: RankedEntry) -> str:
    """Return the loss on held-out text with its standard error."""
    return f"{entry.evaluation.loss:.3f} ± {entry.evaluation.standard_error:.3f}"


def shown_validation_loss(entry: RankedEntry) -> str:
    """Return the loss that the student's record declares, or a dash if it declares none."""
    declared = entry.record.validation_loss
    return "–" if declared is None else f"{declared:.3f}"
