"""`autograder evaluate`, as an instructor calls it."""

from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import safetensors.torch
from click.testing import CliRunner, Result
from tiny_models import WITHOUT_NUMBERS, record, weights

from autograder.cli.main import main
from autograder.cli.stage_choice import choose_stage
from autograder.course.lab import Lab
from autograder.isolation.launch import available_levels

LAB = Lab.find(Path(__file__))


@pytest.fixture
def evaluated(monkeypatch):
    """Run the command on some folders."""
    monkeypatch.setenv("AUTOGRADER_SECRET", "of the course")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(LAB.root)
    unsafe = [] if available_levels() else ["--unsafe-no-isolation"]

    def evaluated(*arguments: Path | str) -> Result:
        return CliRunner().invoke(main, ["evaluate", *unsafe, *map(str, arguments)], catch_exceptions=False)

    return evaluated


def hand_in(folder: Path, **files: bytes) -> Path:
    """A student's repository with this stage only, in which `files` replace the originals; an empty file is omitted."""
    source = (LAB.root / "solutions" / "6_gpt" / "gpt.py").read_bytes()
    complete = {
        "gpt.py": source,
        "training.json": record(tokens=99),
        "gpt.safetensors": safetensors.torch.save(weights()),
    }
    for name, content in {**complete, **{name.replace("__", "."): raw for name, raw in files.items()}}.items():
        (folder / "6_gpt").mkdir(parents=True, exist_ok=True)
        if content:
            (folder / "6_gpt" / name).write_bytes(content)
    return folder


def test_each_model_gets_its_figures_or_a_clear_message(evaluated, tmp_path):
    ada = hand_in(tmp_path / "ada")
    bob = hand_in(tmp_path / "bob", gpt__safetensors=b"PK\x03\x04")
    eve = hand_in(tmp_path / "eve", training__json=b"")
    loki = hand_in(tmp_path / "loki", gpt__safetensors=b"")
    (loki / "6_gpt" / "gpt.safetensors").symlink_to(ada / "6_gpt" / "gpt.safetensors")
    huge = hand_in(tmp_path / "max", gpt__safetensors=WITHOUT_NUMBERS)
    # The folder of the stage is accepted too.
    result = evaluated(ada, bob, eve, loki, huge, hand_in(tmp_path / "ida") / "6_gpt")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    (row,) = [line for line in lines if "ada" in line and "±" in line]
    assert "3,256" in row
    assert any("ida" in line and "±" in line for line in lines)
    assert sum("not evaluated" in line for line in lines) == 4
    assert any(line.startswith("max: gpt.safetensors is damaged: `w` has the shape [0, 67108864") for line in lines)
    assert any(line.startswith("bob: gpt.safetensors was written by `torch.save`") for line in lines)
    assert "eve: not handed in: training.json" in lines
    assert any(line.startswith("loki: ") and "gpt.safetensors is a link" in line for line in lines)


def test_a_model_runs_on_the_students_own_modules(evaluated, tmp_path):
    """Two equal models; one student's blocks lack their GELU."""
    ada, bob = hand_in(tmp_path / "ada"), hand_in(tmp_path / "bob")
    stage = LAB.stage("5_transformer")
    (bob / stage.id).mkdir()
    own = stage.reference_source() + "\n\ndef gelu(x, approximate='none'):\n    return x\n"
    (bob / stage.id / "transformer.py").write_text(own, encoding="utf-8")
    lines = evaluated(ada, bob).output.splitlines()
    losses = {line.split()[1]: line.split("│")[5].split("±")[0] for line in lines if "±" in line}
    assert set(losses) == {"ada", "bob"}
    assert losses["ada"] != losses["bob"]


def test_a_stage_without_a_trained_model_is_refused(evaluated, tmp_path):
    result = evaluated("--stage", "2_attention", hand_in(tmp_path / "ada"))
    assert result.exit_code == 2
    assert "2_attention does not have a trained model; stages with a trained model: 6_gpt" in result.output


@pytest.mark.parametrize(("names", "listed"), [((), "none in grading.yml"), (("gpt", "attention"), "gpt, attention")])
def test_the_stage_is_required_unless_exactly_one_fits(names, listed):
    stages = {name: SimpleNamespace(id=name, spec=name) for name in ("gpt", "kernels", "attention")}
    lab = SimpleNamespace(stages=lambda: [stages[name] for name in (*names, "kernels")], stage=stages.__getitem__)
    with pytest.raises(click.UsageError, match=f"--stage is required; stages with a board: {listed}$"):
        choose_stage(lab, None, lambda spec: spec in names, "a board")
    for name in names:
        assert choose_stage(lab, name, lambda spec: spec in names, "a board") is stages[name]
        assert choose_stage(lab, None, lambda spec, only=name: spec == only, "a board") is stages[name]
