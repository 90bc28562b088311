"""Hidden tests of sampling, generation and byte-pair encoding."""

import math
from collections import Counter
from itertools import pairwise

import gpt_writing_in_worker
import torch
from gpt_oracles import CONTEXT, VOCAB, in_worker, made, sensitive_state, token_ids
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
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

# --- next_token_probabilities ----------------------------------------------------------------------------------------


def filtered(logits, temperature=1.0, top_k=None, top_p=None):
    """Compute the probabilities row by row, in Python floats."""
    rows = [_filtered_row(row, temperature, top_k, top_p) for row in logits.reshape(-1, logits.shape[-1]).tolist()]
    return torch.tensor(rows, dtype=torch.float64).reshape(logits.shape)


def _filtered_row(row, temperature, top_k, top_p):
    best_first = sorted(range(len(row)), key=lambda token: -row[token])
    least = row[best_first[:top_k][-1]]
    kept = [token for token in best_first if row[token] >= least]  # with ties
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


def check_probabilities(student, logits, **options):
    """Compare with the loop in Python, at the precision of float32: another check covers float64's."""
    found = student.next_token_probabilities(logits, **options)
    check_values(found, filtered(logits, **options), accuracy=torch.float32)


@given(seeds())
def test_probabilities_follow_the_temperature(student, seed):
    """next_token_probabilities: softmax of the logits divided by the temperature.

    Hint: divide before the softmax; dividing the probabilities afterwards is different.
    """
    for shape in ((3, 7), (5, 5), (2, 60)):
        logits = normal_tensor(*shape, seed=seed, scale=2.0)
        for temperature in (0.2, 1.0, 3.0):
            check_probabilities(student, logits, temperature=temperature)
        check_probabilities(student, logits * 300)


@given(seeds())
def test_probabilities_at_temperature_zero(student, seed):
    """next_token_probabilities: temperature 0 puts all probability on the largest logit.

    Hint: you cannot divide by 0; put a 1 at the argmax.
    """
    logits = normal_tensor(4, 7, seed=seed)
    expected = torch.zeros(4, 7, dtype=torch.float64)
    expected[torch.arange(4), logits.argmax(dim=-1)] = 1.0
    for temperature, options in ((0, {}), (0.0, {"top_k": 3}), (0, {"top_p": 0.9})):
        check_values(student.next_token_probabilities(logits, temperature, **options), expected)


@given(seeds())
def test_probabilities_keep_the_top_k(student, seed):
    """next_token_probabilities: only the `top_k` largest logits keep probability.

    Hint: the remaining tokens share all of the probability. A logit of 0 is not small; -inf gives probability 0.
    """
    for vocab, numbers in ((7, range(1, 7)), (60, (1, 20, 50))):
        logits = normal_tensor(3, vocab, seed=seed) - 2.0
        for top_k in numbers:
            check_probabilities(student, logits, top_k=top_k)
        # Logits far below zero: no number is low enough for the other tokens.
        check_probabilities(student, (4 * logits).round() / 4 - 2.0**17, top_k=3)
        check_probabilities(student, (4 * logits).round() * 512 - 2.0**31, top_k=3)


@given(seeds())
def test_probabilities_keep_ties_with_the_kth(student, seed):
    """next_token_probabilities: ties with the `top_k`-th logit are kept.

    Hint: compare with the value of the top_k-th logit.
    """
    logits = normal_tensor(3, 7, seed=seed)
    order = logits.argsort(dim=-1, descending=True)
    third = logits.gather(-1, order[:, 2:3])
    tied = logits.scatter(-1, order[:, 3:4], third)  # the fourth logit now equals the third
    check_probabilities(student, tied, top_k=3)
    # Ties above the top_k-th logit, several ties with it, and equal logits.
    for row in ([5.0, 5.0, 3.0, 3.0, 1.0, 0.0], [2.0, 1.0, 2.0, 1.0, 1.0, 1.0], [1.0] * 6):
        for top_k in (1, 2, 3):
            check_probabilities(student, torch.tensor([row], dtype=torch.float64), top_k=top_k)


