"""Hidden tests of the extensions: attention_backward and blockwise_attention.

Oracles: PyTorch's attention and autograd, finite differences, and the sizes of the tensors in memory.
"""

import torch
from attention_oracles import LONG, check_softmax_values, check_sole_weight, coarse_inputs, inputs_of
from hypothesis import example, given
from torch.nn import functional

from autograder.judge.compare import check_dtype, check_results, check_that, check_values
from autograder.judge.probes import (
    check_computes,
    check_full_accuracy,
    check_inputs_unchanged,
    check_keeps_device,
    define,
)
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

# Records every tensor that the call creates, except views and the inputs, which take no new memory.
HOLDINGS = """
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm")

class Holdings(TorchDispatchMode):
    def __init__(self, inputs):
        super().__init__()
        self.inputs = {tensor.untyped_storage()._cdata for tensor in inputs}
        self.alive, self.largest_product, self.most = {}, 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(results):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                self.hold(tensor.untyped_storage(), tensor.element_size())
                if function.overloadpacket.__name__ in PRODUCTS:
                    self.largest_product = max(self.largest_product, tensor.numel())
        self.alive = {key: entry for key, entry in self.alive.items() if not entry[0].expired()}
        self.most = max(self.most, sum(numbers for _, numbers in self.alive.values()))
        return results

    def hold(self, storage, size):
        if storage._cdata not in self.inputs:
            self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes() // size

def holdings(function, inputs, block_size):
    mode = Holdings(inputs)
    with torch.no_grad(), mode:
        function(*inputs, block_size)
    return mode.largest_product, mode.most
"""


def forward(query, key, value, mask, scale):
    """Output and weights, differentiable by autograd."""
    scores = torch.einsum("...qd,...kd->...qk", query, key) * scale
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
    return weights @ value, weights


def backward_case(seed, query, key, d_head, d_value, *, leading=(), scale=0.7):
    """The arguments of attention_backward, and the gradients from autograd."""
    inputs = [tensor.requires_grad_() for tensor in inputs_of(query, key, d_head, d_value, leading=leading, seed=seed)]
    mask = random_mask(query, key, seed=seed + 5)
    output, weights = forward(*inputs, mask, scale)
    grad_output = normal_tensor(*output.shape, seed=seed + 6)
    gradients = torch.autograd.grad(output, inputs, grad_output)
    return [grad_output, *(tensor.detach() for tensor in inputs), weights.detach(), scale], gradients


def without_first_query(grad_output, query, key, value, weights, scale):
    """The gradients where the first query attends to nothing: the others' gradients, and zeros for the first."""
    leaves = [tensor.clone().requires_grad_() for tensor in (query[1:], key, value)]
    scores = leaves[0] @ leaves[1].T * scale
    output = torch.softmax(scores.masked_fill(weights[1:] == 0, float("-inf")), dim=-1) @ leaves[2]
    others, *rest = torch.autograd.grad(output, leaves, grad_output[1:])
    return [torch.cat([torch.zeros_like(query[:1]), others]), *rest]


def gradient_of(reply, number):
    """Select the gradient of query, key or value from the reply."""
    return check_results(reply, 3)[number]


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (3, LONG, 4, 5))
@example(2, (4, 4, 4, 4))
def test_backward_gives_the_gradient_of_the_query(student, seed, sizes):
    """attention_backward: the first result is the gradient of the query.

    Hint: the gradient through the softmax is weights · (g − Σ weights·g), with the sum over the keys; the scale comes
    after it.
    """
    arguments, gradients = backward_case(seed, *sizes)
    check_values(gradient_of(student.attention_backward(*arguments), 0), gradients[0], axes="query, d_head")
    # A small step in the query changes the loss by gradient · step.
    grad_output, query, key, value, _, scale = arguments
    step = 1e-5 * normal_tensor(*query.shape, seed=seed + 7)
    everything = torch.ones(sizes[0], sizes[1], dtype=torch.bool)
    arguments[4] = forward(query, key, value, everything, scale)[1]
    found = gradient_of(student.attention_backward(*arguments), 0)
    ahead, behind = (forward(query + sign * step, key, value, everything, scale)[0] for sign in (1, -1))
    check_values((found * step).sum(), ((ahead - behind) * grad_output).sum() / 2)


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (3, LONG, 4, 5))
@example(2, (4, 4, 4, 4))
def test_backward_gives_the_gradient_of_the_key(student, seed, sizes):
    """attention_backward: the second result is the gradient of the key.

    Hint: the scores are query · keyᵀ: the gradient of the key needs the transposed gradient of the scores.
    """
    for scale in (0.7, 1.0, -0.3):
        arguments, gradients = backward_case(seed, *sizes, scale=scale)
        check_values(gradient_of(student.attention_backward(*arguments), 1), gradients[1], axes="key, d_head")


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (3, LONG, 4, 5))
@example(2, (4, 4, 4, 4))
def test_backward_gives_the_gradient_of_the_value(student, seed, sizes):
    """attention_backward: the third result is the gradient of the value.

    Hint: each value contributes to every output, in proportion to its weight.
    """
    arguments, gradients = backward_case(seed, *sizes)
    check_values(gradient_of(student.attention_backward(*arguments), 2), gradients[2], axes="key, d_value")


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (3, LONG, 4, 5))
@example(2, (4, 4, 4, 4))
def test_backward_ignores_queries_that_attend_to_nothing(student, seed, sizes):
    """attention_backward: a query whose weights are all 0 gets no gradient and gives none.

    Hint: do not recompute or renormalise the weights: 0 / 0 is NaN.
    """
    (grad_output, query, key, value, weights, scale), _ = backward_case(seed, *sizes)
    weights[0] = 0.0
    (_, *without), _ = backward_case(seed, *sizes)
    expected = without_first_query(grad_output, *without)
    for number, gradient in enumerate(expected):
        reply = student.attention_backward(grad_output, query, key, value, weights, scale)
        check_values(gradient_of(reply, number), gradient)


