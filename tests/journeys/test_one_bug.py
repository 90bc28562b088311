"""A bug costs points only in its own stage: each student of a class has one mistake, in stage 2."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.base.results import StageReport
from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.course.mistakes import Mistake, load_mistakes
from autograder.intake import take_in
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgePool
from autograder.pipeline.grade import Grader, stage_files
from autograder.pipeline.secret import SECRET_FILE

STAGE = "2_attention"


class CachingJudges:
    """Judges each job once: the other stages and the stand-in for stage 2 are the same for all students."""

    def __init__(self, judges: JudgePool) -> None:
        self._judges = judges
        self._replies: dict[tuple[object, ...], Judged | Broken] = {}
        self.level = judges.level

    def stop(self) -> None:
        pass

    def judge(self, job: Job) -> Judged | Broken:
        key = (job.stage, job.seed, job.checks, tuple(sorted(job.modules.items())))
        if key not in self._replies:
            self._replies[key] = self._judges.judge(job)
        return self._replies[key]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """The real lab, with a workspace of its own and the same examples in every run."""
    (tmp_path / SECRET_FILE).write_bytes(b"the examples of one bug\n")
    return replace(Lab.find(Path(__file__).parent), workspace=tmp_path)


@pytest.fixture
def judges(lab: Lab) -> Iterator[CachingJudges]:
    with JudgePool(lab.root, size=1) as pool:
        yield CachingJudges(pool)


def some(lab: Lab) -> list[Mistake]:
    """A mistake of the first exercise, which costs points, and a mistake of an exercise that is an extension."""
    mistakes, exercises = load_mistakes(lab.stage(STAGE)), lab.stage(STAGE).spec.exercises
    return [
        next(mistake for mistake in mistakes if exercises[mistake.exercise].bonus == bonus) for bonus in (False, True)
    ]


def every(lab: Lab) -> list[Mistake]:
    mistakes = list(load_mistakes(lab.stage(STAGE)))
    assert {mistake.exercise for mistake in mistakes} == set(lab.stage(STAGE).spec.exercises)
    return mistakes


def write_submissions(lab: Lab, mistakes: dict[str, Mistake], folder: Path) -> None:
    for student, mistake in mistakes.items():
        for stage in lab.stages():
            target = folder / student / stage.id
            target.mkdir(parents=True)
            reference = stage.reference_source()
            text = mistake.apply(reference) if stage.id == STAGE else reference
            (target / f"{stage.spec.module}.py").write_text(text, encoding="utf-8")


def lost(report: StageReport) -> set[str]:
    return {check.id for check in report.checks if not check.holds}


def builds_on_stage_2(lab: Lab, stage: StageFolders) -> bool:
    return stage.id != STAGE and STAGE in {needed.id for needed in needed_stages(lab, stage)}


@pytest.mark.parametrize("chosen", [some, pytest.param(every, marks=pytest.mark.slow)])
def test_one_mistake_in_stage_2_costs_points_in_stage_2_only(lab, judges, tmp_path, chosen):
    mistakes = {mistake.id: mistake for mistake in chosen(lab)}
    write_submissions(lab, mistakes, tmp_path / "class")
    submissions = take_in([tmp_path / "class"], stage_files(lab))
    reports = [graded.report for graded in Grader(lab, judges).grade_all(submissions, workers=1)]
    assert len(reports) == len(mistakes) * len(lab.stages())
    module = lab.stage(STAGE).spec.module
    for report in reports:
        stage, mistake = lab.stage(report.stage), mistakes[report.student]
        # Checks that read attachments are left out: no student submits a trained model.
        assert lost(report) & stage.spec.code_checks == (mistake.fails if stage.id == STAGE else set()), (
            report.student,
            report.stage,
        )
        exercises = lab.stage(STAGE).spec.exercises.values()
        costs_points = any(not exercise.bonus and exercise.checks.keys() & mistake.fails for exercise in exercises)
        stood_in = builds_on_stage_2(lab, stage) and costs_points
        assert report.stand_ins == ((module,) if stood_in else ()), (report.student, report.stage)
    assert any(report.stand_ins for report in reports)
