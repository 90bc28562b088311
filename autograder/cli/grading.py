"""Grading with progress on the screen, for the commands that grade a class."""

from collections.abc import Callable, Sequence

from rich.console import Console

from autograder.authoring.exercise_faults import missing_checks
from autograder.base.results import ReportState
from autograder.cli.cluster import cluster_judges
from autograder.cli.endings import Stopped
from autograder.cli.shared import notice, progress
from autograder.course.lab import Lab, LabError
from autograder.intake import StageSubmission
from autograder.judge.pool import JudgePool
from autograder.pipeline.grade import Graded, Grader, Regrading, Reuse
from autograder.pipeline.new_work import students_to_judge

_PLAIN = Regrading()


def grade_class(
    lab: Lab,
    submissions: Sequence[StageSubmission],
    reuse: Reuse,
    workers: int,
    console: Console,
    *,
    isolated: bool,
    regrading: Regrading = _PLAIN,
    meanwhile: Callable[[], object] = lambda: None,
    on_done: Callable[[Graded], object] = lambda graded: None,
    scheduler: str | None = None,
) -> list[Graded]:
    """Grade submissions in parallel, showing progress.

    Args:
        lab: the lab.
        submissions: the submissions, student by student.
        reuse: the stored results that are accepted.
        workers: number of students graded at the same time.
        console: where the progress is shown.
        isolated: whether students' code must be isolated.
        regrading: how the results replace those of earlier runs.
        meanwhile: what to do while the judges start; if it fails, nothing is graded.
        on_done: called with each result, as soon as all of its student's are ready.
        scheduler: address of the scheduler of a Dask cluster whose workers judge; None for this machine.
    """
    _refuse_missing_checks(lab, submissions)
    if scheduler is not None:
        with cluster_judges(lab, scheduler, submissions, isolated=isolated) as judges:
            meanwhile()
            grader = Grader(lab, judges, reuse, regrading)
            # Each thread waits for the cluster; twice as many keep every worker busy while results are stored.
            graded = _grade_all(grader, submissions, max(workers, 2 * judges.size), console, on_done)
    else:
        with JudgePool(lab.root, size=workers, isolated=isolated) as pool:
            with pool.warming(min(workers, students_to_judge(lab, submissions, reuse))):
                meanwhile()
            grader = Grader(lab, pool, reuse, regrading)
            graded = _grade_all(grader, submissions, workers, console, on_done)
    if line := grader.distrusted():
        notice(line)
    return graded


def _refuse_missing_checks(lab: Lab, submissions: Sequence[StageSubmission]) -> None:
    """Refuse to judge a class on hidden tests that lack a check of ``grading.yml``.

    Raises:
        LabError: a check has no hidden test; the message lists all.
    """
    stages = dict.fromkeys(submission.stage for submission in submissions)
    if missing := [line for stage_id in stages for line in missing_checks(lab.stage(stage_id))]:
        raise LabError("\n".join(["nothing was judged: hidden tests are missing", *missing]))


def _grade_all(
    grader: Grader,
    submissions: Sequence[StageSubmission],
    workers: int,
    console: Console,
    on_done: Callable[[Graded], object],
) -> list[Graded]:
    with progress(console, "grading", len(submissions)) as advance:

        def show(graded: Graded) -> None:
            report = graded.report
            is_scored = report.state is ReportState.GRADED
            points = f"{report.final_score}/{report.points}" if is_scored else report.state.value
            advance(f"{report.student} {report.stage} {points}{' (reused)' if graded.cached else ''}")
            on_done(graded)

        try:
            return grader.grade_all(submissions, workers=workers, on_done=show)
        except KeyboardInterrupt:
            kept = f"{len(grader.finished)} of {len(submissions)} results are stored"
            more = "no score of this run is in the gradebook yet. Run the same command again to continue"
            raise Stopped(f"{kept}, and {more}") from None
