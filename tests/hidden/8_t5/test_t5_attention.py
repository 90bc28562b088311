"""Hidden tests of T5Attention. Oracles: each head by itself; ratios of weights; differences of results."""

import torch
from hypothesis import given
from t5_oracles import FLOAT32, HEADS, attention_shapes, flat, in_worker, state_of

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, gradients
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

OUTPUT, WEIGHTS = "batch, query, d_model", "batch, heads, query, key"


def attention_with(student, seed, heads=HEADS, d_head=2):
    """Create the student's attention in float64; return it and its state."""
    state = state_of(attention_shapes(heads * d_head), seed)
    return in_worker(student).make(student.T5Attention, [heads * d_head, heads], *flat(state)), state


def numbers(batch, length, seed, d_model=6):
    return normal_tensor(batch, length, d_model, seed=seed)


def by_hand(state, heads, x, memory=None, mask=None, bias=None):
    """Compute output and weights head by head, from the rows of its projections; `mask` has four axes."""
    memory, pieces, weights = x if memory is None else memory, [], []
    d_head = x.shape[-1] // heads
    for head in range(heads):
        rows = slice(head * d_head, (head + 1) * d_head)
        query, key, value = (
            source @ state[f"{name}_proj.weight"][rows].T
            for name, source in (("query", x), ("key", memory), ("value", memory))
        )
        scores = torch.einsum("bqd,bkd->bqk", query, key) + (0 if bias is None else bias[head])
        if mask is not None:
            allowed = mask.expand(len(x), heads, *scores.shape[1:])[:, head]
            scores = scores.masked_fill(~allowed, -torch.inf)
        weights.append(torch.softmax(scores, dim=-1).nan_to_num(0.0))
        pieces.append(weights[-1] @ value)
    return torch.cat(pieces, dim=-1) @ state["output_proj.weight"].T, torch.stack(weights, dim=1)


def check_attention(found, expected):
    output, weights = check_results(found, 2)
    check_values(output, expected[0], axes=OUTPUT, accuracy=FLOAT32)
    check_values(weights, expected[1], axes=WEIGHTS, accuracy=FLOAT32)


def weights_of(module, *inputs, **options):
    """Return the weights; fail results of the wrong shape."""
    output, weights = check_results(module(*inputs, **options), 2)
    memory = options.get("memory", inputs[0])
    check_shape(output, tuple(inputs[0].shape), axes=OUTPUT)
    check_shape(weights, (len(output), HEADS, inputs[0].shape[1], memory.shape[1]), axes=WEIGHTS)
    check_finite(weights)
    return weights


def test_t5_attention_has_four_linears(student):
    """T5Attention: the parameters are the weights of four linears, without biases.

    Hint: query_proj, key_proj, value_proj and output_proj; `bias=False`.
    """
    module = student.T5Attention(12, 3)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(module.state_dict().items())}
    says = "the names or shapes in the state dict differ from those of the listed linears"
    check_equal(shapes, dict(sorted(attention_shapes(12).items())), says=says)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_t5_attention_does_not_scale(student, seed, sizes):
    """T5Attention: output and weights are those of q·k without a scale.

    Hint: do not divide by √d_head. Split into heads before the product, and merge after it.
    """
    for batch, heads, length, d_head in (sizes, (3, 3, 3, 3), (1, 1, 1, 1), (2, 2, 12, 5)):
        module, state = attention_with(student, seed, heads, d_head)
        x = numbers(batch, length, seed + 50, heads * d_head)
        check_attention(module(x), by_hand(state, heads, x))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_t5_attention_reads_a_memory(student, seed, sizes):
    """T5Attention: with a memory, keys and values come from it.

    Hint: only the queries come from x then.
    """
    for batch, query, key in (sizes, (2, 4, 4), (1, 1, 9)):
        module, state = attention_with(student, seed)
        x, memory = numbers(batch, query, seed + 50), numbers(batch, key, seed + 51)
        check_attention(module(x, memory), by_hand(state, HEADS, x, memory))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_t5_attention_adds_the_bias(student, seed, sizes):
    """T5Attention: the bias is added to the scores of its head, before the softmax.

    Hint: the bias `(heads, query, key)` is the same for every sequence of the batch.
    """
    for batch, queries, keys in (sizes, (HEADS, 4, 4), (2, HEADS, HEADS)):
        module, state = attention_with(student, seed)
        x, memory = numbers(batch, queries, seed + 50), numbers(batch, keys, seed + 51)
        bias = normal_tensor(HEADS, queries, keys, seed=seed + 52, scale=2.0)
        check_attention(module(x, memory, bias=bias), by_hand(state, HEADS, x, memory, bias=bias))


