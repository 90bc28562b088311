"""`train.py --speedrun`: the model, the optimizers and the rates are those of your `speedrun.py`."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import gpt
import torch
from torch import Tensor, nn

from trainer.corpus import Corpus
from trainer.recipe import Recipe
from trainer.task import Files, Task

FILE = "speedrun.py"
MOST_PARAMETERS = 800_000
FREE_EMBEDDINGS = 600_000
# The leaderboard compares models on 64 characters at a time.
SHORTEST_CONTEXT, LONGEST_CONTEXT = 64, 1024
FILES = Files(
    weights="speedrun.safetensors",
    record="speedrun.json",
    checkpoint="speedrun_checkpoint.safetensors",
    curve="speedrun_curve.png",
    samples="speedrun_samples.txt",
)
# Entries of a recipe that have a say here; the rest is what speedrun.py decides.
OPTIONS = ("data", "documents", "tokens", "accumulate", "evaluations", "seed", "name")
DECIDED = ("context_length", "batch_size", "max_norm")


class SpeedrunError(Exception):
    """`speedrun.py` cannot be trained; the message says what is wrong with it."""


def load(stage: Path) -> ModuleType:
    """Your `speedrun.py`.

    Raises:
        SpeedrunError: a name is missing, or a number is none.
    """
    import speedrun

    names = ("CONTEXT_LENGTH", "BATCH_SIZE", "MAX_NORM", "build_model", "build_optimizers", "rate_factor")
    if missing := [name for name in names if not hasattr(speedrun, name)]:
        raise SpeedrunError(f"{stage / FILE} must define {missing[0]}, which is missing")
    for name in ("CONTEXT_LENGTH", "BATCH_SIZE"):
        if type(value := getattr(speedrun, name)) is not int or value < 1:
            raise SpeedrunError(f"{FILE}: {name} is {value!r}; it must be a whole number, at least 1")
    if not SHORTEST_CONTEXT <= speedrun.CONTEXT_LENGTH <= LONGEST_CONTEXT:
        bounds = f"from {SHORTEST_CONTEXT} to {LONGEST_CONTEXT}"
        raise SpeedrunError(f"{FILE}: CONTEXT_LENGTH is {speedrun.CONTEXT_LENGTH}; the leaderboard takes {bounds}")
    return speedrun


def decided(module: ModuleType) -> dict[str, object]:
    """What `speedrun.py` decides of a recipe; the rates, and with them the warm-up, are its own affair."""
    numbers = {name: getattr(module, name.upper()) for name in DECIDED}
    return {**numbers, "warmup": 0}


def task(recipe: Recipe, corpus: Corpus, stage: Path) -> Task:
    """Your speedrun.

    Raises:
        SpeedrunError: the model has too many parameters, or gives something else than logits.
    """
    module = load(stage)
    torch.manual_seed(recipe.seed)
    vocab_size = len(corpus.alphabet)
    model = module.build_model(vocab_size)
    count = counted_parameters(model, vocab_size, recipe.context_length)
    if count > MOST_PARAMETERS:
        raise SpeedrunError(
            f"{FILE}: the model has {count:,} parameters, free embeddings apart; "
            f"{MOST_PARAMETERS:,} is the most"
        )
    _try(model, vocab_size, recipe.context_length)
    source = hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    entries = asdict(recipe)
    return Task(
        model=model,
        sizes={"vocab_size": vocab_size, "context_length": recipe.context_length},
        make_optimizers=module.build_optimizers,
        factor=lambda step: module.rate_factor(step, recipe.steps),
        generate=lambda model, *how: _write_on(model, recipe.context_length, *how),
        parts=f"yours; the model and its optimizers are those of {FILE}",
        source=source,
        told={
            "name": recipe.name,
            "speedrun_sha256": source,
            "counted_parameters": count,
            "recipe": {name: entries[name] for name in (*OPTIONS, *DECIDED)},
        },
        files=FILES,
    )


def counted_parameters(model: nn.Module, vocab_size: int, context_length: int) -> int:
    """Numbers in the weights, each once, less the free ones of embeddings: what the leaderboard counts in your file.

    An embedding is a matrix with a row per character or per pair of characters, or one with a row per position.
    """
    weights = {id(weight): weight for weight in model.state_dict(keep_vars=True).values()}.values()
    matrices = [weight for weight in weights if weight.ndim == 2]
    rows = vocab_size, vocab_size**2
    of_characters = sum(one.numel() for one in matrices if len(one) in rows)
    others = [one.numel() for one in matrices if len(one) == context_length and len(one) not in rows]
    free = min(of_characters + min(others, default=0), FREE_EMBEDDINGS)
    return sum(weight.numel() for weight in weights) - free


def _try(model: nn.Module, vocab_size: int, length: int) -> None:
    """See that the model gives logits, and that none changes with what comes later."""
    tokens = torch.arange(2 * length).remainder(vocab_size).view(2, length)
    changed = tokens.clone()
    changed[:, length // 2 :] = (tokens[:, length // 2 :] + 1) % vocab_size
    with _reading(model):
        before, after = model(tokens), model(changed)
    shape = getattr(before, "shape", type(before).__name__)
    if shape != (2, length, vocab_size):
        raise SpeedrunError(f"{FILE}: the model's logits have shape {shape}, not {(2, length, vocab_size)}")
    if not torch.allclose(before[:, : length // 2], after[:, : length // 2], rtol=1e-4, atol=1e-4):
        raise SpeedrunError(f"{FILE}: the model looks ahead: logits change with tokens that come later")


def _write_on(
    model: nn.Module, context: int, prompt: Tensor, length: int, temperature: float, generator: torch.Generator
) -> Tensor:
    """The prompt and what the model writes after it, `(1, prompt + length)`; any model can be asked, caches or none."""
    written = prompt
    with _reading(model):
        while written.shape[1] < prompt.shape[1] + length:
            last = model(written[:, -context:])[:, -1]
            drawn = gpt.next_token_probabilities(last, temperature).multinomial(1, generator=generator)
            written = torch.cat([written, drawn], dim=1)
    return written


@contextmanager
def _reading(model: nn.Module) -> Iterator[None]:
    """Dropout off and no gradients; afterwards the model is in the mode that it was in."""
    mode = model.training
    model.train(False)
    with torch.set_grad_enabled(False):
        try:
            yield
        finally:
            model.train(mode)
