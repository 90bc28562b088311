"""Stage 9 with PyTorch's functions: cross-entropy for scores, `std` for errors, all sequences as slices."""

import torch
from torch.nn import functional


def format_prompt(shots, query, template="{x} -> {y}", separator="\n"):
    text = "".join(template.format(x=x, y=y) + separator for x, y in shots)
    return (text + template[: template.index("{y}")].format(x=query)).rstrip()


def select_shots(pool, count, generator, exclude, balanced=False):
    allowed = [number for number, (x, _) in enumerate(pool) if x != exclude]
    if count > len(allowed):
        raise ValueError("too few pairs")
    order = [allowed[index] for index in torch.randperm(len(allowed), generator=generator)]
    if balanced:
        groups = {}
        for number in order:
            groups.setdefault(pool[number][1], []).append(number)
        rounds = [[group[turn] for group in groups.values() if turn < len(group)] for turn in range(len(allowed))]
        order = [number for numbers in rounds for number in numbers]  # a pair of each label in turn
    return [pool[number] for number in order[:count]]


def fit_to_context(shots, query, measure, max_length):
    if measure([], query) > max_length:
        raise ValueError("the query is too long")
    kept = list(shots)
    while measure(kept, query) > max_length:
        kept = kept[1:]
    return kept


def sequence_log_probability(model, context, continuation):
    if context.numel() == 0:
        raise ValueError("an empty context")
    tokens = torch.cat([context, continuation])
    if len(tokens) > model.config.context_length:
        raise ValueError("past the context of the model")
    logits = model(tokens[None])[0, len(context) - 1 : -1]
    return -functional.cross_entropy(logits, continuation, reduction="sum").item()


def score_choices(model, context, choices, normalize="none"):
    scores = []
    for choice in choices:
        score = sequence_log_probability(model, context, choice)
        scores.append(score / len(choice) if normalize == "tokens" else score)
    return torch.tensor(scores)


def few_shot_accuracy(model, task, shot_counts, trials, generator):
    mode = model.training
    model.eval()
    try:
        return {shots: accuracy(model, task, shots, trials, generator) for shots in shot_counts}
    finally:
        model.train(mode)


@torch.no_grad()
def accuracy(model, task, shots, trials, generator):
    drawn = [task(shots, generator) for _ in range(trials)]
    hits = [torch.argmax(score_choices(model, context, choices)) == answer for context, choices, answer in drawn]
    hits = torch.stack(hits).double()
    return hits.mean().item(), (hits.std() / trials**0.5).item()


def contextual_calibration(choice_probabilities, empty_prompt_probabilities):
    return functional.normalize(choice_probabilities / empty_prompt_probabilities, p=1, dim=-1)


def induction_score(weights, tokens):
    same = torch.tril(tokens.unsqueeze(1) == tokens.unsqueeze(0), diagonal=-1)  # (query, earlier)
    after = same.roll(1, dims=1)  # (query, after)
    index = torch.arange(len(tokens), device=tokens.device)
    target = torch.where(after, index, -1).amax(dim=1)
    seen = same.any(dim=1)
    picked = weights.gather(2, target.clamp(min=0).expand(len(weights), -1).unsqueeze(2)).squeeze(2)
    return (picked * seen).sum(dim=1) / seen.sum()
