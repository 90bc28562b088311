"""The trainer of stage 6, run as a student runs it, on the reference."""

import errno
import hashlib
import json
import math
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import msgspec
import pytest
import tiny_entries
import torch
from safetensors.torch import load_file, save
from tiny_models import ALPHABET

from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.leaderboard.evaluation import count_parameters, evaluate_entry
from autograder.leaderboard.events import event_of
from autograder.leaderboard.record import read_entry_record
from autograder.models import Evaluation, TrainedModelError
from autograder.models.corpora.plays import plays_of
from autograder.models.record import read_record
from autograder.models.weights import read_weights
from autograder.release.solved import write_solved

LAB = Lab.find(Path(__file__))
SPEEDRUN_RULES = LAB.stage("6_gpt").spec.speedrun
MODEL_LIMITS = LAB.stage("6_gpt").spec.model_limits
TEXT = "".join(f"line {number} says {number * number}\n" for number in range(900))
SMALL = """
    --data tiny --context-length 8 --d-model 16 --num-heads 2 --num-blocks 1 --d-hidden 32
    --tokens 1600 --batch-size 4 --max-rate 0.01 --warmup 5 --evaluations 5 --device cpu
""".split()
DROPPING = [*SMALL, "--dropout", "0.1"]
STEPS = 50
COMPLETE, WRONG_USE, STOPPED, NOT_WRITTEN = 0, 2, 3, 4


WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a graphics card")


