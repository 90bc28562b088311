"""A module is not begun if it is still the released stub: whatever a student did there is judged."""

import pytest
from released_files import ANSWER, answered_sheet, released_stub
from tiny_lab import LOOP, STAGE

from autograder.course.lab import Lab
from autograder.intake import read_answers
from autograder.pipeline.untouched import ReleasedStage


@pytest.fixture
def released(tiny_lab: Lab) -> ReleasedStage:
    return ReleasedStage(tiny_lab.stage(STAGE))


@pytest.fixture
def stub(tiny_lab: Lab) -> str:
    return released_stub(tiny_lab)


SAME = {
    "as released": lambda stub: stub,
    "line ends and blanks": lambda stub: stub.replace("\n", "  \n\n") + "\n\n",
    "comments": lambda stub: stub.replace("import torch\n", "import torch  # TODO\n# mine\n"),
    "another docstring": lambda stub: stub.replace("Twice the input.", "Twice\nthe input, from last year."),
    "no docstrings": lambda stub: stub.replace('    """Half the input, of the same shape."""\n', ""),
    "an import": lambda stub: "import math\nfrom os import path\n" + stub,
    "indented by two": lambda stub: stub.replace("\n    ", "\n  "),
    "no final line end": lambda stub: stub.rstrip("\n"),
}
BEGUN = {
    "a solution": lambda stub: LOOP,
    "one line": lambda stub: stub.replace('raise NotImplementedError("double")', "return 2 * x"),
    "a line above the stub": lambda stub: stub.replace("    raise", "    x = 2\n    raise", 1),
    "a helper": lambda stub: stub + "\n\ndef twice(x):\n    return 2 * x\n",
    "another name": lambda stub: stub + "\ndouble = torch.add\n",
    "an import of an exercise": lambda stub: stub + "\nfrom mine import double\n",
    "an import under its name": lambda stub: stub + "\nimport math as halve\n",
    "an import of everything": lambda stub: stub + "\nfrom mine import *\n",
    "a second definition": lambda stub: stub + stub[stub.index("def double") :],
    "a deleted exercise": lambda stub: stub[: stub.index("def halve")],
    "a decorator": lambda stub: stub.replace("def double", "@torch.compile\ndef double"),
    "an attribute": lambda stub: stub + "\ndef __getattr__(name):\n    return torch.add\n",
    "a syntax error": lambda stub: stub + "\ndef (\n",
    "an open bracket": lambda stub: stub + "(" * 10_000,
    "a broken dedent": lambda stub: stub + "\nif x:\n        y\n    z\n",
    "nothing": lambda stub: "",
    "quotes that hide code": lambda stub: stub.replace(
        '    raise NotImplementedError("double")',
        '    #"""\n    return 2 * x\n    #"""\n    raise NotImplementedError("double")',
    ),
}


@pytest.mark.parametrize("change", SAME)
def test_an_untouched_stub_is_not_begun(released, stub, change):
    text = SAME[change](stub)
    assert change == "as released" or text != stub
    assert released.is_stub(text)


@pytest.mark.parametrize("change", BEGUN)
def test_any_work_counts_as_begun(released, stub, change):
    text = BEGUN[change](stub)
    assert text != stub
    assert not released.is_stub(text)


def test_an_answer_in_the_lab_sheet_is_work(tiny_lab, released):
    assert released.is_unanswered(read_answers(None))
    assert released.is_unanswered(read_answers(answered_sheet(tiny_lab, None)))
    assert not released.is_unanswered(read_answers(answered_sheet(tiny_lab, ANSWER)))
