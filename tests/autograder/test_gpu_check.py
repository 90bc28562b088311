"""The parts of ``tools.gpu_check``, on the CPU with tiny sizes."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from autograder.course.lab import Lab
from tools import gpu_check

TINY = gpu_check.Sizes(
    device="cpu",
    config="cpu",
    options=("--tokens", "1600", "--evaluations", "1", "--batch-size", "2", "--context-length", "8", "--d-model", "16",
             "--num-heads", "2", "--num-blocks", "1", "--d-hidden", "16"),
    steps=1,
    tests=("tests/autograder/test_gpu_check.py", "-k", "a_command_that_ends"),
)  # fmt: skip


def test_without_a_card_it_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(gpu_check.main)
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1


def test_a_command_that_ends_and_a_command_that_does_not(tmp_path):
    assert gpu_check.run(["echo", "a"], tmp_path, 60)[0] == 0
    code, output = gpu_check.run(["sleep", "60"], tmp_path, 0.1)
    assert (code, "did not end" in output) == (124, True)


@pytest.mark.slow
def test_the_parts_run_on_the_cpu(monkeypatch):
    lines = []
    results = gpu_check.check(Lab.find(Path(__file__).parent), TINY, lines.append)
    parts = results["parts"]
    assert [title for title, part in parts.items() if not part["ok"]] in ([], ["compiled training"]), parts
    assert parts["training"]["tokens"] == 1600
    assert parts["speed"]["ratio"] > 0
    text = gpu_check.page(results)
    assert text.count("| ok |") >= 3
