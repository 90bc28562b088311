"""Runs the student's functions where they need a generator, a module or a loop of training.

The source of this file is sent to the process of the submission, so it imports nothing from the course.
"""

import torch
from torch import nn
from torch.nn import functional


def load(module, numbers, shapes):
    """Load a state from one vector in float64. Another check covers other names in the state."""
    pieces = numbers.split([count for _, _, count in shapes])
    state = {name: piece.reshape(shape) for piece, (name, shape, _) in zip(pieces, shapes, strict=True)}
    module.double().load_state_dict(state, strict=False)
    return module


def draw(function, inputs, seed, options):
    """Call with a generator of this seed; return the result and whether the global generator is unchanged."""
    before = torch.get_rng_state()
    result = function(*inputs, torch.Generator().manual_seed(seed), **options)
    return result, torch.equal(torch.get_rng_state(), before)


def draw_globally(function, inputs, seed):
    """Call twice without a generator, and once more from the same global seed."""
    torch.manual_seed(seed)
    first, second = (function(*inputs, None) for _ in range(2))
    torch.manual_seed(seed)
    return first, second, function(*inputs, None)


def keep_inputs(function, inputs):
    """Return the inputs after the call."""
    function(*inputs, torch.Generator().manual_seed(1))
    return list(inputs)


def head_of(kind, table):
    """Return a head in float64 and its embedding with this weight."""
    embedding = nn.Embedding(*table.shape)
    head = kind(embedding).double()
    embedding.double()
    with torch.no_grad():
        embedding.weight.copy_(table)
    return head, embedding


def set_weight(embedding, table):
    """Write into the embedding's weight, as an optimizer does."""
    with torch.no_grad():
        embedding.weight.copy_(table)


def weight_gradient(head, embedding, hidden, towards):
    """Return the gradient that the head alone sends to the embedding."""
    embedding.weight.grad = None
    (head(hidden) * towards).sum().backward()
    return embedding.weight.grad


class ReadBoth(nn.Module):
    """Stands for a BERT: each hidden state depends on all tokens and on its position.

    Segments other than 0 and positions that may not be read change all of them.
    """

    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, tokens, segments=None, mask=None):
        one_hot = functional.one_hot(tokens, len(self.matrix)).to(self.matrix.dtype)
        x = one_hot @ self.matrix  # (batch, length, d_model)
        if segments is not None:
            x = x + segments.unsqueeze(-1)
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        before = x.cumsum(dim=1)
        after = x.flip(1).cumsum(dim=1).flip(1)
        return torch.sin(before) + torch.cos(2 * after), x[:, 0]


class Logits(nn.Module):
    """Stands for a masked-language head."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, hidden):
        return hidden @ self.matrix.T


def filled(fill_mask, matrices, tokens, mask_id, k):
    """Call the student's function with our own model and head."""
    bert, head = ReadBoth(matrices[0]).eval(), Logits(matrices[1]).eval()
    ids, probabilities = fill_mask(bert, head, tokens, mask_id, k)
    return ids, probabilities.detach()


def tokens_after(fill_mask, matrices, tokens, mask_id, k):
    """Return the tokens after a call of the student's function."""
    filled(fill_mask, matrices, tokens, mask_id, k)
    return tokens


def parts(classifier, inputs, options):
    """Return the classifier's logits, and those of its own two modules."""
    hidden_and_pooled = classifier.bert(*inputs, **options)
    expected = functional.linear(hidden_and_pooled[1], classifier.output_proj.weight, classifier.output_proj.bias)
    return classifier(*inputs, **options), expected


def is_same(classifier, bert):
    """Return whether the classifier holds this very model."""
    return classifier.bert is bert


def missing_gradients(module, inputs, towards, names):
    """Return for each name whether no gradient reaches that parameter."""
    module.zero_grad()
    (module(*inputs) * towards).sum().backward()
    found = dict(module.named_parameters())
    return [name in found and found[name].grad is None for name in names]


def slopes(bert, tokens, segments, towards, moves, step=1e-4):
    """Compute the change of a weighted sum of both results along a move of each parameter: by gradient, by difference.

    `towards` has the weights of the hidden states and of the pooled states.
    """

    def total():
        hidden, pooled = bert(tokens, segments)
        return (hidden * towards[0]).sum() + (pooled * towards[1]).sum()

    total().backward()
    parameters = dict(bert.named_parameters())
    by_gradient, by_moving = [], []
    for name, move in moves.items():
        if name in parameters:  # another check covers missing parameters
            parameter, ends = parameters[name], []
            gradient = parameter.grad
            by_gradient.append(None if gradient is None else float((gradient * move).sum()))
            with torch.no_grad():
                for end in (step, -2 * step):
                    parameter.add_(end * move)
                    ends.append(float(total()))
                parameter.add_(step * move)
            by_moving.append((ends[0] - ends[1]) / (2 * step))
    return by_gradient, by_moving


def blocks_that_drop(bert, x):
    """Return for each block whether two calls give different results."""
    return [not torch.equal(block(x), block(x)) for block in bert.blocks]


def shortened(tokens):
    """Cut off the columns that hold nothing but padding, token 0."""
    return tokens[:, : int((tokens != 0).sum(dim=1).max())]


def fine_tune(kind, bert, state, inputs, classes, unseen, seed, steps=140, batch_size=16):
    """Load pre-trained weights by name, learn the classes, and return the predicted classes of the unseen inputs."""
    bert.load_state_dict(state, strict=False)
    torch.manual_seed(seed)
    classifier = kind(bert, int(classes.max()) + 1)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-3, betas=(0.9, 0.98))
    for step in range(steps):
        chosen = torch.randint(len(inputs), (batch_size,))
        batch = shortened(inputs[chosen])
        loss = functional.cross_entropy(classifier(batch, mask=batch != 0), classes[chosen])
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min((step + 1) / 10, 1.0) * (1 - step / steps)
        optimizer.step()
    with torch.no_grad():
        classifier.eval()
        batches = [shortened(batch) for batch in unseen.split(batch_size)]
        return torch.cat([classifier(batch, mask=batch != 0) for batch in batches]).argmax(dim=-1)
