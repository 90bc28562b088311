"""Named mistakes of stage 2, as students make them."""

from autograder.course.mistakes import Mistake

# Checks that fall together, since one function is built on another.
SOFTMAX_VALUES = frozenset(
    {
        "test_softmax_matches_its_definition",
        "test_softmax_takes_any_number_of_axes",
        "test_softmax_works_along_any_axis",
        "test_softmax_is_stable_for_large_logits",
        "test_softmax_is_stable_for_rows_of_very_different_size",
        "test_softmax_gives_minus_infinity_no_weight",
        "test_softmax_has_the_right_gradient",
    }
)
NOTHING_ALLOWED = frozenset(
    {
        "test_masked_softmax_gives_zeros_where_everything_is_blocked",
        "test_attention_gives_zeros_where_everything_is_blocked",
        "test_additive_attention_gives_zeros_where_everything_is_blocked",
    }
)
MASKS = frozenset(
    {
        "test_masked_softmax_shares_the_weight_among_allowed_keys",
        "test_masked_softmax_broadcasts_the_mask",
        "test_masked_softmax_ignores_a_blocked_key_of_any_score",
        "test_masked_softmax_has_the_right_gradient",
        "test_attention_obeys_the_mask",
        "test_attention_is_not_touched_by_blocked_keys",
        "test_attention_has_the_right_gradients",
        "test_additive_attention_obeys_the_mask",
    }
)
ATTENTION_VALUES = frozenset(
    {
        "test_attention_averages_the_values",
        "test_attention_returns_the_weights",
        "test_attention_takes_any_leading_axes",
        "test_attention_uses_the_scale_it_is_given",
        "test_attention_is_stable_for_large_scores",
        "test_attention_obeys_the_mask",
        "test_attention_is_not_touched_by_blocked_keys",
        "test_attention_has_the_right_gradients",
    }
)
KERNEL_VALUES = frozenset(
    {"test_kernel_attention_equals_kernel_regression", "test_kernel_attention_takes_any_leading_axes"}
)
ADDITIVE_VALUES = frozenset(
    {
        "test_additive_attention_averages_the_values",
        "test_additive_attention_returns_the_weights",
        "test_additive_attention_obeys_the_mask",
        "test_additive_attention_learns_all_its_parameters",
    }
)
BACKWARD_VALUES = frozenset(
    {
        "test_backward_gives_the_gradient_of_the_query",
        "test_backward_gives_the_gradient_of_the_key",
        "test_backward_takes_any_leading_axes",
    }
)
BLOCKWISE_VALUES = frozenset(
    {
        "test_blockwise_attention_equals_attention",
        "test_blockwise_attention_takes_blocks_that_do_not_divide",
        "test_blockwise_attention_is_stable_for_large_scores",
        "test_blockwise_attention_takes_any_leading_axes",
        "test_blockwise_attention_obeys_the_mask",
        "test_blockwise_attention_passes_over_blocks_without_allowed_keys",
        "test_blockwise_attention_takes_masks_with_a_key_axis_of_one",
    }
)