@given(seeds(), distinct_sizes(count=6, min_size=2, max_size=7))
@example(1, (2, 3, 2, 3, LONG, 4))
@example(2, (3, 3, 3, 3, 3, 3))
def test_backward_takes_any_leading_axes(student, seed, shape):
    """attention_backward: any number of leading axes is accepted.

    Hint: transpose the last two axes, not all of them.
    """
    *axes, query, key, d_head = shape
    for leading in (axes[:1], axes[:2], axes):
        arguments, gradients = backward_case(seed, query, key, d_head, 3, leading=leading)
        reply = student.attention_backward(*arguments)
        for number, expected in enumerate(gradients):
            check_values(gradient_of(reply, number), expected)


def test_backward_keeps_the_dtype(student):
    """attention_backward: the gradients have the dtype of the inputs.

    Hint: a tensor that you create may widen the dtype of the result.
    """
    arguments, _ = backward_case(81, 3, 5, 4, 2, leading=(2,))
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        *tensors, scale = [tensor.to(dtype) for tensor in arguments[:-1]] + arguments[-1:]
        check_computes(student.attention_backward, [*tensors, scale], [-tensors[0], *tensors[1:], scale])
        for number in range(3):
            check_dtype(gradient_of(student.attention_backward(*tensors, scale), number), dtype)


def test_backward_keeps_the_device(student):
    """attention_backward: the gradients are on the device of the inputs.

    Hint: tensors that you create, such as an identity matrix, need the device of the inputs.
    """
    arguments, _ = backward_case(82, 3, 5, 4, 2, leading=(2,))
    check_computes(student.attention_backward, arguments, [-arguments[0], *arguments[1:]])
    check_keeps_device(student, student.attention_backward, *arguments)


def test_backward_leaves_its_inputs_alone(student):
    """attention_backward: no input tensor is modified.

    Hint: `weights *= …` modifies the tensor it is given; `weights * …` does not.
    """
    arguments, _ = backward_case(83, 3, 5, 4, 2, leading=(2,))
    check_computes(student.attention_backward, arguments, [-arguments[0], *arguments[1:]])
    check_inputs_unchanged(student, student.attention_backward, *arguments)


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (3, LONG, 4, 5))
@example(2, (4, 4, 4, 4))
def test_blockwise_attention_equals_attention(student, seed, sizes):
    """blockwise_attention: the output equals that of attention over all keys at once.

    Hint: when a new block raises the largest score, the sums so far are still scaled by the old one.
    """
    key = sizes[1]
    inputs = inputs_of(*sizes, leading=(2,), seed=seed, scale=2.0)
    expected = functional.scaled_dot_product_attention(*inputs)
    for block_size in (1, 2, key - 1, key, key + 3):
        check_softmax_values(student.blockwise_attention(*inputs, block_size), expected, axes="batch, query, d_value")
    inputs = [inputs[0], inputs[1][:, :1], torch.ones_like(inputs[2][:, :1])]
    check_sole_weight(student.blockwise_attention(*inputs, 1))


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_blockwise_attention_takes_blocks_that_do_not_divide(student, seed, sizes):
    """blockwise_attention: the last block may be shorter than the others.

    Hint: a slice past the end is cut short automatically; count no key twice, and leave none out.
    """
    query, d_value = sizes
    for key, block_size in ((7, 3), (5, 2), (9, 5), (40, 17), (3, 40)):
        inputs = inputs_of(query, key, 1, d_value, leading=(2,), seed=seed)
        expected = functional.scaled_dot_product_attention(*inputs)
        check_softmax_values(student.blockwise_attention(*inputs, block_size), expected)


