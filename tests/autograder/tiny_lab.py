"""A complete lab with one tiny stage, for tests that need a real lab but not a slow one.

Its exercises: ``double(x)``, ``total(x, axis)`` and the extension ``halve(x)``; its question:
``why_axes``. Seven points, one bonus point, and two points that a person gives.
"""

from pathlib import Path

from autograder.course.lab import Lab

STAGE = "1_tiny"
MODULE = "tiny"
QUESTION = "why_axes"

GRADING = """\
format_version: 1
course: tiny
policies:
  late: {per_day: 0.1, max_days: 5, grace_minutes: 10}
stages:
  1_tiny:
    title: Twice and together
    module: tiny
    data: [pairs]
    due: 2026-03-01T12:00:00+00:00
    max_examples: 5
    limits: {call_cpu_seconds: 2.0, check_cpu_seconds: 4.0}
    exercises:
      double:
        checks:
          test_double_multiplies_by_two: 2
          test_double_keeps_the_dtype: 1
      total:
        checks:
          test_total_adds_along_the_axis: 3
          test_total_counts_axes_from_the_end: 1
      halve:
        bonus: true
        checks:
          test_halve_divides_by_two: 1
    questions:
      why_axes:
        title: Why a sum needs an axis
        points: 2
"""

EXERCISE_TEXTS = """\
double:
  title: Twice the input
  minutes: 5
  hints: ["What is twice a number?", An operator does it for all elements at once., "Each element x becomes 2·x."]
total:
  title: The sum along one axis
  minutes: 10
  hints: ["Which axis vanishes?", Axes may be counted from the end., "Add x[…, i, …] over all i."]
halve:
  title: Half the input
  minutes: 5
  hints: ["What undoes doubling?", Division keeps the shape., "Each element x becomes x / 2."]
"""

REFERENCE = '''\
"""The tiny stage: two functions and an extension."""

import torch
from torch import Tensor


def double(x: Tensor) -> Tensor:
    """Twice the input.

    Args:
        x: any shape.

    Returns:
        the shape and dtype of `x`.
    """
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


def total(x: Tensor, axis: int) -> Tensor:
    """The sum along one axis.

    Args:
        x: any shape with at least one axis.
        axis: the axis that vanishes; counted from the end when negative.

    Returns:
        the shape of `x` without `axis`.
    """
    ### BEGIN SOLUTION
    return torch.sum(x, dim=axis)
    ### END SOLUTION


def halve(x: Tensor) -> Tensor:
    """Half the input, of the same shape."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION
'''

# A correct submission; also the alternative that stands in for later stages.
LOOP = '''\
"""The tiny stage, written with loops."""

import torch


def double(x):
    return x + x


def total(x, axis):
    slices = x.unbind(axis)
    result = torch.zeros_like(slices[0])
    for part in slices:
        result = result + part
    return result


def halve(x):
    return x * 0.5
'''

SHEET = """\
---
jupyter:
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---

# Twice and together

Numbers, doubled and added.

```python
import torch

import tiny
```

## Twice

```python exercise="double"
%check double
```

## Together

```python exercise="total"
%check total
```

```python exercise="halve"
%check halve
```

<!-- #region question="why_axes" -->
**Why does a sum need an axis?** Write two sentences here.
<!-- #endregion -->
"""

PUBLIC_TESTS = '''\
"""Public tests of the tiny stage."""

import tiny
import torch


def test_double():
    assert tiny.double(torch.tensor([1.0, 3.0])).tolist() == [2.0, 6.0], "each element should be twice as large"


def test_total():
    assert tiny.total(torch.ones(2, 3), 1).tolist() == [3.0, 3.0], "axis 1 has three elements to add"


def test_halve():
    assert tiny.halve(torch.tensor([4.0])).tolist() == [2.0], "half of four is two"
'''

HIDDEN_TESTS = '''\
"""Hidden tests of the tiny stage."""

import torch
from hypothesis import given

from autograder.judge.compare import check_close, check_dtype
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds


@given(seeds(), distinct_sizes(count=2))
def test_double_multiplies_by_two(student, seed, sizes):
    """double: every element is doubled.

    Hint: think of one element first.
    """
    x = normal_tensor(*sizes, seed=seed)
    check_close(student.double(x), x + x)


def test_double_keeps_the_dtype(student):
    """double: the result has the dtype of the input.

    Hint: a result takes the dtype of the widest operand.
    """
    check_dtype(student.double(torch.ones(3, dtype=torch.float32)), torch.float32)


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_total_adds_along_the_axis(student, seed, sizes):
    """total: the sum runs over the given axis.

    Hint: the result has one axis less.
    """
    x = normal_tensor(*sizes, seed=seed)
    for axis, equation in enumerate(("abc->bc", "abc->ac", "abc->ab")):
        check_close(student.total(x, axis), torch.einsum(equation, x))


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_total_counts_axes_from_the_end(student, seed, sizes):
    """total: a negative axis is counted from the end.

    Hint: -1 is the last axis.
    """
    x = normal_tensor(*sizes, seed=seed)
    check_close(student.total(x, -2), torch.einsum("abc->ac", x))
    check_close(student.total(x, -3), torch.einsum("abc->bc", x))


@given(seeds(), distinct_sizes(count=2))
def test_halve_divides_by_two(student, seed, sizes):
    """halve: every element is halved.

    Hint: doubling the result gives the input back.
    """
    x = normal_tensor(*sizes, seed=seed)
    check_close(student.halve(x), 0.5 * x)
'''

