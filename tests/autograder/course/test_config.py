"""A valid ``grading.yml`` is read; an error names the line, the value and the fix."""

import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from tiny_lab import GRADING, STAGE

from autograder.course.config import Check, Config, ConfigError, load_config, schema

ROOT = Path(__file__).parents[3]


def load(folder: Path, text: str) -> Config:
    path = folder / "grading.yml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_tiny_lab_is_read(tmp_path):
    config = load(tmp_path, GRADING)
    stage = config.stages[STAGE]
    assert list(stage.exercises) == ["double", "total", "halve"]
    assert stage.points == 7
    assert [(check.id, check.exercise, check.points) for check in stage.checks] == [
        (check, name, points) for name, exercise in stage.exercises.items() for check, points in exercise.checks.items()
    ]
    assert stage.checks[-1] == Check("test_halve_divides_by_two", "halve", 1)
    assert stage.due == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (stage.limits.call_cpu_seconds, stage.limits.memory_mb) == (2.0, 1024)
    assert config.policies.late.per_day == 0.1
    assert config.policies.attempts is None
    assert config.policies.count_bonus


def with_forbidden(names: str) -> str:
    return GRADING.replace("        bonus: true\n", f"        bonus: true\n        forbid: {names}\n")


def test_forbidden_functions_are_read(tmp_path):
    config = load(tmp_path, with_forbidden("[torch.softmax, torch.nn.LayerNorm]"))
    exercises = config.stages[STAGE].exercises
    assert exercises["halve"].forbid == ("torch.softmax", "torch.nn.LayerNorm")
    assert exercises["double"].forbid == ()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("torch.sofmax", "; did you mean `torch.softmax`?"),
        ("F.gelu", "; did you mean `torch.nn.functional.gelu`?"),
        ("torch.nn.functional.softmax", "; did you mean `torch.nn.functional."),
        ("zzz", ""),
    ],
)
def test_an_unknown_name_under_forbid_is_reported_with_its_line(tmp_path, name, suggestion):
    text = with_forbidden(f"\n          - torch.softmax\n          - {name}")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    where = f"grading.yml:{line_of(text, f'- {name}')}: stages.1_tiny.exercises.halve.forbid.1: "
    says = f"`{name}` cannot be forbidden: autograder/course/forbidden.py does not list it{suggestion}"
    assert str(caught.value).startswith(where + says)


def test_policies_are_read(tmp_path):
    policies = """\
policies:
  late: {per_day: 0.2, max_days: 3, grace_minutes: 0}
  extensions: {ada: {1_tiny: 3}, "1234": {1_tiny: 1}}
  attempts: 5
  count_bonus: false
"""
    start, end = GRADING.index("policies:"), GRADING.index("stages:")
    config = load(tmp_path, GRADING[:start] + policies + GRADING[end:])
    assert config.policies.extensions == {"ada": {STAGE: 3}, "1234": {STAGE: 1}}
    assert (config.policies.attempts, config.policies.count_bonus) == (5, False)
    assert (config.policies.late.per_day, config.policies.late.max_days) == (0.2, 3)


SECOND = """\
  2_more:
    title: More
    module: more
    needs: [1_tiny]
    exercises:
      more:
        checks: {test_more: 1}
"""


