"""Hidden tests of MultiHeadAttention: parameters, output, weights, groups and memory.

Oracles: each head computed separately from its rows of the projections; PyTorch's multi-head attention; an invariant:
cross-attention to x itself is self-attention.
"""

import torch
from hypothesis import example, given
from multihead_oracles import (
    LONG,
    check_attention_values,
    head_by_head,
    module_of,
    output_of,
    state_of,
    torch_module,
    ungrouped,
    weights_of,
)

from autograder.judge.compare import check_close, check_equal, check_finite, check_raises, check_results
from autograder.judge.probes import check_computes, check_full_accuracy
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds


def test_multi_head_attention_has_the_parameters_listed(student):
    """MultiHeadAttention: the only parameters are four linear layers, by default without bias.

    Hint: four `nn.Linear` layers with the names listed; keys and values have num_kv_heads·d_head features.
    """
    for d_model, heads, kv_heads in ((12, 4, None), (12, 4, 4), (12, 4, 2), (15, 5, 1), (4, 1, None), (4, 4, 1)):
        state = student.MultiHeadAttention(d_model, heads, kv_heads).state_dict()
        d_kv = d_model // heads * (kv_heads or heads)
        expected = {name: tuple(tensor.shape) for name, tensor in state_of(d_model, d_kv=d_kv, seed=0).items()}
        check_equal(
            sorted(state), sorted(expected), says="the names in the state dict differ from the parameters listed"
        )
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        check_equal(shapes, expected, says="a parameter does not have the shape of a linear layer of the sizes listed")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, LONG, 3, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_gives_the_output(student, seed, sizes):
    """MultiHeadAttention: the output is the projection of the concatenated heads.

    Hint: project, split, attend in each head with 1/√d_head, merge, project.
    """
    batch, length, heads, d_head = sizes
    shapes = (sizes, (batch, 1, 1, d_head), (1, length, heads, 1))
    for batch_size, positions, count, size in shapes:
        state = state_of(count * size, seed=seed)
        x = normal_tensor(batch_size, positions, count * size, seed=seed + 20)
        expected = torch_module(state, count)(x, x, x, need_weights=False)[0].detach()
        output = check_results(module_of(student, state, count)(x), 2)[0]
        check_attention_values(output, expected, axes="batch, query, d_model")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, LONG, 3, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_returns_the_weights_of_every_head(student, seed, sizes):
    """MultiHeadAttention: the second result is the weights of each head; rows sum to one.

    Hint: do not average over heads: each head has its own index along axis 1.
    """
    batch, length, heads, d_head = sizes
    for count, size in ((heads, d_head), (length, d_head)):
        state = state_of(count * size, seed=seed)
        x = normal_tensor(batch, length, count * size, seed=seed + 20)
        weights = check_results(module_of(student, state, count)(x), 2)[1]
        check_attention_values(weights, head_by_head(state, count, x, x)[1], axes="batch, heads, query, key")
        alone = check_results(module_of(student, state, count)(x[:, :1]), 2)[1]
        says = "the weight of a single key is not exactly 1: is a constant added to the sum?"
        check_close(alone.double(), torch.ones_like(alone).double(), rtol=0.0, atol=1e-13, says=says)


@given(seeds())
def test_multi_head_attention_has_biases_on_request(student, seed):
    """MultiHeadAttention: with `bias=True`, each of the four linear layers adds its bias.

    Hint: pass `bias` on to every linear layer.
    """
    for heads, d_head in ((3, 2), (1, 4)):
        state = state_of(heads * d_head, seed=seed, bias=True)
        x = normal_tensor(2, 5, heads * d_head, seed=seed + 20)
        module = module_of(student, state, heads, bias=True)
        # The keys' bias does not affect the softmax, so only the names show whether it is missing.
        check_equal(
            sorted({*state} - {*module.state_dict()}), [], says="at least one of the four linear layers has no bias"
        )
        check_attention_values(module(x), head_by_head(state, heads, x, x))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
