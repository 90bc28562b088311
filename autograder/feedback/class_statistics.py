"""Statistics of a class, for instructors: distribution, item analysis, common mistakes, students who need help."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autograder.base.results import IsolationLevel, ReportState, StageReport
from autograder.course.config import Config
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes
from autograder.course.policy import TotalPolicy
from autograder.feedback.grade_words import by_hand_words, override_words
from autograder.feedback.needs_help import NeedsHelp, students_who_need_help
from autograder.feedback.stage_statistics import StageStatistics, stage_statistics
from autograder.integrations.grades import Grade, grade_of
from autograder.integrations.totals import Total, course_total


@dataclass(frozen=True)
class MistakeCount:
    """A named mistake and the students whose failures it explains."""

    stage: str
    id: str
    says: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class ClassStatistics:
    """Everything the class page shows.

    ``reports`` is keyed by student and stage. ``stages`` are those that any student has begun or that count 0;
    ``never_begun`` are the others. ``grades`` are those of the gradebook, with points by hand; empty if unknown.
    ``policy`` says which stages count in a student's total.
    """

    course: str
    students: tuple[str, ...]
    stages: tuple[StageStatistics, ...]
    reports: Mapping[tuple[str, str], StageReport]
    mistakes: tuple[MistakeCount, ...]
    needs_help: tuple[NeedsHelp, ...]
    never_begun: tuple[str, ...] = ()
    grades: Mapping[tuple[str, str], Grade] = field(default_factory=dict)
    policy: TotalPolicy = field(default_factory=TotalPolicy)

    @property
    def pythons(self) -> tuple[str, ...]:
        """The versions of Python that ran the students' code, oldest first."""
        versions = {report.python for report in self.reports.values() if report.python}
        return tuple(sorted(versions, key=lambda version: [int(part) for part in re.findall("[0-9]{1,9}", version)]))

    @property
    def isolation(self) -> Mapping[IsolationLevel, int]:
        """Isolation level → number of reports made under it, without those for which no code ran."""
        return Counter(report.isolation for report in self.reports.values() if report.isolation is not None)

    @property
    def nothing_ran(self) -> int:
        """Number of reports for which no code ran."""
        return sum(report.isolation is None for report in self.reports.values())

    @property
    def not_graded(self) -> tuple[StageReport, ...]:
        """Reports that wait for a person."""
        return tuple(report for report in self.reports.values() if report.state is ReportState.NOT_GRADED)

    @property
    def not_begun(self) -> int:
        """Number of stages of students that were not begun."""
        return sum(report.state is ReportState.NOT_BEGUN for report in self.reports.values())

    @property
    def unknown_times(self) -> tuple[StageReport, ...]:
        """Reports of stages with a due date whose time of hand-in is unknown."""
        return tuple(report for report in self.reports.values() if report.days_late is None)

    def total(self, student: str) -> Total:
        """A student's total; points by hand are included if grades are known.

        Only stages with a number count: those that the student has begun, and those that are owed.
        """
        return self._totals[student]

    def decisions(self, report: StageReport) -> tuple[str, ...]:
        """What persons and the policy decided about a graded report, in words: overrides, points by hand, dropped."""
        by_hand = by_hand_words(self.grades.get((report.student, report.stage)))
        dropped = "dropped" if self.grade(report) in self.total(report.student).dropped else ""
        return tuple(filter(None, (override_words(report), by_hand, dropped)))

    def grade(self, report: StageReport) -> Grade:
        """The grade of a report: the gradebook's if it is known."""
        return self.grades.get((report.student, report.stage)) or grade_of(report)

    def days_late(self, student: str) -> int:
        """Days late in all stages."""
        return sum(report.days_late or 0 for report in self.reports_of(student))

    @property
    def late(self) -> int:
        """Number of reports of late work."""
        return sum(bool(report.days_late) for report in self.reports.values())

    def reports_of(self, student: str) -> Sequence[StageReport]:
        """The reports of a student, in the order of the stages."""
        return self._by_student.get(student, ())

    def points(self, report: StageReport) -> float:
        """Final points of a report without extensions, points by hand included if grades are known."""
        points = self.grade(report).points
        return 0.0 if points is None else points - report.counted_bonus

    def possible(self, report: StageReport) -> float:
        """Points possible in a report's stage, those of its questions included if grades are known."""
        return self.grade(report).possible

    @cached_property
    def _by_student(self) -> Mapping[str, list[StageReport]]:
        order = {stage.id: index for index, stage in enumerate(self.stages)}
        own = defaultdict(list)
        for report in sorted(self.reports.values(), key=lambda report: order.get(report.stage, len(order))):
            own[report.student].append(report)
        return own

    @cached_property
    def _totals(self) -> Mapping[str, Total]:
        return {
            student: course_total(map(self.grade, self.reports_of(student)), self.policy) for student in self.students
        }


def class_statistics(
    reports: Iterable[StageReport],
    config: Config,
    *,
    sentences: Mapping[tuple[str, str], str] = {},
    locations: Mapping[tuple[str, str], str] = {},
    grades: Iterable[Grade] = (),
) -> ClassStatistics:
    """Compute the statistics of a class.

    Args:
        reports: one report per student and stage; of several, the last counts.
        config: source of the titles and the order of stages.
        sentences: stage and mistake id → sentence about the mistake (see ``mistake_sentences``); a mistake
            without a sentence is described by the text that students read.
        locations: stage and check id → file and line of the hidden test.
        grades: the grades of the reports in the gradebook, if it was read.
    """
    last = {(report.student, report.stage): report for report in reports}
    students = tuple(dict.fromkeys(student for student, _ in last))
    seen = dict.fromkeys(stage for _, stage in last)
    order = list(dict.fromkeys([*(stage for stage in config.stages if stage in seen), *seen]))
    begun = {stage for (_, stage), report in last.items() if report.graded or report.why_not_graded}
    never_begun = tuple(stage for stage in order if stage not in begun)
    order = [stage for stage in order if stage in begun]
    by_stage: dict[str, list[StageReport]] = defaultdict(list)
    for report in last.values():
        by_stage[report.stage].append(report)
    stages = tuple(stage_statistics(stage, config.stages.get(stage), by_stage[stage], locations) for stage in order)
    return ClassStatistics(
        course=config.course,
        students=students,
        stages=stages,
        reports=last,
        mistakes=tuple(_mistakes(last.values(), sentences)),
        needs_help=tuple(students_who_need_help(last, students, order)),
        never_begun=never_begun,
        grades={(grade.student, grade.stage): grade for grade in grades},
        policy=config.policies.total,
    )


def mistake_sentences(lab: Lab) -> dict[tuple[str, str], str]:
    """Stage and mistake id → ``says`` of the mistake, for all stages of the lab."""
    return {(stage.id, mistake.id): mistake.says for stage in lab.stages() for mistake in load_mistakes(stage)}


def _mistakes(reports: Iterable[StageReport], sentences: Mapping[tuple[str, str], str]) -> Iterator[MistakeCount]:
    students: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    says: dict[tuple[str, str], str] = {}
    for report in reports:
        for check in report.checks:
            if check.mistake is not None:
                key = (report.stage, check.mistake)
                students[key][report.student] = None
                says[key] = sentences.get(key, check.what)
    for key in sorted(students, key=lambda key: (-len(students[key]), key)):
        yield MistakeCount(key[0], key[1], says[key], tuple(students[key]))
