"""Hidden tests of scores: continuations, choices, curves over shots, calibration and induction heads.

Scores get a small model that the judge computes itself, and curves get models that follow a script, so that a wrong
GPT fails only its own checks.
"""

import math
from itertools import product

import torch
from hypothesis import given
from shots_oracles import CONTEXT, in_worker, log_probability, reader, reader_state, token_ids

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_raises,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

FLOAT32 = {"rtol": 1e-4, "atol": 1e-5}
NOTHING = torch.zeros(0, dtype=torch.int64)

# --- sequence_log_probability ----------------------------------------------------------------------------------------

SPLITS = ((1, 1), (1, 6), (4, 1), (5, 3), (3, 3), (2, CONTEXT - 2), (CONTEXT - 1, 1))  # context and continuation


@given(seeds())
def test_sequence_sums_the_log_probabilities(student, seed):
    """sequence_log_probability: the sum of log p over the continuation's tokens only.

    Hint: the logits at position t are for the token after t, so the first token of the continuation is predicted at
    the last position of the context.
    """
    state = reader_state(seed)
    model = reader(student, state)
    cases = [(token_ids(length, seed), token_ids(more, seed + 1)) for length, more in SPLITS]
    cases.append((torch.tensor([2, 2, 2]), torch.tensor([2, 2])))
    for context, continuation in cases:
        expected = log_probability(state, context.tolist(), continuation.tolist())
        check_close(student.sequence_log_probability(model, context, continuation), expected, **FLOAT32)


def test_sequence_probabilities_sum_to_one(student):
    """sequence_log_probability: on a GPT, all continuations of a length sum to one.

    Hint: exp of the result is a probability: log-softmax over the vocabulary, the sum over tokens, no mean.
    """
    remote = in_worker(student)
    vocab = 4
    model = remote.gpt_of([vocab, 7, 6, 2, 1, 8], 3)
    for length, more in ((1, 1), (4, 2)):
        context = torch.arange(length) % vocab
        continuations = [torch.tensor(tokens) for tokens in product(range(vocab), repeat=more)]
        scores = remote.scores(student.sequence_log_probability, model, context, continuations)
        total = math.fsum(math.exp(min(score, 1.0)) for score in scores)
        check_close(total, 1.0, says="the probabilities of all continuations do not sum to one", **FLOAT32)
        expected = [remote.step_by_step(model, context, tokens) for tokens in continuations[:3]]
        check_close(scores[:3], expected, **FLOAT32)


@given(seeds())
def test_sequence_is_stable(student, seed):
    """sequence_log_probability: logits of any size give the right sum.

    Hint: log(softmax(x)) takes the log of 0 when logits are far apart; log_softmax does not.
    """
    for scale in (300.0, 3e4):
        state = reader_state(seed, scale)
        model = reader(student, state)
        context, continuation = token_ids(3, seed), token_ids(4, seed + 1)
        expected = log_probability(state, context.tolist(), continuation.tolist())
        check_close(student.sequence_log_probability(model, context, continuation), expected, **FLOAT32)


@given(seeds())
def test_sequence_of_nothing_is_zero(student, seed):
    """sequence_log_probability: an empty continuation has log-probability 0.0.

    Hint: a sum over no tokens. Is your range of positions empty then?
    """
    state = reader_state(seed)
    model = reader(student, state)
    for length in (1, 4, CONTEXT):
        check_close(student.sequence_log_probability(model, token_ids(length, seed), NOTHING), 0.0)
    some = student.sequence_log_probability(model, token_ids(3, seed), token_ids(2, seed + 1))
    check_that(bool(float(some) < 0), "the log-probability of tokens is not negative")


@given(seeds())
def test_sequence_refuses_an_empty_context(student, seed):
    """sequence_log_probability: an empty context raises ValueError.

    Hint: the first token of the continuation needs a token before it.
    """
    model = reader(student, reader_state(seed))
    student.sequence_log_probability(model, token_ids(1, seed), token_ids(3, seed))
    for more in (1, 3):
        with check_raises(ValueError, says="an empty context raises no ValueError"):
            student.sequence_log_probability(model, NOTHING, token_ids(more, seed))


