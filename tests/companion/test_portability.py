"""Code that works on the student's machine and not where it is graded: each kind is named with its line."""

import pytest
from click.testing import CliRunner
from tiny_lab import MODULE, STAGE

from lab import ci, cli
from lab.portability import remarks

FILE = f"{STAGE}/{MODULE}.py"


@pytest.fixture
def found(course, write):
    """Write code at the end of the module; return the remarks as line within that code → text."""

    def examine(code: str) -> dict[int, str]:
        write(top=f"\n{code}\n")
        text = (course.root / FILE).read_text(encoding="utf-8")
        before = text[: text.index(f"\n{code}\n")].count("\n") + 1
        return {remark.line - before: remark.text for remark in remarks(course, course.stages[0])}

    return examine


@pytest.mark.parametrize(
    ("code", "line", "says"),
    [
        ("x = 1\nimport einops", 2, "`einops` is not installed"),
        ("from tqdm.auto import tqdm", 1, "`tqdm` is not installed"),
        ("def f():\n    import pandas as pd", 2, "`pandas` is not installed"),
        ("import pytest\nclose = pytest.approx(1)", 1, "`pytest` is not available"),
        ("from hypothesis import given\n@given()\ndef test(): ...", 1, "`hypothesis` is not available"),
        ("from .tiny import double", 1, "a relative import does not work"),
        (f"from {MODULE} import my_helper", 1, f"a working {MODULE}.py may stand in for yours"),
        ("import itertools\nx = list(itertools.batched('ab', 1))", 2, "`itertools.batched` needs Python 3.12"),
        ("try:\n    x = 1\nfinally:\n    from typing import override", 4, "`typing.override` needs Python 3.12"),
        ("with open('data.txt') as file:\n    x = file", 1, "has no files"),
        ("from pathlib import Path\nx = Path('a').read_text()", 2, "has no files"),
        ("import torch\nclass A:\n    x = torch.load('a.pt')", 3, "has no files"),
        ("import os\nx = sorted(os.listdir('..'))", 2, "has no files"),
        ("import subprocess\nsubprocess.run(['ls'])", 2, "has no files, network or programs"),
    ],
)
def test_each_kind_is_named_with_its_line(found, code, line, says):
    answer = found(code)
    assert list(answer) == [line]
    assert says in answer[line]


@pytest.mark.parametrize(
    "code",
    [
        "import math, numpy as np, torch\nfrom torch import nn\nimport torch.nn.functional as F",
        f"from {MODULE} import double, torch",
        "import pytest",
        "from pytest import Item\ndef f(x: Item) -> Item: ...",
        "try:\n    import einops\nexcept ImportError:\n    einops = None",
        "if __name__ == '__main__':\n    import pandas\n    print(open('data.txt').read())",
        "def load(path):\n    with open(path) as file:\n        return file.read()",
        "class Batch:\n    def load(self): ...\nBatch().load()",
    ],
)
def test_what_works_where_it_is_graded_has_no_remark(found, code):
    assert found(code) == {}


def test_a_file_beside_the_module_is_not_graded(course, found):
    (course.root / STAGE / "my_helpers.py").write_text("x = 1\n", encoding="utf-8")
    assert found("from my_helpers import x") == {
        1: f"only {MODULE}.py is graded: move the code that it needs from my_helpers.py into it"
    }


@pytest.mark.parametrize(("oldest", "line"), [("3.7", 2), ("3.8", None)])
def test_syntax_that_the_oldest_python_lacks_is_named(course, found, oldest, line):
    object.__setattr__(course.grading, "python", oldest)
    answer = found("x = 1\nif (y := x): ...")
    assert list(answer) == ([line] if line else [])
    assert all(f"grading may run on Python {oldest}" in text for text in answer.values())


def test_check_and_submit_and_ci_show_the_remarks(course, write, monkeypatch):
    write(double="return 2 * x", total="return x.sum(axis)", halve="return x / 2", top="\nimport json, einops\n")
    line = (course.root / FILE).read_text(encoding="utf-8").count("\n")
    monkeypatch.chdir(course.root)
    monkeypatch.setitem(__import__("sys").modules, "einops", None)
    says = f"{FILE}, line {line}: `einops` is not installed"
    for command in (["check", "double"], ["submit", "--student", "ada"]):
        assert says in CliRunner().invoke(cli.cli, command).output.replace("\n", " ")
    annotations = list(ci.commands(course, []))
    assert f"::warning file={FILE},line={line},title=Where it is graded::`einops` is not installed" in "".join(
        annotations
    )
