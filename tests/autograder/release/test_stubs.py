"""Reference → stub: no solution remains, and everything else does."""

import ast

import pytest
from tiny_lab import REFERENCE, solution

from autograder.release import ReleaseError, strip_solutions
from autograder.release.stubs import refuse_leaks

CLASS = '''\
"""A module."""

from torch import nn


class Layer(nn.Module):
    """A layer."""

    def __init__(self, size):
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.ones(size))
        ### END SOLUTION

    def forward(self, x):
        """Apply it.

        A docstring may say what it likes.
        """
        ### BEGIN SOLUTION
        def scaled(y):
            return y * self.weight

        return scaled(x) + 1.0
        ### END SOLUTION


def helper(x):
    return x
'''

STUB = '''\
"""A module."""

from torch import nn


class Layer(nn.Module):
    """A layer."""

    def __init__(self, size):
        super().__init__()
        raise NotImplementedError("Layer.__init__")

    def forward(self, x):
        """Apply it.

        A docstring may say what it likes.
        """
        raise NotImplementedError("Layer.forward")


def helper(x):
    return x
'''


def test_each_block_becomes_one_line_that_names_the_missing_function():
    assert strip_solutions(CLASS, "layer.py") == STUB


def test_signatures_and_docstrings_stay_as_they_are():
    stub, reference = ast.parse(strip_solutions(REFERENCE, "tiny.py")), ast.parse(REFERENCE)
    for ours, theirs in zip(reference.body, stub.body, strict=True):
        if isinstance(ours, ast.FunctionDef):
            assert ast.dump(ours.args) == ast.dump(theirs.args)
            assert ast.get_docstring(ours) == ast.get_docstring(theirs)


def test_a_stub_raises_the_error_that_means_not_attempted():
    namespace: dict = {}
    exec(strip_solutions(REFERENCE, "tiny.py"), namespace)
    for name in ("double", "total", "halve"):
        with pytest.raises(NotImplementedError, match=name):
            namespace[name](*([1, 0] if name == "total" else [1]))


def test_a_function_can_be_kept_solved():
    stub = strip_solutions(REFERENCE, "tiny.py", keep=["double"])
    assert "return 2 * x" in stub
    assert "torch.sum" not in stub
    assert "SOLUTION" not in stub


def made(*body: str) -> str:
    return "def f(x):\n" + "".join(f"    {line}\n" for line in body)


BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (made("return x"), "made.py:1: the file has no solution block"),
        (made(BEGIN, "return x"), "made.py:2: this block has no `### END SOLUTION`"),
        (made("return x", END), "made.py:3: this `### END SOLUTION` has no `### BEGIN SOLUTION` above it"),
        (made(BEGIN, BEGIN, "return x", END, END), "made.py:3: this block is inside the block of line 2"),
        (made("## BEGIN SOLUTION", "return x", END), "made.py:2: `## BEGIN SOLUTION` is not a marker"),
        (made("### Begin solution", "return x", END), "made.py:2: `### Begin solution` is not a marker"),
        (made("### BEGIN_SOLUTION", "return x", END), "is not a marker"),
        (made(BEGIN, "return x", "### END SOLUTION."), "made.py:4: `### END SOLUTION.` is not a marker"),
        (made("# end-solution is written below", BEGIN, "return x", END), "is not a marker"),
        (f"{BEGIN}\nx = 1\n{END}\n", "made.py:1: a solution block must be inside a function"),
        (f"class A:\n    {BEGIN}\n    x = 1\n    {END}\n", "made.py:2: a solution block must be inside a function"),
        (
            made(BEGIN, "return x") + f"        {END}\n",
            "made.py:4: `### END SOLUTION` and its `### BEGIN SOLUTION` in line 2 have different indentation",
        ),
        ("def f(x:\n", "made.py:1: not Python"),
        (made("if x:", f"    {BEGIN}", "    return 1", f"    {END}", "  return 2"), "made.py:6: not Python"),
    ],
)
def test_a_reference_that_cannot_be_stripped_is_refused(source, says):
    with pytest.raises(ReleaseError) as caught:
        strip_solutions(source, "made.py")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "shown",
    [
        '"""Divide: return x / (1.0 + x) is the answer."""',
        "y = 1  # then return x / (1.0 + x)",
        "return x / (1.0 + x)  # as above",
    ],
)
def test_a_solution_line_that_students_would_read_is_refused(shown):
    source = made(shown, BEGIN, "return x / (1.0 + x)  # a remark", END)
    with pytest.raises(ReleaseError, match="students would read a line of the solution of f"):
        strip_solutions(source, "made.py")


@pytest.mark.parametrize("shown", ["self.d_model = d_model", "return x", "# a comment (of the solution)"])
def test_lines_that_reveal_nothing_may_be_shown(shown):
    source = made(shown, BEGIN, "self.d_model = d_model", "# a comment (of the solution)", "return x", END)
    assert shown in strip_solutions(source, "made.py")


def test_no_other_file_for_students_may_contain_a_solution_line():
    refuse_leaks(REFERENCE, "tiny.py", {"lab.md": "Add x over one axis.\n", "test_tiny.py": solution()})
    for line in ("Write `return torch.sum(x, dim=axis)`.", "    return torch.sum(x, dim=axis)"):
        with pytest.raises(ReleaseError, match=r"lab\.md:2: students would read a line of the solution of total"):
            refuse_leaks(REFERENCE, "tiny.py", {"lab.md": f"# Title\n{line}\n"})


def test_a_line_that_a_dropped_exercise_shows_is_no_leak_of_another():
    shown = {"other/stub.py": "    return torch.sum(x, dim=axis) + 0\n"}
    refuse_leaks(REFERENCE, "tiny.py", shown, public={"return torch.sum(x, dim=axis) + 0"})
    with pytest.raises(ReleaseError, match="a line of the solution of total"):
        refuse_leaks(REFERENCE, "tiny.py", shown)
