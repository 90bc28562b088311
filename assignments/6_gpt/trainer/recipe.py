"""What a run is made of, as numbers: the model's size, the amount of training, the rates."""

from dataclasses import dataclass, field, fields
from typing import Any

# For what may be as small as one likes, but not nothing.
TINY = 1e-12
LARGEST = 10**12


def _entry(default: Any, explanation: str, least: float = 1) -> Any:
    return field(default=default, metadata={"help": explanation, "least": least})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of a run.

    On a CPU the same recipe gives the same weights, to the last bit; a graphics card adds in an order of its own.
    """

    data: str = _entry("shakespeare", "folder in data/ with train.txt and validation.txt")
    documents: bool = _entry(False, "measure from the beginnings of lines on, not anywhere")
    context_length: int = _entry(64, "how many characters the model sees")
    d_model: int = _entry(128, "features of a position")
    num_heads: int = _entry(4, "heads of each attention")
    num_blocks: int = _entry(4, "blocks")
    d_hidden: int = _entry(512, "features of the hidden layers")
    dropout: float = _entry(0.0, "probability of dropout", least=0)
    init_std: float = _entry(0.02, "spread of the first weights", least=TINY)
    tokens: int = _entry(1_500_000, "how many characters to train on, repetitions counted")
    batch_size: int = _entry(16, "sequences per step, on all devices together")
    accumulate: int = _entry(1, "pieces that a batch is cut into where memory is short; the result is the same")
    max_rate: float = _entry(4e-3, "learning rate after the warm-up", least=TINY)
    min_rate: float = _entry(1e-4, "learning rate at the end", least=0)
    warmup: int = _entry(50, "steps until the learning rate is reached", least=0)
    weight_decay: float = _entry(0.1, "decay of matrices and embeddings", least=0)
    beta2: float = _entry(0.99, "memory of AdamW for squared gradients", least=0)
    max_norm: float = _entry(1.0, "longest gradient", least=TINY)
    evaluations: int = _entry(10, "how often to measure, save and write a sample")
    seed: int = _entry(0, "decides the first weights, the batches and the dropout", least=0)
    name: str = _entry("", "of a speedrun: what the leaderboard calls you; nothing shows no name")

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, with the name and the value."""
        for one in fields(self):
            value, least = getattr(self, one.name), one.metadata["least"]
            if not isinstance(value, (str, bool)) and not least <= value < LARGEST:
                raise ValueError(f"{one.name} is {value}; it must be at least {least:g}, and less than {LARGEST:g}")
        for name in ("dropout", "beta2"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be less than 1")
        if self.batch_size % self.accumulate:
            raise ValueError(f"a batch of {self.batch_size} cannot be cut into {self.accumulate} pieces of one size")
        if self.warmup >= self.steps:
            raise ValueError(f"{self.tokens} tokens are {self.steps} steps, not more than the warm-up's {self.warmup}")

    @property
    def tokens_per_step(self) -> int:
        """Characters that one step trains on."""
        return self.batch_size * self.context_length

    @property
    def steps(self) -> int:
        """How often the weights change: as often as the tokens allow, never once more."""
        return self.tokens // self.tokens_per_step

    def evaluation_steps(self) -> set[int]:
        """After which steps to measure and save: evenly spread, the last step among them."""
        return {round(self.steps * number / self.evaluations) for number in range(1, self.evaluations + 1)} - {0}


CONFIGS = {
    "cpu": Recipe(),
    "gpu": Recipe(
        context_length=256,
        d_model=384,
        num_heads=6,
        num_blocks=6,
        d_hidden=1536,
        dropout=0.2,
        tokens=82_000_000,
        batch_size=64,
        max_rate=1e-3,
        warmup=100,
        evaluations=20,
    ),
    # Of a speedrun, the rest is decided in speedrun.py.
    "speedrun": Recipe(tokens=680_000),
    "known": Recipe(
        data="known_language",
        documents=True,
        context_length=128,
        d_model=96,
        num_blocks=2,
        d_hidden=384,
        # With 0.02 so narrow a model does not begin to look things up in time.
        init_std=0.1,
        batch_size=8,
        max_rate=3e-3,
    ),
}
