"""Public tests: small cases computed by hand. Change them and add your own."""

import math

import positions
import pytest
import torch


def close(actual, expected):
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=1e-5)


def test_sinusoidal_encoding_shape():
    assert positions.sinusoidal_encoding(5, 6).shape == (5, 6), "one row per position, one column per number"


def test_sinusoidal_encoding_first_row():
    row = positions.sinusoidal_encoding(1, 6)[0]
    assert close(row, [0, 1, 0, 1, 0, 1]), "at position 0 every sine is 0 and every cosine is 1, interleaved"


def test_sinusoidal_encoding_by_hand():
    # With base 100 and four columns, the second clock is ten times as slow as the first.
    row = positions.sinusoidal_encoding(4, 4, base=100.0)[3]
    expected = [math.sin(3), math.cos(3), math.sin(0.3), math.cos(0.3)]
    assert close(row, expected), f"row 3 should be sin 3, cos 3, sin 0.3, cos 0.3; it is {row.tolist()}"


def test_sinusoidal_encoding_refuses_an_odd_size():
    with pytest.raises(ValueError):
        positions.sinusoidal_encoding(3, 5)


def learned():
    """Four positions of size 2; row p holds 10·p and 10·p + 1."""
    module = positions.LearnedPositions(4, 2)
    rows = torch.tensor([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0], [30.0, 31.0]])
    module.load_state_dict({"weight": rows})
    return module


def test_learned_positions_add_rows():
    result = learned()(torch.ones(1, 2, 2))
    assert close(result, [[[1, 2], [11, 12]]]), "the first token gets row 0, the second token row 1"


def test_learned_positions_start():
    result = learned()(torch.zeros(1, 2, 2), start=1)
    assert close(result, [[[10, 11], [20, 21]]]), "with start=1 the first token gets row 1"


def test_learned_positions_end():
    assert learned()(torch.zeros(1, 4, 2)).shape == (1, 4, 2), "all four rows can be used"
    with pytest.raises(ValueError):
        learned()(torch.zeros(1, 5, 2))


def test_rotary_angles_by_hand():
    cos, sin = positions.rotary_angles(torch.tensor([0, 3]), 4, base=100.0)
    assert cos.shape == sin.shape == (2, 2), "the axis of positions comes first, then one column per pair"
    assert close(cos, [[1, 1], [math.cos(3), math.cos(0.3)]]), (
        "the first result is the cosine; pair 1 is ten times slower than pair 0"
    )
    assert close(sin, [[0, 0], [math.sin(3), math.sin(0.3)]]), "the second result is the sine"


def test_rotary_angles_shape():
    cos, sin = positions.rotary_angles(torch.zeros(2, 3, dtype=torch.int64), 8)
    assert cos.shape == sin.shape == (2, 3, 4), "the axis of pairs comes after all axes of `positions`"


def test_rotary_angles_refuse_an_odd_size():
    with pytest.raises(ValueError):
        positions.rotary_angles(torch.arange(3), 5)


def test_apply_rotary_by_hand():
    # One pair at position 1 rotates by one radian, from the x-axis towards the y-axis.
    result = positions.apply_rotary(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert close(result, [[math.cos(1), math.sin(1)]]), "(1, 0) rotates counter-clockwise to (cos 1, sin 1)"


def test_apply_rotary_pairs_neighbours():
    # With this base the second pair is so slow that it does not change.
    result = positions.apply_rotary(torch.tensor([[1.0, 0.0, 5.0, 7.0]]), torch.tensor([1]), base=1e12)
    assert close(result[0, 2:], [5, 7]), "columns 2 and 3 form the slow pair"
    assert close(result[0, :2], [math.cos(1), math.sin(1)]), "columns 0 and 1 form the fast pair"


def test_apply_rotary_leaves_position_0_alone():
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert close(positions.apply_rotary(x, torch.tensor([0])), x), "at position 0 nothing rotates"


def test_apply_rotary_reads_the_positions_of_each_sequence():
    # Two sequences with one head and one token, at position 0 and at position 1.
    x = torch.tensor([1.0, 0.0]).expand(2, 1, 1, 2)
    result = positions.apply_rotary(x, torch.tensor([[0], [1]]))
    assert result.shape == x.shape, "the result has the shape of x"
    assert close(result[0, 0, 0], [1, 0]), "the first sequence is at position 0: nothing rotates"
    assert close(result[1, 0, 0], [math.cos(1), math.sin(1)]), "the second sequence is at position 1"


def test_apply_rotary_keeps_the_dtype():
    x = torch.ones(3, 4, dtype=torch.bfloat16)
    assert positions.apply_rotary(x, torch.arange(3)).dtype == torch.bfloat16, "the result has the dtype of x"


def test_alibi_bias_by_hand():
    past = torch.ones(3, 3).tril()
    expected = [[0, 0, 0], [-1 / 16, 0, 0], [-2 / 16, -1 / 16, 0]]
    bias = positions.alibi_bias(2, 3, 3)
    assert bias.shape == (2, 3, 3), "the axes are heads, queries and keys"
    assert close(bias[0].where(past > 0, 0), expected), "head 0 of 2 has slope 1/16"
    assert close(bias[1].where(past > 0, 0), torch.tensor(expected) / 16), "head 1 of 2 has slope 1/256"


def test_alibi_bias_of_a_cached_step():
    bias = positions.alibi_bias(1, 1, 3)
    assert close(bias[0, 0] * 256, [-2, -1, 0]), "a single query lines up with the last key"
