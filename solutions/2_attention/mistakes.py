"""Named mistakes of stage 2, as students make them."""

from autograder.course.mistakes import mistake

MISTAKES = {
    "softmax": (
        mistake(
            "softmax_ignores_dim",
            "the softmax runs over the last axis, whatever `dim` says",
            "x.detach().amax(dim=dim",
            "x.detach().amax(dim=-1",
            "total = exponentials.sum(dim=dim",
            "total = exponentials.sum(dim=-1",
        ),
        mistake(
            "softmax_counts_axes_from_the_front",
            "the last axis is always taken to be axis number 1",
            "top = x.detach()",
            "dim = 1 if dim == -1 else dim\n    top = x.detach()",
        ),
        mistake("softmax_without_maximum", "no maximum is subtracted before the exponential", "(x - top)", "(x)"),
        mistake(
            "softmax_global_maximum",
            "one maximum is subtracted for the whole tensor, not one for each slice",
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
            "the sum loses its axis, so that the division lines up with the wrong one",
            "exponentials.sum(dim=dim, keepdim=True)",
            "exponentials.sum(dim=dim)",
        ),
        mistake(
            "softmax_adds_to_the_sum",
            "a small number is added to the sum, so that weights sum to less than one",
            "total.masked_fill(total == 0, 1.0)\n    ### END SOLUTION\n\n\ndef causal",
            "(total + 1e-6)\n    ### END SOLUTION\n\n\ndef causal",
        ),
        mistake(
            "softmax_nan_for_an_empty_slice",
            "a slice of only -inf gives NaN",
            "    top = top.masked_fill(top == -math.inf, 0.0)  # -inf − -inf would be NaN\n",
            "",
        ),
        mistake(
            "softmax_equal_shares_for_an_empty_slice",
            "a slice of only -inf gives equal weights",
            "top = x.detach()",
            "x = x.clamp(min=torch.finfo(x.dtype).min)\n    top = x.detach()",
        ),
        mistake(
            "softmax_leaves_the_graph", "the weights are detached from the graph", "torch.exp(x", "torch.exp(x.detach()"
        ),
        mistake(
            "softmax_widens", "the softmax is computed in float64 and stays there", "(x - top)", "(x.double() - top)"
        ),
        mistake(
            "softmax_on_the_cpu",
            "a tensor is made on the CPU, wherever the logits are",
            "torch.exp(x - top)",
            "torch.exp(torch.maximum(x - top, torch.full(x.shape, -math.inf, dtype=x.dtype)))",
        ),
        mistake("softmax_in_place", "the maximum is subtracted from the logits in place", "(x - top)", "(x.sub_(top))"),
    ),
    "causal_mask": (
        mistake(
            "causal_mask_inverted", "True marks what is hidden, not what may be seen", "[None, :] <=", "[None, :] >"
        ),
        mistake(
            "causal_mask_without_the_diagonal", "a position may not see itself", "<= query_position", "< query_position"
        ),
        mistake(
            "causal_mask_leaks_the_next_key",
            "a position may see the one after it",
            "<= query_position[:, None]",
            "<= query_position[:, None] + 1",
        ),
        mistake(
            "causal_mask_lined_up_at_the_start",
            "the first query lines up with the first key",
            " + (key_length - query_length)",
            "",
        ),
        mistake(
            "causal_mask_never_shifts_back",
            "with fewer keys than queries the mask starts at the first query",
            "+ (key_length - query_length)",
            "+ max(key_length - query_length, 0)",
        ),
        mistake(
            "causal_mask_of_numbers",
            "the mask holds zeros and ones instead of False and True",
            "<= query_position[:, None]",
            "<= query_position[:, None]).to(torch.get_default_dtype())",
            "return key_position[",
            "return (key_position[",
        ),
        mistake(
            "causal_mask_on_the_cpu",
            "`device` is not used",
            "torch.arange(query_length, device=device)",
            "torch.arange(query_length)",
            "torch.arange(key_length, device=device)",
            "torch.arange(key_length)",
        ),
    ),
    "padding_mask": (
        mistake(
            "padding_mask_one_too_many", "the first token of the padding counts as real", "< lengths[:", "<= lengths[:"
        ),
        mistake("padding_mask_inverted", "True marks the padding", "< lengths[:, None]", ">= lengths[:, None]"),
        mistake(
            "padding_mask_on_the_left", "the padding stands on the left", "< lengths[:,", ">= max_length - lengths[:,"
        ),
        mistake(
            "padding_mask_on_the_cpu",
            "a tensor is made on the CPU, wherever `lengths` is",
            "torch.arange(max_length, device=lengths.device)",
            "torch.arange(max_length)",
        ),
    ),
    "masked_softmax": (
        mistake("mask_inverted", "keys are blocked where the mask is True", "(~mask, -math.inf)", "(mask, -math.inf)"),
        mistake(
            "mask_needed",
            "the mask may not be left out",
            "if mask is not None:\n        scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
        ),
        mistake("mask_ignored", "the mask is not used", "= scores.masked_fill(~mask, -math.inf)", "= scores.clone()"),
        mistake(
            "mask_multiplies_scores",
            "blocked scores become 0, which still earns a weight",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores * mask\n    return",
        ),
        mistake(
            "mask_after_the_softmax",
            "blocked weights are removed after the softmax, and the others do not sum to one any more",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "return softmax(scores, dim=-1) * mask\n    return",
        ),
        mistake(
            "mask_after_the_softmax_renormalised_safely",
            "blocked weights are removed after the softmax, too late for a blocked score that has taken all the weight",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            (
                "weights = softmax(scores, dim=-1) * mask\n"
                "        total = weights.sum(dim=-1, keepdim=True)\n"
                "        return weights / total.masked_fill(total == 0, 1.0)\n"
                "    return"
            ),
        ),
        mistake(
            "mask_fills_with_minus_ten_thousand",
            "blocked scores become -1e4: not low enough for large scores, and equal weights where all is blocked",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.masked_fill(~mask, -1e4)\n    return",
        ),
        mistake(
            "mask_adds_minus_a_billion",
            "a billion is subtracted from blocked scores, which leaves a larger score and a row of"
            " blocked ones as they are",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores - 1e9 * ~mask\n    return",
        ),
        mistake(
            "mask_equal_shares_where_all_is_blocked",
            "a query that may attend to nothing attends to everything equally",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n    return",
        ),
        mistake(
            "mask_nan_where_all_is_blocked",
            "a query that may attend to nothing gets NaN",
            "return softmax(",
            "return torch.softmax(",
        ),
        mistake(
            "mask_mends_nan_afterwards",
            "NaN is replaced in the weights but lives on in the gradient",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return softmax(scores, dim=-1)",
            (
                "scores = scores + torch.zeros_like(scores).masked_fill(~mask, -math.inf)\n"
                "    weights = torch.softmax(scores, dim=-1)\n"
                "    return torch.where(torch.isnan(weights), 0.0, weights)"
            ),
        ),
        mistake(
            "mask_transposed_when_square",
            "the mask's query and key axes are exchanged",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            (
                "mask = mask.transpose(-2, -1) if mask.shape[-1] == mask.shape[-2] else mask\n"
                "        scores = scores.masked_fill(~mask, -math.inf)\n"
                "    return"
            ),
        ),
        mistake(
            "mask_of_the_same_shape_only",
            "the mask is used as an index, so that it cannot be broadcast",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.clone()\n        scores[~mask] = -math.inf\n    return",
        ),
        mistake(
            "weights_sum_to_one_over_queries", "the softmax runs over queries, not over keys", ", dim=-1)", ", dim=-2)"
        ),
        mistake(
            "masked_softmax_leaves_the_graph",
            "masked scores are detached from the graph",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.detach().masked_fill(~mask, -math.inf)\n    return",
        ),
        mistake(
            "masked_softmax_widens",
            "the mask is turned into a float64 tensor, and the weights with it",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores + torch.zeros_like(mask, dtype=torch.float64).masked_fill(~mask, -math.inf)\n    return",
        ),
        mistake(
            "masked_softmax_on_the_cpu",
            "a tensor is made on the CPU for what is blocked, wherever the scores are",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = torch.where(mask, scores, torch.full(scores.shape, -math.inf, dtype=scores.dtype))\n    return",
        ),
        mistake(
            "masked_softmax_in_place",
            "blocked scores are overwritten in place",
            "scores = scores.masked_fill(~mask, -math.inf)\n    return",
            "scores = scores.masked_fill_(~mask, -math.inf)\n    return",
        ),
    ),
    "scaled_dot_product_attention": (
        mistake(
            "scores_not_scaled",
            "the scores are not divided by √d_head",
            "        scale = 1 / math.sqrt(query.shape[-1])",
            "        scale = 1.0",
        ),
        mistake(
            "scores_divided_by_d",
            "the scores are divided by d_head and not by its root",
            "        scale = 1 / math.sqrt(query.shape[-1])",
            "        scale = 1 / query.shape[-1]",
        ),
        mistake(
            "scores_divided_by_root_d_value",
            "the scores are divided by √d_value",
            "        scale = 1 / math.sqrt(query.shape[-1])",
            "        scale = 1 / math.sqrt(value.shape[-1])",
        ),
        mistake(
            "scores_divided_by_root_key_length",
            "the scores are divided by the root of the number of keys",
            "        scale = 1 / math.sqrt(query.shape[-1])",
            "        scale = 1 / math.sqrt(key.shape[-2])",
        ),
        mistake(
            "scores_scaled_twice",
            "a given scale comes on top of 1/√d_head",
            "scale = 1 / math.sqrt(query.shape[-1])\n    scores",
            "scale = 1.0\n    scale = scale / math.sqrt(query.shape[-1])\n    scores",
        ),
        mistake(
            "scale_of_zero_is_no_scale", "a scale of 0 is taken for the default", "if scale is None:", "if not scale:"
        ),
        mistake("scale_ignored", "`scale` is not used", "if scale is None:", "if True:"),
        mistake(
            "scale_after_the_softmax",
            "the weights are scaled, not the scores",
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)"
            ),
            (
                "scores = query @ key.transpose(-2, -1)  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask) * scale"
            ),
        ),
        mistake(
            "queries_and_keys_exchanged",
            "queries and keys are exchanged in the scores",
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)",
            "scores = key @ query.transpose(-2, -1) * scale  # (…, query, key)",
        ),
        mistake(
            "keys_averaged",
            "the keys are averaged in place of the values",
            "weights = masked_softmax(scores, mask)\n    return weights @ value",
            "weights = masked_softmax(scores, mask)\n    return weights @ key",
        ),
        mistake(
            "attention_results_exchanged",
            "weights come first and the output second",
            "return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
            "return weights, weights @ value\n    ### END SOLUTION\n\n\ndef kernel",
        ),
        mistake(
            "attention_returns_scores",
            "the scores are returned in place of the weights",
            "return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
            "return weights @ value, scores\n    ### END SOLUTION\n\n\ndef kernel",
        ),
        mistake(
            "attention_returns_weights_transposed",
            "the weights are returned as `(…, key, query)`",
            "return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
            "return weights @ value, weights.transpose(-2, -1)\n    ### END SOLUTION\n\n\ndef kernel",
        ),
        mistake(
            "attention_for_batches_only",
            "the key's axes 1 and 2 are exchanged, which is right for one leading axis only",
            "query @ key.transpose(-2, -1) * scale  # (…, query, key)",
            "query @ key.transpose(1, 2) * scale  # (…, query, key)",
        ),
        mistake(
            "attention_without_mask",
            "the mask is not used in attention",
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)"
            ),
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights = masked_softmax(scores)",
        ),
        mistake(
            "attention_with_a_softmax_of_its_own",
            "attention uses a softmax that subtracts no maximum",
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)"
            ),
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    exponentials = scores.exp() if mask is None else scores.exp() * mask\n"
                "    weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)"
            ),
        ),
        mistake(
            "attention_fills_with_minus_ten_thousand",
            "attention adds -1e4 to blocked scores: a key that matches well enough gets through",
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores, mask)"
            ),
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights = masked_softmax(scores if mask is None else scores - 1e4 * ~mask)"
            ),
        ),
        mistake(
            "attention_detaches_the_weights",
            "the weights are detached before they meet the values",
            "return weights @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
            "return weights.detach() @ value, weights\n    ### END SOLUTION\n\n\ndef kernel",
        ),
        mistake(
            "attention_widens",
            "attention is computed in float64 and stays there",
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
            (
                "query, key, value = query.double(), key.double(), value.double()\n"
                "    scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    weights"
            ),
        ),
        mistake(
            "attention_on_the_cpu",
            "a missing mask is made on the CPU, wherever the query is",
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
            (
                "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n"
                "    mask = torch.ones(scores.shape, dtype=torch.bool) if mask is None else mask\n"
                "    weights"
            ),
        ),
        mistake(
            "attention_scales_the_query_in_place",
            "the query is scaled in place",
            "scores = query @ key.transpose(-2, -1) * scale  # (…, query, key)\n    weights",
            "query *= scale\n    scores = query @ key.transpose(-2, -1)  # (…, query, key)\n    weights",
        ),
    ),
    "kernel_attention": (
        mistake(
            "kernel_of_the_dot_product",
            "the scores are q·k / h²: the squared length of the keys is missing",
            "scores = -0.5 * difference.square().sum(dim=-1)",
            "scores = query @ key.transpose(-2, -1) / bandwidth**2",
        ),
        mistake(
            "kernel_without_the_half", "the ½ in the Gaussian's exponent is missing", "-0.5 * difference", "-difference"
        ),
        mistake(
            "kernel_bandwidth_not_squared",
            "the squared distance is divided by the bandwidth and not by its square",
            "scores = -0.5 * difference.square().sum(dim=-1)",
            "scores = -0.5 * bandwidth * difference.square().sum(dim=-1)",
        ),
        mistake(
            "kernel_multiplies_by_the_bandwidth", "distances are multiplied by the bandwidth", "(-3)) /", "(-3)) *"
        ),
        mistake(
            "kernel_of_the_plain_distance", "the distance in the exponent is not squared", "(dim=-1)", "(dim=-1).sqrt()"
        ),
        mistake(
            "kernel_scaled_by_root_d",
            "the scores are divided by √d on top of the bandwidth",
            "difference.square().sum(dim=-1)",
            "difference.square().sum(dim=-1) / math.sqrt(query.shape[-1])",
        ),
        mistake(
            "kernel_grows_with_distance", "the sign is missing: far keys get the most weight", "= -0.5 *", "= 0.5 *"
        ),
        mistake(
            "kernel_normalised_by_hand",
            "the kernel's values are divided by their sum, which is 0 far from all keys",
            "return masked_softmax(scores) @ value",
            "weights = torch.exp(scores)\n    return weights / weights.sum(dim=-1, keepdim=True) @ value",
        ),
        mistake(
            "kernel_without_leading_axes",
            "queries and keys meet along the first axes, which is right without leading axes only",
            "query.unsqueeze(-2) - key.unsqueeze(-3)",
            "query.unsqueeze(1) - key.unsqueeze(0)",
        ),
        mistake(
            "kernel_widens",
            "kernel attention is computed in float64 and stays there",
            "return masked_softmax(scores) @ value",
            "return masked_softmax(scores.double()) @ value.double()",
        ),
        mistake(
            "kernel_on_the_cpu",
            "a tensor for the bandwidth is made on the CPU, wherever the query is",
            "key.unsqueeze(-3)) / bandwidth",
            "key.unsqueeze(-3)) / torch.full((1,), bandwidth, dtype=query.dtype)",
        ),
        mistake(
            "kernel_scales_in_place",
            "query and key are divided by the bandwidth in place",
            "difference = (query.unsqueeze(-2) - key.unsqueeze(-3)) / bandwidth",
            "query /= bandwidth\n    key /= bandwidth\n    difference = query.unsqueeze(-2) - key.unsqueeze(-3)",
        ),
    ),
    "AdditiveAttention": (
        mistake(
            "additive_with_biases",
            "the linears have biases",
            "nn.Linear(d_query, d_hidden, bias=False)",
            "nn.Linear(d_query, d_hidden)",
            "nn.Linear(d_key, d_hidden, bias=False)",
            "nn.Linear(d_key, d_hidden)",
            "nn.Linear(d_hidden, 1, bias=False)",
            "nn.Linear(d_hidden, 1)",
        ),
        mistake(
            "additive_keeps_a_table",
            "the state dict holds more than the parameters",
            "self.query_proj = nn.Linear",
            "self.register_buffer('scale', torch.ones(()))\n        self.query_proj = nn.Linear",
        ),
        mistake("additive_without_tanh", "there is no tanh in the hidden layer", "(torch.tanh(hidden))", "(hidden)"),
        mistake(
            "additive_multiplies",
            "projected query and key are multiplied, not added",
            ".unsqueeze(2) + self.key_proj(key)",
            ".unsqueeze(2) * self.key_proj(key)",
        ),
        mistake(
            "additive_over_queries",
            "additive weights sum to one over queries, not over keys",
            "        weights = masked_softmax(scores, mask)",
            (
                "        weights = masked_softmax(scores.transpose(1, 2)).transpose(1, 2) if mask is None else "
                "masked_softmax(scores, mask)"
            ),
        ),
        mistake(
            "additive_without_mask",
            "the mask is not used in additive attention",
            "        weights = masked_softmax(scores, mask)",
            "        weights = masked_softmax(scores)",
        ),
        mistake(
            "additive_equal_shares_where_all_is_blocked",
            "in additive attention, a query that may attend to nothing attends to everything equally",
            "        weights = masked_softmax(scores, mask)",
            (
                "        scores = scores if mask is None else scores.masked_fill(~mask, -1e9)\n"
                "        weights = softmax(scores)"
            ),
        ),
        mistake(
            "additive_returns_scores",
            "additive attention returns the scores in place of the weights",
            "return weights @ value, weights\n        ### END",
            "return weights @ value, scores\n        ### END",
        ),
        mistake(
            "additive_detaches_the_keys",
            "the projected keys are detached, so that `key_proj` never learns",
            "self.key_proj(key).unsqueeze(1)",
            "self.key_proj(key).detach().unsqueeze(1)",
        ),
        mistake(
            "additive_widens",
            "additive attention is computed in float64 and stays there",
            "return weights @ value, weights\n        ### END",
            "weights = weights.double()\n        return weights @ value.double(), weights\n        ### END",
        ),
        mistake(
            "additive_on_the_cpu",
            "additive attention sums into a tensor on the CPU, wherever the query is",
            "hidden = self.query_proj(query).unsqueeze(2) + ",
            (
                "hidden = torch.zeros(query.shape[0], query.shape[1], 1, 1, dtype=query.dtype)\n"
                "        hidden = hidden + self.query_proj(query).unsqueeze(2) + "
            ),
        ),
        mistake(
            "additive_inverts_the_mask_in_place",
            "the mask is inverted in place",
            "        weights = masked_softmax(scores, mask)",
            (
                "        scores = scores if mask is None else scores.masked_fill(mask.logical_not_(), -math.inf)\n"
                "        weights = softmax(scores)"
            ),
        ),
    ),
    "attention_backward": (
        mistake(
            "backward_without_the_softmax",
            "the softmax is passed over as if its derivative were 1",
            "grad_scores = weights * (grad_weights - mean) * scale",
            "grad_scores = grad_weights * scale",
        ),
        mistake(
            "backward_without_the_mean",
            "the part of the softmax's derivative that comes from its sum is missing",
            "grad_scores = weights * (grad_weights - mean) * scale",
            "grad_scores = weights * grad_weights * scale",
        ),
        mistake("backward_without_the_scale", "the scale is missing in the gradients", "- mean) * scale", "- mean)"),
        mistake(
            "backward_with_the_default_scale",
            "the gradients use 1/√d_head in place of the scale that is given",
            "(grad_weights - mean) * scale",
            "(grad_weights - mean) / math.sqrt(query.shape[-1])",
        ),
        mistake(
            "backward_key_not_transposed",
            "the gradient of the scores is not transposed for the key",
            "grad_scores.transpose(-2, -1) @ query",
            "(grad_scores @ query if grad_scores.shape[-1] == query.shape[-2] else torch.zeros_like(key))",
        ),
        mistake(
            "backward_value_first",
            "the gradients come in the order value, key, query",
            "return grad_scores @ key, grad_scores.transpose(-2, -1) @ query, grad_value",
            "return grad_value, grad_scores.transpose(-2, -1) @ query, grad_scores @ key",
        ),
        mistake(
            "backward_for_one_sequence_only",
            "all axes are transposed, which is right without leading axes only",
            "grad_value = weights.transpose(-2, -1)",
            "grad_value = weights.permute(*reversed(range(weights.ndim)))",
        ),
        mistake(
            "backward_widens",
            "the gradients are computed in float64 and stay there",
            "return grad_scores @ key, grad",
            (
                "key, grad_scores, query = key.double(), grad_scores.double(), query.double()\n"
                "    return grad_scores @ key, grad"
            ),
        ),
        mistake(
            "backward_on_the_cpu",
            "an identity matrix is made on the CPU, wherever the weights are",
            "return grad_scores @ key, grad",
            (
                "grad_scores = grad_scores @ torch.eye(key.shape[-2], dtype=key.dtype)\n"
                "    return grad_scores @ key, grad"
            ),
        ),
        mistake(
            "backward_in_place",
            "the weights are overwritten in place",
            "grad_scores = weights * (grad_weights - mean) * scale",
            "grad_scores = weights.mul_((grad_weights - mean) * scale)",
        ),
    ),
    "blockwise_attention": (
        mistake(
            "blockwise_output_not_rescaled",
            "the sum of values is not rescaled when the largest score grows",
            "output = output * rescale + ",
            "output = output + ",
        ),
        mistake(
            "blockwise_total_not_rescaled",
            "the sum of weights is not rescaled when the largest score grows",
            "total = total * rescale + ",
            "total = total + ",
        ),
        mistake(
            "blockwise_averages_the_blocks",
            "each block has a softmax of its own, and the blocks' outputs are averaged",
            "        total = total * rescale + exponentials.sum(dim=-1, keepdim=True)\n",
            "        total = total + 1\n",
            "output * rescale + exponentials @ value[..., block, :]",
            "output + softmax(scores) @ value[..., block, :]",
        ),
        mistake(
            "blockwise_starts_at_zero",
            "the largest score so far begins at 0 and not at -inf",
            "top = query.new_full((*query.shape[:-1], 1), -math.inf)",
            "top = query.new_zeros((*query.shape[:-1], 1))",
        ),
        mistake(
            "blockwise_without_maximum",
            "no maximum is subtracted in the blocks",
            "        shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far\n",
            "        new_top = shift = torch.zeros_like(top)\n",
            "rescale = torch.exp(top - shift)",
            "rescale = 1.0",
        ),
        mistake(
            "blockwise_all_at_once",
            "the scores of all keys are made at once",
            "scale = 1 / math.sqrt(query.shape[-1])\n    top",
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
            "`block_size` is taken for the number of blocks",
            "for start in range(0",
            "block_size = -(-key.shape[-2] // block_size)\n    for start in range(0",
        ),
        mistake(
            "blockwise_drops_the_rest",
            "keys after the last whole block are left out",
            "range(0, key.shape[-2], block_size)",
            "range(0, max(key.shape[-2] - block_size, 0) + 1, block_size)",
        ),
        mistake(
            "blockwise_not_scaled",
            "the blocks' scores are not divided by √d_head",
            "scale = 1 / math.sqrt(query.shape[-1])\n    top",
            "scale = 1.0\n    top",
        ),
        mistake(
            "blockwise_without_mask",
            "the mask is not used in the blocks",
            "            scores = scores.masked_fill(~allowed, -math.inf)\n",
            "",
        ),
        mistake(
            "blockwise_first_part_of_the_mask",
            "every block uses the first part of the mask",
            "mask[..., block]",
            "mask[..., : scores.shape[-1]]",
        ),
        mistake(
            "blockwise_slices_thin_masks",
            "a mask with a key axis of size 1 is sliced like the keys",
            "mask if mask.shape[-1] == 1 else mask[..., block]",
            "mask[..., block]",
        ),
        mistake(
            "blockwise_nan_while_nothing_is_allowed",
            "a first block in which everything is blocked gives NaN",
            "shift = new_top.masked_fill(new_top == -math.inf, 0.0)  # nothing allowed so far",
            "shift = new_top",
        ),
        mistake(
            "blockwise_nan_where_all_is_blocked",
            "block by block, a query that may attend to nothing gets NaN",
            "return output / total.masked_fill(total == 0, 1.0)",
            "return output / total",
        ),
        mistake(
            "blockwise_for_batches_only",
            "the blocks are cut from axis 1, which is right for one leading axis only",
            "key[..., block, :]",
            "key[:, block]",
            "value[..., block, :]",
            "value[:, block]",
        ),
        mistake(
            "blockwise_sums_in_float32",
            "the sums are made in the default dtype, and the output with them",
            "output = query.new_zeros((*query.shape[:-1], value.shape[-1]))",
            "output = torch.zeros((*query.shape[:-1], value.shape[-1]), device=query.device)",
        ),
        mistake(
            "blockwise_on_the_cpu",
            "the sums are made on the CPU, wherever the query is",
            "output = query.new_zeros((*query.shape[:-1], value.shape[-1]))",
            "output = torch.zeros((*query.shape[:-1], value.shape[-1]), dtype=query.dtype)",
        ),
        mistake(
            "blockwise_scales_the_query_in_place",
            "block by block, the query is scaled in place",
            "scale = 1 / math.sqrt(query.shape[-1])\n    top",
            "query *= 1 / math.sqrt(query.shape[-1])\n    scale = 1.0\n    top",
        ),
    ),
}
