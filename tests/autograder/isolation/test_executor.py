"""An executor compiles the given source texts, imports nothing else, and runs requests on them."""

import random
import sys

import numpy as np
import pytest
import torch

from autograder.isolation.errors import value_of
from autograder.isolation.executor import Executor
from autograder.isolation.wire import Handle, Reference


class Loaded:
    """An executor with loaded modules and shortcuts for requests."""

    def __init__(self, main: str = "m", **modules: str) -> None:
        self.executor = Executor()
        self.request("load", modules=modules, main=main)

    def request(self, op: str, **arguments):
        return value_of(self.executor.answer(op, arguments))

    def call(self, path: str, *args, owner: int = 0, grad: bool = False, **kwargs):
        target = Reference(path, owner)
        return self.request("call", target=target, args=list(args), kwargs=kwargs, grad=grad)

    def value(self, path: str, *args, **kwargs):
        return self.call(path, *args, **kwargs)[0]


def test_modules_import_each_other():
    loaded = Loaded("b", a="def f(): return 1", b="from a import f\nimport a\ndef g(): return f() + a.f()")
    assert loaded.value("g") == 2


def test_a_module_that_is_not_imported_is_not_run():
    assert Loaded(m="x = 1\ndef f(): return x", other="raise SystemExit").value("f") == 1


def test_sources_hide_installed_packages_of_the_same_name():
    loaded = Loaded(m="import hypothesis\ndef f(): return hypothesis.here", hypothesis="here = 'ours'")
    assert loaded.value("f") == "ours"


@pytest.mark.parametrize("name", ["random", "torch", "numpy", "math"])
def test_a_source_cannot_replace_a_reserved_module(name):
    loaded = Loaded(m=f"import {name}\ndef f(): return hasattr({name}, 'hijacked')", **{name: "hijacked = True"})
    assert loaded.value("f") is False
    with pytest.raises(ValueError, match="not the name of a module"):
        Loaded(name, **{name: "x = 1"})


@pytest.mark.parametrize(
    ("name", "modules"), [("m", {}), ("m", {"other": ""}), ("a.b", {"a.b": ""}), ("../m", {"../m": ""})]
)
def test_a_module_that_is_not_in_the_request_cannot_be_loaded(name, modules):
    with pytest.raises(ValueError, match="module"):
        Loaded(name, **modules)


def test_executors_hold_modules_of_the_same_name_side_by_side():
    source = "import n\ndef f(): return n.x"
    first, second = Loaded(m=source, n="x = 1"), Loaded(m=source, n="x = 2")
    assert (first.value("f"), second.value("f"), first.value("f")) == (1, 2, 1)


def test_late_imports_find_the_sources_too():
    first = Loaded(m="def f():\n    import late\n    return late.x", late="x = 1")
    second = Loaded(m="def f():\n    import late\n    return late.x", late="x = 2")
    assert (first.value("f"), second.value("f"), first.value("f")) == (1, 2, 1)


def test_a_source_is_not_importable_after_the_request():
    Loaded(m="x = 1")
    assert "m" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        __import__("m")


def test_a_declared_encoding_is_ignored():
    loaded = Loaded(m="# coding: utf-7\nx = '+AGE-'\ndef f(): return x")
    assert loaded.value("f") == "+AGE-"


def test_helper_functions_can_be_called_with_functions_of_the_submission():
    loaded = Loaded(m="def double(x): return 2 * x\nclass Local: pass")
    helper = loaded.request("define", source="import math\nfrom math import sqrt\ndef twice(f, x): return f(f(x))")
    assert list(helper) == ["twice"]
    reply = loaded.request("call", target=helper["twice"], args=[Reference("double"), 3], kwargs={}, grad=False)
    assert reply == (12, 0, [])


def test_kept_objects_are_used_through_handles():
    box_class = "class Box:\n    def __init__(self, x): self.x = x\n    def get(self): return self.x\n"
    loaded = Loaded(m=box_class + "def open_(box): return box.x")
    box = loaded.value("Box", 5)
    assert isinstance(box, Handle)
    assert box.type == "Box"
    assert loaded.value("get", owner=box.id) == 5
    assert loaded.value("open_", box) == 5
    assert loaded.request("value", target=Reference("x", box.id)) == 5
    assert loaded.value("open_", box=box) == 5


def test_parts_of_a_value_that_cannot_be_sent_become_handles():
    source = """
import torch
class Strange: pass
def f(): return {"a": [1, (2, {3, 1})], "b": Strange(), "c": torch.ones(1), "d": {(1, 2): 3}, "e": torch.float32}
"""
    value = Loaded(m=source).value("f")
    assert value["a"] == [1, (2, (1, 3))]
    assert isinstance(value["b"], Handle)
    assert isinstance(value["d"], Handle)
    assert (value["c"].tolist(), value["e"]) == ([1.0], torch.float32)


def test_a_graph_is_kept_if_an_output_requires_grad():
    loaded = Loaded(m="def f(x, y): return x * y, x.detach(), x.argmax()\ndef g(x): return x")
    x, y = torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor([5.0, 7.0], requires_grad=True)
    _, graph, flags = loaded.call("f", x, y, grad=True)
    assert flags == [True, False, False]
    assert loaded.call("f", x, y, grad=False)[1:] == (0, [False, False, False])
    assert loaded.call("g", torch.ones(1), grad=True)[1:] == (0, [False])
    cotangents = [torch.ones(2), None, None]
    for _ in range(2):  # the gradients of leaves do not accumulate
        gradients = loaded.request("vjp", graph=graph, cotangents=cotangents)
        assert [gradient.tolist() for gradient in gradients] == [[5.0, 7.0], [2.0, 3.0]]


def test_gradients_of_parameters_accumulate():
    loaded = Loaded(m="import torch\nclass Net(torch.nn.Linear): pass")
    net = loaded.value("Net", 2, 1, bias=False)
    call = {"target": net, "args": [torch.ones(1, 2)], "kwargs": {}, "grad": True}
    for expected in (1.0, 2.0):
        _, graph, _ = loaded.request("call", **call)
        loaded.request("vjp", graph=graph, cotangents=[torch.ones(1, 1)])
        assert loaded.request("gradients", target=net)["weight"].tolist() == [[expected, expected]]


def test_a_dropped_graph_is_an_error():
    loaded = Loaded(m="def f(x): return x * 2")
    x = torch.ones(1, requires_grad=True)
    _, first, _ = loaded.call("f", x, grad=True)
    for _ in range(1024):
        loaded.call("f", x, grad=True)
    with pytest.raises(RuntimeError, match="no longer kept"):
        loaded.request("vjp", graph=first, cotangents=[torch.ones(1)])


def test_a_seed_sets_every_generator():
    source = "import random, numpy, torch\ndef f(): return random.random(), numpy.random.rand(), torch.rand(()).item()"
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        loaded = Loaded(m=source)
        at_start = loaded.value("f")
        loaded.request("seed", number=0)
        assert loaded.value("f") == at_start
        loaded.request("seed", number=2**40 + 1)
        other = loaded.value("f")
        assert all(before != after for before, after in zip(at_start, other, strict=True))
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])


def test_an_invalid_request_is_an_error():
    with pytest.raises(KeyError):
        Loaded(m="").request("no such operation")
    with pytest.raises(TypeError):
        Loaded(m="").request("seed")
    with pytest.raises(AttributeError):
        Loaded(m="").value("missing")