@given(seeds())
def test_sequence_refuses_what_is_too_long(student, seed):
    """sequence_log_probability: ValueError past the model's context, and only there.

    Hint: context and continuation share the model's context_length. Do not crop: the score would be of another prompt.
    """
    model = reader(student, reader_state(seed))
    for length, more in ((1, CONTEXT - 1), (CONTEXT - 1, 1), (CONTEXT // 2, CONTEXT // 2)):
        student.sequence_log_probability(model, token_ids(length, seed), token_ids(more, seed))
        # With one token more the last token need not be read, so both readings are right there.
        for lengths in ((length + 2, more), (length, more + 2), (length + 9, more)):
            with check_raises(ValueError, says="tokens past the model's context raise no ValueError"):
                student.sequence_log_probability(model, *(token_ids(number, seed) for number in lengths))


@given(seeds())
def test_sequence_gives_a_float(student, seed):
    """sequence_log_probability: the result is a Python float, for an empty continuation too.

    Hint: `.item()` turns a tensor with one number into a float.
    """
    model = reader(student, reader_state(seed))
    continuations = [token_ids(2, seed), NOTHING]
    found = in_worker(student).is_float(student.sequence_log_probability, model, token_ids(3, seed), continuations)
    check_equal(list(found), [True, True], says="the result is not a Python float")


# --- score_choices ---------------------------------------------------------------------------------------------------

# Lengths of the choices: all different, equal, one choice, and one that fills the context.
CHOICES = ((3, 1, 2, 5), (2, 2, 2), (1, 1), (4,), (1, CONTEXT - 3))


def choices_of(lengths, seed):
    return [token_ids(length, seed + 11 * number) for number, length in enumerate(lengths)]


def check_scores(student, seed, by_tokens, *options, **more):
    """Compare the scores with log-probabilities computed number by number."""
    state = reader_state(seed)
    model, context = reader(student, state), token_ids(3, seed)
    for lengths in CHOICES:
        choices = choices_of(lengths, seed)
        sums = [log_probability(state, context.tolist(), choice.tolist()) for choice in choices]
        numbers = lengths if by_tokens else [1] * len(lengths)
        expected = torch.tensor([total / number for total, number in zip(sums, numbers, strict=True)])
        found = student.score_choices(model, context, choices, *options, **more)
        check_values(found, expected.double(), axes="choices", accuracy=torch.float32)


@given(seeds())
def test_choices_get_their_log_probabilities(student, seed):
    """score_choices: each choice gets the log-probability of its tokens, in order.

    Hint: a choice is a continuation of the context. The scores need not sum to anything.
    """
    check_scores(student, seed, False)
    check_scores(student, seed, False, "none")


@given(seeds())
def test_choices_by_tokens(student, seed):
    """score_choices: `normalize="tokens"` divides each sum by the number of tokens of its choice.

    Hint: not by the length of the context, and not by that of the longest choice.
    """
    check_scores(student, seed, True, normalize="tokens")


@given(seeds())
def test_choices_do_not_depend_on_each_other(student, seed):
    """score_choices: a choice keeps its score beside other choices.

    Hint: a softmax over the choices makes their scores depend on each other.
    """
    state = reader_state(seed)
    model, context = reader(student, state), token_ids(2, seed)
    choices = choices_of((2, 4, 1), seed)
    for options in ({}, {"normalize": "tokens"}):
        together = student.score_choices(model, context, choices, **options)
        check_shape(together, (3,), axes="choices")
        alone = [student.score_choices(model, context, [choice], **options) for choice in choices]
        check_values(torch.cat(alone), together.detach(), accuracy=torch.float32)
        reversed_order = student.score_choices(model, context, choices[::-1], **options)
        check_values(reversed_order, together.detach().flip(0), accuracy=torch.float32)


# --- few_shot_accuracy -----------------------------------------------------------------------------------------------

SCRIPT = {0: [True, False, False], 1: [True, False], 5: [True, True, True, False], 2: [True], 9: [False]}


def expected_curve(script, counts, trials):
    """Compute rows of shots, mean and standard error, by the formulas."""
    rows = []
    for shots in sorted(counts):
        hits = [script[shots][number % len(script[shots])] for number in range(trials)]
        mean = sum(hits) / trials
        variance = sum((hit - mean) ** 2 for hit in hits) / (trials - 1)
        rows.append([shots, mean, math.sqrt(variance) / math.sqrt(trials)])
    return rows


def curve(student, script, counts, trials, *, vocab=5, training=False):
    return in_worker(student).scripted_curve(student.few_shot_accuracy, script, vocab, counts, trials, training)


def check_means(student, counts, trials, *, training=False):
    """Check the means of the script; the check of a standard error pays for the errors."""
    found = curve(student, SCRIPT, counts, trials, training=training)
    check_close([row[:2] for row in found], [row[:2] for row in expected_curve(SCRIPT, counts, trials)], **FLOAT32)


def check_column(student, column, says):
    """Compare one column of the curve, for several numbers of trials and shots."""
    for counts, trials in (((0, 1, 5, 2, 9), 12), ((1,), 2), ((5, 0), 7), ((0, 5), 60)):
        found = curve(student, SCRIPT, counts, trials)
        expected = expected_curve(SCRIPT, counts, trials)
        check_equal([row[0] for row in found], [row[0] for row in expected], says="the numbers of shots are wrong")
        check_close([row[column] for row in found], [row[column] for row in expected], says=says, **FLOAT32)


def test_accuracy_is_the_share_of_hits(student):
    """few_shot_accuracy: the share of trials whose best choice is right, by shots.

    Hint: score the choices of each trial, and compare the index of the largest score with the answer.
    """
    check_column(student, 1, "the mean accuracy is wrong")


def test_accuracy_has_a_standard_error(student):
    """few_shot_accuracy: the error is the sample standard deviation divided by √trials.

    Hint: the sample standard deviation divides by trials − 1; the error of a mean shrinks with the root of trials.
    """
    check_column(student, 2, "the standard error is wrong")


def test_accuracy_draws_every_trial(student):
    """few_shot_accuracy: `task(shots, generator)` draws each trial anew.

    Hint: call the task `trials` times for each number of shots, with the generator that you were given.
    """
    check_means(student, [5], 8)
    counts, passed = in_worker(student).calls_of(student.few_shot_accuracy, SCRIPT, 5, [2, 0, 5], 6)
    check_equal(list(counts), [6, 6, 6], says="the task is not called `trials` times for each number of shots")
    check_equal(passed, True, says="the task does not get the generator")


def test_accuracy_compares_sums(student):
    """few_shot_accuracy: choices are compared by their sums, not per token.

    Hint: score_choices with its default.
    """
    check_means(student, [2], 4)
    found = in_worker(student).accuracy_with_long_choices(student.few_shot_accuracy, 4)
    check_close(found, 1.0, says="a long choice is preferred although it is less likely")


def test_accuracy_of_ties(student):
    """few_shot_accuracy: where all choices are equally likely, not all trials are hits.

    Hint: the prediction is one choice, whatever the other scores are: argmax.
    """
    check_means(student, [2], 4)
    for vocab, trials in ((3, 300), (5, 300)):
        found = in_worker(student).accuracy_of_ties(student.few_shot_accuracy, vocab, trials)
        check_that(bool(found < 0.8), "a tie counts as a hit")


def test_accuracy_is_measured_in_eval_mode(student):
    """few_shot_accuracy: dropout is off during the trials, whatever the mode of the model is.

    Hint: switch to eval mode first. Where is the mode restored?
    """
    for training in (True, False):
        check_means(student, [0, 5], 12, training=training)
        observed = in_worker(student).modes_of(student.few_shot_accuracy, training)
        check_equal(observed["evaluated"], True, says="the model is not in eval mode during the trials")


def test_accuracy_makes_no_gradients(student):
    """few_shot_accuracy: no graph is built, and gradients are enabled again afterwards.

    Hint: `with torch.no_grad():` around the trials.
    """
    check_means(student, [5], 8)
    observed = in_worker(student).modes_of(student.few_shot_accuracy, False)
    check_equal(observed["graphs"], False, says="the trials build a graph for gradients")
    check_equal(observed["gradients on"], True, says="gradients stay disabled after the call")


def test_accuracy_leaves_the_model_as_it_was(student):
    """few_shot_accuracy: parameters and train/eval mode are the same afterwards.

    Hint: remember `model.training` before you switch; parameters still need their gradients in the next training.
    """
    check_means(student, [5], 8)
    for training in (True, False):
        observed = in_worker(student).modes_of(student.few_shot_accuracy, training)
        check_equal(observed["mode"], training, says="the train/eval mode differs after the call")
        check_equal(observed["unchanged"], True, says="a parameter or its gradient differs after the call")
        check_equal(observed["trainable"], True, says="a parameter cannot be trained after the call")


def test_accuracy_restores_the_mode_after_an_error(student):
    """few_shot_accuracy: after an error in the task or the model, the mode is as before.

    Hint: try … finally. The error itself must still reach the caller.
    """
    check_means(student, [5], 8)
    for where in ("task", "model"):
        for training in (True, False):
            remote = in_worker(student)
            mode, raised = remote.mode_after_error(student.few_shot_accuracy, training, where)
            check_equal(raised, True, says="an error in the task or the model does not reach the caller")
            check_equal(mode, training, says="the train/eval mode differs after an error")


@given(seeds())
def test_accuracy_rises_with_the_shots(student, seed):
    """few_shot_accuracy: a model that looks up its answers rises as computed.

    Hint: a key that was not shown can only be guessed. Pass the shots to the task, and the whole context to the model.
    """
    keys, answers, trials = 4, 3, 150
    counts = (0, 2, 8)
    found = in_worker(student).curve_of_look_up(student.few_shot_accuracy, keys, answers, counts, trials, seed)
    check_equal([row[0] for row in found], list(counts), says="the numbers of shots are wrong")
    for shots, mean, _ in found:
        unseen = (1 - 1 / keys) ** shots
        right = 1 - unseen + unseen / answers
        deviation = math.sqrt(right * (1 - right) / trials)
        # Seven standard deviations, and 4 trials more because small counts are not normally distributed.
        says = "the accuracy of a model that looks up its answers differs from its exact value"
        check_that(bool(abs(mean - right) < 7 * deviation + 4 / trials), says)


# --- contextual_calibration ------------------------------------------------------------------------------------------


def shares(count, seed, scale=1.0):
    """Draw positive numbers that sum to less than `scale`."""
    numbers = normal_tensor(count, seed=seed).exp()
    return scale * 0.8 * numbers / numbers.sum()


def calibrated(choices, empty):
    """Compute the calibrated probabilities in Python floats."""
    ratios = [p / q for p, q in zip(choices.tolist(), empty.tolist(), strict=True)]
    return torch.tensor([ratio / math.fsum(ratios) for ratio in ratios], dtype=torch.float64)


@given(seeds())
def test_calibration_divides_and_renormalises(student, seed):
    """contextual_calibration: p / p_empty, divided by the sum over the choices.

    Hint: divide choice by choice, then make the result sum to one.
    """
    for count in (2, 3, 6, 1):
        choices, empty = shares(count, seed), shares(count, seed + 1)
        check_values(student.contextual_calibration(choices, empty), calibrated(choices, empty), accuracy=torch.float32)


@given(seeds())
def test_calibration_makes_the_empty_prompt_fair(student, seed):
    """contextual_calibration: the empty prompt's own probabilities become equal.

    Hint: what is p / p, and what must the result sum to?
    """
    for count in (2, 5):
        empty = shares(count, seed)
        expected = torch.full((count,), 1 / count, dtype=torch.float64)
        check_values(student.contextual_calibration(empty, empty), expected, accuracy=torch.float32)
        other = shares(count, seed + 1)
        # A fair empty prompt changes nothing but the sum.
        found = student.contextual_calibration(other, torch.full((count,), 0.1, dtype=torch.float64))
        check_values(found, other / other.sum(), accuracy=torch.float32)


@given(seeds())
def test_calibration_of_tiny_probabilities(student, seed):
    """contextual_calibration: tiny probabilities keep their ratios.

    Hint: adding a small number to p_empty changes the ratio where p_empty is smaller than that number.
    """
    for scale, empty_scale in ((1e-6, 1e-6), (1e-3, 1e-7), (1e-7, 1.0)):
        choices, empty = shares(4, seed, scale), shares(4, seed + 1, empty_scale)
        check_values(student.contextual_calibration(choices, empty), calibrated(choices, empty), accuracy=torch.float32)


def test_calibration_keeps_dtype_and_device(student):
    """contextual_calibration: the result has the dtype and device of the inputs.

    Hint: create no tensor without a dtype and a device.
    """
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        choices, empty, other = (shares(3, seed).to(dtype) for seed in (1, 2, 3))
        check_computes(student.contextual_calibration, [choices, empty], [other, empty])
        check_dtype(student.contextual_calibration(choices, empty), dtype)
    check_keeps_device(student, student.contextual_calibration, choices, empty)


def test_calibration_leaves_its_inputs_alone(student):
    """contextual_calibration: the probabilities are not changed in place.

    Hint: `/=` changes the caller's tensor.
    """
    choices, empty, other = (shares(3, seed) for seed in (1, 2, 3))
    check_computes(student.contextual_calibration, [choices, empty], [other, empty])
    check_inputs_unchanged(student, student.contextual_calibration, choices, empty)


# --- induction_score -------------------------------------------------------------------------------------------------


def attention(heads, length, seed):
    """Draw causal attention weights."""
    scores = normal_tensor(heads, length, length, seed=seed, scale=2.0)
    return scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), -math.inf).softmax(dim=-1)


