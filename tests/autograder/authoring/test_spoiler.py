"""Spoiled exercises keep the form of their results and lose every value."""

import numpy as np
import pytest
import torch

from autograder.authoring.spoiler import FORMULAS, NOTHING, Spoiler

VALUES = torch.tensor([[1.0, 2.0, 4.0], [0.25, 3.0, 7.0]])


@pytest.mark.parametrize("kind", FORMULAS)
def test_every_value_differs_and_the_form_stays(kind):
    def root(x):
        return {"roots": (x.sqrt(), x.sum(0)), "big": x > 5, "count": x.numel(), "name": "root", "array": x.numpy()}

    right, wrong = root(VALUES), Spoiler(kind)(root)(VALUES)
    for expected, found in zip(right["roots"], wrong["roots"], strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert (found != expected).any()
    assert (wrong["big"] != right["big"]).all()
    assert (wrong["count"], wrong["name"]) == (7, "rootr")
    assert isinstance(wrong["array"], np.ndarray)
    assert wrong["array"].dtype == np.float32


@pytest.mark.parametrize("kind", ["doubled", "zeros", "reversed", "noise", "echoed"])
def test_gradients_still_flow(kind):
    x = VALUES.clone().requires_grad_()
    Spoiler(kind)(lambda x: x.exp())(x).sum().backward()
    assert x.grad is not None


def test_only_the_outermost_call_is_spoiled():
    spoiled = Spoiler("negated")
    inner = spoiled(lambda x: x + 1)
    outer = spoiled(lambda x: inner(x) * 2)
    assert outer(torch.ones(1)).tolist() == [-4.0]
    assert inner(torch.ones(1)).tolist() == [-2.0]


def test_methods_and_properties_are_spoiled_and_parameters_stay():
    @Spoiler("shifted")
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x * self.weight

        @property
        def size(self):
            return 2

    scale = Scale()
    assert scale(torch.zeros(2)).tolist() == [1.0, 1.0]
    assert scale.size == 3
    assert scale.weight.tolist() == [1.0, 1.0]


def test_what_changes_in_place_is_spoiled():
    @Spoiler("doubled")
    def halve_gradients(parameters):
        for parameter in parameters:
            parameter.grad.mul_(0.5)

    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.ones(1)
    halve_gradients([parameter])
    assert parameter.grad.item() == 1.0
    assert parameter.item() == 0.0


def test_nothing_is_none():
    assert Spoiler(NOTHING)(lambda x: x)(VALUES) is None
