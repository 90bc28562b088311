"""Comparison of the trainer of stage 6 with a plain PyTorch GPT of the same size, step by step.

    python -m benchmarks.training_speed --config cpu --steps 200

The lab's trainer trains the reference as it trains a student's code: the student's modules, with PyTorch's faster
parts if they give the same numbers. The other GPT uses only PyTorch and is written for speed: one matrix for queries,
keys and values, PyTorch's attention, norms, GELU, loss, clipping and AdamW.

Both take turns in one process, so that other programs slow both equally. Seconds are CPU seconds. The command prints
both speeds and their ratio, and fails if it is below 0.95. `--parts own` shows the ratio without PyTorch's parts.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from autograder.course.lab import Lab
from autograder.release.solved import write_solved

REQUIRED_RATIO = 0.95
WARM_UP = 5


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        rate = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            *qkv.permute(2, 0, 3, 1, 4).unbind(0), dropout_p=rate, is_causal=True
        )
        x = x + functional.dropout(self.out(mixed.transpose(1, 2).reshape(x.shape)), rate)
        hidden = functional.dropout(functional.gelu(self.up(self.norm2(x))), rate)
        return x + functional.dropout(self.down(hidden), rate)


class PlainGPT(nn.Module):
    def __init__(self, vocab: int, context: int, width: int, heads: int, blocks: int, hidden: int, dropout: float):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(PlainBlock(width, heads, hidden, dropout) for _ in range(blocks)))
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(positions))
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


class PlainTrainer:
    def __init__(self, model: PlainGPT, text: Tensor, recipe, machine) -> None:
        model = model.to(machine.device)
        self.model, self.text, self.recipe = model, text.to(machine.device), recipe
        self.called = torch.compile(model) if machine.compiled else model
        self.device, self.bfloat16 = machine.device, machine.bfloat16
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
        self.done = 0

    def step(self) -> float:
        recipe = self.recipe
        progress = min(1.0, self.done / recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.max_rate * 0.5 * (1 + math.cos(math.pi * progress))
        starts = torch.randint(len(self.text) - recipe.context_length, (recipe.batch_size, 1), device=self.device)
        windows = self.text[starts + torch.arange(recipe.context_length + 1, device=self.device)]
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.called(windows[:, :-1])
        loss = functional.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), recipe.max_norm)
        self.optimizer.step()
        self.done += 1
        return loss.item()


@click.command()
@click.option("--config", default="cpu", show_default=True, help="Configuration of the trainer.")
@click.option("--steps", default=200, show_default=True, help="Number of pairs of steps.")
@click.option(
    "--parts",
    type=click.Choice(["fast", "own"]),
    default="fast",
    show_default=True,
    help="Use PyTorch's parts that equal the student's (fast), or only the student's (own).",
)
@click.option("--dropout", type=float, help="Dropout probability; replaces that of the configuration.")
def main(config: str, steps: int, parts: str, dropout: float | None) -> None:
    """Train both in turn and compare their speeds."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="training-speed-") as folder:
        write_solved(Lab.find(), Path(folder))
        with student_modules_on_path(Path(folder)):
            ours, plain, recipe = make_trainers(Path(folder), config, parts, dropout)
        seconds = take_turns(ours, plain, steps)
    per_step = {name: median(times) for name, times in seconds.items()}
    table = Table("trainer", "ms per step", "tokens per CPU second", title=f"{config}: medians of {steps} steps")
    for name, taken in per_step.items():
        table.add_row(name, f"{1000 * taken:.1f}", f"{recipe.tokens_per_step / taken:,.0f}")
    Console().print(table)
    ratio = median(other / own for own, other in zip(seconds["ours"], seconds["plain PyTorch"], strict=True))
    print(f"throughput: {ratio:.3f} times that of plain PyTorch, the median over pairs of steps")
    if parts == "fast" and ratio < REQUIRED_RATIO:
        sys.exit(f"the ratio must be at least {REQUIRED_RATIO}")


@contextmanager
def student_modules_on_path(folder: Path):
    """Make students' modules importable, as in their own repository."""
    before = list(sys.path)
    sys.path[:0] = [str(path) for path in sorted(folder.glob("[1-9]*_*"))]
    yield
    sys.path[:] = before


def make_trainers(
    folder: Path, config: str, parts: str, dropout: float | None, device: str = "cpu", compiled: bool | None = False
):
    """Make the two trainers, with models of the same size on the same text and device."""
    from trainer.corpus import Corpus
    from trainer.display import Display
    from trainer.loop import Trainer
    from trainer.machine import find_machine
    from trainer.recipe import CONFIGS
    from trainer.task import Files, gpt_task

    recipe = CONFIGS[config] if dropout is None else replace(CONFIGS[config], dropout=dropout)
    corpus = Corpus.read(folder / "data" / recipe.data)
    display = Display(folder / Files().curve, folder / Files().samples, Console(quiet=True), {})
    task = gpt_task(recipe, corpus, folder / "6_gpt", parts)
    machine = find_machine(device, 1, compiled)
    ours = Trainer(task, recipe, corpus, machine, folder, display)
    print(f"ours: {task.parts}")
    sizes = recipe.context_length, recipe.d_model, recipe.num_heads, recipe.num_blocks, recipe.d_hidden
    model = PlainGPT(len(corpus.alphabet), *sizes, recipe.dropout)
    counts = [sum(parameter.numel() for parameter in each.parameters()) for each in (ours.model, model)]
    if counts[0] != counts[1]:
        sys.exit(f"the models differ in size: {counts[0]:,} and {counts[1]:,} parameters")
    return ours, PlainTrainer(model, corpus.train, recipe, machine), recipe


def take_turns(ours, plain, steps: int, clock: Callable[[], float] = time.process_time) -> dict[str, list[float]]:
    """Return the seconds of each step of both, by default CPU seconds; they alternate in going first."""
    sides: dict[str, Callable[[], object]] = {"ours": ours.step, "plain PyTorch": plain.step}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    with ours.display.bar(ours.recipe, ours.progress):
        for number in range(steps + WARM_UP):
            for name in sides if number % 2 else reversed(sides):
                started = clock()
                sides[name]()
                if number >= WARM_UP:
                    seconds[name].append(clock() - started)
    return seconds


if __name__ == "__main__":
    main()
