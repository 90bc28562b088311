"""Stage 9: learning from the prompt alone: shots, scores of choices, and curves.

Conventions, the same in every function:

- a shot is a pair `(x, y)`: an input and its answer, both text in `format_prompt`, text or numbers elsewhere;
- `model` is a `GPT` of stage 6, or any module that maps token ids `(batch, length)` to logits `(batch, length, vocab)`,
  has `config.context_length` and raises ValueError when it gets more tokens;
- the logits at position `t` are for the token **after** `t`;
- log-probabilities are in nats;
- random numbers come from the given `generator` only (`torch.Generator`; None is the global generator);
- inputs are never changed in place.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

Shot = tuple  # (x, y)
Trial = tuple[Tensor, list[Tensor], int]  # context, choices, index of the right choice


def format_prompt(shots: Sequence[Shot], query: str, template: str = "{x} -> {y}", separator: str = "\n") -> str:
    """Write shots and a query in one format: with zero, one or many shots, the prompt ends in the same way.

    The query is formatted like a shot, but cut before its answer; spaces at the end are removed. Only the answer is
    left to write.

    Args:
        shots: pairs of texts, in the order in which they stand in the prompt.
        query: the text whose answer the model must give.
        template: the text of a shot. `{x}` and `{y}` stand for its two parts, which are inserted as they are; the
            answer `{y}` may be followed by more text.
        separator: the text between two shots, and between the last shot and the query.

    Returns:
        The prompt. With no shots it is the query alone, without a separator.

    Source: Brown et al. 2020, section 2.4 and figure 2.1.
    """
    ### BEGIN SOLUTION
    parts = [template.format(x=x, y=y) for x, y in shots]
    parts.append(template.partition("{y}")[0].format(x=query).rstrip(" "))
    return separator.join(parts)
    ### END SOLUTION


def select_shots(
    pool: Sequence[Shot], count: int, generator: torch.Generator | None, exclude: object, balanced: bool = False
) -> list[Shot]:
    """Draw shots from a pool, without replacement and never the query itself.

    Args:
        pool: pairs `(x, y)`.
        count: number of shots.
        generator: draws the shots; the global generator when None.
        exclude: the `x` of the query. A pair whose `x` equals it is never drawn, whatever its `y` is: the prompt would
            contain the answer.
        balanced: whether the labels `y` of the pool occur equally often among the shots, as far as `count` allows: the
            numbers of two labels differ by at most one.

    Returns:
        `count` pairs of the pool. Each of the pairs that may be drawn is equally likely; with `balanced`, each of the
        pairs of the same label.

    Raises:
        ValueError: there are fewer than `count` pairs to draw from, or, with `balanced`, too few of a label.

    Source: Brown et al. 2020, section 2.4 (random shots); Zhao et al. 2021, section 3 (why balance and order matter).
    """
    ### BEGIN SOLUTION
    candidates = [pair for pair in pool if pair[0] != exclude]
    if len(candidates) < count:
        raise ValueError(f"{count} shots, but only {len(candidates)} pairs to draw from")
    order = torch.randperm(len(candidates), generator=generator).tolist()
    if not balanced:
        return [candidates[index] for index in order[:count]]
    labels = list(dict.fromkeys(candidates[index][1] for index in order))  # in random order
    share, extra = divmod(count, max(1, len(labels)))
    wanted = {label: share + (rank < extra) for rank, label in enumerate(labels)}
    taken: Counter = Counter()
    shots = []
    for index in order:
        label = candidates[index][1]
        if taken[label] < wanted[label]:
            taken[label] += 1
            shots.append(candidates[index])
    if len(shots) < count:
        raise ValueError(f"a label has fewer pairs than its share of {count} shots: {dict(taken)}")
    return shots
    ### END SOLUTION


def fit_to_context(
    shots: Sequence[Shot], query: object, measure: Callable[[Sequence[Shot], object], int], max_length: int
) -> list[Shot]:
    """Drop the oldest shots until the prompt fits into the context.

    Args:
        shots: pairs, the oldest first.
        query: the query, which is never dropped or shortened.
        measure: `measure(shots, query)` returns the length of the prompt with these shots, in tokens for example. The
            length of a prompt need not be the sum of the lengths of its parts.
        max_length: maximum length of the prompt.

    Returns:
        The shots that are kept, a list in their order: as many of the newest as fit.

    Raises:
        ValueError: the query alone is too long.
    """
    ### BEGIN SOLUTION
    for first in range(len(shots) + 1):
        kept = list(shots[first:])
        if measure(kept, query) <= max_length:
            return kept
    raise ValueError(f"the query alone is longer than {max_length}")
    ### END SOLUTION


def sequence_log_probability(model: nn.Module, context: Tensor, continuation: Tensor) -> float:
    """Compute the log-probability that the model continues the context in exactly this way.

    It is the sum of `log p(token | all tokens before it)` over the tokens of the continuation. The context is read, but
    its own tokens do not count. The sum is stable for logits of any size.

    Args:
        model: the model; it is called on one row, or on several.
        context: token ids `(length,)`, at least one.
        continuation: token ids `(length,)`.

    Returns:
        The log-probability, a float; 0.0 for an empty continuation.

    Raises:
        ValueError: the context is empty, or context and continuation together do not fit into the model's context.

    Source: the chain rule of probability; its use for choices: Brown et al. 2020, section 2.4.
    """
    ### BEGIN SOLUTION
    if len(context) == 0:
        raise ValueError("the context is empty, but the first token needs a token before it")
    tokens = torch.cat((context, continuation))  # (length,)
    if len(tokens) > model.config.context_length:
        raise ValueError(f"{len(tokens)} tokens, but the context has {model.config.context_length}")
    log_probabilities = model(tokens[:-1].unsqueeze(0))[0, len(context) - 1 :].log_softmax(dim=-1)
    return log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item()
    ### END SOLUTION


def score_choices(model: nn.Module, context: Tensor, choices: Sequence[Tensor], normalize: str = "none") -> Tensor:
    """Score the possible answers to a prompt by the model's own log-probabilities.

    The scores are not renormalised: the model may think that none of the choices is likely.

    Args:
        model: the model.
        context: token ids `(length,)`.
        choices: the token ids of each choice, at least one; their lengths may differ.
        normalize: `"none"` for log-probabilities; `"tokens"` divides each by the number of tokens of its choice, so
            that long choices are not at a disadvantage.

    Returns:
        The scores `(choices,)`, in the order of the choices.

    Source: Brown et al. 2020, section 2.4.
    """
    ### BEGIN SOLUTION
    scores = torch.tensor([sequence_log_probability(model, context, choice) for choice in choices])
    if normalize == "tokens":
        scores = scores / torch.tensor([len(choice) for choice in choices])
    return scores
    ### END SOLUTION


def few_shot_accuracy(
    model: nn.Module,
    task: Callable[[int, torch.Generator | None], Trial],
    shot_counts: Iterable[int],
    trials: int,
    generator: torch.Generator | None,
) -> dict[int, tuple[float, float]]:
    """Measure how often the best-scored choice is the right choice, for different numbers of shots.

    The model's prediction is the choice with the largest log-probability (not divided by the number of tokens), one of
    them on a tie. The model is in eval mode meanwhile, no gradients are computed, and the model does not change: its
    train/eval mode is restored at the end, also after an error.

    Args:
        model: the model.
        task: `task(shots, generator)` draws a trial with this number of shots: the context `(length,)`, the choices (a
            list of token ids) and the index of the right choice.
        shot_counts: the numbers of shots.
        trials: number of trials for each number of shots, at least two. Each is a new draw of the task.
        generator: is passed to the task.

    Returns:
        For each number of shots the mean accuracy and its standard error: the sample standard deviation (which divides
        by `trials - 1`) of hits (1.0) and misses (0.0), divided by `√trials`.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    curve = {}
    try:
        with torch.no_grad():
            for shots in shot_counts:
                hits = []
                for _ in range(trials):
                    context, choices, answer = task(shots, generator)
                    hits.append(float(score_choices(model, context, choices).argmax().item() == answer))
                mean = sum(hits) / trials
                variance = sum((hit - mean) ** 2 for hit in hits) / (trials - 1)
                curve[shots] = (mean, math.sqrt(variance / trials))
    finally:
        model.train(was_training)
    return curve
    ### END SOLUTION