@given(seeds())
def test_probabilities_with_more_than_there_are(student, seed):
    """next_token_probabilities: a `top_k` beyond the vocabulary keeps all tokens.

    Hint: torch.topk raises an error for it. What is the smaller of the two numbers?
    """
    logits = normal_tensor(3, 7, seed=seed)
    for top_k in (7, 8, 50):
        check_probabilities(student, logits, top_k=top_k)


@given(seeds())
def test_probabilities_reach_top_p(student, seed):
    """next_token_probabilities: `top_p` keeps the smallest set whose sum reaches p.

    Hint: drop a token if the tokens *before* it, most likely first, already reach top_p. Then restore the original
    order.
    """
    for shape in ((6, 9), (4, 4), (2, 60)):
        logits = normal_tensor(*shape, seed=seed, scale=1.5)
        for top_p in (0.35, 0.6, 0.85, 0.97, 1.0):
            check_probabilities(student, logits, top_p=top_p)


@given(seeds())
def test_probabilities_always_keep_the_likeliest(student, seed):
    """next_token_probabilities: the most likely token is kept for any `top_p`.

    Hint: a row of zeros cannot sum to one.
    """
    logits = normal_tensor(4, 7, seed=seed)
    for top_p in (1e-6, 0.0):
        check_probabilities(student, logits, top_p=top_p)


@given(seeds())
def test_probabilities_filter_in_order(student, seed):
    """next_token_probabilities: temperature first, then top-k, then top-p.

    Hint: after top-k the probabilities sum to one again, and top_p applies to these.
    """
    logits = normal_tensor(6, 9, seed=seed, scale=1.5)
    for temperature, top_p in ((0.5, 0.7), (2.0, 0.4), (2.0, 0.7)):
        check_probabilities(student, logits, temperature=temperature, top_k=4, top_p=top_p)


@given(seeds(), distinct_sizes(count=4, min_size=3, max_size=6))
def test_probabilities_take_any_leading_axes(student, seed, sizes):
    """next_token_probabilities: any number of leading axes works, row by row.

    Hint: sort, sum and scatter along the last axis.
    """
    for shape in (sizes[:1], sizes[:3], sizes, (3, 3, 3)):
        logits = normal_tensor(*shape, seed=seed, scale=2.0)
        check_probabilities(student, logits, temperature=0.8, top_k=3, top_p=0.8)
        check_values(student.next_token_probabilities(logits, 0), filtered(logits, top_k=1))


@given(seeds())
def test_probabilities_have_the_precision_of_the_logits(student, seed):
    """next_token_probabilities: float64 logits give probabilities with float64's precision.

    Hint: compute in the dtype of the logits; `.float()` rounds float64 to 7 digits.
    """
    logits = normal_tensor(3, 7, seed=seed)
    check_close(student.next_token_probabilities(logits), filtered(logits), rtol=1e-11, atol=0.0)


def test_probabilities_keep_dtype_and_device(student):
    """next_token_probabilities: the result has the dtype and device of the logits.

    Hint: argmax and one_hot give integers.
    """
    for dtype in (torch.bfloat16, torch.float64):
        logits, other = (normal_tensor(2, 9, seed=seed, dtype=dtype) for seed in (1, 2))
        check_computes(student.next_token_probabilities, [logits, 0.9, 4, 0.8], [other, 0.9, 4, 0.8])
        for options in ({"top_k": 4, "top_p": 0.8}, {"temperature": 0}):
            check_dtype(student.next_token_probabilities(logits, **options), dtype)
    check_keeps_device(student, student.next_token_probabilities, logits, 0.9, 4, 0.8)


def test_probabilities_leave_logits_alone(student):
    """next_token_probabilities: the logits are not changed in place.

    Hint: `logits[logits < kth] = …` and `/=` change the caller's logits.
    """
    logits, other = (normal_tensor(3, 9, seed=seed) for seed in (1, 2))
    check_computes(student.next_token_probabilities, [logits, 0.9, 4, 0.8], [other, 0.9, 4, 0.8])
    for options in ({"top_k": 4}, {"temperature": 0.5}, {"top_p": 0.8}):
        check_inputs_unchanged(student, student.next_token_probabilities, logits, **options)


