"""Hidden tests of MultiHeadAttention, alone and with a KeyValueCache.

Oracles: each head computed separately from its rows of the projections; PyTorch's multi-head attention; and
invariants that hold for any parameters: masked weights are the unmasked weights, renormalised; cross-attention to
x itself is self-attention; a cache changes no result.
"""

import torch
from hypothesis import given

from autograder.judge.compare import (
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, gradients
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

LINEARS = ("query_proj", "key_proj", "value_proj", "output_proj")


def state_of(d_model, *, seed, d_kv=None, bias=False):
    """A state dict, each parameter with its own seed, scaled so that scores are of order 1."""
    state = {}
    for number, name in enumerate(LINEARS):
        rows = d_kv if d_kv and name in ("key_proj", "value_proj") else d_model
        state[f"{name}.weight"] = normal_tensor(rows, d_model, seed=seed + number, scale=d_model**-0.5)
        if bias:
            state[f"{name}.bias"] = normal_tensor(rows, seed=seed + 10 + number)
    return state


def module_of(student, state, num_heads, **options):
    """The student's module in float64, with these parameters."""
    d_model = state["query_proj.weight"].shape[0]
    module = student.MultiHeadAttention(d_model, num_heads, **options).double()
    module.load_state_dict(state, strict=False)  # another check covers unexpected parameters
    return module


def head_by_head(state, num_heads, x, memory):
    """Output and weights; each head is computed from its rows of the projections."""
    d_head = x.shape[-1] // num_heads

    def project(name, tokens, head):
        rows = slice(head * d_head, (head + 1) * d_head)
        bias = state[f"{name}.bias"][rows] if f"{name}.bias" in state else 0.0
        return torch.einsum("bld,hd->blh", tokens, state[f"{name}.weight"][rows]) + bias

    heads, weights = [], []
    for head in range(num_heads):
        scores = torch.einsum("bqd,bkd->bqk", project("query_proj", x, head), project("key_proj", memory, head))
        weights.append(torch.softmax(scores / d_head**0.5, dim=-1))
        heads.append(weights[-1] @ project("value_proj", memory, head))
    output = torch.cat(heads, dim=-1) @ state["output_proj.weight"].T
    return output + state.get("output_proj.bias", 0.0), torch.stack(weights, dim=1)


def torch_module(state, num_heads):
    """PyTorch's module with the same parameters; they must have no bias."""
    d_model = state["query_proj.weight"].shape[0]
    module = torch.nn.MultiheadAttention(d_model, num_heads, bias=False, batch_first=True, dtype=torch.float64)
    fused = torch.cat([state[f"{name}.weight"] for name in LINEARS[:3]])
    module.load_state_dict({"in_proj_weight": fused, "out_proj.weight": state["output_proj.weight"]})
    return module


def output_of(module, x, **options):
    """The module's first result, checked to have the shape of `x`."""
    output = check_results(module(x, **options), 2)[0]
    check_shape(output, tuple(x.shape), axes="batch, query, d_model")
    return output


def weights_of(module, heads, x, *, memory=None, **options):
    """The module's second result, checked to have the shape of a call without a cache."""
    weights = check_results(module(x, memory, **options), 2)[1]
    keys = x.shape[1] if memory is None else memory.shape[1]
    check_shape(weights, (x.shape[0], heads, x.shape[1], keys), axes="batch, heads, query, key")
    return weights


def renormalise(weights, mask):
    """The weights after a mask of four axes blocks some keys of each row."""
    kept = weights.detach() * mask
    return kept / kept.sum(dim=-1, keepdim=True)


def check_obeys_masks(student, seed, sizes, mask_shapes):
    """Check that, under masks of these shapes, the weights of the allowed keys keep their proportions.

    A shape of three axes means `(batch, query, key)`.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x = normal_tensor(batch, length, heads * d_head, seed=seed + 20)
    unmasked = weights_of(module, heads, x)
    for number, shape in enumerate(mask_shapes):
        mask = random_mask(*shape, seed=seed + 30 + number)
        full_mask = (mask.unsqueeze(1) if mask.ndim == 3 else mask).expand(batch, heads, length, length)
        check_values(weights_of(module, heads, x, mask=mask), renormalise(unmasked, full_mask))


def test_multi_head_attention_has_the_parameters_listed(student):
    """MultiHeadAttention: the only parameters are four linear layers, by default without bias.

    Hint: four `nn.Linear` layers with the names listed; keys and values have num_kv_heads·d_head features.
    """
    for d_model, heads, kv_heads in ((12, 4, None), (12, 4, 2), (15, 5, 1)):
        state = student.MultiHeadAttention(d_model, heads, kv_heads).state_dict()
        d_kv = d_model // heads * (kv_heads or heads)
        expected = {name: tuple(tensor.shape) for name, tensor in state_of(d_model, d_kv=d_kv, seed=0).items()}
        check_equal(
            sorted(state), sorted(expected), says="the names in the state dict differ from the parameters listed"
        )
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        check_equal(shapes, expected, says="a parameter does not have the shape of a linear layer of the sizes listed")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
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
        check_values(output, expected, axes="batch, query, d_model")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_returns_the_weights_of_every_head(student, seed, sizes):
    """MultiHeadAttention: the second result is the weights of each head; rows sum to one.

    Hint: do not average over heads: each head has its own index along axis 1.
    """
    batch, length, heads, d_head = sizes
    for count, size in ((heads, d_head), (length, d_head)):
        state = state_of(count * size, seed=seed)
        x = normal_tensor(batch, length, count * size, seed=seed + 20)
        weights = check_results(module_of(student, state, count)(x), 2)[1]
        check_values(weights, head_by_head(state, count, x, x)[1], axes="batch, heads, query, key")


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
        check_values(module(x), head_by_head(state, heads, x, x))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_multi_head_attention_groups_its_queries(student, seed, sizes):
    """MultiHeadAttention: with fewer key/value heads, neighbouring query heads share them.

    Hint: repeat each key/value head for its group of query heads, then continue as with equal numbers of heads.
    """
    batch, length, d_head = sizes
    for heads, kv_heads in ((6, 2), (4, 1)):
        state = state_of(heads * d_head, seed=seed, d_kv=kv_heads * d_head)
        x, other = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21))
        grouped = module_of(student, state, heads, num_kv_heads=kv_heads)
        # Grouping equals a module without groups whose key/value heads are equal within each group.
        for name in ("key_proj.weight", "value_proj.weight"):
            by_head = state[name].unflatten(0, (kv_heads, d_head))
            state[name] = by_head.repeat_interleave(heads // kv_heads, dim=0).flatten(0, 1)
        check_computes(grouped, [x], [other])
        check_values(grouped(x), module_of(student, state, heads)(x))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_reads_from_memory(student, seed, sizes):
    """MultiHeadAttention: keys and values come from `memory`, and only queries from `x`.

    Hint: two of the four projections read the memory.
    """
    batch, length, heads, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    memory, other = (normal_tensor(batch, length + 1, heads * d_head, seed=seed + number) for number in (20, 21))
    check_computes(module, [other, memory], [other, memory * 2])
    output, weights = output_of(module, memory), weights_of(module, heads, memory)
    # Queries and memory may differ in length or in order, or have the same length and yet differ.
    for queries in (torch.arange(length), torch.arange(length + 1).flip(0), torch.arange(2 * length) % length):
        found = module(memory[:, queries], memory=memory)
        check_values(found, [output[:, queries], weights[:, :, queries]])


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_takes_masks_of_two_axes(student, seed, sizes):
    """MultiHeadAttention: a mask `(query, key)` applies to every sequence and every head.

    Hint: True means "may attend"; let the mask broadcast over the axes it lacks.
    """
    length = sizes[2]
    check_obeys_masks(student, seed, sizes, ((length, length), (1, length)))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_takes_masks_of_three_axes(student, seed, sizes):
    """MultiHeadAttention: a mask `(batch, query, key)` applies to all heads of its sequence.

    Hint: the axis of heads is missing: where does it belong? Also consider a batch of as many sequences as heads.
    """
    batch, heads, length, d_head = sizes
    for count in (batch, heads):
        shapes = ((count, length, length), (1, length, length))
        check_obeys_masks(student, seed, (count, heads, length, d_head), shapes)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_takes_masks_of_four_axes(student, seed, sizes):
    """MultiHeadAttention: a mask of four axes may differ by head; axes of size 1 broadcast.

    Hint: such a mask lacks no axis: leave it as it is.
    """
    batch, heads, length, _ = sizes
    full = (batch, heads, length, length)
    check_obeys_masks(student, seed, sizes, (full, (1, heads, 1, length), (batch, 1, 1, length)))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_passes_over_padding(student, seed, sizes):
    """MultiHeadAttention: padding blocked by a mask `(batch, 1, key)` affects no real token.

    Hint: an axis of size 1 is broadcast; it need not have the size of the query axis.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other, padding = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21, 22))
    check_computes(module, [x], [other])
    before, padded = output_of(module, x), torch.cat([x, padding], dim=1)
    for count in (batch, 1):
        real = (torch.arange(2 * length) < length).expand(count, 1, 2 * length)
        check_values(output_of(module, padded, mask=real)[:, :length], before)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_masks_the_memory(student, seed, sizes):
    """MultiHeadAttention: in cross-attention, the mask applies to positions of the memory.

    Hint: the mask's key axis is that of the memory; the rule is the same as without a memory.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, memory = (normal_tensor(batch, size, heads * d_head, seed=seed + 20 + size) for size in (length, length + 1))
    unmasked = weights_of(module, heads, x, memory=memory)
    for number, shape in enumerate(((batch, 1, length + 1), (batch, length, length + 1))):
        mask = random_mask(*shape, seed=seed + 30 + number)
        weights = weights_of(module, heads, x, memory=memory, mask=mask)
        check_values(weights, renormalise(unmasked, mask.unsqueeze(1)))


@given(seeds(), distinct_sizes(count=4, min_size=3, max_size=6))
def test_multi_head_attention_is_not_touched_by_blocked_keys(student, seed, sizes):
    """MultiHeadAttention: blocked positions do not affect the output.

    Hint: block before the softmax, and replace the score instead of lowering it.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21))
    check_computes(module, [x], [other])
    mask = random_mask(length, length, seed=seed + 30)
    mask[:, 0], mask[:, 1] = True, False
    unblocked = [position for position in range(length) if position != 1]
    for scale in (1.0, 1e3):
        before = output_of(module, x * scale, mask=mask)
        changed = x * scale
        changed[:, 1] = 1e4 * other[:, 1]
        check_values(output_of(module, changed, mask=mask)[:, unblocked], before[:, unblocked])
    # The only allowed key has all the weight, however low its score.
    only = torch.arange(length) == 1
    weights = weights_of(module, heads, x * 1e3, mask=only.expand(length, -1))
    check_values(weights, only.double().expand(weights.shape))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_multi_head_attention_gives_zeros_where_everything_is_blocked(student, seed, sizes):
    """MultiHeadAttention: where every key is blocked, weights and output_proj's input are zero.

    Hint: what does a linear layer with a bias return for zeros?
    """
    batch, heads, length, d_head = sizes
    x = normal_tensor(batch, length, heads * d_head, seed=seed + 20)
    square = (length, length)
    for bias, shapes in ((True, (square, (batch, *square), (length, 1))), (False, (square,))):
        state = state_of(heads * d_head, seed=seed, bias=bias)
        module = module_of(student, state, heads, bias=bias)
        empty_output = state.get("output_proj.bias", torch.zeros(heads * d_head, dtype=torch.float64))
        for shape in shapes:
            mask = torch.ones(shape, dtype=torch.bool)
            mask[..., 1, :] = False
            output, weights = output_of(module, x, mask=mask), weights_of(module, heads, x, mask=mask)
            check_values(output[:, 1], empty_output.expand(batch, -1))
            check_values(weights[:, :, 1], torch.zeros(batch, heads, length, dtype=torch.float64))
            sums = weights[:, :, 0].sum(dim=-1)
            check_values(sums, torch.ones_like(sums), says="the weights of the other queries do not sum to one")


