"""The judge fails closed: only a check that finished without an error earns its points."""

import sys

import pytest
from judging import judge, write_checks
from tiny_lab import MODULE, REFERENCE, STAGE, replace_in, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab
from autograder.isolation.errors import DeathReason, WorkerDied
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.hidden_tests import HiddenTestsError
from autograder.judge.plugin import JudgePlugin
from autograder.judge.run import judge_stage

RIGHT = REFERENCE
DOC = '    """double: a title.\n\n    Hint: a hint.\n    """\n'


def only(lab: Lab, body: str, source: str = RIGHT, before: str = "", arguments: str = "student") -> CheckResult:
    """The result of a single check on a submission."""
    write_checks(lab, f"{before}\ndef test_made({arguments}):\n{DOC}{body}", "test_made")
    return judge(lab, source)["test_made"]


def test_the_reference_earns_everything(tiny_lab):
    results = judge(tiny_lab, RIGHT)
    assert {result.outcome for result in results.values()} == {Outcome.PASSED}
    assert all(not (result.what or result.where or result.hint) for result in results.values())


def test_results_come_in_the_order_of_grading_yml(tiny_lab):
    assert list(judge(tiny_lab, RIGHT)) == list(tiny_lab.stage(STAGE).spec.check_ids)


def test_a_stub_is_not_attempted(tiny_lab):
    results = judge(tiny_lab, solution())
    assert {result.outcome for result in results.values()} == {Outcome.NOT_ATTEMPTED}
    assert results["test_double_keeps_the_dtype"].where == f"{MODULE}.py, line 5, double"


@pytest.mark.parametrize(
    "body",
    [
        "    pytest.skip('not today')\n",
        "    pytest.xfail('known')\n",
        "    pytest.importorskip('no_such_module')\n",
        "    raise KeyError('ours')\n",
        "    student.double(object())\n",
        "    raise OSError('no more processes')\n",
        "    raise SystemExit\n",
    ],
)
def test_a_check_that_fails_itself_or_is_skipped_is_a_grader_error(tiny_lab, body):
    result = only(tiny_lab, body)
    assert result.outcome is Outcome.GRADER_ERROR
    assert result.what == "the grader failed, not your code; no points were deducted"
    assert (result.where, result.hint) == ("", "")


@pytest.mark.parametrize(
    "before",
    [
        "@pytest.mark.skip(reason='later')",
        "@pytest.mark.skipif(True, reason='later')",
        "@pytest.mark.xfail(run=False)",
        "@pytest.mark.parametrize('size', [])",
        "@pytest.mark.usefixtures('no_such_fixture')",
        "@pytest.fixture(autouse=True)\ndef broken():\n    raise KeyError\n",
        "@pytest.fixture(autouse=True)\ndef broken_afterwards():\n    yield\n    raise KeyError\n",
    ],
)
def test_a_check_that_is_kept_from_running_is_a_grader_error(tiny_lab, before):
    arguments = "student, size" if "size" in before else "student"
    result = only(tiny_lab, "    check_equal(1, 1)\n", before=before, arguments=arguments)
    assert result.outcome is Outcome.GRADER_ERROR


def test_an_expected_failure_still_fails(tiny_lab):
    result = only(tiny_lab, "    check_equal(1, 2)\n", before="@pytest.mark.xfail")
    assert result.outcome is Outcome.FAILED


@pytest.mark.parametrize("body", ["    assert False, 'secret'\n", "    pytest.fail('secret')\n"])
def test_a_plain_assert_is_a_wrong_value_and_its_text_is_dropped(tiny_lab, body):
    result = only(tiny_lab, body)
    assert (result.outcome, result.what) == (Outcome.FAILED, "the result has the right shape but wrong values")


def test_a_check_reads_the_targets_of_its_stage(tiny_lab):
    replace_in(tiny_lab.root / "grading.yml", "    module: ", "    targets: {least_filled: 0.36}\n    module: ")
    for bound, outcome in (("0.35", Outcome.FAILED), ("0.36", Outcome.PASSED)):
        body = f"    check_that({bound} >= targets['least_filled'], 'too low')\n"
        result = only(tiny_lab, body, arguments="student, targets")
        assert result.outcome is outcome
    result = only(tiny_lab, "    check_that(targets['least_filed'] > 0, 'too low')\n", arguments="student, targets")
    assert result.outcome is Outcome.GRADER_ERROR