class Killed(BaseException):
    """Simulates a process that is killed."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of stage 6 in a solved student repository, with its imports on the path."""
    folder = tmp_path_factory.mktemp("solved")
    write_solved(LAB, folder)
    (folder / "data" / "tiny").mkdir()
    (folder / "data" / "tiny" / "train.txt").write_text(TEXT, encoding="utf-8")
    (folder / "data" / "tiny" / "validation.txt").write_text(TEXT[-900:], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for path in sorted(folder.glob("[1-9]*_*")):
            patch.syspath_prepend(path)
        yield folder / "6_gpt"
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
                patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def train(stage: Path) -> Callable[..., int]:
    """Run the trainer in this process, as in `train(folder, "--resume")`; return the exit code."""
    from trainer import loop
    from trainer.command import run

    loop.SAMPLE_LENGTH = 20  # otherwise such a small run would mostly generate samples

    def train(out: Path, *arguments: str) -> int:
        threads = torch.get_num_threads()
        try:
            return run(stage, [*arguments, "--out", str(out)])
        finally:
            torch.set_num_threads(threads)

    return train


@pytest.fixture(scope="module")
def whole(train: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the results of an uninterrupted run with dropout."""
    folder = tmp_path_factory.mktemp("whole")
    assert train(folder, *DROPPING) == COMPLETE
    return folder


@pytest.fixture
def gpt(stage: Path) -> ModuleType:
    import gpt

    return gpt


@pytest.fixture
def parts(stage: Path) -> ModuleType:
    from trainer import parts

    return parts


@pytest.fixture
def at_step(stage: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Call a function once, right after a step."""
    from trainer.display import Display

    original = Display.show_step

    def call_after(step: int, action: Callable[[], None]) -> None:
        def show_step(self, loss, progress):
            original(self, loss, progress)
            if progress.step == step:
                action()

        monkeypatch.setattr(Display, "show_step", show_step)

    return call_after


def record(folder: Path) -> dict:
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


def losses(folder: Path) -> list[dict]:
    """Return all losses of a run, to the last bit."""
    found = record(folder)
    return [*found["curve"], found["validation_loss"]]


def assert_same_weights(*folders: Path) -> None:
    first, second = (load_file(folder / "gpt.safetensors") for folder in folders)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_a_run_writes_a_model_with_the_loss_in_its_record(train, gpt, tmp_path, capsys):
    assert train(tmp_path, *SMALL) == COMPLETE
    found = record(tmp_path)
    assert (found["steps"], found["tokens"], found["complete"]) == (STEPS, 1600, True)
    assert found["alphabet"] == "".join(sorted(set(TEXT)))
    assert [entry["tokens"] for entry in found["curve"]] == [320, 640, 960, 1280, 1600]
    assert found["curve"][-1]["validation_loss"] < found["curve"][0]["validation_loss"] < math.log(30)

    model = gpt.GPT(gpt.GPTConfig(**found["config"]))
    model.load_state_dict(load_file(tmp_path / "gpt.safetensors"))
    assert found["parameters"] == sum(weight.numel() for weight in model.parameters())
    tokens = torch.tensor([found["alphabet"].index(character) for character in TEXT[-900:]])
    rows = tokens[:896].view(112, 8), tokens[1:897].view(112, 8)
    assert gpt.evaluate(model, [rows]) == pytest.approx(found["validation_loss"], abs=1e-6)

    shown = capsys.readouterr().out
    assert "yours; PyTorch's for attention, norms, GELU, AdamW" in shown
    assert "1,600 tokens   training" in shown
    assert (tmp_path / "samples.txt").read_text(encoding="utf-8").count("=== after") == 5
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.cuda
def test_on_a_gpu_it_reaches_the_same_loss(train, whole, graphics_card, tmp_path, capsys):
    assert train(tmp_path, *DROPPING, "--device", str(graphics_card)) == COMPLETE
    assert "bfloat16" in capsys.readouterr().out
    assert losses(tmp_path)[-1] == pytest.approx(losses(whole)[-1], abs=0.1)


@pytest.mark.parametrize("step", [11, 23, 49])
def test_a_killed_run_resumes_with_the_same_results(train, at_step, whole, tmp_path, step):
    """The losses are the same to the last bit, although the steps since the last checkpoint were lost."""
    kill_at(step, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, "--resume", "--device", "cpu") == COMPLETE
    assert losses(tmp_path) == losses(whole)
    assert_same_weights(tmp_path, whole)


def test_a_killed_run_with_own_parts_resumes_with_the_same_results(train, at_step, tmp_path):
    assert train(tmp_path / "whole", *DROPPING, "--parts", "own") == COMPLETE
    kill_at(27, at_step, train, tmp_path / "killed", *DROPPING, "--parts", "own")
    assert train(tmp_path / "killed", "--resume", "--device", "cpu", "--parts", "own") == COMPLETE
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert_same_weights(tmp_path / "killed", tmp_path / "whole")


def kill_at(step: int, at_step, train, folder: Path, *arguments: str) -> None:
    def kill() -> None:
        raise Killed

    at_step(step, kill)
    with pytest.raises(Killed):
        train(folder, *arguments)
    at_step(0, kill)


def test_a_run_that_was_killed_before_its_first_checkpoint_can_start_again(train, at_step, tmp_path):
    kill_at(3, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, *DROPPING) == COMPLETE


def test_a_requeued_job_repeats_its_command_until_the_run_is_complete(train, at_step, whole, tmp_path, capsys):
    """Slurm runs the same command again: it starts, continues, and does not train a complete run again."""
    job = [*DROPPING, "--resume"]
    kill_at(3, at_step, train, tmp_path, *job)
    kill_at(23, at_step, train, tmp_path, *job)
    assert "resumed after" not in capsys.readouterr().out
    assert train(tmp_path, *job) == COMPLETE
    assert "resumed after step 20" in capsys.readouterr().out
    assert losses(tmp_path) == losses(whole)
    written = (tmp_path / "training.json").stat().st_mtime_ns
    assert train(tmp_path, *job) == COMPLETE
    assert "gpt.safetensors is complete; without --resume, a new run starts" in capsys.readouterr().out.replace(
        "\n", ""
    )
    assert (tmp_path / "training.json").stat().st_mtime_ns == written


def test_a_resumed_run_keeps_its_recipe(train, at_step, tmp_path, capsys):
    kill_at(23, at_step, train, tmp_path, *SMALL)
    for option, value, says in (
        ("--tokens", "99", "has tokens 1600, not 99: omit --tokens"),
        ("--config", "gpu", "has data tiny, not shakespeare: omit --config"),
    ):
        assert train(tmp_path, "--resume", option, value) == WRONG_USE
        assert says in " ".join(capsys.readouterr().out.split())


def test_a_second_run_in_a_folder_is_refused(train, at_step, stage, tmp_path, capsys):
    """Both would end well, and one would overwrite the other's results."""
    outcomes = []
    at_step(7, lambda: outcomes.append(subprocess.run(command, capture_output=True, text=True)))
    command = [sys.executable, str(stage / "train.py"), *SMALL, "--out", str(tmp_path)]
    assert train(tmp_path, *SMALL) == COMPLETE
    (second,) = outcomes
    assert second.returncode == WRONG_USE
    assert second.stdout.splitlines() == [
        "Loading PyTorch and your modules ...",
        f"another run is training in {tmp_path}: wait until it ends, or choose another folder with --out",
    ]
    assert (second.stderr, train(tmp_path, *SMALL)) == ("", COMPLETE)


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "curve.png", "gpt.safetensors", "training.json"])
def test_a_full_disk_ends_the_run_with_one_line_and_loses_no_checkpoint(
    train, whole, monkeypatch, tmp_path, capsys, name
):
    """Every file of a run is written whole; what the disk still holds continues once there is room."""
    write_bytes, writes = Path.write_bytes, []

    def full(path: Path, content: bytes) -> int:
        writes.append(path.name)
        if writes.count(f".{name}.new") > 1 or path.name in (".gpt.safetensors.new", ".training.json.new"):
            write_bytes(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert train(tmp_path, *DROPPING) == NOT_WRITTEN
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{tmp_path}/.")
    assert "cannot be written: No space left on device. The run is saved in" in last
    assert not list(tmp_path.glob(".*.new"))
    assert train(tmp_path, *DROPPING, "--resume") == COMPLETE
    assert losses(tmp_path) == losses(whole)


def test_a_folder_that_cannot_be_written_ends_the_run_with_one_line(train, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train(tmp_path / "file" / "results", *SMALL) == NOT_WRITTEN
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path}/file")
    assert line.endswith("cannot be written: Not a directory. Make room, or choose another folder with --out.")


def test_results_have_the_mode_of_other_files(whole):
    modes = {path.name: path.stat().st_mode & 0o777 for path in whole.iterdir() if not path.name.startswith(".")}
    assert set(modes) >= {"gpt.safetensors", "training.json", "curve.png", "samples.txt"}
    assert set(modes.values()) == {0o666 & ~umask()}


def umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_the_bars_are_those_of_the_lab_sheet(stage):
    """The sheet computes them with the student's loss, from counts to which it adds 0.1."""
    from trainer.corpus import Corpus

    corpus = Corpus.read(stage.parent / "data" / "shakespeare")
    size, train_ids, unseen = len(corpus.alphabet), corpus.train, corpus.validation
    pairs = torch.zeros(size, size).index_put_((train_ids[:-1], train_ids[1:]), torch.tensor(1.0), accumulate=True)
    expected = [
        torch.nn.functional.cross_entropy(logits, unseen[1:]).item()
        for logits in (
            torch.zeros(len(unseen) - 1, size),
            (pairs.sum(0) + 0.1).log().expand(len(unseen) - 1, -1),
            (pairs + 0.1).log()[unseen[:-1]],
        )
    ]
    assert list(corpus.bars().values()) == pytest.approx(expected, abs=1e-3)


def test_ctrl_c_saves_and_the_run_can_be_resumed(train, at_step, whole, tmp_path, capsys):
    at_step(23, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert train(tmp_path / "stopped", *DROPPING) == STOPPED
    assert "Stopped and saved after 23 steps; continue with `--resume`" in capsys.readouterr().out
    assert record(tmp_path / "stopped")["complete"] is False
    at_step(0, lambda: None)

    assert train(tmp_path / "stopped", *SMALL) == WRONG_USE
    assert "continue it with --resume, or start again with --fresh" in capsys.readouterr().out.replace("\n", " ")
    assert train(tmp_path / "stopped", "--resume", "--tokens", "99") == WRONG_USE
    assert "omit --tokens" in capsys.readouterr().out
    assert train(tmp_path / "stopped", "--resume", "--device", "cpu") == COMPLETE
    assert "resumed after step 23" in capsys.readouterr().out
    assert losses(tmp_path / "stopped") == losses(whole)
    assert_same_weights(tmp_path / "stopped", whole)


def test_a_second_ctrl_c_stops_at_once(train, at_step, tmp_path):
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    at_step(7, twice)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, *SMALL)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_killed_process_resumes_with_the_same_results(stage, whole, tmp_path):
    """A real process, started in another folder, and a signal that cannot be caught."""
    command = [sys.executable, str(stage / "train.py"), "--out", str(tmp_path)]
    with subprocess.Popen([*command, *DROPPING], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        while (line := process.stdout.readline()) and "640 tokens" not in line:
            pass
        process.kill()
    assert line
    done = subprocess.run([*command, "--resume", "--device", "cpu"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == COMPLETE, done.stdout + done.stderr
    assert losses(tmp_path) == losses(whole)
    assert_same_weights(tmp_path, whole)


def test_several_processes_give_the_losses_of_one_process(train, stage, tmp_path):
    """The processes share the same batches, so the losses are equal up to rounding; also with batches in pieces."""
    assert train(tmp_path / "one", *SMALL, "--accumulate", "2") == COMPLETE
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(stage / "train.py"), *SMALL, "--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == COMPLETE, done.stdout + done.stderr
    assert done.stdout.count("Validation loss") == 1
    assert "2 processes" in record(tmp_path / "two")["machine"]
    for first, second in zip(record(tmp_path / "one")["curve"], record(tmp_path / "two")["curve"], strict=True):
        assert first == pytest.approx(second, abs=1e-3)


def test_the_same_recipe_gives_the_same_weights_and_another_seed_does_not(train, whole, tmp_path):
    for seed in ("0", "1"):
        assert train(tmp_path / seed, *DROPPING, "--seed", seed) == COMPLETE
    assert losses(tmp_path / "0") == losses(whole) != losses(tmp_path / "1")
    assert_same_weights(tmp_path / "0", whole)


def test_each_seed_and_each_step_draws_different_batches(stage, train):
    """PyTorch's generator ignores the higher bits of a seed."""
    from trainer.loop import derive_seed

    seeds = {derive_seed("batch", seed, step) for seed in range(40) for step in range(40)}
    assert len(seeds) == 1600
    assert max(seeds) < 2**32
    assert {derive_seed("dropout", 0, step, 0) for step in range(40)}.isdisjoint(seeds)


def test_own_and_faster_parts_give_the_same_losses(train, tmp_path):
    for parts in ("own", "fast"):
        assert train(tmp_path / parts, *SMALL, "--parts", parts) == COMPLETE
    assert record(tmp_path / "own")["parts"] == "yours"
    for own, fast in zip(record(tmp_path / "own")["curve"], record(tmp_path / "fast")["curve"], strict=True):
        assert own == pytest.approx(fast, abs=1e-3)


def test_a_part_that_differs_from_pytorchs_is_not_replaced(parts, gpt, monkeypatch):
    """Students' code is trained unchanged, with its mistakes."""
    import transformer

    normal = transformer.LayerNorm.forward
    monkeypatch.setattr(transformer.LayerNorm, "forward", lambda self, x: normal(self, x) * 1.01)
    monkeypatch.setattr(gpt.AdamW, "update", lambda self, parameter, group: parameter.sub_(parameter.grad))
    config = gpt.GPTConfig(vocab_size=11, context_length=6, d_model=8, num_heads=2, num_blocks=2, d_hidden=12)
    model = gpt.GPT(config)
    chosen = parts.choose_parts(model, config, "fast")
    assert chosen.faster == ("attention", "GELU")
    assert chosen.optimizer is gpt.AdamW
    assert [remark.split(":")[0] for remark in chosen.remarks] == ["norms", "AdamW"]
    assert "changes your logits by up to 0.0" in chosen.remarks[0]
    assert not [
        module for module in model.modules() if type(module).__name__ == "LayerNorm" and vars(module).get("forward")
    ]


def test_faster_parts_do_not_change_gradients_and_weights(parts, gpt):
    config = gpt.GPTConfig(vocab_size=11, context_length=6, d_model=8, num_heads=2, num_blocks=2, d_hidden=12)
    torch.manual_seed(0)
    model = gpt.GPT(config)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    tokens = torch.randint(11, (3, 6), generator=torch.Generator().manual_seed(1))

    def gradients() -> list[torch.Tensor]:
        loss = gpt.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
        return list(torch.autograd.grad(loss, list(model.parameters())))

    own = gradients()
    assert parts.choose_parts(model, config, "fast").faster == ("attention", "norms", "GELU", "AdamW")
    for before_change, after_change in zip(own, gradients(), strict=True):
        torch.testing.assert_close(before_change, after_change, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_in_bfloat16_the_loss_is_close_and_the_model_learns(gpt, stage):
    """As on a GPU, but on the CPU: the model computes in bfloat16, the loss and the weights stay float32."""
    from trainer.machine import Machine, prepare

    config = gpt.GPTConfig(vocab_size=11, context_length=6, d_model=8, num_heads=2, num_blocks=2, d_hidden=12)
    torch.manual_seed(0)
    model = gpt.GPT(config)
    machine = Machine(torch.device("cpu"), rank=0, processes=1, bfloat16=True, compiled=False)
    trained, evaluated = prepare(model, machine)
    tokens = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(1))
    batch = [(tokens[:, :-1], tokens[:, 1:])]
    assert evaluated(batch[0][0]).dtype == torch.float32
    before = gpt.evaluate(model, batch)
    assert gpt.evaluate(evaluated, batch) == pytest.approx(before, abs=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(10):
        gpt.train_step(trained, optimizer, batch, 1.0)
    assert gpt.evaluate(model, batch) < before - 0.1
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_a_part_that_is_not_written_yet_is_named(train, gpt, monkeypatch, tmp_path, capsys):
    def missing(*args, **kwargs):
        raise NotImplementedError("learning_rate")

    monkeypatch.setattr(gpt, "learning_rate", missing)
    assert train(tmp_path, *SMALL) == WRONG_USE
    assert "a part that is not written yet: learning_rate" in capsys.readouterr().out


def test_without_generate_a_run_writes_no_samples(train, gpt, monkeypatch, tmp_path):
    def missing(*args, **kwargs):
        raise NotImplementedError("generate")

    monkeypatch.setattr(gpt, "generate", missing)
    assert train(tmp_path, *SMALL) == COMPLETE
    assert not (tmp_path / "samples.txt").exists()


def test_a_loss_that_is_not_finite_stops_the_run(train, gpt, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpt, "train_step", lambda *args: math.nan)
    assert train(tmp_path, *SMALL) == WRONG_USE
    assert "a lower --max-rate or a longer --warmup may help" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none"], "train.txt is missing"),
        (["--tokens", "40"], "the steps must exceed the warm-up of 5"),
        (["--d-model", "0"], "d_model is 0; it must be at least 1"),
        (["--dropout", "1.5"], "dropout is 1.5; it must be less than 1"),
        (["--seed", "-1"], "seed is -1; it must be at least 0"),
        (["--max-rate", "nan"], "max_rate is nan; it must be at least"),
        (["--accumulate", "3"], "batch_size is 4; it must be a multiple of accumulate, which is 3"),
        (["--device", "gpu"], "--device is gpu; choose auto, cpu, cuda, cuda:NUMBER or mps"),
        pytest.param(["--device", "cuda:1"], "--device cuda:1: PyTorch finds no CUDA device", marks=WITHOUT_CUDA),
        (["--context-length", "950", "--tokens", "99999"], "validation.txt is shorter than the context"),
    ],
)
def test_invalid_settings_are_refused(train, tmp_path, capsys, arguments, message):
    assert train(tmp_path, *SMALL, *arguments) == WRONG_USE
    assert message in capsys.readouterr().out.replace("\n", " ")


class WithBuffers:
    """Adds to a GPT what students often add: buffers, and an output layer with the weight of the embedding."""

    def __init__(self, config) -> None:
        super().__init__(config)
        places = torch.arange(config.context_length)
        self.register_buffer("places", places)
        self.register_buffer("mask", places[:, None] >= places)
        self.head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.head.weight = self.token_embedding.weight


def test_the_grader_reads_the_files_of_a_model_with_buffers_and_a_tied_output(train, gpt, monkeypatch, tmp_path):
    monkeypatch.setattr(gpt, "GPT", type("GPT", (WithBuffers, gpt.GPT), {}))
    assert train(tmp_path, *SMALL) == COMPLETE
    found = read_weights((tmp_path / "gpt.safetensors").read_bytes())
    declared = read_record((tmp_path / "training.json").read_bytes(), MODEL_LIMITS)
    model = gpt.GPT(gpt.GPTConfig(**msgspec.structs.asdict(declared.config)))
    model.load_state_dict(found)
    assert (found["mask"].dtype, found["places"].dtype) == (torch.bool, torch.int64)
    assert declared.parameters == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("context_length", "--context-length is 2048; the grader accepts 8 to 1024"),
        ("d_model", "--d-model is 8192; the grader accepts 1 to 4096"),
        ("num_heads", "--num-heads is 65; the grader accepts 1 to 64"),
        ("num_blocks", "--num-blocks is 49; the grader accepts 1 to 48"),
        ("d_hidden", "--d-hidden is 8192; the grader accepts 1 to 4096"),
    ],
)
def test_a_size_that_the_grader_does_not_accept_is_refused_at_the_start(train, tmp_path, capsys, name, message):
    option, _, size = message.split(";")[0].split(" ")
    width = ["--d-model", "130"] if name == "num_heads" else []  # a multiple of the heads
    assert train(tmp_path, *SMALL, "--tokens", "1000000", *width, option, size) == WRONG_USE
    assert message in " ".join(capsys.readouterr().out.split())
    assert MODEL_LIMITS.sizes[name][1] < int(size)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--d-model", "15"], "--d-model is 15; it must be a multiple of --num-heads, which is 2"),
        (["--d-model", "2000", "--d-hidden", "4000"], "the grader accepts at most 12,000,000: lower --d-model,"),
        (["--evaluations", "20000"], "--evaluations is 20,000; the record has room for"),
    ],
)
def test_a_run_that_the_grader_does_not_accept_is_refused_at_the_start(train, tmp_path, capsys, arguments, message):
    assert train(tmp_path, *SMALL, *arguments) == WRONG_USE
    assert message in " ".join(capsys.readouterr().out.split())


