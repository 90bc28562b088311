"""Copied work is shown side by side; independent work, stubs and short formulas are not."""

import re
import sys
import tokenize

import pytest
from click.testing import CliRunner
from tiny_lab import LOOP, MODULE, STAGE

from autograder.cli import main
from autograder.course.lab import Lab
from autograder.integrations.own_lines import own_lines
from autograder.release import strip_solutions

ORIGINAL = '''\
import torch


def double(x):
    """Twice the input."""
    pieces = []
    for piece in x.reshape(-1):
        pieces.append(piece * 2 - 0)  # one at a time
    stacked = torch.stack(pieces) if pieces else torch.empty(0)
    return stacked.reshape(x.shape).to(x.dtype)


def total(x, axis):
    order = [axis % x.ndim] + [other for other in range(x.ndim) if other != axis % x.ndim]
    moved = x.permute(*order)
    result = moved[0].clone()
    for index in range(1, moved.shape[0]):
        result = result + moved[index]
    return result
'''
NAMES = {
    "pieces": "parts", "piece": "part", "stacked": "all_of_them", "order": "axes", "other": "k", "moved": "turned",
    "result": "answer", "index": "i", "  # one at a time": "",
}  # fmt: skip
INDEPENDENT = """\
import torch


def double(x):
    return torch.einsum("...,->...", x, torch.tensor(2.0, dtype=x.dtype))


def total(x, axis):
    weights = torch.ones(x.shape[axis], dtype=x.dtype)
    return torch.tensordot(x, weights, dims=([axis], [0]))
"""


def renamed(text: str) -> str:
    for old, new in NAMES.items():
        text = text.replace(old, new)
    return "# my own work\n\n" + text


@pytest.fixture
def compare(tiny_lab: Lab, tmp_path):
    """Hand in modules, and run the command; its output, and the page."""

    def run(modules: dict[str, str], *options: str) -> tuple[str, str]:
        for student, text in modules.items():
            path = tmp_path / "class" / student / STAGE / f"{MODULE}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        page = tmp_path / "similar.html"
        arguments = ["--lab", str(tiny_lab.root), "similarity", str(tmp_path / "class"), "--html", str(page), *options]
        done = CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output, page.read_text(encoding="utf-8")

    return run


def test_renamed_copies_are_found_and_shown_side_by_side(compare):
    output, page = compare({"ada": ORIGINAL, "bob": renamed(ORIGINAL), "cem": INDEPENDENT, "dee": LOOP})
    (row,) = [line for line in output.splitlines() if line.startswith(STAGE) and "lines" in line]
    assert "ada" in row
    assert "bob" in row
    assert "double, total" in row
    assert "cem" not in page
    marked = page.count('<tr class="shared">')
    assert marked >= 16  # at least eight lines of each
    assert "turned" in page
    assert not re.search(r"\d ?%", page.partition("<body>")[2])  # no score


def test_equal_solutions_of_the_course_and_stubs_are_not_evidence(tiny_lab, compare):
    stub = strip_solutions(tiny_lab.stage(STAGE).reference_source(), "tiny.py")
    output, page = compare({"ada": LOOP, "bob": LOOP, "cem": stub, "dee": stub + "\n# begun\nbegun = True\n"})
    assert "no two hand-ins share 6 lines" in output
    assert '<tr class="shared">' not in page


def test_what_many_students_share_is_not_evidence(compare):
    output, _ = compare({f"student{number:02}": ORIGINAL for number in range(12)})
    assert "no two hand-ins share" in output


def test_a_module_that_is_not_python_is_named_and_the_others_are_compared(compare):
    output, _ = compare({"ada": ORIGINAL, "bob": renamed(ORIGINAL), "eve": "def double(x):\n  '''never ends\n"})
    assert "eve was not compared" in output
    assert "ada" in output


def test_a_page_shows_hostile_code_as_text(compare):
    evil = ORIGINAL.replace("pieces = []", "pieces = []; note = '<script>alert(1)</script>'")
    _, page = compare({"ada": evil, "bob": renamed(evil)})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_own_lines_are_those_that_the_stub_lacks():
    stub = '"""Stage."""\n\n\ndef double(x):\n    """Twice."""\n    raise NotImplementedError("double")\n'
    source = stub.replace(
        'raise NotImplementedError("double")', "y = x\n    # a comment\n    return (\n        y + y\n    )"
    )
    lines = own_lines(source, stub)
    assert [(line.number, line.function) for line in lines] == [(6, "double"), *((n, "double") for n in (8, 9, 10))]
    with pytest.raises((tokenize.TokenError, SyntaxError)):
        own_lines("x = '''", stub)


def test_without_the_library_the_command_says_what_to_install(tiny_lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "autograder.feedback.similarity_page", None)
    done = CliRunner().invoke(main, ["--lab", str(tiny_lab.root), "similarity", str(tiny_lab.root)])
    assert done.exit_code == 2
    assert "pip install -c constraints.txt -e '.[similarity]'" in " ".join(done.output.split())