def test_a_stage_may_need_an_earlier_stage(tmp_path):
    assert load(tmp_path, GRADING + SECOND).stages["2_more"].needs == (STAGE,)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # Unknown keys, at every depth
        ("course:", "curse:", "curse: unknown key `curse`; did you mean `course`?"),
        ("max_days", "max_day", "policies.late.max_day: unknown key `max_day`; did you mean `max_days`?"),
        ("max_examples", "examples", "stages.1_tiny.examples: unknown key `examples`; did you mean `max_examples`?"),
        ("check_cpu_seconds", "seconds", "limits.seconds: unknown key `seconds`; did you mean"),
        ("        bonus: true", "        bonsu: true", "halve.bonsu: unknown key `bonsu`; did you mean `bonus`?"),
        ("        bonus: true", "        title: Half", "halve.title: unknown key `title`"),
        ("points: 2", "pionts: 2", "questions.why_axes.pionts: unknown key `pionts`; did you mean `points`?"),
        # Values
        ("format_version: 1", "format_version: 2", "format_version: 2 is unknown; this program reads 1"),
        ("format_version: 1", "format_version: one", "format_version: Expected `int`, got `str` (found 'one')"),
        ("course: tiny", 'course: ""', "course: Expected `str` of length >= 1 (found '')"),
        ("per_day: 0.1", "per_day: 10", "policies.late.per_day: Expected `float` <= 1.0 (found 10)"),
        ("  late: {", "  total: {drop_lowest: 9}\n  late: {", "policies.total.drop_lowest: 9 would drop all"),
        ("max_days: 5", "max_days: -1", "policies.late.max_days: Expected `int` >= 0 (found -1)"),
        ("max_examples: 5", "max_examples: true", "max_examples: Expected `int`, got `bool` (found True)"),
        (
            "test_total_adds_along_the_axis: 3",
            "test_total_adds_along_the_axis: 0",
            "exercises.total.checks.test_total_adds_along_the_axis: Expected `int` >= 1 (found 0)",
        ),
        (
            "test_total_adds_along_the_axis: 3",
            "test_total_adds_along_the_axis: 1.5",
            "exercises.total.checks.test_total_adds_along_the_axis: Expected `int`, got `float` (found 1.5)",
        ),
        ("bonus: true", "bonus: maybe", "exercises.halve.bonus: Expected `bool`, got `str` (found 'maybe')"),
        ("2026-03-01T12:00:00+00:00", "soon", "stages.1_tiny.due: "),
        ("2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00", "stages.1_tiny.due: Expected `datetime` with a timezone"),
        ("data: [pairs]", "data: pairs", "stages.1_tiny.data: Expected `array`, got `str` (found 'pairs')"),
        ("data: [pairs]", "data: [1]", "stages.1_tiny.data.0: Expected `str`, got `int` (found 1)"),
        ("        points: 2", "        points: 0", "questions.why_axes.points: Expected `int` >= 1 (found 0)"),
        ("limits: {", "limits: 3 #", "stages.1_tiny.limits: Expected `object`, got `int` (found 3)"),
        ("call_cpu_seconds: 2.0", "call_cpu_seconds: 0", "limits.call_cpu_seconds: Expected `float` > 0.0 (found 0)"),
        # Missing
        ("    module: tiny\n", "", "stages.1_tiny: Object missing required field `module`"),
        ("  late: {", "  attempts: 0\n  late: {", "policies.attempts: Expected `int` >= 1 (found 0)"),
        ("course: tiny\n", "", "missing required field `course`"),
        # Names
        ("module: tiny", "module: 2tiny", "module: `2tiny` is not a Python module name"),
        ("module: tiny", "module: class", "module: `class` is not a Python module name"),
        ("module: tiny", "module: tokenize", "module: `tokenize` is the name of a module of Python or of the lab"),
        ("module: tiny", "module: torch", "module: `torch` is the name of a module of Python or of the lab"),
        ("  1_tiny:", "  1 tiny:", "stages.1 tiny: `1 tiny` must be a folder name"),
        ("  1_tiny:", "  ../tiny:", "`../tiny` must be a folder name"),
        ("      total:", "      to-tal:", "`to-tal` must be the name of a function or class"),
        ("why_axes", "why axes", "`why axes` must be a cell id"),
        ("test_total_adds_along_the_axis", "total_adds", "`total_adds` must be the name of a test function, test_…"),
        (
            "test_total_counts_axes_from_the_end",
            "test_double_keeps_the_dtype",
            "exercises.total.checks.test_double_keeps_the_dtype: `test_double_keeps_the_dtype` is already listed "
            "under double",
        ),
        # Contradictions
        ("module: tiny", "module: tiny\n    needs: [0_tiny]", "needs: no earlier stage named `0_tiny`"),
        ("module: tiny", "module: tiny\n    needs: [1_tiny]", "needs: no earlier stage named `1_tiny`"),
        ("call_cpu_seconds: 2.0", "call_cpu_seconds: 5", "limits: call_cpu_seconds must be at most check_cpu_seconds"),
        # YAML itself
        ("course: tiny", "course: tiny\ncourse: other", "`course` appears twice; the first is on line 2"),
        ("course: tiny", "course: 'tiny", "found unexpected end of stream"),
        ("course: tiny", "course: !!python/name:os.system x", "could not determine a constructor"),
        ("course: tiny", "course: \x00", "characters are not allowed"),
    ],
)
def test_each_error_names_the_key_and_the_value(tmp_path, old, new, says):
    assert GRADING.count(old) >= 1
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GRADING.replace(old, new, 1))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("max_days: 5", "max_days: x", "  late:"),
        ("course: tiny", "course: tiny\ncourse: other", "course: other"),
        ("    module: tiny\n", "", "  1_tiny:"),
        ("test_halve_divides_by_two: 1", "test_halve_divides_by_two: none", "          test_halve_divides"),
        ("module: tiny", "module: class", "    module: class"),
    ],
)
def test_each_error_names_its_line(tmp_path, old, new, line):
    text = GRADING.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"grading.yml:{line_of(text, line)}: ")


