"""Runs training code: the student's in the process of the submission, PyTorch's in the judge.

The source of this file is sent to the process of the submission, so it imports nothing from the course.
"""

import torch
from torch import nn


def sample(sample_batch, tokens, batch_size, context_length, seed, options):
    """Draw a batch with this seed; return it and whether the global generator is unchanged."""
    before = torch.get_rng_state()
    batch = sample_batch(tokens, batch_size, context_length, torch.Generator().manual_seed(seed), **options)
    return list(batch), torch.equal(torch.get_rng_state(), before)


def sample_twice(sample_batch, tokens, batch_size, context_length, seed):
    """Draw the inputs of two batches without a generator, and of the first batch again from the same global seed."""
    torch.manual_seed(seed)
    first, second = (sample_batch(tokens, batch_size, context_length, None)[0] for _ in range(2))
    torch.manual_seed(seed)
    return first, second, sample_batch(tokens, batch_size, context_length, None)[0]


def device_of_batch(sample_batch, tokens, device):
    """Return the device types of a batch."""
    return [tensor.device.type for tensor in sample_batch(tokens, 3, 2, torch.Generator(), device=device)]


def clip(clip_gradients, found, max_norm, once):
    """Clip parameters with these gradients, passed as an iterator if `once` and as a list otherwise."""
    parameters = [nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in found]
    for parameter, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            parameter.data = torch.ones_like(gradient)
            parameter.grad = gradient.clone()
    norm = clip_gradients(iter(parameters) if once else parameters, max_norm)
    return norm, [parameter.grad for parameter in parameters]


class Tied(nn.Module):
    """A model with a parameter of each kind; the embedding's matrix is used twice. Not all names tell the kind."""

    def __init__(self):
        super().__init__()
        self.bias_table = nn.Parameter(torch.ones(4, 2))
        self.scale = nn.Parameter(torch.ones(3))
        self.embedding = nn.Embedding(5, 3)
        self.linear = nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


def grouped(parameter_groups, weight_decay):
    """Return the sorted names of the parameters in each group, and the weight decay of each group in an optimizer."""
    model = Tied()
    groups = parameter_groups(model, weight_decay)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=123.0)
    found = [sorted(names[id(parameter)] for parameter in group["params"]) for group in optimizer.param_groups]
    return found, [float(group["weight_decay"]) for group in optimizer.param_groups]


def are_lists(parameter_groups):
    """Return for each group whether its parameters are in a list."""
    return [isinstance(group["params"], list) for group in parameter_groups(Tied(), 0.3)]


def trajectory(kind, starts, groups, options, steps):
    """Return the parameters after each step of an optimizer, one row per step.

    A group is a list of indices and settings; without groups, the parameters are passed as an iterator. A step is a
    gradient for each parameter, and new settings for groups; "keep" stands for the gradient of the step before.
    """
    parameters = [nn.Parameter(start.clone()) for start in starts]
    made = [{"params": [parameters[index] for index in indices], **settings} for indices, settings in groups]
    optimizer = kind(made or iter(parameters), **options)
    rows = []
    for found, changes in steps:
        for group, change in zip(optimizer.param_groups, changes, strict=False):
            group.update(change)
        for parameter, gradient in zip(parameters, found, strict=True):
            if not isinstance(gradient, str):
                parameter.grad = None if gradient is None else gradient.clone()
        optimizer.step()
        rows.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    return torch.stack(rows)


def step_with_closure(kind, start):
    """Take a step with a closure, and the same step without.

    Returns the result of each step, whether gradients were enabled in each call of the closure, and the weights after
    each step.
    """
    enabled, results, weights = [], [], []
    for by_closure in (True, False):
        weight = nn.Parameter(start.clone())
        optimizer = kind([weight], lr=0.1)
        weight.grad = torch.full_like(weight, -1.0)

        def closure(weight=weight, optimizer=optimizer):
            enabled.append(torch.is_grad_enabled())
            optimizer.zero_grad()
            loss = (weight.exp()).sum()
            loss.backward()
            return loss

        if not by_closure:
            closure()
        result = optimizer.step(closure) if by_closure else optimizer.step()
        results.append(None if result is None else result.detach())
        weights.append(weight.detach())
    return results, enabled[:-1], weights


def is_optimizer(kind):
    """Return whether it is a PyTorch optimizer, which schedulers require."""
    return isinstance(kind([nn.Parameter(torch.zeros(2))]), torch.optim.Optimizer)


class Table(nn.Module):
    """The simplest language model: logits are the token's row plus a bias. Records its modes and those of autograd."""

    def __init__(self, table, bias, dropout):
        super().__init__()
        self.table, self.bias = nn.Parameter(table.clone()), nn.Parameter(bias.clone())
        self.dropout = nn.Dropout(dropout)
        self.graphs, self.modes = [], []

    def forward(self, tokens):
        self.graphs.append(torch.is_grad_enabled())
        self.modes.append(self.training)
        return self.dropout(self.table[tokens]) + self.bias


def train(train_step, table, bias, steps, max_norm, options):
    """Take a step of SGD with momentum on each list of batches; return the last loss, and the parameters in one vector.

    `options` can hold `old`, a gradient left from before, and `only_table`, with which the bias has no optimizer.
    """
    model = Table(table, bias, 0.0)
    if (old := options.get("old")) is not None:
        model.table.grad, model.bias.grad = old.clone(), old[0].clone()
    parameters = [model.table] if options.get("only_table") else model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=0.7, momentum=0.9)
    for batches in steps:
        loss = train_step(model, optimizer, batches, max_norm)
        model.zero_grad()  # another check covers gradients from before
    return loss, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def modes(train_step, table, bias, batches, training):
    """Take a step; return the modes in which the model was called, its mode afterwards, and whether it learnt."""
    model = Table(table, bias, 0.5).train(training)
    train_step(model, torch.optim.SGD(model.parameters(), lr=0.7), batches, 1.0)
    return model.modes, model.training, not torch.equal(model.table, table)


def big_step(model, optimizer, batches, max_norm):
    """Take a step on all batches together, with PyTorch's loss and clipping."""
    optimizer.zero_grad()
    inputs, targets = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in zip(*batches, strict=True))
    loss = nn.functional.cross_entropy(model(inputs), targets)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


def evaluation(evaluate, table, bias, batches, dropout, training):
    """Return the loss, the mode afterwards, whether graphs were built, and whether gradients were left."""
    model = Table(table, bias, dropout).train(training)
    loss = evaluate(model, batches)
    left = [parameter.grad is not None for parameter in model.parameters()]
    return loss, model.training, any(model.graphs), any(left)