@example(1, (2, LONG, 3))
@example(2, (3, 3, 3))
def test_multi_head_attention_groups_its_queries(student, seed, sizes):
    """MultiHeadAttention: with fewer key/value heads, neighbouring query heads share them.

    Hint: repeat each key/value head for its group of query heads, then continue as with equal numbers of heads.
    """
    batch, length, d_head = sizes
    for heads, kv_heads in ((6, 2), (4, 1)):
        state = state_of(heads * d_head, seed=seed, d_kv=kv_heads * d_head)
        x, memory = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21))
        mask = random_mask(batch, heads, length, length, seed=seed + 22)
        grouped = module_of(student, state, heads, num_kv_heads=kv_heads)
        # Grouping equals a module without groups whose key/value heads are equal within each group.
        apart = module_of(student, ungrouped(state, heads, kv_heads), heads)
        check_computes(grouped, [x], [memory])
        for more in ([], [memory, mask]):
            check_attention_values(grouped(x, *more), apart(x, *more))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, LONG, 3, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_reads_from_memory(student, seed, sizes):
    """MultiHeadAttention: keys and values come from `memory`, and only queries from `x`.

    Hint: two of the four projections read the memory.
    """
    batch, length, heads, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    memory, other = (normal_tensor(batch, length + 1, heads * d_head, seed=seed + number) for number in (20, 21))
    check_computes(module, [other, memory], [other, memory * 2])
    output, weights = output_of(module, memory), weights_of(module, heads, memory)
    check_attention_values(module(memory, memory), [output, weights])
    # Queries and memory may differ in length or in order, or have the same length and yet differ.
    for queries in (torch.arange(length), torch.arange(length + 1).flip(0), torch.arange(2 * length) % length):
        found = module(memory[:, queries], memory=memory)
        check_attention_values(found, [output[:, queries], weights[:, :, queries]])


@given(seeds())
def test_multi_head_attention_is_stable_for_large_scores(student, seed):
    """MultiHeadAttention: large inputs do not overflow.

    Hint: subtract the maximum before every exponential.
    """
    module = module_of(student, state_of(6, seed=seed), 3)
    x, other = normal_tensor(2, 5, 6, seed=seed + 20), normal_tensor(2, 5, 6, seed=seed + 21)
    check_computes(module, [x], [other])
    for scale in (30.0, 1000.0, 1e6):
        check_finite(output_of(module, x * scale))
        weights = weights_of(module, 3, x * scale)
        check_attention_values(weights.sum(dim=-1), torch.ones(2, 3, 5, dtype=torch.float64))


def test_multi_head_attention_has_the_accuracy_of_its_dtype(student):
    """MultiHeadAttention: computes in the dtype of its inputs.

    Hint: `.float()` and `dtype=torch.float32` round the scores; the dtype of the inputs is enough.
    """
    x, memory, mask = normal_tensor(1, 4, 8, seed=92), normal_tensor(1, 4, 8, seed=93), random_mask(4, 4, seed=94)
    module = module_of(student, state_of(8, seed=95), 4)
    for more in ([], [memory], [memory, mask]):
        check_full_accuracy(module, [x, *more], [-x, *more])


def test_multi_head_attention_refuses_what_does_not_divide(student):
    """MultiHeadAttention: numbers of heads or features that do not divide raise a ValueError.

    Hint: check both remainders before you create the linear layers; raise a ValueError.
    """
    for sizes in ((10, 4), (9, 2), (3, 6), (12, 4, 3), (12, 2, 4)):
        with check_raises(ValueError, says="no error is raised although the numbers do not divide"):
            student.MultiHeadAttention(*sizes)


def test_multi_head_attention_names_the_numbers_that_do_not_divide(student):
    """MultiHeadAttention: the error message names the two numbers that do not divide.

    Hint: put the two numbers that do not divide into the message of the ValueError.
    """
    for sizes, numbers in (((10, 4), (10, 4)), ((27, 5), (27, 5)), ((24, 6, 4), (6, 4)), ((24, 2, 8), (2, 8))):
        with check_raises(ValueError, naming=numbers):
            student.MultiHeadAttention(*sizes)
