"""The course's own code runs in the judge's process under the very rules of a worker."""

import random

import numpy as np
import pytest
import torch
from workers import load

from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student, gradients, remote_value
from autograder.isolation.wire import ProtocolError

SOURCE = """
import random, numpy, torch
from torch import nn

def values(x): return x * 2, {"n": 1, None: 2.5}, [True, "text", 3 + 4j], numpy.arange(3), torch.float64, {3, 1, 2}
def draws(): return random.random(), numpy.random.rand(2), torch.rand(2)
def raises(kind): raise {"value": ValueError, "memory": MemoryError, "own": type("Own", (Exception,), {})}[kind]("text")
def subclass(): return torch.ones(2).as_subclass(type("Loud", (torch.Tensor,), {}))
def in_place(x):
    x += 1
    return x
def big(): return torch.zeros(100 << 20, dtype=torch.uint8)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.drop = nn.Dropout(0.5)
    def forward(self, x): return self.drop(self.layer(x))
"""


@pytest.fixture
def trusted() -> Student:
    session = InProcessSession()
    session.load({"submission": SOURCE}, "submission")
    return Student(session)


@pytest.fixture
def both(trusted, spawn) -> tuple[Student, Student]:
    return trusted, load(spawn(), SOURCE)


def same(one: object, other: object) -> bool:
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return type(one) is type(other) and one.dtype == other.dtype and one.tolist() == other.tolist()
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_values_are_the_same(both):
    here, there = (student.values(torch.arange(3.0)) for student in both)
    assert same(here, there)


def test_random_draws_are_the_same(both):
    for _ in range(2):
        here, there = (student.draws() for student in both)
        assert same(here, there)


@pytest.mark.parametrize("kind", ["value", "memory", "own", "unknown"])
def test_errors_are_the_same(both, kind):
    errors = []
    for student in both:
        with pytest.raises(SubmissionError) as caught:
            student.raises(kind)
        errors.append((type(caught.value), str(caught.value), caught.value.frames))
    assert errors[0] == errors[1]


def test_modules_and_gradients_are_the_same(both):
    found = []
    for student in both:
        net = student.Net()
        out = net(torch.ones(4, 3))
        out.sum().backward()
        found.append([out.detach(), *gradients(net).values(), remote_value(net, "training")])
    assert same(*found)


def test_types_are_plain_in_both(both):
    assert [type(student.subclass()) for student in both] == [torch.Tensor, torch.Tensor]


def test_arguments_are_copies_in_both(both):
    for student in both:
        x = torch.zeros(2)
        assert student.in_place(x).tolist() == [1.0, 1.0]
        assert x.tolist() == [0.0, 0.0]


def test_a_reply_that_is_too_large_for_a_worker_is_too_large_here(trusted):
    with pytest.raises(ProtocolError):
        trusted.big()


def test_the_judges_random_numbers_are_left_alone(trusted):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    trusted.draws()
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


def test_sessions_draw_independently(trusted):
    other = InProcessSession()
    other.load({"submission": SOURCE}, "submission")
    first = trusted.draws()
    trusted.draws()
    assert same(Student(other).draws(), first)
