"""Stage 9 in batches: all choices of a trial are padded and read in one pass, all logits in one gather."""

import torch
from torch.nn.utils.rnn import pad_sequence


def format_prompt(shots, query, template="{x} -> {y}", separator="\n"):
    head, _, tail = template.partition("{y}")
    rows = [head.format(x=x) + str(y) + tail.format(x=x) for x, y in shots]
    return separator.join([*rows, head.format(x=query).rstrip()])


def select_shots(pool, count, generator, exclude, balanced=False):
    keep = torch.tensor([pair[0] != exclude for pair in pool], dtype=torch.bool)
    if int(keep.sum()) < count:
        raise ValueError("the pool is too small")
    keys = torch.rand(len(pool), generator=generator).masked_fill(~keep, -1.0)  # the largest keys win
    if balanced:
        labels = sorted({str(pair[1]) for pair, kept in zip(pool, keep.tolist(), strict=True) if kept})
        ranks = torch.zeros(len(pool))
        for label in labels:
            own = torch.tensor([str(pair[1]) == label for pair in pool]) & keep
            # The best pair of each label comes before the second of each, and so on.
            ranks[own] = keys[own].argsort(descending=True).argsort().float()
        order = sorted(range(len(pool)), key=lambda place: (not keep[place], ranks[place].item(), -keys[place].item()))
    else:
        order = keys.argsort(descending=True).tolist()
    return [pool[place] for place in order[:count]]


def fit_to_context(shots, query, measure, max_length):
    fitting = (start for start in range(len(shots) + 1) if measure(shots[start:], query) <= max_length)
    start = next(fitting, None)
    if start is None:
        raise ValueError("no room for the query")
    return list(shots[start:])


def log_probabilities(model, context, continuations):
    """Return the log-probabilities of padded continuations `(choices, longest)`, 0 where there is padding."""
    lengths = torch.tensor([len(continuation) for continuation in continuations])
    padded = pad_sequence(list(continuations), batch_first=True)  # (choices, longest)
    if len(context) == 0 or len(context) + padded.shape[1] > model.config.context_length:
        raise ValueError("the context is empty, or the text too long")
    tokens = torch.cat([context.expand(len(padded), -1), padded], dim=1)
    logits = model(tokens)[:, len(context) - 1 : -1]  # (choices, longest, vocab)
    chosen = logits.log_softmax(-1).gather(2, padded.unsqueeze(2)).squeeze(2)
    return chosen.where(torch.arange(padded.shape[1]) < lengths[:, None], 0.0)


def sequence_log_probability(model, context, continuation):
    return float(log_probabilities(model, context, [continuation]).sum())


def score_choices(model, context, choices, normalize="none"):
    scores = log_probabilities(model, context, choices).sum(dim=1)
    return scores / torch.tensor([len(choice) for choice in choices]) if normalize == "tokens" else scores


def few_shot_accuracy(model, task, shot_counts, trials, generator):
    training = model.training
    try:
        with torch.no_grad():
            model.eval()
            hits = torch.tensor(
                [[hit(model, *task(shots, generator)) for _ in range(trials)] for shots in shot_counts]
            ).double()
    finally:
        model.train(training)
    means, errors = hits.mean(dim=1), hits.std(dim=1, correction=1) / trials**0.5
    return dict(zip(shot_counts, zip(means.tolist(), errors.tolist(), strict=True), strict=True))


def hit(model, context, choices, answer):
    return bool(score_choices(model, context, choices).argmax() == answer)


def contextual_calibration(choice_probabilities, empty_prompt_probabilities):
    return (choice_probabilities.log() - empty_prompt_probabilities.log()).softmax(-1)


def induction_score(weights, tokens):
    length = len(tokens)
    same = tokens.unsqueeze(1).eq(tokens).tril(-1)
    latest = same & (same.flip(1).cumsum(1).flip(1) == 1)  # only the last of several
    target = torch.nn.functional.pad(latest, (1, 0))[:, :length].to(weights.dtype)
    return (weights * target).sum(dim=(1, 2)) / target.sum()
