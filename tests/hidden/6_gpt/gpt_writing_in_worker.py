"""Runs generation and encoding in the process of the student's code.

The source of this file is sent to that process, so it imports nothing from the course.
"""

import torch


def write_twice(generate, model, prompt, count, seed):
    """Generate two texts without a generator, and the first text again from the same global seed."""
    torch.manual_seed(seed)
    first, second = (generate(model, prompt, count) for _ in range(2))
    torch.manual_seed(seed)
    return first, second, generate(model, prompt, count)


def write(generate, model, prompt, count, seed, options):
    """Generate a text with this seed; return it and whether the global generator is unchanged."""
    before = torch.get_rng_state()
    text = generate(model, prompt, count, generator=torch.Generator().manual_seed(seed), **options)
    return text, torch.equal(torch.get_rng_state(), before)


def greedy(model, prompt, count, context_length):
    """Append the most likely token after the last `context_length` tokens, with a full pass for each token."""
    model.eval()
    text = prompt
    for _ in range(count):
        likeliest = model(text[:, -context_length:])[:, -1].argmax(dim=-1, keepdim=True)
        text = torch.cat((text, likeliest), dim=1)
    return text


def mode_after(generate, model, prompt, training):
    """Return the model's training mode after generation."""
    model.train(training)
    generate(model, prompt, 2, generator=torch.Generator().manual_seed(0))
    return model.training


def encodings(kind, text, vocab_size, probes):
    """Train; return the ids of the probes, the decoded ids, and the pieces of the ids from 256 on."""
    bpe = _trained(kind, text, vocab_size)
    ids = _ids(bpe, probes)
    pieces = [bytes(bpe.decode([token])) for token in range(256, vocab_size)]
    return ids, [bytes(bpe.decode(iter(found))) for found in ids], pieces


def gives_bytes(kind, text, vocab_size):
    """Train; return for some lists of ids whether decoding gives a `bytes` object."""
    bpe = _trained(kind, text, vocab_size)
    return [type(bpe.decode(ids)) is bytes for ids in ([], [97], [256, 97])]


def ids_after(kind, text, vocab_size, probes):
    """Train; return the ids of the probes."""
    return _ids(_trained(kind, text, vocab_size), probes)


def _trained(kind, text, vocab_size):
    bpe = kind()
    returned = bpe.train(text, vocab_size)
    return returned if isinstance(returned, kind) else bpe


def _ids(bpe, probes):
    return [[int(token) for token in bpe.encode(probe)] for probe in probes]
