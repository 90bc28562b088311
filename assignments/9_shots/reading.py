"""Given: a small GPT that has read Shakespeare, and an exam with four choices for it.

The training uses your own `gpt.py`. Nothing here is an exercise.
"""

import re
from pathlib import Path

import gpt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

CONTEXT = 48  # letters that the model can read
BEFORE = 32  # letters before a gap
GAP = re.compile(r"(?<=[a-z,] )([a-z]{2,7} )")  # a word in the middle of a line, and the space after it


class Plays:
    """The letters of Shakespeare's plays as tokens, one token a letter."""

    def __init__(self, folder: Path = Path("../data/shakespeare")) -> None:
        """Read the text to learn from and the unseen text."""
        self.train_text, self.unseen_text = (
            (folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("train", "validation")
        )
        self.alphabet = sorted(set(self.train_text + self.unseen_text))
        self.gaps = [gap for gap in GAP.finditer(self.unseen_text) if gap.start() >= BEFORE]
        self.number = {letter: index for index, letter in enumerate(self.alphabet)}

    def encode(self, text: str) -> Tensor:
        """Return the token ids of a text, `(length,)`."""
        return torch.tensor([self.number[letter] for letter in text], dtype=torch.int64)

    def question(self, generator: torch.Generator, choices: int = 4) -> tuple[str, list[str], int]:
        """Draw a gap in the unseen text.

        Returns:
            The text before the gap, the choices, and the index of the word that stands there. The other choices are
            words from other gaps: frequent words are frequent among the wrong choices, too.
        """
        indices = torch.randint(len(self.gaps), (20 * choices,), generator=generator).tolist()
        drawn = [self.gaps[index] for index in indices]
        words = list(dict.fromkeys(gap[0] for gap in drawn))[:choices]  # all different, the right word first
        order = torch.randperm(choices, generator=generator).tolist()
        before = self.unseen_text[drawn[0].start() - BEFORE : drawn[0].start()]
        return before, [words[index] for index in order], order.index(0)


def new_reader(plays: Plays, seed: int = 0) -> nn.Module:
    """Make an untrained model: two blocks of 64 features, about 110,000 numbers."""
    torch.manual_seed(seed)
    config = gpt.GPTConfig(len(plays.alphabet), CONTEXT, 64, 4, 2, 256)
    model = gpt.GPT(config)
    model.config = config  # a GPT need not keep it, and `shots.py` reads the length of the context there
    return model


def train_reader(model: nn.Module, plays: Plays, steps: int = 1500, seed: int = 1, batch_size: int = 24) -> list[float]:
    """Train the model to predict the next letter, as in stage 6.

    Returns:
        The loss of each step, in nats per letter.
    """
    tokens, generator = plays.encode(plays.train_text), torch.Generator().manual_seed(seed)
    optimizer = gpt.AdamW(gpt.parameter_groups(model, 0.1), lr=0.0, betas=(0.9, 0.99))
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = gpt.learning_rate(step, 5e-3, 1e-4, 30, steps)
        batch = gpt.sample_batch(tokens, batch_size, CONTEXT, generator)
        losses.append(gpt.train_step(model, optimizer, [batch], 1.0))
    model.train(False)
    return losses


def loaded_reader(plays: Plays) -> nn.Module:
    """Make the model and load its trained weights, which lie beside this file."""
    model = new_reader(plays)
    model.load_state_dict(load_file(Path(__file__).with_name("reader.safetensors")))
    return model.train(False)
