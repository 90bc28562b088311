"""Two replies are compared up to rounding, and mixed element by element."""

import numpy as np
import pytest
import torch

from autograder.isolation.wire import Handle
from autograder.judge.replies import Raised, is_missing_in, mixed, same_reply, shares_fault


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64) * (1 + 1e-12), True),
        (torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64) * (1 + 1e-5), False),
        (torch.ones(2), torch.ones(2) * (1 + 1e-6), True),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        (torch.ones(2), torch.ones(1, 2), False),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), True),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), False),
        (torch.tensor([1 + 2j]), torch.tensor([1 + 2j]), True),
        (torch.tensor([1 + 2j]), torch.tensor([1 - 2j]), False),
        (1.0, 1.0 + 1e-12, True),
        (1.0, 1, False),
        (float("nan"), float("nan"), True),
        (1j, 1j, True),
        ("a", "a", True),
        (None, 0, False),
        ((1.0, [2.0]), (1.0, [2.0]), True),
        ((1.0,), [1.0], False),
        ([1.0], [1.0, 2.0], False),
        ({"a": 1.0}, {"a": 1.0}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
    ],
)
def test_replies_are_the_same_up_to_rounding(first, second, same):
    assert same_reply(first, second) is same
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        assert same_reply(first.numpy(), second.numpy()) is same


RIGHT = torch.tensor([1.0, 2.0, 3.0])
FAULTY = torch.tensor([1.0, 7.0, 9.0])


@pytest.mark.parametrize(
    ("reply", "shares"),
    [
        ([1.0, 7.0, 9.0], True),
        ([5.0, 7.0, 3.0], True),
        ([1.0, 2.0, 3.0], False),
        ([1.0, 8.0, 8.0], False),
        ([1.0, 2.0], False),
    ],
)
def test_a_fault_is_shared_where_the_faulty_elements_agree(reply, shares):
    reply = torch.tensor(reply)
    assert shares_fault(reply, FAULTY, RIGHT) is shares
    assert shares_fault([reply, 0], (FAULTY, 0), (RIGHT, 0)) is shares
    assert shares_fault({"a": reply.numpy()}, {"a": FAULTY.numpy()}, {"a": RIGHT.numpy()}) is shares
    assert not shares_fault(reply, RIGHT, RIGHT)


def test_replies_of_the_same_wrong_dtype_may_round_differently():
    narrow = FAULTY.bfloat16()
    rounded = narrow * 1.01
    assert shares_fault(rounded, narrow, RIGHT)
    assert mixed(rounded, narrow, RIGHT) is RIGHT
    assert not shares_fault(narrow * 1.1, narrow, RIGHT)


def test_errors_are_compared_by_class():
    assert shares_fault(Raised("ValueError"), Raised("ValueError"), RIGHT)
    assert not shares_fault(Raised("ValueError"), Raised("TypeError"), RIGHT)
    assert not shares_fault(RIGHT, RIGHT, RIGHT)
    assert shares_fault(RIGHT, RIGHT, Raised("ValueError"))


def test_a_mixed_reply_is_right_except_where_the_two_differ():
    reply = torch.tensor([1.0, 7.0, 8.0])
    assert mixed(reply, FAULTY, RIGHT).tolist() == [1.0, 2.0, 8.0]
    assert mixed(reply.numpy(), FAULTY.numpy(), RIGHT.numpy()).tolist() == [1.0, 2.0, 8.0]
    assert mixed(reply, reply, RIGHT) is RIGHT
    assert mixed(Raised("ValueError"), FAULTY, RIGHT) == Raised("ValueError")
    number = np.float64(4.0)
    assert mixed([reply, 5, number], (FAULTY, 6, number), (RIGHT, 7, 8))[1:] == [5, 8]
    assert list(mixed({"b": 1, "a": 2}, {"a": 2, "b": 3}, {"a": 4, "b": 5})) == ["b", "a"]
    assert mixed({"b": 1, "a": 2}, {"a": 2, "b": 3}, {"a": 4, "b": 5}) == {"b": 1, "a": 4}
    assert mixed(Handle(3, "A"), Handle(4, "B"), Handle(5, "C")) == Handle(5, "C")


def test_a_part_is_missing_where_both_other_replies_have_it():
    assert is_missing_in(None, 1.0, 2.0)
    assert is_missing_in([RIGHT, (None, 1)], [RIGHT, (3.0, 1)], [FAULTY, (2.0, 1)])
    assert is_missing_in({"loss": None}, {"loss": 1.0}, {"loss": 1.0})
    assert not is_missing_in([None, RIGHT], [None, RIGHT], [1.0, RIGHT]), "the mistake lacks it too"
    assert not is_missing_in([None], [1.0], [None]), "nothing is required"
    assert not is_missing_in(RIGHT, FAULTY, RIGHT)
