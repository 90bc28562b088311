"""Item analysis of a stage: how well each check separates strong from weak submissions, and how sure that is."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# With fewer passes or failures, one submission decides the correlation.
FEWEST_OF_EACH = 5
# Ebel and Frisbie, Essentials of Educational Measurement: items below 0.2 need a review.
WEAK_DISCRIMINATION = 0.2
_NORMAL_QUANTILE = 1.959964  # of a two-sided interval of 95 %


@dataclass(frozen=True)
class Discrimination:
    """The correlation between passing a check and the points of the stage's other checks, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def flag(self) -> str:
        """``reversed`` or ``weak`` if the whole interval is below 0 or below 0.2: the check may need a review."""
        if self.high < 0:
            return "reversed"
        return "weak" if self.high < WEAK_DISCRIMINATION else ""


def discrimination(passed: Sequence[bool], others: Sequence[int]) -> Discrimination | None:
    """The item-rest correlation; None if it is undefined or rests on fewer than ``FEWEST_OF_EACH`` passes or failures.

    The interval uses Fisher's transformation. Source: Fisher, Statistical Methods for Research Workers, section 35.

    Args:
        passed: whether each submission passes the check.
        others: the points of the stage's other checks, which do not correlate with the check by construction.
    """
    count, passes = len(passed), sum(passed)
    if min(passes, count - passes) < FEWEST_OF_EACH or len(set(others)) == 1:
        return None
    value = statistics.correlation([float(each) for each in passed], others)
    if abs(value) >= 1:
        return Discrimination(value, value, value)
    centre, half = math.atanh(value), _NORMAL_QUANTILE / math.sqrt(count - 3)
    return Discrimination(value, math.tanh(centre - half), math.tanh(centre + half))


def reliability(scores: Sequence[Sequence[int]]) -> float | None:
    """Cronbach's alpha of a stage: the share of the variance of its points that is not noise of single checks.

    Source: Cronbach, Coefficient alpha and the internal structure of tests, 1951.

    Args:
        scores: for each submission, the points of each check.

    Returns:
        None with fewer than two checks or 2 · ``FEWEST_OF_EACH`` submissions, or if all submissions have equal points.
    """
    if len(scores) < 2 * FEWEST_OF_EACH or len(scores[0]) < 2:
        return None
    total = _scatter([sum(own) for own in scores])
    if total == 0:
        return None
    checks = len(scores[0])
    noise = sum(_scatter(column) for column in zip(*scores, strict=True))
    return checks / (checks - 1) * (1 - noise / total)


def _scatter(values: Sequence[int]) -> int:
    """The variance times the squared number of values: exact, and as fast as sums are."""
    return len(values) * sum(value * value for value in values) - sum(values) ** 2
