"""Judge one submission of one stage: run its hidden checks, name mistakes, and fail closed."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError
from autograder.isolation.proxy import Session
from autograder.judge.attachments import Attachments
from autograder.judge.check_results import check_result
from autograder.judge.course_code import CourseCode
from autograder.judge.crashes import error_word
from autograder.judge.diagnose import explain
from autograder.judge.environment_errors import environment_problem
from autograder.judge.forbidden_calls import GuardedSessions
from autograder.judge.hidden_tests import open_reference, run_checks
from autograder.judge.loading import FirstLoad, load_once, load_with_helpers
from autograder.judge.newer_python import needs_newer_python, python_needed
from autograder.judge.outcomes import NO_RECORD, UNUSABLE_RESULT, Ending, ending_of, with_unfinished
from autograder.judge.payment import withhold_points
from autograder.judge.plugin import CheckRecord, OpenForCheck
from autograder.judge.reruns import CheckRun, StandIns, run_with_stand_ins
from autograder.judge.source_map import SourceMap
from autograder.judge.suspects import Suspects
from autograder.judge.unrun import unrun_stage

_LOAD_FIRST = "fix this first: no check of this stage can run until the module loads"


def judge_stage(
    stage: StageFolders,
    modules: Mapping[str, str],
    open_session: Callable[[], Session],
    code: CourseCode,
    seed: int,
    *,
    own: Mapping[str, str] = {},
    forbid: bool = True,
    only: frozenset[str] | None = None,
    attachments: Attachments | None = None,
    notes: list[str] | None = None,
) -> tuple[CheckResult, ...]:
    """Judge one submission.

    Args:
        stage: the stage, with its hidden tests.
        modules: the submission's checked source texts by module name; stand-ins included.
        open_session: opens a fresh session with nothing loaded; called once per check.
        code: the course's own code.
        seed: the seed of Hypothesis.
        own: the submission's earlier modules for which the course's stand in; helpers are taken from them.
        forbid: whether to refuse calls that the exercises forbid.
        only: ids of the checks to run; all when None.
        attachments: the files submitted beside the module.
        notes: receives faults of the diagnosis, for the instructor.

    Returns:
        One result per check to run, in the order of ``grading.yml``.
    """
    main = stage.spec.module
    expected = [check for check in stage.spec.checks if only is None or check.id in only]
    first = load_with_helpers(open_session, modules, own, main, code)
    source, modules = first.source, first.modules
    if isinstance(first.error, SubmissionError):
        return _not_loaded(stage, first.error, source, modules, open_session, code, only)
    if first.error is not None:
        what = f"{main}.py cannot be loaded: {ending_of(first.error, source).what}"
        return unrun_stage(stage, what, f"{main}.py", hint=_LOAD_FIRST, only=only)

    submission = Submission(stage, modules, open_session, code, seed, forbid, attachments, first)
    runs = run_with_stand_ins(stage.spec, code.builds_on, submission.run, only, source)
    runs = _explain_our_errors(stage, runs, code, seed, attachments)
    endings = with_unfinished({check: run.ending for check, run in runs.items()}, _exercises(stage))
    runs = {check: replace(run, ending=endings[check]) for check, run in runs.items()}
    stand_ins = {check: run.stand_ins for check, run in runs.items() if run.stand_ins}
    sessions = submission.guarded(stand_ins)
    try:
        named = _name_mistakes(endings, stage, code, seed, sessions.open)
    except Exception:  # whatever a submission returns, the diagnosis decides no points
        named = {}
        if notes is not None:
            notes.append(f"no mistake is named, because the diagnosis failed: {traceback.format_exc(limit=-3)}")
    finally:
        sessions.close()
    not_run = CheckRun(CheckRecord(), NO_RECORD)
    results = [check_result(stage, check, runs.get(check.id, not_run), source, named) for check in expected]
    return tuple(withhold_points(results, code.check_kinds, source))


@dataclass(frozen=True)
class Submission:
    """One submission that loads, and how its checks are run."""

    stage: StageFolders
    modules: Mapping[str, str]
    open_session: Callable[[], Session]
    code: CourseCode
    seed: int
    forbid: bool
    attachments: Attachments | None
    first: FirstLoad

    def run(self, only: frozenset[str] | None, stand_ins: StandIns) -> dict[str, CheckRun]:
        """Run checks in fresh sessions; see ``RunChecks``."""
        sessions = self.guarded(stand_ins)
        try:
            records = run_checks(self.stage, sessions.open, self.code, self.seed, only, self.attachments)
        finally:
            sessions.close()
        exercises = _exercises(self.stage)
        endings = {
            check: sessions.ending(check, self.first.source)
            or _ending(record, self.first.source, exercises.get(check, ""))
            for check, record in records.items()
        }
        return {check: CheckRun(records[check], endings[check], stand_ins.get(check, ())) for check in records}

    def guarded(self, stand_ins: StandIns) -> GuardedSessions:
        """Return sessions that refuse forbidden calls, with the course's exercises where these stand in."""
        replacements = {check: self.code.replacement(names) for check, names in stand_ins.items()}
        exercises = self.code.exercises
        return GuardedSessions(
            *(self.stage.spec, self.modules, self.open_session, self.forbid, replacements, exercises),
            self_contained=self.first.self_contained,
            code=self.first.code,
        )


