"""What a module's definitions build on is computed from its source."""

from autograder.course.dependencies import builds_on, extract, in_dependency_order

SOURCE = '''\
"""A module."""

from __future__ import annotations

import math
import torch
from torch import Tensor, nn

WIDTH = math.tau
UNUSED: int = len("secret")


def softmax(x: Tensor) -> Tensor:
    return x.exp()


def _masked(x):
    return softmax(x) * WIDTH


def attention(x):
    return _masked(x)


class Cache:
    size = 1


class Layer(nn.Module):
    def forward(self, x, cache: Cache | None = None):
        return attention(x)


def other(x):
    return torch.softmax(x, -1)
'''
EXERCISES = ["softmax", "attention", "Layer", "Cache", "other"]


def test_an_exercise_builds_on_what_its_definition_reaches():
    assert builds_on(SOURCE, EXERCISES) == {
        "softmax": (),
        "attention": ("softmax",),
        "Layer": ("softmax", "attention", "Cache"),
        "Cache": (),
        "other": (),
    }


def test_an_exercise_without_a_definition_builds_on_nothing():
    assert builds_on(SOURCE, ["softmax", "trained_model"]) == {"softmax": (), "trained_model": ()}


def test_exercises_come_after_those_that_they_build_on():
    levels = in_dependency_order(builds_on(SOURCE, EXERCISES))
    assert levels == [["softmax", "Cache", "other"], ["attention"], ["Layer"]]


def test_exercises_that_build_on_each_other_share_a_level():
    assert in_dependency_order({"even": ("odd",), "odd": ("even",), "half": ("even", "odd")}) == [
        ["even", "odd", "half"]
    ]


def test_an_extract_holds_what_the_names_need_and_nothing_else():
    namespace: dict[str, object] = {}
    exec(extract(SOURCE, ["attention"]), namespace)
    assert {"softmax", "attention", "_masked", "WIDTH", "math", "Tensor"} <= namespace.keys()
    assert not {"Layer", "Cache", "other", "UNUSED", "torch"} & namespace.keys()
    assert extract(SOURCE, ["no_such_name"]) == "from __future__ import annotations"
