"""Hints: three per exercise, from idea to formula, one at a time."""

from rich.markup import escape

from lab.course import Exercise
from lab.progress import Progress


def next_hint(exercise: Exercise, progress: Progress, *, again: bool = False) -> list[str]:
    """Return the hints seen so far and the next one, which is then recorded as seen; with ``again``, no new hint."""
    total = len(exercise.hints)
    seen = progress.hints.get(exercise.key, 0)
    level = seen if again else min(seen + 1, total)
    progress.hints[exercise.key] = level
    lines = [f"[name]{exercise.name}[/]  [quiet]{escape(exercise.title)}[/]"]
    for number, text in enumerate(exercise.hints[:level], 1):
        style = "" if number == level else "quiet"
        line = f"  {number} of {total}  {escape(text)}"
        lines.append(f"[{style}]{line}[/]" if style else line)
    if level < total:
        remaining = total - level
        lines.append(f"[quiet]{remaining} more hint{'' if remaining == 1 else 's'}: lab hint {exercise.name}[/]")
    elif seen == total:
        lines.append("[quiet]That was the last hint. Read the lab sheet again, or ask a person.[/]")
    return lines