MISTAKES = '''\
"""Named mistakes of the tiny stage."""

from autograder.course.mistakes import mistake

MISTAKES = {
    "double": (
        mistake("double_adds_two", "2 is added to each element", "return 2 * x", "return 2 + x"),
        mistake("double_upcasts", "the result is converted to float64", "return 2 * x", "return 2 * x.double()"),
    ),
    "total": (
        mistake(
            "total_adds_everything",
            "the sum runs over all axes, whatever `axis` is",
            "torch.sum(x, dim=axis)",
            "torch.sum(x)",
        ),
        mistake("total_drops_the_sign", "the sign of `axis` is dropped", "dim=axis", "dim=abs(axis) % x.ndim"),
    ),
    "halve": (mistake("halve_forgets_to_divide", "the input is returned unchanged", "return x / 2", "return x"),),
}
'''

MISTAKES_LOCK = """\
{
  "format_version": 1,
  "mistakes": {
    "double_adds_two": ["test_double_multiplies_by_two"],
    "double_upcasts": ["test_double_keeps_the_dtype"],
    "total_adds_everything": ["test_total_adds_along_the_axis", "test_total_counts_axes_from_the_end"],
    "total_drops_the_sign": ["test_total_counts_axes_from_the_end"],
    "halve_forgets_to_divide": ["test_halve_divides_by_two"]
  }
}
"""

CHECKS_LOCK = """\
{
  "format_version": 1,
  "checks": {
    "test_double_multiplies_by_two": "values",
    "test_double_keeps_the_dtype": "form",
    "test_total_adds_along_the_axis": "values",
    "test_total_counts_axes_from_the_end": "values",
    "test_halve_divides_by_two": "values"
  }
}
"""

PROMISES = """\
format_version: 1
exercises:
  double:
    - says: Twice the input.
      check: test_double_multiplies_by_two
      mistake: double_adds_two
    - says: any shape.
      because: a result of another shape differs from twice the input
    - says: the shape and dtype of `x`.
      check: test_double_keeps_the_dtype
      mistake: double_upcasts
  total:
    - says: The sum along one axis.
      check: test_total_adds_along_the_axis
      mistake: total_adds_everything
    - says: any shape with at least one axis.
      because: it limits the input
    - says: the axis that vanishes; counted from the end when negative.
      check: test_total_counts_axes_from_the_end
      mistake: total_drops_the_sign
    - says: the shape of `x` without `axis`.
      check: test_total_adds_along_the_axis
      mistake: total_adds_everything
  halve:
    - says: Half the input, of the same shape.
      check: test_halve_divides_by_two
      mistake: halve_forgets_to_divide
"""

FILES = {
    "grading.yml": GRADING,
    f"solutions/{STAGE}/{MODULE}.py": REFERENCE,
    f"solutions/{STAGE}/lab.md": SHEET,
    f"solutions/{STAGE}/exercises.yml": EXERCISE_TEXTS,
    f"solutions/{STAGE}/test_{MODULE}.py": PUBLIC_TESTS,
    f"solutions/{STAGE}/mistakes.py": MISTAKES,
    f"solutions/{STAGE}/mistakes.lock.json": MISTAKES_LOCK,
    f"solutions/{STAGE}/checks.lock.json": CHECKS_LOCK,
    f"solutions/{STAGE}/promises.yml": PROMISES,
    f"solutions/{STAGE}/alternatives/loop.py": LOOP,
    f"solutions/{STAGE}/alternatives/pytorch.py": LOOP.replace("written with loops", "as a stand-in"),
    "solutions/student_repository/README.md": "# The tiny lab\n\nRun `pytest 1_tiny`.\n",
    "solutions/student_repository/requirements.txt": "torch\npytest\n",
    f"tests/hidden/{STAGE}/test_{MODULE}.py": HIDDEN_TESTS,
    "data/pairs/README.md": "Pairs of numbers, made by hand. CC0.\n",
    "data/pairs/pairs.csv": "x,y\n1,2\n3,4\n",
    "data/pairs/prepare.py": '"""Writes pairs.csv."""\n',
}


def build_tiny_lab(folder: Path) -> Lab:
    """Write the tiny lab into ``folder`` and open it."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Lab(folder)


def replace_in(path: Path, old: str, new: str) -> None:
    """Replace a text that occurs exactly once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old!r} occurs {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")


def forbid_a_softmax(lab: Lab, marked: str, other: str = "return x + x", says: str = "No `torch.softmax`.") -> None:
    """Forbid a softmax in ``double``.

    Args:
        lab: the tiny lab.
        marked: the remark at the end of the line of ``alternatives/pytorch.py`` that calls the softmax.
        other: the body of ``double`` in ``alternatives/loop.py``.
        says: the sentence in the docstring of ``double`` that names what it forbids.
    """
    exercise = "      double:\n"
    replace_in(lab.root / "grading.yml", exercise, f"{exercise}        forbid: [torch.softmax]\n")
    replace_in(lab.stage(STAGE).reference, "Twice the input.\n", f"Twice the input. {says}\n")
    replace_in(lab.stage(STAGE).promises, "says: Twice the input.\n", f"says: Twice the input. {says}\n")
    library = lab.stage(STAGE).folder / "alternatives" / "pytorch.py"
    replace_in(
        library, "    return x + x\n", f"    half = torch.softmax(torch.zeros(2), 0)[0]{marked}\n    return x / half\n"
    )
    replace_in(lab.stage(STAGE).folder / "alternatives" / "loop.py", "return x + x", other)


def solution(**bodies: str) -> str:
    """Write a module, ``solution(double="return 2 * x")``; exercises without a body are stubs."""
    signatures = {"double": "x", "total": "x, axis", "halve": "x"}
    functions = [
        f"def {name}({arguments}):\n    {bodies.get(name, f'raise NotImplementedError({name!r})')}\n"
        for name, arguments in signatures.items()
    ]
    return "import torch\n\n\n" + "\n\n".join(functions)
