"""Every sentence of a docstring has a check that holds it; an error names the file, the line and the text."""

from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from tiny_lab import PROMISES, STAGE, replace_in

from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes
from autograder.course.promises import promise_problems, schema, uncovered

ROOT = Path(__file__).parents[3]
FILE = f"solutions/{STAGE}/promises.yml"

CLASS = '''\
class double:
    """Doubles.

    Parameter: `weight`, a
    number.
    """

    def __init__(self):
        """Make it.

        Args:
            none: never
                used.
        """

    def forward(self, x):
        """Twice `x`."""

    def _private(self, x):
        return x

'''


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


def problems(stage) -> list[str]:
    return promise_problems(stage, load_mistakes(stage))


def test_a_complete_file_has_no_problem(stage):
    assert problems(stage) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "    - says: any shape.\n      because: a result of another shape differs from twice the input\n",
            "",
            ":3: exercises.double: no entry covers this text of the docstring of double: “any shape.”",
        ),
        (
            "Twice the input",
            "Three times the input",
            ":4: exercises.double.0.says: no docstring of double says this: “Three times the input.”; "
            "did you mean `Twice the input.`?",
        ),
        (
            "  halve:",
            "  half:",
            ":24: exercises.half: grading.yml has no exercise of this name; did you mean `halve`?",
        ),
        (
            "test_halve_divides_by_two",
            "test_halve_divides",
            ":26: exercises.halve.0.check: grading.yml has no check `test_halve_divides`; "
            "did you mean `test_halve_divides_by_two`?",
        ),
        (
            "test_halve_divides_by_two",
            "test_double_keeps_the_dtype",
            ":26: exercises.halve.0.check: `test_double_keeps_the_dtype` is a check of double, not of halve",
        ),
        (
            "halve_forgets_to_divide",
            "halve_forgets",
            ":27: exercises.halve.0.mistake: mistakes.py has no mistake `halve_forgets`; "
            "did you mean `halve_forgets_to_divide`?",
        ),
        (
            "mistake: double_adds_two",
            "mistake: double_upcasts",
            ":6: exercises.double.0.mistake: `double_upcasts` does not lose `test_double_multiplies_by_two` "
            "according to mistakes.lock.json",
        ),
        (
            "      mistake: halve_forgets_to_divide\n",
            "",
            ":25: exercises.halve.0: give `check` and `mistake`, or `because` if no check can hold the sentence",
        ),
        (
            "      mistake: halve_forgets_to_divide\n",
            "      because: of that\n",
            ":25: exercises.halve.0: give either `check` and `mistake`, or `because`, not all of them",
        ),
        (
            "  halve:\n    - says",
            "  halve:\n    - sais",
            ":25: exercises.halve.0.sais: unknown key `sais`; did you mean `says`?",
        ),
        ("format_version: 1", "format_version: 2", ":1: format_version: 2 is unknown; this program reads 1"),
    ],
)
def test_each_problem_names_the_file_the_line_and_the_text(stage, old, new, says):
    replace_in(stage.promises, old, new)
    assert [problem for problem in problems(stage) if problem.startswith(FILE + says)], problems(stage)


def test_a_stage_without_promises_is_reported(stage):
    stage.promises.unlink()
    (problem,) = promise_problems(stage, load_mistakes(stage))
    assert str(stage.promises) in problem


def test_a_missing_exercise_is_reported_in_one_line(stage):
    text = stage.promises.read_text(encoding="utf-8")
    stage.promises.write_text(text[: text.index("  halve:")], encoding="utf-8")
    assert problems(stage) == [f"{FILE}:2: exercises.halve: the exercise has docstrings, but no entry here"]


def test_the_docstrings_of_a_class_and_its_methods_are_covered_together(stage):
    text = stage.reference.read_text(encoding="utf-8")
    start, end = text.index("def double"), text.index("def total")
    stage.reference.write_text(text[:start] + CLASS + text[end:], encoding="utf-8")
    found = [problem.partition(" the docstring of ")[2] for problem in problems(stage)]
    assert [problem for problem in found if problem] == [
        "double: “Doubles.”",
        "double: “`weight`, a number.”",
        "double.__init__: “Make it.”",
        "double.__init__: “never used.”",
        "double.forward: “Twice `x`.”",
    ]


def test_a_text_covers_itself_and_no_more():
    docstring = "Sum it.\n\nArgs:\n    x: any\n        shape.\n    y: any size.\n\nRaises:\n    ValueError: `x` is odd."
    assert uncovered(docstring, []) == ["Sum it.", "any shape.", "any size.", "`x` is odd."]
    assert uncovered(docstring, ["any shape.", "Sum\n  it."]) == ["any size.", "`x` is odd."]
    assert uncovered(docstring, ["any", "`x` is odd"]) == ["Sum it.", "shape.", "size."]
    assert uncovered(docstring, ["a", "um it.", "hape"]) == uncovered(docstring, []), "parts of words cover nothing"


def test_the_committed_schema_is_up_to_date():
    committed = msgspec.json.decode((ROOT / "docs" / "promises.schema.json").read_bytes())
    assert committed == msgspec.json.decode(msgspec.json.encode(schema())), "run `autograder schema`"
    jsonschema.Draft202012Validator.check_schema(committed)
    jsonschema.validate(yaml.safe_load(PROMISES), committed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(PROMISES.replace("says: Half", "sais: Half")), committed)


@pytest.mark.parametrize("stage", Lab(ROOT).stages(), ids=lambda stage: stage.id)
def test_the_lab_keeps_its_promises(stage):
    assert promise_problems(stage, load_mistakes(stage)) == []
