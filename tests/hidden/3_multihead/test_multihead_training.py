"""Hidden tests of MultiHeadAttention: gradients, dropout, dtype, device and inputs.

Oracles: PyTorch's multi-head attention; each head computed separately from its rows of the projections.
"""

import torch
from hypothesis import given
from multihead_oracles import (
    LINEARS,
    LONG,
    check_attention_values,
    head_by_head,
    module_of,
    output_of,
    state_of,
    torch_module,
    weights_of,
)

from autograder.judge.compare import check_dtype, check_results, check_that
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, gradients
from autograder.judge.strategies import normal_tensor, random_mask, seeds


@given(seeds())
def test_multi_head_attention_learns_all_its_parameters(student, seed):
    """MultiHeadAttention: the gradients of the four linear layers are correct.

    Hint: compute with the layers themselves, not with their `.data`, and detach nothing.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, LONG, 6, seed=seed + 20)
    grad_output = normal_tensor(2, LONG, 6, seed=seed + 21)
    module, expected_module = module_of(student, state, 3), torch_module(state, 3)
    output_of(module, x).backward(grad_output)
    expected_module(x, x, x)[0].backward(grad_output)
    expected = [*expected_module.in_proj_weight.grad.chunk(3), expected_module.out_proj.weight.grad]
    found = gradients(module)
    check_attention_values([found.get(f"{name}.weight") for name in LINEARS], expected)


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
        check_attention_values(found, torch.autograd.grad(expected, leaves, grad_output))


@given(seeds())
def test_multi_head_attention_drops_attention_weights(student, seed):
    """MultiHeadAttention: dropout zeroes attention weights at its rate and scales up the rest.

    Hint: in training, apply dropout to the weights, just before they average the values.
    """
    # All weights are 1/4. Orthogonal matrices mix the features, so only weights dropped before the values are averaged
    # are found again when the mixing is undone.
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / 2**0.5
    four, x = torch.kron(pair, pair), torch.eye(4, 8, dtype=torch.float64).expand(500, 4, 8)
    mixed = torch.kron(pair, four)
    state = {f"{name}.weight": torch.zeros(8, 8, dtype=torch.float64) for name in LINEARS}
    state["value_proj.weight"][:4, :4] = state["value_proj.weight"][4:, :4] = four
    state["output_proj.weight"] = mixed
    module = module_of(student, state, 2, dropout=0.2)
    for memory in (None, x):
        kept = (output_of(module, x, memory=memory) @ mixed).unflatten(-1, (2, 4)) @ four  # (batch, query, heads, key)
        dropped = kept.abs() < 1e-3
        check_attention_values(kept, torch.where(dropped, 0.0, torch.full_like(kept, 0.25 / 0.8)))
        # The mean is 3200 of 16000; a difference of 350 is 6.9 standard deviations.
        says = "the share of dropped attention weights does not match the dropout rate"
        check_that(2850 < int(dropped.sum()) < 3550, says)
        for axis, count in enumerate(dropped.shape):
            first, second = dropped.narrow(axis, 0, count - 1), dropped.narrow(axis, 1, count - 1)
            # Two weights dropped independently agree with probability 0.68.
            agreement = float((first == second).double().mean())
            check_that(0.6 < agreement < 0.76, "attention weights are not dropped independently of each other")


@given(seeds())
def test_multi_head_attention_drops_nothing_in_eval_mode(student, seed):
    """MultiHeadAttention: dropout is off in eval mode, and by default.

    Hint: `nn.Dropout` knows the mode; the functional form needs `training=self.training`.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, 5, 6, seed=seed + 20)
    plain = module_of(student, state, 3)
    check_computes(plain, [x], [-x])
    check_attention_values(plain(x), plain(x))
    check_attention_values(module_of(student, state, 3, dropout=0.9).eval()(x), plain(x))


@given(seeds())
def test_multi_head_attention_returns_weights_before_dropout(student, seed):
    """MultiHeadAttention: the returned weights are those before dropout, also in training.

    Hint: keep the weights in one variable and the result of dropout in another.
    """
    state, x = state_of(6, seed=seed), normal_tensor(2, 5, 6, seed=seed + 20)
    plain, dropping = module_of(student, state, 3), module_of(student, state, 3, dropout=0.5)
    expected = weights_of(plain, 3, x)
    check_attention_values(expected.sum(dim=-1), torch.ones(2, 3, 5, dtype=torch.float64))
    check_attention_values(weights_of(dropping, 3, x), expected)


def test_multi_head_attention_keeps_the_dtype(student):
    """MultiHeadAttention: output and weights have the dtype of the inputs.

    Hint: a tensor that you create for the scale or the mask may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=81)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
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
    x, other, mask = normal_tensor(1, 4, 8, seed=84), normal_tensor(1, 4, 8, seed=85), random_mask(1, 4, 4, seed=86)
    module = module_of(student, state_of(8, seed=87), 4)
    check_computes(module, [x], [other])
    check_keeps_device(student, module, x)
    check_keeps_device(student, module, x, mask=mask)
    check_keeps_device(student, module, x, mask=mask[0])
    check_keeps_device(student, module, x, memory=other)


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
