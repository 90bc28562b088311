"""Shows the results of public tests: what a test checked, the values side by side, and the student's line."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from lab.checking import ExerciseResult
from lab.course import Course
from lab.progress import ExerciseStatus
from lab.results import TestOutcome, TestResult
from lab.terminal import sign
from lab.values import ValuePair, ValueTable

_MOST_PRINTED_LINES = 12
_GAP = 3


def show_checks(console: Console, course: Course, results: Sequence[ExerciseResult]) -> None:
    """Print each exercise with its tests, and the reason for each failure."""
    for problem in dict.fromkeys(str(result.problem) for result in results if result.problem):
        console.print(f"[bad]{escape(problem)}[/]", soft_wrap=True)
    seen: list[TestResult] = []
    for result in results:
        if result.problem is None:
            _show_exercise(console, course, result, seen)
    if len(results) > 1:
        passed = sum(result.passed for result in results)
        console.print(f"\n[name]{passed} of {len(results)} exercises[/] pass their public tests.")


def _show_exercise(console: Console, course: Course, result: ExerciseResult, seen: list[TestResult]) -> None:
    """Print an exercise and its tests; ``seen`` are the failures that were printed, to which this adds its own."""
    tests = result.test_results
    status = (
        ExerciseStatus.DONE
        if result.passed
        else ExerciseStatus.FAILING
        if result.is_started
        else ExerciseStatus.NOT_STARTED
    )
    name = f"{sign(console, status)} [name]{result.exercise.name}[/]"
    title = f"[quiet]{escape(result.exercise.title)}[/]"
    if not result.is_started:
        console.print(f"{name}  {_to_do(course, result)}", soft_wrap=True)
        return
    count = f"{sum(test.passed for test in tests)} of {len(tests)} tests pass" if tests else "its files exist"
    if result.import_error and all(_is_repeated(test, seen) for test in tests):
        console.print(f"{name}  {count}: as above")
        return
    console.print(f"{name}  {count}  {title}", no_wrap=True, overflow="ellipsis")
    for test in tests:
        if not test.passed or test.printed.strip():
            console.print(Padding(_as_above(test) if _is_repeated(test, seen) else _test(console, test), (0, 0, 0, 4)))
            seen.append(test)


def _is_repeated(result: TestResult, seen: Sequence[TestResult]) -> bool:
    """Whether an earlier test failed for the same reason, such as a module that cannot be imported."""
    same = [test for test in seen if (test.message, test.student_line) == (result.message, result.student_line)]
    return bool(same) and result.student_line is not None and not (result.values or result.printed.strip())


def _as_above(result: TestResult) -> Text:
    return Text.from_markup(f"\n[bad]{_readable(result.test)}[/]: as above")


def _to_do(course: Course, result: ExerciseResult) -> str:
    exercise = result.exercise
    if exercise.attachments:
        return f"not made yet: {', '.join(f'{exercise.stage}/{name}' for name in exercise.attachments)}"
    return f"not written yet: write it in {course.stage(exercise.stage).file.as_posix()}{_stub_line(result)}"


def _stub_line(result: ExerciseResult) -> str:
    """Return the line at which the stub raises, if a test reached it."""
    name = result.exercise.name
    lines = (test.student_line for test in result.test_results if (test.missing or "").split(".")[0] == name)
    location = next((line for line in lines if line), None)
    return f", line {location['line']}" if location else ""


def _test(console: Console, result: TestResult) -> Group:
    parts: list[RenderableType] = []
    if result.passed:
        parts.append(Text(result.test, style="quiet"))
    else:
        parts.append(Text.from_markup(f"\n[bad]{_readable(result.test)}[/]"))
        parts.append(Text(f"  {_message(result)}"))
        parts += [Padding(part, (0, 0, 0, 2)) for part in _details(console, result)]
    if result.printed.strip():
        lines = result.printed.strip().splitlines()
        parts.append(Text("  output of the test:", style="quiet"))
        parts += [Text(f"    {line}") for line in lines[-_MOST_PRINTED_LINES:]]
    return Group(*parts)


def _readable(test: str) -> str:
    """Return a test's name as words."""
    return escape(test.removeprefix("test_").replace("_", " "))


def _message(result: TestResult) -> str:
    if result.outcome is TestOutcome.MISSING and result.missing:
        return f"needs `{result.missing.split('.')[0]}`, which is not written yet"
    return result.message


def _details(console: Console, result: TestResult) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if result.pair is not None:
        parts.append(side_by_side(result.pair, console.width - 6))
    for name, value in result.values:
        parts.append(Group(Text(f"{name}: {value.kind}", style="quiet"), *_rows(value)))
    if result.student_line is not None:
        parts.append(_location("your code", result.student_line))
    elif result.test_line is not None:
        parts.append(_location("the test", result.test_line))
    return parts


def _location(label: str, location: dict[str, Any]) -> Text:
    text = Text(f"{label}: {location['file']}, line {location['line']}", style="quiet")
    if location["code"]:
        text.append(f"\n    {location['code']}")
    return text


def side_by_side(pair: ValuePair, width: int) -> Text:
    """Show both values with their differences marked; one below the other if they are wider than ``width``."""
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


def _block(label: str, table: ValueTable, part: str) -> list[Text]:
    return [Text(f"{label}{part}: {table.kind}", style="quiet"), *_rows(table)]


def _rows(table: ValueTable) -> list[Text]:
    """Format the numbers in columns. A star marks each difference, so that colour is not needed."""
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
        lines.append(Text("  (more not shown)", style="quiet"))
    return lines