@given(seeds())
def test_multi_head_attention_is_stable_for_large_scores(student, seed):
    """MultiHeadAttention: large inputs do not overflow.

    Hint: subtract the maximum before every exponential.
    """
    module = module_of(student, state_of(6, seed=seed), 3)
    x, other = normal_tensor(2, 5, 6, seed=seed + 20), normal_tensor(2, 5, 6, seed=seed + 21)
    check_computes(module, [x], [other])
    for scale in (30.0, 1000.0):
        check_finite(output_of(module, x * scale))
        weights = weights_of(module, 3, x * scale)
        check_values(weights.sum(dim=-1), torch.ones(2, 3, 5, dtype=torch.float64))


@given(seeds())
def test_multi_head_attention_learns_all_its_parameters(student, seed):
    """MultiHeadAttention: the gradients of the four linear layers are correct.

    Hint: compute with the layers themselves, not with their `.data`, and detach nothing.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, 4, 6, seed=seed + 20)
    grad_output = normal_tensor(2, 4, 6, seed=seed + 21)
    module, expected_module = module_of(student, state, 3), torch_module(state, 3)
    output_of(module, x).backward(grad_output)
    expected_module(x, x, x)[0].backward(grad_output)
    expected = [*expected_module.in_proj_weight.grad.chunk(3), expected_module.out_proj.weight.grad]
    found = gradients(module)
    check_values([found.get(f"{name}.weight") for name in LINEARS], expected)


@given(seeds())
def test_multi_head_attention_passes_gradients_to_its_inputs(student, seed):
    """MultiHeadAttention: the gradients of x and memory are correct.

    Hint: use tensor operations throughout; `.data`, `.item()` and NumPy leave the autograd graph.
    """
    state, grad_output = state_of(6, seed=seed), normal_tensor(2, 4, 6, seed=seed + 20)
    inputs = [normal_tensor(2, length, 6, seed=seed + length, requires_grad=True) for length in (4, 5)]
    module = module_of(student, state, 3)
    x, memory = inputs
    for leaves, source in (([x], None), (inputs, memory)):
        found = torch.autograd.grad((output_of(module, x, memory=source) * grad_output).sum(), leaves)
        expected = head_by_head(state, 3, x, x if source is None else source)[0]
        check_values(found, torch.autograd.grad(expected, leaves, grad_output))


@given(seeds())
def test_multi_head_attention_drops_attention_weights(student, seed):
    """MultiHeadAttention: dropout zeroes attention weights at its rate and scales up the rest.

    Hint: in training, apply dropout to the weights, just before they average the values.
    """
    # With one head and one key, a dropped weight sets the whole position to zero.
    state, x = state_of(3, seed=seed), normal_tensor(2000, 1, 3, seed=seed + 20)
    without_dropout = output_of(module_of(student, state, 1), x)
    output = output_of(module_of(student, state, 1, dropout=0.2), x)
    check_values(output, torch.where(output[:, :, :1] == 0, 0.0, without_dropout / 0.8))
    dropped = int((output[:, 0, 0] == 0).sum())
    # The mean is 400 of 2000; a difference of 120 is 6.7 standard deviations.
    check_that(280 < dropped < 520, "the share of dropped attention weights does not match the dropout rate")


@given(seeds())
def test_multi_head_attention_drops_nothing_in_eval_mode(student, seed):
    """MultiHeadAttention: dropout is off in eval mode, and by default.

    Hint: `nn.Dropout` knows the mode; the functional form needs `training=self.training`.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, 5, 6, seed=seed + 20)
    plain = module_of(student, state, 3)
    check_computes(plain, [x], [-x])
    check_values(plain(x), plain(x))
    check_values(module_of(student, state, 3, dropout=0.9).eval()(x), plain(x))