# --- generate --------------------------------------------------------------------------------------------------------


def writer(student, seed, **options):
    """Create the student's GPT with parameters that make its text depend on all tokens it reads."""
    return made(student, sensitive_state(seed), 1, **options)


def written(student, model, prompt, count, seed=0, **options):
    """Generate a text and check its shape and dtype."""
    text, _ = in_worker(student, gpt_writing_in_worker).write(student.generate, model, prompt, count, seed, options)
    check_shape(text, (prompt.shape[0], prompt.shape[1] + count), axes="batch, length")
    check_dtype(text, torch.int64)
    return text


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=5))
def test_generate_returns_prompt_and_new_tokens(student, seed, sizes):
    """generate: the result is the unchanged prompt, then `max_new_tokens` tokens.

    Hint: append each new token to all tokens so far, also when the prompt is longer than the context.
    """
    model = writer(student, seed)
    for batch, length in (sizes, (1, 1), (3, CONTEXT), (3, CONTEXT + 3)):
        prompt = token_ids(batch, length, seed=seed)
        for count in (0, 2):
            text = written(student, model, prompt, count)
            check_close(text[:, :length], prompt, says="the text does not begin with the prompt")


@given(seeds())
def test_generate_writes_the_likeliest(student, seed):
    """generate: at temperature 0 each new token is the most likely next token.

    Hint: the logits at the last position predict the next token.
    """
    model = writer(student, seed)
    prompt = token_ids(12, 2, seed=seed)
    expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, CONTEXT - 2, CONTEXT)
    check_close(written(student, model, prompt, CONTEXT - 2, temperature=0, use_cache=False), expected)


@given(seeds())
def test_generate_crops_to_the_context(student, seed):
    """generate: past the context, the model reads exactly the last `context_length` tokens.

    Hint: pass at most the last context_length tokens, with positions from 0.
    """
    model = writer(student, seed)
    for length in (CONTEXT - 1, CONTEXT + 4):
        prompt = token_ids(12, length, seed=seed)
        expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, 5, CONTEXT)
        check_close(written(student, model, prompt, 5, temperature=0, use_cache=False), expected)


@given(seeds())
def test_generate_is_the_same_with_a_cache(student, seed):
    """generate: the text is the same with a cache, within and past the context.

    Hint: past the context all positions move at each step, so the contents of the cache are no longer valid.
    """
    model = writer(student, seed)
    for length, count in ((1, CONTEXT + 1), (CONTEXT, 3), (CONTEXT + 2, 3)):
        prompt = token_ids(12, length, seed=seed)
        plain = written(student, model, prompt, count, seed, use_cache=False)
        cached = written(student, model, prompt, count, seed)
        check_close(cached, plain, says="the text changes when a cache is used")


def last_logits(model, prompt):
    """Return the logits after a prompt of one row."""
    logits = model(prompt)
    check_shape(logits, (*prompt.shape, VOCAB), axes="batch, length, vocab")
    return logits[0, -1].detach()


def check_distributed(text, expected):
    """Check that the last tokens of many texts have the expected frequencies, and 0 where 0 is expected."""
    count = len(text)
    found = torch.bincount(text[:, -1].clamp(0, VOCAB - 1), minlength=VOCAB) - count * expected
    # Seven standard deviations, and 8 more because small counts are not normally distributed.
    room = 7 * (count * expected * (1 - expected)).sqrt() + 8 * (expected > 0)
    check_that(bool((found.abs() <= room).min()), "the new tokens are not drawn with their probabilities")