def sorted_for_the_first(queries, keys, values):
    """Sort the keys by their scores for the first query, so that it attends to the last key."""
    order = (keys @ queries[..., :1, :].mT).argsort(dim=-2)
    return queries, keys.take_along_dim(order, -2), values.take_along_dim(order, -2)


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_blockwise_attention_is_stable_for_large_scores(student, seed, sizes):
    """blockwise_attention: large queries and keys do not overflow in any block.

    Hint: subtract the largest score so far in every block.
    """
    query, d_value = sizes
    for key, scale in ((6, 30.0), (6, 1000.0), (LONG, 1000.0)):
        inputs = sorted_for_the_first(*coarse_inputs(query, key, d_value, leading=(2,), seed=seed, scale=scale))
        far = 8.0 * scale
        for queries, keys in (
            (inputs[0], inputs[1]),
            (inputs[0] + far, inputs[1] - far),
            (inputs[0] + far, inputs[1] + far),
        ):
            expected = functional.scaled_dot_product_attention(queries, keys, inputs[2])
            check_softmax_values(student.blockwise_attention(queries, keys, inputs[2], 2), expected)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=7))
@example(1, (3, 3, 3, 3))
def test_blockwise_attention_takes_any_leading_axes(student, seed, shape):
    """blockwise_attention: any number of leading axes is accepted.

    Hint: count axes from the end, and give your sums the leading axes of the query.
    """
    *axes, query, d_value = shape
    for leading in ((), axes[:1], axes):
        for key in (5, LONG):
            inputs = inputs_of(query, key, 1, d_value, leading=leading, seed=seed)
            expected = functional.scaled_dot_product_attention(*inputs)
            check_softmax_values(student.blockwise_attention(*inputs, 2), expected)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_blockwise_attention_obeys_the_mask(student, seed, shape):
    """blockwise_attention: each block uses its own part of the mask.

    Hint: slice the mask's key axis as you slice the keys; the mask is broadcast over the axes it lacks.
    """
    batch, query, d_value = shape
    for length, key in ((query, 7), (7, 7), (query, LONG)):
        inputs = inputs_of(length, key, 1, d_value, leading=(batch,), seed=seed)
        for mask_shape in ((length, key), (1, key), (batch, 1, key), (batch, length, key)):
            mask = random_mask(*mask_shape, seed=seed + 9)
            mask[..., ::4] = True  # a key in each block
            expected = functional.scaled_dot_product_attention(*inputs, mask)
            check_softmax_values(student.blockwise_attention(*inputs, 4, mask), expected)


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_blockwise_attention_passes_over_blocks_without_allowed_keys(student, seed, shape):
    """blockwise_attention: a block without allowed keys changes nothing, even the first block.

    Hint: before the first allowed key, the largest score is -inf, and -inf minus -inf is NaN. A block may be skipped
    only if no query of any sequence may attend to it.
    """
    query, d_value = shape
    inputs = inputs_of(query, 8, 1, d_value, leading=(2,), seed=seed)
    inputs[1][:, :2] *= 100.0
    for blocked in (slice(2, 6), slice(0, 2), slice(0, 4), slice(6, 8)):
        mask = torch.ones(query, 8, dtype=torch.bool)
        mask[:, blocked] = False
        expected = functional.scaled_dot_product_attention(*inputs, mask)
        check_softmax_values(student.blockwise_attention(*inputs, 2, mask), expected)
    for sequence, position in ((0, slice(None)), (1, slice(None)), (slice(None), 0), (slice(None), -1)):
        mask = torch.ones(2, query, 8, dtype=torch.bool)
        mask[sequence, position, 2:6] = False
        expected = functional.scaled_dot_product_attention(*inputs, mask)
        check_softmax_values(student.blockwise_attention(*inputs, 2, mask), expected)


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_blockwise_attention_takes_masks_with_a_key_axis_of_one(student, seed, shape):
    """blockwise_attention: the key axis of the mask may have size 1.

    Hint: an axis of size 1 holds for every key and cannot be sliced: what would its second block be?
    """
    query, d_value = shape
    inputs = inputs_of(query, 5, 1, d_value, leading=(2,), seed=seed)
    expected = functional.scaled_dot_product_attention(*inputs)
    for mask_shape in ((query, 1), (2, 1, 1)):
        mask = torch.ones(mask_shape, dtype=torch.bool)
        check_softmax_values(student.blockwise_attention(*inputs, 2, mask), expected)
    mask = torch.arange(query).unsqueeze(-1) < 2
    check_softmax_values(student.blockwise_attention(*inputs, 2, mask)[:, :2], expected[:, :2])


