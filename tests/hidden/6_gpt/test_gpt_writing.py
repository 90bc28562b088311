"""Hidden tests of sampling, of generation and of byte-pair encoding."""

import math
from collections import Counter
from itertools import pairwise

import gpt_writing_in_worker
import torch
from gpt_oracles import CONTEXT, VOCAB, in_worker, made, telling_state, token_ids
from hypothesis import given

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

# --- next_token_probabilities ----------------------------------------------------------------------------------------


def filtered(logits, temperature=1.0, top_k=None, top_p=None):
    """The probabilities row by row, in Python's own numbers."""
    rows = [_filtered_row(row, temperature, top_k, top_p) for row in logits.reshape(-1, logits.shape[-1]).tolist()]
    return torch.tensor(rows, dtype=torch.float64).reshape(logits.shape)


def _filtered_row(row, temperature, top_k, top_p):
    best_first = sorted(range(len(row)), key=lambda token: -row[token])
    kept = best_first[:top_k]
    weights = {token: math.exp((row[token] - max(row)) / temperature) for token in kept}
    if top_p is not None:
        before, reached = 0.0, []
        for token in kept:
            if not reached or before < top_p * sum(weights.values()):
                reached.append(token)
            before += weights[token]
        kept = reached
    total = sum(weights[token] for token in kept)
    return [weights[token] / total if token in kept else 0.0 for token in range(len(row))]


@given(seeds())
def test_probabilities_follow_the_temperature(student, seed):
    """The probabilities are the softmax of the logits divided by the temperature.

    Hint: divide before the softmax; probabilities that are divided afterwards are something else.
    """
    logits = normal_tensor(3, 7, seed=seed, scale=2.0)
    for temperature in (0.2, 3.0):
        check_values(student.next_token_probabilities(logits, temperature), filtered(logits, temperature))
    check_values(student.next_token_probabilities(logits * 300), filtered(logits * 300))


@given(seeds())
def test_probabilities_at_temperature_zero(student, seed):
    """At temperature 0 everything is on the largest logit.

    Hint: nothing can be divided by 0; put a 1 where the argmax is.
    """
    logits = normal_tensor(4, 7, seed=seed)
    expected = torch.zeros(4, 7, dtype=torch.float64)
    expected[torch.arange(4), logits.argmax(dim=-1)] = 1.0
    for temperature, options in ((0, {}), (0.0, {"top_k": 3}), (0, {"top_p": 0.9})):
        check_values(student.next_token_probabilities(logits, temperature, **options), expected)


@given(seeds(), sizes(min_size=1, max_size=5))
def test_probabilities_keep_the_top_k(student, seed, top_k):
    """The top_k largest stay, and share what the others had; those have no probability at all.

    Hint: a logit of 0 is no small logit, and -inf is the one that becomes 0.
    """
    logits = normal_tensor(3, 7, seed=seed) - 2.0
    check_values(student.next_token_probabilities(logits, top_k=top_k), filtered(logits, top_k=top_k))


@given(seeds())
def test_probabilities_keep_ties_with_the_kth(student, seed):
    """Tokens that are as likely as the top_k-th one stay too.

    Hint: compare with the value of the top_k-th.
    """
    logits = normal_tensor(3, 7, seed=seed)
    order = logits.argsort(dim=-1, descending=True)
    third = logits.gather(-1, order[:, 2:3])
    tied = logits.scatter(-1, order[:, 3:4], third)  # the fourth is now as large as the third
    check_values(student.next_token_probabilities(tied, top_k=3), filtered(tied, top_k=4))


@given(seeds())
def test_probabilities_with_more_than_there_are(student, seed):
    """A top_k beyond the vocabulary keeps everything.

    Hint: torch.topk refuses that; what is the smaller of the two numbers?
    """
    logits = normal_tensor(3, 7, seed=seed)
    for top_k in (7, 8, 50):
        check_values(student.next_token_probabilities(logits, top_k=top_k), filtered(logits))


@given(seeds())
def test_probabilities_reach_top_p(student, seed):
    """The likeliest stay until together they reach top_p; the one that crosses it stays too.

    Hint: a token goes if those *before* it, the likeliest first, reach top_p already. And back to the old order.
    """
    logits = normal_tensor(6, 9, seed=seed, scale=1.5)
    for top_p in (0.35, 0.6, 0.85, 0.97):
        check_values(student.next_token_probabilities(logits, top_p=top_p), filtered(logits, top_p=top_p))


@given(seeds())
def test_probabilities_always_keep_the_likeliest(student, seed):
    """However small top_p is, the likeliest token stays.

    Hint: a row of zeros cannot sum to one.
    """
    logits = normal_tensor(4, 7, seed=seed)
    for top_p in (1e-6, 0.0):
        expected = filtered(logits, top_p=top_p)
        check_values(student.next_token_probabilities(logits, top_p=top_p), expected)