@pytest.mark.parametrize(
    ("added", "says"),
    [
        (SECOND.replace("1_tiny", "1_tinny"), "needs: no earlier stage named `1_tinny`; did you mean `1_tiny`?"),
        (SECOND.replace("module: more", "module: tiny"), "module: `tiny` is already the module of 1_tiny"),
        (SECOND.replace("{test_more: 1}", "{}"), "exercises.more.checks: Expected `object` of length >= 1"),
    ],
)
def test_stages_must_not_contradict_each_other(tmp_path, added, says):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GRADING + added)
    assert str(caught.value).split(": ")[1].startswith("stages.2_more.")
    assert says in str(caught.value)


ENTRIES = "    entries: {race.py: 1, race.safetensors: 64, race.json: 1}\n"
SPEEDRUN = """\
    speedrun:
      module: race
      most_parameters: 800_000
      free_embeddings: 600_000
      most_code_bytes: 64_000
      context_length: [64, 1024]
      events: {sprint: 680_000, long: 1_500_000}
"""


def test_a_speedrun_is_read(tmp_path):
    speedrun = load(tmp_path, GRADING + SECOND + ENTRIES + SPEEDRUN).stages["2_more"].speedrun
    assert (speedrun.most_parameters, speedrun.free_embeddings, speedrun.context_length) == (
        800_000,
        600_000,
        (64, 1024),
    )
    assert list(speedrun.events.items()) == [("sprint", 680_000), ("long", 1_500_000)]
    assert load(tmp_path, GRADING).stages[STAGE].speedrun is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("most_parameters", "parameters", "parameters: unknown key `parameters`; did you mean `most_parameters`?"),
        ("800_000", "-1", "most_parameters: Expected `int` >= 0 (found -1)"),
        ("800_000", "12_000_001", "most_parameters: Expected `int` <= 12000000 (found 12000001)"),
        ("800_000", "many", "most_parameters: Expected `int`, got `str` (found 'many')"),
        ("600_000", "12_000_001", "free_embeddings: Expected `int` <= 12000000 (found 12000001)"),
        ("[64, 1024]", "[7, 1024]", "context_length.0: Expected `int` >= 8 (found 7)"),
        ("[64, 1024]", "[64, 2049]", "context_length.1: Expected `int` <= 2048 (found 2049)"),
        ("[64, 1024]", "[64]", "context_length: Expected `array` of length 2, got 1"),
        ("[64, 1024]", "[65, 64]", "context_length: write the shortest length first; 65 is larger than 64"),
        ("{sprint: 680_000, long: 1_500_000}", "{}", "events: Expected `object` of length >= 1"),
        ("680_000", "0", "events.sprint: Expected `int` >= 1 (found 0)"),
        ("680_000", "1_500_000", "events.long: list the events from the fewest tokens to the most; `sprint` has 1,500"),
        ("sprint:", "<b>:", "events"),
        ("module: race", "module: 2race", "module: `2race` is not a Python module name"),
        ("module: race", "module: more", "module: `more` is already the module of 2_more"),
        ("module: race", "module: rave", "module: `rave.py` is not among the stage's entries; did you mean `race.py`?"),
        ("      free_embeddings: 600_000\n", "", "speedrun: Object missing required field `free_embeddings`"),
    ],
)
def test_an_error_in_a_speedrun_names_the_key_and_the_value(tmp_path, old, new, says):
    assert SPEEDRUN.count(old) == 1
    text = GRADING + SECOND + ENTRIES + SPEEDRUN.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    _, key, _ = str(caught.value).split(": ", 2)
    assert key.startswith("stages.2_more.speedrun")
    assert says in str(caught.value)


