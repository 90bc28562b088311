"""Creates and calls the model in the process of the student's code.

The source of this file is sent to that process, so it imports nothing from the course.
"""

from itertools import pairwise

import torch


def make(kind, config, sizes, options, numbers, shapes):
    """Create a GPT in float64 with a state from one vector. Another check covers other names in its state."""
    model = kind(config(*sizes, **options)).double()
    pieces = numbers.split([count for _, _, count in shapes])
    state = {name: piece.reshape(shape) for piece, (name, shape, _) in zip(pieces, shapes, strict=True)}
    model.load_state_dict(state, strict=False)
    return model


class Caught(Exception):
    """Ends a forward pass at the first block."""


def read_by_blocks(model, tokens):
    """Return the input of the first block without running any block."""
    block, read = model.blocks[0], []

    def catch(x, *rest, **more):
        read.append(x)
        raise Caught

    # The block itself stays: a model may keep its blocks in a tuple as well.
    block.forward = catch
    try:
        model(tokens)
    except Caught:
        return read[0]
    finally:
        del block.forward
    return None


def blocks_that_drop(model, x):
    """Return for each block whether two calls give different results."""
    return [not torch.equal(block(x), block(x)) for block in model.blocks]


def in_pieces(model, tokens, cuts):
    """Return the logits of the pieces between the cuts, read in order with caches."""
    from multihead import KeyValueCache

    caches = [KeyValueCache() for _ in model.blocks]
    pieces = [model(tokens[:, start:end], caches) for start, end in pairwise(cuts)]
    return torch.cat(pieces, dim=1)


def under_autocast(model, tokens):
    """Return the logits as in training on a GPU: weights in float32, products in bfloat16."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return model(tokens).float()


def slopes(model, tokens, towards, moves, step=1e-4):
    """Compute the change of a weighted sum of logits along a move of each parameter: by gradient and by difference."""
    (model(tokens) * towards).sum().backward()
    parameters = dict(model.named_parameters())
    by_gradient, by_moving = [], []
    for name, move in moves.items():
        if name in parameters:  # another check covers missing parameters
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
