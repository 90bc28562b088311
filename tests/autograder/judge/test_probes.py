"""Probes: properties that only the process of the student's code can observe."""

import numpy as np
import pytest
import torch

from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.probes import (
    check_computes,
    check_full_accuracy,
    check_inputs_unchanged,
    check_keeps_device,
    define,
    remote_value,
)
from autograder.judge.symptoms import CheckFailure, Symptom

X = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
HEADER = """\
import numpy as np
import torch
from torch import nn


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(2 * x.detach().numpy()).to(x.device)

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient
"""


def student(body: str, arguments: str = "x, y=None") -> Student:
    return loaded(f"{HEADER}\n\ndef f({arguments}):\n    {body}\n")


def loaded(source: str) -> Student:
    session = InProcessSession()
    session.load({"made": source}, "made")
    return Student(session)


def symptom(check, *args, **kwargs) -> Symptom:
    with pytest.raises(CheckFailure) as caught:
        check(*args, **kwargs)
    return caught.value.symptom


@pytest.mark.parametrize("body", ["return 2 * x", "y = x.clone(); y += 1; return y", "return x"])
def test_code_that_leaves_its_inputs_alone_passes(body):
    made = student(body)
    before = X.clone()
    check_inputs_unchanged(made, made.f, X)
    check_inputs_unchanged(made, made.f, x=X)
    assert torch.equal(X, before)


@pytest.mark.parametrize(
    ("body", "argument"),
    [
        ("x += 1", X),
        ("x[0, 0] = float('nan')", X),
        ("x.mul_(2)", X),
        ("x[0][1].zero_()", [X, X]),
        ("x['a'].zero_()", {"a": X}),
        ("x.unsqueeze_(0)", X),
        ("x.clear()", [X]),
        ("x.resize_(1)", X),
        ("x[0] = 7", np.arange(3.0)),
        ("x.sort()", np.array([3.0, 1.0])),
        ("x.masked_fill_(~x, True)", torch.tensor([True, False])),
    ],
)
def test_an_in_place_change_is_found(body, argument):
    made = student(body)
    assert symptom(check_inputs_unchanged, made, made.f, argument) is Symptom.INPUT_CHANGED


def test_a_change_of_a_keyword_argument_is_found():
    made = student("y += 1")
    assert symptom(check_inputs_unchanged, made, made.f, 0, y=X) is Symptom.INPUT_CHANGED


def test_the_submissions_own_functions_may_be_among_the_arguments():
    made = loaded("def g(x):\n    return x\n\n\ndef f(x, function):\n    return function(x)\n")
    check_inputs_unchanged(made, made.f, X, made.g)


def test_a_probe_passes_the_submissions_errors_on():
    made = student("raise NotImplementedError")
    for check in (check_inputs_unchanged, check_keeps_device):
        with pytest.raises(SubmissionError, match="NotImplementedError"):
            check(made, made.f, X)


@pytest.mark.parametrize(
    "body",
    [
        "return 2 * x",
        "return x + torch.zeros_like(x)",
        "return x + torch.zeros(2, device=x.device)",
        "return x + torch.tensor(1.0)",
        "return x.masked_fill(torch.ones(2, 2, dtype=torch.bool, device=x.device), 0.0)",
        "return x * 2, (x, [x.sum()])",
        "return torch.softmax(x, -1)",
        "return x if x.sum() > 0 else -x",
        "return torch.from_numpy(x.detach().cpu().numpy() * 2).to(x.device)",
        "return torch.tensor(np.asarray(x.tolist())).to(x.device)",
        "return torch.full((2,), x.sum().item(), device=x.device)",
        "return x[torch.multinomial(torch.tensor(x.numpy()).exp(), 1).to(x.device)]",
        "return x.to_sparse().to_dense()",
        "return x + torch.rand(2, 2, generator=torch.Generator(device=x.device), device=x.device)",
        "torch.autocast(x.device.type, dtype=torch.bfloat16).__enter__().__exit__(None, None, None); return x * 2",
        "return Doubled.apply(x)",
    ],
)
def test_code_that_stays_on_the_inputs_device_passes(body):
    made = student(body)
    check_keeps_device(made, made.f, X)