MODEL_LIMITS = """\
    model_limits:
      most_parameters: 1_000
      vocab_size: [2, 9]
      context_length: [8, 16]
      d_model: [1, 4]
      num_heads: [1, 2]
      num_blocks: [1, 2]
      d_hidden: [1, 8]
"""


def test_the_limits_of_a_trained_model_are_read(tmp_path):
    limits = load(tmp_path, GRADING + SECOND + MODEL_LIMITS).stages["2_more"].model_limits
    assert limits.most_parameters == 1000
    assert limits.sizes["context_length"] == (8, 16)
    assert list(limits.sizes) == ["vocab_size", "context_length", "d_model", "num_heads", "num_blocks", "d_hidden"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("vocab_size", "vocabulary", "unknown key `vocabulary`"),
        ("[8, 16]", "[17, 16]", "context_length: write the smallest size first; 17 is larger than 16"),
        ("[1, 4]", "[0, 4]", "d_model.0: Expected `int` >= 1 (found 0)"),
        ("      d_hidden: [1, 8]\n", "", "Object missing required field `d_hidden`"),
    ],
)
def test_an_error_in_the_limits_of_a_trained_model_names_the_key(tmp_path, old, new, says):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GRADING + SECOND + MODEL_LIMITS.replace(old, new))
    assert "stages.2_more.model_limits" in str(caught.value)
    assert says in str(caught.value)


def test_targets_are_read_by_name(tmp_path):
    targets = "    targets: {least_filled: 0.36, most_loss: 3}\n"
    assert load(tmp_path, GRADING + SECOND + targets).stages["2_more"].targets == {
        "least_filled": 0.36,
        "most_loss": 3.0,
    }
    assert load(tmp_path, GRADING).stages[STAGE].targets == {}


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ("{least_filled: high}", "targets.least_filled: Expected `float`"),
        ("{most_loss: 0}", "targets.most_loss: Expected `float` > 0.0 (found 0)"),
        ("{filled: 0.36}", "targets.filled: `filled` must begin with `least_` or `most_`"),
    ],
)
def test_an_error_in_a_target_names_the_key(tmp_path, targets, says):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GRADING + SECOND + f"    targets: {targets}\n")
    assert "stages.2_more.targets" in str(caught.value)
    assert says in str(caught.value)


def test_entries_need_a_speedrun(tmp_path):
    text = GRADING + SECOND + ENTRIES
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    line = line_of(text, "    entries:")
    assert str(caught.value).startswith(f"grading.yml:{line}: stages.2_more.entries: a stage with entries needs `speed")


