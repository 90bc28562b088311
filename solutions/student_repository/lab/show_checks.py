"""What public tests said, in the terminal: what was asked, what came, and both side by side."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from lab.checking import Checked
from lab.course import Course
from lab.progress import Standing
from lab.results import Outcome, TestResult
from lab.terminal import sign
from lab.values import Pair, Table

_MOST_PRINTED_LINES = 12
_GAP = 3


def show_checks(console: Console, course: Course, checked: Sequence[Checked]) -> None:
    """Print each exercise with its tests; of the failing ones, why."""
    for problem in dict.fromkeys(str(one.problem) for one in checked if one.problem):
        console.print(f"[bad]{escape(problem)}[/]", soft_wrap=True)
    for one in checked:
        if one.problem is None:
            _show_one(console, course, one)
    if len(checked) > 1:
        passed = sum(one.passed for one in checked)
        console.print(f"\n[name]{passed} of {len(checked)} exercises[/] pass their public tests.")


def _show_one(console: Console, course: Course, one: Checked) -> None:
    passed = sum(result.passed for result in one.results)
    standing = Standing.DONE if one.passed else Standing.FAILING if one.is_begun else Standing.NOT_STARTED
    name = f"{sign(console, standing)} [name]{one.exercise.name}[/]"
    title = f"[quiet]{escape(one.exercise.title)}[/]"
    if not one.is_begun:
        console.print(f"{name}  {title}", no_wrap=True, overflow="ellipsis")
        console.print(f"    {_to_do(course, one)}")
        return
    count = f"{passed} of {len(one.results)} tests pass" if one.results else "its files are there"
    console.print(f"{name}  {count}  {title}", no_wrap=True, overflow="ellipsis")
    for result in one.results:
        if not result.passed or result.printed.strip():
            console.print(Padding(_result(console, result), (0, 0, 0, 4)))


def _to_do(course: Course, one: Checked) -> str:
    if one.exercise.attachments:
        return f"not made yet: {', '.join(f'{one.exercise.stage}/{name}' for name in one.exercise.attachments)}"
    return f"not written yet: fill it in, in {course.stage(one.exercise.stage).file.as_posix()}{_line(one)}"


def _line(one: Checked) -> str:
    """Where its stub raises, if a test got that far."""
    own = (result.where for result in one.results if (result.missing or "").split(".")[0] == one.exercise.name)
    place = next((where for where in own if where), None)
    return f", line {place['line']}" if place else ""


def _result(console: Console, result: TestResult) -> Group:
    parts: list[RenderableType] = []
    if result.passed:
        parts.append(Text(result.test, style="quiet"))
    else:
        parts.append(Text.from_markup(f"\n[bad]{_readable(result.test)}[/]"))
        parts.append(Text(f"  {_message(result)}"))
        parts += [Padding(part, (0, 0, 0, 2)) for part in _details(console, result)]
    if result.printed.strip():
        lines = result.printed.strip().splitlines()
        parts.append(Text("  printed meanwhile:", style="quiet"))
        parts += [Text(f"    {line}") for line in lines[-_MOST_PRINTED_LINES:]]
    return Group(*parts)


def _readable(test: str) -> str:
    """A test's name as words."""
    return escape(test.removeprefix("test_").replace("_", " "))


def _message(result: TestResult) -> str:
    if result.outcome is Outcome.MISSING and result.missing:
        return f"needs `{result.missing.split('.')[0]}`, which is not written yet"
    return result.message


def _details(console: Console, result: TestResult) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if result.pair is not None:
        parts.append(side_by_side(result.pair, console.width - 6))
    for name, value in result.values:
        parts.append(Group(Text(f"{name}: {value.kind}", style="quiet"), *_rows(value)))
    for word, place in (("your code", result.where), ("the test", result.asks)):
        if place is not None and not (word == "the test" and result.where is not None):
            parts.append(_place(word, place))
    return parts


def _place(word: str, place: dict[str, Any]) -> Text:
    text = Text(f"{word}: {place['file']}, line {place['line']}", style="quiet")
    if place["code"]:
        text.append(f"\n    {place['code']}")
    return text


def side_by_side(pair: Pair, width: int) -> Text:
    """Both values, with what differs marked; one below the other where they do not fit."""
    found, expected = _block("yours", pair.found, pair.part), _block("expected", pair.expected, pair.part)
    left = max(line.cell_len for line in found)
    if left + _GAP + max(line.cell_len for line in expected) > width:
        return Text("\n").join([*found, *expected])
    lines = []
    for index in range(max(len(found), len(expected))):
        line = found[index].copy() if index < len(found) else Text()
        line.pad_right(left + _GAP - line.cell_len)
        lines.append(line.append_text(expected[index]) if index < len(expected) else line)
    return Text("\n").join(lines)


def _block(word: str, table: Table, part: str) -> list[Text]:
    return [Text(f"{word}{part}: {table.kind}", style="quiet"), *_rows(table)]


def _rows(table: Table) -> list[Text]:
    """The numbers in columns. A star marks what differs, for eyes and terminals without colour."""
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)] if table.rows else []
    lines = []
    for row_index, row in enumerate(table.rows):
        line = Text("  ")
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            differs = (row_index, column) in table.marked
            line.append(cell.rjust(width), style="mark" if differs else "")
            line.append("* " if differs else "  ", style="mark" if differs else "")
        lines.append(line)
    if table.cut:
        lines.append(Text("  and more", style="quiet"))
    return lines