def induction(weights, tokens):
    """Compute the scores in loops."""
    rows = []
    for head in weights.tolist():
        found = []
        for query, token in enumerate(tokens):
            earlier = [index for index in range(query) if tokens[index] == token]
            if earlier:
                found.append(head[query][earlier[-1] + 1])
        rows.append(math.fsum(found) / len(found))
    return torch.tensor(rows, dtype=torch.float64)


def check_induction(student, seed, *texts):
    for heads, tokens in zip((3, 1, 2, 5), texts, strict=False):
        weights = attention(heads, len(tokens), seed)
        found = student.induction_score(weights, torch.tensor(tokens))
        check_values(found, induction(weights, tokens), axes="heads", accuracy=torch.float32)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=5))
def test_induction_averages_over_repeated_tokens(student, seed, sizes):
    """induction_score: the mean weight after the earlier occurrence of a token.

    Hint: `weights[head, t, s + 1]` for a token at t that stood at s before. Tokens that are new do not count.
    """
    vocab, extra = sizes
    # Each token at most twice: another check covers the last of several occurrences.
    order = torch.randperm(2 * vocab + extra, generator=torch.Generator().manual_seed(seed)).tolist()
    twice = [3 * (number % (vocab + extra)) for number in order]
    check_induction(student, seed, twice, [7, 2, 900, 2], [0, 1, 2, 3, 0, 1, 2, 3], [4, 0, 4, 0, 1])