def check_masks(student, seed, shapes):
    """Check that masks of these shapes keep the proportions of the allowed weights."""
    module, _ = attention_with(student, seed)
    for number, shape in enumerate(shapes):
        x, memory = numbers(2, 4, seed + 50), numbers(2, shape[-1] if shape[-1] > 1 else 5, seed + 51)
        bias = normal_tensor(HEADS, 4, memory.shape[1], seed=seed + 52)
        mask = random_mask(*shape, seed=seed + number)
        if shape[-1] == 1:
            mask = torch.ones(shape, dtype=torch.bool)
        full = mask.unsqueeze(1) if mask.ndim == 3 else mask
        before = weights_of(module, x, memory=memory, bias=bias)
        kept = before * full.expand(before.shape)
        after = weights_of(module, x, memory=memory, mask=mask, bias=bias)
        check_values(after, kept / kept.sum(dim=-1, keepdim=True), accuracy=FLOAT32)


@given(seeds())
def test_t5_attention_obeys_masks_of_two_axes(student, seed):
    """T5Attention: a mask `(query, key)` holds for every sequence and head.

    Hint: True may attend; block before the softmax, so that the weights still sum to one.
    """
    check_masks(student, seed, [(4, 5), (1, 5), (4, 4), (4, 1)])


@given(seeds())
def test_t5_attention_obeys_masks_of_three_axes(student, seed):
    """T5Attention: a mask `(batch, query, key)` or `(batch, 1, key)` holds for every head.

    Hint: a mask of three axes needs an axis for the heads, behind that of the batch.
    """
    check_masks(student, seed, [(2, 1, 5), (2, 4, 5), (1, 4, 5), (2, 4, 4), (2, 4, HEADS)])


@given(seeds())
def test_t5_attention_obeys_masks_of_four_axes(student, seed):
    """T5Attention: a mask `(batch, heads, query, key)` may differ between heads.

    Hint: a mask of four axes needs no further axis.
    """
    check_masks(student, seed, [(2, HEADS, 4, 5), (2, 1, 1, 5), (1, HEADS, 4, 5)])


def test_t5_attention_ignores_blocked_keys(student):
    """T5Attention: a blocked key has no influence, however large its score and its bias are.

    Hint: replace the score of a blocked key by -inf after the bias is added.
    """
    module, _ = attention_with(student, 3)
    x, memory = numbers(2, 4, 50), numbers(2, 5, 51)
    mask = torch.tensor([True, True, False, True, True])[None, None]
    bias = normal_tensor(HEADS, 4, 5, seed=52)
    before = check_results(module(x, memory, mask=mask, bias=bias), 2)
    others = memory.clone()
    others[:, 2] = 300 * others[:, 2]
    bias[..., 2] += 1e4
    for found, expected in zip(check_results(module(x, others, mask=mask, bias=bias), 2), before, strict=True):
        check_finite(found)
        check_values(found, expected, says="a blocked key has an influence", accuracy=FLOAT32)
    check_that(
        bool((check_results(module(x, others, bias=bias), 2)[0] - before[0]).abs().max() > 1e-6),
        "the mask has no effect",
    )


