"""Stage 9 with loops: one token, one shot and one trial at a time."""

import math

import torch


def format_prompt(shots, query, template="{x} -> {y}", separator="\n"):
    prompt = ""
    for x, y in shots:
        prompt += fill(template, x, y)
        prompt += separator
    stem = template.split("{y}")[0]
    prompt += fill(stem, query, "")
    while prompt.endswith(" "):
        prompt = prompt[:-1]
    return prompt


def fill(template, x, y):
    pieces = []
    position = 0
    while position < len(template):
        part = template[position : position + 3]
        if part == "{x}":
            pieces.append(x)
        elif part == "{y}":
            pieces.append(y)
        else:
            pieces.append(template[position])
            position -= 2
        position += 3
    return "".join(pieces)


def select_shots(pool, count, generator, exclude, balanced=False):
    left = []
    for pair in pool:
        if pair[0] != exclude:
            left.append(pair)
    if count > len(left):
        raise ValueError(f"cannot draw {count} of {len(left)}")
    numbers = {}
    for _, label in left:
        numbers[label] = 0
    shots = []
    while len(shots) < count:
        if balanced:
            fewest = min(numbers[label] for _, label in left)
            if fewest > min(numbers.values()):
                raise ValueError("a label has too few pairs")
            eligible = [place for place, pair in enumerate(left) if numbers[pair[1]] == fewest]
        else:
            eligible = list(range(len(left)))
        place = eligible[int(torch.randint(0, len(eligible), (1,), generator=generator))]
        pair = left.pop(place)
        numbers[pair[1]] += 1
        shots.append(pair)
    return shots


def fit_to_context(shots, query, measure, max_length):
    number = len(shots)
    while number >= 0:
        newest = [shots[place] for place in range(len(shots) - number, len(shots))]
        if measure(newest, query) <= max_length:
            return newest
        number -= 1
    raise ValueError("the query does not fit")


def sequence_log_probability(model, context, continuation):
    limit = model.position_embedding.weight.shape[0]
    if context.shape[0] < 1:
        raise ValueError("nothing to read")
    if context.shape[0] + continuation.shape[0] > limit:
        raise ValueError("too long for the model")
    total = 0.0
    seen = context.tolist()
    for token in continuation.tolist():
        logits = model(torch.tensor([seen]))[0, -1]
        top = float(logits.max())
        normaliser = top + math.log(sum(math.exp(float(logit) - top) for logit in logits))
        total += float(logits[token]) - normaliser
        seen.append(token)
    return total


def score_choices(model, context, choices, normalize="none"):
    scores = torch.zeros(len(choices), dtype=torch.float64)
    for number, choice in enumerate(choices):
        scores[number] = sequence_log_probability(model, context, choice)
        if normalize == "tokens":
            scores[number] /= choice.shape[0]
    return scores


def few_shot_accuracy(model, task, shot_counts, trials, generator):
    result = {}
    mode = model.training
    model.train(False)
    try:
        for shots in shot_counts:
            right = 0
            for _ in range(trials):
                context, choices, answer = task(shots, generator)
                with torch.inference_mode():
                    scores = score_choices(model, context, choices).tolist()
                if scores.index(max(scores)) == answer:
                    right += 1
            share = right / trials
            squares = right * (1 - share) ** 2 + (trials - right) * share**2
            result[shots] = (share, (squares / (trials - 1) / trials) ** 0.5)
    finally:
        model.train(mode)
    return result


def contextual_calibration(choice_probabilities, empty_prompt_probabilities):
    result = torch.zeros_like(choice_probabilities)
    for number in range(len(result)):
        result[number] = choice_probabilities[number] / empty_prompt_probabilities[number]
    return result / result.sum()


def induction_score(weights, tokens):
    total, count = torch.zeros_like(weights[:, 0, 0]), 0
    for place in range(len(tokens)):
        for earlier in range(place - 1, -1, -1):
            if tokens[earlier] == tokens[place]:
                total = total + weights[:, place, earlier + 1]
                count += 1
                break
    return total / count