def test_a_text_with_too_many_characters_is_refused_at_the_start(train, stage, tmp_path, capsys):
    folder = stage.parent / "data" / "symbols"
    folder.mkdir()
    for name in ("train.txt", "validation.txt"):
        (folder / name).write_text("".join(map(chr, range(0x4E00, 0x4E00 + 1025))), encoding="utf-8")
    assert train(tmp_path, *SMALL, "--data", "symbols") == WRONG_USE
    message = "the number of characters in train.txt is 1025; the grader accepts 2 to 1024"
    assert message in " ".join(capsys.readouterr().out.split())


def with_buffer(value: torch.Tensor):
    def __init__(self, config) -> None:
        super(type(self), self).__init__(config)
        self.register_buffer("extra", value)

    return {"__init__": __init__}


def registering(self, tokens, caches=None):
    self.register_buffer("seen", tokens)
    return super(type(self), self).forward(tokens, caches)


def looking_ahead(self, tokens, caches=None):
    return super(type(self), self).forward(tokens, caches) + tokens.double().mean()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (with_buffer(torch.zeros(2, dtype=torch.complex64)), "holds `extra` as complex64, which the grader does not"),
        (with_buffer(torch.full((2, 2), -math.inf).triu(1)), "not finite in `extra`, which the grader refuses"),
        (with_buffer(torch.zeros(17 << 20)), "has 68 MB; the grader accepts at most 64 MB"),
        ({"forward": registering}, "the weights of your GPT do not fit into a new one"),
        ({"forward": looking_ahead}, "your GPT looks ahead"),
    ],
)
def test_a_model_that_the_grader_does_not_accept_is_refused_at_the_start(
    train, gpt, monkeypatch, tmp_path, capsys, members, message
):
    monkeypatch.setattr(gpt, "GPT", type("GPT", (gpt.GPT,), members))
    assert train(tmp_path, *SMALL) == WRONG_USE
    assert message in " ".join(capsys.readouterr().out.split())