@given(seeds())
def test_generate_draws_by_the_probabilities(student, seed):
    """generate: a new token is drawn with its probability, in each row separately.

    Hint: torch.multinomial draws from probabilities, not from logits.
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
    """generate: tokens outside `top_k` or `top_p` are never drawn.

    Hint: pass all three settings on; the other tokens share the probability.
    """
    model = writer(student, seed)
    prompt = token_ids(1, 4, seed=seed)
    logits = last_logits(model, prompt)
    for options in ({"top_k": 2}, {"top_p": 0.5}, {"temperature": 2.0, "top_k": 6, "top_p": 0.6}):
        text = written(student, model, prompt.expand(2000, -1), 1, seed, **options)
        check_distributed(text, filtered(logits, **options))


def test_generate_draws_from_the_generator(student):
    """generate: draws come from `generator`; the global generator is unchanged.

    Hint: pass the generator to every function that draws random numbers.
    """
    model = writer(student, 0)
    prompt = token_ids(6, 2, seed=1)
    first, untouched = in_worker(student, gpt_writing_in_worker).write(student.generate, model, prompt, 8, 7, {})
    check_shape(first, (6, 10), axes="batch, length")
    check_close(written(student, model, prompt, 8, 7), first, says="the same seed gives a different text")
    other = written(student, model, prompt, 8, 8)
    check_that(bool((other - first).abs().sum() > 0), "a different seed gives the same text")
    check_equal(untouched, True, says="the draws change the global generator")


def test_generate_draws_from_the_global_generator(student):
    """generate: without a generator, the tokens are drawn from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    model, prompt = writer(student, 0), token_ids(9, 2, seed=1)
    remote = in_worker(student, gpt_writing_in_worker)
    texts = check_results(remote.write_twice(student.generate, model, prompt, 4, 7), 3)
    for text in texts:
        check_shape(text, (9, 6), axes="batch, length")
    first, second, again = texts
    check_that(bool((first - second).abs().sum() > 0), "two calls without a generator give the same text")
    check_close(again, first, says="a seed of the global generator does not repeat the text")


@given(seeds())
def test_generate_drops_nothing(student, seed):
    """generate: dropout is off, also for a model in training mode.

    Hint: call `model.eval()` before the first token.
    """
    model = writer(student, seed, dropout=0.5)
    prompt = token_ids(12, 2, seed=seed)
    expected = in_worker(student, gpt_writing_in_worker).greedy(model, prompt, 6, CONTEXT)
    model.train()
    check_close(written(student, model, prompt, 6, temperature=0, use_cache=False), expected)


def test_generate_leaves_the_mode_as_it_was(student):
    """generate: the model keeps its train/eval mode.

    Hint: save `model.training`, and restore it.
    """
    model = writer(student, 0)
    prompt = token_ids(2, 3, seed=1)
    written(student, model, prompt, 2)
    for training in (True, False):
        mode = in_worker(student, gpt_writing_in_worker).mode_after(student.generate, model, prompt, training)
        check_equal(mode, training, says="the train/eval mode of the model has changed")


# --- ByteBPE ---------------------------------------------------------------------------------------------------------


class Encoder:
    """Byte-pair encoding by rules that are applied in turn to lists of ids."""

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
        result, index = [], 0
        while index < len(ids):
            whole = tuple(ids[index : index + 2]) == rule
            result.append(number if whole else ids[index])
            index += 2 if whole else 1
        return result

    def encode(self, text):
        ids = list(text)
        for number, rule in enumerate(self.rules, start=256):
            ids = self.merged(ids, rule, number)
        return ids