def test_one_failing_parameter_fails_the_check(tiny_lab):
    before = "@pytest.mark.parametrize('size', [1, 2, 3])"
    for wrong in (1, 2, 3):
        body = f"    check_that(size != {wrong}, 'one of them')\n"
        result = only(tiny_lab, body, before=before, arguments="student, size")
        assert (result.outcome, result.what) == (Outcome.FAILED, "one of them")


def test_a_parameter_that_never_ran_is_a_grader_error(tiny_lab):
    """The first parameter set passes and the second is skipped, so the check has not passed."""
    before = "@pytest.mark.parametrize('size', [1, pytest.param(2, marks=pytest.mark.skip)])"
    result = only(tiny_lab, "    check_equal(1, 1)\n", before=before, arguments="student, size")
    assert result.outcome is Outcome.GRADER_ERROR


def test_parameters_that_never_ran_are_not_passed(tiny_lab):
    """The run is stopped between the parameter sets without an error."""
    before = "@pytest.mark.parametrize('size', [1, 2])"
    body = "    request.session.shouldstop = 'enough'\n    check_equal(1, 1)\n"
    result = only(tiny_lab, body, before=before, arguments="student, size, request")
    assert result.outcome is Outcome.GRADER_ERROR


def test_the_first_of_several_failing_parameters_is_reported(tiny_lab):
    before = "@pytest.mark.parametrize('size', [1, 2])"
    body = "    check_that(size == 0, 'first' if size == 1 else 'second')\n"
    result = only(tiny_lab, body, before=before, arguments="student, size")
    assert (result.outcome, result.what) == (Outcome.FAILED, "first")


def test_a_check_without_a_test_is_a_grader_error(tiny_lab):
    write_checks(tiny_lab, f"def test_made(student):\n{DOC}    check_equal(1, 1)\n", "test_made", "test_missing")
    results = judge(tiny_lab, RIGHT)
    assert results["test_made"].outcome is Outcome.PASSED
    assert results["test_missing"].outcome is Outcome.GRADER_ERROR
    assert results["test_missing"].title == "missing"


def test_a_test_without_points_changes_nothing(tiny_lab):
    both = f"def test_made(student):\n{DOC}    check_equal(1, 1)\n\ndef test_other(student):\n    raise KeyError\n"
    write_checks(tiny_lab, both, "test_made")
    assert "test_other" not in judge(tiny_lab, RIGHT)


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ("import no_such_module\n", "no_such_module"),
        ("pytest.skip('all of it', allow_module_level=True)\n", "all of it"),
        ("def test_made(student:\n", "SyntaxError"),
        ("", "no hidden tests"),
        ("def test_made(student):\n    raise KeyboardInterrupt\n", None),
        ("def test_made(student):\n    pytest.exit('enough')\n", None),
    ],
)
def test_hidden_tests_that_cannot_run_end_the_judging(tiny_lab, tests, says):
    write_checks(tiny_lab, tests, "test_made")
    if says is None:
        with pytest.raises((KeyboardInterrupt, pytest.exit.Exception)):
            judge(tiny_lab, RIGHT)
    else:
        with pytest.raises(HiddenTestsError, match=says):
            judge(tiny_lab, RIGHT)


def test_a_failure_of_pytest_itself_ends_the_judging(tiny_lab, monkeypatch):
    def fail(self, items):
        raise KeyError("ours")

    monkeypatch.setattr(JudgePlugin, "pytest_collection_modifyitems", fail)
    with pytest.raises(HiddenTestsError, match="pytest failed: KeyError: 'ours'"):
        judge(tiny_lab, RIGHT)


def test_two_checks_of_one_name_end_the_judging(tiny_lab):
    write_checks(tiny_lab, "def test_made(student):\n    check_equal(1, 1)\n", "test_made")
    other = tiny_lab.stage(STAGE).hidden_tests / "test_more.py"
    other.write_text("def test_made(student):\n    raise KeyError\n", encoding="utf-8")
    with pytest.raises(HiddenTestsError, match="has the same name"):
        judge(tiny_lab, RIGHT)