@given(seeds())
def test_probabilities_filter_in_order(student, seed):
    """First the temperature, then top-k, and top-p of what top-k has left, shared out anew.

    Hint: after top-k the probabilities sum to one again, and then top_p is asked for.
    """
    logits = normal_tensor(6, 9, seed=seed, scale=1.5)
    for temperature, top_p in ((0.5, 0.7), (2.0, 0.4), (2.0, 0.7)):
        options = {"temperature": temperature, "top_k": 4, "top_p": top_p}
        check_values(student.next_token_probabilities(logits, **options), filtered(logits, **options))


@given(seeds(), distinct_sizes(count=4, min_size=3, max_size=6))
def test_probabilities_take_any_leading_axes(student, seed, sizes):
    """One axis, three or four: each row of the last one is filtered by itself.

    Hint: sort, sum and scatter along the last axis.
    """
    for shape in (sizes[:1], sizes[:3], sizes):
        logits = normal_tensor(*shape, seed=seed, scale=2.0)
        found = student.next_token_probabilities(logits, 0.8, top_k=3, top_p=0.8)
        check_values(found, filtered(logits, 0.8, 3, 0.8))
        check_values(student.next_token_probabilities(logits, 0), filtered(logits, top_k=1))


def test_probabilities_keep_dtype_and_device(student):
    """The probabilities have the dtype of the logits, and are where they are.

    Hint: argmax and one_hot give integers.
    """
    for dtype in (torch.bfloat16, torch.float64):
        one, other = (normal_tensor(2, 9, seed=seed, dtype=dtype) for seed in (1, 2))
        check_computes(student.next_token_probabilities, [one, 0.9, 4, 0.8], [other, 0.9, 4, 0.8])
        for options in ({"top_k": 4, "top_p": 0.8}, {"temperature": 0}):
            check_dtype(student.next_token_probabilities(one, **options), dtype)
    check_keeps_device(student, student.next_token_probabilities, one, 0.9, 4, 0.8)


def test_probabilities_leave_logits_alone(student):
    """The logits are afterwards what they were before.

    Hint: `logits[logits < kth] = …` and `/=` change what you were given.
    """
    one, other = (normal_tensor(3, 9, seed=seed) for seed in (1, 2))
    check_computes(student.next_token_probabilities, [one, 0.9, 4, 0.8], [other, 0.9, 4, 0.8])
    for options in ({"top_k": 4}, {"temperature": 0.5}, {"top_p": 0.8}):
        check_inputs_unchanged(student, student.next_token_probabilities, one, **options)


# --- generate --------------------------------------------------------------------------------------------------------


def writer(student, seed, **options):
    """The student's GPT, its parameters such that what it writes depends on all that it reads."""
    return made(student, telling_state(seed), 1, **options)


def written(student, model, prompt, count, seed=0, **options):
    """A text of the right shape."""
    text, _ = in_worker(student, gpt_writing_in_worker).write(student.generate, model, prompt, count, seed, options)
    check_shape(text, (prompt.shape[0], prompt.shape[1] + count), axes="batch, length")
    check_dtype(text, torch.int64)
    return text


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=5))
def test_generate_returns_prompt_and_new_tokens(student, seed, sizes):
    """The whole prompt comes back, and max_new_tokens after it; the prompt is not changed.

    Hint: join each new token to all that is there, also when the prompt is longer than the context.
    """
    model = writer(student, seed)
    for length in (sizes[1], CONTEXT + 3):
        prompt = token_ids(sizes[0], length, seed=seed)
        for count in (0, 2):
            text = written(student, model, prompt, count)
            check_close(text[:, :length], prompt, says="the text does not begin with the prompt")


@given(seeds())
def test_generate_writes_the_likeliest(student, seed):
    """At temperature 0 each new token is the likeliest after all that is there.

    Hint: the logits at the last position say what comes next.
    """
    model = writer(student, seed)
    prompt = token_ids(12, 2, seed=seed)
    expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, CONTEXT - 2, CONTEXT)
    check_close(written(student, model, prompt, CONTEXT - 2, temperature=0, use_cache=False), expected)


@given(seeds(), sizes(min_size=CONTEXT - 1, max_size=CONTEXT + 4))
def test_generate_crops_to_the_context(student, seed, length):
    """Past the context, the model looks at just the last context_length tokens.

    Hint: the last ones, at most context_length of them, counted from place 0.
    """
    model = writer(student, seed)
    prompt = token_ids(12, length, seed=seed)
    expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, 5, CONTEXT)
    check_close(written(student, model, prompt, 5, temperature=0, use_cache=False), expected)


