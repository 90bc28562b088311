"""A student's page: points, what to fix and where, and the student's own file beside it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from markupsafe import Markup

from autograder.base.results import Outcome, ReportState, StageReport
from autograder.base.sinks import one_line
from autograder.course.config import Config
from autograder.feedback.grade_words import by_hand_remark, total_remarks
from autograder.feedback.html import render
from autograder.feedback.source_view import source_lines
from autograder.feedback.views import CheckView, ExerciseView, StageView, stage_view
from autograder.feedback.words import counted
from autograder.integrations.grades import Grade, grade_of
from autograder.integrations.totals import course_total

# Segments of the points bar with gaps of two pixels between them; with more, the gaps would hide the colours.
MOST_GAPS = 24


@dataclass(frozen=True)
class ShownCheck:
    """A check on the page: its anchor, and the anchor of the line it points at if that line is shown."""

    view: CheckView
    anchor: str
    line: int | None
    line_anchor: str | None


@dataclass(frozen=True)
class ShownExercise:
    """An exercise on the page."""

    view: ExerciseView
    checks: tuple[ShownCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.view.outcome is Outcome.PASSED for check in self.checks)


@dataclass(frozen=True)
class SourceLine:
    """One line of the file and the checks that point at it."""

    html: Markup
    anchor: str | None
    checks: tuple[ShownCheck, ...]

    @property
    def tone(self) -> str:
        """``open`` if none of the checks was attempted yet, else ``bad``."""
        return "open" if all(check.view.tone == "open" for check in self.checks) else "bad"


@dataclass(frozen=True)
class Segment:
    """One check's part of the points bar, in per cent of its length."""

    start: float
    width: float
    tone: str


@dataclass(frozen=True)
class NamedMistake:
    """A mistake that the page names first: in which exercises, in which line, and the checks that it explains."""

    what: str
    exercises: tuple[str, ...]
    checks: tuple[ShownCheck, ...]

    @property
    def place(self) -> ShownCheck | None:
        """The first check that points at a line of the file that is shown."""
        return next((check for check in self.checks if check.line_anchor), None)


@dataclass(frozen=True)
class StageSection:
    """One stage's part of the page.

    ``common`` replaces the details of all checks if none of them ran.
    """

    view: StageView
    anchor: str
    exercises: tuple[ShownExercise, ...]
    named: tuple[NamedMistake, ...]
    common: ShownCheck | None
    bar: tuple[Segment, ...]
    source: tuple[SourceLine, ...]

    @property
    def fine(self) -> bool:
        """Whether the points bar has so many segments that gaps between them would hide it."""
        return len(self.bar) > MOST_GAPS


def student_page(
    reports: Sequence[StageReport],
    sources: Mapping[str, str],
    config: Config,
    titles: Mapping[str, Mapping[str, str]],
    with_examples: Collection[str] = (),
    grades: Mapping[str, Grade] = MappingProxyType({}),
) -> str:
    """Render one self-contained HTML page about one student.

    Args:
        reports: the student's reports of one or several stages, in the order shown.
        sources: stage id → the text that was graded; a stage without a text is shown without its file.
        config: source of the titles of course and stages.
        titles: stage id → exercise → title; an exercise without a title is shown by its name.
        with_examples: the stages whose failing examples students may see.
        grades: stage id → grade in the gradebook; a stage without an entry counts as in its report.

    Raises:
        ValueError: the reports are not all of one student, or there are none.
    """
    students = {report.student for report in reports}
    if len(students) != 1:
        raise ValueError(f"a student's page is about one student, not {len(students)}: {', '.join(sorted(students))}")
    sections = [
        _section(
            index,
            _with_remark(
                stage_view(
                    report,
                    config.stages.get(report.stage),
                    titles.get(report.stage, {}),
                    examples=report.stage in with_examples,
                ),
                by_hand_remark(grades[report.stage]) if report.stage in grades else "",
            ),
            sources.get(report.stage),
        )
        for index, report in enumerate(reports, 1)
    ]
    own = [grades.get(report.stage) or grade_of(report) for report in reports]
    total = course_total(own, config.policies.total)
    return render(
        "student.html",
        course=config.course,
        student=one_line(reports[0].student),
        sections=sections,
        total=total,
        total_remarks=total_remarks(total),
        with_bonus=any(report.counted_bonus for report in reports),
        not_graded=_count(sections, ReportState.NOT_GRADED),
        not_begun=_count(sections, ReportState.NOT_BEGUN),
    )


def _with_remark(view: StageView, remark: str) -> StageView:
    return replace(view, remarks=(*view.remarks, remark)) if remark else view


def _count(sections: Sequence[StageSection], state: ReportState) -> str:
    """The number of stages in a state, as ``2 stages not begun``; empty if there is none."""
    number = sum(section.view.state is state for section in sections)
    return f"{counted(number, 'stage')} {state.value}" if number else ""


def _section(index: int, view: StageView, source: str | None) -> StageSection:
    anchor = f"stage-{index}"
    text = (source or "").rstrip("\n")
    lines = source_lines(text) if text else []
    exercises, count = [], 0
    for exercise in view.exercises:
        shown = tuple(
            _shown(check, f"{anchor}-check-{number}", anchor, view.file, len(lines))
            for number, check in enumerate(exercise.checks, count + 1)
        )
        exercises.append(ShownExercise(exercise, shown))
        count += len(shown)
    checks = [check for exercise in exercises for check in exercise.checks]
    common = _shown(view.common, f"{anchor}-all", anchor, view.file, len(lines)) if view.common else None
    return StageSection(
        view=view,
        anchor=anchor,
        exercises=tuple(exercises),
        named=_named(checks),
        common=common,
        bar=tuple(_bar(view)),
        source=tuple(_annotated(lines, [common] if common else checks)),
    )


def _shown(check: CheckView, anchor: str, stage: str, file: str, lines: int) -> ShownCheck:
    line = check.line_in(file)
    if line is None or not 1 <= line <= lines:
        return ShownCheck(check, anchor, None, None)
    return ShownCheck(check, anchor, line, f"{stage}-line-{line}")


def _named(checks: Iterable[ShownCheck]) -> tuple[NamedMistake, ...]:
    named: defaultdict[str, tuple[ShownCheck, ...]] = defaultdict(tuple)
    for check in checks:
        if check.view.named:
            named[check.view.what] += (check,)
    return tuple(
        NamedMistake(what, tuple(dict.fromkeys(check.view.exercise for check in explained)), explained)
        for what, explained in named.items()
    )


def _bar(view: StageView) -> Iterable[Segment]:
    counted = [check for exercise in view.exercises if not exercise.bonus for check in exercise.checks]
    start = 0.0
    for check in counted:
        width = 100 * check.points / view.points
        yield Segment(round(start, 3), round(width, 3), check.tone)
        start += width


def _annotated(lines: Sequence[Markup], checks: Iterable[ShownCheck]) -> Iterable[SourceLine]:
    pointing: defaultdict[int, list[ShownCheck]] = defaultdict(list)
    for check in checks:
        if check.line is not None:
            pointing[check.line].append(check)
    for number, html in enumerate(lines, 1):
        here = tuple(pointing.get(number, ()))
        yield SourceLine(html, here[0].line_anchor if here else None, here)