def test_trainer_and_grader_accept_the_same_dtypes(stage):
    from trainer.acceptance import DTYPES

    def grader_reads(dtype: torch.dtype) -> bool:
        try:
            read_weights(save({"w": torch.zeros(2, dtype=dtype)}))
        except TrainedModelError:
            return False
        return True

    storable = DTYPES | {torch.complex64, torch.float8_e4m3fn, torch.uint16, torch.uint32, torch.uint64}
    assert {dtype for dtype in storable if grader_reads(dtype)} == DTYPES


def test_a_loss_without_a_number_is_written_as_null(train, gpt, monkeypatch, tmp_path):
    monkeypatch.setattr(gpt, "evaluate", lambda model, batches: math.inf)
    assert train(tmp_path, *SMALL) == COMPLETE
    assert read_record((tmp_path / "training.json").read_bytes(), MODEL_LIMITS).validation_loss is None


def test_a_weight_that_is_not_contiguous_is_saved(train, gpt, monkeypatch, tmp_path):
    def __init__(self, config) -> None:
        super(type(self), self).__init__(config)
        self.token_embedding.weight = torch.nn.Parameter(self.token_embedding.weight.detach().T.contiguous().T)

    monkeypatch.setattr(gpt, "GPT", type("GPT", (gpt.GPT,), {"__init__": __init__}))
    assert train(tmp_path, *SMALL) == COMPLETE