@given(seeds(), sizes(min_size=2, max_size=CONTEXT + 2))
def test_generate_is_the_same_with_a_cache(student, seed, length):
    """With a cache, the same draws give the same text, before the end of the context and past it.

    Hint: past it all places move at each step, and so what the cache holds is no longer true.
    """
    model = writer(student, seed)
    prompt = token_ids(12, length, seed=seed)
    plain = written(student, model, prompt, CONTEXT + 1, seed, use_cache=False)
    check_close(written(student, model, prompt, CONTEXT + 1, seed), plain, says="the text with a cache is another one")


def last_logits(model, prompt):
    """The logits after a prompt of one row, by the student's own model: a wrong one has checks of its own."""
    logits = model(prompt)
    check_shape(logits, (*prompt.shape, VOCAB), axes="batch, length, vocab")
    return logits[0, -1].detach()


def check_distributed(text, expected):
    """The last tokens of many texts must come as often as expected; never where nothing is expected."""
    count = len(text)
    found = torch.bincount(text[:, -1].clamp(0, VOCAB - 1), minlength=VOCAB) - count * expected
    # Seven standard deviations and eight more, since small counts are not normal.
    room = 7 * (count * expected * (1 - expected)).sqrt() + 8 * (expected > 0)
    check_that(bool((found.abs() <= room).min()), "the new tokens are not drawn with their probabilities")


@given(seeds())
def test_generate_draws_by_the_probabilities(student, seed):
    """A new token is drawn with its probability, in each row by itself.

    Hint: torch.multinomial draws; it wants probabilities, not logits.
    """
    model = writer(student, seed)
    prompt = token_ids(1, 4, seed=seed)
    logits = last_logits(model, prompt)
    for temperature, use_cache in ((0.5, True), (2.0, False)):
        options = {"temperature": temperature, "use_cache": use_cache}
        text = written(student, model, prompt.expand(2000, -1), 1, seed, **options)
        check_distributed(text, filtered(logits, temperature))


@given(seeds())
def test_generate_hands_on_its_filters(student, seed):
    """Tokens that top_k or top_p leave out are never drawn, and the others share their part.

    Hint: hand all three settings on.
    """
    model = writer(student, seed)
    prompt = token_ids(1, 4, seed=seed)
    logits = last_logits(model, prompt)
    for options in ({"top_k": 2}, {"top_p": 0.5}):
        text = written(student, model, prompt.expand(2000, -1), 1, seed, **options)
        check_distributed(text, filtered(logits, **options))


def test_generate_draws_from_the_generator(student):
    """The same seed gives the same text, another one another; the global generator is left alone.

    Hint: hand the generator to every function that draws.
    """
    model = writer(student, 0)
    prompt = token_ids(6, 2, seed=1)
    first, untouched = in_worker(student, gpt_writing_in_worker).write(student.generate, model, prompt, 8, 7, {})
    check_shape(first, (6, 10), axes="batch, length")
    check_close(written(student, model, prompt, 8, 7), first, says="the same seed gives another text")
    other = written(student, model, prompt, 8, 8)
    check_that(bool((other - first).abs().sum() > 0), "another seed gives the same text")
    check_equal(untouched, True, says="the draws come from the global generator, or from both")


@given(seeds())
def test_generate_drops_nothing(student, seed):
    """Dropout is off while it writes, also when the model is in training mode.

    Hint: `model.eval()` before the first token.
    """
    model = writer(student, seed, dropout=0.5)
    prompt = token_ids(12, 2, seed=seed)
    expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, 6, CONTEXT)
    model.train()
    check_close(written(student, model, prompt, 6, temperature=0, use_cache=False), expected)


def test_generate_leaves_the_mode_as_it_was(student):
    """The model is afterwards in the mode in which it was before.

    Hint: remember `model.training`.
    """
    model = writer(student, 0)
    prompt = token_ids(2, 3, seed=1)
    written(student, model, prompt, 2)
    for training in (True, False):
        mode = in_worker(student, gpt_writing_in_worker).mode_after(student.generate, model, prompt, training)
        check_equal(mode, training, says="the model is left in the other mode")


# --- ByteBPE ---------------------------------------------------------------------------------------------------------