@pytest.mark.parametrize(
    ("extensions", "says"),
    [
        ("{ada: {1_tinny: 3}}", "policies.extensions.ada.1_tinny: no stage named `1_tinny`; did you mean `1_tiny`?"),
        ("{ada: {1_tiny: -3}}", "policies.extensions.ada.1_tiny: Expected `int` >= 0 (found -3)"),
        ("{ada: 3}", "policies.extensions.ada: Expected `object`, got `int` (found 3)"),
    ],
)
def test_extensions_must_name_stages(tmp_path, extensions, says):
    text = GRADING.replace("policies:\n", f"policies:\n  extensions: {extensions}\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        *(
            (number, "a number")
            for number in ("1234", "0123456", "1_000", "12:30", "0x1F", "-7", "1.5", "12:30.5", ".5")
        ),
        *((word, "true or false") for word in ("no", "Yes", "on", "OFF", "true")),
        *((nothing, "an empty value") for nothing in ("~", "null")),
        ("2026-03-01", "a date"),
        ("1234-56-78", "a date"),
    ],
)
def test_an_id_that_yaml_reads_as_something_else_is_refused_with_its_line(tmp_path, written, kind):
    text = GRADING.replace(
        "policies:\n", f"policies:\n  extensions:\n    ada: {{1_tiny: 1}}\n    {written}: {{1_tiny: 2}}\n"
    )
    line = line_of(text, f"    {written}: {{1_tiny: 2}}")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(caught.value) == f"grading.yml:{line}: YAML reads the key `{written}` as {kind}; put it in quotes"


@pytest.mark.parametrize("written", ["0778", "1e5", "s1234567", "1a", "12-34", "'0123456'", '"no"'])
def test_an_id_that_yaml_reads_as_text_is_taken_as_it_is_written(tmp_path, written):
    text = GRADING.replace("policies:\n", f"policies:\n  extensions: {{{written}: {{1_tiny: 2}}}}\n")
    assert load(tmp_path, text).policies.extensions == {written.strip("'\""): {"1_tiny": 2}}


def test_a_value_that_only_looks_like_a_date_is_refused_with_its_line(tmp_path):
    text = GRADING.replace("policies:\n", "policies:\n  extensions: 1234-56-78\n")
    with pytest.raises(ConfigError, match=r"^grading\.yml:\d+: `1234-56-78` cannot be read .*; put it in quotes$"):
        load(tmp_path, text)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "# nothing\n"])
def test_a_file_without_settings_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match=r"grading\.yml:1: expected a table of settings"):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "grading.yml")
    (tmp_path / "grading.yml").write_bytes(b"course: \xff\xfe\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(tmp_path / "grading.yml")


# The schema that editors use


def as_json(text: str):
    return msgspec.json.decode(msgspec.json.encode(yaml.safe_load(text)))


def test_the_committed_schema_is_up_to_date():
    committed = msgspec.json.decode((ROOT / "docs" / "grading.schema.json").read_bytes())
    assert committed == msgspec.json.decode(msgspec.json.encode(schema())), "run `autograder schema`"


def test_the_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(schema())


def as_editors_read(text: str):
    """Parse YAML 1.2, in which an integer has no underscores."""
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": {}})
    for tag, pattern, first in (
        ("null", r"^(?:~|null|)$", "~n"),
        ("bool", r"^(?:true|false)$", "tf"),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", r"^[-+]?[0-9]+\.[0-9]*$", "-+0123456789"),
    ):
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
    return msgspec.json.decode(msgspec.json.encode(yaml.load(text, Loader=loader)))


def test_the_schema_accepts_the_courses_file_as_editors_read_it():
    data = as_editors_read((ROOT / "grading.yml").read_text(encoding="utf-8"))
    assert data["stages"]["6_gpt"]["speedrun"]["most_parameters"] == "800_000"
    jsonschema.validate(data, schema())


@pytest.mark.parametrize("text", [GRADING, GRADING + SECOND, GRADING + SECOND + ENTRIES + SPEEDRUN])
def test_the_schema_accepts_what_the_program_accepts(text):
    jsonschema.validate(as_json(text), schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("course:", "curse:"),
        ("per_day: 0.1", "per_day: 10"),
        ("test_total_adds_along_the_axis: 3", "test_total_adds_along_the_axis: 0"),
        ("most_parameters: 800_000", "most_parameters: many"),
        ("long: 1_500_000", "long: 1_500_000_000"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(old, new):
    text = GRADING + SECOND + ENTRIES + SPEEDRUN
    assert text.count(old) >= 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(text.replace(old, new, 1)), schema())