@given(seeds(), distinct_sizes(count=3, min_size=3))
def test_blockwise_attention_gives_zeros_where_everything_is_blocked(student, seed, shape):
    """blockwise_attention: where every key is blocked, the output is zero.

    Hint: such a query has a total of 0 at the end, and 0 / 0 is NaN.
    """
    query, d_head, d_value = shape
    inputs = inputs_of(query, 5, d_head, d_value, leading=(2,), seed=seed)
    mask = torch.ones(query, 5, dtype=torch.bool)
    mask[1] = False
    output = student.blockwise_attention(*inputs, 2, mask)
    check_softmax_values(output[:, 1], torch.zeros(2, d_value, dtype=torch.float64))
    check_that(float(output[:, 0].square().sum()) > 0, "the output of the other queries is zero as well")


def test_blockwise_attention_never_holds_more_than_a_block(student):
    """blockwise_attention: scores and weights exist for at most `block_size` keys at a time.

    Hint: create nothing of size query × key, in one piece or in many; keep three running sums.
    """
    probe = define(student, HOLDINGS)
    # With d_head 1, the largest allowed product has query × block_size elements for each of the 2 sequences.
    query, block_size = 16, 4
    inputs = inputs_of(query, 80, 1, 1, leading=(2,), seed=91)
    check_computes(student.blockwise_attention, [*inputs, block_size], [inputs[0], inputs[1], -inputs[2], block_size])
    largest_product, _ = probe.holdings(student.blockwise_attention, inputs, block_size)
    check_that(largest_product <= 2 * query * block_size, "scores are computed for more than `block_size` keys at once")
    # More keys may add a copy of the keys or an output per block, but much less than a number per query and key.
    query, block_size, few, many = 64, 64, 128, 640
    _, least = probe.holdings(student.blockwise_attention, inputs_of(query, few, 2, 3, seed=92), block_size)
    _, most = probe.holdings(student.blockwise_attention, inputs_of(query, many, 2, 3, seed=93), block_size)
    check_that(
        2 * (most - least) < query * (many - few), "scores or weights of all keys are in memory at the same time"
    )


def test_blockwise_attention_has_the_accuracy_of_its_dtype(student):
    """blockwise_attention: computes in the dtype of its inputs.

    Hint: `.float()` and `dtype=torch.float32` round the sums; the dtype of the inputs is enough.
    """
    inputs = inputs_of(3, 5, 4, 2, leading=(2,), seed=102)
    check_full_accuracy(student.blockwise_attention, [*inputs, 2], [inputs[0], inputs[1], -inputs[2], 2])


def test_blockwise_attention_keeps_the_dtype(student):
    """blockwise_attention: the output has the dtype of the inputs.

    Hint: the tensors that hold your sums need the dtype of the query.
    """
    mask = random_mask(3, 5, seed=101)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        inputs = [tensor.to(dtype) for tensor in inputs_of(3, 5, 4, 2, leading=(2,), seed=102)]
        check_computes(student.blockwise_attention, [*inputs, 2], [inputs[0], inputs[1], -inputs[2], 2])
        check_dtype(student.blockwise_attention(*inputs, 2), dtype)
        check_dtype(student.blockwise_attention(*inputs, 2, mask), dtype)


def test_blockwise_attention_keeps_the_device(student):
    """blockwise_attention: the output is on the device of the inputs.

    Hint: the tensors that hold your sums need the device of the query.
    """
    inputs, mask = inputs_of(3, 5, 4, 2, leading=(2,), seed=103), random_mask(3, 5, seed=104)
    check_computes(student.blockwise_attention, [*inputs, 2], [inputs[0], inputs[1], -inputs[2], 2])
    check_keeps_device(student, student.blockwise_attention, *inputs, 2)
    check_keeps_device(student, student.blockwise_attention, *inputs, 2, mask)


def test_blockwise_attention_leaves_its_inputs_alone(student):
    """blockwise_attention: query, key, value and mask are not modified.

    Hint: a slice is a view: you may write `scores[…] = …` into your own tensors, but not into a slice of `query`.
    """
    inputs, mask = inputs_of(3, 5, 4, 2, leading=(2,), seed=105), random_mask(3, 5, seed=106)
    check_computes(student.blockwise_attention, [*inputs, 2], [inputs[0], inputs[1], -inputs[2], 2])
    check_inputs_unchanged(student, student.blockwise_attention, *inputs, 2)
    check_inputs_unchanged(student, student.blockwise_attention, *inputs, 2, mask)
