"""Functions that an exercise forbids: named at home, with the line, in exactly the code that is refused."""

import dataclasses
from pathlib import Path

import pytest
from tiny_lab import MODULE, STAGE

from autograder.course.lab import Lab
from lab.code import Module
from lab.course import Course
from lab.forbidden import forbidden_calls
from lab.portability import remarks

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "solutions").glob("[1-9]*_*/alternatives/*.py"))


@pytest.fixture(scope="module")
def released() -> Course:
    return Course.load(ROOT / "assignments")


def test_every_forbidden_function_reaches_the_students(released):
    lab = Lab.find(ROOT)
    forbid = {exercise.key: exercise.forbid for exercise in released.exercises}
    assert any(forbid.values())
    for stage in lab.stages():
        for name, exercise in stage.spec.exercises.items():
            assert forbid[f"{stage.id}/{name}"] == exercise.forbidden


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_exactly_the_refused_lines_of_right_solutions_are_named(released, file):
    """Authors mark the lines that the grader refuses: `autograder verify` proves the marks."""
    stage = next((stage for stage in released.stages if stage.id == file.parts[-3]), None)
    if stage is None:
        pytest.skip("this stage is not in grading.yml yet")
    text = file.read_text(encoding="utf-8")
    named = {line for line, _ in forbidden_calls(stage, Module.parse(text, file.name))}
    marked = {number for number, line in enumerate(text.split("\n"), 1) if line.endswith("# refused")}
    # A class that inherits from a forbidden class is named in its first line, and refused in a later one.
    assert len(named) == len(marked)
    assert all(0 <= mark - line <= 2 for line, mark in zip(sorted(named), sorted(marked), strict=True))


@pytest.mark.parametrize(
    ("code", "line", "name"),
    [
        ("import torch.nn.functional as F\ndef f(x):\n    return F.softmax(x, -1)", 3, "F.softmax"),
        ("from torch import softmax as s\ndef f(x):\n    return s(x, -1)", 3, "s"),
        ("import torch\ndef f(x):\n    return torch.special.softmax(x, -1)", 3, "torch.special.softmax"),
        ("def f(x):\n    y = 2 * x\n    return y.softmax(-1)", 3, "y.softmax"),
        ("import torch\ng = torch.softmax\ndef h(x):\n    return g(x, -1)\ndef f(x):\n    return h(x)", 4, "g"),
        ("from torch import nn\nclass f(nn.LayerNorm):\n    pass", 2, "nn.LayerNorm"),
        ("from torch.nn import functional as G\ndef f(x):\n    return G.layer_norm(x, (2,))", 3, "G.layer_norm"),
    ],
)
def test_each_way_to_write_a_call_is_named(released, code, line, name):
    assert named(released, code) == {line: name}


@pytest.mark.parametrize(
    "code",
    [
        "from attention import softmax\ndef f(x):\n    return softmax(x)",
        "import torch\ndef other(x):\n    return torch.softmax(x, -1)\ndef f(x):\n    return x",
        "class f:\n    def softmax(self, x): ...\n    def forward(self, x):\n        return self.softmax(x)",
        "import torch\ndef f(x):\n    '''Like torch.softmax.'''\n    return torch.exp(x)  # not torch.softmax",
    ],
)
def test_other_code_is_not_named(released, code):
    assert named(released, code) == {}


def named(course: Course, code: str) -> dict[int, str]:
    forbid = ("torch.softmax", "torch.nn.functional.layer_norm", "torch.nn.LayerNorm")
    exercise = dataclasses.replace(course.exercises[0], name="f", forbid=forbid)
    stage = dataclasses.replace(course.stages[0], exercises=(exercise,))
    return {line: text.split("`")[1] for line, text in forbidden_calls(stage, Module.parse(code, "f.py"))}


def test_the_remark_names_the_exercise_and_the_line(course, write):
    write(double="return torch.softmax(x, -1)")
    stage = course.stages[0]
    double = dataclasses.replace(stage.exercises[0], forbid=("torch.softmax",))
    (remark,) = remarks(course, dataclasses.replace(stage, exercises=(double, *stage.exercises[1:])))
    line = (course.root / STAGE / f"{MODULE}.py").read_text(encoding="utf-8").split("torch.softmax")[0].count("\n") + 1
    assert (remark.file, remark.line) == (f"{STAGE}/{MODULE}.py", line)
    assert remark.text.startswith("`torch.softmax` is not allowed in double")
