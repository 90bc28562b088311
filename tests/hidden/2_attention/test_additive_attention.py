"""Hidden tests of AdditiveAttention. Oracle: the additive scores by einsum; PyTorch's softmax."""

import torch
from attention_oracles import LONG, check_softmax_values, check_sole_weight
from hypothesis import example, given

from autograder.judge.compare import check_dtype, check_equal, check_results, check_that
from autograder.judge.probes import (
    check_computes,
    check_full_accuracy,
    check_inputs_unchanged,
    check_keeps_device,
    gradients,
)
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

D_QUERY, D_KEY, D_HIDDEN = 3, 5, 7


def parameters_of(seed, scale=1.0):
    """A state dict, each matrix with its own seed."""
    return {
        "query_proj.weight": normal_tensor(D_HIDDEN, D_QUERY, seed=seed, scale=scale),
        "key_proj.weight": normal_tensor(D_HIDDEN, D_KEY, seed=seed + 1, scale=scale),
        "score.weight": normal_tensor(1, D_HIDDEN, seed=seed + 2, scale=scale),
    }


def module_of(student, parameters):
    """The student's module in float64, with these parameters."""
    module = student.AdditiveAttention(D_QUERY, D_KEY, D_HIDDEN).double()
    module.load_state_dict(parameters, strict=False)  # another check covers unexpected parameters
    return module


def sequences_of(batch, query, key, d_value, *, seed):
    """Query, key and value of a batch, each with its own seed."""
    shapes = ((batch, query, D_QUERY), (batch, key, D_KEY), (batch, key, d_value))
    return [normal_tensor(*shape, seed=seed + 10 + number) for number, shape in enumerate(shapes)]


def additive(parameters, query, key, value, mask=None):
    """Output and weights; the scores are computed for all pairs at once."""
    hidden_query = torch.einsum("hd,bqd->bqh", parameters["query_proj.weight"], query).unsqueeze(2)
    hidden_key = torch.einsum("hd,bkd->bkh", parameters["key_proj.weight"], key).unsqueeze(1)
    scores = torch.einsum("h,bqkh->bqk", parameters["score.weight"][0], torch.tanh(hidden_query + hidden_key))
    blocked = torch.zeros_like(scores, dtype=torch.bool) if mask is None else ~mask
    weights = torch.softmax(scores.masked_fill(blocked, float("-inf")), dim=-1)
    return torch.einsum("bqk,bkv->bqv", weights, value), weights


def test_additive_attention_has_the_parameters_listed(student):
    """AdditiveAttention: the only parameters are the weights of query_proj, key_proj, score.

    Hint: three linear layers, all without bias; `nn.Linear(in_features, out_features)`.
    """
    state = student.AdditiveAttention(D_QUERY, D_KEY, D_HIDDEN).state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in parameters_of(0).items()}
    check_equal(sorted(state), sorted(expected), says="the names in the state dict differ from the parameters listed")
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    check_equal(shapes, expected, says="a parameter does not have the shape of a linear layer of the sizes listed")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (2, 5, LONG, 3))
@example(2, (3, 3, 3, 3))
@example(3, (1, 1, 1, 1))
def test_additive_attention_averages_the_values(student, seed, sizes):
    """AdditiveAttention: the output is the average of the values under the additive scores.

    Hint: the score is score(tanh(query_proj(q) + key_proj(k))). Pair each query with each key before the tanh: one
    axis for queries, one axis for keys.
    """
    parameters, inputs = parameters_of(seed), sequences_of(*sizes, seed=seed)
    output = check_results(module_of(student, parameters)(*inputs), 2)[0]
    check_softmax_values(output, additive(parameters, *inputs)[0], axes="batch, query, d_value")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (2, 5, LONG, 3))
@example(2, (3, 3, 3, 3))
def test_additive_attention_returns_the_weights(student, seed, sizes):
    """AdditiveAttention: the second result is the weights; rows sum to one.

    Hint: the weights are `(batch, query, key)`; the softmax runs over the keys.
    """
    parameters, inputs = parameters_of(seed), sequences_of(*sizes, seed=seed)
    weights = check_results(module_of(student, parameters)(*inputs), 2)[1]
    check_softmax_values(weights, additive(parameters, *inputs)[1], axes="batch, query, key")
    alone = [inputs[0], inputs[1][:, :1], inputs[2][:, :1]]
    check_sole_weight(check_results(module_of(student, parameters)(*alone), 2)[1])


@given(seeds())
def test_additive_attention_is_stable_for_large_scores(student, seed):
    """AdditiveAttention: large parameters do not overflow.

    Hint: subtract the maximum before every exponential.
    """
    inputs = sequences_of(2, 3, 4, 5, seed=seed)
    for sign in (1.0, -1.0):
        # Every key has the same hidden features, so the scores are large and equal.
        parameters = {name: torch.zeros_like(tensor) for name, tensor in parameters_of(seed).items()}
        parameters["query_proj.weight"][:, 0], parameters["score.weight"][:] = 1e3, sign * 1e3
        inputs[0][..., 0] = 1.0
        check_softmax_values(check_results(module_of(student, parameters)(*inputs), 2), additive(parameters, *inputs))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (2, 5, LONG, 3))