def _exercises(stage: StageFolders) -> dict[str, str]:
    return {check.id: check.exercise for check in stage.spec.checks}


def _not_loaded(
    stage: StageFolders,
    error: SubmissionError,
    source: SourceMap,
    modules: Mapping[str, str],
    open_session: Callable[[], Session],
    code: CourseCode,
    only: frozenset[str] | None,
) -> tuple[CheckResult, ...]:
    """Return the results of a submission whose module raised an error when it was loaded."""
    main = stage.spec.module

    def loads(text: str) -> bool:
        return load_once(open_session, {**modules, main: text}, main, code).error is None

    where = str(source.of_error(error) or source.file)
    if (version := python_needed(error, modules[main], loads)) is not None:
        return unrun_stage(stage, f"{main}.py: {needs_newer_python(version)}", where, Outcome.NOT_GRADED, only=only)
    problem = environment_problem(error, source.outline.imports, modules.keys() - {main}, subject="it")
    what = problem.what if problem else f"it raised {error_word(error)}"
    hint = f"{problem.hint}; {_LOAD_FIRST}" if problem else _LOAD_FIRST
    return unrun_stage(stage, f"{main}.py cannot be loaded: {what}", where, hint=hint, only=only)


def _ending(record: CheckRecord, source: SourceMap, exercise: str) -> Ending:
    if record.error is None and not record.complete:
        return NO_RECORD
    return ending_of(record.error, source, exercise)


def _explain_our_errors(
    stage: StageFolders,
    runs: Mapping[str, CheckRun],
    code: CourseCode,
    seed: int,
    attachments: Attachments | None,
) -> dict[str, CheckRun]:
    """Decide whether an exception in the judge's own code is the submission's fault or the grader's.

    The same checks run again on the reference. If the reference passes, the student's result caused the
    exception: it is unusable. If the reference fails too, it is an error of the grader.
    """
    doubtful = frozenset(check for check, run in runs.items() if run.ending.doubtful)
    if not doubtful:
        return dict(runs)
    again = run_checks(stage, lambda *_: open_reference(stage, code), code, seed, doubtful, attachments)
    unusable = {check for check in doubtful if again[check].complete and again[check].error is None}
    return {check: replace(run, ending=UNUSABLE_RESULT) if check in unusable else run for check, run in runs.items()}


def _name_mistakes(
    endings: Mapping[str, Ending], stage: StageFolders, code: CourseCode, seed: int, open_student: OpenForCheck
) -> dict[str, tuple[Mistake, ...]]:
    """Name the mistake behind each check that gave a wrong result or raised, where it can be determined."""
    exercises: dict[str, dict[str, Ending]] = {}
    for check in stage.spec.checks:
        # A trained model depends on more than the code.
        if check.id in endings and check.id not in stage.spec.attached_checks:
            ending = endings[check.id]
            if ending.outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR) and not ending.forbidden:
                exercises.setdefault(check.exercise, {})[check.id] = ending
    failed = frozenset(
        check
        for checks in exercises.values()
        for check, ending in checks.items()
        if ending.outcome is not Outcome.PASSED
    )
    return explain(Suspects(stage, code, seed, failed, open_student), code, exercises)