def contextual_calibration(choice_probabilities: Tensor, empty_prompt_probabilities: Tensor) -> Tensor:
    """Divide the model's preferences for some answers out of its probabilities.

    `p / p_empty`, renormalised so that it sums to one. `p_empty` are the probabilities of the same choices after a
    prompt that says nothing, such as "N/A": a fair model would find them all equally likely.

    Args:
        choice_probabilities: `(choices,)`, positive; they need not sum to one, and they can be very small.
        empty_prompt_probabilities: `(choices,)`, positive; they need not sum to one either.

    Returns:
        The calibrated probabilities `(choices,)`, with the dtype of the inputs.

    Source: Zhao et al. 2021, section 5.
    """
    ### BEGIN SOLUTION
    ratio = choice_probabilities / empty_prompt_probabilities
    return ratio / ratio.sum()
    ### END SOLUTION


def induction_score(weights: Tensor, tokens: Tensor) -> Tensor:
    """Measure how much each head looks at what came next, the last time that the same token stood there.

    For a position whose token occurred before: take its last earlier occurrence, and the position right after that. The
    score of a head is the mean of its weight there, over all positions whose token occurred before.

    Args:
        weights: attention weights `(heads, length, length)`, the query axis first.
        tokens: token ids `(length,)`, of which at least one occurs twice.

    Returns:
        The scores `(heads,)`, with the dtype and device of the weights: 1 for a perfect induction head.

    Source: Olsson et al. 2022, "Key concepts" and section "Argument 3".
    """
    ### BEGIN SOLUTION
    length = len(tokens)
    positions = torch.arange(length, device=tokens.device)
    same = (tokens[:, None] == tokens[None, :]) & (positions[None, :] < positions[:, None])  # (query, earlier)
    last = (same * (positions + 1)).amax(dim=1)  # the position after the last earlier occurrence; 0 without one
    seen = last > 0
    return weights[:, positions[seen], last[seen]].mean(dim=-1)
    ### END SOLUTION
