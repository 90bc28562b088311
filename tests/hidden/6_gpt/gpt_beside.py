"""Runs beside the student's code, and in the judge beside PyTorch's: one loop around either.

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


def sample(sample_batch, tokens, batch_size, context_length, seed, options):
    """A batch drawn with this seed, and whether the global generator is as it was."""
    before = torch.get_rng_state()
    batch = sample_batch(tokens, batch_size, context_length, torch.Generator().manual_seed(seed), **options)
    return list(batch), torch.equal(torch.get_rng_state(), before)


def device_of_batch(sample_batch, tokens, device):
    """The devices of a batch."""
    return [tensor.device.type for tensor in sample_batch(tokens, 3, 2, torch.Generator(), device=device)]


def clip(clip_gradients, found, max_norm, once):
    """Clip parameters that hold these gradients; they come as an iterable that can be read once, or as a list."""
    parameters = [nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in found]
    for parameter, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            parameter.data = torch.ones_like(gradient)
            parameter.grad = gradient.clone()
    norm = clip_gradients(iter(parameters) if once else parameters, max_norm)
    return norm, [parameter.grad for parameter in parameters]


class Tied(nn.Module):
    """A parameter of each kind; the embedding's matrix is used a second time."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.linear = nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


def grouped(parameter_groups, weight_decay):
    """The names of the parameters in each group, sorted, and the settings of the groups."""
    model = Tied()
    groups = parameter_groups(model, weight_decay)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=123.0)
    found = [sorted(names[id(parameter)] for parameter in group["params"]) for group in optimizer.param_groups]
    return found, [float(group["weight_decay"]) for group in optimizer.param_groups]


def trajectory(kind, starts, groups, options, steps):
    """Where the steps of an optimizer lead, one row per step.

    A group is a list of indices and settings; a step is a gradient for each parameter, and new settings for groups.
    """
    parameters = [nn.Parameter(start.clone()) for start in starts]
    made = [{"params": [parameters[index] for index in indices], **settings} for indices, settings in groups]
    optimizer = kind(made, **options)
    rows = []
    for found, changes in steps:
        for group, change in zip(optimizer.param_groups, changes, strict=False):
            group.update(change)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        optimizer.step()
        rows.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    return torch.stack(rows)


def is_optimizer(kind):
    """Whether PyTorch takes it for an optimizer: schedulers ask that."""
    return isinstance(kind([nn.Parameter(torch.zeros(2))]), torch.optim.Optimizer)


def gradients_after(kind, gradient):
    """A gradient after a step with it."""
    parameter = nn.Parameter(torch.ones_like(gradient))
    parameter.grad = gradient.clone()
    kind([parameter], lr=0.1, weight_decay=0.5).step()
    return parameter.grad


class Table(nn.Module):
    """The simplest language model: the logits after a token are its row, plus a bias. It keeps notes."""

    def __init__(self, table, bias, dropout):
        super().__init__()
        self.table, self.bias = nn.Parameter(table.clone()), nn.Parameter(bias.clone())
        self.dropout = nn.Dropout(dropout)
        self.graphs = []

    def forward(self, tokens):
        self.graphs.append(torch.is_grad_enabled())
        return self.dropout(self.table[tokens]) + self.bias


def train(train_step, table, bias, batches, max_norm, old_gradient):
    """One step of plain descent; gives the loss, and table and bias in one vector. None: no gradient is left over."""
    model = Table(table, bias, 0.0)
    if old_gradient is not None:
        model.table.grad, model.bias.grad = old_gradient.clone(), old_gradient[0].clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.7)
    loss = train_step(model, optimizer, batches, max_norm)
    return loss, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def big_step(model, optimizer, batches, max_norm):
    """What a step on all batches is, with PyTorch's own loss and clipping."""
    optimizer.zero_grad()
    inputs, targets = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


def held(evaluate, table, bias, batches, dropout, training):
    """The loss; the mode afterwards; whether graphs were made; whether gradients were left."""
    model = Table(table, bias, dropout).train(training)
    loss = evaluate(model, batches)
    left = [parameter.grad is not None for parameter in model.parameters()]
    return loss, model.training, any(model.graphs), any(left)


def write(generate, model, prompt, count, seed, options):
    """A text written with this seed, and whether the global generator is as it was."""
    before = torch.get_rng_state()
    text = generate(model, prompt, count, generator=torch.Generator().manual_seed(seed), **options)
    return text, torch.equal(torch.get_rng_state(), before)


def greedy(model, prompt, count, context_length):
    """The likeliest tokens after the last `context_length`, each from a reading of its own."""
    model.eval()
    text = prompt
    for _ in range(count):
        likeliest = model(text[:, -context_length:])[:, -1].argmax(dim=-1, keepdim=True)
        text = torch.cat((text, likeliest), dim=1)
    return text


def mode_after(generate, model, prompt, training):
    """The model's mode after it has written."""
    model.train(training)
    generate(model, prompt, 2)
    return model.training


def encodings(kind, text, vocab_size, probes):
    """Train; gives the ids of the probes, what they decode to, and the pieces of the ids from 256 on."""
    bpe = kind()
    returned = bpe.train(text, vocab_size)
    bpe = returned if isinstance(returned, kind) else bpe
    ids = [[int(token) for token in bpe.encode(probe)] for probe in probes]
    pieces = [bytes(bpe.decode([token])) for token in range(256, vocab_size)]
    return ids, [bytes(bpe.decode(found)) for found in ids], pieces
