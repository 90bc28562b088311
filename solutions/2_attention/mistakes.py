"""Named mistakes of stage 2, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
SOFTMAX_RESULT = "return exponentials / total.masked_fill(total == 0, 1.0)\n    ### END SOLUTION\n\n\ndef causal"
FILL = "scores = scores.masked_fill(~mask, -math.inf)\n    return"
SCALE = "        scale = 1 / math.sqrt(query.shape[-1])"
WEIGHTS = (
    "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights = masked_softmax(scores, mask)"
)
RESULT = "return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel"
SCORES = "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights"
KERNEL_SCORES = "scores = -0.5 * ((distance - nearest) / bandwidth) * total"
PLAIN_SCORES = "scores = -0.5 * (distance / bandwidth).square()"
BANDWIDTH = "    bandwidth = max(bandwidth, torch.finfo(query.dtype).tiny)\n"
KERNEL_RESULT = "return masked_softmax(scores) @ value"
ADDITIVE_WEIGHTS = "        weights = masked_softmax(scores, mask)"
ADDITIVE_RESULT = "return weights @ value, weights\n        ### END"
GRAD_SCORES = "grad_scores = weights * (grad_weights - mean) * scale"
GRADIENTS = "return grad_scores @ key, grad"
BLOCK_SCALE = "scale = 1 / math.sqrt(query.shape[-1])\n    top"
BLOCK_OUTPUT = "output = query.new_zeros((*query.shape[:-1], value.shape[-1]))"

MISTAKES = {
    "softmax": (
        mistake(
            "softmax_ignores_dim",
            "the softmax always runs over the last axis, whatever `dim` is",
            "x.detach().amax(dim=dim",
            "x.detach().amax(dim=-1",
            "total = exponentials.sum(dim=dim",
            "total = exponentials.sum(dim=-1",
        ),
        mistake(
            "softmax_counts_axes_from_the_front",
            "`dim=-1` is treated as axis 1, whatever the number of axes",
            "top = x.detach()",
            "dim = 1 if dim == -1 else dim\n    top = x.detach()",
        ),
        mistake("softmax_without_maximum", "the maximum is not subtracted before the exponential", "(x - top)", "(x)"),
        mistake(
            "softmax_clamps_the_logits",
            "the logits are limited to ±30 instead of shifted by the maximum",
            "(x - top)",
            "(x.clamp(-30, 30))",
        ),
        mistake(
            "softmax_clamps_the_differences",
            "the shifted logits are limited to -30, so -inf and small weights get too much",
            "(x - top)",
            "((x - top).clamp(min=-30))",
        ),
        mistake(
            "softmax_in_float32",
            "the softmax is computed in float32, whatever the dtype of the logits",
            "    top = x.detach()",
            "    dtype, x = x.dtype, x.float()\n    top = x.detach()",
            SOFTMAX_RESULT,
            SOFTMAX_RESULT.replace(
                "return exponentials / total.masked_fill(total == 0, 1.0)",
                "return (exponentials / total.masked_fill(total == 0, 1.0)).to(dtype)",
            ),
        ),
        mistake(
            "softmax_narrows",
            "the softmax always returns float32",
            SOFTMAX_RESULT,
            SOFTMAX_RESULT.replace("return exponentials /", "return exponentials.float() / 1.0 /").replace(
                "total.masked", "total.float().masked"
            ),
        ),
        mistake(
            "softmax_global_maximum",
            "the global maximum is subtracted, not the maximum of each slice",
            "x.detach().amax(dim=dim, keepdim=True)",
            "x.detach().max()",
        ),
        mistake(
            "softmax_normalises_over_everything",
            "the whole tensor sums to one, not each slice",
            "exponentials.sum(dim=dim, keepdim=True)",
            "exponentials.sum()",
        ),
        mistake(
            "softmax_sum_without_keepdim",
            "the sum loses its axis, so the division broadcasts along the wrong axis",
            "exponentials.sum(dim=dim, keepdim=True)",
            "exponentials.sum(dim=dim)",
        ),
        mistake(
            "softmax_adds_to_the_sum",
            "a small constant in the divisor makes the weights sum to less than one",
            SOFTMAX_RESULT,
            SOFTMAX_RESULT.replace("total.masked_fill(total == 0, 1.0)", "(total + 1e-6)"),
        ),
        mistake(
            "softmax_nan_for_an_empty_slice",
            "a slice that holds only -inf gives NaN",
            "    top = top.masked_fill(top == -math.inf, 0.0)  # -inf − -inf would be NaN\n",
            "",
        ),
        mistake(
            "softmax_equal_shares_for_an_empty_slice",
            "a slice that holds only -inf gives equal weights",
            "top = x.detach()",
            "x = x.clamp(min=torch.finfo(x.dtype).min)\n    top = x.detach()",
        ),
        mistake(
            "softmax_leaves_the_graph", "the logits are detached from the graph", "torch.exp(x", "torch.exp(x.detach()"
        ),
        mistake("softmax_widens", "the softmax always returns float64", "(x - top)", "(x.double() - top)"),
        mistake(
            "softmax_on_the_cpu",
            ON_THE_CPU,
            "torch.exp(x - top)",
            "torch.exp(torch.maximum(x - top, torch.full(x.shape, -math.inf, dtype=x.dtype)))",
        ),
        mistake("softmax_in_place", "the maximum is subtracted from the logits in place", "(x - top)", "(x.sub_(top))"),
    ),
    "causal_mask": (
        mistake(
            "causal_mask_inverted", "True marks the blocked keys, not the allowed keys", "[None, :] <=", "[None, :] >"
        ),
        mistake(
            "causal_mask_without_the_diagonal",
            "no position may attend to itself",
            "<= query_position",
            "< query_position",
        ),
        mistake(
            "causal_mask_leaks_the_next_key",
            "a position may also attend to the next position",
            "<= query_position[:, None]",
            "<= query_position[:, None] + 1",
        ),
        mistake(
            "causal_mask_lined_up_at_the_start",
            "the first query is aligned with the first key",
            " + (key_length - query_length)",
            "",
        ),
        mistake(
            "causal_mask_never_shifts_back",
            "the first query and key are aligned when there are fewer keys than queries",
            "+ (key_length - query_length)",
            "+ max(key_length - query_length, 0)",
        ),
        mistake(
            "causal_mask_of_numbers",
            "the mask holds floating-point 0 and 1 instead of booleans",
            "<= query_position[:, None]",
            "<= query_position[:, None]).to(torch.get_default_dtype())",
            "return key_position[",
            "return (key_position[",
        ),
        mistake(
            "causal_mask_on_the_cpu_by_default",
            "without `device`, the mask is created on the CPU, whatever the default device",
            "    query_position = torch.arange",
            '    device = "cpu" if device is None else device\n    query_position = torch.arange',
        ),
        mistake(
            "causal_mask_on_the_cpu",
            "the argument `device` is ignored",
            "torch.arange(query_length, device=device)",
            "torch.arange(query_length)",
            "torch.arange(key_length, device=device)",
            "torch.arange(key_length)",
        ),
    ),
    "padding_mask": (
        mistake(
            "padding_mask_one_too_many", "the first padding token counts as a real token", "< lengths[:", "<= lengths[:"
        ),
        mistake("padding_mask_inverted", "True marks the padding tokens", "< lengths[:, None]", ">= lengths[:, None]"),
        mistake(
            "padding_mask_on_the_left",
            "the padding is expected on the left instead of the right",
            "< lengths[:,",
            ">= max_length - lengths[:,",
        ),
        mistake(
            "padding_mask_as_long_as_the_longest",
            "the mask ends with the longest sequence, whatever `max_length` is",
            "torch.arange(max_length, device",
            "torch.arange(int(lengths.max()), device",
        ),
        mistake(
            "padding_mask_changes_the_lengths",
            "one is subtracted from the lengths in place",
            "return torch.arange(max_length, device=lengths.device) <",
            "lengths -= 1\n    return torch.arange(max_length, device=lengths.device) <=",
        ),
        mistake(
            "padding_mask_on_the_cpu",
            ON_THE_CPU,
            "torch.arange(max_length, device=lengths.device)",
            "torch.arange(max_length)",
        ),
    ),
    "masked_softmax": (
        mistake("mask_inverted", "keys are blocked where the mask is True", "(~mask, -math.inf)", "(mask, -math.inf)"),
        mistake(
            "mask_needed",
            "a mask of None raises an error",
            "if mask is not None:\n        scores = scores.masked_fill(~mask, -math.inf)\n    return",
            FILL,
        ),
        mistake("mask_ignored", "the mask is ignored", "= scores.masked_fill(~mask, -math.inf)", "= scores.clone()"),
        mistake(
            "mask_multiplies_scores",
            "blocked scores are multiplied by 0, and a score of 0 still gets weight",
            FILL,
            "scores = scores * mask\n    return",
        ),
        mistake(
            "mask_after_the_softmax",
            "the weights are masked after the softmax and no longer sum to one",
            FILL,
            "return softmax(scores, dim=-1) * mask\n    return",
        ),
        mistake(
            "mask_after_the_softmax_renormalised_safely",
            "the weights are masked and renormalised after the softmax, too late for large blocked scores",
            FILL,
            (
                "weights = softmax(scores, dim=-1) * mask\n"
                "        total = weights.sum(dim=-1, keepdim=True)\n"
                "        return weights / total.masked_fill(total == 0, 1.0)\n"
                "    return"
            ),
        ),
        mistake(
            "mask_of_none_is_causal",
            "a mask of None blocks the keys after each query",
            "    if mask is not None:\n        scores = scores.masked_fill(~mask, -math.inf)\n    return",
            (
                "    if mask is None:\n"
                "        mask = causal_mask(scores.shape[-2], scores.shape[-1], scores.device)\n"
                "    scores = scores.masked_fill(~mask, -math.inf)\n"
                "    return"
            ),
        ),
        mistake(
            "mask_added",
            "the boolean mask is added to the scores, so allowed keys gain 1 and no key is blocked",
            FILL,
            "scores = scores + mask\n    return",
        ),
        mistake(
            "mask_fills_with_minus_a_billion",
            "blocked scores become -1e9, which is finite and too large for float16",
            FILL,
            FILL.replace("-math.inf", "-1e9"),
        ),
        mistake(
            "mask_fills_with_minus_a_billion_and_clears_rows",
            "blocked scores become -1e9, too large for float16 and higher than very low allowed scores",
            FILL,
            FILL.replace("-math.inf", "-1e9").replace(
                "\n    return", "\n        return softmax(scores, dim=-1) * mask\n    return"
            ),
        ),
        mistake(
            "mask_adds_the_lowest_number",
            "the lowest number of the dtype is added to blocked scores instead of replacing them",
            FILL,
            (
                "lowest = torch.zeros_like(scores).masked_fill(~mask, torch.finfo(scores.dtype).min)\n"
                "        return softmax(scores + lowest, dim=-1) * mask\n"
                "    return"
            ),
        ),
        mistake(
            "masked_softmax_in_float32",
            "the masked softmax is computed in float32, whatever the dtype of the scores",
            "return softmax(scores, dim=-1)",
            "return softmax(scores.float(), dim=-1).to(scores.dtype)",
        ),
        mistake(
            "mask_adds_to_the_sum",
            "the weights are divided by their sum and a small constant, so they sum to less than one",
            "return softmax(scores, dim=-1)",
            "return softmax(scores, dim=-1) / (1 + 1e-8)",
        ),
        mistake(
            "mask_fills_with_minus_ten_thousand",
            "blocked scores become -1e4, a finite score that can still get weight",
            FILL,
            FILL.replace("-math.inf", "-1e4"),
        ),
        mistake(
            "mask_adds_minus_a_billion",
            "blocked scores are lowered by 1e9, so they stay finite and can get weight",
            FILL,
            "scores = scores - 1e9 * ~mask\n    return",
        ),
        mistake(
            "mask_equal_shares_where_all_is_blocked",
            "a query that may attend to no key gets equal weights for all keys",
            FILL,
            FILL.replace("-math.inf", "torch.finfo(scores.dtype).min"),
        ),
        mistake(
            "mask_nan_where_all_is_blocked",
            "a query that may attend to no key gets NaN weights",
            "return softmax(",
            "return torch.softmax(",
        ),
        mistake(
            "mask_mends_nan_afterwards",
            "NaN weights are replaced by 0, but their gradient stays NaN",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return softmax(scores, dim=-1)",
            (
                "scores = scores + torch.zeros_like(scores).masked_fill(~mask, -math.inf)\n"
                "    weights = torch.softmax(scores, dim=-1)\n"
                "    return torch.where(torch.isnan(weights), 0.0, weights)"
            ),
        ),
        mistake(
            "mask_transposed_when_square",
            "the query and key axes of a square mask are swapped",
            FILL,
            "mask = mask.transpose(-2, -1) if mask.shape[-1] == mask.shape[-2] else mask\n        " + FILL,
        ),
        mistake(
            "mask_of_the_same_shape_only",
            "the mask is used as an index, so it cannot be broadcast",
            FILL,
            "scores = scores.clone()\n        scores[~mask] = -math.inf\n    return",
        ),
        mistake(
            "weights_sum_to_one_over_queries",
            "the softmax runs over the query axis",
            "softmax(scores, dim=-1)",
            "softmax(scores, dim=-2)",
        ),
        mistake(
            "masked_softmax_leaves_the_graph",
            "the scores are detached from the graph when a mask is given",
            FILL,
            "scores = scores.detach().masked_fill(~mask, -math.inf)\n    return",
        ),
        mistake(
            "masked_softmax_widens",
            "the mask is converted to float64, so the weights become float64",
            FILL,
            "scores = scores + torch.zeros_like(mask, dtype=torch.float64).masked_fill(~mask, -math.inf)\n    return",
        ),
        mistake(
            "masked_softmax_on_the_cpu",
            ON_THE_CPU,
            FILL,
            "scores = torch.where(mask, scores, torch.full(scores.shape, -math.inf, dtype=scores.dtype))\n    return",
        ),
        mistake(
            "masked_softmax_in_place",
            "blocked scores are overwritten in place",
            FILL,
            "scores = scores.masked_fill_(~mask, -math.inf)\n    return",
        ),
    ),
    "scaled_dot_product_attention": (
        mistake("scores_not_scaled", "the scores are not divided by √d_head", SCALE, "        scale = 1.0"),
        mistake(
            "scores_divided_by_d",
            "the scores are divided by d_head instead of √d_head",
            SCALE,
            "        scale = 1 / query.shape[-1]",
        ),
        mistake(
            "scores_divided_by_root_d_value",
            "the scores are divided by √d_value instead of √d_head",
            SCALE,
            "        scale = 1 / math.sqrt(value.shape[-1])",
        ),
        mistake(
            "scores_divided_by_root_key_length",
            "the scores are divided by the square root of the number of keys",
            SCALE,
            "        scale = 1 / math.sqrt(key.shape[-2])",
        ),
        mistake(
            "scores_scaled_twice",
            "a given `scale` is applied in addition to 1/√d_head",
            "scale = 1 / math.sqrt(query.shape[-1])\n    scores",
            "scale = 1.0\n    scale = scale / math.sqrt(query.shape[-1])\n    scores",
        ),
        mistake(
            "scale_of_zero_is_no_scale", "a scale of 0 is replaced by the default", "if scale is None:", "if not scale:"
        ),
        mistake("scale_ignored", "the argument `scale` is ignored", "if scale is None:", "if True:"),
        mistake(
            "scale_after_the_softmax",
            "the weights are scaled instead of the scores",
            WEIGHTS,
            (
                "scores = query @ key.transpose(-2, -1)  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask) * scale"
            ),
        ),
        mistake(
            "queries_and_keys_exchanged",
            "the queries and keys are swapped in the scores",
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)",
            "scores = key @ query.transpose(-2, -1) * scale  # (…, query, key)",
        ),
        mistake(
            "keys_averaged",
            "the keys are averaged instead of the values",
            "weights = masked_softmax(scores, mask)\n    return weights @ value",
            "weights = masked_softmax(scores, mask)\n    return weights @ key",
        ),
        mistake(
            "attention_results_exchanged",
            "the weights are returned first and the output second",
            RESULT,
            "return weights, weights @ value\n    ### END SOLUTION\n\n\ndef kernel",
        ),
        mistake(
            "attention_returns_scores",
            "the scores are returned instead of the weights",
            RESULT,
            RESULT.replace("value, weights", "value, scores"),
        ),
        mistake(
            "attention_returns_weights_transposed",
            "the query and key axes of the returned weights are swapped",
            RESULT,
            RESULT.replace("value, weights", "value, weights.transpose(-2, -1)"),
        ),
        mistake(
            "attention_for_batches_only",
            "axes 1 and 2 of the key are transposed, whatever the number of axes",
            "query @ key.transpose(-2, -1) * scale  # (…, query, key)",
            "query @ key.transpose(1, 2) * scale  # (…, query, key)",
        ),
        mistake(
            "attention_without_mask", "dot-product attention ignores the mask", WEIGHTS, WEIGHTS.replace(", mask", "")
        ),
        mistake(
            "attention_with_a_softmax_of_its_own",
            "the softmax inside attention does not subtract the maximum",
            WEIGHTS,
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    exponentials = scores.exp() if mask is None else scores.exp() * mask\n"
                "    weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)"
            ),
        ),
        mistake(
            "attention_adds_the_mask",
            "the boolean mask is added to the scores, so allowed keys gain 1 and no key is blocked",
            WEIGHTS,
            WEIGHTS.replace("scores, mask", "scores if mask is None else scores + mask"),
        ),
        mistake(
            "attention_is_causal_without_a_mask",
            "dot-product attention with a mask of None blocks the keys after each query",
            WEIGHTS,
            WEIGHTS.replace(
                "    weights",
                "    if mask is None:\n"
                "        mask = causal_mask(scores.shape[-2], scores.shape[-1], scores.device)\n"
                "    weights",
            ),
        ),
        mistake(
            "attention_fills_with_minus_a_billion",
            "attention sets blocked scores to -1e9, too large for float16 and higher than very low allowed scores",
            WEIGHTS,
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    filled = scores if mask is None else scores.masked_fill(~mask, -1e9)\n"
                "    weights = masked_softmax(filled) * (1.0 if mask is None else mask)"
            ),
        ),
        mistake(
            "attention_in_float32",
            "the softmax inside attention is computed in float32, whatever the dtype of the inputs",
            WEIGHTS,
            WEIGHTS.replace("masked_softmax(scores, mask)", "masked_softmax(scores.float(), mask).to(query.dtype)"),
        ),
        mistake(
            "attention_adds_to_the_sum",
            "a small constant in the divisor makes the weights of attention sum to less than one",
            WEIGHTS,
            WEIGHTS + " / (1 + 1e-8)",
        ),
        mistake(
            "attention_scale_without_its_sign",
            "the sign of a given `scale` is ignored",
            "* scale  # (…, query, key)\n    weights",
            "* abs(scale)  # (…, query, key)\n    weights",
        ),
        mistake(
            "attention_fills_with_minus_ten_thousand",
            "attention lowers blocked scores by 1e4, so they can still get weight",
            WEIGHTS,
            WEIGHTS.replace("scores, mask", "scores if mask is None else scores - 1e4 * ~mask"),
        ),
        mistake(
            "attention_detaches_the_weights",
            "the weights are detached before they multiply the values",
            RESULT,
            RESULT.replace("return weights", "return weights.detach()"),
        ),
        mistake(
            "attention_widens",
            "attention always returns float64",
            SCORES,
            "query, key, value = query.double(), key.double(), value.double()\n    " + SCORES,
        ),
        mistake(
            "attention_on_the_cpu",
            ON_THE_CPU,
            SCORES,
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    mask = torch.ones(scores.shape, dtype=torch.bool) if mask is None else mask\n"
                "    weights"
            ),
        ),
        mistake(
            "attention_scales_the_query_in_place",
            "the query is scaled in place",
            SCORES,
            "query *= scale\n    scores = query @ key.transpose(-2, -1)  # (…, query, key)\n    weights",
        ),
    ),
    "kernel_attention": (
        mistake(
            "kernel_of_the_dot_product",
            "the scores are q·k / bandwidth², without the squared norm of the keys",
            KERNEL_SCORES,
            "scores = query @ key.transpose(-2, -1) / bandwidth**2",
        ),
        mistake(
            "kernel_without_the_half", "the factor ½ in the exponent is missing", "scores = -0.5 *", "scores = -1.0 *"
        ),
        mistake(
            "kernel_bandwidth_not_squared",
            "the squared distance is divided by the bandwidth, not by the squared bandwidth",
            KERNEL_SCORES,
            "scores = -0.5 * distance.square() / bandwidth",
        ),
        mistake(
            "kernel_multiplies_by_the_bandwidth",
            "the distances are multiplied by the bandwidth instead of divided",
            KERNEL_SCORES,
            "scores = -0.5 * (distance * bandwidth).square()",
        ),
        mistake(
            "kernel_of_the_plain_distance",
            "the distance in the exponent is not squared",
            KERNEL_SCORES,
            "scores = -0.5 * distance / bandwidth",
        ),
        mistake(
            "kernel_scaled_by_root_d",
            "the scores are divided by √d in addition to the bandwidth",
            KERNEL_SCORES,
            KERNEL_SCORES + " / math.sqrt(query.shape[-1])",
        ),
        mistake(
            "kernel_grows_with_distance",
            "the minus sign in the exponent is missing, so distant keys get the most weight",
            "scores = -0.5 *",
            "scores = 0.5 *",
        ),
        mistake(
            "kernel_normalised_by_hand",
            "the kernel values are divided by their sum, which is 0 far from all keys",
            KERNEL_SCORES,
            PLAIN_SCORES,
            KERNEL_RESULT,
            "weights = torch.exp(scores)\n    return weights / weights.sum(dim=-1, keepdim=True) @ value",
        ),
        mistake(
            "kernel_sum_kept_from_zero",
            "a small constant is added to the sum of the kernel values, which vanish far from all keys",
            KERNEL_SCORES,
            PLAIN_SCORES,
            KERNEL_RESULT,
            "weights = torch.exp(scores)\n    return weights / (weights.sum(dim=-1, keepdim=True) + 1e-9) @ value",
        ),
        mistake(
            "kernel_of_the_largest_difference",
            "the distance is the largest difference of the features, not the Euclidean distance",
            "torch.linalg.vector_norm(query.unsqueeze(-2) - key.unsqueeze(-3), dim=-1)",
            "(query.unsqueeze(-2) - key.unsqueeze(-3)).abs().amax(dim=-1)",
        ),
        mistake(
            "kernel_counts_equal_keys_as_a_single_key",
            "of several keys in the same place, only the first counts",
            KERNEL_RESULT,
            (
                "same = (key.unsqueeze(-2) == key.unsqueeze(-3)).all(dim=-1).tril(-1).any(dim=-1)\n"
                "    return masked_softmax(scores, ~same.unsqueeze(-2)) @ value"
            ),
        ),
        mistake(
            "kernel_bandwidth_kept_from_zero",
            "the bandwidth is never smaller than 1, so no small bandwidth singles out the nearest key",
            BANDWIDTH,
            "    bandwidth = max(bandwidth, 1.0)\n",
        ),
        mistake(
            "kernel_without_leading_axes",
            "new axes are inserted at positions 0 and 1, which ignores leading axes",
            "query.unsqueeze(-2) - key.unsqueeze(-3)",
            "query.unsqueeze(1) - key.unsqueeze(0)",
        ),
        mistake(
            "kernel_widens",
            "kernel attention always returns float64",
            KERNEL_RESULT,
            "return masked_softmax(scores.double()) @ value.double()",
        ),
        mistake(
            "kernel_on_the_cpu",
            ON_THE_CPU,
            BANDWIDTH,
            "    bandwidth = torch.full((1,), max(bandwidth, torch.finfo(query.dtype).tiny), dtype=query.dtype)\n",
        ),
        mistake(
            "kernel_scales_in_place",
            "query and key are divided by the bandwidth in place",
            BANDWIDTH,
            BANDWIDTH + "    query /= bandwidth\n    key /= bandwidth\n    bandwidth = 1.0\n",
        ),
    ),
    "AdditiveAttention": (
        mistake(
            "additive_with_biases",
            "the linear layers have biases",
            "nn.Linear(d_query, d_hidden, bias=False)",
            "nn.Linear(d_query, d_hidden)",
            "nn.Linear(d_key, d_hidden, bias=False)",
            "nn.Linear(d_key, d_hidden)",
            "nn.Linear(d_hidden, 1, bias=False)",
            "nn.Linear(d_hidden, 1)",
        ),
        mistake(
            "additive_exchanges_the_sizes",
            "the sizes of queries and keys are swapped in the two projections",
            "nn.Linear(d_query, d_hidden, bias=False)",
            "nn.Linear(d_key, d_hidden, bias=False)",
            "self.key_proj = nn.Linear(d_key, d_hidden, bias=False)",
            "self.key_proj = nn.Linear(d_query, d_hidden, bias=False)",
        ),
        mistake(
            "additive_hidden_layer_of_the_size_of_a_key",
            "the hidden layer has d_key features instead of d_hidden",
            "super().__init__()\n",
            "super().__init__()\n        d_hidden = d_key\n",
        ),
        mistake(
            "additive_is_causal_without_a_mask",
            "additive attention with a mask of None blocks the keys after each query",
            ADDITIVE_WEIGHTS,
            (
                "        if mask is None:\n"
                "            mask = causal_mask(scores.shape[1], scores.shape[2], scores.device)\n"
            )
            + ADDITIVE_WEIGHTS,
        ),
        mistake(
            "additive_keeps_a_table",
            "the state dict holds a buffer besides the parameters",
            "self.query_proj = nn.Linear",
            "self.register_buffer('scale', torch.ones(()))\n        self.query_proj = nn.Linear",
        ),
        mistake("additive_without_tanh", "the hidden layer has no tanh", "(torch.tanh(hidden))", "(hidden)"),
        mistake(
            "additive_multiplies",
            "the projected query and key are multiplied instead of added",
            ".unsqueeze(2) + self.key_proj(key)",
            ".unsqueeze(2) * self.key_proj(key)",
        ),
        mistake(
            "additive_with_a_softmax_of_its_own",
            "the softmax inside additive attention does not subtract the maximum",
            ADDITIVE_WEIGHTS,
            (
                "        exponentials = scores.exp() if mask is None else scores.exp() * mask\n"
                "        total = exponentials.sum(dim=-1, keepdim=True)\n"
                "        weights = exponentials / total.masked_fill(total == 0, 1.0)"
            ),
        ),
        mistake(
            "additive_in_float32",
            "the softmax inside additive attention is computed in float32, whatever the dtype of the inputs",
            ADDITIVE_WEIGHTS,
            "        weights = masked_softmax(scores.float(), mask).to(scores.dtype)",
        ),
        mistake(
            "additive_adds_the_mask",
            "the boolean mask is added to the additive scores, so no key is blocked",
            ADDITIVE_WEIGHTS,
            "        weights = softmax(scores if mask is None else scores + mask)",
        ),
        mistake(
            "additive_keys_first",
            "the query and key axes of the additive scores are swapped when both have the same length",
            ADDITIVE_WEIGHTS,
            "        scores = scores.mT if scores.shape[1] == scores.shape[2] else scores\n" + ADDITIVE_WEIGHTS,
        ),
        mistake(
            "additive_over_queries",
            "the additive weights sum to one over the queries when no mask is given",
            ADDITIVE_WEIGHTS,
            (
                "        weights = masked_softmax(scores.transpose(1, 2)).transpose(1, 2) if mask is None else "
                "masked_softmax(scores, mask)"
            ),
        ),
        mistake(
            "additive_without_mask",
            "additive attention ignores the mask",
            ADDITIVE_WEIGHTS,
            "        weights = masked_softmax(scores)",
        ),
        mistake(
            "additive_equal_shares_where_all_is_blocked",
            "additive attention gives equal weights to a query that may attend to no key",
            ADDITIVE_WEIGHTS,
            (
                "        scores = scores if mask is None else scores.masked_fill(~mask, -1e9)\n"
                "        weights = softmax(scores)"
            ),
        ),
        mistake(
            "additive_returns_scores",
            "additive attention returns the scores instead of the weights",
            ADDITIVE_RESULT,
            "return weights @ value, scores\n        ### END",
        ),
        mistake(
            "additive_detaches_the_keys",
            "the projected keys are detached, so `key_proj` gets no gradient",
            "self.key_proj(key).unsqueeze(1)",
            "self.key_proj(key).detach().unsqueeze(1)",
        ),
        mistake(
            "additive_widens",
            "additive attention always returns float64",
            ADDITIVE_RESULT,
            "weights = weights.double()\n        return weights @ value.double(), weights\n        ### END",
        ),
        mistake(
            "additive_on_the_cpu",
            ON_THE_CPU,
            "hidden = self.query_proj(query).unsqueeze(2) + ",
            (
                "hidden = torch.zeros(query.shape[0], query.shape[1], 1, 1, dtype=query.dtype)\n"
                "        hidden = hidden + self.query_proj(query).unsqueeze(2) + "
            ),
        ),
        mistake(
            "additive_inverts_the_mask_in_place",
            "the mask is inverted in place",
            ADDITIVE_WEIGHTS,
            (
                "        scores = scores if mask is None else scores.masked_fill(mask.logical_not_(), -math.inf)\n"
                "        weights = softmax(scores)"
            ),
        ),
    ),
    "attention_backward": (
        mistake(
            "backward_without_the_softmax",
            "the derivative of the softmax is left out",
            GRAD_SCORES,
            "grad_scores = grad_weights * scale",
        ),
        mistake(
            "backward_without_the_mean",
            "the derivative of the softmax lacks the term of its denominator",
            GRAD_SCORES,
            "grad_scores = weights * grad_weights * scale",
        ),
        mistake(
            "backward_without_the_scale",
            "the gradients of query and key are not multiplied by the scale",
            "- mean) * scale",
            "- mean)",
        ),
        mistake(
            "backward_with_the_default_scale",
            "the gradients use 1/√d_head instead of the given scale",
            "(grad_weights - mean) * scale",
            "(grad_weights - mean) / math.sqrt(query.shape[-1])",
        ),
        mistake(
            "backward_renormalises_the_weights",
            "the weights are divided by their sum, which is 0 for a query that attends to nothing",
            "grad_value = weights.transpose",
            "weights = weights / weights.sum(dim=-1, keepdim=True)\n    grad_value = weights.transpose",
        ),
        mistake(
            "backward_key_not_transposed",
            "the gradient of the scores is not transposed for the gradient of the key",
            "grad_scores.transpose(-2, -1) @ query",
            "(grad_scores @ query if grad_scores.shape[-1] == query.shape[-2] else torch.zeros_like(key))",
        ),
        mistake(
            "backward_value_first",
            "the gradients are returned in the order value, key, query",
            "return grad_scores @ key, grad_scores.transpose(-2, -1) @ query, grad_value",
            "return grad_value, grad_scores.transpose(-2, -1) @ query, grad_scores @ key",
        ),
        mistake(
            "backward_for_one_sequence_only",
            "the transpose of the weights reverses all axes, including leading axes",
            "grad_value = weights.transpose(-2, -1)",
            "grad_value = weights.permute(*reversed(range(weights.ndim)))",
        ),
        mistake(
            "backward_widens",
            "the gradients of query and key are always float64",
            GRADIENTS,
            "key, grad_scores, query = key.double(), grad_scores.double(), query.double()\n    " + GRADIENTS,
        ),
        mistake(
            "backward_on_the_cpu",
            ON_THE_CPU,
            GRADIENTS,
            "grad_scores = grad_scores @ torch.eye(key.shape[-2], dtype=key.dtype)\n    " + GRADIENTS,
        ),
        mistake(
            "backward_in_place",
            "the weights are overwritten in place",
            GRAD_SCORES,
            "grad_scores = weights.mul_((grad_weights - mean) * scale)",
        ),
    ),
    "blockwise_attention": (
        mistake(
            "blockwise_output_not_rescaled",
            "the weighted sum of the values is not rescaled when the running maximum grows",
            "output = output * rescale + ",
            "output = output + ",
        ),
        mistake(
            "blockwise_total_not_rescaled",
            "the sum of the exponentials is not rescaled when the running maximum grows",
            "total = total * rescale + ",
            "total = total + ",
        ),
        mistake(
            "blockwise_averages_the_blocks",
            "each block has its own softmax, and the outputs of the blocks are averaged",
            "        total = total * rescale + exponentials.sum(dim=-1, keepdim=True)\n",
            "        total = total + 1\n",
            "output * rescale + exponentials @ value[..., block, :]",
            "output + softmax(scores) @ value[..., block, :]",
        ),
        mistake(
            "blockwise_starts_at_zero",
            "the running maximum starts at 0 instead of -inf",
            "top = query.new_full((*query.shape[:-1], 1), -math.inf)",
            "top = query.new_zeros((*query.shape[:-1], 1))",
        ),
        mistake(
            "blockwise_without_maximum",
            "the maximum is not subtracted from the scores of the blocks",
            "        shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far\n",
            "        new_top = shift = torch.zeros_like(top)\n",
            "rescale = torch.exp(top - shift)",
            "rescale = 1.0",
        ),
        mistake(
            "blockwise_all_at_once",
            "the scores of all keys are computed at once",
            BLOCK_SCALE,
            "return scaled_dot_product_attention(query, key, value, mask)[0]\n    top",
        ),
        mistake(
            "blockwise_keeps_all_blocks",
            "the scores of all blocks are kept until the end",
            "    output = query.new_zeros(",
            "    kept = []\n    output = query.new_zeros(",
            "        top = new_top\n",
            "        top = new_top\n        kept.append(scores)\n",
        ),
        mistake(
            "blockwise_number_of_blocks",
            "`block_size` is used as the number of blocks",
            "for start in range(0",
            "block_size = -(-key.shape[-2] // block_size)\n    for start in range(0",
        ),
        mistake(
            "blockwise_drops_the_rest",
            "the keys after the last full block are left out",
            "range(0, key.shape[-2], block_size)",
            "range(0, max(key.shape[-2] - block_size, 0) + 1, block_size)",
        ),
        mistake(
            "blockwise_not_scaled", "the block scores are not divided by √d_head", BLOCK_SCALE, "scale = 1.0\n    top"
        ),
        mistake(
            "blockwise_without_mask",
            "blockwise attention ignores the mask",
            "            scores = scores.masked_fill(~allowed, -math.inf)\n",
            "",
        ),
        mistake(
            "blockwise_is_causal_without_a_mask",
            "blockwise attention with a mask of None blocks the keys after each query",
            BLOCK_SCALE,
            "mask = causal_mask(query.shape[-2], key.shape[-2], query.device) if mask is None else mask\n    "
            + BLOCK_SCALE,
        ),
        mistake(
            "blockwise_first_part_of_the_mask",
            "every block uses the mask of the first block",
            "mask[..., block]",
            "mask[..., : scores.shape[-1]]",
        ),
        mistake(
            "blockwise_skips_what_the_first_sequence_skips",
            "a block is skipped if the first sequence may attend to none of its keys",
            "        new_top = torch.maximum",
            "            if allowed.ndim > 2 and not allowed.flatten(0, -3)[0].any():\n"
            "                continue\n        new_top = torch.maximum",
        ),
        mistake(
            "blockwise_skips_what_the_first_query_skips",
            "a block is skipped if the first query may attend to none of its keys",
            "        new_top = torch.maximum",
            "            if not allowed[..., 0, :].any():\n                continue\n        new_top = torch.maximum",
        ),
        mistake(
            "blockwise_slices_thin_masks",
            "a mask with a key axis of size 1 is sliced like the keys",
            "mask if mask.shape[-1] == 1 else mask[..., block]",
            "mask[..., block]",
        ),
        mistake(
            "blockwise_nan_while_nothing_is_allowed",
            "a query that may attend to no key in the first block gets NaN",
            "shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far",
            "shift = new_top",
        ),
        mistake(
            "blockwise_nan_where_all_is_blocked",
            "blockwise attention gives NaN for a query that may attend to no key",
            "return output / total.masked_fill(total == 0, 1.0)",
            "return output / total",
        ),
        mistake(
            "blockwise_for_batches_only",
            "the blocks are sliced along axis 1, whatever the number of axes",
            "key[..., block, :]",
            "key[:, block]",
            "value[..., block, :]",
            "value[:, block]",
        ),
        mistake(
            "blockwise_adds_to_the_sum",
            "a small constant in the divisor of blockwise attention makes the weights sum to less than one",
            "return output / total.masked_fill(total == 0, 1.0)",
            "return output / (total + 1e-8)",
        ),
        mistake(
            "blockwise_in_float32",
            "blockwise attention computes its scores in float32, whatever the dtype of the inputs",
            "* scale  # (…, query, block)\n",
            "* scale  # (…, query, block)\n        scores = scores.float().to(query.dtype)\n",
        ),
        mistake(
            "blockwise_sums_in_float32",
            "the output is accumulated in the default dtype, whatever the dtype of the query",
            BLOCK_OUTPUT,
            "output = torch.zeros((*query.shape[:-1], value.shape[-1]), device=query.device)",
        ),
        mistake(
            "blockwise_on_the_cpu",
            ON_THE_CPU,
            BLOCK_OUTPUT,
            "output = torch.zeros((*query.shape[:-1], value.shape[-1]), dtype=query.dtype)",
        ),
        mistake(
            "blockwise_scales_the_query_in_place",
            "blockwise attention scales the query in place",
            BLOCK_SCALE,
            "query *= 1 / math.sqrt(query.shape[-1])\n    scale = 1.0\n    top",
        ),
    ),
}
