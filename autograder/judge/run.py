"""Judge one submission of one stage: run its hidden checks, name mistakes, fail closed."""

import contextlib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import replace

import hypothesis
import msgspec
import pytest

from autograder.config import Exercise
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.trusted import TrustedSession
from autograder.judge.diagnose import explain
from autograder.judge.outcomes import Ending, SourceMap, ending_of, error_word
from autograder.judge.plugin import CheckRecord, JudgePlugin, OpenSession, close, judge_profile
from autograder.judge.recorder import Session
from autograder.judge.trusted_code import Trusted
from autograder.lab import StageFolders
from autograder.results import CheckResult, Outcome

_LOAD_FIRST = "mend this first: nothing else of the stage could be looked at"


class HiddenTestsError(Exception):
    """The hidden tests themselves cannot run, or do not match ``grading.yml``."""


def judge_stage(
    stage: StageFolders,
    modules: Mapping[str, str],
    open_session: Callable[[], Session],
    trusted: Trusted,
    seed: int,
) -> tuple[CheckResult, ...]:
    """Judge one submission.

    Args:
        stage: the stage, with its hidden tests.
        modules: the submission's checked source texts by module name; stand-ins included.
        open_session: opens a fresh session with nothing loaded; called once per check.
        trusted: the course's own code.
        seed: what Hypothesis draws from.

    Returns:
        One result per check of ``grading.yml``, in its order.
    """
    main = stage.stage.module
    try:
        source = _load_once(open_session, modules, main)
    except SubmissionError as error:
        what = f"{main}.py cannot be loaded: it raised {error_word(error)}"
        return unrun_stage(stage, what, _place(error, modules, main), hint=_LOAD_FIRST)
    except WorkerDied as error:
        ending = ending_of(error, SourceMap(f"{main}.py", 0, {}))
        return unrun_stage(stage, f"{main}.py cannot be loaded: {ending.what}", f"{main}.py", hint=_LOAD_FIRST)

    def open_loaded() -> Session:
        session = open_session()
        session.request("load", modules=dict(modules), main=main)
        return session

    records = run_checks(stage, open_loaded, trusted, seed)
    endings = {check: ending_of(record.error, source) for check, record in records.items() if record.ran}
    endings = _explain_our_errors(stage, endings, trusted, seed)
    named = _name_mistakes(records, endings, stage, trusted)
    says = {mistake.id: mistake.says for mistake in trusted.mistakes}
    results = []
    for check, (name, exercise) in stage.stage.checks.items():
        result = _result(check, name, exercise, records.get(check), endings.get(check), source)
        if (mistake := named.get(check)) is not None:
            what = f"your output is what you get when {says[mistake]}"
            result = msgspec.structs.replace(result, what=what, mistake=mistake)
        results.append(result)
    return tuple(results)


def run_checks(
    stage: StageFolders,
    open_session: OpenSession,
    trusted: Trusted,
    seed: int,
    only: frozenset[str] | None = None,
) -> dict[str, CheckRecord]:
    """Run the stage's hidden tests and return one record per test function.

    Raises:
        HiddenTestsError: the tests cannot be collected; the fault is the course's.
    """
    plugin = JudgePlugin(open_session, lambda: open_trusted(stage, trusted), seed, only)
    _run_pytest(stage, plugin)
    return plugin.records


def collect_checks(stage: StageFolders) -> dict[str, CheckRecord]:
    """Import the stage's hidden tests without running them; title and hint of each check.

    Raises:
        HiddenTestsError: the tests cannot be collected.
    """
    plugin = JudgePlugin(TrustedSession, TrustedSession, seed=0)
    _run_pytest(stage, plugin, "--collect-only")
    return plugin.records


def _run_pytest(stage: StageFolders, plugin: JudgePlugin, *more: str) -> None:
    hypothesis.settings.register_profile("judge", judge_profile(stage.stage.max_examples))
    hypothesis.settings.load_profile("judge")
    arguments = [
        str(stage.hidden_tests),
        f"--rootdir={stage.hidden_tests}",
        f"--config-file={os.devnull}",
        "--noconftest",
        "--assert=plain",
        *("-p", "no:cacheprovider"),
        *("-p", "no:terminal"),
        *("-p", "no:logging"),
        *("-W", "ignore"),
        *more,
    ]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main(arguments, plugins=[plugin])
    if plugin.collection_errors:
        raise HiddenTestsError(f"{stage.hidden_tests}: {plugin.collection_errors[0]}")