@example(2, (3, 3, 3, 3))
def test_additive_attention_obeys_the_mask(student, seed, sizes):
    """AdditiveAttention: blocked keys get weight 0 under any mask that broadcasts.

    Hint: the rule is that of `masked_softmax`; pass the mask on.
    """
    batch, query, key, _ = sizes
    parameters, inputs = parameters_of(seed), sequences_of(*sizes, seed=seed)
    module = module_of(student, parameters)
    for mask_shape in ((query, key), (1, key), (batch, 1, key), (batch, query, key), (1, query, key)):
        mask = random_mask(*mask_shape, seed=seed + 20)
        check_softmax_values(check_results(module(*inputs, mask), 2), additive(parameters, *inputs, mask))
    longer = [inputs[0], torch.cat([inputs[1]] * 2, dim=1), torch.cat([inputs[2], 1e4 * inputs[2]], dim=1)]
    is_real = (torch.arange(2 * key) < key).expand(batch, 1, 2 * key)
    check_softmax_values(check_results(module(*longer, mask=is_real), 2)[0], additive(parameters, *inputs)[0])


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
def test_additive_attention_gives_zeros_where_everything_is_blocked(student, seed, sizes):
    """AdditiveAttention: where every key is blocked, output and weights are zero.

    Hint: the rule is that of `masked_softmax`.
    """
    _, query, key, d_value = sizes
    inputs = sequences_of(*sizes, seed=seed)
    mask = random_mask(query, key, seed=seed + 20)
    mask[1] = False
    output, weights = check_results(module_of(student, parameters_of(seed))(*inputs, mask), 2)
    check_softmax_values(output[:, 1], torch.zeros(sizes[0], d_value, dtype=torch.float64))
    check_softmax_values(weights[:, 1], torch.zeros(sizes[0], key, dtype=torch.float64))
    check_that(float(weights[:, 0].sum()) > 0, "the other queries get zero weights as well")


@given(seeds())
def test_additive_attention_learns_all_its_parameters(student, seed):
    """AdditiveAttention: the gradients of the three linear layers are correct.

    Hint: compute with the layers themselves, not with their `.data`, and detach nothing.
    """
    parameters, inputs = parameters_of(seed), sequences_of(2, 4, 3, 6, seed=seed)
    grad_output = normal_tensor(2, 4, 6, seed=seed + 30)
    module = module_of(student, parameters)
    check_results(module(*inputs), 2)[0].backward(grad_output)
    found = gradients(module)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in parameters.items()}
    expected = torch.autograd.grad(additive(leaves, *inputs)[0], list(leaves.values()), grad_output)
    check_softmax_values([found.get(name) for name in leaves], list(expected))


def test_additive_attention_has_the_accuracy_of_its_dtype(student):
    """AdditiveAttention: computes in the dtype of its parameters.

    Hint: `.float()` and `dtype=torch.float32` round the scores; the dtype of the inputs is enough.
    """
    inputs, module = sequences_of(1, 4, 4, 6, seed=72), module_of(student, parameters_of(79))
    for mask in (random_mask(4, 4, seed=71), None):
        check_full_accuracy(module, [*inputs, mask], [inputs[0], inputs[1], -inputs[2], mask])


def test_additive_attention_keeps_the_dtype(student):
    """AdditiveAttention: output and weights have the dtype of the inputs.

    Hint: a tensor that you create may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=71)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        module = student.AdditiveAttention(D_QUERY, D_KEY, D_HIDDEN).to(dtype)
        inputs = [tensor.to(dtype) for tensor in sequences_of(1, 4, 4, 6, seed=72)]
        check_computes(module, [*inputs, mask], [inputs[0], inputs[1], -inputs[2], mask])
        for more in ([], [mask]):
            for tensor in check_results(module(*inputs, *more), 2):
                check_dtype(tensor, dtype)


def test_additive_attention_keeps_the_device(student):
    """AdditiveAttention: output and weights are on the device of the inputs.

    Hint: tensors that you create need the device of the query.
    """
    inputs, mask = sequences_of(1, 4, 4, 6, seed=73), random_mask(4, 4, seed=74)
    module = module_of(student, parameters_of(75))
    check_computes(module, [*inputs, mask], [inputs[0], inputs[1], -inputs[2], mask])
    check_keeps_device(student, module, *inputs, mask)


def test_additive_attention_leaves_its_inputs_alone(student):
    """AdditiveAttention: query, key, value and mask are not modified.

    Hint: functions whose names end in an underscore modify the tensor they are given.
    """
    inputs, mask = sequences_of(1, 4, 4, 6, seed=76), random_mask(4, 4, seed=77)
    module = module_of(student, parameters_of(78))
    check_computes(module, [*inputs, mask], [inputs[0], inputs[1], -inputs[2], mask])
    check_inputs_unchanged(student, module, *inputs, mask)
