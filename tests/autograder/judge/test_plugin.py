"""What the plugin reads from a hidden test before it runs."""

from types import SimpleNamespace

import pytest
from hypothesis import reject
from hypothesis.errors import UnsatisfiedAssumption
from judging import write_checks
from tiny_lab import STAGE

from autograder.judge.hidden_tests import HiddenTestsError, collect_checks
from autograder.judge.plugin import NothingChecked, _Examples


def test_checks_are_collected_without_being_run(tiny_lab):
    check = 'def test_made(student):\n    """A title.\n\n    Hint: a hint.\n    """\n    1 / 0\n'
    write_checks(tiny_lab, check, "test_made")
    records = collect_checks(tiny_lab.stage(STAGE))
    assert list(records) == ["test_made"]
    assert (records["test_made"].title, records["test_made"].hint) == ("A title", "a hint.")
    assert not records["test_made"].complete


def test_parameter_sets_are_runs_of_one_check(tiny_lab):
    check = "@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_made(student, n):\n    pass\n"
    write_checks(tiny_lab, check, "test_made")
    assert collect_checks(tiny_lab.stage(STAGE))["test_made"].due == 3


def made_by_hypothesis(inner):
    """A test as `given` makes it; the caller runs the examples."""

    def made():
        pass

    made.hypothesis = SimpleNamespace(inner_test=inner)
    return made


def test_a_test_that_checks_no_example_is_detected():
    with pytest.raises(NothingChecked), _Examples(made_by_hypothesis(lambda: None), 0).watched():
        pass
    rejecting = made_by_hypothesis(reject)
    with pytest.raises(NothingChecked), _Examples(rejecting, 0).watched():
        with pytest.raises(UnsatisfiedAssumption):
            rejecting.hypothesis.inner_test()


def test_an_error_that_hypothesis_swallows_still_counts():
    def fail():
        raise KeyError("first")

    made = made_by_hypothesis(fail)
    with pytest.raises(KeyError, match="first"), _Examples(made, 0).watched():
        with pytest.raises(KeyError):
            made.hypothesis.inner_test()
    assert made.hypothesis.inner_test is fail


def test_tests_that_cannot_be_imported_are_named(tiny_lab):
    write_checks(tiny_lab, "1 / 0\n", "test_made")
    with pytest.raises(HiddenTestsError, match=r"test_made\.py"):
        collect_checks(tiny_lab.stage(STAGE))