def open_trusted(stage: StageFolders, trusted: Trusted) -> TrustedSession:
    """The reference, loaded in this process."""
    session = TrustedSession()
    session.request("load", modules=dict(trusted.modules), main=stage.stage.module)
    return session


def _load_once(open_session: Callable[[], Session], modules: Mapping[str, str], main: str) -> SourceMap:
    """Load the submission once, to know whether it loads and where its functions are."""
    session = open_session()
    try:
        functions = session.request("load", modules=dict(modules), main=main)
    finally:
        close(session)
    return SourceMap.believing(f"{main}.py", modules[main], functions)


def _place(error: SubmissionError, modules: Mapping[str, str], main: str) -> str:
    source = SourceMap(f"{main}.py", modules[main].count("\n") + 1, {})
    return str(source.of_error(error) or f"{main}.py")


def unrun_stage(
    stage: StageFolders, what: str, where: str, outcome: Outcome = Outcome.BLOCKED, hint: str = ""
) -> tuple[CheckResult, ...]:
    """The results of a submission that was not run: refused, missing, not loading, or the grader failed."""
    return tuple(
        CheckResult(
            id=check,
            title=check_title(check),
            exercise=name,
            outcome=outcome,
            points=exercise.checks[check],
            bonus=exercise.bonus,
            what=what,
            where=where,
            hint=hint,
        )
        for check, (name, exercise) in stage.stage.checks.items()
    )


def check_title(check: str) -> str:
    """A readable stand-in for a title where the hidden test was not looked at."""
    return check.removeprefix("test_").replace("_", " ")


def _explain_our_errors(
    stage: StageFolders, endings: dict[str, Ending], trusted: Trusted, seed: int
) -> dict[str, Ending]:
    """Decide whose fault an exception of the judge's own code is.

    The same checks run again on the reference: what it passes was upset by the student's result, a
    thing of the wrong kind; what it does not pass is the grader's error.
    """
    doubtful = frozenset(check for check, ending in endings.items() if ending.ours)
    if not doubtful:
        return endings

    again = run_checks(stage, lambda: open_trusted(stage, trusted), trusted, seed, doubtful)
    explained = dict(endings)
    for check in doubtful:
        if again[check].ran and again[check].error is None:
            explained[check] = replace(endings[check], outcome=Outcome.FAILED, ours=False)
    return explained


def _name_mistakes(
    records: Mapping[str, CheckRecord],
    endings: Mapping[str, Ending],
    stage: StageFolders,
    trusted: Trusted,
) -> dict[str, str]:
    passed = {check for check, ending in endings.items() if ending.outcome is Outcome.PASSED}
    wrong = {
        check: records[check].exchanges
        for check, ending in endings.items()
        if ending.outcome in (Outcome.FAILED, Outcome.ERROR)
    }
    if not wrong:
        return {}
    not_passed = frozenset(stage.stage.checks) - passed
    return explain(wrong, not_passed, trusted.mistakes, trusted.modules, stage.stage.module)


def _result(
    check: str,
    exercise_name: str,
    exercise: Exercise,
    record: CheckRecord | None,
    ending: Ending | None,
    source: SourceMap,
) -> CheckResult:
    if record is None or ending is None:
        ending = Ending(Outcome.GRADER_ERROR, "the grader has no record of this check")
    failed = ending.outcome is not Outcome.PASSED
    grader_failed = ending.outcome is Outcome.GRADER_ERROR
    place = ending.place or source.of_exercise(exercise_name)
    return CheckResult(
        id=check,
        title=record.title if record else check_title(check),
        exercise=exercise_name,
        outcome=ending.outcome,
        points=exercise.checks[check],
        bonus=exercise.bonus,
        what="the grader failed, not your code; nothing was deducted" if grader_failed else ending.what,
        where=str(place) if failed and not grader_failed else "",
        hint=record.hint if record and failed and not grader_failed else "",
        seconds=round(record.seconds, 4) if record else 0.0,
    )
