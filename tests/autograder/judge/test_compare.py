"""Comparisons reject every false result with its symptom, and accept every right result."""

import math

import numpy as np
import pytest
import torch

from autograder.isolation.errors import DeathReason, SubmissionError, WorkerDied
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.compare import (
    check_array_type,
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_shape,
    check_tensor_type,
    check_that,
    check_values,
)
from autograder.judge.symptoms import CheckFailure, Symptom

REFERENCE = torch.tensor([[1.0, -2.0, 0.5]])
ROW = torch.tensor([1.0, -2.0, 0.5])


class Lying(torch.Tensor):
    """Equal to everything."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)

    def __eq__(self, other):
        return True


class Always:
    shape, dtype, ndim = (1, 3), torch.float32, 2

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0


# Each has got through one of allclose, `(a == b).all()`, `(a - b).abs().max() < e`, numpy's helpers and others.
LIES = {
    "empty": (torch.empty(0), Symptom.WRONG_AXES),
    "empty batch": (torch.empty(0, 3), Symptom.WRONG_SIZE),
    "empty last axis": (torch.empty(1, 0), Symptom.WRONG_SIZE),
    "all NaN": (torch.full((1, 3), math.nan), Symptom.NOT_FINITE),
    "one NaN": (torch.tensor([[1.0, math.nan, 0.5]]), Symptom.NOT_FINITE),
    "infinity": (torch.full((1, 3), math.inf), Symptom.NOT_FINITE),
    "minus infinity": (torch.tensor([[1.0, -math.inf, 0.5]]), Symptom.NOT_FINITE),
    "0-d": (torch.tensor(1.0), Symptom.WRONG_AXES),
    "0-d NaN": (torch.tensor(math.nan), Symptom.WRONG_AXES),
    "row": (ROW, Symptom.WRONG_AXES),
    "column": (REFERENCE.T, Symptom.WRONG_SIZE),
    "one element": (torch.ones(1, 1), Symptom.WRONG_SIZE),
    "extra leading axis": (REFERENCE[None], Symptom.WRONG_AXES),
    "extra last axis": (REFERENCE[..., None], Symptom.WRONG_AXES),
    "repeated": (REFERENCE.repeat(4, 1), Symptom.WRONG_SIZE),
    "expanded": (REFERENCE.expand(5, 3), Symptom.WRONG_SIZE),
    "huge": (torch.zeros(1, 1).expand(100_000, 100_000), Symptom.WRONG_SIZE),
    "float64": (REFERENCE.double(), Symptom.WRONG_DTYPE),
    "float16": (REFERENCE.half(), Symptom.WRONG_DTYPE),
    "bfloat16": (REFERENCE.bfloat16(), Symptom.WRONG_DTYPE),
    "int64": (torch.tensor([[1, -2, 0]]), Symptom.WRONG_DTYPE),
    "bool": (torch.ones(1, 3, dtype=torch.bool), Symptom.WRONG_DTYPE),
    "complex": (REFERENCE.to(torch.complex64), Symptom.WRONG_DTYPE),
    "complex with imaginary part": (REFERENCE + 1j, Symptom.WRONG_DTYPE),
    "slightly off": (REFERENCE + 1e-3, Symptom.WRONG_VALUES),
    "one element off": (torch.tensor([[1.0, -2.0, 0.6]]), Symptom.WRONG_VALUES),
    "negated": (-REFERENCE, Symptom.WRONG_VALUES),
    "parameter": (torch.nn.Parameter(REFERENCE), Symptom.WRONG_TYPE),
    "subclass": (REFERENCE.as_subclass(Lying), Symptom.WRONG_TYPE),
    "object that equals everything": (Always(), Symptom.WRONG_TYPE),
    "NumPy array": (REFERENCE.numpy(), Symptom.WRONG_TYPE),
    "masked array": (np.ma.masked_array(REFERENCE.numpy(), mask=True), Symptom.WRONG_TYPE),
    "list": (REFERENCE.tolist(), Symptom.WRONG_TYPE),
    "tuple around it": ((REFERENCE,), Symptom.WRONG_TYPE),
    "None": (None, Symptom.WRONG_TYPE),
    "True": (True, Symptom.WRONG_TYPE),
    "a number": (1.0, Symptom.WRONG_TYPE),
    "a string": ("1.0", Symptom.WRONG_TYPE),
}


def symptom(actual, expected, check=check_close, **options):
    with pytest.raises(CheckFailure) as caught:
        check(actual, expected, **options)
    return caught.value.symptom


@pytest.mark.parametrize("lie", LIES)
def test_a_false_tensor_is_rejected(lie):
    actual, expected = LIES[lie]
    assert symptom(actual, REFERENCE) is expected


@pytest.mark.parametrize("lie", [name for name, (_, kind) in LIES.items() if kind is not Symptom.WRONG_DTYPE])
def test_ignoring_the_dtype_accepts_no_other_fault(lie):
    actual, expected = LIES[lie]
    assert symptom(actual, REFERENCE, check_values) is expected


@pytest.mark.parametrize("lie", LIES)
def test_a_false_array_is_rejected(lie):
    actual, expected = LIES[lie]
    if lie == "NumPy array":
        actual, expected = REFERENCE, Symptom.WRONG_TYPE
    elif type(actual) is torch.Tensor and actual.dtype is not torch.bfloat16:
        actual = actual.numpy()
    elif type(actual) is torch.Tensor:
        expected = Symptom.WRONG_TYPE
    assert symptom(actual, REFERENCE.numpy()) is expected


@pytest.mark.parametrize(
    "right",
    [
        REFERENCE.clone(),
        REFERENCE + 1e-7,
        REFERENCE.clone().requires_grad_(),
        REFERENCE.T.contiguous().T,
        (REFERENCE.clone().requires_grad_() * 1.0),
        torch.cat([REFERENCE, REFERENCE])[:1],
    ],
)
def test_a_right_tensor_is_accepted_however_it_was_made(right):
    check_close(right, REFERENCE)
    check_values(right, REFERENCE)


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[::-1][::-1], lambda x: x.copy(order="F")])
def test_a_right_array_is_accepted_however_it_lies_in_memory(view):
    array = np.arange(6.0).reshape(2, 3)
    check_close(view(array), array)
    check_close(array, view(array))


def test_arrays_without_axes_stay_so():
    check_close(np.array(2.0), np.array(2.0))
    assert symptom(np.array([2.0]), np.array(2.0)) is Symptom.WRONG_AXES
    assert symptom(np.array(2.0), np.array([2.0])) is Symptom.WRONG_AXES


def test_a_dtype_that_torch_lacks_is_refused_and_not_an_error():
    assert symptom(np.ones(3, dtype=np.longdouble), np.ones(3)) is Symptom.WRONG_DTYPE
    assert symptom(np.array(["1", "2"]), np.ones(2)) is Symptom.WRONG_DTYPE
    assert symptom(np.array([None, None]), np.ones(2)) is Symptom.WRONG_DTYPE


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex128])
def test_nan_and_infinity_must_be_where_they_are_expected(dtype):
    expected = torch.tensor([1.0, math.inf, -math.inf, math.nan], dtype=dtype)
    check_close(expected.clone(), expected)
    assert symptom(torch.tensor([1.0, math.inf, math.inf, math.nan], dtype=dtype), expected) is Symptom.WRONG_VALUES
    assert symptom(torch.tensor([1.0, math.inf, -math.inf, 0.0], dtype=dtype), expected) is Symptom.WRONG_VALUES
    assert symptom(torch.tensor([math.nan, math.inf, -math.inf, 0.0], dtype=dtype), expected) is Symptom.NOT_FINITE


def test_complex_values_are_compared_by_closeness():
    expected = torch.tensor([1 + 2j, -3j], dtype=torch.complex128)
    check_close(expected + 1e-12j, expected)
    assert symptom(expected + 1e-3j, expected) is Symptom.WRONG_VALUES
    assert symptom(expected.real, expected) is Symptom.WRONG_DTYPE


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integers_and_booleans_are_compared_exactly(dtype):
    expected = torch.tensor([0, 1, 1], dtype=dtype)
    check_close(expected.clone(), expected, atol=10.0)
    assert symptom(torch.tensor([0, 1, 0], dtype=dtype), expected, atol=10.0) is Symptom.WRONG_VALUES


def test_tolerances_can_be_given_at_the_check():
    check_close(REFERENCE + 0.05, REFERENCE, atol=0.1)
    check_close(1.05, 1.0, rtol=0.1)
    assert symptom(REFERENCE + 0.2, REFERENCE, atol=0.1) is Symptom.WRONG_VALUES
    assert symptom(REFERENCE + 1e-6, REFERENCE, atol=0.0, rtol=0.0) is Symptom.WRONG_VALUES


def test_values_of_different_precision_are_compared_at_the_coarser_precision():
    check_values(REFERENCE.double(), REFERENCE)
    check_values(REFERENCE.bfloat16(), REFERENCE.double() + 1e-3)
    assert symptom(REFERENCE.bfloat16() + 0.5, REFERENCE.double(), check_values) is Symptom.WRONG_VALUES
    check_values((REFERENCE.bfloat16(), [REFERENCE]), (REFERENCE, (REFERENCE.double(),)))
    assert symptom((REFERENCE.bfloat16(), REFERENCE), (REFERENCE, -REFERENCE), check_values) is Symptom.WRONG_VALUES
    assert symptom(REFERENCE.int(), REFERENCE, check_values) is Symptom.WRONG_DTYPE
    assert symptom(torch.tensor([math.nan]), torch.ones(1, dtype=torch.float64), check_values) is Symptom.NOT_FINITE


def test_a_check_can_accept_the_accuracy_of_float32():
    expected = REFERENCE.double()
    computed_in_float32 = expected + 2e-6

    def accepting(actual, expected):
        check_values(actual, expected, accuracy=torch.float32)

    accepting([computed_in_float32], (expected,))
    assert symptom(computed_in_float32, expected, check_values) is Symptom.WRONG_VALUES
    assert symptom(expected + 1e-3, expected, accepting) is Symptom.WRONG_VALUES
    assert symptom(REFERENCE.bfloat16() + 0.5, expected, accepting) is Symptom.WRONG_VALUES


# Numbers


@pytest.mark.parametrize(
    "right", [2.5, np.float64(2.5), np.float32(2.5), np.array(2.5), torch.tensor(2.5), torch.tensor(2.5).double()]
)
def test_a_number_may_come_in_any_form(right):
    check_close(right, 2.5)
    check_close(right, np.float64(2.5))
    check_close(right, np.float32(2.5))


@pytest.mark.parametrize(
    "wrong",
    [None, True, np.bool_(True), "2.5", [2.5], (2.5,), torch.tensor([2.5]), np.array([2.5]), 2.5 + 0j, Always(), {}],
)
def test_a_result_that_is_not_a_number_is_rejected(wrong):
    assert symptom(wrong, 2.5) is Symptom.WRONG_TYPE


@pytest.mark.parametrize(
    ("actual", "expected", "kind"),
    [
        (math.nan, 1.0, Symptom.NOT_FINITE),
        (math.inf, 1.0, Symptom.NOT_FINITE),
        (1.0, math.inf, Symptom.WRONG_VALUES),
        (-math.inf, math.inf, Symptom.WRONG_VALUES),
        (1.0, math.nan, Symptom.WRONG_VALUES),
        (10**400, 1.0, Symptom.WRONG_VALUES),
        (1.0 + 1e-6, 1.0, Symptom.WRONG_VALUES),
        (2, 3, Symptom.WRONG_VALUES),
    ],
)
def test_wrong_numbers_are_refused(actual, expected, kind):
    assert symptom(actual, expected) is kind


def test_right_numbers_are_accepted():
    check_close(3, 3)
    check_close(1.0 + 1e-9, 1.0)
    check_close(math.inf, math.inf)
    check_close(math.nan, math.nan)
    check_close(1 + 2j, 1 + 2j)
    check_close(1.0, 1 + 0j)


# Containers


def test_containers_are_compared_at_every_depth():
    check_close((REFERENCE, [1.0, None]), [REFERENCE, (1.0, None)])
    check_close({"a": REFERENCE, "b": (True, "x")}, {"b": (True, "x"), "a": REFERENCE})
    assert symptom((REFERENCE, [1.0, 2.0]), (REFERENCE, [1.0, 3.0])) is Symptom.WRONG_VALUES
    assert symptom({"a": -REFERENCE}, {"a": REFERENCE}) is Symptom.WRONG_VALUES


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ((1.0,), (1.0, 2.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0)),
        (torch.tensor([1.0, 2.0]), (1.0, 2.0)),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        ("ab", ("a", "b")),
        ({0: 1.0, 1: 2.0}, (1.0, 2.0)),
        (iter((1.0, 2.0)), (1.0, 2.0)),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}),
        ({}, {"a": 1.0}),
        ([("a", 1.0)], {"a": 1.0}),
    ],
)
def test_a_different_container_is_rejected(actual, expected):
    assert symptom(actual, expected) is Symptom.WRONG_TYPE
    assert symptom(actual, expected, check_values) is Symptom.WRONG_TYPE


def test_an_unsupported_expected_value_is_the_authors_mistake():
    with pytest.raises(TypeError, match="not object"):
        check_close(1.0, object())
    with pytest.raises(TypeError, match="check_close"):
        check_equal(1.0, REFERENCE)


# Plain values


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (True, True),
        (np.bool_(True), True),
        (torch.tensor(False), False),
        (3, 3),
        (np.int32(3), 3),
        (torch.tensor(3), 3),
        ("a", "a"),
        (None, None),
        ([1, (2, "x")], [1, (2, "x")]),
        ({"a": [1]}, {"a": [1]}),
    ],
)
def test_equal_plain_values_are_accepted(actual, expected):
    check_equal(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "kind"),
    [
        (1, True, Symptom.WRONG_TYPE),
        (True, 1, Symptom.WRONG_TYPE),
        (1.0, 1, Symptom.WRONG_TYPE),
        (torch.tensor(1.0), 1, Symptom.WRONG_TYPE),
        (torch.tensor([1]), 1, Symptom.WRONG_TYPE),
        (Always(), 1, Symptom.WRONG_TYPE),
        (None, 0, Symptom.WRONG_TYPE),
        ((1, 2), [1, 2], Symptom.WRONG_TYPE),
        (2, 1, Symptom.WRONG_VALUES),
        (False, True, Symptom.WRONG_VALUES),
        ("b", "a", Symptom.WRONG_VALUES),
        ([1], [1, 2], Symptom.WRONG_VALUES),
        ({"a": 1}, {"a": True}, Symptom.WRONG_TYPE),
        ({"b": 1}, {"a": 1}, Symptom.WRONG_TYPE),
        ({"a": REFERENCE}, {"a": 1}, Symptom.WRONG_TYPE),
    ],
)
def test_different_plain_values_are_rejected(actual, expected, kind):
    assert symptom(actual, expected, check_equal) is kind


# The rest of the helpers, and the words


def test_shapes_are_reported_by_axis_and_never_by_size():
    with pytest.raises(CheckFailure) as caught:
        check_shape(torch.ones(2, 3, 4), (2, 5, 4), axes="batch, query, key")
    assert str(caught.value) == "the axis `query` has the wrong size"
    with pytest.raises(CheckFailure) as caught:
        check_shape(torch.ones(2, 3, 4), (2, 5, 4))
    assert str(caught.value) == "axis 1 of 3, counted from 0, has the wrong size"
    with pytest.raises(CheckFailure) as caught:
        check_shape(torch.ones(2), (2, 5), axes="query, key")
    assert str(caught.value) == "expected 2 axes (query, key), got 1"
    with pytest.raises(CheckFailure) as caught:
        check_shape(torch.ones(2, 5), (2,))
    assert str(caught.value) == "expected 1 axis, got 2"
    check_shape(np.ones((2, 3)), (2, 3), axes="query, key")
    check_shape(torch.ones(()), ())
    assert symptom([1.0], (1,), check_shape) is Symptom.WRONG_TYPE


def test_axes_that_do_not_fit_the_shape_are_the_authors_mistake():
    with pytest.raises(ValueError, match="1 names for 2 axes"):
        check_shape(torch.ones(2, 3), (2, 3), axes="query")


def test_types_dtypes_and_finiteness_have_checks_of_their_own():
    check_tensor_type(REFERENCE)
    check_array_type(REFERENCE.numpy())
    check_dtype(REFERENCE, torch.float32)
    check_finite(REFERENCE)
    assert symptom(Always(), torch.float32, check_dtype) is Symptom.WRONG_TYPE
    assert symptom(REFERENCE, torch.float64, check_dtype) is Symptom.WRONG_DTYPE
    for wrong in (math.nan, math.inf, -math.inf):
        with pytest.raises(CheckFailure, match="no value may be lost"):
            check_finite(torch.tensor([1.0, wrong]), says="no value may be lost")


@pytest.mark.parametrize("lie", ["parameter", "subclass", "object that equals everything", "None", "list"])
def test_each_helper_accepts_only_exact_types(lie):
    actual, _ = LIES[lie]
    assert symptom(actual, (1, 3), check_shape) is Symptom.WRONG_TYPE
    assert symptom(actual, torch.float32, check_dtype) is Symptom.WRONG_TYPE
    for check in (check_tensor_type, check_array_type, check_finite):
        with pytest.raises(CheckFailure) as caught:
            check(actual)
        assert caught.value.symptom is Symptom.WRONG_TYPE
    with pytest.raises(CheckFailure):
        check_array_type(np.ma.masked_array(REFERENCE.numpy(), mask=True))


@pytest.mark.parametrize("truthy", [1, "yes", torch.tensor(True), np.bool_(True), Always(), None])
def test_a_condition_must_be_a_bool(truthy):
    with pytest.raises(TypeError):
        check_that(truthy, "a law")


def test_a_condition_that_is_false_fails_with_its_sentence():
    check_that(True, "a law")
    with pytest.raises(CheckFailure, match=r"^a law$"):
        check_that(False, "a law")


def test_the_authors_sentence_replaces_only_the_symptom_of_wrong_values():
    with pytest.raises(CheckFailure, match=r"^rows must sum to one$"):
        check_close(REFERENCE + 1, REFERENCE, says="rows must sum to one")
    assert symptom(REFERENCE[0], REFERENCE, says="rows must sum to one") is Symptom.WRONG_AXES
    with pytest.raises(CheckFailure) as caught:
        check_close(REFERENCE * math.nan, REFERENCE, says="rows must sum to one")
    assert str(caught.value) == "the result contains NaN or infinity"


def test_no_message_contains_a_value_or_a_size():
    expected = torch.full((13, 17), 0.12345)
    wrong = torch.full((13, 17), 0.98765)
    for actual in (wrong, torch.ones(13, 19), torch.ones(29), None, expected.double(), expected.tolist()):
        with pytest.raises(CheckFailure) as caught:
            check_close(actual, expected)
        assert not any(secret in str(caught.value) for secret in ("0.1", "0.9", "13", "17", "19", "29"))


# Expected errors


def raising(body: str) -> Student:
    session = InProcessSession()
    session.load({"made": f"def f():\n    {body}\n"}, "made")
    return Student(session)


def test_an_expected_error_is_accepted():
    for body in ("raise ValueError('x')", "raise type('Mine', (ValueError,), {})()", "int('x')"):
        with check_raises(ValueError):
            raising(body).f()
    with check_raises(ValueError, TypeError):
        raising("raise TypeError").f()


def test_another_error_or_none_fails():
    with pytest.raises(CheckFailure) as caught, check_raises(ValueError, TypeError):
        raising("raise KeyError('secret')").f()
    assert str(caught.value) == "expected ValueError or TypeError, but an error of another type was raised"
    assert isinstance(caught.value.__cause__, SubmissionError), "whose line the report names"
    says = "odd sizes must be refused"
    with pytest.raises(CheckFailure, match=says), check_raises(ValueError, says=says):
        raising("return 1").f()


def test_the_message_must_contain_the_required_numbers():
    with check_raises(ValueError, naming=(10, 3)):
        raising("raise ValueError('10 is not a multiple of 3.')").f()
    for message in ("not divisible", "10 features", "103", ""):
        with pytest.raises(CheckFailure, match="the required numbers"), check_raises(ValueError, naming=(10, 3)):
            raising(f"raise ValueError({message!r})").f()


def test_a_stub_has_not_attempted_to_raise():
    with pytest.raises(SubmissionError, match="NotImplementedError"), check_raises(RuntimeError):
        raising("raise NotImplementedError").f()  # a RuntimeError by descent


def test_the_death_of_a_worker_is_not_an_error_of_the_submission():
    with pytest.raises(WorkerDied), check_raises(Exception):
        raise WorkerDied(DeathReason.EXITED)
    with pytest.raises(ValueError, match="ours"), check_raises(ValueError):
        raise ValueError("ours")