@given(seeds())
def test_multi_head_attention_returns_weights_before_dropout(student, seed):
    """MultiHeadAttention: the returned weights are those before dropout, also in training.

    Hint: keep the weights in one variable and the result of dropout in another.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, 5, 6, seed=seed + 20)
    plain, dropping = module_of(student, state, 3), module_of(student, state, 3, dropout=0.5)
    expected = weights_of(plain, 3, x)
    check_values(expected.sum(dim=-1), torch.ones(2, 3, 5, dtype=torch.float64))
    check_values(weights_of(dropping, 3, x), expected)


def test_multi_head_attention_keeps_the_dtype(student):
    """MultiHeadAttention: output and weights have the dtype of the inputs.

    Hint: a tensor that you create for the scale or the mask may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=81)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        module = student.MultiHeadAttention(8, 4, 2).to(dtype)
        x, other = (normal_tensor(1, 4, 8, seed=seed, dtype=dtype) for seed in (82, 83))
        check_computes(module, [x, x, mask], [other, other, mask])
        for more in ([], [x], [x, mask]):
            for tensor in check_results(module(x, *more), 2):
                check_dtype(tensor, dtype)


def test_multi_head_attention_keeps_the_device(student):
    """MultiHeadAttention: output and weights are on the device of the inputs.

    Hint: tensors that you create need the device of x.
    """
    x, other, mask = normal_tensor(1, 4, 8, seed=84), normal_tensor(1, 4, 8, seed=85), random_mask(4, 4, seed=86)
    module = module_of(student, state_of(8, seed=87), 4)
    check_computes(module, [x], [other])
    check_keeps_device(student, module, x)
    check_keeps_device(student, module, x, mask=mask)


