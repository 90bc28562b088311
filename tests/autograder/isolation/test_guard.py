"""The guard in this process: the calls it refuses, the calls it leaves unchanged, and its removal."""

import sys
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from autograder.course.forbidden import FORBIDDABLE, full_name, short_name
from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student, define

MAIN = """\
import earlier
import torch
from torch import nn
from torch.nn import functional


def own(x):
    return x.softmax(-1)


def through_earlier(x):
    return earlier.weights(x)


def called_back(x):
    return earlier.apply(lambda y: functional.softmax(y, -1), x)


def own_and_earlier(x):
    return own(earlier.weights(x))


def caught(x):
    for _ in range(100):
        try:
            own(x)
        except Exception:
            pass
    return x


def normalised(x):
    return nn.LayerNorm(x.shape[-1]).double()(x)


class Inherited(nn.LayerNorm):
    pass


def clipped(x):
    return nn.utils.clip_grad_norm_([x], 1.0)
"""
EARLIER = """\
import torch


def weights(x):
    return torch.softmax(x, dim=-1)


def apply(function, x):
    return helper(function(x))


def helper(x):
    return x.softmax(-1)


class Helper:
    def __call__(self, x):
        return x.softmax(-1)


def normalised(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])
"""


@pytest.fixture
def sessions() -> Iterator[list[InProcessSession]]:
    """The sessions of a test, which end with it."""
    opened: list[InProcessSession] = []
    yield opened
    for session in opened:
        session.kill()


@pytest.fixture
def student(sessions):
    """A function that loads the submission and forbids these names."""

    def load(*names: str, main: str = MAIN) -> Student:
        session = InProcessSession()
        sessions.append(session)
        forbidden = {name: FORBIDDABLE[name] for name in names}
        modules, exercises = {"main": main, "earlier": EARLIER}, {"earlier": ["weights", "apply", "normalised"]}
        session.request("load", modules=modules, main="main", forbidden=forbidden, exercises=exercises)
        return Student(session)

    return load


def refusals(student: Student) -> list[tuple[str, str, int, str]]:
    return student._session.refusals


def x() -> torch.Tensor:
    return torch.tensor([[0.0, 1.0, 3.0]], dtype=torch.float64)


def test_the_submissions_own_call_is_refused_with_its_line(student):
    loaded = student("torch.softmax")
    with pytest.raises(SubmissionError, match=r"torch\.softmax may not be used in this exercise"):
        loaded.own(x())
    assert refusals(loaded) == [("torch.softmax", "main.py", 8, "own")]


def test_a_call_by_another_module_is_not_refused(student):
    loaded = student("torch.softmax")
    assert torch.equal(loaded.through_earlier(x()), torch.softmax(x(), -1))
    assert refusals(loaded) == []


@pytest.mark.parametrize(
    ("main", "site"),
    [
        ("import earlier\n\ndef own(x):\n    return earlier.helper(x)\n", ("main.py", 4, "own")),
        ("from earlier import helper as own\n", ("", 0, "")),
        ("from earlier import Helper\nown = Helper()\n", ("", 0, "")),
    ],
)
def test_a_helper_of_another_module_makes_no_difference(student, main, site):
    loaded = student("torch.softmax", main=main)
    with pytest.raises(SubmissionError):
        loaded.own(x())
    assert refusals(loaded) == [("torch.softmax", *site)]


def test_a_helper_of_another_modules_exercise_is_not_refused(student):
    loaded = student("torch.softmax", main="import earlier\n\ndef own(x):\n    return earlier.apply(abs, x)\n")
    assert torch.equal(loaded.own(x()), torch.softmax(x(), -1))
    assert refusals(loaded) == []


def test_a_callback_of_the_submission_is_refused(student):
    loaded = student("torch.softmax")
    with pytest.raises(SubmissionError):
        loaded.called_back(x())
    assert [line for _, _, line, _ in refusals(loaded)] == [16]


def test_an_allowed_call_before_a_refused_call_is_not_recorded(student):
    loaded = student("torch.softmax")
    with pytest.raises(SubmissionError):
        loaded.own_and_earlier(x())
    assert [line for _, _, line, _ in refusals(loaded)] == [8]


def test_a_caught_error_is_recorded_once(student):
    loaded = student("torch.softmax")
    assert torch.equal(loaded.caught(x()), x())
    assert refusals(loaded) == [("torch.softmax", "main.py", 8, "own")]


