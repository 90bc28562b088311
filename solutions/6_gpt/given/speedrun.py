"""Your speedrun: the smallest loss for a fixed number of characters read.

    python train.py --speedrun                     # 680,000 characters, the sprint
    python train.py --speedrun --tokens 1500000    # the long run
    python train.py --speedrun --name "Ada"        # with a name to show in the leaderboard

This is the GPT of `gpt.py` and its AdamW, as they are: a place to start from. Change whatever you like, as long as
the names below stay, no position sees a later one, and there are 800,000 parameters at most. Embeddings, which have
a row per character, per pair of characters or per position, are free up to 600,000. What you wrote in earlier stages
can be imported. Seconds don't count, characters do.

Nothing here is needed to pass. The run writes `speedrun.safetensors` and `speedrun.json` beside this file.
"""

import gpt
import torch
from torch import nn

# The most characters that the model looks at: from 64 to 1024.
CONTEXT_LENGTH = 64
# Sequences of that length in each step.
BATCH_SIZE = 16
# The longest gradient.
MAX_NORM = 1.0


def build_model(vocab_size: int) -> nn.Module:
    """Make the model: int64 tokens `(batch, length)` → logits `(batch, length, vocab_size)`.

    `length` is at most `CONTEXT_LENGTH`. The same function makes the model when it is measured.
    """
    return gpt.GPT(gpt.GPTConfig(vocab_size, CONTEXT_LENGTH, d_model=128, num_heads=4, num_blocks=4, d_hidden=512))


def build_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Make what changes the weights: one optimizer or several, each with the rate that it has at its height.

    What they remember must stand in their `state`, as in your `AdamW`, for a run to go on after a stop.
    """
    return [gpt.AdamW(gpt.parameter_groups(model, 0.1), lr=4e-3, betas=(0.9, 0.99))]


def rate_factor(step: int, total: int) -> float:
    """What all rates are multiplied with at `step` of `total`, counted from 0."""
    return gpt.learning_rate(step, max_rate=1.0, min_rate=0.025, warmup=min(50, total // 10), total=total)
