"""Calls the student's code in its own process: many draws in one request, modules with known weights, hooks.

The source of this file is sent to that process, so it imports nothing from the course.
"""

import torch


def draw(random_spans, seed, cases):
    """Return one mask for each case of arguments, drawn in order from one generator."""
    generator = torch.Generator().manual_seed(seed)
    return [random_spans(length, generator, **options) for length, options in cases]


def draw_with_global_generator(random_spans, seed, cases):
    """Return masks that are drawn without a generator, after a seed of the global generator."""
    torch.manual_seed(seed)
    return [random_spans(length, None, **options) for length, options in cases]


def global_generator_stays(random_spans, seed, cases):
    """Return whether draws from a generator leave the global generator as it was."""
    before = torch.get_rng_state()
    draw(random_spans, seed, cases)
    return torch.equal(torch.get_rng_state(), before)


def with_sentinels(function, first, second, sentinel_ids, end_id):
    """Call with a list of sentinels; with a tensor if the code needs one, because the course fixes neither."""
    try:
        return function(first, second, sentinel_ids, end_id)
    except (AttributeError, TypeError):
        return function(first, second, torch.tensor(sentinel_ids), end_id)


def load(module, numbers, shapes):
    """Load a state from one vector. Another check covers other names in the module's state."""
    pieces = numbers.split([count for _, _, count in shapes])
    state = {name: piece.reshape(shape) for piece, (name, shape, _) in zip(pieces, shapes, strict=True)}
    module.load_state_dict(state, strict=False)
    return module


def make(kind, sizes, numbers, shapes):
    """Create a module in float64 with these parameters."""
    return load(kind(*sizes).double(), numbers, shapes)


def make_model(kind, config, sizes, options, numbers, shapes):
    """Create a T5 in float64 with these parameters."""
    return load(kind(config(*sizes, **options)).double(), numbers, shapes)


def watch(model, names, source, target):
    """Return the logits, and the hidden states `(batch, length, d_model)` that each named module reads and returns."""
    seen = {}

    def hidden_states(values):
        if isinstance(values, torch.Tensor):
            return [values] if values.ndim == 3 and values.is_floating_point() else []
        if isinstance(values, dict):
            values = list(values.values())
        parts = values if isinstance(values, (list, tuple)) else []
        return [state for part in parts for state in hidden_states(part)]

    def hook(name):
        def keep(module, arguments, named, result):
            read, written = hidden_states([arguments, named]), hidden_states([result])
            seen[name] = [read[0], written[0]] if read and written else None

        return keep

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(hook(name), with_kwargs=True) for name in names]
    logits = model(source, target)
    for handle in hooks:
        handle.remove()
    return logits, [seen.get(name) for name in names]


def slope(model, source, target, towards, moves, step=0.02):
    """Compute the change of a weighted sum of logits along a move of the parameters: by gradients, by differences.

    Returns both, and for each parameter that the model has whether it has a gradient. The difference over five points
    is exact up to the fourth power of the step, so results that were computed in float32 give the same difference.
    """

    def total():
        return (model(source, target) * towards).sum()

    total().backward()
    parameters = dict(model.named_parameters())
    moved = [(parameters[name], move) for name, move in moves.items() if name in parameters]
    reached = [parameter.grad is not None for parameter, _ in moved]
    by_gradient = sum(float((parameter.grad * move).sum()) for parameter, move in moved if parameter.grad is not None)
    by_difference, position = 0.0, 0
    with torch.no_grad():
        for end, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            for parameter, move in moved:
                parameter.add_((end - position) * step * move)
            position = end
            by_difference += weight / 12 / step * float(total())
    return by_gradient, by_difference, reached


def train(model, batches, rate):
    """Take one step of Adam for each batch of source, target and labels; -100 does not count."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for source, target, labels in batches:
        loss = torch.nn.functional.cross_entropy(model(source, target).flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model