def words(seed, count=60):
    """Create a text of few different words, in which pairs recur."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 5, (8,), generator=generator).tolist()
    lexicon = [bytes((97 + torch.randint(6, (n,), generator=generator)).tolist()) for n in lengths]
    return b" ".join(lexicon[number] for number in torch.randint(8, (count,), generator=generator).tolist())


def trained(student, text, vocab_size, probes):
    """Train; return the ids of the probes, the decoded ids, and the pieces of the new tokens."""
    return check_results(
        in_worker(student, gpt_writing_in_worker).encodings(student.ByteBPE, text, vocab_size, probes), 3
    )


@given(seeds())
def test_bpe_merges_the_most_frequent_pair(student, seed):
    """ByteBPE: each new token is the most frequent pair, the smaller pair on ties.

    Hint: count again after each merge. Pairs compare by their first id, then by their second id.
    """
    # Every merged pair occurs at least twice: another check covers the last pairs of a text.
    ties = (
        (b"xy.ab.xy,ab", 257),  # the smaller pair comes second
        (b"ac.ab,ac;ab", 257),  # equal first ids
        (b"ba.ad,ba;ad", 257),  # the smaller first id has the larger second id
        (b"aab.cd,aab;cd!aa-aa", 258),  # a new token has a larger id than every byte
        (b"aaa-bc.bc", 257),  # `aaa` contains the pair `a a` twice
    )
    for text, vocab_size in ((words(seed), 268), *ties):
        _, _, pieces = trained(student, text, vocab_size, [])
        says = "the wrong pairs are merged, or in the wrong order"
        check_equal(list(pieces), Encoder(text, vocab_size).pieces[256:], says=says)


@given(seeds())
def test_bpe_encodes_in_the_order_of_learning(student, seed):
    """ByteBPE: encoding applies the merges in the order they were learnt.

    Hint: the longest piece that fits is not always right.
    """
    text, other = words(seed), words(seed + 1, 20)
    probes = [text, other, text[5:40][::-1], b"a"]
    ids, _, _ = trained(student, text, 275, probes)
    encoder = Encoder(text, 275)
    says = "the ids of a text are wrong"
    check_equal([list(row) for row in ids], [encoder.encode(probe) for probe in probes], says=says)
    # `bc` is learnt before `ab`, so `abc` becomes a, bc; from left to right it would be ab, c.
    ids, _, _ = trained(student, b"bc.bc,bc;bc-ab:ab!ab", 258, [b"abc", b"cabcab"])
    check_equal([list(row) for row in ids], [[97, 256], [99, 97, 256, 257]], says=says)
    # A run of equal tokens is merged from left to right; 256 tokens are the bytes alone.
    ids, _, _ = trained(student, b"aa.aa,aa", 257, [b"aaa", b"aaaa", b"baaaab"])
    check_equal([list(row) for row in ids], [[256, 97], [256, 256], [98, 256, 256, 98]], says=says)
    ids, _, _ = trained(student, b"aa.aa,aa", 256, [b"aa."])
    check_equal([list(row) for row in ids], [[97, 97, 46]], says=says)


@given(seeds())
def test_bpe_round_trips_any_bytes(student, seed):
    """ByteBPE: decoding gives back any bytes; an empty text has no ids.

    Hint: half a character is not text, but it is bytes.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = bytes(torch.randint(256, (300,), generator=generator).tolist())
    probes = [noise, bytes(range(256)), b"", words(seed), b"\xc3"]
    ids, decoded, _ = trained(student, words(seed), 270, probes)
    check_equal(list(decoded), probes, says="decoding does not give back the bytes")
    check_that(len(ids[3]) < len(probes[3]), "no pair is merged")
    kinds = in_worker(student, gpt_writing_in_worker).gives_bytes(student.ByteBPE, b"ab.ab", 257)
    check_equal(list(kinds), [True] * 3, says="`decode` does not return a `bytes` object")


def test_bpe_takes_text_as_its_utf8(student):
    """ByteBPE: a `str` stands for its UTF-8 bytes, in training and in encoding.

    Hint: `text.encode()`; ord() of a letter can be far above 255.
    """
    text = "été, thé, café – 中文, 中文; naïve thé été"
    from_str = trained(student, text, 266, [text, "中"])
    from_bytes = trained(student, text.encode(), 266, [text.encode(), "中".encode()])
    says = "a str does not give the same result as its UTF-8 bytes"
    check_equal(list(from_str[2]), Encoder(text.encode(), 266).pieces[256:], says=says)
    check_equal([list(ids) for ids in from_str[0]], [list(ids) for ids in from_bytes[0]], says=says)


def test_bpe_stops_when_no_pair_is_left(student):
    """ByteBPE: training stops when no pair is left.

    Hint: a short text teaches fewer merges than `vocab_size` allows. When the whole text is one token, there is no pair
    to count.
    """
    says = "the ids of a text are wrong"
    for text, probe, ids in (
        (b"ab", b"abab", [256, 256]),
        (b"abcd", b"abcd", [258]),
        (b"a", b"abab", [97, 98, 97, 98]),
        (b"", b"abab", [97, 98, 97, 98]),
    ):
        found = in_worker(student, gpt_writing_in_worker).ids_after(student.ByteBPE, text, 300, [probe])
        check_equal([list(row) for row in found], [ids], says=says)
