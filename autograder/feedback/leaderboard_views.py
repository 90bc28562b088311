"""What a leaderboard shows, in words and figures; the same for terminal, page and file."""

from autograder.base.text import printable
from autograder.leaderboard import Place

ANONYMOUS = "anonymous"
LONGEST_NAME = 40


def shown_name(place: Place) -> str:
    """The name that the student chose to be shown under, on one line."""
    return printable(" ".join(place.measured.name.split()), LONGEST_NAME) or ANONYMOUS


def shown_rank(place: Place) -> str:
    """The rank; ``=`` says that chance alone decides the order among those that share it."""
    return f"{place.rank}=" if place.tied else str(place.rank)


def shown_loss(place: Place) -> str:
    """The loss on hidden text with its standard error."""
    return f"{place.measured.loss:.3f} ± {place.measured.standard_error:.3f}"


def shown_validation_loss(place: Place) -> str:
    """The loss that the student's record declares; a dash where it declares none."""
    declared = place.measured.validation_loss
    return "–" if declared is None else f"{declared:.3f}"
