"""The pipeline: submissions in, one report per student and stage out.

Students are independent of each other; a student's stages go in order, because a later stage runs
on the student's own earlier modules where those passed, and on the course's where they did not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol

from autograder.fingerprint import course_secret, example_seed, result_key, stage_fingerprint
from autograder.intake import RefusalReason, StageFiles, StageSubmission, take_in
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgePool
from autograder.judge.run import unrun_stage
from autograder.judge.trusted_code import needed_stages
from autograder.lab import Lab, LabError, StageFolders
from autograder.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.store import ResultStore


class Judges(Protocol):
    """Whatever judges jobs: processes here, or workers of a cluster."""

    level: IsolationLevel

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; called from several threads."""


@dataclass(frozen=True)
class Graded:
    """One report, the submission it is about, and whether it came from the store."""

    submission: StageSubmission
    report: StageReport
    cached: bool


@dataclass(frozen=True)
class Reuse:
    """Which stored results are taken as they are.

    By default those made from the same submission, tests, references, configuration and versions.
    ``nothing`` judges everything again; ``unchanged_submissions`` also keeps results that older
    tests gave to the same files.
    """

    nothing: bool = False
    unchanged_submissions: bool = False


class Grader:
    """Grades submissions with the judges given, remembering what it has done."""

    def __init__(self, lab: Lab, judges: Judges, reuse: Reuse = Reuse()) -> None:
        self._lab = lab
        self._judges = judges
        self._reuse = reuse
        self._store = ResultStore(lab.build / "results")
        self._secret = course_secret(lab)
        self._fingerprints = {stage.id: stage_fingerprint(lab, stage) for stage in lab.stages()}

    def grade_all(
        self,
        submissions: Iterable[StageSubmission],
        *,
        workers: int,
        on_done: Callable[[Graded], None] = lambda graded: None,
    ) -> list[Graded]:
        """Grade a class, ``workers`` students at a time, in the order of ``submissions``.

        ``on_done`` is called from this thread as each report is ready.
        """
        per_student = [list(group) for _, group in groupby(submissions, key=lambda one: one.student)]
        with ThreadPoolExecutor(workers) as pool:
            futures: dict[Future[list[Graded]], int] = {}
            try:
                for index, stages in enumerate(per_student):
                    futures[pool.submit(lambda stages=stages: list(self.grade_student(stages)))] = index
                done: dict[int, list[Graded]] = {}
                for future in as_completed(futures):
                    done[futures[future]] = future.result()
                    for graded in done[futures[future]]:
                        on_done(graded)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [graded for index in range(len(per_student)) for graded in done[index]]

    def grade_student(self, submissions: list[StageSubmission]) -> Iterator[Graded]:
        """Grade one student's stages, in the order of ``grading.yml``."""
        sources = {one.stage: one.source for one in submissions if one.source is not None}
        passed: set[str] = set()
        for submission in submissions:
            graded = self._grade_stage(submission, sources, passed)
            if graded.report.graded and graded.report.score == graded.report.points:
                passed.add(submission.stage)
            yield graded

    def _grade_stage(self, submission: StageSubmission, sources: Mapping[str, str], passed: set[str]) -> Graded:
        stage = self._lab.stage(submission.stage)
        modules, stand_ins = self._modules(stage, sources, passed)
        key = result_key(self._fingerprints[stage.id], submission.student, modules)
        stored = self._store.get(submission.student, stage.id)
        if stored is not None and not self._reuse.nothing:
            same_files = self._reuse.unchanged_submissions and stored.digest == submission.digest
            if stored.key == key or same_files:
                return Graded(submission, stored.report, cached=True)
        if submission.source is None:
            checks = _refused(stage, submission)
        else:
            checks = self._judge(stage, modules)
        report = StageReport(
            student=submission.student,
            stage=stage.id,
            checks=checks,
            isolation=self._judges.level,
            stand_ins=tuple(stand_ins),
            notes=submission.notes,
            digest=submission.digest,
        )
        if report.graded:
            self._store.put(key, report)
        return Graded(submission, report, cached=False)

    def _judge(self, stage: StageFolders, modules: Mapping[str, str]) -> tuple[CheckResult, ...]:
        seed = example_seed(self._secret, stage.id, modules)
        reply = self._judges.judge(Job(stage=stage.id, modules=dict(modules), seed=seed))
        if isinstance(reply, Judged):
            return reply.checks
        return unrun_stage(stage, "the grader failed, not your code; nothing was deducted", "", Outcome.GRADER_ERROR)

    def _modules(
        self, stage: StageFolders, sources: Mapping[str, str], passed: set[str]
    ) -> tuple[dict[str, str], list[str]]:
        """The module texts for a stage: the student's own where they passed, else the course's."""
        modules, stand_ins = {}, []
        for needed in needed_stages(self._lab, stage):
            if needed.id == stage.id or needed.id in passed:
                modules[needed.stage.module] = sources.get(needed.id, "")
            else:
                modules[needed.stage.module] = stand_in_source(needed)
                stand_ins.append(needed.stage.module)
        return modules, stand_ins


def stand_in_source(stage: StageFolders) -> str:
    """The module that stands in for an earlier stage which did not pass: built on PyTorch's own.

    Raises:
        LabError: the stage has no ``alternatives/pytorch.py``.
    """
    path = stage.folder / "alternatives" / "pytorch.py"
    if not path.is_file():
        raise LabError(f"{path} is missing: later stages run on it where a student's own {stage.stage.module}.py did not pass")
    return path.read_text(encoding="utf-8")


def stage_files(lab: Lab, stage_ids: Iterable[str] = ()) -> list[StageFiles]:
    """What intake looks for: the stages asked for (all when none), in the order of ``grading.yml``."""
    asked = {lab.stage(stage_id).id for stage_id in stage_ids}
    return [
        StageFiles(stage.id, stage.stage.module, asked=bool(asked))
        for stage in lab.stages()
        if stage.id in asked or not asked
    ]


def grade_source(lab: Lab, stage_id: str, student: str, folder: Path) -> StageReport:
    """Grade one student's folder of one stage, from the store where it can be.

    For callers that hold a single submission, such as ``nbgrader autograde``.

    Raises:
        JudgeError: no judge could start, or this machine does not isolate student code.
    """
    with LazyPool(lab) as judges:
        grader = Grader(lab, judges)
        submissions = [
            one for one in take_in([folder], stage_files(lab, [stage_id])) if one.stage == stage_id
        ]
        return next(grader.grade_student([replace(one, student=student) for one in submissions])).report


class LazyPool:
    """One judge process that starts with the first job: a stored result needs none.

    Use as a context manager.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open = ExitStack()
        self._pool: JudgePool | None = None
        self.level = IsolationLevel.NONE

    def __enter__(self) -> "LazyPool":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job, starting the process if this is the first."""
        if self._pool is None:
            self._pool = self._open.enter_context(JudgePool(self._lab.root, size=1))
            self.level = self._pool.level
        return self._pool.judge(job)


def _refused(stage: StageFolders, submission: StageSubmission) -> tuple[CheckResult, ...]:
    """The results of a submission that intake did not let through."""
    refusal = submission.refusal
    assert refusal is not None
    missing = refusal.reason is RefusalReason.MISSING
    return unrun_stage(
        stage, refusal.message, refusal.file, Outcome.NOT_ATTEMPTED if missing else Outcome.BLOCKED
    )