def test_a_missing_folder_of_hidden_tests_ends_the_judging(tiny_lab):
    tiny_lab.stage(STAGE).hidden_tests.rename(tiny_lab.root / "elsewhere")
    with pytest.raises(HiddenTestsError, match="no hidden tests"):
        judge(tiny_lab, RIGHT)


@pytest.mark.parametrize("variable", ["PYTEST_ADDOPTS", "PYTEST_PLUGINS"])
def test_environment_variables_do_not_select_tests(tiny_lab, monkeypatch, variable):
    monkeypatch.setenv(variable, "-k nothing" if variable == "PYTEST_ADDOPTS" else "no_such_plugin")
    assert all(result.passed for result in judge(tiny_lab, RIGHT).values())


def test_a_conftest_beside_the_hidden_tests_is_not_read(tiny_lab):
    conftest = tiny_lab.stage(STAGE).hidden_tests / "conftest.py"
    conftest.write_text("raise KeyError\n", encoding="utf-8")
    assert all(result.passed for result in judge(tiny_lab, RIGHT).values())


def test_each_stage_has_its_own_helpers(tiny_lab):
    """Every run imports its helpers again, because two stages may have helpers of the same name."""
    for expected in (2, 3):
        (tiny_lab.stage(STAGE).hidden_tests / "oracles.py").write_text(f"FACTOR = {expected}\n", encoding="utf-8")
        result = only(tiny_lab, f"    check_equal(oracles.FACTOR, {expected})\n", before="import oracles\n")
        assert result.outcome is Outcome.PASSED
        (tiny_lab.stage(STAGE).hidden_tests / "oracles.py").write_text(f"FACTOR = {expected + 1}\n", encoding="utf-8")


def test_a_module_with_the_name_of_a_hidden_test_is_neither_used_nor_removed(tiny_lab, monkeypatch):
    mine = type(sys)(f"test_{MODULE}")
    monkeypatch.setitem(sys.modules, mine.__name__, mine)
    assert all(result.passed for result in judge(tiny_lab, RIGHT).values())
    assert sys.modules[mine.__name__] is mine


# Misbehaving submissions


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        ("ValueError", Outcome.ERROR),
        ("KeyboardInterrupt", Outcome.ERROR),
        ("SystemExit(0)", Outcome.ERROR),
        ("GeneratorExit", Outcome.ERROR),
        ("AssertionError", Outcome.ERROR),
        ("MemoryError", Outcome.OUT_OF_MEMORY),
        ("NotImplementedError", Outcome.NOT_ATTEMPTED),
        ("__import__('pytest').skip.Exception('x')", Outcome.ERROR),
        ("__import__('pytest').xfail.Exception('x')", Outcome.ERROR),
        ("__import__('pytest').exit.Exception('x')", Outcome.ERROR),
        ("__import__('unittest').SkipTest('x')", Outcome.ERROR),
        ("__import__('hypothesis').errors.UnsatisfiedAssumption()", Outcome.ERROR),
        ("__import__('hypothesis').errors.StopTest(0)", Outcome.ERROR),
    ],
)
def test_no_exception_of_a_submission_passes_a_check(tiny_lab, raised, outcome):
    source = solution(double=f"raise {raised}", total="return torch.sum(x, dim=axis)", halve="return x / 2")
    results = judge(tiny_lab, source)
    doubles = [result for result in results.values() if result.exercise == "double"]
    assert {result.outcome for result in doubles} == {outcome}
    assert all(result.passed for result in results.values() if result.exercise != "double")


def test_an_error_is_located_and_its_text_is_not_shown(tiny_lab):
    result = judge(tiny_lab, solution(double="raise ValueError(f'secret {x}')"))["test_double_multiplies_by_two"]
    assert (result.what, result.where) == ("your code raised ValueError", f"{MODULE}.py, line 5, double")


def test_the_name_of_a_custom_error_is_not_shown(tiny_lab):
    source = solution(double="raise type('Secret', (Exception,), {})()")
    assert judge(tiny_lab, source)["test_double_keeps_the_dtype"].what == "your code raised an exception"


def test_a_result_that_breaks_the_check_is_the_submissions_fault(tiny_lab):
    body = "    check_close(student.double(torch.ones(2)) @ torch.ones(2), 4.0)\n"
    assert only(tiny_lab, body).outcome is Outcome.PASSED
    wrong = only(tiny_lab, body, solution(double="return x[:1].repeat(7)"))
    assert (wrong.outcome, wrong.what) == (
        Outcome.FAILED,
        "the result cannot be checked: its type, shape or values are wrong",
    )


