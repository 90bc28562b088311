"""The trainer of stage 6, run as a student runs it, on the reference."""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from autograder.course.lab import Lab
from autograder.models.entry import count_parameters
from autograder.models.model import Model
from autograder.release.solved import write_solved

LAB = Lab.find(Path(__file__))
TEXT = "".join(f"line {number} says {number * number}\n" for number in range(900))
SMALL = """
    --data tiny --context-length 8 --d-model 16 --num-heads 2 --num-blocks 1 --d-hidden 32
    --tokens 1600 --batch-size 4 --max-rate 0.01 --warmup 5 --evaluations 5 --device cpu
""".split()
DROPPING = [*SMALL, "--dropout", "0.1"]
STEPS = 50
COMPLETE, STOPPED, WRONG_USE = 0, 1, 2


class Killed(BaseException):
    """Stands for an end without warning."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of stage 6 in a students' repository that is solved, with what it imports within reach."""
    folder = tmp_path_factory.mktemp("solved")
    write_solved(LAB, folder)
    (folder / "data" / "tiny").mkdir()
    (folder / "data" / "tiny" / "train.txt").write_text(TEXT, encoding="utf-8")
    (folder / "data" / "tiny" / "validation.txt").write_text(TEXT[-900:], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for place in sorted(folder.glob("[1-9]*_*")):
            patch.syspath_prepend(place)
        yield folder / "6_gpt"
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
                patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def train(stage: Path) -> Callable[..., int]:
    """Run the trainer in this process: `train(folder, "--resume")`; the exit code."""
    from trainer import loop
    from trainer.command import run

    loop.SAMPLE_LENGTH = 20  # most of so small a run would be writing samples

    def train(out: Path, *arguments: str) -> int:
        threads = torch.get_num_threads()
        try:
            return run(stage, [*arguments, "--out", str(out)])
        finally:
            torch.set_num_threads(threads)

    return train


@pytest.fixture(scope="module")
def whole(train: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results of a run with dropout are that nothing disturbed."""
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
    """Have something happen once, right after a step."""
    from trainer.display import Display

    shown = Display.stepped

    def arrange(step: int, happen: Callable[[], None]) -> None:
        def stepped(self, loss, done):
            shown(self, loss, done)
            if done.step == step:
                happen()

        monkeypatch.setattr(Display, "stepped", stepped)

    return arrange


def record(folder: Path) -> dict:
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


def losses(folder: Path) -> list[dict]:
    """Everything measured on the way and at the end, to the last bit."""
    found = record(folder)
    return [*found["curve"], found["validation_loss"]]


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = (load_file(folder / "gpt.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_a_run_leaves_a_model_as_good_as_it_says(train, gpt, tmp_path, capsys):
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
def test_on_a_graphics_card_it_learns_as_much(train, whole, graphics_card, tmp_path, capsys):
    assert train(tmp_path, *DROPPING, "--device", str(graphics_card)) == COMPLETE
    assert "bfloat16" in capsys.readouterr().out
    assert losses(tmp_path)[-1] == pytest.approx(losses(whole)[-1], abs=0.1)


@pytest.mark.parametrize("step", [11, 23, 49])
def test_a_killed_run_goes_on_as_if_nothing_had_been(train, at_step, whole, tmp_path, step):
    """The same losses to the last bit, whatever was lost since the last checkpoint."""
    kill_at(step, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, "--resume", "--device", "cpu") == COMPLETE
    assert losses(tmp_path) == losses(whole)
    assert_same_weights(tmp_path, whole)


def test_a_killed_run_with_own_parts_goes_on_as_well(train, at_step, tmp_path):
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


def test_a_run_that_was_killed_before_it_saved_is_started_anew(train, at_step, tmp_path):
    kill_at(3, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, "--resume") == WRONG_USE
    assert train(tmp_path, *DROPPING) == COMPLETE


def test_ctrl_c_saves_and_the_rest_follows_later(train, at_step, whole, tmp_path, capsys):
    at_step(23, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert train(tmp_path / "stopped", *DROPPING) == STOPPED
    assert "Stopped and saved after 23 steps; `--resume` goes on" in capsys.readouterr().out
    assert record(tmp_path / "stopped")["complete"] is False
    at_step(0, lambda: None)

    assert train(tmp_path / "stopped", *SMALL) == WRONG_USE
    assert "go on with --resume, or start anew with --fresh" in capsys.readouterr().out.replace("\n", " ")
    assert train(tmp_path / "stopped", "--resume", "--tokens", "99") == WRONG_USE
    assert "leave out --tokens" in capsys.readouterr().out
    assert train(tmp_path / "stopped", "--resume", "--device", "cpu") == COMPLETE
    assert "going on after step 23" in capsys.readouterr().out
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


def test_a_program_that_is_killed_goes_on_too(stage, whole, tmp_path):
    """A real process, started from elsewhere, and a signal that nobody can catch."""
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


def test_several_processes_train_as_one(train, stage, tmp_path):
    """The same batches, shared out, and the same losses but for rounding; a batch in pieces as well."""
    assert train(tmp_path / "one", *SMALL, "--accumulate", "2") == COMPLETE
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(stage / "train.py"), *SMALL, "--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == COMPLETE, done.stdout + done.stderr
    assert done.stdout.count("validation loss") == 1
    assert "2 processes" in record(tmp_path / "two")["machine"]
    for one, two in zip(record(tmp_path / "one")["curve"], record(tmp_path / "two")["curve"], strict=True):
        assert one == pytest.approx(two, abs=1e-3)


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(train, whole, tmp_path):
    for seed in ("0", "1"):
        assert train(tmp_path / seed, *DROPPING, "--seed", seed) == COMPLETE
    assert losses(tmp_path / "0") == losses(whole) != losses(tmp_path / "1")
    assert_same_weights(tmp_path / "0", whole)


def test_each_seed_and_each_step_draws_batches_of_its_own(stage, train):
    """PyTorch's generator takes no notice of a seed's higher bits."""
    from trainer.loop import mixed

    seeds = {mixed("batch", seed, step) for seed in range(40) for step in range(40)}
    assert len(seeds) == 1600
    assert max(seeds) < 2**32
    assert {mixed("dropout", 0, step, 0) for step in range(40)}.isdisjoint(seeds)


def test_own_and_faster_parts_learn_alike(train, tmp_path):
    for parts in ("own", "fast"):
        assert train(tmp_path / parts, *SMALL, "--parts", parts) == COMPLETE
    assert record(tmp_path / "own")["parts"] == "yours"
    for own, fast in zip(record(tmp_path / "own")["curve"], record(tmp_path / "fast")["curve"], strict=True):
        assert own == pytest.approx(fast, abs=1e-3)


def test_a_part_that_differs_from_pytorchs_is_kept(parts, gpt, monkeypatch):
    """Students' code is trained as it is, mistakes included."""
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


def test_faster_parts_leave_gradients_and_weights_as_they_are(parts, gpt):
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
    for one, other in zip(own, gradients(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_in_bfloat16_the_loss_is_nearly_the_same_and_learns(gpt, stage):
    """What a card does, here on the CPU: the model computes in bfloat16, the loss and the weights stay float32."""
    from trainer.machine import Machine, prepare

    config = gpt.GPTConfig(vocab_size=11, context_length=6, d_model=8, num_heads=2, num_blocks=2, d_hidden=12)
    torch.manual_seed(0)
    model = gpt.GPT(config)
    machine = Machine(torch.device("cpu"), rank=0, processes=1, half=True, compiled=False)
    trained, measured = prepare(model, machine)
    tokens = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(1))
    batch = [(tokens[:, :-1], tokens[:, 1:])]
    assert measured(batch[0][0]).dtype == torch.float32
    before = gpt.evaluate(model, batch)
    assert gpt.evaluate(measured, batch) == pytest.approx(before, abs=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(10):
        gpt.train_step(trained, optimizer, batch, 1.0)
    assert gpt.evaluate(model, batch) < before - 0.1
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_what_is_not_done_yet_is_named(train, gpt, monkeypatch, tmp_path, capsys):
    def missing(*args, **kwargs):
        raise NotImplementedError("learning_rate")

    monkeypatch.setattr(gpt, "learning_rate", missing)
    assert train(tmp_path, *SMALL) == WRONG_USE
    assert "a part that is not done yet: learning_rate" in capsys.readouterr().out


def test_without_generate_a_run_shows_no_samples(train, gpt, monkeypatch, tmp_path):
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
    ("arguments", "says"),
    [
        (["--resume"], "there is no checkpoint.safetensors in"),
        (["--data", "none"], "train.txt is missing"),
        (["--tokens", "40"], "not more than the warm-up's 5"),
        (["--d-model", "0"], "d_model is 0; it must be at least 1"),
        (["--dropout", "1.5"], "dropout is 1.5; it must be less than 1"),
        (["--seed", "-1"], "seed is -1; it must be at least 0"),
        (["--max-rate", "nan"], "max_rate is nan; it must be at least"),
        (["--accumulate", "3"], "cannot be cut into 3 pieces"),
        (["--device", "abacus"], "--device abacus"),
        (["--context-length", "950", "--tokens", "99999"], "validation.txt is shorter than the context"),
    ],
)
def test_what_cannot_be_trained_is_refused(train, tmp_path, capsys, arguments, says):
    assert train(tmp_path, *([] if arguments == ["--resume"] else SMALL), *arguments) == WRONG_USE
    assert says in capsys.readouterr().out.replace("\n", " ")


SPEEDRUN = """
    --speedrun --data tiny --tokens 12800 --evaluations 3 --device cpu
""".split()


@pytest.fixture
def speedrun(stage: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The starter, with a model as small as the others here."""
    import speedrun
    from trainer import speedrun as trainers

    def build_model(vocab_size: int) -> torch.nn.Module:
        import gpt

        return gpt.GPT(gpt.GPTConfig(vocab_size, 8, d_model=16, num_heads=2, num_blocks=1, d_hidden=32))

    monkeypatch.setattr(trainers, "SHORTEST_CONTEXT", 8)
    monkeypatch.setattr(speedrun, "CONTEXT_LENGTH", 8)
    monkeypatch.setattr(speedrun, "build_model", build_model)
    return speedrun


def speedrun_record(folder: Path) -> dict:
    return json.loads((folder / "speedrun.json").read_text(encoding="utf-8"))


def two_optimizers(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """One that counts its steps and one with another memory, as recipes have them."""
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    others = [weight for weight in model.parameters() if weight.ndim != 2]
    return [torch.optim.AdamW(matrices, lr=0.01), torch.optim.SGD(others, lr=0.1, momentum=0.9)]


def test_a_speedrun_leaves_what_the_leaderboard_takes(train, stage, speedrun, tmp_path):
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
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "speedrun.json", "speedrun.safetensors", "speedrun_curve.png", "speedrun_samples.txt"
    ]  # fmt: skip


def test_a_speedrun_of_several_optimizers_that_was_killed_goes_on_as_if_nothing_had_been(
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


def test_a_speedrun_and_a_plain_run_leave_each_other_alone(train, at_step, speedrun, tmp_path):
    kill_at(23, at_step, train, tmp_path, *DROPPING)
    assert train(tmp_path, *SPEEDRUN) == COMPLETE
    assert train(tmp_path, "--resume", "--device", "cpu") == COMPLETE


def test_a_changed_speedrun_is_not_resumed(train, at_step, stage, speedrun, monkeypatch, tmp_path, capsys):
    kill_at(47, at_step, train, tmp_path, *SPEEDRUN)
    other = tmp_path / "other.py"
    other.write_text("# changed", encoding="utf-8")
    monkeypatch.setattr(speedrun, "__file__", str(other))
    assert train(tmp_path, "--speedrun", "--resume", "--device", "cpu") == WRONG_USE
    assert "is of another speedrun.py" in capsys.readouterr().out.replace("\n", " ")


class LooksAhead(torch.nn.Module):
    """Foretells each token by the one to be foretold."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.embedding(tokens.roll(-1, dims=1))


def six_times_the_same(vocab_size: int) -> torch.nn.Module:
    """One layer in six places, as recipes share their blocks."""
    return torch.nn.Sequential(torch.nn.Embedding(vocab_size, 32), *[torch.nn.Linear(32, 32)] * 6)


@pytest.mark.parametrize(
    "build_model",
    [
        None,  # the starter's
        six_times_the_same,
        lambda vocab_size: torch.nn.Embedding(vocab_size**2, 900),  # more than is free
        lambda vocab_size: torch.nn.ModuleList([torch.nn.Embedding(64, 40), torch.nn.Embedding(vocab_size, 8)]),
    ],
)
@pytest.mark.parametrize(("vocab_size", "context_length"), [(64, 64), (30, 64)])
def test_the_trainer_counts_parameters_as_the_leaderboard_does(speedrun, build_model, vocab_size, context_length):
    """Or a student would train for minutes what is not ranked then."""
    from trainer.speedrun import counted_parameters

    model = (build_model or speedrun.build_model)(vocab_size)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    ranked = Model("x" * vocab_size, context_length, lambda student: student)
    counted, _ = count_parameters(model.state_dict(), ranked)
    assert counted_parameters(model, vocab_size, context_length) == counted


@pytest.mark.parametrize(
    ("build_model", "says"),
    [
        (LooksAhead, "the model looks ahead"),
        (lambda vocab_size: torch.nn.Embedding(vocab_size, 3), "the model's logits have shape"),
        (
            lambda vocab_size: torch.nn.Sequential(torch.nn.Embedding(vocab_size, 800), torch.nn.Linear(800, 1001)),
            "801,801 parameters, free embeddings apart; 800,000 is the most",
        ),
    ],
)
def test_a_model_that_is_no_speedrun_is_refused(train, speedrun, monkeypatch, tmp_path, capsys, build_model, says):
    monkeypatch.setattr(speedrun, "build_model", build_model)
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    assert says in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*SPEEDRUN, "--d-model", "32"], "--d-model has no say in a speedrun"),
        ([*SPEEDRUN, "--config", "gpu"], "--config has no say in a speedrun"),
        ([*SMALL, "--name", "Ada"], "--name goes with --speedrun"),
        (["--speedrun", "--resume"], "there is no speedrun_checkpoint.safetensors in"),
    ],
)
def test_what_a_speedrun_does_not_take_is_refused(train, speedrun, tmp_path, capsys, arguments, says):
    assert train(tmp_path, *arguments) == WRONG_USE
    assert says in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("length", [7, 1025])
