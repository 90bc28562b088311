"""The course's own speedrun of the known language: as that of the plays, with a smaller model.

There is less to remember than in the plays, and looking a value up takes two blocks: a third costs time and gains
nothing.
"""

from plays import BATCH_SIZE, CONTEXT_LENGTH, MAX_NORM, Model, build_optimizers, rate_factor

__all__ = ["BATCH_SIZE", "CONTEXT_LENGTH", "MAX_NORM", "build_model", "build_optimizers", "rate_factor"]


def build_model(vocab_size: int) -> Model:
    """The model for tokens below `vocab_size`."""
    return Model(vocab_size, d_model=96, num_heads=2, num_blocks=2)
