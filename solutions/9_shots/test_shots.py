"""Public tests: small cases computed by hand. Change them and add your own."""

import math
from collections import Counter
from types import SimpleNamespace

import pytest
import shots
import torch
from torch import nn

SHOTS = [("one", "un"), ("two", "deux"), ("three", "trois")]


def test_format_prompt_with_shots():
    prompt = shots.format_prompt(SHOTS[:2], "four")
    assert prompt == "one -> un\ntwo -> deux\nfour ->", "the query is written like a shot, up to its answer"


def test_format_prompt_without_shots():
    assert shots.format_prompt([], "four") == "four ->", "no separator, and no space at the end"


def test_format_prompt_cuts_the_template():
    prompt = shots.format_prompt([("2+2", "4")], "1+1", "Q: {x} A: {y}.", " | ")
    assert prompt == "Q: 2+2 A: 4. | Q: 1+1 A:", "the query ends where the answer would begin: no full stop"


POOL = [(f"word{number}", "ab"[number % 3 == 0]) for number in range(9)]  # three of b, six of a


def draw(count, seed=0, exclude="word1", **options):
    return shots.select_shots(list(POOL), count, torch.Generator().manual_seed(seed), exclude, **options)


def test_select_shots_without_replacement():
    for seed in range(20):
        drawn = draw(5, seed)
        assert len(drawn) == len(set(drawn)) == 5, "five different pairs"
        assert set(drawn) <= set(POOL), "all shots are pairs of the pool"
    everything = {pair for seed in range(60) for pair in draw(3, seed)}
    assert everything == set(POOL) - {("word1", "a")}, "each pair is drawn now and then, but never the query's own"


def test_select_shots_leaves_the_query_out():
    assert len(draw(8)) == 8, "eight pairs are left without the query"
    with pytest.raises(ValueError):
        draw(9)


def test_select_shots_balanced():
    for seed in range(10):
        labels = Counter(label for _, label in draw(4, seed, balanced=True))
        assert labels == {"a": 2, "b": 2}, "two of each label, although a is more frequent in the pool"
        labels = Counter(label for _, label in draw(5, seed, balanced=True))
        assert sorted(labels.values()) == [2, 3], "the numbers of two labels differ by at most one"


def test_select_shots_uses_the_generator():
    assert draw(5, seed=3) == draw(5, seed=3), "the same seed gives the same shots"
    before = torch.get_rng_state()
    draw(5)
    assert torch.equal(torch.get_rng_state(), before), "the global generator must not change"


def letters(examples, query):
    return sum(len(x) + len(y) + 1 for x, y in examples) + len(query)


def test_fit_to_context():
    examples = list(SHOTS)  # lengths 6, 8 and 11
    assert shots.fit_to_context(examples, "four", letters, 29) == SHOTS, "29 letters fit exactly"
    assert shots.fit_to_context(examples, "four", letters, 28) == SHOTS[1:], "the oldest shot is dropped"
    assert shots.fit_to_context(examples, "four", letters, 4) == [], "the query alone just fits"
    assert examples == SHOTS, "the caller's list must not change"


def test_fit_to_context_keeps_the_query():
    with pytest.raises(ValueError):
        shots.fit_to_context(SHOTS, "four", letters, 3)


class Follows(nn.Module):
    """A model of three tokens. Each token is followed by the next one with probability 1/2, by each other with 1/4."""

    config = SimpleNamespace(context_length=8)

    def __init__(self):
        super().__init__()
        self.position_embedding = nn.Embedding(8, 3)  # as in a GPT: one row for each position that it can read

    def forward(self, tokens):
        if tokens.shape[1] > 8:
            raise ValueError("too long")
        return nn.functional.one_hot((tokens + 1) % 3, 3) * math.log(2)


HALF, QUARTER = math.log(1 / 2), math.log(1 / 4)
CONTEXT = torch.tensor([2, 2, 0])


def test_sequence_log_probability():
    score = shots.sequence_log_probability(Follows(), CONTEXT, torch.tensor([1, 2, 2]))
    assert score == pytest.approx(HALF + HALF + QUARTER), "1 after 0 and 2 after 1 are likely, 2 after 2 is not"
    assert shots.sequence_log_probability(Follows(), CONTEXT, torch.tensor([1])) == pytest.approx(HALF), (
        "the tokens of the context do not count"
    )


def test_sequence_log_probability_edges():
    nothing = torch.tensor([], dtype=torch.int64)
    assert shots.sequence_log_probability(Follows(), CONTEXT, nothing) == 0.0, "a sum over no tokens"
    with pytest.raises(ValueError):
        shots.sequence_log_probability(Follows(), nothing, CONTEXT)
    with pytest.raises(ValueError):
        shots.sequence_log_probability(Follows(), CONTEXT, torch.zeros(9, dtype=torch.int64))


CHOICES = [torch.tensor([1, 2, 0]), torch.tensor([2])]


def test_score_choices():
    scores = shots.score_choices(Follows(), CONTEXT, CHOICES)
    assert scores.tolist() == pytest.approx([3 * HALF, QUARTER]), "sums of log-probabilities, not renormalised"


def test_score_choices_by_tokens():
    scores = shots.score_choices(Follows(), CONTEXT, CHOICES, normalize="tokens")
    assert scores.tolist() == pytest.approx([HALF, QUARTER]), "per token, the first choice is the better one"


def test_few_shot_accuracy():
    hits = iter([True, True, False, True] * 2)

    def quiz(count, generator):
        return CONTEXT, [torch.tensor([0]), torch.tensor([1])], int(next(hits))  # the model answers 1

    model = Follows().train()
    curve = shots.few_shot_accuracy(model, quiz, [0, 4], 4, torch.Generator())
    assert set(curve) == {0, 4}, "one point for each number of shots"
    mean, error = curve[4]
    assert mean == pytest.approx(0.75), "three hits in four trials"
    assert error == pytest.approx(0.25), "the variance is 3/4 · 1/4 · 4/3 = 1/4, so the error is √(1/4) / √4"
    assert model.training, "the model should be in training mode again"


def test_few_shot_accuracy_after_an_error():
    def broken(count, generator):
        raise RuntimeError

    model = Follows().train()
    with pytest.raises(RuntimeError):
        shots.few_shot_accuracy(model, broken, [1], 2, torch.Generator())
    assert model.training, "the mode is restored after an error, too"


def test_contextual_calibration():
    fair = shots.contextual_calibration(torch.tensor([0.6, 0.2]), torch.tensor([0.6, 0.1]))
    assert fair.tolist() == pytest.approx([1 / 3, 2 / 3]), "6/6 : 2/1, made to sum to one"


def test_induction_score():
    tokens = torch.tensor([5, 7, 5, 5])
    weights = torch.zeros(2, 4, 4)
    weights[0, 2, 1] = 0.8  # the 5 at 2 stood at 0 before: a perfect head looks at 1
    weights[0, 3, 3] = 0.4  # the 5 at 3 stood at 2 before: a perfect head looks at 3
    weights[1, 3, 1] = 1.0  # after the first 5, not after the last
    assert shots.induction_score(weights, tokens).tolist() == pytest.approx([0.6, 0.0])
