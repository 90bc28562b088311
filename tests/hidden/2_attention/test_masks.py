"""Hidden tests of causal_mask and padding_mask. Oracle: masks built in loops."""

import torch

from autograder.judge.compare import check_close, check_equal, check_that
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, define

# "meta" stands for a default device that is not the CPU, as `torch.set_default_device` sets it.
ON_DEFAULT_DEVICE = """
import torch

def device_by_default(function, lengths):
    with torch.device("meta"):
        return function(*lengths).device.type
"""


def aligned_at_the_end(query_length, key_length):
    """Causal mask, built in loops: True where the key is at least as far from the end as the query."""
    rows = [
        [key_length - 1 - key >= query_length - 1 - query for key in range(key_length)] for query in range(query_length)
    ]
    return torch.tensor(rows, dtype=torch.bool).reshape(query_length, key_length)


def test_causal_mask_hides_the_future(student):
    """causal_mask: each position may attend to itself and earlier positions only.

    Hint: True means "may attend"; the diagonal is True.
    """
    for length in (4, 2, 1, 40):
        expected = aligned_at_the_end(length, length)
        check_close(student.causal_mask(length), expected, axes="query, key")
        check_close(student.causal_mask(length, length), expected, axes="query, key")
        check_close(student.causal_mask(length, key_length=None), expected, axes="query, key")


def test_causal_mask_lines_up_the_last_query_with_the_last_key(student):
    """causal_mask: with more keys than queries, the last query lines up with the last key.

    Hint: with a cache, the queries are the last positions. By how much does a query's index differ from the index of
    its own key?
    """
    for query_length, key_length in ((3, 7), (2, 3), (1, 6), (3, 40), (1, 40), (30, 40)):
        expected = aligned_at_the_end(query_length, key_length)
        check_close(student.causal_mask(query_length, key_length), expected, axes="query, key")


def test_causal_mask_with_fewer_keys_than_queries(student):
    """causal_mask: with fewer keys than queries, the first queries may attend to nothing.

    Hint: the rule is the same as with more keys; the difference in length is negative here.
    """
    for query_length, key_length in ((5, 3), (4, 1), (40, 30)):
        check_close(student.causal_mask(query_length, key_length), aligned_at_the_end(query_length, key_length))


def test_causal_mask_is_made_on_the_device_asked_for(student):
    """causal_mask: the mask is created on `device`, or on the default device.

    Hint: pass `device` on, as it is, to every function that creates a tensor.
    """
    check_that(0 < int(student.causal_mask(4, 4, device="cpu").sum()) < 16, "the mask has the same value everywhere")
    check_keeps_device(student, student.causal_mask, 3, 5, device="cpu")
    check_keeps_device(student, student.causal_mask, 4, device="cpu")
    probe = define(student, ON_DEFAULT_DEVICE)
    for lengths in ([4], [3, 5]):
        device = probe.device_by_default(student.causal_mask, lengths)
        check_equal(device, "meta", says="without `device`, the mask is not on the default device")


def test_padding_mask_marks_real_tokens(student):
    """padding_mask: True at the first `lengths` positions of each row, False on padding.

    Hint: a sequence of length 1 has a single real token, at position 0.
    """
    cases = (([3, 0, 5, 1], 5), ([2, 4], 7), ([1, 2, 3], 3), ([0, 0], 2), ([2], 3), ([17, 40, 0, 33, 39], 40))
    for lengths, max_length in cases:
        expected = torch.tensor([[position < length for position in range(max_length)] for length in lengths])
        check_close(student.padding_mask(torch.tensor(lengths), max_length), expected, axes="batch, max_length")


def test_padding_mask_keeps_the_device(student):
    """padding_mask: the mask is on the device of `lengths`.

    Hint: `torch.arange` creates its tensor on the CPU unless you pass `device`.
    """
    lengths = torch.tensor([2, 3])
    check_computes(student.padding_mask, [lengths, 4], [torch.tensor([4, 1]), 4])
    check_keeps_device(student, student.padding_mask, lengths, 4)


def test_padding_mask_leaves_its_input_alone(student):
    """padding_mask: `lengths` is not modified.

    Hint: `lengths -= 1` and functions whose names end in an underscore modify the tensor they are given.
    """
    lengths = torch.tensor([2, 0, 3])
    check_computes(student.padding_mask, [lengths, 4], [torch.tensor([4, 1, 1]), 4])
    check_inputs_unchanged(student, student.padding_mask, lengths, 4)
