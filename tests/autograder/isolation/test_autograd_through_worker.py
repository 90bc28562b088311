"""Gradients flow through calls into a worker as through local calls."""

import pytest
import torch
from torch.autograd.gradcheck import GradcheckError
from workers import load

from autograder.isolation.errors import SubmissionError
from autograder.isolation.proxy import gradients

SOURCE = """
import torch
from torch import nn

def product(x, y): return x * y
def scaled(x, *, by): return x * by
def nested(parts): return {"sum": parts["a"] + parts["b"][0], "index": parts["a"].argmax()}
def first(x, unused): return x[0]
def detached(x): return x.detach()
def in_place(x):
    y = x.clone()
    y.mul_(3)
    return y
def curvature(x):
    gradient, = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)
    return torch.autograd.grad(gradient.sum(), x)[0]
def no_grad_inside(x):
    with torch.no_grad():
        return x * 2
def complex_square(x): return x * x.conj()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2, dtype=torch.float64)
        self.idle = nn.Parameter(torch.zeros(1))
    def forward(self, x): return torch.tanh(self.layer(x))
"""


@pytest.fixture
def student(spawn):
    return load(spawn(), SOURCE)


def doubles(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def test_gradcheck_passes_through_a_worker(student):
    assert torch.autograd.gradcheck(student.product, (doubles(2, 3), doubles(3, seed=1)))


def test_gradcheck_passes_for_complex_tensors(student):
    x = torch.randn(3, dtype=torch.complex128, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(student.complex_square, (x,))


def test_gradcheck_detects_a_wrong_gradient(spawn):
    source = """
import torch
class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return 2 * x
    @staticmethod
    def backward(ctx, gradient): return 3 * gradient
def f(x): return Wrong.apply(x)
"""
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(load(spawn(), source).f, (doubles(2),))


def test_gradients_of_a_module_match_those_of_a_local_module(student):
    remote, local = student.Net(), torch.nn.Linear(3, 2, dtype=torch.float64)
    remote.load_state_dict({f"layer.{name}": value for name, value in local.state_dict().items()}, strict=False)
    x = doubles(4, 3)
    for out in (remote(x), torch.tanh(local(x))):
        out.square().sum().backward()
    by_name = gradients(remote)
    torch.testing.assert_close(by_name["layer.weight"], local.weight.grad)
    torch.testing.assert_close(by_name["layer.bias"], local.bias.grad)
    assert by_name["idle"] is None


def test_gradients_reach_keyword_arguments_and_nested_arguments(student):
    x, y = doubles(3), doubles(3, seed=1)
    student.scaled(x, by=y).sum().backward()
    torch.testing.assert_close((x.grad, y.grad), (y.detach(), x.detach()))
    a, b = doubles(3, seed=2), doubles(3, seed=3)
    reply = student.nested({"a": a, "b": [b]})
    assert not reply["index"].requires_grad
    (reply["sum"] * 2).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [2.0, 2.0, 2.0]


def test_gradients_continue_into_the_judges_own_graph(student):
    x = doubles(3)
    student.product(x.square(), torch.ones(3, dtype=torch.float64)).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


def test_an_unused_input_gets_no_gradient(student):
    x, unused = doubles(2), doubles(2, seed=1)
    student.first(x, unused).backward()
    assert unused.grad is None or unused.grad.tolist() == [0.0, 0.0]
    assert x.grad.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", ["detached", "no_grad_inside"])
def test_a_detached_output_does_not_require_grad(student, name):
    assert not getattr(student, name)(doubles(2)).requires_grad


def test_outputs_do_not_require_grad_under_no_grad(student):
    with torch.no_grad():
        assert not student.product(doubles(2), doubles(2)).requires_grad


def test_a_second_backward_pass_needs_a_retained_graph(student):
    x = doubles(2)
    out = student.in_place(x).sum()
    out.backward(retain_graph=True)
    out.backward()
    assert x.grad.tolist() == [6.0, 6.0]
    with pytest.raises(RuntimeError):
        out.backward()


def test_second_derivatives_can_be_computed_inside_the_worker(student):
    x = doubles(3)
    torch.testing.assert_close(student.curvature(x), 6 * x.detach())


def test_an_error_in_the_backward_pass_is_an_error_of_the_submission(spawn):
    source = """
import torch
class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, gradient): raise LookupError("backward")
def f(x): return Fails.apply(x)
"""
    with pytest.raises(SubmissionError, match="backward"):
        load(spawn(), source).f(doubles(2)).sum().backward()


def test_a_gradient_of_the_wrong_shape_is_refused(spawn):
    """A submission can replace the backward pass in its worker; the judge checks each gradient's shape."""
    source = """
import gc, torch
from autograder.isolation.executor import Executor
def f(x): return x * 2
def cheat():
    executor = next(item for item in gc.get_objects() if isinstance(item, Executor))
    executor._operations["vjp"] = lambda graph, cotangents: [torch.ones(7)]
"""
    student = load(spawn(), source)
    student.cheat()
    with pytest.raises(Exception, match="differs from its tensor in shape"):
        student.f(doubles(2)).sum().backward()
