"""The judge's probes work in a locked worker; they need no files of torch."""

import pytest
import torch
from workers import load, open_workers, require

from autograder.base.results import IsolationLevel
from autograder.isolation.process import Template
from autograder.judge.compare import CheckFailure
from autograder.judge.probes import check_inputs_unchanged, check_keeps_device

SOURCE = """
import torch
from torch import nn

def keeps(x): return torch.softmax(x + torch.zeros_like(x), -1)
def mixes(x): return x + torch.zeros(x.shape)
def stays(x): return torch.zeros(x.shape)
def looks(x): return x * 2 if x.sum() > 0 else x
def changes(x): return x.add_(1)

class Net(nn.Module):
    def __init__(self, buffered):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        if buffered:
            self.register_buffer("offset", torch.ones(8))
        else:
            self.offset = torch.ones(8)
    def forward(self, x): return self.layer(x + self.offset)
"""


@pytest.fixture(scope="module", params=[IsolationLevel.KERNEL, IsolationLevel.CONTAINER], ids=str)
def student(request, template):
    """The submission in a worker that may read torch's files, and in a worker that cannot open any file."""
    if request.param is IsolationLevel.KERNEL:
        opener, spawned = open_workers(template)
        yield load(opener(), SOURCE)
        for worker in spawned:
            worker.kill()
        return
    require(IsolationLevel.KERNEL)  # has seccomp as well
    with Template.start(level=IsolationLevel.CONTAINER) as container:
        yield load(container.spawn(), SOURCE)


def test_a_function_that_stays_on_the_device_passes(student):
    check_keeps_device(student, student.keeps, torch.randn(2, 3))


@pytest.mark.parametrize("name", ["mixes", "stays"])
def test_a_function_that_creates_tensors_on_the_cpu_fails(student, name):
    with pytest.raises(CheckFailure):
        check_keeps_device(student, getattr(student, name), torch.randn(2, 3))


def test_a_function_that_depends_on_values_is_not_checked(student):
    check_keeps_device(student, student.looks, torch.randn(2, 3))


def test_a_module_with_a_buffer_passes_and_a_module_with_a_plain_attribute_fails(student):
    check_keeps_device(student, student.Net(True), torch.randn(2, 3, 8))
    with pytest.raises(CheckFailure):
        check_keeps_device(student, student.Net(False), torch.randn(2, 3, 8))


def test_a_changed_input_is_detected(student):
    check_inputs_unchanged(student, student.keeps, torch.randn(2, 3))
    with pytest.raises(CheckFailure):
        check_inputs_unchanged(student, student.changes, torch.randn(2, 3))