@given(seeds())
def test_induction_looks_at_the_last_occurrence(student, seed):
    """induction_score: the last of several occurrences counts, the token before too.

    Hint: the largest s < t with the same token. With s = t − 1, the position after it is t itself.
    """
    check_induction(student, seed, [1, 4, 1, 1, 4, 1], [2, 2, 2, 2], [5, 0, 0, 5, 3, 5, 0], [0, 0])


@given(seeds())
def test_induction_of_perfect_and_blind_heads(student, seed):
    """induction_score: 1 for a head that always looks there, 0 for a head that never does.

    Hint: each head has its own score.
    """
    length = 9
    tokens = torch.tensor([4, 1, 6, 4, 1, 4, 6, 6, 1])
    perfect = torch.zeros(length, length, dtype=torch.float64)
    for query in range(length):
        earlier = [index for index in range(query) if tokens[index].item() == tokens[query].item()]
        perfect[query, earlier[-1] + 1 if earlier else 0] = 1.0
    blind = attention(1, length, seed)[0] * (1 - perfect)
    found = student.induction_score(torch.stack([blind, perfect, (blind + perfect) / 2]), tokens)
    check_values(found, torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64), accuracy=torch.float32)


def test_induction_keeps_dtype_and_device(student):
    """induction_score: the scores have the dtype and device of the weights.

    Hint: create no tensor without a device.
    """
    tokens = torch.tensor([3, 1, 3, 1, 1])
    for dtype in (torch.bfloat16, torch.float64):
        weights, other = (attention(2, 5, seed).to(dtype) for seed in (1, 2))
        check_computes(student.induction_score, [weights, tokens], [other, tokens])
        check_dtype(student.induction_score(weights, tokens), dtype)
    check_keeps_device(student, student.induction_score, weights, tokens)


def test_induction_leaves_its_inputs_alone(student):
    """induction_score: weights and tokens are not changed in place.

    Hint: masked_fill_ and index assignment change the caller's tensor.
    """
    tokens = torch.tensor([3, 1, 3, 1, 1])
    weights, other = (attention(2, 5, seed) for seed in (1, 2))
    check_computes(student.induction_score, [weights, tokens], [other, tokens])
    check_inputs_unchanged(student, student.induction_score, weights, tokens)