@pytest.mark.parametrize(
    "body",
    [
        "return x + torch.zeros(2, 2)",
        "return x.masked_fill(torch.ones(2, 2, dtype=torch.bool), 0.0)",
        "return x @ torch.eye(2)",
        "return torch.zeros(2, 2)",
        "return torch.cat([x, torch.zeros(1, 2)])",
        "return x, torch.zeros(2)",
    ],
)
def test_a_tensor_made_on_the_cpu_is_found(body):
    made = student(body)
    assert symptom(check_keeps_device, made, made.f, X) is Symptom.WRONG_DEVICE


def test_an_error_of_the_code_itself_is_passed_on():
    for body in ("return x @ torch.ones(3, device=x.device)", "raise RuntimeError('the device is out of order')"):
        made = student(body)
        with pytest.raises(SubmissionError, match="RuntimeError"):
            check_keeps_device(made, made.f, X)


def test_a_result_without_tensors_is_of_the_wrong_kind():
    made = student("return 1.0")
    assert symptom(check_keeps_device, made, made.f, X) is Symptom.WRONG_TYPE


def test_a_device_argument_is_honoured_or_not():
    made = student("return torch.arange(x, device=device)", "x, device=None")
    check_keeps_device(made, made.f, 3, device=torch.device("cpu"))
    made = student("return torch.arange(x)", "x, device=None")
    assert symptom(check_keeps_device, made, made.f, 3, device=torch.device("cpu")) is Symptom.WRONG_DEVICE


MODULE = """\
import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        {table}

    def forward(self, x):
        return x * self.weight + self.table
"""


def test_a_modules_tables_must_move_with_it():
    made = loaded(MODULE.format(table="self.register_buffer('table', torch.ones(2))"))
    check_keeps_device(made, made.Layer(), X)
    made = loaded(MODULE.format(table="self.table = torch.ones(2)"))
    assert symptom(check_keeps_device, made, made.Layer(), X) is Symptom.WRONG_DEVICE


def test_a_false_report_of_devices_is_harmless():
    """The probe's reply comes from the student's process and may be any value."""

    class Liar(InProcessSession):
        def request(self, op, **arguments):
            answer = super().request(op, **arguments)
            return ((7, 7, 7), *answer[1:]) if op == "call" else answer

    session = Liar()
    session.load({"made": "def f(x):\n    return x\n"}, "made")
    made = Student(session)
    with pytest.raises((ValueError, TypeError)):
        check_keeps_device(made, made.f, X)


def test_a_result_must_be_computed():
    check_computes(student("return 2 * x").f, [X], [X + 1])
    for body in ("return torch.zeros(2, 2)", "return x.clone()", "return x"):
        assert symptom(check_computes, student(body).f, [X], [X + 1]) is Symptom.WRONG_VALUES
    assert symptom(check_computes, student("return None").f, [X], [X + 1]) is Symptom.WRONG_TYPE


def test_helpers_run_beside_the_submission():
    made = loaded(MODULE.format(table="self.table = torch.ones(2)"))
    names = define(made, "def names(module):\n    return [name for name, _ in module.named_parameters()]\n")
    layer = made.Layer()
    assert names.names(layer) == ["weight"]
    assert remote_value(layer, "training") is True


@pytest.mark.parametrize("body", ["return x.exp()", "return 2 * x, -x", "return x.exp() * 1.01"])
def test_results_computed_in_float64_have_full_accuracy(body):
    check_full_accuracy(student(body).f, [X.double() / 10], [-X.double()])


@pytest.mark.parametrize(
    "body",
    [
        "return x.float().exp()",
        "return x.float().exp().double()",
        "return x.exp().float().double() + 1",
        "return x.float().double(), x.float()",
    ],
)
def test_a_step_in_a_narrower_dtype_is_detected(body):
    made = student(body)
    assert symptom(check_full_accuracy, made.f, [X.double() / 10], [-X.double()]) is Symptom.WRONG_VALUES


def test_a_step_in_a_narrower_dtype_is_detected_although_another_argument_keeps_its_accuracy():
    made = student("return x.float().double() * y", "x, y")
    assert (
        symptom(check_full_accuracy, made.f, [X.double() / 10, X.double()], [X.double(), X.double()])
        is Symptom.WRONG_VALUES
    )


def test_full_accuracy_needs_a_result_that_depends_on_the_input():
    made = student("return torch.ones(2, dtype=torch.float64)")
    assert symptom(check_full_accuracy, made.f, [X.double() / 10], [-X.double()]) is Symptom.WRONG_VALUES
