"""Hints: three per exercise, from idea to formula, one at a time."""

from rich.markup import escape

from lab.course import Exercise
from lab.progress import Progress


def next_hint(exercise: Exercise, progress: Progress, *, again: bool = False) -> list[str]:
    """The hints seen so far and one more, which counts as seen from now on; with ``again`` no new one."""
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
        more = "one more" if total - level == 1 else f"{total - level} more"
        lines.append(f"[quiet]There {'is' if total - level == 1 else 'are'} {more}: lab hint {exercise.name}[/]")
    elif seen == total:
        lines.append("[quiet]That was the last one. A look at the lab sheet, or a question to a person, helps now.[/]")
    return lines
