"""``exercises.yml`` is read whole or refused with its line, and fits ``grading.yml``."""

from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from tiny_lab import EXERCISE_TEXTS, STAGE, replace_in

from autograder.course.config import ConfigError
from autograder.course.exercise_texts import schema
from autograder.course.lab import Lab

ROOT = Path(__file__).parents[3]
FILE = f"solutions/{STAGE}/exercises.yml"


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


def test_the_texts_are_read_in_the_order_of_grading_yml(stage):
    text = stage.exercises_file.read_text(encoding="utf-8")
    head, tail = text.split("total:")
    stage.exercises_file.write_text(f"total:{tail}{head}", encoding="utf-8")
    texts = stage.exercise_texts()
    assert list(texts) == list(stage.spec.exercises)
    assert (texts["total"].title, texts["total"].minutes) == ("The sum along one axis", 10)
    assert texts["halve"].hints == (
        "What undoes doubling?",
        "Division keeps the shape.",
        "Each element x becomes x / 2.",
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  minutes: 10", "  minuets: 10", ":7: total.minuets: unknown key `minuets`; nearest: `minutes`"),
        ("  minutes: 10", "  minutes: ten", ":7: total.minutes: Expected `int`, got `str` (found 'ten')"),
        ("  minutes: 10", "  minutes: 0", ":7: total.minutes: Expected `int` >= 1 (found 0)"),
        ("  minutes: 10\n", "", ":5: total: Object missing required field `minutes`"),
        ('["Which axis vanishes?", ', "[", ":8: total.hints: Expected `array` of length >= 3"),
        ('"Which axis vanishes?"', "7", ":8: total.hints.0: Expected `str`, got `int` (found 7)"),
        ("title: Half the input", 'title: ""', ":10: halve.title: Expected `str` of length >= 1 (found '')"),
        ("halve:", "halves:", ":9: halves: grading.yml lists no exercise of this name; nearest: `halve`"),
        ("halve:", "total:", ":9: `total` appears twice; the first is in line 5"),
    ],
)
def test_each_error_names_file_line_and_value(stage, old, new, says):
    replace_in(stage.exercises_file, old, new)
    with pytest.raises(ConfigError) as caught:
        stage.exercise_texts()
    assert str(caught.value).startswith(FILE + says)


def test_an_exercise_without_texts_is_refused(stage):
    text = stage.exercises_file.read_text(encoding="utf-8")
    stage.exercises_file.write_text(text[: text.index("halve:")], encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{FILE}:1: `halve` is missing, an exercise that grading.yml lists$"):
        stage.exercise_texts()


def test_a_missing_file_is_named(stage):
    stage.exercises_file.unlink()
    with pytest.raises(ConfigError, match=r"exercises\.yml: cannot be read: No such file"):
        stage.exercise_texts()


def test_the_committed_schema_is_the_one_of_the_program():
    committed = msgspec.json.decode((ROOT / "docs" / "exercises.schema.json").read_bytes())
    assert committed == msgspec.json.decode(msgspec.json.encode(schema())), "run `autograder schema`"
    jsonschema.Draft202012Validator.check_schema(committed)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "solutions").glob("*/exercises.yml")), ids=lambda path: path.parent.name
)
def test_the_schema_accepts_what_the_lab_has(path):
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema())
    assert Lab(ROOT).stage(path.parent.name).exercise_texts()


def test_the_schema_refuses_a_typo():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(EXERCISE_TEXTS.replace("minutes: 10", "minuets: 10")), schema())
