"""What persons decided about a grade, in words."""

from autograder.integrations.grades import Grade


def by_hand_words(grade: Grade | None) -> str:
    """What persons gave and must still give, in a cell of a table: ``+2 by hand``, ``by hand: open``, or nothing."""
    if grade is None:
        return ""
    given = f"{grade.by_hand:+g} by hand" if grade.by_hand else ""
    waiting = "by hand: open" if grade.waits else ""
    return ", ".join(filter(None, (given, waiting)))
