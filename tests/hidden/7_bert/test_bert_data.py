"""Hidden tests of the data: masking, packing and pairs of sentences.

Random results are judged by their distribution, with exact binomial bounds (`check_share`). The numbers and the order
of draws are free.
"""

import torch
from bert_oracles import check_differs, check_share, in_worker, token_ids

from autograder.judge.compare import (
    check_dtype,
    check_equal,
    check_raises,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device

# --- mask_tokens -----------------------------------------------------------------------------------------------------

VOCAB, MASK, SPECIAL = 20, 16, [3, 12, 7]
WORDS = [word for word in range(VOCAB) if word not in (MASK, *SPECIAL)]
ROWS, COLUMNS = 400, 60  # 0.15 and 0.5 of 60 are integers: an exact share of each row is exact


def words_of(rows, columns, seed, words=WORDS):
    """Draw tokens that are not special."""
    return torch.tensor(words)[token_ids(rows, columns, seed=seed, below=len(words))]


def masked(student, tokens, seed=5, special=SPECIAL, **options):
    """Mask tokens; return inputs and labels as int64."""
    inputs = [tokens, VOCAB, MASK, special]
    result, _ = in_worker(student).draw(student.mask_tokens, inputs, seed, options)
    found = check_results(result, 2)
    for tensor in found:
        check_shape(tensor, tuple(tokens.shape), axes="batch, length")
    return [tensor.long() for tensor in found]


def chosen_by(labels):
    return labels != -100


def test_masking_chooses_at_the_rate(student):
    """mask_tokens: every token is chosen with probability `rate`, whatever its position and row.

    Hint: draw a number for each token of the batch, and choose the token if its number is below `rate`.
    """
    for rate, options in ((0.15, {}), (0.5, {"rate": 0.5})):
        tokens = words_of(ROWS, COLUMNS, seed=1)
        _, labels = masked(student, tokens, **options)
        chosen = chosen_by(labels)
        says = "the share of chosen tokens is not the rate"
        check_share(chosen.sum(), tokens.numel(), says, rate)
        for column in chosen.T:
            check_share(column.sum(), ROWS, "some positions are chosen more often than others", rate)
        neighbours = (chosen[:, 1:] & chosen[:, :-1]).double().mean().item()
        says = "whether a token is chosen depends on its neighbour"
        check_that(0.5 * rate**2 < neighbours < 1.5 * rate**2, says)
    tokens = words_of(ROWS, COLUMNS, seed=3)
    tokens[:, ::3] = SPECIAL[0]
    _, labels = masked(student, tokens, rate=0.3)
    says = "the share of chosen tokens is not the rate where many tokens are special"
    check_share(chosen_by(labels).sum(), int((tokens != SPECIAL[0]).sum()), says, 0.3)


def test_masking_divides_the_chosen(student):
    """mask_tokens: of the chosen tokens, 80 % are masked, 10 % are random and 10 % stay.

    Hint: draw one more number for each token, and divide the line from 0 to 1 into three parts without a gap.
    """
    for options in ({}, {"rate": 0.5}):
        tokens = words_of(ROWS, COLUMNS, seed=2)
        inputs, labels = masked(student, tokens, **options)
        chosen, same, hidden = chosen_by(labels), inputs == tokens, inputs == MASK
        count = int(chosen.sum())
        check_that(count > ROWS, "hardly any token is chosen")
        check_share((chosen & hidden).sum(), count, "the share of masked tokens is not 80 % of the chosen", 0.8)
        again = 0.1 / len(WORDS)  # a random token that is the original again looks unchanged
        says = "the share of unchanged tokens is not 10 % of the chosen"
        check_share((chosen & same).sum(), count, says, 0.1, 0.1 + again)
        says = "the share of random tokens is not 10 % of the chosen"
        check_share((chosen & ~same & ~hidden).sum(), count, says, 0.1 - again, 0.1)
        left, above = torch.arange(COLUMNS) < COLUMNS // 2, torch.arange(ROWS)[:, None] < ROWS // 2
        for half in (left, above):
            for part in (chosen & half, chosen & ~half):
                says = "whether a chosen token is masked depends on its position"
                check_share((part & hidden).sum(), int(part.sum()), says, 0.8)
    # At a rate of 0.5, all of the 30 chosen tokens of a row become the mask in one row of a thousand.
    alike = int(((chosen & hidden).sum(dim=1) == chosen.sum(dim=1)).sum())
    check_that(alike < ROWS // 8, "all chosen tokens of a row become the same")


def test_masking_keeps_the_originals_as_labels(student):
    """mask_tokens: labels are the originals of the chosen tokens, and -100 elsewhere.

    Hint: take the labels from the tokens before you change any. A chosen token that stays as it is has a label too.
    """
    for rows, columns, rate in ((30, 50, 0.15), (20, 20, 0.5), (1, 40, 0.9)):
        tokens = words_of(rows, columns, seed=rows)
        inputs, labels = masked(student, tokens, rate=rate)
        chosen = chosen_by(labels)
        check_that(bool(chosen.sum() > 0), "no token has a label")
        check_values(labels, torch.where(chosen, tokens, -100), says="a label is not the original token")
        says = "a token that was not chosen is changed"
        check_values(inputs.masked_fill(chosen, 0), tokens.masked_fill(chosen, 0), says=says)
    tokens = words_of(9, 30, seed=4)
    inputs, labels = masked(student, tokens, rate=1.0)
    check_values(labels, tokens, says="at a rate of 1, a token is not chosen")
    check_differs(inputs, tokens, "no token is changed")


def test_masking_spares_special_tokens(student):
    """mask_tokens: special tokens are never chosen, the mask itself included.

    Hint: special tokens can be anywhere in a sequence, and `mask_id` is special even if `special_ids` lacks it.
    """
    tokens = token_ids(40, 50, seed=6, below=VOCAB)
    tokens[0], tokens[1] = SPECIAL[1], MASK  # two rows with nothing to choose
    is_special = torch.isin(tokens, torch.tensor([MASK, *SPECIAL]))
    for special in (SPECIAL, [MASK, *SPECIAL]):
        for rate in (0.3, 1.0):
            inputs, labels = masked(student, tokens, special=special, rate=rate)
            check_that(bool(chosen_by(labels).sum() > 0), "no token has a label")
            says = "a special token is chosen"
            check_equal(int((chosen_by(labels) & is_special).sum()), 0, says=says)
            check_values(inputs[is_special], tokens[is_special], says="a special token is changed")


def test_masking_draws_random_tokens_from_the_vocabulary(student):
    """mask_tokens: random tokens are uniform over the vocabulary without special tokens.

    Hint: list the ids that are not special, and draw from the list. The words of the batch are only a part of them.
    """
    tokens = words_of(ROWS, COLUMNS, seed=7, words=WORDS[2:5])
    for special in (SPECIAL, [*SPECIAL, MASK]):
        inputs, labels = masked(student, tokens, special=special, rate=1.0)
        drawn = chosen_by(labels) & (inputs != tokens) & (inputs != MASK)
        check_that(bool(drawn.sum() > ROWS), "hardly any token is random")
        says = "a random token is a special token or outside the vocabulary"
        check_that(bool(torch.isin(inputs[drawn], torch.tensor(WORDS)).min()), says)
        for word in WORDS:
            # Where the original is another word, each word but the original is equally likely.
            trials = int((drawn & (tokens != word)).sum())
            says = "the random tokens are not uniform over the vocabulary"
            check_share((inputs[drawn] == word).sum(), trials, says, 1 / (len(WORDS) - 1))
        rows = [set(row[random].tolist()) for row, random in zip(inputs, drawn, strict=True) if random.sum() > 3]
        alike = sum(len(row) < 2 for row in rows)
        check_that(len(rows) > 9 * alike, "all random tokens of a row are the same")


def test_masking_draws_from_the_generator(student):
    """mask_tokens: all draws come from `generator`; the global generator is unchanged.

    Hint: pass the generator to every function that draws random numbers.
    """
    tokens = words_of(20, 30, seed=8)
    inputs = [tokens, VOCAB, MASK, SPECIAL]
    first, untouched = in_worker(student).draw(student.mask_tokens, inputs, 5, {"rate": 0.9})
    again, _ = in_worker(student).draw(student.mask_tokens, inputs, 5, {"rate": 0.9})
    other, _ = in_worker(student).draw(student.mask_tokens, inputs, 6, {"rate": 0.9})
    for one_seed, same_seed, other_seed in zip(check_results(first, 2), check_results(again, 2), other, strict=True):
        check_values(same_seed, one_seed, says="the same seed gives a different result")
        check_that(bool((other_seed - one_seed).abs().sum() > 0), "a different seed gives the same result")
    check_equal(untouched, True, says="the draws change the global generator")


def test_masking_draws_from_the_global_generator(student):
    """mask_tokens: without a generator, draws come from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    inputs = [words_of(20, 30, seed=9), VOCAB, MASK, SPECIAL]
    first, second, again = (
        check_results(result, 2)[0] for result in in_worker(student).draw_globally(student.mask_tokens, inputs, 5)
    )
    check_shape(first, (20, 30), axes="batch, length")
    check_that(bool((second - first).abs().sum() > 0), "two calls without a generator give the same result")
    check_values(again, first, says="a seed of the global generator does not repeat the result")


def test_masking_keeps_the_dtype(student):
    """mask_tokens: inputs and labels are int64.

    Hint: the labels hold token ids and -100, so they are integers, and so are the inputs.
    """
    tokens = words_of(20, 30, seed=10)
    _, labels = masked(student, tokens)
    check_that(bool(chosen_by(labels).sum() > 0), "no token is chosen")
    result, _ = in_worker(student).draw(student.mask_tokens, [tokens, VOCAB, MASK, SPECIAL], 5, {})
    for tensor in check_results(result, 2):
        check_dtype(tensor, torch.int64)


def test_masking_leaves_its_inputs_alone(student):
    """mask_tokens: neither the tokens nor the list of special ids is changed.

    Hint: `tokens[chosen] = …` changes the caller's tokens, and `append` the caller's list.
    """
    tokens = words_of(20, 30, seed=11)
    _, labels = masked(student, tokens)
    check_that(bool(chosen_by(labels).sum() > 0), "no token has a label")
    kept = check_results(in_worker(student).keep_inputs(student.mask_tokens, [tokens, VOCAB, MASK, SPECIAL]), 4)
    check_values(kept[0], tokens, says="the tokens are changed in place")
    check_equal(list(kept[3]), SPECIAL, says="the list of special ids is changed")


# --- pack_pair -------------------------------------------------------------------------------------------------------

CLS, SEP, PAD = 91, 92, 90
TEXTS = ((2, 3, 8), (3, 2, 8), (4, 4, 14), (1, 1, 5), (5, 2, 13))  # they fit, with and without padding


def texts(first, second):
    """Return two texts of these lengths whose tokens are all different."""
    return torch.arange(10, 10 + first), torch.arange(50, 50 + second)


def packed(student, first, second, length):
    """Pack two texts; return the three results, which have the right shape."""
    results = check_results(student.pack_pair(*texts(first, second), CLS, SEP, PAD, length), 3)
    for tensor in results:
        check_shape(tensor, (length,), axes="length")
    return results


def laid_out(first, second, length):
    """Pack two texts of these lengths in lists of integers."""
    left, right = (text.tolist() for text in texts(first, second))
    while len(left) + len(right) + 3 > length:
        (left if len(left) > len(right) else right).pop()
    tokens = [CLS, *left, SEP, *right, SEP]
    segments = [0] * (len(left) + 2) + [1] * (len(right) + 1)
    padding = length - len(tokens)
    mask = [True] * len(tokens) + [False] * padding
    return torch.tensor(tokens + [PAD] * padding), torch.tensor(segments + [0] * padding), torch.tensor(mask)


def test_pair_is_laid_out(student):
    """pack_pair: the tokens are [CLS] first [SEP] second [SEP], then padding.

    Hint: there is a `[SEP]` after each of the two texts.
    """
    for case in TEXTS:
        check_values(packed(student, *case)[0], laid_out(*case)[0])


def test_pair_has_segments(student):
    """pack_pair: the segment is 0 up to the first [SEP], then 1, and 0 on padding.

    Hint: `[CLS]` and the first `[SEP]` belong to the first text, the last `[SEP]` to the second.
    """
    for case in TEXTS:
        check_values(packed(student, *case)[1], laid_out(*case)[1])


def test_pair_has_a_mask(student):
    """pack_pair: the mask is True on all tokens except padding.

    Hint: True means "real token"; `[CLS]` and `[SEP]` are real.
    """
    for case in TEXTS:
        check_values(packed(student, *case)[2], laid_out(*case)[2])


def test_pair_cuts_the_longer_text(student):
    """pack_pair: the longer text is cut from its end, the second one if both are equally long.

    Hint: remove one token at a time, and compare the lengths again after each.
    """
    for first, second in ((9, 2), (2, 9), (5, 5), (6, 5), (5, 6), (1, 1)):
        for length in range(3, first + second + 4):
            check_values(packed(student, first, second, length), laid_out(first, second, length))


def test_pair_takes_empty_texts(student):
    """pack_pair: a text without tokens still has its [SEP].

    Hint: an empty tensor has a dtype too.
    """
    for case in ((0, 3, 8), (3, 0, 8), (0, 0, 3), (0, 4, 5)):
        check_values(packed(student, *case), laid_out(*case))


def test_pair_refuses_a_short_length(student):
    """pack_pair: only a length below 3 raises ValueError.

    Hint: `[CLS]` and two `[SEP]` always stay.
    """
    check_values(packed(student, 2, 4, 3)[0], laid_out(2, 4, 3)[0])
    for length in (2, 1, 0):
        with check_raises(ValueError, says="a length without room for [CLS] and two [SEP] raises no ValueError"):
            student.pack_pair(*texts(2, 4), CLS, SEP, PAD, length)


def test_pair_keeps_the_device_and_its_inputs(student):
    """pack_pair: the results are on the device of the texts, which are not changed.

    Hint: a tensor that you create needs `device=first.device`.
    """
    first, second = texts(4, 5)
    arguments = [first, second, CLS, SEP, PAD, 10]
    check_computes(student.pack_pair, arguments, [second, first, CLS, SEP, PAD, 10])
    check_inputs_unchanged(student, student.pack_pair, *arguments)
    check_keeps_device(student, student.pack_pair, *arguments)


# --- sentence_pairs --------------------------------------------------------------------------------------------------


def documents_of(*lengths):
    """Make documents whose sentences hold the number of their document and their own."""
    return [[[number, place] for place in range(length)] for number, length in enumerate(lengths)]


MANY = documents_of(60, 90, 75, 40, 85, 50)
CASES = (MANY, documents_of(30, 45), documents_of(1, 40, 1), documents_of(25, 2, 3))


def paired(student, documents, seed=3):
    """Make pairs; return them as (document, place) of both sentences and the label."""
    result, _ = in_worker(student).draw(student.sentence_pairs, [documents], seed, {})
    check_that(type(result) in (list, tuple) and len(result) > 0, "the result is not a list of pairs")
    pairs = []
    for item in result:
        first, second, label = check_results(item, 3)
        for sentence in (first, second):
            known = type(sentence) in (list, tuple) and len(sentence) == 2
            check_that(known and list(sentence) in documents[sentence[0]], "a sentence is not one of the documents'")
        check_that(int(label) in (0, 1), "a label is neither 0 nor 1")
        pairs.append((tuple(first), tuple(second), int(label)))
    return pairs


def test_pairs_of_neighbours_have_the_label_one(student):
    """sentence_pairs: with label 1, the second sentence follows the first in its document.

    Hint: the next sentence, not the one before; the last sentence of a document has none.
    """
    for documents in CASES:
        pairs = [(first, second) for first, second, label in paired(student, documents) if label == 1]
        check_that(len(pairs) > 2, "hardly any pair has the label 1")
        says = "a pair with the label 1 does not follow in its document"
        check_equal([second for _, second in pairs], [(first[0], first[1] + 1) for first, _ in pairs], says=says)


def test_pairs_of_strangers_have_the_label_zero(student):
    """sentence_pairs: with label 0, the second sentence is from another document.

    Hint: a random sentence of all documents can be from the same one.
    """
    for documents in CASES:
        pairs = [(first, second) for first, second, label in paired(student, documents) if label == 0]
        check_that(len(pairs) > 2, "hardly any pair has the label 0")
        says = "a pair with the label 0 is from one document"
        check_equal(sum(first[0] == second[0] for first, second in pairs), 0, says=says)


def test_pairs_are_true_half_of_the_time(student):
    """sentence_pairs: about half of the labels are 1.

    Hint: toss a fair coin for each pair.
    """
    pairs = paired(student, documents_of(300, 450, 350, 500))
    says = "the share of the label 1 is not about a half"
    check_share(sum(label for _, _, label in pairs), len(pairs), says, 0.5)


def test_pairs_cover_the_documents(student):
    """sentence_pairs: sentences from everywhere in the documents are the first of a pair.

    Hint: go through all documents, and through all sentences that have a next one.
    """
    for documents in CASES[:2]:
        firsts = {first for first, _, _ in paired(student, documents)}
        for number, document in enumerate(documents):
            for start in range(0, len(document) - 10, 10):
                part = {(number, start + place) for place in range(10)}
                says = "the first sentences leave out a part of the documents"
                check_that(len(firsts & part) >= 2, says)


def test_pairs_draw_the_stranger_at_random(student):
    """sentence_pairs: with label 0, the second sentence is drawn from all other documents.

    Hint: draw the document, then draw one of its sentences.
    """
    seconds = [(first[0], second) for first, second, label in paired(student, MANY) if label == 0]
    ordered = {(number, second[0]) for number, second in seconds}
    wanted = {(number, other) for number in range(len(MANY)) for other in range(len(MANY)) if number != other}
    check_that(len(wanted - ordered) <= 2, "the second sentences of a document are from some documents only")
    places = {second for _, second in seconds}
    check_that(len(places) > len(seconds) // 2, "the second sentences are always the same")
    late = sum(place > 20 for _, place in places)
    check_that(late > len(places) // 4, "the second sentences are from the beginning of the documents only")
    # About 200 draws from five sentences: each is drawn.
    few = {second for first, second, label in paired(student, documents_of(2, 400, 3)) if label == 0 and first[0] == 1}
    check_equal(len(few), 5, says="some sentences are never the second sentence of a pair")


def test_pairs_draw_from_the_generator(student):
    """sentence_pairs: all draws come from `generator`; the global generator is unchanged.

    Hint: `random.random()` and `random.choice` draw from elsewhere; use torch's functions with `generator=`.
    """
    first, again, other = (paired(student, MANY, seed) for seed in (3, 3, 4))
    _, untouched = in_worker(student).draw(student.sentence_pairs, [MANY], 3, {})
    check_equal(again, first, says="the same seed gives different pairs")
    check_that(len(set(other) - set(first)) > 0, "a different seed gives the same pairs")
    check_equal(untouched, True, says="the draws change the global generator")


def test_pairs_draw_from_the_global_generator(student):
    """sentence_pairs: without a generator, draws come from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    results = check_results(in_worker(student).draw_globally(student.sentence_pairs, [MANY], 5), 3)
    first, second, again = ([list(map(str, pair)) for pair in result] for result in results)
    check_that(len(first) > 10, "hardly any pair is made")
    check_differs(first, second, "two calls without a generator give the same pairs")
    check_equal(again, first, says="a seed of the global generator does not repeat the pairs")


def test_pairs_refuse_one_document(student):
    """sentence_pairs: fewer than two documents raise ValueError.

    Hint: where would a random sentence of another document come from?
    """
    check_that(len(paired(student, documents_of(9, 9))) > 3, "two documents give hardly any pair")
    for documents in (documents_of(9), documents_of()):
        with check_raises(ValueError, says="fewer than two documents raise no ValueError"):
            in_worker(student).draw(student.sentence_pairs, [documents], 1, {})


def test_pairs_leave_the_documents_alone(student):
    """sentence_pairs: the documents keep their sentences and their order.

    Hint: `pop` and `shuffle` change the caller's lists.
    """
    paired(student, MANY)
    kept = check_results(in_worker(student).keep_inputs(student.sentence_pairs, [MANY]), 1)[0]
    check_equal(
        [[list(sentence) for sentence in document] for document in kept], MANY, says="the documents are changed"
    )