def test_multi_head_attention_leaves_its_inputs_alone(student):
    """MultiHeadAttention: x, memory and mask are not modified.

    Hint: functions whose names end in an underscore, and `+=`, modify the tensor they are given.
    """
    x, memory = normal_tensor(1, 4, 8, seed=88), normal_tensor(1, 4, 8, seed=89)
    module = module_of(student, state_of(8, seed=90), 4)
    check_computes(module, [x, memory], [memory, x])
    check_inputs_unchanged(student, module, x)
    for shape in ((4, 4), (1, 4, 4), (1, 4, 4, 4)):
        mask = random_mask(*shape, seed=91, keep_one=False)
        check_inputs_unchanged(student, module, x, memory=memory, mask=mask)
        check_inputs_unchanged(student, module, x, mask=mask)


def test_multi_head_attention_refuses_what_does_not_divide(student):
    """MultiHeadAttention: numbers of heads or features that do not divide raise a ValueError.

    Hint: check both remainders before you create the linear layers; raise a ValueError.
    """
    for sizes in ((10, 4), (9, 2), (12, 4, 3), (12, 2, 4)):
        with check_raises(ValueError, says="no error is raised although the numbers do not divide"):
            student.MultiHeadAttention(*sizes)


def test_multi_head_attention_names_the_numbers_that_do_not_divide(student):
    """MultiHeadAttention: the error message names the two numbers that do not divide.

    Hint: put the two numbers that do not divide into the message of the ValueError.
    """
    for sizes, numbers in (((10, 4), (10, 4)), ((24, 6, 4), (6, 4))):
        with check_raises(ValueError, naming=numbers):
            student.MultiHeadAttention(*sizes)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
