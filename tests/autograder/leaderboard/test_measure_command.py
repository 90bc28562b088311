"""`autograder measure`, as an instructor calls it."""

from pathlib import Path

import pytest
import safetensors.torch
from click.testing import CliRunner, Result
from tiny_models import record, weights

from autograder.cli.main import main
from autograder.course.lab import Lab
from autograder.isolation.launch import available_levels

LAB = Lab.find(Path(__file__))


@pytest.fixture
def measured(monkeypatch):
    """Run the command on some folders."""
    monkeypatch.setenv("AUTOGRADER_SECRET", "of the course")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(LAB.root)
    unsafe = [] if available_levels() else ["--unsafe-no-isolation"]

    def measured(*folders: Path) -> Result:
        return CliRunner().invoke(main, ["measure", *unsafe, *map(str, folders)], catch_exceptions=False)

    return measured


def hand_in(folder: Path, **files: bytes) -> Path:
    """A student's repository with this stage alone, but for what `files` replaces; an empty file is left out."""
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


def test_each_model_gets_its_figures_or_a_clear_line(measured, tmp_path):
    ada = hand_in(tmp_path / "ada")
    bob = hand_in(tmp_path / "bob", gpt__safetensors=b"PK\x03\x04")
    eve = hand_in(tmp_path / "eve", training__json=b"")
    loki = hand_in(tmp_path / "loki", gpt__safetensors=b"")
    (loki / "6_gpt" / "gpt.safetensors").symlink_to(ada / "6_gpt" / "gpt.safetensors")
    # The stage's own folder does as well.
    result = measured(ada, bob, eve, loki, hand_in(tmp_path / "ida") / "6_gpt")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    (row,) = [line for line in lines if "ada" in line and "±" in line]
    assert "3,256" in row
    assert any("ida" in line and "±" in line for line in lines)
    assert sum("not measured" in line for line in lines) == 3
    assert any(line.startswith("bob: gpt.safetensors was written by `torch.save`") for line in lines)
    assert "eve: not handed in: training.json" in lines
    assert any(line.startswith("loki: ") and "gpt.safetensors is a link" in line for line in lines)


def test_a_model_runs_on_the_students_own_modules(measured, tmp_path):
    """Two equal models; one student's blocks lack their GELU."""
    ada, bob = hand_in(tmp_path / "ada"), hand_in(tmp_path / "bob")
    stage = LAB.stage("5_transformer")
    (bob / stage.id).mkdir()
    own = stage.reference_source() + "\n\ndef gelu(x, approximate='none'):\n    return x\n"
    (bob / stage.id / "transformer.py").write_text(own, encoding="utf-8")
    lines = measured(ada, bob).output.splitlines()
    losses = {line.split()[1]: line.split("│")[5].split("±")[0] for line in lines if "±" in line}
    assert set(losses) == {"ada", "bob"}
    assert losses["ada"] != losses["bob"]
