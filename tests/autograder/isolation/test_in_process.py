"""The course's own code runs in the judge's process under the rules of a worker."""

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


def same(left: object, right: object) -> bool:
    if isinstance(left, (torch.Tensor, np.ndarray)):
        return type(left) is type(right) and left.dtype == right.dtype and left.tolist() == right.tolist()
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def test_values_are_the_same(both):
    local, remote = (student.values(torch.arange(3.0)) for student in both)
    assert same(local, remote)


def test_random_draws_are_the_same(both):
    for _ in range(2):
        local, remote = (student.draws() for student in both)
        assert same(local, remote)


@pytest.mark.parametrize("kind", ["value", "memory", "own", "unknown"])
def test_errors_are_the_same(both, kind):
    errors = []
    for student in both:
        with pytest.raises(SubmissionError) as caught:
            student.raises(kind)
        errors.append((type(caught.value), str(caught.value), caught.value.frames))
    assert errors[0] == errors[1]


def test_modules_and_gradients_are_the_same(both):
    results = []
    for student in both:
        net = student.Net()
        out = net(torch.ones(4, 3))
        out.sum().backward()
        results.append([out.detach(), *gradients(net).values(), remote_value(net, "training")])
    assert same(*results)


def test_subclasses_arrive_as_plain_tensors_in_both(both):
    assert [type(student.subclass()) for student in both] == [torch.Tensor, torch.Tensor]


def test_arguments_are_copies_in_both(both):
    for student in both:
        x = torch.zeros(2)
        assert student.in_place(x).tolist() == [1.0, 1.0]
        assert x.tolist() == [0.0, 0.0]


def test_the_size_limit_of_a_reply_applies_in_process_too(trusted):
    with pytest.raises(ProtocolError):
        trusted.big()


def test_the_judges_random_state_is_unchanged(trusted):
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
