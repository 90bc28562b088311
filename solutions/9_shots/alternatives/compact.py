"""Stage 9 in a few lines each: recursion, comprehensions and the statistics module."""

import statistics
from contextlib import contextmanager
from itertools import accumulate, groupby

import torch
from torch import nn


def format_prompt(shots, query, template="{x} -> {y}", separator="\n"):
    if not shots:
        return template[: template.find("{y}")].format(x=query).rstrip()
    (x, y), *rest = shots
    return template.format(x=x, y=y) + separator + format_prompt(rest, query, template, separator)


def shuffled(items, generator):
    return [items[place] for place in torch.randperm(len(items), generator=generator).tolist()]


def select_shots(pool, count, generator, exclude, balanced=False):
    candidates = shuffled([pair for pair in pool if pair[0] != exclude], generator)
    if balanced:
        labels = shuffled(list({label: None for _, label in candidates}), generator)
        by_label = sorted(candidates, key=lambda pair: labels.index(pair[1]))
        groups = [list(group) for _, group in groupby(by_label, key=lambda pair: pair[1])]
        base, more = divmod(count, len(groups) or 1)
        shares = [base + (number < more) for number in range(len(groups))]
        if any(share > len(group) for share, group in zip(shares, groups, strict=True)):
            raise ValueError("a label is too rare")
        candidates = [pair for share, group in zip(shares, groups, strict=True) for pair in group[:share]]
    if len(candidates) < count:
        raise ValueError("the pool has too few pairs")
    return candidates[:count]  # balanced: one label after the other


def fit_to_context(shots, query, measure, max_length):
    if measure(shots, query) <= max_length:
        return list(shots)
    if not shots:
        raise ValueError("the query is longer than the context")
    return fit_to_context(shots[1:], query, measure, max_length)


def sequence_log_probability(model, context, continuation):
    if not len(context):
        raise ValueError("give a context")
    if not len(continuation):
        return 0.0
    logits = model(torch.cat([context, continuation[:-1]]).unsqueeze(0)).squeeze(0)  # ValueError if it is too long
    loss = nn.NLLLoss(reduction="none")(torch.log_softmax(logits[-len(continuation) :], 1), continuation)
    return [*accumulate((-loss).tolist())][-1]


def score_choices(model, context, choices, normalize="none"):
    divisor = {"none": lambda choice: 1, "tokens": len}[normalize]
    return torch.stack(
        [torch.tensor(sequence_log_probability(model, context, choice) / divisor(choice)) for choice in choices]
    )


@contextmanager
def evaluating(model):
    was = model.training
    try:
        with torch.no_grad():
            yield model.eval()
    finally:
        model.train(was)


def few_shot_accuracy(model, task, shot_counts, trials, generator):
    def trial(shots):
        context, choices, answer = task(shots, generator)
        return int(max(range(len(choices)), key=score_choices(model, context, choices).tolist().__getitem__) == answer)

    with evaluating(model):
        hits = {shots: [trial(shots) for _ in range(trials)] for shots in shot_counts}
    return {shots: (statistics.fmean(row), statistics.stdev(row) / trials**0.5) for shots, row in hits.items()}


def contextual_calibration(choice_probabilities, empty_prompt_probabilities):
    inverse = torch.diag(1 / empty_prompt_probabilities)
    scaled = inverse @ choice_probabilities  # as in the paper: W p with W = diag(p_empty)^-1
    return scaled / scaled.sum()


def induction_score(weights, tokens):
    last, rows = {}, []
    for place, token in enumerate(tokens.tolist()):
        if token in last:
            rows.append(weights[:, place, last[token] + 1])
        last[token] = place
    return torch.stack(rows).mean(dim=0)
