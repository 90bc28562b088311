"""The pre-trained weights of the lab sheet, and its task of classification with fixed nouns and sentences."""

import functools
import runpy
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__))
GIVEN = Path(LAB.root) / "solutions" / Path(__file__).parent.name / "given"
WORDS = runpy.run_path(str(GIVEN / "bert_words.py"))
SIZES = (161, WORDS["MAX_LENGTH"], 64, 4, 2, 256)


@dataclass(frozen=True)
class Task:
    """200 labelled sentences, and sentences with other nouns to classify."""

    inputs: torch.Tensor
    classes: torch.Tensor
    unseen: torch.Tensor
    kinds: torch.Tensor


@functools.cache
def weights():
    """Return the pre-trained weights by the names of `Bert`."""
    state = load_file(GIVEN / "bert.safetensors")
    return {name.removeprefix("bert."): tensor for name, tensor in state.items() if name.startswith("bert.")}


@functools.cache
def kind_task():
    """Draw the task."""
    training, unseen = WORDS["read_sentences"](LAB.root / "data" / "translation")
    generator = torch.Generator().manual_seed(0)
    words = WORDS["Words"](training)
    (inputs, classes), (others, kinds) = WORDS["kind_task"](training + unseen, words, 200, generator)
    return Task(inputs, classes, others[::3], kinds[::3])