def test_decoding_token_by_token_equals_one_causal_pass(student, seed, sizes):
    """KeyValueCache: decoding token by token equals one causal pass.

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
        cache = student.KeyValueCache()
        for step in range(length):
            newest = slice(step, step + 1)
            found = module(x[:, newest], cache=cache)
            check_values(found, [output[:, newest], weights[:, :, newest, : step + 1]])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
def test_decoding_in_pieces_obeys_the_mask(student, seed, sizes):
    """KeyValueCache: with several new tokens, the mask's key axis spans old and new keys.

    Hint: the mask is for the keys that the cache returns, not for those of x alone.
    """
    batch, length, d_head = sizes
    heads, total = 3, length + 3
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other = (normal_tensor(batch, total, heads * d_head, seed=seed + number) for number in (20, 21))
    check_computes(module, [x], [other])
    mask = random_mask(batch, total, total, seed=seed + 30)
    mask[:, :, 0] = True
    mask &= torch.ones(total, total, dtype=torch.bool).tril()
    output, weights = output_of(module, x, mask=mask), weights_of(module, heads, x, mask=mask)
    cache = student.KeyValueCache()
    for start, end in ((0, 2), (2, 3), (3, total)):
        found = module(x[:, start:end], mask=mask[:, start:end, :end], cache=cache)
        check_values(found, [output[:, start:end], weights[:, :, start:end, :end]])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
def test_cross_attention_leaves_the_cache_alone(student, seed, sizes):
    """KeyValueCache: with a memory, the cache is neither read nor written.

    Hint: the memory does not grow with the text: do not append any of it to the cache.
    """
    batch, length, d_head = sizes
    module = module_of(student, state_of(3 * d_head, seed=seed), 3)
    x, memory = (normal_tensor(batch, size, 3 * d_head, seed=seed + size) for size in (length, length + 1))
    check_computes(module, [x, memory], [-x, memory])
    cache = student.KeyValueCache()
    for expected_length in (0, length):
        check_values(module(x, memory, cache=cache), module(x, memory))
        check_equal(len(cache), expected_length, says="the length of the cache changes although a memory is given")
        module(x, cache=cache)
