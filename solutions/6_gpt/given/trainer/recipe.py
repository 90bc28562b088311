"""The recipe of a run: the size of the model, the amount of training, the learning rates."""

from dataclasses import dataclass, field, fields
from typing import Any

# The minimum of settings that must be positive.
TINY = 1e-12
LARGEST = 10**12


def _setting(default: Any, help_text: str, minimum: float = 1) -> Any:
    return field(default=default, metadata={"help": help_text, "minimum": minimum})


@dataclass(frozen=True)
class Recipe:
    """All settings that determine the result of a run.

    On a CPU, the same recipe gives the same weights, bit by bit; a GPU may add numbers in another order.
    """

    data: str = _setting("shakespeare", "Folder in data/ with train.txt and validation.txt.")
    documents: bool = _setting(False, "Evaluate on windows that begin at the start of a line.")
    context_length: int = _setting(64, "Number of tokens that the model sees.")
    d_model: int = _setting(128, "Number of features of a position.")
    num_heads: int = _setting(4, "Number of heads of each attention layer.")
    num_blocks: int = _setting(4, "Number of blocks.")
    d_hidden: int = _setting(512, "Number of features of the hidden layers.")
    dropout: float = _setting(0.0, "Probability of dropout.", minimum=0)
    init_std: float = _setting(0.02, "Standard deviation of the initial weights.", minimum=TINY)
    tokens: int = _setting(1_500_000, "Number of tokens to train on, repetitions counted.")
    batch_size: int = _setting(16, "Number of sequences per step, on all devices together.")
    accumulate: int = _setting(1, "Number of pieces to cut a batch into to save memory; the result is the same.")
    max_rate: float = _setting(4e-3, "Learning rate after the warm-up.", minimum=TINY)
    min_rate: float = _setting(1e-4, "Learning rate at the end.", minimum=0)
    warmup: int = _setting(50, "Number of warm-up steps until the learning rate is reached.", minimum=0)
    weight_decay: float = _setting(0.1, "Weight decay of matrices and embeddings.", minimum=0)
    beta2: float = _setting(0.99, "Decay of AdamW's average of squared gradients.", minimum=0)
    max_norm: float = _setting(1.0, "Largest norm of the gradient; longer gradients are clipped.", minimum=TINY)
    evaluations: int = _setting(10, "Number of times to evaluate, save and write a sample.")
    seed: int = _setting(0, "Seed of the initial weights, the batches and the dropout.", minimum=0)
    name: str = _setting("", "Name to show in the leaderboard, with --speedrun; without it, no name is shown.")

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained, naming the setting and its value."""
        for setting in fields(self):
            name, minimum = setting.name, setting.metadata["minimum"]
            value = getattr(self, name)
            if not isinstance(value, (str, bool)) and not minimum <= value < LARGEST:
                raise ValueError(f"{name} is {value}; it must be at least {minimum:g}, and less than {LARGEST:g}")
        for name in ("dropout", "beta2"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be less than 1")
        if self.d_model % self.num_heads:
            raise ValueError(
                f"--d-model is {self.d_model}; it must be a multiple of --num-heads, which is {self.num_heads}"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size is {self.batch_size}; it must be a multiple of accumulate, which is {self.accumulate}"
            )
        if self.warmup >= self.steps:
            raise ValueError(
                f"tokens is {self.tokens}, which gives {self.steps} steps; the steps must exceed the warm-up of "
                f"{self.warmup}"
            )

    @property
    def tokens_per_step(self) -> int:
        """Number of tokens that one step trains on."""
        return self.batch_size * self.context_length

    @property
    def steps(self) -> int:
        """Number of steps: the most that the tokens allow."""
        return self.tokens // self.tokens_per_step

    def evaluation_steps(self) -> set[int]:
        """Return the steps after which to evaluate and save: evenly spaced, including the last step."""
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
    "known": Recipe(
        data="known_language",
        documents=True,
        context_length=128,
        d_model=96,
        num_blocks=2,
        d_hidden=384,
        # With 0.02, a model this narrow does not learn to look up values in this budget.
        init_std=0.1,
        batch_size=8,
        max_rate=3e-3,
    ),
}