class Encoder:
    """Byte-pair encoding by strings: a token is what it stands for, and its number is looked up at the end."""

    def __init__(self, text, vocab_size):
        self.pieces = [bytes([value]) for value in range(256)]
        self.rules = []
        ids = list(text)
        while len(self.pieces) < vocab_size:
            counts = Counter(pairwise(ids))
            most = max(counts.values())
            rule = sorted(pair for pair, count in counts.items() if count == most)[0]
            self.rules.append(rule)
            self.pieces.append(self.pieces[rule[0]] + self.pieces[rule[1]])
            ids = self.merged(ids, rule, len(self.pieces) - 1)

    @staticmethod
    def merged(ids, rule, number):
        result, place = [], 0
        while place < len(ids):
            whole = tuple(ids[place : place + 2]) == rule
            result.append(number if whole else ids[place])
            place += 2 if whole else 1
        return result

    def encode(self, text):
        ids = list(text)
        for number, rule in enumerate(self.rules, start=256):
            ids = self.merged(ids, rule, number)
        return ids


def words(seed, count=60):
    """A text of few different words, in which pairs recur."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 5, (8,), generator=generator).tolist()
    lexicon = [bytes((97 + torch.randint(6, (n,), generator=generator)).tolist()) for n in lengths]
    return b" ".join(lexicon[number] for number in torch.randint(8, (count,), generator=generator).tolist())


def trained(student, text, vocab_size, probes):
    """Ids of the probes, what those decode to, and the pieces of the new tokens."""
    found = in_worker(student, gpt_writing_in_worker).encodings(student.ByteBPE, text, vocab_size, probes)
    return check_results(found, 3)


@given(seeds())
def test_bpe_merges_the_most_frequent_pair(student, seed):
    """Each new token is the most frequent pair of neighbours; of equals, the smaller one.

    Hint: count again after each merge. Pairs compare by their first id, and then by their second.
    """
    # In `aaa`, `a a` stands twice, as `bc` does.
    for text, vocab_size in ((words(seed), 268), (b"xy-ab-xz", 257), (b"cd.ba.ac.ab", 257), (b"aaa-bc.bc", 257)):
        _, _, pieces = trained(student, text, vocab_size, [])
        says = "other pairs are merged, or in another order"
        check_equal(list(pieces), Encoder(text, vocab_size).pieces[256:], says=says)


@given(seeds())
def test_bpe_encodes_in_the_order_of_learning(student, seed):
    """New text is merged by the rules in the order in which they were learnt.

    Hint: the longest piece that fits is not always the right one.
    """
    text, other = words(seed), words(seed + 1, 20)
    probes = [text, other, text[5:40][::-1], b"a"]
    ids, _, _ = trained(student, text, 275, probes)
    encoder = Encoder(text, 275)
    says = "the ids of a text are others"
    check_equal([list(one) for one in ids], [encoder.encode(probe) for probe in probes], says=says)
    # `bc` is learnt before `ab`, so that `abc` is a, bc: from left to right it would be ab, c.
    ids, _, _ = trained(student, b"bc.bc,bc;bc-ab:ab!ab", 258, [b"abc", b"cabcab"])
    check_equal([list(one) for one in ids], [[97, 256], [99, 97, 256, 257]], says=says)


@given(seeds())
def test_bpe_round_trips_any_bytes(student, seed):
    """Decoding gives back the bytes, whatever they are; an empty text has no ids.

    Hint: half a character is no text, but it is bytes.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = bytes(torch.randint(256, (300,), generator=generator).tolist())
    probes = [noise, bytes(range(256)), b"", words(seed), b"\xc3"]
    ids, decoded, _ = trained(student, words(seed), 270, probes)
    check_equal(list(decoded), probes, says="decoding does not give back the bytes")
    check_that(len(ids[3]) < len(probes[3]), "nothing is merged")


def test_bpe_takes_text_as_its_utf8(student):
    """A `str` stands for its UTF-8, in training and in encoding.

    Hint: `text.encode()`; ord() of a letter can be far above 255.
    """
    text = "été, thé, café – 中文, 中文; naïve thé été"
    one = trained(student, text, 266, [text, "中"])
    other = trained(student, text.encode(), 266, [text.encode(), "中".encode()])
    check_equal(list(one[2]), Encoder(text.encode(), 266).pieces[256:], says="a str is not taken for its UTF-8")
    check_equal([list(ids) for ids in one[0]], [list(ids) for ids in other[0]], says="a str is not taken for its UTF-8")


def test_bpe_stops_when_no_pair_is_left(student):
    """A text of few bytes teaches fewer merges than are asked for.

    Hint: when the whole text is one token, there is no pair to count.
    """
    says = "the ids of a text are others"
    for text, ids in ((b"ab", [256, 256]), (b"a", [97, 98, 97, 98]), (b"", [97, 98, 97, 98])):
        found = in_worker(student, gpt_writing_in_worker).ids_after(student.ByteBPE, text, 300, [b"abab"])
        check_equal([list(one) for one in found], [ids], says=says)
