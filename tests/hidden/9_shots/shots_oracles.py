"""Log-probabilities in Python floats, and access to the student's process."""

import functools
import inspect
import math

import shots_in_worker
import torch

from autograder.judge.probes import define
from autograder.judge.strategies import normal_tensor

VOCAB, CONTEXT, WIDTH = 7, 12, 5


@functools.lru_cache(maxsize=4)
def in_worker(student):
    """Define our models and tasks in the process of the submission."""
    return define(student, inspect.getsource(shots_in_worker))


def reader_state(seed, scale=2.0):
    """Draw the parameters of a reader: embedding, position, output."""
    shapes = ((VOCAB, WIDTH), (CONTEXT, WIDTH), (WIDTH, VOCAB))
    tensors = [normal_tensor(*shape, seed=seed + 3 * number) for number, shape in enumerate(shapes)]
    return [*tensors[:2], scale * tensors[2]]


def reader(student, state):
    """Create the reader with these parameters beside the student's code."""
    return in_worker(student).reader(*state)


def log_probability(state, context, continuation):
    """Compute the log-probability of the continuation, number by number."""
    embedding, position, output = (tensor.tolist() for tensor in state)
    sums, total = [0.0] * WIDTH, 0.0
    for index, token in enumerate([*context, *continuation]):
        if index >= len(context):
            hidden = [math.tanh(number / index) for number in sums]
            logits = [sum(h * row[word] for h, row in zip(hidden, output, strict=True)) for word in range(VOCAB)]
            top = max(logits)
            total += logits[token] - top - math.log(sum(math.exp(logit - top) for logit in logits))
        sums = [number + embedding[token][k] + position[index][k] for k, number in enumerate(sums)]
    return total


def token_ids(length, seed):
    """Draw token ids."""
    return torch.randint(VOCAB, (length,), generator=torch.Generator().manual_seed(seed))