def test_t5_attention_of_nothing_is_zero(student):
    """T5Attention: a query that may attend to nothing has zero weights and a zero output.

    Hint: a softmax over -inf only is NaN; the masked softmax of stage 2 returns zeros there.
    """
    module, _ = attention_with(student, 4)
    x, bias = numbers(2, 4, 50), normal_tensor(HEADS, 4, 4, seed=51)
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[0, 1] = mask[1] = False
    output, weights = check_results(module(x, mask=mask, bias=bias), 2)
    check_shape(output, (2, 4, 6), axes=OUTPUT)
    check_shape(weights, (2, HEADS, 4, 4), axes=WEIGHTS)
    says = "a query that may attend to nothing does not get zeros"
    check_close(output[0, 1], torch.zeros_like(output[0, 1]), says=says)
    check_close(output[1], torch.zeros_like(output[1]), says=says)
    check_close(weights[0, :, 1], torch.zeros_like(weights[0, :, 1]), says=says)
    check_that(bool(output[0, 0].abs().max() > 1e-6), "every output is zero")
    check_finite(output)


def test_t5_attention_is_stable(student):
    """T5Attention: large scores do not overflow.

    Hint: without a scale, scores are large; subtract the largest score of each query before the exponential.
    """
    module, state = attention_with(student, 5)
    x = numbers(2, 5, 50) * 60
    check_attention(module(x), by_hand(state, HEADS, x))


def test_t5_attention_passes_gradients(student):
    """T5Attention: gradients reach x, the memory, the bias and all parameters.

    Hint: use tensor operations only, and detach nothing.
    """
    module, _ = attention_with(student, 6)
    leaves = [numbers(2, 4, 50), numbers(2, 5, 51), normal_tensor(HEADS, 4, 5, seed=52)]
    directions = [normal_tensor(*leaf.shape, seed=60 + number) for number, leaf in enumerate(leaves)]
    towards = numbers(2, 4, 53)

    def weighted(step):
        x, memory, bias = (leaf + step * way for leaf, way in zip(leaves, directions, strict=True))
        return (check_results(module(x, memory, bias=bias), 2)[0] * towards).sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    result = weighted(step)
    check_that(result.requires_grad, "the result is detached from the graph")
    (found,) = torch.autograd.grad(result, step)
    # The difference over five points is exact up to the fourth power of the step, in float32 too.
    with torch.no_grad():
        expected = sum(weight / 0.12 * weighted(0.01 * steps) for steps, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)))
    check_that(bool(expected.abs() > 1e-3), "the output does not depend on the inputs")
    check_close(found, expected, rtol=1e-3, atol=1e-3, says="a gradient differs from the change of the output")
    check_results(module(*leaves[:2], bias=leaves[2].requires_grad_()), 2)[0].sum().backward()
    for gradient in gradients(module).values():
        check_that(gradient is not None and bool(gradient.abs().max() > 0), "no gradient reaches a parameter")


def test_t5_attention_keeps_dtype_and_device(student):
    """T5Attention: output and weights have the dtype and the device of x.

    Hint: what you create, such as a mask or a constant, needs the device of x.
    """
    mask = torch.ones(4, 5, dtype=torch.bool)
    for dtype in (torch.bfloat16, torch.float64):
        module = student.T5Attention(6, HEADS).to(dtype)
        first, second = ([numbers(2, 4, seed).to(dtype), numbers(2, 5, 52).to(dtype), mask] for seed in (50, 51))
        bias = normal_tensor(HEADS, 4, 5, seed=53).to(dtype)
        check_computes(module, [*first, bias], [*second, bias])
        for part in check_results(module(*first, bias), 2):
            check_dtype(part, dtype)
    check_keeps_device(student, module, *first, bias)


def test_t5_attention_leaves_its_inputs_alone(student):
    """T5Attention: neither x nor another input is changed in place.

    Hint: `scores += bias` is fine, `bias += scores` is not.
    """
    module = student.T5Attention(6, HEADS).double()
    inputs = [numbers(2, 4, 50), numbers(2, 5, 51), random_mask(2, 4, 5, seed=52), normal_tensor(HEADS, 4, 5, seed=53)]
    check_computes(module, inputs, [numbers(2, 4, 54), *inputs[1:]])
    check_inputs_unchanged(student, module, *inputs)
