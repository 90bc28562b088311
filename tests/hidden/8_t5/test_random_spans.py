"""Hidden tests of random_spans: exact counts, and bounds on distributions with odds of a false alarm below 1e-9."""

from collections import Counter

import torch
from hypothesis import given
from t5_oracles import counts, in_worker, runs, span_lengths

from autograder.judge.compare import check_dtype, check_equal, check_raises, check_results, check_shape, check_that
from autograder.judge.strategies import seeds

DRAWS = 250
# Lengths of texts, rates and mean lengths whose numbers of tokens and spans lie clearly between two halves.
CASES = [
    (length, {"rate": rate, "mean_span": mean_span})
    for length in (2, 3, 7, 12, 29, 64, 200)
    for rate, mean_span in ((0.15, 3.0), (0.3, 2.0), (0.52, 1.4), (0.2, 6.3))
    if min(abs(share % 1 - 0.5) for share in (length * rate, counts(length, rate)[0] / mean_span)) > 0.05
]


def drawn(student, seed, cases):
    """Draw a mask for each case; return each as a list of booleans, of the right length."""
    masks = check_results(
        in_worker(student).draw(student.random_spans, seed, [list(case) for case in cases]), len(cases)
    )
    return listed(masks, cases)


def listed(masks, cases):
    """Return masks as lists of booleans; another check covers their dtype."""
    for mask, (length, _) in zip(masks, cases, strict=True):
        check_shape(mask, (length,), axes="length")
    return [mask.bool().tolist() for mask in masks]


def differ(first, second):
    """Whether two lists of masks differ."""
    return [mask for mask, other in zip(first, second, strict=True) if mask != other] != []


def check_number_of_tokens(masks, cases):
    for mask, (length, options) in zip(masks, cases, strict=True):
        says = "the number of masked tokens is wrong"
        check_equal(sum(mask), counts(length, **options)[0], says=says)


def check_number_of_spans(masks, cases):
    for mask, (length, options) in zip(masks, cases, strict=True):
        found = sum(value for value, _ in runs(mask))
        says = "the number of spans is wrong: two may touch, or one may be empty"
        check_equal(found, counts(length, **options)[1], says=says)


def check_varied(lengths):
    """Check that no length has a probability above 80 %: more than 240 of 250 draws then have odds of 1e-13."""
    most = max(Counter(lengths).values())
    check_that(most <= 240, "a span or a gap has nearly always the same length")


@given(seeds())
def test_spans_mask_the_right_number_of_tokens(student, seed):
    """random_spans: the number of masked tokens is the rounded share of the length.

    Hint: fix the number of masked tokens first; draw only where they are.
    """
    check_number_of_tokens(drawn(student, seed, CASES), CASES)


@given(seeds())
def test_spans_are_the_right_number(student, seed):
    """random_spans: the masked tokens form the right number of spans, and no two spans touch.

    Hint: each span needs a gap of at least one kept token before it.
    """
    check_number_of_spans(drawn(student, seed, CASES * 3), CASES * 3)


def test_spans_round_like_python(student):
    """random_spans: both numbers are rounded with Python's `round`, halves to the even number.

    Hint: `round(2.5)` is 2 and `round(3.5)` is 4; `int(x + 0.5)` and `math.ceil` differ from it.
    """
    tokens = [(length, {"rate": 0.5, "mean_span": 50.0}) for length in (5, 7, 9, 11)]
    check_number_of_tokens(drawn(student, 1, tokens), tokens)
    spans = [(length, {"rate": 0.25, "mean_span": 2.0}) for length in (12, 20, 28, 36)]
    check_number_of_spans(drawn(student, 2, spans), spans)


def test_spans_stay_within_their_limits(student):
    """random_spans: at least one token is masked and one kept, with as many spans as fit.

    Hint: clip the number of masked tokens to 1 … length − 1, and the number of spans to what the masked and the kept
    tokens allow.
    """
    options = [
        (0.0, 3.0),
        (1.0, 3.0),
        (1.0, 1.0),
        (0.5, 1.0),
        (0.5, 0.1),
        (0.2, 0.1),
        (0.9, 1.0),
        (0.01, 100.0),
        (0.4, 500.0),
    ]
    cases = [
        (length, {"rate": rate, "mean_span": mean_span}) for length in (2, 3, 4, 10) for rate, mean_span in options
    ]
    masks = drawn(student, 3, cases)
    check_number_of_tokens(masks, cases)
    check_number_of_spans(masks, cases)


