"""Scores are integers, all or nothing per check, and survive encoding unchanged."""

from datetime import UTC, datetime

import msgspec
import pytest

from autograder.base.results import (
    CheckResult,
    IsolationLevel,
    Outcome,
    ResultsFormatError,
    StageReport,
    decode_results,
    encode_results,
    lowest_level,
)


def check(outcome: Outcome = Outcome.PASSED, points: int = 2, **more) -> CheckResult:
    return CheckResult(id="test_a", title="A", exercise="a", outcome=outcome, points=points, **more)


def report(*checks: CheckResult) -> StageReport:
    return StageReport(student="ada", stage="1_tiny", checks=checks, isolation=IsolationLevel.KERNEL, digest="d")


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_pass_earns(outcome):
    assert check(outcome).score == (2 if outcome is Outcome.PASSED else 0)


def test_extensions_are_counted_separately():
    result = report(check(), check(Outcome.FAILED, 3), check(points=5, bonus=True), check(Outcome.ERROR, 1, bonus=True))
    assert (result.points, result.score) == (5, 2)
    assert (result.bonus_points, result.bonus) == (6, 5)


@pytest.mark.parametrize("bonus", [False, True])
def test_a_report_with_a_grader_error_is_not_graded(bonus):
    assert report(check()).graded
    assert not report(check(), check(Outcome.GRADER_ERROR, bonus=bonus)).graded


def test_a_report_without_checks_is_not_graded():
    assert not report().graded


def test_failing_more_never_scores_more():
    outcomes = [Outcome.PASSED, Outcome.FAILED]
    for first in outcomes:
        for second in outcomes:
            result = report(check(first, 3), check(second, 4))
            worse = report(check(Outcome.FAILED, 3), check(second, 4))
            assert worse.score <= result.score


def test_reports_survive_encoding_and_decoding():
    late = {"handed_in": datetime(2026, 3, 1, tzinfo=UTC), "time_source": "commit", "days_late": None}
    stub = {"begun": False, "owed": True, "isolation": None, "not_graded": "why", "points_lost": 3, **late}
    reports = [report(check(what="a", where="b", hint="c", mistake="m", seconds=0.5)), report()]
    reports += [msgspec.structs.replace(report(check()), **stub)]
    assert decode_results(encode_results(reports, IsolationLevel.KERNEL)) == (IsolationLevel.KERNEL, reports)


def test_the_json_has_the_documented_keys():
    document = msgspec.json.decode(encode_results([report(check(Outcome.FAILED))], IsolationLevel.NONE))
    assert (document["format_version"], document["isolation"]) == (1, "none")
    (result,) = document["reports"]
    assert {"student", "stage", "points", "score", "bonus", "graded", "stand_ins", "checks"} <= set(result)
    assert set(result["checks"][0]) == {
        *("id", "title", "exercise", "outcome", "points", "score", "bonus"),
        *("what", "where", "hint", "mistake", "forbidden", "stand_ins", "seconds", "test"),
        *("given", "given_because", "kept", "example"),
    }


def test_the_json_names_the_hidden_test_of_a_check_where_it_is_known():
    locations = {("1_tiny", "test_a"): "tests/hidden/1_tiny/test_tiny.py:7", ("2_tiny", "test_a"): "elsewhere:1"}
    reports = [report(check())]

    def test_of(encoded: bytes) -> str | None:
        return msgspec.json.decode(encoded)["reports"][0]["checks"][0]["test"]

    encoded = encode_results(reports, IsolationLevel.KERNEL, locations)
    assert test_of(encoded) == "tests/hidden/1_tiny/test_tiny.py:7"
    assert test_of(encode_results(reports, IsolationLevel.KERNEL)) is None
    assert decode_results(encoded) == (IsolationLevel.KERNEL, reports)


def test_a_forged_score_is_recomputed():
    document = msgspec.json.decode(encode_results([report(check(Outcome.FAILED))], IsolationLevel.KERNEL))
    document["reports"][0].update(score=2, graded=True)
    document["reports"][0]["checks"][0]["score"] = 2
    _, (result,) = decode_results(msgspec.json.encode(document))
    assert result.score == 0


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not a results file"),
        (b"{", "not a results file"),
        (b"[]", "not a results file"),
        (b"{}", "missing required field `format_version`"),
        (b'{"format_version": 2}', "the results have format version 2, but this program reads version 1; grade again"),
        (b'{"format_version": 1, "isolation": "kernel"}', "missing required field `reports`"),
        (b'{"format_version": 1, "isolation": "strong", "reports": []}', "Invalid enum value 'strong'"),
        (b'{"format_version": 1, "isolation": "kernel", "reports": [{}]}', "missing required field `student`"),
        (b'{"format_version": 1, "isolation": "kernel", "reports": 3}', "Expected `array`, got `int`"),
    ],
)
def test_an_invalid_results_file_is_refused(raw, says):
    with pytest.raises(ResultsFormatError) as caught:
        decode_results(raw)
    assert says in str(caught.value)


def test_the_weakest_level_counts():
    assert lowest_level([IsolationLevel.KERNEL_NAMESPACES, IsolationLevel.CONTAINER]) is IsolationLevel.CONTAINER
    assert lowest_level([IsolationLevel.KERNEL, IsolationLevel.NONE]) is IsolationLevel.NONE
    assert lowest_level([None, IsolationLevel.KERNEL]) is IsolationLevel.KERNEL
    assert lowest_level([None]) is None, "no code ran"


def test_the_state_decides_whether_there_is_a_number():
    done, stub = report(check()), msgspec.structs.replace(report(check(Outcome.NOT_ATTEMPTED)), begun=False)
    owed = msgspec.structs.replace(stub, owed=True)
    waits = msgspec.structs.replace(report(check(Outcome.NOT_GRADED)), not_graded="a.7z cannot be read", points_lost=2)
    states = [(result.state.value, result.graded, result.final) for result in (done, stub, owed, waits)]
    assert states == [
        ("graded", True, 2),
        ("not begun", False, None),
        ("not begun", True, 0),
        ("not graded", False, None),
    ]
    (document,) = msgspec.json.decode(encode_results([waits], None))["reports"]
    assert (document["graded"], document["not_graded"], document["final"]) == (False, "a.7z cannot be read", None)


def test_a_penalty_takes_points_before_those_of_extensions():
    result = report(check(points=5), check(points=4, bonus=True))
    late = [msgspec.structs.replace(result, points_lost=lost) for lost in (0, 3, 7, 9)]
    assert [(each.final_score, each.final_bonus, each.final) for each in late] == [
        (5, 4, 9),
        (2, 4, 6),
        (0, 2, 2),
        (0, 0, 0),
    ]
