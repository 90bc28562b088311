"""The instructor's notes about forbidden calls."""

import pytest
from tiny_lab import GRADING

from autograder.base.results import CheckResult, Outcome
from autograder.course.config import Stage, load_config
from autograder.judge.evidence import forbidden_call_notes


@pytest.fixture
def stage(tmp_path) -> Stage:
    path = tmp_path / "grading.yml"
    path.write_text(GRADING.replace("bonus: true", "bonus: true\n        forbid: [torch.softmax]"), encoding="utf-8")
    return load_config(path).stages["1_tiny"]


def result(name: str, exercise: str, where: str, forbidden: str = "torch.softmax") -> CheckResult:
    return CheckResult(
        id=name, title="", exercise=exercise, outcome=Outcome.FAILED, points=1, where=where, forbidden=forbidden
    )


def test_a_call_is_noted_once_with_its_line_and_every_exercise_it_failed(stage):
    checks = [
        result("test_a", "halve", "tiny.py, line 3, halve"),
        result("test_b", "halve", "tiny.py, line 3, halve"),
        result("test_c", "double", "tiny.py, line 3, halve"),
        result("test_d", "double", "tiny.py, line 9, double", "torch.nn.functional.gelu"),
        result("test_e", "double", "tiny.py, line 9, double", ""),
    ]
    assert forbidden_call_notes(stage, "", checks) == (
        "tiny.py, line 3, halve: calls torch.softmax, which halve and double must not",
        "tiny.py, line 9, double: calls F.gelu, which double must not",
    )


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("exec('x')", "exec"),
        ("y = eval(x)", "eval"),
        ("import ctypes", "ctypes"),
        ("m = __import__('torch')", "__import__"),
        ("from torch import nn, ops", "ops"),
        ("y = torch.ops.aten.exp(x)", "ops"),
        ("y = torch._C._nn.gelu(x)", "_C"),
        ("f = getattr(torch.nn.functional, 'so' + 'ftmax')", "getattr"),
        ("f = vars(F)['so' + 'ftmax']", "vars"),
        ("f = torch.__dict__['softmax']", "__dict__"),
        ("g = torch.jit.script(f)", "jit"),
        ("s = inspect.stack()", "inspect"),
        ("x = error.__traceback__", "__traceback__"),
        ("x = frame.f_locals['self']", "f_locals"),
        ("g = F.layer_norm.__wrapped__", "__wrapped__"),
        ("g = torch._refs.native_layer_norm", "_refs"),
        ("from torch._decomp import decompositions as d", "_decomp"),
        ("o = AdamW.__new__(AdamW)", "__new__"),
        ("g = operator.attrgetter('a')", "attrgetter"),
        ("g = torch.importlib", "importlib"),
        ("m = sys.modules['torch']", "modules"),
        ("from sys import modules as m", "modules"),
        ("g = getattr(f, '__co' + 'de__')", "getattr"),
        ("g = getattr(f, '__code__')", "__code__"),
        ("g = getattr", "getattr"),
        ("import ｇｃ", "gc"),
        ("e = eval", "eval"),
    ],
)
def test_code_that_could_hide_a_call_is_noted(stage, line, word):
    note = f"tiny.py, line 3: {word} could hide a forbidden call"
    assert forbidden_call_notes(stage, f"import torch\n\n{line}\n", []) == (note,)


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "# exec(x)",
        "y = 'torch.ops'",
        "f = getattr(self, 'name')",
        "f = getattr(self, 'name', None)",
        "y = re.compile('a')",
        "def eval(self): return super().__init__()",
        "y = self.modules()",
        "from torch import Tensor, nn",
        "execute(x)",
        "y = x.library",
    ],
)
def test_harmless_code_is_not_noted(stage, line):
    assert forbidden_call_notes(stage, f"import torch\n{line}\n", []) == ()


def test_text_that_is_not_python_is_read_up_to_the_first_error(stage):
    for text in ("exec('x')\ndef f(:\n  '''", "exec('x')\n  if:\n x", "exec('x')\n\x00"):
        assert len(forbidden_call_notes(stage, text, [])) == 1
    assert forbidden_call_notes(stage, "x = " + "(" * 100_000, []) == ()


def test_each_word_is_noted_once_so_that_others_do_not_bury_it(stage):
    notes = forbidden_call_notes(stage, "exec('x')\n" * 1000 + "import gc\n", [])
    assert notes == (
        "tiny.py, line 1: exec could hide a forbidden call",
        "tiny.py, line 1001: gc could hide a forbidden call",
    )


def test_a_long_statement_is_searched_to_its_end(stage):
    assert len(forbidden_call_notes(stage, "x = [" + "1, " * 50_000 + "gc]\n", [])) == 1


def test_a_stage_that_forbids_nothing_has_no_notes(tmp_path):
    path = tmp_path / "grading.yml"
    path.write_text(GRADING, encoding="utf-8")
    assert forbidden_call_notes(load_config(path).stages["1_tiny"], "exec('x')\n", []) == ()
