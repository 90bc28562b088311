"""The events of a speedrun: classes of entries by their number of training tokens."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """A class of entries that were trained on at most this number of tokens."""

    name: str
    most_tokens: int


def event_of(tokens: int, events: Mapping[str, int]) -> Event | None:
    """Return the shortest event that allows this number of tokens, or None if no event does.

    Args:
        tokens: number of training tokens.
        events: name → most tokens, as in ``grading.yml``.
    """
    allowing = [Event(name, most) for name, most in events.items() if tokens <= most]
    return min(allowing, key=lambda event: event.most_tokens, default=None)
