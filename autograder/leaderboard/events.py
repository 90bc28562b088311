"""The classes of entries: who trained on as much is compared."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """A class of entries, by how many tokens they were trained on at most."""

    name: str
    most_tokens: int


EVENTS = (Event("sprint", 680_000), Event("long", 1_500_000))


def event_of(tokens: int) -> Event | None:
    """The shortest event that so many tokens fit into; None where they are too many for all."""
    fitting = [event for event in EVENTS if tokens <= event.most_tokens]
    return min(fitting, key=lambda event: event.most_tokens, default=None)
