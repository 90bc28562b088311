"""Judge one submission of one stage: run its hidden checks, name mistakes, and fail closed."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from autograder.base.results import CheckResult, Outcome
from autograder.course.config import Check
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.proxy import Session
from autograder.judge.attachments import Attachments
from autograder.judge.course_code import CourseCode
from autograder.judge.diagnose import explain
from autograder.judge.forbidden_calls import HINT, GuardedSessions
from autograder.judge.hidden_tests import open_reference, run_checks
from autograder.judge.outcomes import (
    NO_RECORD,
    UNUSABLE_RESULT,
    Ending,
    SourceLocation,
    SourceMap,
    ending_of,
    error_word,
)
from autograder.judge.plugin import CheckRecord
from autograder.judge.reruns import CheckRun, StandIns, run_with_stand_ins
from autograder.judge.sessions import close
from autograder.judge.unrun import check_title, unrun_stage

_LOAD_FIRST = "fix this first: no check of this stage can run until the module loads"


def judge_stage(
    stage: StageFolders,
    modules: Mapping[str, str],
    open_session: Callable[[], Session],
    code: CourseCode,
    seed: int,
    *,
    forbid: bool = True,
    only: frozenset[str] | None = None,
    attachments: Attachments | None = None,
) -> tuple[CheckResult, ...]:
    """Judge one submission.

    Args:
        stage: the stage, with its hidden tests.
        modules: the submission's checked source texts by module name; stand-ins included.
        open_session: opens a fresh session with nothing loaded; called once per check.
        code: the course's own code.
        seed: the seed of Hypothesis.
        forbid: whether to refuse calls that the exercises forbid.
        only: ids of the checks to run; all when None.
        attachments: the files submitted beside the module.

    Returns:
        One result per check to run, in the order of ``grading.yml``.
    """
    main = stage.spec.module
    expected = [check for check in stage.spec.checks if only is None or check.id in only]
    try:
        source = _load_once(open_session, modules, main)
    except SubmissionError as error:
        what = f"{main}.py cannot be loaded: it raised {error_word(error)}"
        return unrun_stage(stage, what, _location(error, modules, main), hint=_LOAD_FIRST, only=only)
    except WorkerDied as error:
        ending = ending_of(error, SourceMap(f"{main}.py", 0, {}))
        what = f"{main}.py cannot be loaded: {ending.what}"
        return unrun_stage(stage, what, f"{main}.py", hint=_LOAD_FIRST, only=only)

    def run(only: frozenset[str] | None, stand_ins: StandIns) -> dict[str, CheckRun]:
        replacements = {check: code.replacement(exercises) for check, exercises in stand_ins.items()}
        sessions = GuardedSessions(stage.spec, modules, open_session, forbid, replacements)
        try:
            records = run_checks(stage, sessions.open, code, seed, only, attachments)
        finally:
            sessions.close()
        return {
            check: CheckRun(record, sessions.ending(check, source) or _ending(record, source), stand_ins.get(check, ()))
            for check, record in records.items()
        }

    runs = run_with_stand_ins(stage.spec, code.builds_on, run, only, source)
    runs = _explain_our_errors(stage, runs, code, seed, attachments)
    named = _name_mistakes(runs, stage, code)
    return tuple(
        _result(stage, check, runs.get(check.id) or CheckRun(CheckRecord(), NO_RECORD), source, named.get(check.id))
        for check in expected
    )


def _load_once(open_session: Callable[[], Session], modules: Mapping[str, str], main: str) -> SourceMap:
    """Load the submission once, to learn whether it loads and where its functions are."""
    session = open_session()
    try:
        session.request("load", modules=dict(modules), main=main)
        functions = session.request("definitions")
    finally:
        close(session)
    return SourceMap.believing(f"{main}.py", modules[main], functions)


def _location(error: SubmissionError, modules: Mapping[str, str], main: str) -> str:
    source = SourceMap(f"{main}.py", modules[main].count("\n") + 1, {})
    return str(source.of_error(error) or f"{main}.py")


def _ending(record: CheckRecord, source: SourceMap) -> Ending:
    if record.error is None and not record.complete:
        return NO_RECORD
    return ending_of(record.error, source)


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


def _name_mistakes(runs: Mapping[str, CheckRun], stage: StageFolders, code: CourseCode) -> dict[str, Mistake]:
    """Name the mistake behind each check that gave a wrong result or raised, where it can be determined."""
    failed = {
        check: run.record.exchanges
        for check, run in runs.items()
        if run.ending.outcome in (Outcome.FAILED, Outcome.ERROR) and not run.ending.forbidden
        if check not in stage.spec.attached_checks  # a trained model depends on more than the code
    }
    passed = {check for check, run in runs.items() if run.ending.outcome is Outcome.PASSED}
    not_passed = frozenset(stage.spec.check_ids) - passed
    named = explain(failed, not_passed, code.mistakes, code.modules, stage.spec.module)
    by_id = {mistake.id: mistake for mistake in code.mistakes}
    return {check: by_id[name] for check, name in named.items()}


def _result(
    stage: StageFolders, check: Check, run: CheckRun, source: SourceMap, mistake: Mistake | None
) -> CheckResult:
    exercise = stage.spec.exercises[check.exercise]
    record, ending = run.record, run.ending
    result = CheckResult(
        id=check.id,
        title=record.title or check_title(check.id),
        exercise=check.exercise,
        outcome=ending.outcome,
        points=check.points,
        bonus=exercise.bonus,
        what=_what(ending, mistake),
        mistake=mistake.id if mistake else None,
        forbidden=ending.forbidden,
        stand_ins=run.stand_ins,
        seconds=round(record.seconds, 4),
    )
    if ending.outcome in (Outcome.PASSED, Outcome.GRADER_ERROR):
        return result
    default = SourceLocation(exercise.attachments[0]) if exercise.attachments else source.of_exercise(check.exercise)
    location = ending.location or default
    return msgspec.structs.replace(result, where=str(location), hint=HINT if ending.forbidden else record.hint)


def _what(ending: Ending, mistake: Mistake | None) -> str:
    if mistake is None:
        return ending.what
    if ending.outcome is Outcome.ERROR:
        return f"{ending.what}, which happens when {mistake.says}"
    return f"your output is what you get when {mistake.says}"