@given(seeds())
def test_spans_start_unmasked(student, seed):
    """random_spans: the first token is never masked.

    Hint: a text begins with a gap, then comes the first span.
    """
    cases = CASES + [(6, {"rate": 0.5, "mean_span": 1.5})] * 50
    for mask in drawn(student, seed, cases):
        check_that(sum(mask) > 0, "no token is masked")
        check_equal(mask[0], False, says="the first token is masked")


@given(seeds())
def test_spans_have_random_lengths(student, seed):
    """random_spans: the lengths of the spans vary.

    Hint: `mean_span` fixes how many spans there are, not how long each of them is.
    """
    for length, masked, count in ((20, 10, 2), (40, 12, 3)):
        case = (length, {"rate": masked / length, "mean_span": masked / count})
        found = [span_lengths(mask)[0] for mask in drawn(student, seed, [case] * DRAWS)]
        check_equal({len(lengths) for lengths in found} == {count}, True, says="the number of spans is wrong")
        for lengths in zip(*found, strict=True):
            check_varied(lengths)


@given(seeds())
def test_spans_have_random_positions(student, seed):
    """random_spans: the lengths of the gaps vary.

    Hint: draw the gaps separately from the spans.
    """
    for length, masked, count in ((12, 3, 2), (40, 12, 3)):
        case = (length, {"rate": masked / length, "mean_span": masked / count})
        found = [span_lengths(mask) for mask in drawn(student, seed, [case] * DRAWS)]
        check_equal({len(gaps) for _, gaps in found} == {count}, True, says="the number of spans is wrong")
        for gaps in zip(*(gaps for _, gaps in found), strict=True):
            check_varied(gaps)


def test_spans_draw_from_the_generator(student):
    """random_spans: draws come from `generator`; the global generator is unchanged.

    Hint: pass the generator to every function that draws random numbers.
    """
    cases = [[60, {"rate": 0.4}]] * 4
    first, again, other = (drawn(student, seed, cases) for seed in (7, 7, 8))
    check_equal(again, first, says="the same seed gives different spans")
    check_that(differ(first, other), "a different seed gives the same spans")
    check_that(differ(first, first[1:] + first[:1]), "draws from one generator are all the same")
    stays = in_worker(student).global_generator_stays(student.random_spans, 7, cases)
    check_equal(stays, True, says="the draws change the global generator")


def test_spans_draw_from_the_global_generator(student):
    """random_spans: without a generator, spans are drawn from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    cases = [[60, {"rate": 0.4}]] * 4
    helper = in_worker(student).draw_with_global_generator
    first, again, other = (
        listed(check_results(helper(student.random_spans, seed, cases), len(cases)), cases) for seed in (7, 7, 8)
    )
    check_equal(again, first, says="a seed of the global generator does not repeat the spans")
    check_that(differ(first, other), "a different seed gives the same spans")
    check_that(differ(first, first[1:] + first[:1]), "calls without a generator give the same spans")


def test_spans_have_their_usual_defaults(student):
    """random_spans: without further arguments, 15 % are masked, in spans of mean length 3.

    Hint: look at the defaults in the signature.
    """
    cases = [[length, {}] for length in (6, 20, 100, 333, 512)]
    masks = drawn(student, 5, cases)
    check_number_of_tokens(masks, cases)
    check_number_of_spans(masks, cases)


def test_spans_refuse_a_short_text(student):
    """random_spans: only a length below 2 raises ValueError.

    Hint: one token must be masked and one kept.
    """
    check_number_of_tokens(drawn(student, 1, [[2, {}]]), [[2, {}]])
    for length in (0, 1):
        with check_raises(ValueError, says="a length below 2 raises no ValueError"):
            student.random_spans(length, None)


def test_spans_are_bool(student):
    """random_spans: the result is a bool tensor.

    Hint: a mask of 0 and 1 indexes positions 0 and 1 instead of selecting tokens.
    """
    mask = student.random_spans(20, None)
    check_shape(mask, (20,), axes="length")
    check_equal(int(mask.sum()), 3, says="the number of masked tokens is wrong")
    check_dtype(mask, torch.bool)