def test_a_context_that_the_leaderboard_does_not_take_is_not_trained(
    train, speedrun, monkeypatch, tmp_path, capsys, length
):
    monkeypatch.setattr(speedrun, "CONTEXT_LENGTH", length)
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    told = capsys.readouterr().out.replace("\n", " ")
    assert f"CONTEXT_LENGTH is {length}; the leaderboard takes from 8 to 1024" in told


def test_a_speedrun_lacks_what_it_must_define(train, speedrun, monkeypatch, tmp_path, capsys):
    monkeypatch.delattr(speedrun, "rate_factor")
    assert train(tmp_path, *SPEEDRUN) == WRONG_USE
    assert "must define rate_factor" in capsys.readouterr().out.replace("\n", " ")


def test_the_starter_is_a_speedrun_and_the_courses_own_recipe_stays_with_the_instructor():
    folder = LAB.root / "solutions" / "6_gpt"
    starter = (folder / "given" / "speedrun.py").read_text(encoding="utf-8")
    recipes = [path.read_text(encoding="utf-8") for path in (folder / "recipes").glob("*.py")]
    lines = {line.strip() for recipe in recipes for line in recipe.splitlines() if line not in starter}
    telling = {line for line in lines if len(line) >= 40 and not line.startswith("def ")}
    assert len(telling) > 20
    released = [
        path for path in (LAB.root / "assignments").rglob("*") if path.suffix in (".py", ".ipynb", ".md", ".json")
    ]
    shown = "\n".join(path.read_text(encoding="utf-8") for path in released)
    assert not [line for line in telling if line in shown]


@pytest.mark.parametrize("content", [b"", b"no tensors", (2**60).to_bytes(8, "little") + b"{}"])
def test_a_file_that_is_no_checkpoint_is_refused(train, tmp_path, capsys, content):
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    assert train(tmp_path, "--resume") == WRONG_USE
    assert "is no checkpoint of this program" in capsys.readouterr().out.replace("\n", " ")


def test_windows_foretell_each_character_once(stage):
    from trainer.corpus import windows

    for length in (12, 13, 14):
        tokens = torch.arange(length)
        found = list(windows(tokens, 4))
        assert torch.cat([targets for _, targets in found]).tolist() == list(range(1, (length - 1) // 4 * 4 + 1))
        assert all(torch.equal(inputs + 1, targets) for inputs, targets in found)


def test_windows_of_documents_see_each_line_from_its_beginning(stage):
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


def test_configurations_have_the_size_and_the_length_they_should(gpt, stage):
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
