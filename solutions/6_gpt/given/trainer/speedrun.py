"""`train.py --speedrun`: trains the model of your `speedrun.py` with its optimizers and learning rates."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import gpt
import torch
from torch import Tensor, nn

from trainer import acceptance
from trainer.acceptance import evaluation_mode
from trainer.corpus import Corpus
from trainer.limits import read_file_sizes, read_limits
from trainer.recipe import Recipe
from trainer.task import Files, Task

FILE = "speedrun.py"
FILES = Files(
    weights="speedrun.safetensors",
    record="speedrun.json",
    checkpoint="speedrun_checkpoint.safetensors",
    curve="speedrun_curve.png",
    samples="speedrun_samples.txt",
)
# Settings of a recipe that the command line may change; speedrun.py sets the rest.
OPTIONS = ("data", "documents", "tokens", "accumulate", "evaluations", "seed", "name")
SET_IN_FILE = ("context_length", "batch_size", "max_norm")


class SpeedrunError(Exception):
    """`speedrun.py` cannot be trained; the message names the problem."""


def load(stage: Path) -> ModuleType:
    """Import your `speedrun.py` and check it.

    Raises:
        SpeedrunError: a name is missing, or a number is invalid.
    """
    import speedrun

    names = ("CONTEXT_LENGTH", "BATCH_SIZE", "MAX_NORM", "build_model", "build_optimizers", "rate_factor")
    if missing := [name for name in names if not hasattr(speedrun, name)]:
        raise SpeedrunError(f"{stage / FILE} must define {missing[0]}, which is missing")
    for name in ("CONTEXT_LENGTH", "BATCH_SIZE"):
        if type(value := getattr(speedrun, name)) is not int or value < 1:
            raise SpeedrunError(f"{FILE}: {name} is {value!r}; it must be an integer of at least 1")
    shortest, longest = read_limits(stage).context_length
    if not shortest <= speedrun.CONTEXT_LENGTH <= longest:
        bounds = f"from {shortest} to {longest}"
        raise SpeedrunError(f"{FILE}: CONTEXT_LENGTH is {speedrun.CONTEXT_LENGTH}; the leaderboard accepts {bounds}")
    return speedrun


def source_digest(stage: Path) -> str:
    """Return the digest of your `speedrun.py`, which the record of a run holds."""
    return _digest(stage / FILE)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def recipe_settings(stage: Path) -> dict[str, object]:
    """Return the settings that `speedrun.py` makes, and the tokens of the shortest event.

    The warm-up is 0 because `rate_factor` sets all rates.
    """
    module = load(stage)
    numbers = {name: getattr(module, name.upper()) for name in SET_IN_FILE}
    return {**numbers, "tokens": min(read_limits(stage).events.values()), "warmup": 0}


def speedrun_task(recipe: Recipe, corpus: Corpus, stage: Path) -> Task:
    """Make the task of your speedrun.

    Raises:
        SpeedrunError: there are too many tokens, or the model has too many parameters.
        RefusedModelError: the leaderboard would refuse the model or its files for another reason.
    """
    module, limits = load(stage), read_limits(stage)
    if recipe.tokens > (most := max(limits.events.values())):
        raise SpeedrunError(f"--tokens is {recipe.tokens:,}; the leaderboard accepts at most {most:,}")
    torch.manual_seed(recipe.seed)
    vocab_size = len(corpus.alphabet)
    model = module.build_model(vocab_size)
    count = counted_parameters(model, vocab_size, recipe.context_length, limits.free_embeddings)
    if count > limits.most_parameters:
        raise SpeedrunError(
            f"{FILE}: the model has {count:,} parameters without free embeddings; "
            f"at most {limits.most_parameters:,} are allowed"
        )
    _check_results(model, module, recipe, vocab_size, read_file_sizes(stage))
    source = _digest(Path(str(module.__file__)))
    entries = asdict(recipe)
    return Task(
        model=model,
        sizes={"vocab_size": vocab_size, "context_length": recipe.context_length},
        make_optimizers=module.build_optimizers,
        rate_factor=lambda step: module.rate_factor(step, recipe.steps),
        generate=lambda model, *options: _generate(model, recipe.context_length, *options),
        parts=f"yours; the model and its optimizers are those of {FILE}",
        source=source,
        record_entries={
            "name": recipe.name,
            "speedrun_sha256": source,
            "counted_parameters": count,
            "recipe": {name: entries[name] for name in (*OPTIONS, *SET_IN_FILE)},
        },
        files=FILES,
    )


def _check_results(
    model: nn.Module, module: ModuleType, recipe: Recipe, vocab_size: int, sizes: dict[str, int]
) -> None:
    """Check what the leaderboard would refuse after the run."""
    called = f"the model of {FILE}"
    acceptance.check_record(recipe, sizes[FILES.record])
    acceptance.check_predictions(model, called, vocab_size, recipe.context_length)
    acceptance.check_state(model.state_dict(), called, sizes[FILES.weights])
    acceptance.check_reload(model, lambda: module.build_model(vocab_size), called)


def counted_parameters(model: nn.Module, vocab_size: int, context_length: int, most_free: int) -> int:
    """Count the parameters as the leaderboard does: each weight once, without the free parameters of embeddings.

    An embedding is a matrix with a row per character or per pair of characters. The smallest matrix with a row per
    position is also an embedding.
    """
    weights = {id(weight): weight for weight in model.state_dict(keep_vars=True).values()}.values()
    matrices = [weight for weight in weights if weight.ndim == 2]
    rows = vocab_size, vocab_size**2
    of_characters = sum(matrix.numel() for matrix in matrices if len(matrix) in rows)
    of_positions = [matrix.numel() for matrix in matrices if len(matrix) == context_length and len(matrix) not in rows]
    free = min(of_characters + min(of_positions, default=0), most_free)
    return sum(weight.numel() for weight in weights) - free


def _generate(
    model: nn.Module, context: int, prompt: Tensor, length: int, temperature: float, generator: torch.Generator
) -> Tensor:
    """Return the prompt and its continuation, `(1, prompt + length)`, without a cache, for any model."""
    tokens = prompt
    with evaluation_mode(model):
        while tokens.shape[1] < prompt.shape[1] + length:
            last = model(tokens[:, -context:])[:, -1]  # (1, vocab_size)
            drawn = gpt.next_token_probabilities(last, temperature).multinomial(1, generator=generator)
            tokens = torch.cat([tokens, drawn], dim=1)
    return tokens
