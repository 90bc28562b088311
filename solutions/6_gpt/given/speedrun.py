"""Your speedrun: the lowest loss for a fixed number of training tokens.

    python train.py --speedrun                     # 680,000 tokens, the sprint
    python train.py --speedrun --tokens 1500000    # the long run
    python train.py --speedrun --name "Ada"        # with a name for the leaderboard

One token is one character. The starter is the unchanged GPT of `gpt.py` with its AdamW. Change whatever you like, as
long as the names below stay, no position sees a later position, and the model has at most 800,000 parameters.
Embeddings with a row per character, per pair of characters or per position are free up to 600,000 parameters. You
can import your code of earlier stages. The budget is tokens, not seconds. What the model knows belongs in its weights:
all your modules together may have 64,000 bytes after compression, far more than any solution needs.

You do not need this file to pass. The run writes `speedrun.safetensors` and `speedrun.json` beside this file.
"""

import gpt
import torch
from torch import nn

# The most tokens that the model sees: from 64 to 1024.
CONTEXT_LENGTH = 64
# Sequences of that length in each step.
BATCH_SIZE = 16
# The largest norm of the gradient; longer gradients are clipped.
MAX_NORM = 1.0


def build_model(vocab_size: int) -> nn.Module:
    """Make the model: int64 tokens `(batch, length)` → logits `(batch, length, vocab_size)`.

    `length` is at most `CONTEXT_LENGTH`. The leaderboard also calls this function to evaluate your model.
    """
    return gpt.GPT(gpt.GPTConfig(vocab_size, CONTEXT_LENGTH, d_model=128, num_heads=4, num_blocks=4, d_hidden=512))


def build_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Make one or several optimizers, each with its peak learning rate.

    They must keep everything in their `state`, as your `AdamW` does, so that a stopped run can resume.
    """
    return [gpt.AdamW(gpt.parameter_groups(model, 0.1), lr=4e-3, betas=(0.9, 0.99))]


def rate_factor(step: int, total: int) -> float:
    """Return the factor of all learning rates at `step` of `total`, counted from 0."""
    return gpt.learning_rate(step, max_rate=1.0, min_rate=0.025, warmup=min(50, total // 10), total=total)
