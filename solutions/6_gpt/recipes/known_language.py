"""The course's own speedrun of the known language: that of the plays, with a smaller model.

The known language is simpler than the plays, and looking up a value takes two blocks: a third block costs time and
gains nothing.
"""

from plays import BATCH_SIZE, CONTEXT_LENGTH, MAX_NORM, SpeedrunModel, build_optimizers, rate_factor

__all__ = ["BATCH_SIZE", "CONTEXT_LENGTH", "MAX_NORM", "build_model", "build_optimizers", "rate_factor"]


def build_model(vocab_size: int) -> SpeedrunModel:
    """Make the model for a vocabulary of `vocab_size` tokens."""
    return SpeedrunModel(vocab_size, d_model=96, num_heads=2, num_blocks=2)
