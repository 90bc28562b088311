"""The device probe detects tensors that are created on the CPU whatever the input's device."""

import pytest
import torch

from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.compare import CheckFailure, Symptom
from autograder.judge.probes import check_keeps_device

LOOK_UP = """
import torch
from torch import nn

class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 4)

    def forward(self, x):
        return x + self.embedding({indices})
"""


def lookup(indices: str) -> tuple[Student, object]:
    session = InProcessSession()
    session.load({"lookup": LOOK_UP.format(indices=indices)}, "lookup")
    student = Student(session)
    return student, student.Lookup()


def test_indices_made_on_the_device_pass():
    student, module = lookup("torch.arange(x.shape[1], device=x.device)")
    check_keeps_device(student, module, torch.ones(2, 3, 4))


def test_indices_made_on_the_cpu_are_found():
    student, module = lookup("torch.arange(x.shape[1])")
    with pytest.raises(CheckFailure) as failure:
        check_keeps_device(student, module, torch.ones(2, 3, 4))
    assert failure.value.symptom is Symptom.WRONG_DEVICE
