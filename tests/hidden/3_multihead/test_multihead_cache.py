"""Hidden tests of MultiHeadAttention with a cache.

The cache is ours, so a mistake in the student's KeyValueCache costs nothing here. Invariant: a cache changes no result.
"""

import torch
from hypothesis import example, given
from multihead_oracles import LONG, check_attention_values, module_of, output_of, state_of, weights_of

from autograder.judge.compare import check_equal
from autograder.judge.probes import check_computes, define
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

CACHE = """
import torch

class Cache:
    def __init__(self):
        self.pieces = []

    def append(self, key, value):
        self.pieces.append((key, value))
        keys, values = zip(*self.pieces)
        return torch.cat(keys, dim=2), torch.cat(values, dim=2)

    def __len__(self):
        return sum(key.shape[2] for key, _ in self.pieces)
"""


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
@example(1, (2, LONG, 3))
def test_decoding_token_by_token_equals_one_causal_pass(student, seed, sizes):
    """MultiHeadAttention: decoding token by token with a cache equals one causal pass.

    Hint: project only the new token; its query meets the keys and values of all tokens so far.
    """
    batch, length, d_head = sizes
    for heads, kv_heads in ((3, 3), (4, 2)):
        state = state_of(heads * d_head, seed=seed, d_kv=kv_heads * d_head)
        module = module_of(student, state, heads, num_kv_heads=kv_heads)
        x, other = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21))
        check_computes(module, [x], [other])
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        output, weights = output_of(module, x, mask=causal), weights_of(module, heads, x, mask=causal)
        cache = define(student, CACHE).Cache()
        for step in range(length):
            newest = slice(step, step + 1)
            found = module(x[:, newest], cache=cache)
            check_attention_values(found, [output[:, newest], weights[:, :, newest, : step + 1]])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
@example(1, (2, LONG, 3))
@example(2, (3, 3, 3))
def test_decoding_in_pieces_obeys_the_mask(student, seed, sizes):
    """MultiHeadAttention: with a cache, the mask's key axis spans old and new keys.

    Hint: the mask is for the keys that the cache returns, not for those of x alone; add no mask of your own.
    """
    batch, length, d_head = sizes
    heads, total = 3, length + 3
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other = (normal_tensor(batch, total, heads * d_head, seed=seed + number) for number in (20, 21))
    check_computes(module, [x], [other])
    pieces = ((0, 2), (2, 3), (3, total))
    so_far = torch.zeros(total, total, dtype=torch.bool)  # each query meets all the keys up to the end of its piece
    for start, end in pieces:
        so_far[start:end, :end] = True
    for shape in ((total, total), (batch, total, total), (batch, heads, total, total), None):
        mask = so_far if shape is None else random_mask(*shape, seed=seed + 30)
        mask = mask & so_far
        mask[..., 0] = True
        output, weights = output_of(module, x, mask=mask), weights_of(module, heads, x, mask=mask)
        cache = define(student, CACHE).Cache()
        for start, end in pieces:
            new = None if shape is None else mask[..., start:end, :end]
            found = module(x[:, start:end], mask=new, cache=cache)
            check_attention_values(found, [output[:, start:end], weights[:, :, start:end, :end]])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
@example(1, (3, 3, 3))
def test_cross_attention_leaves_the_cache_alone(student, seed, sizes):
    """MultiHeadAttention: with a memory, the cache is neither read nor written.

    Hint: the memory does not grow with the text: do not append any of it to the cache.
    """
    batch, length, d_head = sizes
    module = module_of(student, state_of(3 * d_head, seed=seed), 3)
    x = normal_tensor(batch, length, 3 * d_head, seed=seed + 20)
    for key in (length + 1, length):
        memory = normal_tensor(batch, key, 3 * d_head, seed=seed + 21)
        check_computes(module, [x, memory], [-x, memory])
        cache = define(student, CACHE).Cache()
        for expected_length in (0, length):
            check_attention_values(module(x, memory, cache=cache), module(x, memory))
            check_equal(len(cache), expected_length, says="the length of the cache changes although a memory is given")
            module(x, cache=cache)
