"""Makes and asks the model, beside the student's code.

The text of this file is sent to where the submission lives, so it imports nothing of the course's.
"""

from itertools import pairwise

import torch
from torch import nn


def make(kind, config, sizes, options, numbers, shapes):
    """A GPT in float64, its state from one vector. Other names in its state have a check of their own."""
    model = kind(config(*sizes, **options)).double()
    pieces = numbers.split([count for _, _, count in shapes])
    state = {name: piece.reshape(shape) for piece, (name, shape, _) in zip(pieces, shapes, strict=True)}
    model.load_state_dict(state, strict=False)
    return model


class Caught(Exception):
    """Ends a forward pass where it was caught."""


class Catch(nn.Module):
    """Stands where a block stood, and keeps what that would have read."""

    def forward(self, x, *rest, **more):
        self.x = x
        raise Caught


def read_by_blocks(model, tokens):
    """What the first block is given; no block works."""
    catch = Catch()
    model.blocks[0] = catch
    try:
        model(tokens)
    except Caught:
        return catch.x
    return None


def blocks_that_drop(model, x):
    """Whether each block gives something else each time."""
    return [not torch.equal(block(x), block(x)) for block in model.blocks]


def in_pieces(model, tokens, cuts):
    """The logits of the pieces between the cuts, each read after those before it."""
    from multihead import KeyValueCache

    caches = [KeyValueCache() for _ in model.blocks]
    pieces = [model(tokens[:, start:end], caches) for start, end in pairwise(cuts)]
    return torch.cat(pieces, dim=1)


def under_autocast(model, tokens):
    """The logits of a trainer on a graphics card: weights in float32, products in bfloat16."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return model(tokens).float()


def slopes(model, tokens, towards, moves, step=1e-4):
    """How a weighted sum of the logits changes along a move of each parameter: by its gradient, and by moving it."""
    (model(tokens) * towards).sum().backward()
    parameters = dict(model.named_parameters())
    by_gradient, by_moving = [], []
    for name, move in moves.items():
        if name in parameters:  # whether all of them are there has a check of its own
            parameter, ends = parameters[name], []
            gradient = parameter.grad
            by_gradient.append(None if gradient is None else float((gradient * move).sum()))
            with torch.no_grad():
                for end in (step, -2 * step):
                    parameter.add_(end * move)
                    ends.append(float((model(tokens) * towards).sum()))
                parameter.add_(step * move)
            by_moving.append((ends[0] - ends[1]) / (2 * step))
    return by_gradient, by_moving