SPEEDRUN = """
    --speedrun --data tiny --tokens 12800 --evaluations 3 --device cpu
""".split()


@pytest.fixture
def speedrun(stage: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The starter, with a model as small as those of the other tests."""
    import speedrun
    from trainer import speedrun as trainer_speedrun

    def build_model(vocab_size: int) -> torch.nn.Module:
        import gpt

        return gpt.GPT(gpt.GPTConfig(vocab_size, 8, d_model=16, num_heads=2, num_blocks=1, d_hidden=32))

    read_limits = trainer_speedrun.read_limits
    monkeypatch.setattr(
        trainer_speedrun, "read_limits", lambda stage: replace(read_limits(stage), context_length=(8, 1024))
    )
    monkeypatch.setattr(speedrun, "CONTEXT_LENGTH", 8)
    monkeypatch.setattr(speedrun, "build_model", build_model)
    return speedrun


def speedrun_record(folder: Path) -> dict:
    return json.loads((folder / "speedrun.json").read_text(encoding="utf-8"))


def two_optimizers(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Return two optimizers with different state: AdamW counts its steps, SGD keeps a momentum."""
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    others = [weight for weight in model.parameters() if weight.ndim != 2]
    return [torch.optim.AdamW(matrices, lr=0.01), torch.optim.SGD(others, lr=0.1, momentum=0.9)]


def test_a_speedrun_writes_the_files_that_the_leaderboard_reads(train, stage, speedrun, tmp_path):
    assert train(tmp_path, *SPEEDRUN, "--name", "Ada") == COMPLETE
    found = speedrun_record(tmp_path)
    assert (found["name"], found["tokens"], found["complete"]) == ("Ada", 12800, True)
    assert found["config"] == {"vocab_size": len(found["alphabet"]), "context_length": 8}
    assert found["speedrun_sha256"] == hashlib.sha256((stage / "speedrun.py").read_bytes()).hexdigest()
    assert found["curve"][-1]["validation_loss"] < found["curve"][0]["validation_loss"] < math.log(30)
    model = speedrun.build_model(len(found["alphabet"]))
    model.load_state_dict(load_file(tmp_path / "speedrun.safetensors"))
    embeddings = (len(found["alphabet"]) + 8) * 16
    assert found["parameters"] - found["counted_parameters"] == embeddings
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [
        "speedrun.json", "speedrun.safetensors", "speedrun_curve.png", "speedrun_samples.txt"
    ]  # fmt: skip


def test_a_killed_speedrun_with_several_optimizers_resumes_with_the_same_results(
    train, at_step, speedrun, monkeypatch, tmp_path
):
    monkeypatch.setattr(speedrun, "build_optimizers", two_optimizers)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(whole, *SPEEDRUN) == COMPLETE
    kill_at(47, at_step, train, killed, *SPEEDRUN, "--name", "Ada")
    assert train(killed, "--speedrun", "--resume", "--device", "cpu") == COMPLETE
    assert speedrun_record(killed)["name"] == "Ada"
    for name in ("curve", "validation_loss"):
        assert speedrun_record(killed)[name] == speedrun_record(whole)[name]
    first, second = (load_file(folder / "speedrun.safetensors") for folder in (whole, killed))
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def test_a_speedrun_and_a_plain_run_do_not_disturb_each_other(train, at_step, speedrun, tmp_path):
    kill_at(23, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, *SPEEDRUN) == COMPLETE
    assert train(tmp_path, "--resume", "--device", "cpu") == COMPLETE


def test_a_run_is_not_resumed_with_a_changed_speedrun(train, at_step, stage, speedrun, monkeypatch, tmp_path, capsys):
    kill_at(47, at_step, train, tmp_path, *SPEEDRUN)
    other = tmp_path / "other.py"
    other.write_text("# changed", encoding="utf-8")
    monkeypatch.setattr(speedrun, "__file__", str(other))
    assert train(tmp_path, "--speedrun", "--resume", "--device", "cpu") == WRONG_USE
    assert "belongs to another version of speedrun.py" in capsys.readouterr().out.replace("\n", " ")


class LooksAhead(torch.nn.Module):
    """Predicts each token from that token itself."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.embedding(tokens.roll(-1, dims=1))


def shared_layers(vocab_size: int) -> torch.nn.Module:
    """Return a model that uses one layer six times, as models with shared blocks do."""
    return torch.nn.Sequential(torch.nn.Embedding(vocab_size, 32), *[torch.nn.Linear(32, 32)] * 6)


@pytest.mark.parametrize(
    "build_model",
    [
        None,  # the model of the starter
        shared_layers,
        lambda vocab_size: torch.nn.Embedding(vocab_size**2, 900),  # more than the free parameters
        lambda vocab_size: torch.nn.ModuleList([torch.nn.Embedding(64, 40), torch.nn.Embedding(vocab_size, 8)]),
    ],
)
@pytest.mark.parametrize(("vocab_size", "context_length"), [(64, 64), (30, 64)])
def test_the_trainer_counts_parameters_as_the_leaderboard_does(speedrun, build_model, vocab_size, context_length):
    """Otherwise a student would train for minutes a model that the leaderboard refuses."""
    from trainer.speedrun import counted_parameters

    model = (build_model or speedrun.build_model)(vocab_size)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    most_free = SPEEDRUN_RULES.free_embeddings
    counted, _ = count_parameters(model.state_dict(), vocab_size, context_length, most_free)
    assert counted_parameters(model, vocab_size, context_length, most_free) == counted


@pytest.mark.parametrize(
    ("build_model", "message"),
    [
        (LooksAhead, "the model of speedrun.py looks ahead"),
        (lambda vocab_size: torch.nn.Embedding(vocab_size, 3), "the logits of the model of speedrun.py have shape"),
        (
            lambda vocab_size: torch.nn.Sequential(torch.nn.Embedding(vocab_size, 800), torch.nn.Linear(800, 1001)),
            "801,801 parameters without free embeddings; at most 800,000 are allowed",
        ),
    ],
)
def test_a_model_that_breaks_the_rules_is_refused(train, speedrun, monkeypatch, tmp_path, capsys, build_model, message):
    monkeypatch.setattr(speedrun, "build_model", build_model)
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    assert message in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SPEEDRUN, "--d-model", "32"], "--d-model cannot be used with --speedrun"),
        ([*SPEEDRUN, "--config", "gpu"], "--config cannot be used with --speedrun"),
        ([*SMALL, "--name", "Ada"], "--name requires --speedrun"),
    ],
)
def test_options_that_do_not_apply_to_a_speedrun_are_refused(train, speedrun, tmp_path, capsys, arguments, message):
    assert train(tmp_path, *arguments) == WRONG_USE
    assert message in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("length", [7, 1025])
def test_a_context_that_the_leaderboard_does_not_accept_is_refused(
    train, speedrun, monkeypatch, tmp_path, capsys, length
):
    monkeypatch.setattr(speedrun, "CONTEXT_LENGTH", length)
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    output = capsys.readouterr().out.replace("\n", " ")
    assert f"CONTEXT_LENGTH is {length}; the leaderboard accepts from 8 to 1024" in output


def test_a_missing_name_in_speedrun_py_is_reported(train, speedrun, monkeypatch, tmp_path, capsys):
    monkeypatch.delattr(speedrun, "rate_factor")
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    assert "must define rate_factor" in capsys.readouterr().out.replace("\n", " ")


def test_the_courses_own_speedruns_are_not_released():
    folder = LAB.root / "solutions" / "6_gpt"
    starter = (folder / "given" / "speedrun.py").read_text(encoding="utf-8")
    recipes = [path.read_text(encoding="utf-8") for path in (folder / "recipes").glob("*.py")]
    lines = {line.strip() for recipe in recipes for line in recipe.splitlines() if line not in starter}
    revealing = {line for line in lines if len(line) >= 40 and not line.startswith(("def ", "from "))}
    assert len(revealing) > 20
    released = [
        path for path in (LAB.root / "assignments").rglob("*") if path.suffix in (".py", ".ipynb", ".md", ".json")
    ]
    shown = "\n".join(path.read_text(encoding="utf-8") for path in released)
    assert not [line for line in revealing if line in shown]


@pytest.mark.parametrize("content", [b"", b"no tensors", (2**60).to_bytes(8, "little") + b"{}"])
def test_a_file_that_is_not_a_checkpoint_is_refused(train, tmp_path, capsys, content):
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    assert train(tmp_path, "--resume") == WRONG_USE
    assert "is not a checkpoint of this program" in capsys.readouterr().out.replace("\n", " ")


def test_each_token_is_a_target_of_one_window(stage):
    from trainer.corpus import windows

    for length in (12, 13, 14):
        tokens = torch.arange(length)
        found = list(windows(tokens, 4))
        assert torch.cat([targets for _, targets in found]).tolist() == list(range(1, (length - 1) // 4 * 4 + 1))
        assert all(torch.equal(inputs + 1, targets) for inputs, targets in found)


def test_windows_of_documents_see_each_line_from_its_start(stage):
    from trainer.corpus import IGNORED, document_windows

    text = "ab\ncdefgh\ni\nj\nklmnopqrstuv\nw\nxy\nzzzzzzzz"
    tokens = torch.tensor([ord(character) for character in text])
    starts = (tokens == ord("\n")).nonzero().flatten()
    shown = [
        "".join(chr(target) if target != IGNORED else "." for target in targets.tolist())
        for inputs, targets in document_windows(tokens, starts, 8)
    ]
    assert shown == ["cdefgh\n.", "i\nj\n....", "klmnopqr", "w\nxy\n...", "zzzzzzzz"]
    for inputs, targets in document_windows(tokens, starts, 8):
        counted = targets != IGNORED
        assert inputs[0] == ord("\n")
        assert torch.equal(inputs[1:][counted[:-1]], targets[:-1][counted[:-1]])


def test_configurations_have_the_intended_size_and_length(gpt, stage):
    from trainer.recipe import CONFIGS

    def size(name: str) -> int:
        recipe = CONFIGS[name]
        sizes = {
            key: getattr(recipe, key) for key in ("context_length", "d_model", "num_heads", "num_blocks", "d_hidden")
        }
        with torch.device("meta"):
            return sum(weight.numel() for weight in gpt.GPT(gpt.GPTConfig(vocab_size=64, **sizes)).parameters())

    assert size("cpu") == pytest.approx(0.8e6, rel=0.02)
    assert size("gpu") == pytest.approx(10.7e6, rel=0.02)
    assert CONFIGS["cpu"].tokens <= 1_500_000
    for recipe in CONFIGS.values():
        assert recipe.steps * recipe.tokens_per_step <= recipe.tokens
        assert len(recipe.evaluation_steps()) == recipe.evaluations
        assert max(recipe.evaluation_steps()) == recipe.steps


# The limits of the speedrun, in the trainer and in the grader


def course_file(stage: Path) -> Path:
    return stage.parent / "lab" / "course.json"


def test_trainer_and_grader_read_the_same_limits_and_files(stage):
    from trainer import speedrun as trainer_speedrun
    from trainer.limits import read_limits

    limits = asdict(read_limits(stage))
    graded = msgspec.structs.asdict(SPEEDRUN_RULES)
    assert graded.pop("most_code_bytes") > 0  # the trainer does not measure code
    module = trainer_speedrun.FILE.removesuffix(".py")
    assert {"module": module, **limits} == graded
    files = trainer_speedrun.FILES.weights, trainer_speedrun.FILES.record
    assert files == (SPEEDRUN_RULES.weights_file, SPEEDRUN_RULES.record_file)


def test_changed_limits_reach_the_trainer(stage, monkeypatch):
    from trainer import speedrun as trainer_speedrun

    course = json.loads(course_file(stage).read_text(encoding="utf-8"))
    (entry,) = [entry for entry in course["stages"] if entry["id"] == "6_gpt"]
    entry["speedrun"] |= {"context_length": [65, 1024], "events": {"only": 5000}}
    (stage.parent / "changed" / "lab").mkdir(parents=True)
    changed = stage.parent / "changed" / "6_gpt"
    course_file(changed).write_text(json.dumps(course), encoding="utf-8")
    with pytest.raises(
        trainer_speedrun.SpeedrunError, match="CONTEXT_LENGTH is 64; the leaderboard accepts from 65 to"
    ):
        trainer_speedrun.load(changed)
    entry["speedrun"]["context_length"] = [8, 1024]
    course_file(changed).write_text(json.dumps(course), encoding="utf-8")
    assert trainer_speedrun.recipe_settings(changed)["tokens"] == 5000


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        ("{", "Expecting property name"),
        ('{"stages": []}', "'6_gpt' is missing"),
        ('{"stages": [{"id": "6_gpt"}]}', "'speedrun' is missing"),
        ('{"stages": [{"id": "6_gpt", "speedrun": null}]}', "'context_length' is missing"),
        ('{"stages": [{"id": "6_gpt", "speedrun": {"context_length": [64, 1024]}}]}', "'most_parameters' is missing"),
        ('{"stages": [{"id": "6_gpt", "speedrun": {"context_length": 64}}]}', "int"),
    ],
)
def test_missing_limits_are_reported_with_the_fix(tmp_path, stage, content, problem):
    from trainer.limits import LimitsError, read_limits

    (tmp_path / "lab").mkdir()
    if content is not None:
        (tmp_path / "lab" / "course.json").write_text(content, encoding="utf-8")
    with pytest.raises(LimitsError, match="update your repository with `git pull`") as caught:
        read_limits(tmp_path / "6_gpt")
    assert problem in str(caught.value)


def test_a_plain_run_needs_no_limits_and_a_speedrun_reports_the_fix(train, stage, tmp_path, monkeypatch, capsys):
    from trainer import limits

    monkeypatch.setattr(limits, "COURSE_FILE", Path("lab") / "missing.json")
    assert train(tmp_path, *SMALL) == COMPLETE
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    assert "update your repository with `git pull`" in capsys.readouterr().out.replace("\n", " ")


def test_trainer_and_grader_accept_the_same_context_lengths(stage, monkeypatch):
    import speedrun
    from trainer.speedrun import SpeedrunError, load

    def trainer_accepts(length: int) -> bool:
        monkeypatch.setattr(speedrun, "CONTEXT_LENGTH", length)
        try:
            load(stage)
        except SpeedrunError:
            return False
        return True

    def grader_accepts(length: int) -> bool:
        source = tiny_entries.source(more=f"\nCONTEXT_LENGTH = {length}\n")
        try:
            evaluate(source.decode(), tiny_entries.weights())
        except TrainedModelError as error:
            if "CONTEXT_LENGTH must be" not in str(error):
                raise
            return False
        return True

    shortest, longest = SPEEDRUN_RULES.context_length
    for length in (shortest - 1, shortest, longest, longest + 1):
        accepted = shortest <= length <= longest
        assert (trainer_accepts(length), grader_accepts(length)) == (accepted, accepted), length


def test_trainer_and_grader_accept_the_same_numbers_of_tokens(stage, monkeypatch):
    import speedrun
    from trainer.corpus import Corpus
    from trainer.recipe import Recipe
    from trainer.speedrun import SpeedrunError, recipe_settings, speedrun_task

    monkeypatch.setattr(speedrun, "build_model", Bigrams)
    settings = recipe_settings(stage)
    corpus = Corpus.read(stage.parent / "data" / "tiny")
    record = {"format_version": 1, "alphabet": corpus.alphabet}
    events = SPEEDRUN_RULES.events
    names = list(events)
    assert event_of(settings["tokens"], events).name == names[0]
    for index, most in enumerate(events.values()):
        assert event_of(most, events).name == names[index]
        after = event_of(most + 1, events)
        assert (after.name if after else None) == (names[index + 1] if names[index + 1 :] else None)
        speedrun_task(Recipe(**{**settings, "tokens": most}), corpus, stage)
        read_entry_record(json.dumps({**record, "tokens": most}).encode(), SPEEDRUN_RULES.record_file)
    with pytest.raises(SpeedrunError, match=f"--tokens is {most + 1:,}; the leaderboard accepts at most {most:,}"):
        speedrun_task(Recipe(**{**settings, "tokens": most + 1}), corpus, stage)


class Bigrams(torch.nn.Module):
    """A bigram model with parameters that count and more embeddings than are free, which change nothing."""

    counted = 0
    embeddings = 0

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.next = torch.nn.Embedding(vocab_size, vocab_size)
        self.unused = torch.nn.Parameter(torch.zeros(self.counted))
        self.unused_embedding = torch.nn.Parameter(torch.zeros(vocab_size, self.embeddings))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.next(tokens) + self.unused.sum() + self.unused_embedding.sum()


BIGRAMS = """
import torch

CONTEXT_LENGTH = 64


class Bigrams(torch.nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.next = torch.nn.Embedding(vocab_size, vocab_size)
        self.unused = torch.nn.Parameter(torch.zeros(COUNTED))
        self.unused_embedding = torch.nn.Parameter(torch.zeros(vocab_size, EMBEDDINGS))

    def forward(self, tokens):
        return self.next(tokens)


def build_model(vocab_size):
    return Bigrams(vocab_size)
"""


def evaluate(source: str, weights: bytes) -> Evaluation:
    """Evaluate an entry as the grader does, on few characters."""
    sessions = InProcessSession(), InProcessSession()
    for session in sessions:
        session.load({"speedrun": source}, "speedrun")
    record = read_entry_record(tiny_entries.record(), SPEEDRUN_RULES.record_file)
    plays, secret = plays_of(LAB.root), b"of the course"
    return evaluate_entry(sessions, SPEEDRUN_RULES, record, [source], weights, plays, secret, characters=1600)


def evaluate_bigrams(weights: dict[str, torch.Tensor]) -> Evaluation:
    """Evaluate weights of `Bigrams`."""
    counted, (_, embeddings) = len(weights["unused"]), weights["unused_embedding"].shape
    return evaluate(BIGRAMS.replace("COUNTED", str(counted)).replace("EMBEDDINGS", str(embeddings)), save(weights))


@pytest.mark.parametrize("free_too_many", [0, 64])
def test_trainer_and_grader_accept_the_same_numbers_of_parameters(
    train, stage, monkeypatch, tmp_path, capsys, free_too_many
):
    """The trainer trains a model at the limit and the grader ranks it; both refuse one more parameter."""
    import speedrun

    most, most_free = SPEEDRUN_RULES.most_parameters, SPEEDRUN_RULES.free_embeddings
    size = len(ALPHABET)
    monkeypatch.setattr(speedrun, "build_model", Bigrams)
    monkeypatch.setattr(speedrun, "build_optimizers", lambda model: [torch.optim.SGD(model.next.parameters(), lr=300)])
    monkeypatch.setattr(speedrun, "rate_factor", lambda step, total: 1.0)
    monkeypatch.setattr(Bigrams, "embeddings", (most_free + free_too_many) // size - size)
    assert most_free % size == 0
    run = ["--speedrun", "--tokens", "51200", "--evaluations", "1", "--device", "cpu"]

    monkeypatch.setattr(Bigrams, "counted", most - free_too_many)
    assert train(tmp_path, *run) == COMPLETE
    weights = load_file(tmp_path / "speedrun.safetensors")
    record = speedrun_record(tmp_path)
    assert (record["counted_parameters"], record["alphabet"]) == (most, ALPHABET)
    evaluation = evaluate_bigrams(weights)
    assert (evaluation.parameters, evaluation.free_embeddings) == (most, most_free)
    assert evaluation.loss == pytest.approx(record["validation_loss"], abs=0.3)

    monkeypatch.setattr(Bigrams, "counted", most - free_too_many + 1)
    assert train(tmp_path, *run, "--fresh") == WRONG_USE
    says = f"the model has {most + 1:,} parameters without free embeddings; at most {most:,} are allowed"
    assert says in capsys.readouterr().out.replace("\n", " ")
    weights["unused"] = torch.zeros(most - free_too_many + 1)
    with pytest.raises(TrainedModelError, match=says):
        evaluate_bigrams(weights)


def test_the_pages_for_students_state_the_limits_of_the_course():
    folder = LAB.root / "solutions" / "6_gpt"
    starter = (folder / "given" / "speedrun.py").read_text(encoding="utf-8")
    events = list(SPEEDRUN_RULES.events.values())
    rules = SPEEDRUN_RULES
    for number in (rules.most_parameters, rules.free_embeddings, rules.most_code_bytes, events[0]):
        assert f"{number:,}" in starter
    shortest, longest = SPEEDRUN_RULES.context_length
    assert f"from {shortest} to {longest}" in starter
    sheet = (folder / "lab.md").read_text(encoding="utf-8")
    assert f"{events[0]:,}" in sheet
    for text in (starter, sheet):
        assert f"--speedrun --tokens {events[-1]} " in text


@pytest.fixture
def program(tmp_path, monkeypatch, capsys) -> Callable[[], tuple[int, str, list[str]]]:
    """A repository with `train.py` alone; run it, and return the exit code, the output and the path it sets."""
    for name in ("2_attention", "6_gpt"):
        (tmp_path / name).mkdir()
    shutil.copy(LAB.root / "solutions" / "6_gpt" / "given" / "train.py", tmp_path / "6_gpt")
    monkeypatch.setitem(sys.modules, "trainer", ModuleType("trainer"))
    monkeypatch.setitem(sys.modules, "trainer.command", SimpleNamespace(run=lambda stage, arguments: COMPLETE))
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def run_program() -> tuple[int, str, list[str]]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", [str(tmp_path / "6_gpt"), "/python/lib", "/python/site-packages"])
            code = runpy.run_path(str(tmp_path / "6_gpt" / "train.py"))["main"]()
            return code, capsys.readouterr().out, list(sys.path)

    return run_program


def test_a_stage_comes_before_an_installed_package_of_its_name(program, tmp_path):
    code, output, path = program()
    stages = [str(tmp_path / name) for name in ("2_attention", "6_gpt")]
    assert path == [stages[1], "/python/lib", *stages, "/python/site-packages"]
    assert (code, output) == (COMPLETE, "Loading PyTorch and your modules ...\n")


def test_a_file_that_hides_a_library_is_named(program, tmp_path):
    (tmp_path / "6_gpt" / "random.py").touch()
    code, output, _ = program()
    assert code == WRONG_USE
    assert output.splitlines()[-1].endswith(
        "6_gpt/random.py hides a library of that name: rename it, for example to my_random.py"
    )
