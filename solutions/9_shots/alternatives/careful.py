"""Stage 9 with small classes, checks first, and running sums."""

import math
import string
from dataclasses import dataclass, field

import torch


@dataclass
class Tally:
    """Counts hits, and computes mean and standard error from them."""

    hits: list[bool] = field(default_factory=list)

    def add(self, hit):
        self.hits.append(bool(hit))

    def mean(self):
        return sum(self.hits) / len(self.hits)

    def error(self):
        number = len(self.hits)
        return math.sqrt(self.mean() * (1 - self.mean()) * number / (number - 1)) / math.sqrt(number)


class Prompt:
    def __init__(self, template):
        self.parts = list(string.Formatter().parse(template))

    def write(self, x, y=None):
        written = []
        for literal, name, _, _ in self.parts:
            written.append(literal)
            if name == "y" and y is None:
                return "".join(written).rstrip(" ")
            if name is not None:
                written.append(x if name == "x" else y)
        return "".join(written)


def format_prompt(shots, query, template="{x} -> {y}", separator="\n"):
    prompt = Prompt(template)
    return separator.join([prompt.write(x, y) for x, y in shots] + [prompt.write(query)])


def select_shots(pool, count, generator, exclude, balanced=False):
    by_label = {}
    for x, y in pool:
        if x != exclude:
            by_label.setdefault(y if balanced else None, []).append((x, y))
    if sum(map(len, by_label.values())) < count:
        raise ValueError("not enough pairs without the query")
    if not by_label:
        return []
    quotas = dict.fromkeys(by_label, count // len(by_label))
    names = list(by_label)
    while sum(quotas.values()) < count:
        lucky = names.pop(int(torch.randint(len(names), (1,), generator=generator)))
        quotas[lucky] += 1
    shots = []
    for name, pairs in by_label.items():
        if len(pairs) < quotas[name]:
            raise ValueError(f"not enough pairs with the label {name}")
        weights = torch.ones(len(pairs))
        drawn = torch.multinomial(weights, quotas[name], generator=generator) if quotas[name] else []
        shots.extend(pairs[int(place)] for place in drawn)
    mixed = torch.randperm(len(shots), generator=generator)
    return [shots[int(place)] for place in mixed]


def fit_to_context(shots, query, measure, max_length):
    remaining = tuple(shots)
    while (length := measure(remaining, query)) > max_length:
        if not remaining:
            raise ValueError(f"the query has length {length}, and {max_length} is the limit")
        remaining = remaining[1:]
    return list(remaining)


def sequence_log_probability(model, context, continuation):
    n, m = context.numel(), continuation.numel()
    if n == 0:
        raise ValueError("the context has no tokens")
    if n + m - 1 > model.config.context_length:  # the last token is not read
        raise ValueError("more tokens than the model can read")
    if m == 0:
        return 0.0
    logits = model(torch.cat([context, continuation])[None, :-1])
    scores = logits[0] - logits[0].logsumexp(dim=-1, keepdim=True)
    return math.fsum(scores[n - 1 + step, continuation[step]].item() for step in range(m))


def score_choices(model, context, choices, normalize="none"):
    if normalize not in ("none", "tokens"):
        raise ValueError(f"normalize is {normalize!r}")
    sums = [sequence_log_probability(model, context, choice) for choice in choices]
    counts = [len(choice) if normalize == "tokens" else 1 for choice in choices]
    return torch.tensor([total / number for total, number in zip(sums, counts, strict=True)], dtype=torch.double)


def few_shot_accuracy(model, task, shot_counts, trials, generator):
    training, gradients = model.training, torch.is_grad_enabled()
    try:
        model.eval()
        torch.set_grad_enabled(False)
        tallies = {}
        for shots in shot_counts:
            tallies[shots] = Tally()
            for _ in range(trials):
                context, choices, answer = task(shots, generator)
                best = score_choices(model, context, choices).max(dim=0).indices
                tallies[shots].add(int(best) == answer)
    finally:
        model.train(training)
        torch.set_grad_enabled(gradients)
    return {shots: (tally.mean(), tally.error()) for shots, tally in tallies.items()}


def contextual_calibration(choice_probabilities, empty_prompt_probabilities):
    relative = torch.div(choice_probabilities, empty_prompt_probabilities)
    total = torch.sum(relative)
    return torch.mul(relative, torch.reciprocal(total))


def induction_score(weights, tokens):
    heads, length, _ = weights.shape
    target = torch.full((length,), -1, dtype=torch.long, device=tokens.device)
    for gap in range(length - 1, 0, -1):  # small gaps come last, so the last occurrence wins
        matches = tokens[gap:] == tokens[:-gap]
        places = torch.arange(length - gap, device=tokens.device) + 1
        target[gap:] = torch.where(matches, places, target[gap:])
    seen = target >= 0
    looked = torch.take_along_dim(weights, target.clamp(min=0).view(1, -1, 1).expand(heads, -1, 1), dim=2)
    return (looked[..., 0] * seen).sum(-1) / seen.sum()