MISTAKES = (
    # softmax
    Mistake(
        id="softmax_ignores_dim",
        exercise="softmax",
        says="the softmax runs over the last axis, whatever `dim` says",
        replace=(
            ("x.detach().amax(dim=dim", "x.detach().amax(dim=-1"),
            ("total = exponentials.sum(dim=dim", "total = exponentials.sum(dim=-1"),
        ),
        fails=frozenset({"test_softmax_works_along_any_axis"}),
    ),
    Mistake(
        id="softmax_counts_axes_from_the_front",
        exercise="softmax",
        says="the last axis is always taken to be axis number 1",
        replace=(("top = x.detach()", "dim = 1 if dim == -1 else dim\n    top = x.detach()"),),
        fails=ADDITIVE_VALUES
        | {
            "test_softmax_takes_any_number_of_axes",
            "test_softmax_works_along_any_axis",
            "test_softmax_of_only_minus_infinity_is_zero",
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_masked_softmax_shares_the_weight_among_allowed_keys",
            "test_masked_softmax_broadcasts_the_mask",
            "test_attention_averages_the_values",
            "test_attention_returns_the_weights",
            "test_attention_takes_any_leading_axes",
            "test_attention_uses_the_scale_it_is_given",
            "test_attention_is_stable_for_large_scores",
            "test_attention_obeys_the_mask",
            "test_attention_has_the_right_gradients",
            "test_kernel_attention_takes_any_leading_axes",
        },
    ),
    Mistake(
        id="softmax_without_maximum",
        exercise="softmax",
        says="no maximum is subtracted before the exponential",
        replace=(("torch.exp(x - top)\n", "torch.exp(x)\n"),),
        fails=frozenset(
            {
                "test_softmax_is_stable_for_large_logits",
                "test_softmax_is_stable_for_rows_of_very_different_size",
                "test_masked_softmax_ignores_a_blocked_key_of_any_score",
                "test_masked_softmax_has_a_finite_gradient",
                "test_attention_is_stable_for_large_scores",
                "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
            }
        ),
    ),
    Mistake(
        id="softmax_global_maximum",
        exercise="softmax",
        says="one maximum is subtracted for the whole tensor, not one for each slice",
        replace=(("x.detach().amax(dim=dim, keepdim=True)", "x.detach().max()"),),
        fails=frozenset(
            {
                "test_softmax_is_stable_for_rows_of_very_different_size",
                "test_attention_is_stable_for_large_scores",
                "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
            }
        ),
    ),
    Mistake(
        id="softmax_normalises_over_everything",
        exercise="softmax",
        says="the whole tensor sums to one, not each slice",
        replace=(("exponentials.sum(dim=dim, keepdim=True)", "exponentials.sum()"),),
        fails=MASKS
        | ATTENTION_VALUES
        | ADDITIVE_VALUES
        | KERNEL_VALUES
        | {
            "test_softmax_matches_its_definition",
            "test_softmax_takes_any_number_of_axes",
            "test_softmax_works_along_any_axis",
            "test_softmax_is_stable_for_rows_of_very_different_size",
            "test_softmax_gives_minus_infinity_no_weight",
            "test_softmax_has_the_right_gradient",
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
        },
    ),
    Mistake(
        id="softmax_sum_without_keepdim",
        exercise="softmax",
        says="the sum loses its axis, so that the division lines up with the wrong one",
        replace=(("exponentials.sum(dim=dim, keepdim=True)", "exponentials.sum(dim=dim)"),),
        fails=MASKS
        | ATTENTION_VALUES
        | ADDITIVE_VALUES
        | NOTHING_ALLOWED
        | KERNEL_VALUES
        | {
            "test_softmax_matches_its_definition",
            "test_softmax_takes_any_number_of_axes",
            "test_softmax_works_along_any_axis",
            "test_softmax_is_stable_for_rows_of_very_different_size",
            "test_softmax_gives_minus_infinity_no_weight",
            "test_softmax_of_only_minus_infinity_is_zero",
            "test_softmax_has_the_right_gradient",
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_masked_softmax_has_a_finite_gradient",
            "test_kernel_attention_depends_on_distances_alone",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
        },
    ),
    Mistake(
        id="softmax_adds_to_the_sum",
        exercise="softmax",
        says="a small number is added to the sum, so that weights sum to less than one",
        replace=(
            (
                "total.masked_fill(total == 0, 1.0)\n    ### END SOLUTION\n\n\ndef causal",
                "(total + 1e-6)\n    ### END SOLUTION\n\n\ndef causal",
            ),
        ),
        fails=MASKS
        | ATTENTION_VALUES
        | SOFTMAX_VALUES
        | ADDITIVE_VALUES
        | KERNEL_VALUES
        | {
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
        },
    ),
    Mistake(
        id="softmax_nan_for_an_empty_slice",
        exercise="softmax",
        says="a slice of only -inf gives NaN",
        replace=(("    top = top.masked_fill(top == -math.inf, 0.0)  # -inf − -inf would be NaN\n", ""),),
        fails=NOTHING_ALLOWED | {"test_softmax_of_only_minus_infinity_is_zero"},
    ),
    Mistake(
        id="softmax_equal_shares_for_an_empty_slice",
        exercise="softmax",
        says="a slice of only -inf gives equal weights",
        replace=(("    top = x.detach()", "    x = x.clamp(min=torch.finfo(x.dtype).min)\n    top = x.detach()"),),
        fails=NOTHING_ALLOWED | {"test_softmax_of_only_minus_infinity_is_zero"},
    ),
    Mistake(
        id="softmax_leaves_the_graph",
        exercise="softmax",
        says="the weights are detached from the graph",
        replace=(("torch.exp(x - top)\n", "torch.exp(x.detach() - top)\n"),),
        fails=frozenset(
            {
                "test_softmax_has_the_right_gradient",
                "test_masked_softmax_has_a_finite_gradient",
                "test_masked_softmax_has_the_right_gradient",
                "test_attention_has_the_right_gradients",
                "test_additive_attention_learns_all_its_parameters",
            }
        ),
    ),
    Mistake(
        id="softmax_widens",
        exercise="softmax",
        says="the softmax is computed in float64 and stays there",
        replace=(("torch.exp(x - top)\n", "torch.exp(x.double() - top)\n"),),
        fails=frozenset(
            {
                "test_softmax_keeps_the_dtype",
                "test_masked_softmax_keeps_the_dtype",
                "test_attention_keeps_the_dtype",
                "test_kernel_attention_keeps_the_dtype",
                "test_additive_attention_keeps_the_dtype",
            }
        ),
    ),
    Mistake(
        id="softmax_on_the_cpu",
        exercise="softmax",
        says="a tensor is made on the CPU, wherever the logits are",
        replace=(
            (
                "torch.exp(x - top)\n",
                "torch.exp(torch.maximum(x - top, torch.full(x.shape, -math.inf, dtype=x.dtype)))\n",
            ),
        ),
        fails=frozenset(
            {
                "test_softmax_keeps_the_device",
                "test_masked_softmax_keeps_the_device",
                "test_attention_keeps_the_device",
                "test_kernel_attention_keeps_the_device",
                "test_additive_attention_keeps_the_device",
            }
        ),
    ),
    Mistake(
        id="softmax_in_place",
        exercise="softmax",
        says="the maximum is subtracted from the logits in place",
        replace=(("torch.exp(x - top)\n", "torch.exp(x.sub_(top))\n"),),
        fails=frozenset(
            {
                "test_softmax_has_the_right_gradient",
                "test_softmax_leaves_its_input_alone",
                "test_masked_softmax_leaves_its_inputs_alone",
            }
        ),
    ),
    # causal_mask
    Mistake(
        id="causal_mask_inverted",
        exercise="causal_mask",
        says="True marks what is hidden, not what may be seen",
        replace=(("key_position[None, :] <= query_position", "key_position[None, :] > query_position"),),
        fails=frozenset(
            {
                "test_causal_mask_hides_the_future",
                "test_causal_mask_lines_up_the_last_query_with_the_last_key",
                "test_causal_mask_with_fewer_keys_than_queries",
            }
        ),
    ),
    Mistake(
        id="causal_mask_without_the_diagonal",
        exercise="causal_mask",
        says="a position may not see itself",
        replace=(("key_position[None, :] <= query_position", "key_position[None, :] < query_position"),),
        fails=frozenset(
            {
                "test_causal_mask_hides_the_future",
                "test_causal_mask_lines_up_the_last_query_with_the_last_key",
                "test_causal_mask_with_fewer_keys_than_queries",
            }
        ),
    ),
    Mistake(
        id="causal_mask_leaks_the_next_key",
        exercise="causal_mask",
        says="a position may see the one after it",
        replace=(("<= query_position[:, None]", "<= query_position[:, None] + 1"),),
        fails=frozenset(
            {
                "test_causal_mask_hides_the_future",
                "test_causal_mask_lines_up_the_last_query_with_the_last_key",
                "test_causal_mask_with_fewer_keys_than_queries",
            }
        ),
    ),
    Mistake(
        id="causal_mask_lined_up_at_the_start",
        exercise="causal_mask",
        says="the first query lines up with the first key",
        replace=((" + (key_length - query_length)", ""),),
        fails=frozenset(
            {
                "test_causal_mask_lines_up_the_last_query_with_the_last_key",
                "test_causal_mask_with_fewer_keys_than_queries",
            }
        ),
    ),
    Mistake(
        id="causal_mask_never_shifts_back",
        exercise="causal_mask",
        says="with fewer keys than queries the mask starts at the first query",
        replace=((" + (key_length - query_length)", " + max(key_length - query_length, 0)"),),
        fails=frozenset({"test_causal_mask_with_fewer_keys_than_queries"}),
    ),
    Mistake(
        id="causal_mask_of_numbers",
        exercise="causal_mask",
        says="the mask holds zeros and ones instead of False and True",
        replace=(
            ("<= query_position[:, None]", "<= query_position[:, None]).to(torch.get_default_dtype())"),
            ("return key_position[", "return (key_position["),
        ),
        fails=frozenset(
            {
                "test_causal_mask_hides_the_future",
                "test_causal_mask_lines_up_the_last_query_with_the_last_key",
                "test_causal_mask_with_fewer_keys_than_queries",
            }
        ),
    ),
    Mistake(
        id="causal_mask_on_the_cpu",
        exercise="causal_mask",
        says="`device` is not used",
        replace=(
            ("torch.arange(query_length, device=device)", "torch.arange(query_length)"),
            ("torch.arange(key_length, device=device)", "torch.arange(key_length)"),
        ),
        fails=frozenset({"test_causal_mask_is_made_on_the_device_asked_for"}),
    ),
    # padding_mask
    Mistake(
        id="padding_mask_one_too_many",
        exercise="padding_mask",
        says="the first token of the padding counts as real",
        replace=(("< lengths[:, None]", "<= lengths[:, None]"),),
        fails=frozenset({"test_padding_mask_marks_real_tokens"}),
    ),
    Mistake(
        id="padding_mask_inverted",
        exercise="padding_mask",
        says="True marks the padding",
        replace=(("< lengths[:, None]", ">= lengths[:, None]"),),
        fails=frozenset({"test_padding_mask_marks_real_tokens"}),
    ),
    Mistake(
        id="padding_mask_on_the_left",
        exercise="padding_mask",
        says="the padding stands on the left",
        replace=(("< lengths[:, None]", ">= max_length - lengths[:, None]"),),
        fails=frozenset({"test_padding_mask_marks_real_tokens"}),
    ),
    Mistake(
        id="padding_mask_on_the_cpu",
        exercise="padding_mask",
        says="a tensor is made on the CPU, wherever `lengths` is",
        replace=(("torch.arange(max_length, device=lengths.device)", "torch.arange(max_length)"),),
        fails=frozenset({"test_padding_mask_keeps_the_device"}),
    ),
    # masked_softmax
    Mistake(
        id="mask_inverted",
        exercise="masked_softmax",
        says="keys are blocked where the mask is True",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.masked_fill(mask, -math.inf)\n    return",
            ),
        ),
        fails=MASKS | NOTHING_ALLOWED,
    ),
    Mistake(
        id="mask_needed",
        exercise="masked_softmax",
        says="the mask may not be left out",
        replace=(
            (
                "    if mask is not None:\n        scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "    scores = scores.masked_fill(~mask, -math.inf)\n    return",
            ),
        ),
        fails=ADDITIVE_VALUES
        | KERNEL_VALUES
        | {
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_masked_softmax_has_a_finite_gradient",
            "test_masked_softmax_keeps_the_dtype",
            "test_masked_softmax_keeps_the_device",
            "test_masked_softmax_leaves_its_inputs_alone",
            "test_attention_averages_the_values",
            "test_attention_returns_the_weights",
            "test_attention_takes_any_leading_axes",
            "test_attention_uses_the_scale_it_is_given",
            "test_attention_is_stable_for_large_scores",
            "test_attention_keeps_the_dtype",
            "test_attention_keeps_the_device",
            "test_attention_leaves_its_inputs_alone",
            "test_kernel_attention_depends_on_distances_alone",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
            "test_kernel_attention_keeps_the_dtype",
            "test_kernel_attention_keeps_the_device",
            "test_kernel_attention_leaves_its_inputs_alone",
            "test_additive_attention_keeps_the_dtype",
        },
    ),
    Mistake(
        id="mask_ignored",
        exercise="masked_softmax",
        says="the mask is not used",
        replace=(
            (
                "        scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "        scores = scores.clone()\n    return",
            ),
        ),
        fails=MASKS | NOTHING_ALLOWED,
    ),
    Mistake(
        id="mask_multiplies_scores",
        exercise="masked_softmax",
        says="blocked scores become 0, which still earns a weight",
        replace=(("scores = scores.masked_fill(~mask, -math.inf)\n    return", "scores = scores * mask\n    return"),),
        fails=MASKS | NOTHING_ALLOWED,
    ),
    Mistake(
        id="mask_after_the_softmax",
        exercise="masked_softmax",
        says="blocked weights are removed after the softmax, and the others do not sum to one any more",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "return softmax(scores, dim=-1) * mask\n    return",
            ),
        ),
        fails=MASKS,
    ),
    Mistake(
        id="mask_after_the_softmax_renormalised_safely",
        exercise="masked_softmax",
        says="blocked weights are removed after the softmax, too late for a blocked score that has"
        " taken all the weight",
        replace=(
            (
                "        scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "        weights = softmax(scores, dim=-1) * mask\n"
                "        total = weights.sum(dim=-1, keepdim=True)\n"
                "        return weights / total.masked_fill(total == 0, 1.0)\n"
                "    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_ignores_a_blocked_key_of_any_score",
                "test_attention_is_not_touched_by_blocked_keys",
            }
        ),
    ),
    Mistake(
        id="mask_fills_with_minus_ten_thousand",
        exercise="masked_softmax",
        says="blocked scores become -1e4: not low enough for large scores, and equal weights where all is blocked",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.masked_fill(~mask, -1e4)\n    return",
            ),
        ),
        fails=NOTHING_ALLOWED | {"test_masked_softmax_ignores_a_blocked_key_of_any_score"},
    ),
    Mistake(
        id="mask_adds_minus_a_billion",
        exercise="masked_softmax",
        says="a billion is subtracted from blocked scores, which leaves a larger score and a row of"
        " blocked ones as they are",
        replace=(
            ("scores = scores.masked_fill(~mask, -math.inf)\n    return", "scores = scores - 1e9 * ~mask\n    return"),
        ),
        fails=NOTHING_ALLOWED
        | {
            "test_masked_softmax_ignores_a_blocked_key_of_any_score",
            "test_masked_softmax_keeps_the_dtype",
            "test_attention_keeps_the_dtype",
            "test_additive_attention_keeps_the_dtype",
        },
    ),
    Mistake(
        id="mask_equal_shares_where_all_is_blocked",
        exercise="masked_softmax",
        says="a query that may attend to nothing attends to everything equally",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n    return",
            ),
        ),
        fails=NOTHING_ALLOWED,
    ),
    Mistake(
        id="mask_nan_where_all_is_blocked",
        exercise="masked_softmax",
        says="a query that may attend to nothing gets NaN",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return softmax(",
                "scores = scores.masked_fill(~mask, -math.inf)\n    return torch.softmax(",
            ),
        ),
        fails=NOTHING_ALLOWED,
    ),
    Mistake(
        id="mask_mends_nan_afterwards",
        exercise="masked_softmax",
        says="NaN is replaced in the weights but lives on in the gradient",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return softmax(scores, dim=-1)",
                "scores = scores + torch.zeros_like(scores).masked_fill(~mask, -math.inf)\n"
                "    weights = torch.softmax(scores, dim=-1)\n"
                "    return torch.where(torch.isnan(weights), 0.0, weights)",
            ),
        ),
        fails=frozenset({"test_masked_softmax_has_a_finite_gradient"}),
    ),
    Mistake(
        id="mask_transposed_when_square",
        exercise="masked_softmax",
        says="the mask's query and key axes are exchanged",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "mask = mask.transpose(-2, -1) if mask.shape[-1] == mask.shape[-2] else mask\n"
                "        scores = scores.masked_fill(~mask, -math.inf)\n"
                "    return",
            ),
        ),
        fails=frozenset({"test_masked_softmax_shares_the_weight_among_allowed_keys"}),
    ),
    Mistake(
        id="mask_of_the_same_shape_only",
        exercise="masked_softmax",
        says="the mask is used as an index, so that it cannot be broadcast",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.clone()\n        scores[~mask] = -math.inf\n    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_broadcasts_the_mask",
                "test_masked_softmax_gives_zeros_where_everything_is_blocked",
                "test_masked_softmax_keeps_the_dtype",
                "test_masked_softmax_keeps_the_device",
                "test_masked_softmax_leaves_its_inputs_alone",
                "test_attention_obeys_the_mask",
                "test_attention_has_the_right_gradients",
                "test_attention_keeps_the_dtype",
                "test_attention_keeps_the_device",
                "test_attention_leaves_its_inputs_alone",
                "test_additive_attention_obeys_the_mask",
                "test_additive_attention_gives_zeros_where_everything_is_blocked",
                "test_additive_attention_keeps_the_dtype",
                "test_additive_attention_keeps_the_device",
                "test_additive_attention_leaves_its_inputs_alone",
            }
        ),
    ),
    Mistake(
        id="weights_sum_to_one_over_queries",
        exercise="masked_softmax",
        says="the softmax runs over queries, not over keys",
        replace=(("return softmax(scores, dim=-1)", "return softmax(scores, dim=-2)"),),
        fails=MASKS
        | ATTENTION_VALUES
        | ADDITIVE_VALUES
        | KERNEL_VALUES
        | {
            "test_masked_softmax_without_a_mask_is_softmax",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
        },
    ),
    Mistake(
        id="masked_softmax_leaves_the_graph",
        exercise="masked_softmax",
        says="masked scores are detached from the graph",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.detach().masked_fill(~mask, -math.inf)\n    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_has_a_finite_gradient",
                "test_masked_softmax_has_the_right_gradient",
                "test_attention_has_the_right_gradients",
            }
        ),
    ),
    Mistake(
        id="masked_softmax_widens",
        exercise="masked_softmax",
        says="the mask is turned into a float64 tensor, and the weights with it",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores + torch.zeros_like(mask, dtype=torch.float64).masked_fill(~mask, -math.inf)\n"
                "    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_keeps_the_dtype",
                "test_attention_keeps_the_dtype",
                "test_additive_attention_keeps_the_dtype",
            }
        ),
    ),
    Mistake(
        id="masked_softmax_on_the_cpu",
        exercise="masked_softmax",
        says="a tensor is made on the CPU for what is blocked, wherever the scores are",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = torch.where(mask, scores, torch.full(scores.shape, -math.inf, dtype=scores.dtype))\n"
                "    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_keeps_the_device",
                "test_attention_keeps_the_device",
                "test_additive_attention_keeps_the_device",
            }
        ),
    ),
    Mistake(
        id="masked_softmax_in_place",
        exercise="masked_softmax",
        says="blocked scores are overwritten in place",
        replace=(
            (
                "scores = scores.masked_fill(~mask, -math.inf)\n    return",
                "scores = scores.masked_fill_(~mask, -math.inf)\n    return",
            ),
        ),
        fails=frozenset(
            {
                "test_masked_softmax_has_a_finite_gradient",
                "test_masked_softmax_has_the_right_gradient",
                "test_masked_softmax_leaves_its_inputs_alone",
            }
        ),
    ),
    # scaled_dot_product_attention
    Mistake(
        id="scores_not_scaled",
        exercise="scaled_dot_product_attention",
        says="the scores are not divided by √d_head",
        replace=(("        scale = 1 / math.sqrt(query.shape[-1])\n", "        scale = 1.0\n"),),
        fails=frozenset({"test_attention_averages_the_values", "test_attention_returns_the_weights"}),
    ),
    Mistake(
        id="scores_divided_by_d",
        exercise="scaled_dot_product_attention",
        says="the scores are divided by d_head and not by its root",
        replace=(("        scale = 1 / math.sqrt(query.shape[-1])\n", "        scale = 1 / query.shape[-1]\n"),),
        fails=frozenset({"test_attention_averages_the_values", "test_attention_returns_the_weights"}),
    ),
    Mistake(
        id="scores_divided_by_root_d_value",
        exercise="scaled_dot_product_attention",
        says="the scores are divided by √d_value",
        replace=(
            ("        scale = 1 / math.sqrt(query.shape[-1])\n", "        scale = 1 / math.sqrt(value.shape[-1])\n"),
        ),
        fails=frozenset(
            {
                "test_attention_averages_the_values",
                "test_attention_returns_the_weights",
                "test_attention_takes_any_leading_axes",
                "test_attention_is_stable_for_large_scores",
                "test_attention_obeys_the_mask",
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_has_the_right_gradients",
            }
        ),
    ),
    Mistake(
        id="scores_divided_by_root_key_length",
        exercise="scaled_dot_product_attention",
        says="the scores are divided by the root of the number of keys",
        replace=(
            ("        scale = 1 / math.sqrt(query.shape[-1])\n", "        scale = 1 / math.sqrt(key.shape[-2])\n"),
        ),
        fails=frozenset(
            {
                "test_attention_averages_the_values",
                "test_attention_returns_the_weights",
                "test_attention_takes_any_leading_axes",
                "test_attention_is_stable_for_large_scores",
                "test_attention_obeys_the_mask",
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_has_the_right_gradients",
            }
        ),
    ),
    Mistake(
        id="scores_scaled_twice",
        exercise="scaled_dot_product_attention",
        says="a given scale comes on top of 1/√d_head",
        replace=(
            (
                "        scale = 1 / math.sqrt(query.shape[-1])\n    scores",
                "        scale = 1.0\n    scale = scale / math.sqrt(query.shape[-1])\n    scores",
            ),
        ),
        fails=frozenset({"test_attention_uses_the_scale_it_is_given"}),
    ),
    Mistake(
        id="scale_of_zero_is_no_scale",
        exercise="scaled_dot_product_attention",
        says="a scale of 0 is taken for the default",
        replace=(("    if scale is None:\n        scale = 1", "    if not scale:\n        scale = 1"),),
        fails=frozenset({"test_attention_uses_the_scale_it_is_given"}),
    ),
    Mistake(
        id="scale_ignored",
        exercise="scaled_dot_product_attention",
        says="`scale` is not used",
        replace=(("    if scale is None:\n        scale = 1", "    if True:\n        scale = 1"),),
        fails=frozenset({"test_attention_uses_the_scale_it_is_given"}),
    ),
    Mistake(
        id="scale_after_the_softmax",
        exercise="scaled_dot_product_attention",
        says="the weights are scaled, not the scores",
        replace=(
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)\n",
                "scores = query @ key.transpose(-2, -1)  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask) * scale\n",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_averages_the_values",
                "test_attention_returns_the_weights",
                "test_attention_uses_the_scale_it_is_given",
            }
        ),
    ),
    Mistake(
        id="queries_and_keys_exchanged",
        exercise="scaled_dot_product_attention",
        says="queries and keys are exchanged in the scores",
        replace=(
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n",
                "scores = key @ query.transpose(-2, -1) * scale  # (…, query, key)\n",
            ),
        ),
        fails=ATTENTION_VALUES | {"test_attention_gives_zeros_where_everything_is_blocked"},
    ),
    Mistake(
        id="keys_averaged",
        exercise="scaled_dot_product_attention",
        says="the keys are averaged in place of the values",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)\n"
                "    return weights @ value",
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)\n"
                "    return weights @ key",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_averages_the_values",
                "test_attention_takes_any_leading_axes",
                "test_attention_uses_the_scale_it_is_given",
                "test_attention_is_stable_for_large_scores",
                "test_attention_obeys_the_mask",
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_gives_zeros_where_everything_is_blocked",
                "test_attention_has_the_right_gradients",
                "test_attention_keeps_the_dtype",
                "test_attention_keeps_the_device",
                "test_attention_leaves_its_inputs_alone",
            }
        ),
    ),
    Mistake(
        id="attention_results_exchanged",
        exercise="scaled_dot_product_attention",
        says="weights come first and the output second",
        replace=(
            (
                "    return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
                "    return weights, weights @ value\n    ### END SOLUTION\n\n\ndef kernel",
            ),
        ),
        fails=ATTENTION_VALUES
        | {
            "test_attention_gives_zeros_where_everything_is_blocked",
            "test_attention_keeps_the_dtype",
            "test_attention_keeps_the_device",
            "test_attention_leaves_its_inputs_alone",
        },
    ),
    Mistake(
        id="attention_returns_scores",
        exercise="scaled_dot_product_attention",
        says="the scores are returned in place of the weights",
        replace=(
            (
                "    return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
                "    return weights @ value, scores\n    ### END SOLUTION\n\n\ndef kernel",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_returns_the_weights",
                "test_attention_takes_any_leading_axes",
                "test_attention_uses_the_scale_it_is_given",
                "test_attention_obeys_the_mask",
                "test_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="attention_returns_weights_transposed",
        exercise="scaled_dot_product_attention",
        says="the weights are returned as `(…, key, query)`",
        replace=(
            (
                "    return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
                "    return weights @ value, weights.transpose(-2, -1)\n    ### END SOLUTION\n\n\ndef kernel",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_returns_the_weights",
                "test_attention_takes_any_leading_axes",
                "test_attention_uses_the_scale_it_is_given",
                "test_attention_obeys_the_mask",
                "test_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="attention_for_batches_only",
        exercise="scaled_dot_product_attention",
        says="the key's axes 1 and 2 are exchanged, which is right for one leading axis only",
        replace=(
            (
                "query @ key.transpose(-2, -1) * scale  # (…, query, key)\n",
                "query @ key.transpose(1, 2) * scale  # (…, query, key)\n",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_takes_any_leading_axes",
                "test_attention_obeys_the_mask",
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="attention_without_mask",
        exercise="scaled_dot_product_attention",
        says="the mask is not used in attention",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)",
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores)",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_obeys_the_mask",
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_gives_zeros_where_everything_is_blocked",
                "test_attention_has_the_right_gradients",
            }
        ),
    ),
    Mistake(
        id="attention_with_a_softmax_of_its_own",
        exercise="scaled_dot_product_attention",
        says="attention uses a softmax that subtracts no maximum",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)",
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    exponentials = scores.exp() if mask is None else scores.exp() * mask\n"
                "    weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_is_stable_for_large_scores",
                "test_attention_is_not_touched_by_blocked_keys",
            }
        ),
    ),
    Mistake(
        id="attention_fills_with_minus_ten_thousand",
        exercise="scaled_dot_product_attention",
        says="attention adds -1e4 to blocked scores: a key that matches well enough gets through",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)",
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores if mask is None else scores - 1e4 * ~mask)",
            ),
        ),
        fails=frozenset(
            {
                "test_attention_is_not_touched_by_blocked_keys",
                "test_attention_gives_zeros_where_everything_is_blocked",
                "test_attention_keeps_the_dtype",
            }
        ),
    ),
    Mistake(
        id="attention_detaches_the_weights",
        exercise="scaled_dot_product_attention",
        says="the weights are detached before they meet the values",
        replace=(
            (
                "    return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
                "    return weights.detach() @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
            ),
        ),
        fails=frozenset({"test_attention_has_the_right_gradients"}),
    ),
    Mistake(
        id="attention_widens",
        exercise="scaled_dot_product_attention",
        says="attention is computed in float64 and stays there",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
                "    query, key, value = query.double(), key.double(), value.double()\n"
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights",
            ),
        ),
        fails=frozenset({"test_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="attention_on_the_cpu",
        exercise="scaled_dot_product_attention",
        says="a missing mask is made on the CPU, wherever the query is",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    mask = torch.ones(scores.shape, dtype=torch.bool) if mask is None else mask\n"
                "    weights",
            ),
        ),
        fails=frozenset({"test_attention_keeps_the_device"}),
    ),
    Mistake(
        id="attention_scales_the_query_in_place",
        exercise="scaled_dot_product_attention",
        says="the query is scaled in place",
        replace=(
            (
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
                "    query *= scale\n    scores = query @ key.transpose(-2, -1)  # (…, query, key)\n    weights",
            ),
        ),
        fails=frozenset({"test_attention_has_the_right_gradients", "test_attention_leaves_its_inputs_alone"}),
    ),
    # kernel_attention
    Mistake(
        id="kernel_of_the_dot_product",
        exercise="kernel_attention",
        says="the scores are q·k / h²: the squared length of the keys is missing",
        replace=(
            (
                "scores = -0.5 * difference.square().sum(dim=-1)",
                "scores = query @ key.transpose(-2, -1) / bandwidth**2",
            ),
        ),
        fails=KERNEL_VALUES
        | {
            "test_kernel_attention_depends_on_distances_alone",
            "test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth",
        },
    ),
    Mistake(
        id="kernel_without_the_half",
        exercise="kernel_attention",
        says="the ½ in the Gaussian's exponent is missing",
        replace=(("scores = -0.5 * difference", "scores = -difference"),),
        fails=KERNEL_VALUES,
    ),
    Mistake(
        id="kernel_bandwidth_not_squared",
        exercise="kernel_attention",
        says="the squared distance is divided by the bandwidth and not by its square",
        replace=(
            (
                "scores = -0.5 * difference.square().sum(dim=-1)",
                "scores = -0.5 * bandwidth * difference.square().sum(dim=-1)",
            ),
        ),
        fails=KERNEL_VALUES,
    ),
    Mistake(
        id="kernel_multiplies_by_the_bandwidth",
        exercise="kernel_attention",
        says="distances are multiplied by the bandwidth",
        replace=(("key.unsqueeze(-3)) / bandwidth", "key.unsqueeze(-3)) * bandwidth"),),
        fails=KERNEL_VALUES | {"test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth"},
    ),
    Mistake(
        id="kernel_of_the_plain_distance",
        exercise="kernel_attention",
        says="the distance in the exponent is not squared",
        replace=(("difference.square().sum(dim=-1)", "difference.square().sum(dim=-1).sqrt()"),),
        fails=KERNEL_VALUES | {"test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth"},
    ),
    Mistake(
        id="kernel_scaled_by_root_d",
        exercise="kernel_attention",
        says="the scores are divided by √d on top of the bandwidth",
        replace=(("difference.square().sum(dim=-1)", "difference.square().sum(dim=-1) / math.sqrt(query.shape[-1])"),),
        fails=KERNEL_VALUES,
    ),
    Mistake(
        id="kernel_grows_with_distance",
        exercise="kernel_attention",
        says="the sign is missing: far keys get the most weight",
        replace=(("scores = -0.5 * difference", "scores = 0.5 * difference"),),
        fails=KERNEL_VALUES | {"test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth"},
    ),
    Mistake(
        id="kernel_normalised_by_hand",
        exercise="kernel_attention",
        says="the kernel's values are divided by their sum, which is 0 far from all keys",
        replace=(
            (
                "    return masked_softmax(scores) @ value",
                "    weights = torch.exp(scores)\n    return weights / weights.sum(dim=-1, keepdim=True) @ value",
            ),
        ),
        fails=frozenset({"test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth"}),
    ),
    Mistake(
        id="kernel_without_leading_axes",
        exercise="kernel_attention",
        says="queries and keys meet along the first axes, which is right without leading axes only",
        replace=(("query.unsqueeze(-2) - key.unsqueeze(-3)", "query.unsqueeze(1) - key.unsqueeze(0)"),),
        fails=frozenset({"test_kernel_attention_takes_any_leading_axes"}),
    ),
    Mistake(
        id="kernel_widens",
        exercise="kernel_attention",
        says="kernel attention is computed in float64 and stays there",
        replace=(
            (
                "    return masked_softmax(scores) @ value",
                "    return masked_softmax(scores.double()) @ value.double()",
            ),
        ),
        fails=frozenset({"test_kernel_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="kernel_on_the_cpu",
        exercise="kernel_attention",
        says="a tensor for the bandwidth is made on the CPU, wherever the query is",
        replace=(
            ("key.unsqueeze(-3)) / bandwidth", "key.unsqueeze(-3)) / torch.full((1,), bandwidth, dtype=query.dtype)"),
        ),
        fails=frozenset({"test_kernel_attention_keeps_the_device"}),
    ),
    Mistake(
        id="kernel_scales_in_place",
        exercise="kernel_attention",
        says="query and key are divided by the bandwidth in place",
        replace=(
            (
                "difference = (query.unsqueeze(-2) - key.unsqueeze(-3)) / bandwidth",
                "query /= bandwidth\n    key /= bandwidth\n    difference = query.unsqueeze(-2) - key.unsqueeze(-3)",
            ),
        ),
        fails=frozenset({"test_kernel_attention_leaves_its_inputs_alone"}),
    ),
    # AdditiveAttention
    Mistake(
        id="additive_with_biases",
        exercise="AdditiveAttention",
        says="the linears have biases",
        replace=(
            ("nn.Linear(d_query, d_hidden, bias=False)", "nn.Linear(d_query, d_hidden)"),
            ("nn.Linear(d_key, d_hidden, bias=False)", "nn.Linear(d_key, d_hidden)"),
            ("nn.Linear(d_hidden, 1, bias=False)", "nn.Linear(d_hidden, 1)"),
        ),
        fails=ADDITIVE_VALUES | {"test_additive_attention_has_the_parameters_listed"},
    ),
    Mistake(
        id="additive_keeps_a_table",
        exercise="AdditiveAttention",
        says="the state dict holds more than the parameters",
        replace=(
            (
                "        self.query_proj = nn.Linear",
                "        self.register_buffer('scale', torch.ones(()))\n        self.query_proj = nn.Linear",
            ),
        ),
        fails=frozenset({"test_additive_attention_has_the_parameters_listed"}),
    ),
    Mistake(
        id="additive_without_tanh",
        exercise="AdditiveAttention",
        says="there is no tanh in the hidden layer",
        replace=(("self.score(torch.tanh(hidden))", "self.score(hidden)"),),
        fails=ADDITIVE_VALUES,
    ),
    Mistake(
        id="additive_multiplies",
        exercise="AdditiveAttention",
        says="projected query and key are multiplied, not added",
        replace=((".unsqueeze(2) + self.key_proj(key)", ".unsqueeze(2) * self.key_proj(key)"),),
        fails=ADDITIVE_VALUES,
    ),
    Mistake(
        id="additive_over_queries",
        exercise="AdditiveAttention",
        says="additive weights sum to one over queries, not over keys",
        replace=(
            (
                "  # (batch, query, key)\n        weights = masked_softmax(scores, mask)\n",
                "  # (batch, query, key)\n"
                "        weights = masked_softmax(scores.transpose(1, 2)).transpose(1, 2) if mask is"
                " None else masked_softmax(scores, mask)\n",
            ),
        ),
        fails=ADDITIVE_VALUES,
    ),
    Mistake(
        id="additive_without_mask",
        exercise="AdditiveAttention",
        says="the mask is not used in additive attention",
        replace=(
            (
                "  # (batch, query, key)\n        weights = masked_softmax(scores, mask)\n",
                "  # (batch, query, key)\n        weights = masked_softmax(scores)\n",
            ),
        ),
        fails=frozenset(
            {
                "test_additive_attention_obeys_the_mask",
                "test_additive_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="additive_equal_shares_where_all_is_blocked",
        exercise="AdditiveAttention",
        says="in additive attention, a query that may attend to nothing attends to everything equally",
        replace=(
            (
                "  # (batch, query, key)\n        weights = masked_softmax(scores, mask)\n",
                "  # (batch, query, key)\n"
                "        scores = scores if mask is None else scores.masked_fill(~mask, -1e9)\n"
                "        weights = softmax(scores)\n",
            ),
        ),
        fails=frozenset({"test_additive_attention_gives_zeros_where_everything_is_blocked"}),
    ),
    Mistake(
        id="additive_returns_scores",
        exercise="AdditiveAttention",
        says="additive attention returns the scores in place of the weights",
        replace=(
            (
                "        return weights @ value, weights\n        ### END",
                "        return weights @ value, scores\n        ### END",
            ),
        ),
        fails=frozenset(
            {
                "test_additive_attention_returns_the_weights",
                "test_additive_attention_obeys_the_mask",
                "test_additive_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="additive_detaches_the_keys",
        exercise="AdditiveAttention",
        says="the projected keys are detached, so that `key_proj` never learns",
        replace=(("self.key_proj(key).unsqueeze(1)", "self.key_proj(key).detach().unsqueeze(1)"),),
        fails=frozenset({"test_additive_attention_learns_all_its_parameters"}),
    ),
    Mistake(
        id="additive_widens",
        exercise="AdditiveAttention",
        says="additive attention is computed in float64 and stays there",
        replace=(
            (
                "        return weights @ value, weights\n        ### END",
                "        weights = weights.double()\n        return weights @ value.double(), weights\n        ### END",
            ),
        ),
        fails=frozenset({"test_additive_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="additive_on_the_cpu",
        exercise="AdditiveAttention",
        says="additive attention sums into a tensor on the CPU, wherever the query is",
        replace=(
            (
                "        hidden = self.query_proj(query).unsqueeze(2) + ",
                "        hidden = torch.zeros(query.shape[0], query.shape[1], 1, 1, dtype=query.dtype)\n"
                "        hidden = hidden + self.query_proj(query).unsqueeze(2) + ",
            ),
        ),
        fails=frozenset({"test_additive_attention_keeps_the_device"}),
    ),
    Mistake(
        id="additive_inverts_the_mask_in_place",
        exercise="AdditiveAttention",
        says="the mask is inverted in place",
        replace=(
            (
                "  # (batch, query, key)\n        weights = masked_softmax(scores, mask)\n",
                "  # (batch, query, key)\n"
                "        scores = scores if mask is None else scores.masked_fill(mask.logical_not_(), -math.inf)\n"
                "        weights = softmax(scores)\n",
            ),
        ),
        fails=frozenset({"test_additive_attention_leaves_its_inputs_alone"}),
    ),
    # attention_backward
    Mistake(
        id="backward_without_the_softmax",
        exercise="attention_backward",
        says="the softmax is passed over as if its derivative were 1",
        replace=(("grad_scores = weights * (grad_weights - mean) * scale", "grad_scores = grad_weights * scale"),),
        fails=BACKWARD_VALUES,
    ),
    Mistake(
        id="backward_without_the_mean",
        exercise="attention_backward",
        says="the part of the softmax's derivative that comes from its sum is missing",
        replace=(
            ("grad_scores = weights * (grad_weights - mean) * scale", "grad_scores = weights * grad_weights * scale"),
        ),
        fails=BACKWARD_VALUES,
    ),
    Mistake(
        id="backward_without_the_scale",
        exercise="attention_backward",
        says="the scale is missing in the gradients",
        replace=(("(grad_weights - mean) * scale", "(grad_weights - mean)"),),
        fails=BACKWARD_VALUES,
    ),
    Mistake(
        id="backward_with_the_default_scale",
        exercise="attention_backward",
        says="the gradients use 1/√d_head in place of the scale that is given",
        replace=(("(grad_weights - mean) * scale", "(grad_weights - mean) / math.sqrt(query.shape[-1])"),),
        fails=BACKWARD_VALUES,
    ),
    Mistake(
        id="backward_key_not_transposed",
        exercise="attention_backward",
        says="the gradient of the scores is not transposed for the key",
        replace=(
            (
                "grad_scores.transpose(-2, -1) @ query",
                "(grad_scores @ query if grad_scores.shape[-1] == query.shape[-2] else torch.zeros_like(key))",
            ),
        ),
        fails=frozenset({"test_backward_gives_the_gradient_of_the_key", "test_backward_takes_any_leading_axes"}),
    ),
    Mistake(
        id="backward_value_first",
        exercise="attention_backward",
        says="the gradients come in the order value, key, query",
        replace=(
            (
                "return grad_scores @ key, grad_scores.transpose(-2, -1) @ query, grad_value",
                "return grad_value, grad_scores.transpose(-2, -1) @ query, grad_scores @ key",
            ),
        ),
        fails=frozenset(
            {
                "test_backward_gives_the_gradient_of_the_query",
                "test_backward_gives_the_gradient_of_the_value",
                "test_backward_takes_any_leading_axes",
            }
        ),
    ),
    Mistake(
        id="backward_for_one_sequence_only",
        exercise="attention_backward",
        says="all axes are transposed, which is right without leading axes only",
        replace=(
            ("grad_value = weights.transpose(-2, -1)", "grad_value = weights.permute(*reversed(range(weights.ndim)))"),
        ),
        fails=frozenset(
            {
                "test_backward_takes_any_leading_axes",
                "test_backward_keeps_the_dtype",
                "test_backward_keeps_the_device",
                "test_backward_leaves_its_inputs_alone",
            }
        ),
    ),
    Mistake(
        id="backward_widens",
        exercise="attention_backward",
        says="the gradients are computed in float64 and stay there",
        replace=(
            (
                "return grad_scores @ key, grad",
                "key, grad_scores, query = key.double(), grad_scores.double(), query.double()\n"
                "    return grad_scores @ key, grad",
            ),
        ),
        fails=frozenset({"test_backward_keeps_the_dtype"}),
    ),
    Mistake(
        id="backward_on_the_cpu",
        exercise="attention_backward",
        says="an identity matrix is made on the CPU, wherever the weights are",
        replace=(
            (
                "    return grad_scores @ key, grad",
                "    grad_scores = grad_scores @ torch.eye(key.shape[-2], dtype=key.dtype)\n"
                "    return grad_scores @ key, grad",
            ),
        ),
        fails=frozenset({"test_backward_keeps_the_device"}),
    ),
    Mistake(
        id="backward_in_place",
        exercise="attention_backward",
        says="the weights are overwritten in place",
        replace=(
            (
                "grad_scores = weights * (grad_weights - mean) * scale",
                "grad_scores = weights.mul_((grad_weights - mean) * scale)",
            ),
        ),
        fails=frozenset({"test_backward_leaves_its_inputs_alone"}),
    ),
    # blockwise_attention
    Mistake(
        id="blockwise_output_not_rescaled",
        exercise="blockwise_attention",
        says="the sum of values is not rescaled when the largest score grows",
        replace=(("output = output * rescale + ", "output = output + "),),
        fails=BLOCKWISE_VALUES,
    ),
    Mistake(
        id="blockwise_total_not_rescaled",
        exercise="blockwise_attention",
        says="the sum of weights is not rescaled when the largest score grows",
        replace=(("total = total * rescale + ", "total = total + "),),
        fails=BLOCKWISE_VALUES,
    ),
    Mistake(
        id="blockwise_averages_the_blocks",
        exercise="blockwise_attention",
        says="each block has a softmax of its own, and the blocks' outputs are averaged",
        replace=(
            (
                "        total = total * rescale + exponentials.sum(dim=-1, keepdim=True)\n",
                "        total = total + 1\n",
            ),
            (
                "output * rescale + exponentials @ value[..., block, :]",
                "output + softmax(scores) @ value[..., block, :]",
            ),
        ),
        fails=BLOCKWISE_VALUES,
    ),
    Mistake(
        id="blockwise_starts_at_zero",
        exercise="blockwise_attention",
        says="the largest score so far begins at 0 and not at -inf",
        replace=(
            (
                "top = query.new_full((*query.shape[:-1], 1), -math.inf)",
                "top = query.new_zeros((*query.shape[:-1], 1))",
            ),
        ),
        fails=frozenset({"test_blockwise_attention_is_stable_for_large_scores"}),
    ),
    Mistake(
        id="blockwise_without_maximum",
        exercise="blockwise_attention",
        says="no maximum is subtracted in the blocks",
        replace=(
            (
                "        shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far\n",
                "        new_top = shift = torch.zeros_like(top)\n",
            ),
            ("rescale = torch.exp(top - shift)", "rescale = 1.0"),
        ),
        fails=frozenset({"test_blockwise_attention_is_stable_for_large_scores"}),
    ),
    Mistake(
        id="blockwise_all_at_once",
        exercise="blockwise_attention",
        says="the scores of all keys are made at once",
        replace=(
            (
                "    scale = 1 / math.sqrt(query.shape[-1])\n    top",
                "    return scaled_dot_product_attention(query, key, value, mask)[0]\n    top",
            ),
        ),
        fails=frozenset({"test_blockwise_attention_never_holds_more_than_a_block"}),
    ),
    Mistake(
        id="blockwise_keeps_all_blocks",
        exercise="blockwise_attention",
        says="the scores of all blocks are kept until the end",
        replace=(
            ("    output = query.new_zeros(", "    kept = []\n    output = query.new_zeros("),
            ("        top = new_top\n", "        top = new_top\n        kept.append(scores)\n"),
        ),
        fails=frozenset({"test_blockwise_attention_never_holds_more_than_a_block"}),
    ),
    Mistake(
        id="blockwise_number_of_blocks",
        exercise="blockwise_attention",
        says="`block_size` is taken for the number of blocks",
        replace=(
            ("    for start in range(0", "    block_size = -(-key.shape[-2] // block_size)\n    for start in range(0"),
        ),
        fails=frozenset({"test_blockwise_attention_never_holds_more_than_a_block"}),
    ),
    Mistake(
        id="blockwise_drops_the_rest",
        exercise="blockwise_attention",
        says="keys after the last whole block are left out",
        replace=(
            ("range(0, key.shape[-2], block_size)", "range(0, max(key.shape[-2] - block_size, 0) + 1, block_size)"),
        ),
        fails=frozenset(
            {
                "test_blockwise_attention_takes_blocks_that_do_not_divide",
                "test_blockwise_attention_takes_any_leading_axes",
                "test_blockwise_attention_obeys_the_mask",
                "test_blockwise_attention_takes_masks_with_a_key_axis_of_one",
            }
        ),
    ),
    Mistake(
        id="blockwise_not_scaled",
        exercise="blockwise_attention",
        says="the blocks' scores are not divided by √d_head",
        replace=(("    scale = 1 / math.sqrt(query.shape[-1])\n    top", "    scale = 1.0\n    top"),),
        fails=frozenset({"test_blockwise_attention_equals_attention"}),
    ),
    Mistake(
        id="blockwise_without_mask",
        exercise="blockwise_attention",
        says="the mask is not used in the blocks",
        replace=(("            scores = scores.masked_fill(~allowed, -math.inf)\n", ""),),
        fails=frozenset(
            {
                "test_blockwise_attention_obeys_the_mask",
                "test_blockwise_attention_passes_over_blocks_without_allowed_keys",
                "test_blockwise_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="blockwise_first_part_of_the_mask",
        exercise="blockwise_attention",
        says="every block uses the first part of the mask",
        replace=(("mask[..., block]\n", "mask[..., : scores.shape[-1]]\n"),),
        fails=frozenset(
            {
                "test_blockwise_attention_obeys_the_mask",
                "test_blockwise_attention_passes_over_blocks_without_allowed_keys",
            }
        ),
    ),
    Mistake(
        id="blockwise_slices_thin_masks",
        exercise="blockwise_attention",
        says="a mask with a key axis of size 1 is sliced like the keys",
        replace=(("mask if mask.shape[-1] == 1 else mask[..., block]", "mask[..., block]"),),
        fails=frozenset({"test_blockwise_attention_takes_masks_with_a_key_axis_of_one"}),
    ),
    Mistake(
        id="blockwise_nan_while_nothing_is_allowed",
        exercise="blockwise_attention",
        says="a first block in which everything is blocked gives NaN",
        replace=(
            (
                "        shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far\n",
                "        shift = new_top\n",
            ),
        ),
        fails=frozenset(
            {
                "test_blockwise_attention_passes_over_blocks_without_allowed_keys",
                "test_blockwise_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="blockwise_nan_where_all_is_blocked",
        exercise="blockwise_attention",
        says="block by block, a query that may attend to nothing gets NaN",
        replace=(("    return output / total.masked_fill(total == 0, 1.0)", "    return output / total"),),
        fails=frozenset({"test_blockwise_attention_gives_zeros_where_everything_is_blocked"}),
    ),
    Mistake(
        id="blockwise_for_batches_only",
        exercise="blockwise_attention",
        says="the blocks are cut from axis 1, which is right for one leading axis only",
        replace=(("key[..., block, :]", "key[:, block]"), ("value[..., block, :]", "value[:, block]")),
        fails=frozenset(
            {
                "test_blockwise_attention_never_holds_more_than_a_block",
                "test_blockwise_attention_takes_any_leading_axes",
            }
        ),
    ),
    Mistake(
        id="blockwise_sums_in_float32",
        exercise="blockwise_attention",
        says="the sums are made in the default dtype, and the output with them",
        replace=(
            (
                "output = query.new_zeros((*query.shape[:-1], value.shape[-1]))",
                "output = torch.zeros((*query.shape[:-1], value.shape[-1]), device=query.device)",
            ),
        ),
        fails=frozenset({"test_blockwise_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="blockwise_on_the_cpu",
        exercise="blockwise_attention",
        says="the sums are made on the CPU, wherever the query is",
        replace=(
            (
                "output = query.new_zeros((*query.shape[:-1], value.shape[-1]))",
                "output = torch.zeros((*query.shape[:-1], value.shape[-1]), dtype=query.dtype)",
            ),
        ),
        fails=frozenset({"test_blockwise_attention_keeps_the_device"}),
    ),
    Mistake(
        id="blockwise_scales_the_query_in_place",
        exercise="blockwise_attention",
        says="block by block, the query is scaled in place",
        replace=(
            (
                "    scale = 1 / math.sqrt(query.shape[-1])\n    top",
                "    query *= 1 / math.sqrt(query.shape[-1])\n    scale = 1.0\n    top",
            ),
        ),
        fails=frozenset({"test_blockwise_attention_leaves_its_inputs_alone"}),
    ),
)
