"""Hidden tests of corrupt_spans and restore_spans. Oracle: the definition, run by run."""

import torch
from hypothesis import given
from t5_oracles import corrupt, corrupted, in_worker, restore

from autograder.judge.compare import check_close, check_dtype, check_equal, check_raises, check_results, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import seeds

END, SENTINELS = 1, [99, 98, 97, 96, 95, 94, 93, 92]
TEXT = torch.tensor([12, 7, 30, 5, 41, 18, 22, 9, 33])
MIDDLE = torch.tensor([False, True, True, False, True, False, False, True, False])


def mask(pattern):
    """Turn `.##.` into a mask."""
    return torch.tensor([character == "#" for character in pattern], dtype=torch.bool)


def drawn(seed, length, spans):
    """Draw a text without special ids and a mask of that many spans, both ends kept."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, 60, (length,), generator=generator)
    cuts = (torch.randperm(length - 1, generator=generator)[: 2 * spans].sort().values + 1).tolist()
    found = torch.zeros(length, dtype=torch.bool)
    for start, end in zip(cuts[::2], cuts[1::2], strict=True):
        found[start:end] = True
    return tokens, found


def cases(seed):
    """Texts and masks: one to five spans, spans of one token, a token that occurs again and again."""
    texts = [drawn(seed + number, length, spans) for number, (length, spans) in enumerate(((9, 1), (14, 3), (30, 5)))]
    return [*texts, (TEXT, MIDDLE), (torch.full((7,), 8), mask(".#.##.."))]


ENDS = [(TEXT, mask(pattern)) for pattern in ("##..#....", "....#..##", "#.......#", "........#", "#........")]
WHOLE = [(TEXT, mask(".........")), (TEXT, mask("#########")), (TEXT[:1], mask("#")), (TEXT[:1], mask("."))]


def confusing(seed):
    """Texts that contain `END` and 0, inside and outside of spans, also at their ends."""
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(3, (12,), generator=generator) for _ in range(3)]
    texts += [torch.tensor([1, 1, 0, 1, 0, 0, 1, 5, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 5, 1, 0, 0, 1, 1, 0, 0, 1])]
    return [(text, mask(pattern)) for text in texts for pattern in (".##.#....##.", ".#....#.####")]


def check_corrupts(student, texts, sentinel_ids=SENTINELS, end_id=END):
    for tokens, spans in texts:
        check_values(
            corrupt(student, tokens, spans, sentinel_ids, end_id), corrupted(tokens, spans, sentinel_ids, end_id)
        )


def check_restores(student, texts, sentinel_ids=SENTINELS, end_id=END):
    for tokens, spans in texts:
        inputs, targets = corrupted(tokens, spans, sentinel_ids, end_id)
        check_close(restore(student, inputs, targets, sentinel_ids, end_id), tokens)


@given(seeds())
def test_corrupt_replaces_spans_in_the_inputs(student, seed):
    """corrupt_spans: the inputs are the kept tokens, one sentinel for each span, then the end.

    Hint: a span of several tokens becomes one sentinel.
    """
    for tokens, spans in cases(seed):
        inputs, _ = corrupt(student, tokens, spans, SENTINELS, END)
        check_values(inputs, corrupted(tokens, spans, SENTINELS, END)[0], axes="length")


@given(seeds())
def test_corrupt_lists_the_spans_in_the_targets(student, seed):
    """corrupt_spans: the targets are sentinels with their spans, one more sentinel, then the end.

    Hint: the last sentinel says that the last span is over.
    """
    for tokens, spans in cases(seed):
        _, targets = corrupt(student, tokens, spans, SENTINELS, END)
        check_values(targets, corrupted(tokens, spans, SENTINELS, END)[1], axes="length")


def test_corrupt_takes_spans_at_the_ends(student):
    """corrupt_spans: a span may begin at the first token and end at the last token.

    Hint: what is before the first token when you look for the start of a span, and what is after the last?
    """
    check_corrupts(student, ENDS)


def test_corrupt_takes_any_spans(student):
    """corrupt_spans: no token or every token may be masked.

    Hint: without spans, the targets are the first sentinel and the end.
    """
    check_corrupts(student, WHOLE)


@given(seeds())
def test_corrupt_keeps_every_token(student, seed):
    """corrupt_spans: a text may contain 0 and `end_id`.

    Hint: no token of the text is special; `if token:` is false for token 0.
    """
    check_corrupts(student, confusing(seed))
    check_corrupts(student, cases(seed), end_id=0)


@given(seeds())
def test_corrupt_uses_the_sentinels_in_order(student, seed):
    """corrupt_spans: sentinels are used in the order of `sentinel_ids`, whatever their values.

    Hint: take the next element of `sentinel_ids`; do not compute ids, and do not sort them.
    """
    for sentinel_ids in ([70, 71, 72, 73, 74, 75], [64, 90, 61, 83, 70, 66]):
        for tokens, spans in cases(seed):
            expected = corrupted(tokens, spans, sentinel_ids, END)[0].tolist()
            inputs, _ = corrupt(student, tokens, spans, sentinel_ids, END)
            found, used = ([token for token in part if token in sentinel_ids] for part in (inputs.tolist(), expected))
            check_equal(found, used, says="the sentinels in the inputs are not the first of `sentinel_ids`, in order")


def test_corrupt_refuses_too_few_sentinels(student):
    """corrupt_spans: fewer sentinels than spans plus one raise ValueError, enough do not.

    Hint: the targets have one sentinel more than there are spans.
    """
    for pattern, needed in ((".#.#..#..", 4), ("##..#...#", 4), (".........", 1)):
        corrupt(student, TEXT, mask(pattern), SENTINELS[:needed], END)
        with check_raises(ValueError, says="too few sentinels raise no ValueError"):
            in_worker(student).with_sentinels(student.corrupt_spans, TEXT, mask(pattern), SENTINELS[: needed - 1], END)


def test_corrupt_refuses_sentinels_in_the_text(student):
    """corrupt_spans: a text that contains a sentinel raises ValueError.

    Hint: also if the sentinel is not needed for this text, and if it is masked.
    """
    corrupt(student, TEXT, MIDDLE, SENTINELS, END)
    for position, sentinel in ((0, SENTINELS[0]), (1, SENTINELS[1]), (8, SENTINELS[-1])):
        tokens = TEXT.clone()
        tokens[position] = sentinel
        with check_raises(ValueError, says="a sentinel in the text raises no ValueError"):
            in_worker(student).with_sentinels(student.corrupt_spans, tokens, MIDDLE, SENTINELS, END)


def test_corrupt_keeps_dtype_and_device(student):
    """corrupt_spans: inputs and targets have the dtype and the device of the tokens.

    Hint: `tokens.new_tensor` creates a tensor like `tokens`.
    """
    for dtype in (torch.int64, torch.int32):
        tokens = TEXT.to(dtype)
        check_computes(student.corrupt_spans, [tokens, MIDDLE, SENTINELS, END], [tokens + 1, MIDDLE, SENTINELS, END])
        for part in check_results(student.corrupt_spans(tokens, MIDDLE, SENTINELS, END), 2):
            check_dtype(part, dtype)
    check_keeps_device(student, student.corrupt_spans, TEXT, MIDDLE, SENTINELS, END)


def test_corrupt_leaves_its_inputs_alone(student):
    """corrupt_spans: tokens and spans are not changed in place.

    Hint: writing a sentinel into `tokens` changes the caller's text.
    """
    check_computes(student.corrupt_spans, [TEXT, MIDDLE, SENTINELS, END], [TEXT + 1, MIDDLE, SENTINELS, END])
    check_inputs_unchanged(student, student.corrupt_spans, TEXT, MIDDLE, SENTINELS, END)


@given(seeds())
def test_restore_puts_the_spans_back(student, seed):
    """restore_spans: each sentinel of the inputs is replaced by its span.

    Hint: the tokens of a span are between its sentinel and the next sentinel in the targets.
    """
    check_restores(student, cases(seed))


def test_restore_takes_spans_at_the_ends(student):
    """restore_spans: spans at the ends, no spans, and a text that is one span are restored.

    Hint: neither the inputs nor the targets need to begin with a token of the text.
    """
    check_restores(student, [*ENDS, *WHOLE])


@given(seeds())
def test_restore_keeps_every_token(student, seed):
    """restore_spans: 0 and `end_id` in the text are restored too.

    Hint: only the last token of inputs and targets is the end that `corrupt_spans` added.
    """
    check_restores(student, confusing(seed))
    check_restores(student, cases(seed), end_id=0)


@given(seeds())
def test_restore_takes_any_sentinels(student, seed):
    """restore_spans: sentinels may have any values, in any order.

    Hint: compare with the elements of `sentinel_ids`; `token > threshold` assumes more than is stated.
    """
    for sentinel_ids in ([70, 71, 72, 73, 74, 75], [64, 0, 61, 83, 1, 66]):
        check_restores(student, cases(seed), sentinel_ids, end_id=62)


def test_restore_keeps_dtype_and_device(student):
    """restore_spans: the tokens have the dtype and the device of the inputs.

    Hint: `inputs.new_tensor` creates a tensor like `inputs`.
    """
    for dtype in (torch.int64, torch.int32):
        first, second = (
            [*corrupted(text.to(dtype), MIDDLE, SENTINELS, END), SENTINELS, END] for text in (TEXT, TEXT + 1)
        )
        check_computes(student.restore_spans, first, second)
        check_dtype(student.restore_spans(*first), dtype)
    check_keeps_device(student, student.restore_spans, *first)


def test_restore_leaves_its_inputs_alone(student):
    """restore_spans: inputs and targets are not changed in place.

    Hint: build a new tensor.
    """
    first, second = ([*corrupted(text, MIDDLE, SENTINELS, END), SENTINELS, END] for text in (TEXT, TEXT + 1))
    check_computes(student.restore_spans, first, second)
    check_inputs_unchanged(student, student.restore_spans, *first)