def test_the_record_has_a_maximum_length(student):
    call = "    try: torch.softmax(x, -1)\n    except Exception: pass\n"
    every_line = f"import torch\ndef everywhere(x):\n{call * 100}    return x\n"
    loaded = student("torch.softmax", main=every_line)
    loaded.everywhere(x())
    assert len(refusals(loaded)) == 20


def test_a_function_of_torch_exported_by_the_submission_is_refused_without_a_line(student):
    loaded = student("torch.softmax", main="from torch.nn.functional import softmax\n")
    with pytest.raises(SubmissionError):
        loaded.softmax(x(), -1)
    assert refusals(loaded) == [("torch.softmax", "", 0, "")]


def test_a_helper_around_the_call_makes_no_difference(student):
    loaded = student("torch.softmax", main="from torch import softmax\n")
    helper = define(loaded, "def call(function, x):\n    return function(x, -1)\n")
    with pytest.raises(SubmissionError):
        helper.call(loaded.softmax, x())


def test_a_call_while_loading_is_refused(student, sessions):
    with pytest.raises(SubmissionError):
        student("torch.nn.LayerNorm", main="import torch\nnorm = torch.nn.LayerNorm(2)\n")
    assert sessions[0].refusals == [("torch.nn.LayerNorm", "main.py", 2, "<module>")]


def test_a_class_is_refused_where_it_is_instantiated(student):
    loaded = student("torch.nn.LayerNorm")
    for function, arguments in ((loaded.normalised, [x()]), (loaded.Inherited, [3])):
        with pytest.raises(SubmissionError):
            function(*arguments)
    assert [name for name, *_ in refusals(loaded)] == ["torch.nn.LayerNorm"] * 2


def test_a_function_without_a_kernel_is_refused_by_its_name(student):
    loaded = student("torch.nn.utils.clip_grad_norm_")
    with pytest.raises(SubmissionError):
        loaded.clipped(x())


@pytest.mark.parametrize("forbidden", [["torch.softmax"], ["torch.nn.functional.layer_norm"], list(FORBIDDABLE)])
def test_allowed_calls_have_their_gradients(student, forbidden):
    """Gradients through a plain kernel (softmax) and a composite kernel (layer_norm)."""
    loaded = student(*forbidden, main="from earlier import normalised, weights\n")
    for function, expected in (
        (loaded.weights, lambda x: torch.softmax(x, -1)),
        (loaded.normalised, lambda x: functional.layer_norm(x, (3,))),
    ):
        guarded_input, plain_input = x().requires_grad_(), x().requires_grad_()
        cotangent = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
        (gradient,) = torch.autograd.grad(function(guarded_input), guarded_input, cotangent)
        (expected_gradient,) = torch.autograd.grad(expected(plain_input), plain_input, cotangent)
        assert torch.equal(gradient, expected_gradient)
    assert refusals(loaded) == []


def test_nothing_is_refused_outside_a_request(student):
    student(*FORBIDDABLE)
    assert torch.softmax(x(), -1).sum() == 1
    functional.scaled_dot_product_attention(x(), x(), x())
    torch.nn.MultiheadAttention(4, 2)


def test_every_patch_is_removed_even_after_errors(student, sessions):
    before = {name: resolve(name) for name in FORBIDDABLE}
    constructors = {name: value.__init__ for name, value in before.items() if isinstance(value, type)}
    for _ in range(3):  # a kernel can be wrapped only once, so each wrapper must be removed
        loaded = student(*FORBIDDABLE)
        with pytest.raises(SubmissionError):
            loaded.own(x())
        sessions[-1].kill()
    assert {name: resolve(name) for name in FORBIDDABLE} == before
    assert {name: before[name].__init__ for name in constructors} == constructors
    assert torch.equal(loaded.own(x()), torch.softmax(x(), -1))


@pytest.mark.parametrize("name", FORBIDDABLE)
def test_every_forbiddable_name_exists(name):
    assert callable(resolve(name))
    for kernel in FORBIDDABLE[name]:
        assert hasattr(torch.ops.aten, kernel)


def resolve(name: str) -> object:
    path, _, last = name.rpartition(".")
    return getattr(sys.modules[path], last)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("torch.softmax", "torch.softmax"),
        ("torch.nn.functional.gelu", "F.gelu"),
        ("torch.nn.GELU", "nn.GELU"),
        ("torch.nn.utils.clip_grad_norm_", "nn.utils.clip_grad_norm_"),
        ("torch.optim.AdamW", "torch.optim.AdamW"),
    ],
)
def test_names_have_a_short_and_a_full_form(name, short):
    assert (short_name(name), full_name(short)) == (short, name)