def test_a_reference_that_raises_is_the_graders_error(tiny_lab):
    body = "    check_close(reference.double(None), student.double(torch.ones(2)))\n"
    assert only(tiny_lab, body, arguments="student, reference").outcome is Outcome.GRADER_ERROR


def test_a_module_that_does_not_load_blocks_the_stage(tiny_lab):
    results = judge(tiny_lab, "import torch\n\n1 / 0\n")
    assert {result.outcome for result in results.values()} == {Outcome.BLOCKED}
    result = results["test_double_keeps_the_dtype"]
    assert result.what == f"{MODULE}.py cannot be loaded: it raised ZeroDivisionError"
    assert result.where == f"{MODULE}.py, line 3"


def test_a_module_whose_loading_never_ends_blocks_the_stage(tiny_lab):
    class Endless(InProcessSession):
        def request(self, op, **arguments):
            raise WorkerDied(DeathReason.TIMEOUT)

    stage = tiny_lab.stage(STAGE)
    results = judge_stage(stage, {MODULE: RIGHT}, Endless, read_course_code(tiny_lab, stage), seed=0)
    assert {result.outcome for result in results} == {Outcome.BLOCKED}
    what = f"{MODULE}.py cannot be loaded: your code exceeded its time limit"
    assert {result.what for result in results} == {what}


def test_a_module_that_loads_only_once_loses_its_checks(tiny_lab):
    loads: list[int] = []

    class Fickle(InProcessSession):
        def request(self, op, **arguments):
            if op == "load":
                loads.append(1)
                if len(loads) > 1:
                    raise WorkerDied(DeathReason.TIMEOUT)
            return super().request(op, **arguments)

    assert outcomes_with(tiny_lab, Fickle) == {Outcome.TIMEOUT}


@pytest.mark.parametrize("reply", [None, 3, {7: 7}, ["double"], {"definitions": {"double": 10**9}}])
def test_a_false_report_of_definitions_is_harmless(tiny_lab, reply):
    class Liar(InProcessSession):
        def request(self, op, **arguments):
            answer = super().request(op, **arguments)
            return reply if op == "outline" else answer

    assert outcomes_with(tiny_lab, Liar) == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (DeathReason.TIMEOUT, Outcome.TIMEOUT),
        (DeathReason.OUT_OF_MEMORY, Outcome.OUT_OF_MEMORY),
        (DeathReason.EXITED, Outcome.ERROR),
        (DeathReason.PROTOCOL, Outcome.ERROR),
        (DeathReason.OUTPUT, Outcome.ERROR),
    ],
)
def test_a_worker_that_dies_ends_the_check(tiny_lab, reason, outcome):
    class Dying(InProcessSession):
        def request(self, op, **arguments):
            if op == "call":
                raise WorkerDied(reason, "secret")
            return super().request(op, **arguments)

    assert outcomes_with(tiny_lab, Dying) == {outcome}


@pytest.mark.parametrize("op", ["open", "load", "call"])
def test_a_machine_that_fails_is_never_the_students_fault(tiny_lab, op):
    started: list[int] = []

    class Failing(InProcessSession):
        def __init__(self):
            super().__init__()
            started.append(1)
            if op == "open" and len(started) > 1:
                raise BlockingIOError("no more processes")

        def request(self, asked, **arguments):
            if asked == op and len(started) > 1:
                raise BrokenPipeError("the template is gone")
            return super().request(asked, **arguments)

    assert outcomes_with(tiny_lab, Failing) == {Outcome.GRADER_ERROR}


@pytest.mark.parametrize(("loads", "outcome"), [(100, Outcome.PASSED), (1, Outcome.ERROR)])
def test_every_session_is_ended_and_one_is_open_at_a_time(tiny_lab, loads, outcome):
    """Including sessions that could not load the submission a second time."""
    opened: list[InProcessSession] = []
    ended: list[InProcessSession] = []

    class Counted(InProcessSession):
        def __init__(self):
            super().__init__()
            assert opened == ended
            opened.append(self)

        def kill(self):
            ended.append(self)

        def request(self, op, **arguments):
            if op == "load" and len(opened) > loads:
                raise WorkerDied(DeathReason.EXITED)
            return super().request(op, **arguments)

    assert outcomes_with(tiny_lab, Counted) == {outcome}
    assert opened == ended


def outcomes_with(lab: Lab, session) -> set[Outcome]:
    """The outcomes of right code whose sessions are of this class."""
    stage = lab.stage(STAGE)
    code = read_course_code(lab, stage)
    return {result.outcome for result in judge_stage(stage, {MODULE: RIGHT}, session, code, seed=0)}


# Hypothesis


def test_examples_that_are_all_rejected_pass_nothing(tiny_lab):
    result = only(tiny_lab, "    assume(False)\n", before="@given(st.integers())", arguments="student, n")
    assert result.outcome is Outcome.GRADER_ERROR


def test_a_check_that_draws_no_example_passes_nothing(tiny_lab):
    before = "@settings(phases=[])\n@given(st.integers())"
    result = only(tiny_lab, "    check_equal(1, 1)\n", before=before, arguments="student, n")
    assert result.outcome is Outcome.GRADER_ERROR


def test_a_submission_that_has_every_example_rejected_fails(tiny_lab):
    """With its results the check rejects every example; with the reference's it does not."""
    body = "    assume(bool(student.double(torch.tensor(1.0)) == 2.0))\n"
    result = only(tiny_lab, body, solution(double="return x"), "@given(st.integers())", "student, n")
    assert result.outcome is Outcome.FAILED


def test_a_failing_example_is_not_run_again(tiny_lab):
    """A result that is wrong once and right in a second run fails the check."""
    source = "import torch\ncalls = []\n\n\ndef double(x):\n    calls.append(1)\n    return 2 * x + (len(calls) == 3)\n"
    body = "    check_close(student.double(torch.ones(2)), 2 * torch.ones(2))\n"
    result = only(tiny_lab, body, source, "@given(st.integers())", "student, n")
    assert result.outcome is Outcome.FAILED


def test_data_drawn_inside_a_check_may_run_out(tiny_lab):
    """Hypothesis abandons such an example, which is not a failure."""
    body = (
        "    for _ in range(4):\n"
        "        data.draw(st.integers().filter(lambda n: n % 7 == 0))\n"
        "    check_close(student.double(torch.ones(2)), 2 * torch.ones(2))\n"
    )
    result = only(tiny_lab, body, before="@given(st.data())", arguments="student, data")
    assert result.outcome is Outcome.PASSED


def test_the_seed_decides_the_examples(tiny_lab):
    body = "    check_that(bool(student.double(torch.tensor(n % 1000)) != 2000), 'x')\n    print(n)\n"
    write_checks(tiny_lab, f"@given(st.integers(0, 10**9))\ndef test_made(student, n):\n{DOC}{body}", "test_made")
    inputs: list[list[int]] = []

    class Listening(InProcessSession):
        def request(self, op, **arguments):
            if op == "call":
                inputs[-1].append(int(arguments["args"][0]))
            return super().request(op, **arguments)

    stage = tiny_lab.stage(STAGE)
    code = read_course_code(tiny_lab, stage)
    for seed in (1, 1, 2):
        inputs.append([])
        judge_stage(stage, {MODULE: RIGHT}, Listening, code, seed)
    assert inputs[0] == inputs[1] != inputs[2]
    assert len(inputs[0]) == 5, "max_examples of the tiny lab"


def test_hypothesis_keeps_the_settings_of_the_process(tiny_lab):
    import hypothesis

    before = hypothesis.settings.get_current_profile_name()
    judge(tiny_lab, RIGHT)
    assert hypothesis.settings.get_current_profile_name() == before


def test_no_input_value_reaches_the_feedback(tiny_lab):
    """Feedback has symptoms, locations and hints only, whatever the submission does with its inputs."""
    for body in ("raise KeyError(x)", "return x.tolist()", "return str(x)", "return {'x': x}", "return x[..., None]"):
        for result in judge(tiny_lab, solution(double=body, total=body, halve=body)).values():
            words = " ".join((result.what, result.where, result.hint))
            assert "tensor(" not in words
            assert "0." not in words
            assert "tests/hidden" not in words
