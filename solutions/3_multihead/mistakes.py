"""Named mistakes of stage 3, as students make them."""

from autograder.course.mistakes import Mistake

# Checks that fall together, since one function is built on another.
PROJECTED = frozenset(
    {
        "test_multi_head_attention_gives_the_output",
        "test_multi_head_attention_has_biases_on_request",
        "test_multi_head_attention_learns_all_its_parameters",
        "test_multi_head_attention_passes_gradients_to_its_inputs",
    }
)
ATTENDED = PROJECTED | {"test_multi_head_attention_returns_the_weights_of_every_head"}
MASKS = frozenset(
    {
        "test_multi_head_attention_takes_masks_of_two_axes",
        "test_multi_head_attention_takes_masks_of_three_axes",
        "test_multi_head_attention_takes_masks_of_four_axes",
    }
)
DECODING = frozenset({"test_decoding_token_by_token_equals_one_causal_pass", "test_decoding_in_pieces_obeys_the_mask"})
MASKED = (
    MASKS
    | DECODING
    | {
        "test_multi_head_attention_passes_over_padding",
        "test_multi_head_attention_masks_the_memory",
        "test_multi_head_attention_is_not_touched_by_blocked_keys",
    }
)

MISTAKES = (
    # split_heads
    Mistake(
        id="split_without_moving_the_heads",
        exercise="split_heads",
        says="the features are reshaped into heads, and the heads never move in front of the positions",
        replace=(
            (
                "return pieces.transpose(1, 2)  #",
                "return x.reshape(batch, num_heads, length, d_model // num_heads)  #",
            ),
        ),
        fails=ATTENDED
        | DECODING
        | {
            "test_split_heads_gives_each_head_its_own_features",
            "test_multi_head_attention_groups_its_queries",
            "test_multi_head_attention_reads_from_memory",
            "test_multi_head_attention_passes_over_padding",
            "test_multi_head_attention_is_not_touched_by_blocked_keys",
        },
    ),
    Mistake(
        id="split_takes_every_nth_feature",
        exercise="split_heads",
        says="a head takes every n-th feature, not neighbouring ones",
        replace=(
            (
                "return pieces.transpose(1, 2)  #",
                "return x.reshape(batch, length, d_model // num_heads, num_heads).permute(0, 3, 1, 2)  #",
            ),
        ),
        fails=ATTENDED
        | {"test_split_heads_gives_each_head_its_own_features", "test_multi_head_attention_groups_its_queries"},
    ),
    Mistake(
        id="split_reverses_the_heads",
        exercise="split_heads",
        says="the heads come in reverse order",
        replace=(("return pieces.transpose(1, 2)  #", "return pieces.transpose(1, 2).flip(1)  #"),),
        fails=ATTENDED | {"test_split_heads_gives_each_head_its_own_features"},
    ),
    Mistake(
        id="split_drops_the_rest",
        exercise="split_heads",
        says="features that are left over when the heads are cut are dropped",
        replace=(
            (
                "\n    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n',
                "\n    d_model -= d_model % num_heads\n    x = x[..., :d_model]\n",
            ),
        ),
        fails=frozenset(
            {"test_split_heads_refuses_what_does_not_divide", "test_split_heads_names_the_numbers_that_do_not_divide"}
        ),
    ),
    Mistake(
        id="split_raises_another_error",
        exercise="split_heads",
        says="an assertion fails where a ValueError is asked for",
        replace=(
            (
                "\n    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n',
                '\n    assert d_model % num_heads == 0, f"d_model ({d_model}), num_heads ({num_heads})"\n',
            ),
        ),
        fails=frozenset(
            {"test_split_heads_refuses_what_does_not_divide", "test_split_heads_names_the_numbers_that_do_not_divide"}
        ),
    ),
    Mistake(
        id="split_names_no_numbers",
        exercise="split_heads",
        says="the error about the heads does not say which numbers are at odds",
        replace=(
            (
                "\n    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n',
                '\n    if d_model % num_heads:\n        raise ValueError("d_model must be divisible by num_heads")\n',
            ),
        ),
        fails=frozenset({"test_split_heads_names_the_numbers_that_do_not_divide"}),
    ),
    Mistake(
        id="split_on_the_cpu",
        exercise="split_heads",
        says="the heads are filled into a tensor that is made on the CPU",
        replace=(
            (
                "    return pieces.transpose(1, 2)  #",
                "    heads = torch.zeros(batch, num_heads, length, d_model // num_heads, dtype=x.dtype)\n"
                "    for head in range(num_heads):\n"
                "        heads[:, head] = pieces[:, :, head]\n"
                "    return heads  #",
            ),
        ),
        fails=frozenset({"test_split_heads_keeps_dtype_and_device", "test_multi_head_attention_keeps_the_device"}),
    ),
    # merge_heads
    Mistake(
        id="merge_without_moving_the_heads",
        exercise="merge_heads",
        says="heads are merged by a reshape alone, which mixes positions",
        replace=(("x.transpose(1, 2).flatten(start_dim=2)", "x.reshape(x.shape[0], x.shape[2], -1)"),),
        fails=PROJECTED
        | DECODING
        | {
            "test_merge_heads_puts_the_heads_side_by_side",
            "test_multi_head_attention_reads_from_memory",
            "test_multi_head_attention_passes_over_padding",
            "test_multi_head_attention_is_not_touched_by_blocked_keys",
            "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
        },
    ),
    Mistake(
        id="merge_takes_turns",
        exercise="merge_heads",
        says="merged features take turns between the heads, in place of one head after the other",
        replace=(("x.transpose(1, 2).flatten(start_dim=2)", "x.permute(0, 2, 3, 1).flatten(start_dim=2)"),),
        fails=PROJECTED | {"test_merge_heads_puts_the_heads_side_by_side"},
    ),
    Mistake(
        id="merge_sums_the_heads",
        exercise="merge_heads",
        says="every head's place holds the heads' average",
        replace=(
            (
                "x.transpose(1, 2).flatten(start_dim=2)",
                "x.mean(dim=1, keepdim=True).expand_as(x).transpose(1, 2).flatten(start_dim=2)",
            ),
        ),
        fails=PROJECTED | {"test_merge_heads_puts_the_heads_side_by_side"},
    ),
    Mistake(
        id="merge_on_the_cpu",
        exercise="merge_heads",
        says="the heads are merged into a tensor that is made on the CPU",
        replace=(
            (
                "    return x.transpose(1, 2).flatten(start_dim=2)",
                "    batch, heads, length, d_head = x.shape\n"
                "    merged = torch.zeros(batch, length, heads, d_head, dtype=x.dtype)\n"
                "    merged[:] = x.transpose(1, 2)\n"
                "    return merged.flatten(start_dim=2)",
            ),
        ),
        fails=frozenset({"test_merge_heads_keeps_dtype_and_device", "test_multi_head_attention_keeps_the_device"}),
    ),
    # repeat_kv
    Mistake(
        id="repeat_in_turns",
        exercise="repeat_kv",
        says="the heads are repeated in turns, 0 1 0 1, in place of 0 0 1 1",
        replace=(("x.repeat_interleave(repeats, dim=1)", "x.repeat(1, repeats, 1, 1)"),),
        fails=frozenset(
            {
                "test_repeat_kv_repeats_neighbours",
                "test_repeat_kv_collects_the_gradient_of_every_copy",
                "test_multi_head_attention_groups_its_queries",
            }
        ),
    ),
    Mistake(
        id="repeat_positions",
        exercise="repeat_kv",
        says="positions are repeated, not heads",
        replace=(("x.repeat_interleave(repeats, dim=1)", "x.repeat_interleave(repeats, dim=2)"),),
        fails=frozenset(
            {
                "test_repeat_kv_repeats_neighbours",
                "test_repeat_kv_collects_the_gradient_of_every_copy",
                "test_multi_head_attention_groups_its_queries",
                "test_multi_head_attention_keeps_the_dtype",
                "test_decoding_token_by_token_equals_one_causal_pass",
            }
        ),
    ),
    Mistake(
        id="repeat_detached",
        exercise="repeat_kv",
        says="keys and values are detached when they are repeated",
        replace=(("x.repeat_interleave(repeats, dim=1)", "x.detach().repeat_interleave(repeats, dim=1)"),),
        fails=frozenset(
            {
                "test_repeat_kv_collects_the_gradient_of_every_copy",
                "test_multi_head_attention_learns_all_its_parameters",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
            }
        ),
    ),
    Mistake(
        id="repeat_widens",
        exercise="repeat_kv",
        says="the heads are multiplied by ones of the default dtype",
        replace=(
            (
                "x.repeat_interleave(repeats, dim=1)",
                "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, device=x.device)).flatten(1, 2)",
            ),
        ),
        fails=frozenset({"test_repeat_kv_keeps_dtype_and_device", "test_multi_head_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="repeat_on_the_cpu",
        exercise="repeat_kv",
        says="the heads are multiplied by ones that are made on the CPU",
        replace=(
            (
                "x.repeat_interleave(repeats, dim=1)",
                "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, dtype=x.dtype)).flatten(1, 2)",
            ),
        ),
        fails=frozenset({"test_repeat_kv_keeps_dtype_and_device", "test_multi_head_attention_keeps_the_device"}),
    ),
    # MultiHeadAttention: its parameters
    Mistake(
        id="parameters_without_grouping",
        exercise="MultiHeadAttention",
        says="the key projection has as many features as there are query heads, whatever num_kv_heads says",
        replace=(
            (
                "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=bias)",
                "self.key_proj = nn.Linear(d_model, d_model, bias=bias)",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_has_the_parameters_listed",
                "test_multi_head_attention_groups_its_queries",
                "test_multi_head_attention_keeps_the_dtype",
                "test_decoding_token_by_token_equals_one_causal_pass",
            }
        ),
    ),
    Mistake(
        id="parameters_with_a_table",
        exercise="MultiHeadAttention",
        says="the state dict holds a table besides the parameters",
        replace=(
            (
                "self.dropout = nn.Dropout(dropout)",
                'self.dropout = nn.Dropout(dropout)\n        self.register_buffer("scale", torch.ones(1))',
            ),
        ),
        fails=frozenset({"test_multi_head_attention_has_the_parameters_listed"}),
    ),
    Mistake(
        id="bias_always",
        exercise="MultiHeadAttention",
        says="the query projection has a bias that nobody asked for",
        replace=(
            (
                "self.query_proj = nn.Linear(d_model, d_model, bias=bias)",
                "self.query_proj = nn.Linear(d_model, d_model)",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_has_the_parameters_listed",
                "test_multi_head_attention_gives_the_output",
                "test_multi_head_attention_returns_the_weights_of_every_head",
                "test_multi_head_attention_groups_its_queries",
                "test_multi_head_attention_learns_all_its_parameters",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
                "test_multi_head_attention_drops_nothing_in_eval_mode",
                "test_multi_head_attention_returns_weights_before_dropout",
            }
        ),
        named=False,  # what the bias starts with is random
    ),
    Mistake(
        id="bias_of_the_keys_left_out",
        exercise="MultiHeadAttention",
        says="the key projection has no bias, asked for or not",
        replace=(
            (
                "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=bias)",
                "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=False)",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_has_biases_on_request"}),
    ),
    Mistake(
        id="bias_never",
        exercise="MultiHeadAttention",
        says="the output projection has no bias, asked for or not",
        replace=(
            (
                "self.output_proj = nn.Linear(d_model, d_model, bias=bias)",
                "self.output_proj = nn.Linear(d_model, d_model, bias=False)",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_has_biases_on_request",
                "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
            }
        ),
    ),
    Mistake(
        id="heads_not_checked",
        exercise="MultiHeadAttention",
        says="the module takes any numbers of heads, whether they divide or not",
        replace=(
            (
                "        if d_model % num_heads:\n"
                '            raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n'
                "        if num_heads % num_kv_heads:\n            raise ValueError("
                'f"num_heads ({num_heads}) is not divisible by num_kv_heads ({num_kv_heads})")\n',
                "",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_refuses_what_does_not_divide",
                "test_multi_head_attention_names_the_numbers_that_do_not_divide",
            }
        ),
        named=False,  # a module that nobody has written yet takes any numbers too
    ),
    Mistake(
        id="key_value_heads_not_checked",
        exercise="MultiHeadAttention",
        says="the module takes numbers of key/value heads that do not divide the number of heads",
        replace=(
            (
                "        if num_heads % num_kv_heads:\n            raise ValueError("
                'f"num_heads ({num_heads}) is not divisible by num_kv_heads ({num_kv_heads})")\n',
                "",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_refuses_what_does_not_divide",
                "test_multi_head_attention_names_the_numbers_that_do_not_divide",
            }
        ),
    ),
    Mistake(
        id="module_names_no_numbers",
        exercise="MultiHeadAttention",
        says="the module's error about key/value heads does not say which numbers are at odds",
        replace=(
            (
                'raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads ({num_kv_heads})")',
                'raise ValueError("num_heads must be divisible by num_kv_heads")',
            ),
        ),
        fails=frozenset({"test_multi_head_attention_names_the_numbers_that_do_not_divide"}),
    ),
    # MultiHeadAttention: its values
    Mistake(
        id="scaled_by_d_model",
        exercise="MultiHeadAttention",
        says="scores are divided by √d_model, not by √d_head",
        replace=(("/ math.sqrt(self.d_head)", "/ math.sqrt(self.num_heads * self.d_head)"),),
        fails=ATTENDED,
    ),
    Mistake(
        id="not_scaled",
        exercise="MultiHeadAttention",
        says="scores are not divided by √d_head",
        replace=((" / math.sqrt(self.d_head)", ""),),
        fails=ATTENDED,
    ),
    Mistake(
        id="scaled_without_root",
        exercise="MultiHeadAttention",
        says="scores are divided by d_head, not by its root",
        replace=(("/ math.sqrt(self.d_head)", "/ self.d_head"),),
        fails=ATTENDED,
    ),
    Mistake(
        id="values_by_the_key_projection",
        exercise="MultiHeadAttention",
        says="values are made by the key projection",
        replace=(("split_heads(self.value_proj(source)", "split_heads(self.key_proj(source)"),),
        fails=PROJECTED,
    ),
    Mistake(
        id="keys_and_values_swapped",
        exercise="MultiHeadAttention",
        says="keys and values trade places",
        replace=(
            (
                "        if cache is not None and memory",
                "        key, value = value, key\n        if cache is not None and memory",
            ),
        ),
        fails=ATTENDED,
    ),
    Mistake(
        id="output_not_projected",
        exercise="MultiHeadAttention",
        says="the output projection is left out",
        replace=(("return self.output_proj(output), weights", "return output, weights"),),
        fails=PROJECTED | {"test_multi_head_attention_gives_zeros_where_everything_is_blocked"},
    ),
    Mistake(
        id="softmax_over_queries",
        exercise="MultiHeadAttention",
        says="weights sum to one over the queries, not over the keys",
        replace=(
            (
                "masked_softmax(scores, mask)",
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf).mT).mT\n"
                "        if mask is None:\n"
                "            weights = torch.softmax(scores, dim=-2)",
            ),
        ),
        fails=MASKED
        | ATTENDED
        | {
            "test_multi_head_attention_reads_from_memory",
            "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
            "test_multi_head_attention_is_stable_for_large_scores",
            "test_multi_head_attention_returns_weights_before_dropout",
        },
    ),
    Mistake(
        id="softmax_without_maximum",
        exercise="MultiHeadAttention",
        says="the module exponentiates scores without subtracting a maximum",
        replace=(
            (
                "weights = masked_softmax(scores, mask)",
                "exponentials = torch.exp(scores if mask is None else scores.masked_fill(~mask, -math.inf))\n"
                "        total = exponentials.sum(dim=-1, keepdim=True)\n"
                "        weights = exponentials / total.masked_fill(total == 0, 1.0)",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_is_not_touched_by_blocked_keys",
                "test_multi_head_attention_is_stable_for_large_scores",
            }
        ),
    ),
    Mistake(
        id="weights_averaged_over_heads",
        exercise="MultiHeadAttention",
        says="the weights come back averaged over the heads",
        replace=(("return self.output_proj(output), weights", "return self.output_proj(output), weights.mean(dim=1)"),),
        fails=MASKS
        | DECODING
        | {
            "test_multi_head_attention_returns_the_weights_of_every_head",
            "test_multi_head_attention_has_biases_on_request",
            "test_multi_head_attention_reads_from_memory",
            "test_multi_head_attention_is_not_touched_by_blocked_keys",
            "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
            "test_multi_head_attention_is_stable_for_large_scores",
            "test_multi_head_attention_returns_weights_before_dropout",
            "test_multi_head_attention_masks_the_memory",
        },
    ),
    Mistake(
        id="scores_for_weights",
        exercise="MultiHeadAttention",
        says="scores come back in place of weights",
        replace=(("return self.output_proj(output), weights", "return self.output_proj(output), scores"),),
        fails=MASKS
        | {
            "test_multi_head_attention_returns_the_weights_of_every_head",
            "test_multi_head_attention_has_biases_on_request",
            "test_multi_head_attention_is_not_touched_by_blocked_keys",
            "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
            "test_multi_head_attention_is_stable_for_large_scores",
            "test_multi_head_attention_returns_weights_before_dropout",
            "test_multi_head_attention_masks_the_memory",
        },
    ),
    # MultiHeadAttention: its memory
    Mistake(
        id="memory_not_used",
        exercise="MultiHeadAttention",
        says="keys and values come from x, whether there is a memory or not",
        replace=(("source = x if memory is None else memory", "source = x"),),
        fails=frozenset(
            {
                "test_multi_head_attention_reads_from_memory",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
                "test_multi_head_attention_masks_the_memory",
            }
        ),
    ),
    Mistake(
        id="memory_for_keys_alone",
        exercise="MultiHeadAttention",
        says="values come from x although there is a memory",
        replace=(("self.value_proj(source)", "self.value_proj(x)"),),
        fails=frozenset(
            {
                "test_multi_head_attention_reads_from_memory",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
                "test_cross_attention_leaves_the_cache_alone",
                "test_multi_head_attention_masks_the_memory",
            }
        ),
    ),
    Mistake(
        id="memory_for_values_alone",
        exercise="MultiHeadAttention",
        says="keys come from x although there is a memory",
        replace=(("self.key_proj(source)", "self.key_proj(x)"),),
        fails=frozenset(
            {
                "test_multi_head_attention_reads_from_memory",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
                "test_cross_attention_leaves_the_cache_alone",
                "test_multi_head_attention_masks_the_memory",
            }
        ),
    ),
    Mistake(
        id="queries_from_memory",
        exercise="MultiHeadAttention",
        says="queries come from the memory, and x from nowhere",
        replace=(("self.query_proj(x)", "self.query_proj(source)"),),
        fails=frozenset(
            {
                "test_multi_head_attention_reads_from_memory",
                "test_multi_head_attention_passes_gradients_to_its_inputs",
                "test_cross_attention_leaves_the_cache_alone",
                "test_multi_head_attention_masks_the_memory",
            }
        ),
    ),
    # MultiHeadAttention: its masks
    Mistake(
        id="mask_without_an_axis_for_heads",
        exercise="MultiHeadAttention",
        says="the sequences of a mask `(batch, query, key)` are taken for heads",
        replace=(
            (
                "        if mask is not None and mask.ndim == 3:\n"
                "            mask = mask.unsqueeze(1)  # (batch, 1, query, key): the same for every head\n",
                "",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_takes_masks_of_three_axes",
                "test_multi_head_attention_passes_over_padding",
                "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
                "test_decoding_in_pieces_obeys_the_mask",
                "test_multi_head_attention_masks_the_memory",
            }
        ),
    ),
    Mistake(
        id="mask_always_with_an_axis_for_heads",
        exercise="MultiHeadAttention",
        says="every mask gets an axis for heads, also one that has it and one that lacks the batch",
        replace=(("if mask is not None and mask.ndim == 3:", "if mask is not None:"),),
        fails=frozenset(
            {
                "test_multi_head_attention_takes_masks_of_two_axes",
                "test_multi_head_attention_takes_masks_of_four_axes",
                "test_multi_head_attention_is_not_touched_by_blocked_keys",
                "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
                "test_decoding_token_by_token_equals_one_causal_pass",
            }
        ),
    ),
    Mistake(
        id="mask_of_three_axes_only",
        exercise="MultiHeadAttention",
        says="a mask of four axes counts for nothing but its first head",
        replace=(
            (
                "        scores = query @",
                "        if mask is not None and mask.ndim == 4:\n"
                "            mask = mask[:, :1]\n"
                "        scores = query @",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_takes_masks_of_four_axes"}),
    ),
    Mistake(
        id="mask_of_two_axes_for_sequences",
        exercise="MultiHeadAttention",
        says="a mask of two axes is taken for `(batch, key)`",
        replace=(
            (
                "        if mask is not None and mask.ndim == 3:",
                "        if mask is not None and mask.ndim == 2:\n"
                "            mask = mask[:, None, None]\n"
                "        if mask is not None and mask.ndim == 3:",
            ),
        ),
        fails=frozenset(
            {
                "test_multi_head_attention_takes_masks_of_two_axes",
                "test_multi_head_attention_is_not_touched_by_blocked_keys",
                "test_multi_head_attention_gives_zeros_where_everything_is_blocked",
                "test_decoding_token_by_token_equals_one_causal_pass",
            }
        ),
    ),
    Mistake(
        id="mask_repeated_head_by_head",
        exercise="MultiHeadAttention",
        says="the mask is repeated for the heads in an order that mixes sequences and heads",
        replace=(
            (
                "mask = mask.unsqueeze(1)  #",
                "mask = mask.expand(x.shape[0], -1, -1).repeat(self.num_heads, 1, 1)\n"
                "            mask = mask.reshape(x.shape[0], self.num_heads, *mask.shape[1:])  #",
            ),
        ),
        fails=frozenset(
            {"test_multi_head_attention_takes_masks_of_three_axes", "test_multi_head_attention_masks_the_memory"}
        ),
    ),
    Mistake(
        id="mask_of_the_queries_size_only",
        exercise="MultiHeadAttention",
        says="a mask of three axes is refused when its axis of queries has size 1",
        replace=(("mask = mask.unsqueeze(1)  #", "mask = mask.reshape(mask.shape[0], 1, query.shape[2], -1)  #"),),
        fails=frozenset(
            {"test_multi_head_attention_passes_over_padding", "test_multi_head_attention_masks_the_memory"}
        ),
    ),
    Mistake(
        id="mask_inverted",
        exercise="MultiHeadAttention",
        says="True is taken for blocked",
        replace=(("masked_softmax(scores, mask)", "masked_softmax(scores, None if mask is None else ~mask)"),),
        fails=MASKED | {"test_multi_head_attention_gives_zeros_where_everything_is_blocked"},
    ),
    Mistake(
        id="mask_not_used",
        exercise="MultiHeadAttention",
        says="the mask is not used",
        replace=(("masked_softmax(scores, mask)", "masked_softmax(scores)"),),
        fails=MASKED | {"test_multi_head_attention_gives_zeros_where_everything_is_blocked"},
    ),
    Mistake(
        id="mask_for_self_attention_only",
        exercise="MultiHeadAttention",
        says="the mask is not used when there is a memory",
        replace=(("masked_softmax(scores, mask)", "masked_softmax(scores, mask if memory is None else None)"),),
        fails=frozenset({"test_multi_head_attention_masks_the_memory"}),
    ),
    Mistake(
        id="mask_after_the_softmax",
        exercise="MultiHeadAttention",
        says="blocked weights are set to 0 after the softmax, and the rest no longer sums to one",
        replace=(("masked_softmax(scores, mask)", "masked_softmax(scores) * (1.0 if mask is None else mask)"),),
        fails=MASKED,
    ),
    Mistake(
        id="mask_fill_too_small",
        exercise="MultiHeadAttention",
        says="blocked scores become −10000, which is not low enough beside very low ones",
        replace=(
            (
                "masked_softmax(scores, mask)",
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -1e4))\n"
                "        weights = weights if mask is None else weights * mask",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_is_not_touched_by_blocked_keys"}),
    ),
    Mistake(
        id="mask_causal_of_its_own",
        exercise="MultiHeadAttention",
        says="the module adds a causal mask that nobody asked for",
        replace=(
            (
                "        scores = query @",
                "        causal = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "        causal = causal.tril(key.shape[2] - query.shape[2])\n"
                "        mask = causal if mask is None else mask & causal\n"
                "        scores = query @",
            ),
        ),
        fails=ATTENDED
        | MASKS
        | {
            "test_multi_head_attention_reads_from_memory",
            "test_multi_head_attention_is_not_touched_by_blocked_keys",
            "test_multi_head_attention_masks_the_memory",
        },
    ),
    Mistake(
        id="nothing_allowed_gives_equal_weights",
        exercise="MultiHeadAttention",
        says="a query that may attend to nothing looks at everything equally",
        replace=(
            (
                "masked_softmax(scores, mask)",
                "masked_softmax(\n"
                "            scores if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n"
                "        )",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_gives_zeros_where_everything_is_blocked"}),
    ),
    Mistake(
        id="nothing_allowed_gives_nan",
        exercise="MultiHeadAttention",
        says="a query that may attend to nothing gets NaN",
        replace=(
            (
                "masked_softmax(scores, mask)",
                "torch.softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf), dim=-1)",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_gives_zeros_where_everything_is_blocked"}),
    ),
    Mistake(
        id="nothing_allowed_after_the_projection",
        exercise="MultiHeadAttention",
        says="a query that may attend to nothing gets zeros after the output projection, and the bias is lost",
        replace=(
            (
                "return self.output_proj(output), weights",
                "seen = weights.sum(dim=(1, 3)) > 0\n"
                "        return self.output_proj(output) * seen.unsqueeze(-1), weights",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_gives_zeros_where_everything_is_blocked"}),
    ),
    # MultiHeadAttention: dropout
    Mistake(
        id="dropout_forgotten",
        exercise="MultiHeadAttention",
        says="nothing is dropped in training",
        replace=(("merge_heads(self.dropout(weights) @ value)", "merge_heads(weights @ value)"),),
        fails=frozenset({"test_multi_head_attention_drops_attention_weights"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="dropout_on_the_output",
        exercise="MultiHeadAttention",
        says="dropout acts on the output, not on the attention weights",
        replace=(
            ("merge_heads(self.dropout(weights) @ value)", "merge_heads(weights @ value)"),
            ("return self.output_proj(output), weights", "return self.dropout(self.output_proj(output)), weights"),
        ),
        fails=frozenset({"test_multi_head_attention_drops_attention_weights"}),
        named=False,  # random
    ),
    Mistake(
        id="dropout_in_eval_mode",
        exercise="MultiHeadAttention",
        says="dropout is on in eval mode too",
        replace=(("self.dropout(weights)", "nn.functional.dropout(weights, self.dropout.p)"),),
        fails=frozenset({"test_multi_head_attention_drops_nothing_in_eval_mode"}),
        named=False,  # random
    ),
    Mistake(
        id="dropout_in_the_weights_returned",
        exercise="MultiHeadAttention",
        says="the weights come back after dropout",
        replace=(
            (
                "output = merge_heads(self.dropout(weights) @ value)",
                "weights = self.dropout(weights)\n        output = merge_heads(weights @ value)",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_returns_weights_before_dropout"}),
        named=False,  # random
    ),
    # MultiHeadAttention: gradients, dtype, device, inputs
    Mistake(
        id="parameters_through_data",
        exercise="MultiHeadAttention",
        says="the query projection is used through `.data`, so it does not learn",
        replace=(
            (
                "self.query_proj(x)",
                "nn.functional.linear(x, self.query_proj.weight.data, self.query_proj.bias)",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_learns_all_its_parameters"}),
        named=False,  # the outputs are right
    ),
    Mistake(
        id="input_detached",
        exercise="MultiHeadAttention",
        says="x is detached before its queries are made",
        replace=(("self.query_proj(x)", "self.query_proj(x.detach())"),),
        fails=frozenset({"test_multi_head_attention_passes_gradients_to_its_inputs"}),
    ),
    Mistake(
        id="weights_in_float32",
        exercise="MultiHeadAttention",
        says="the weights come back in float32, whatever the input's dtype",
        replace=(("return self.output_proj(output), weights", "return self.output_proj(output), weights.float()"),),
        fails=frozenset({"test_multi_head_attention_keeps_the_dtype"}),
    ),
    Mistake(
        id="mask_made_on_the_cpu",
        exercise="MultiHeadAttention",
        says="a mask for the case without one is made on the CPU",
        replace=(
            (
                "        scores = query @",
                "        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool) if mask is None else mask\n"
                "        scores = query @",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_keeps_the_device"}),
    ),
    Mistake(
        id="mask_inverted_in_place",
        exercise="MultiHeadAttention",
        says="the mask is inverted in place",
        replace=(
            (
                "masked_softmax(scores, mask)",
                "masked_softmax(\n"
                "            scores if mask is None else scores.masked_fill(mask.logical_not_(), -math.inf)\n"
                "        )",
            ),
        ),
        fails=frozenset({"test_multi_head_attention_leaves_its_inputs_alone"}),
    ),
    # KeyValueCache
    Mistake(
        id="cache_joins_along_heads",
        exercise="KeyValueCache",
        says="the cache joins keys and values along the axis of heads",
        replace=(
            ("(self.key, key), dim=2", "(self.key, key), dim=1"),
            ("(self.value, value), dim=2", "(self.value, value), dim=1"),
        ),
        fails=DECODING
        | {
            "test_cache_returns_all_so_far",
            "test_cache_counts_positions",
            "test_caches_keep_to_themselves",
            "test_cache_passes_gradients",
            "test_cross_attention_leaves_the_cache_alone",
        },
    ),
    Mistake(
        id="cache_puts_the_newest_first",
        exercise="KeyValueCache",
        says="the cache puts the newest keys and values first",
        replace=(
            ("(self.key, key), dim=2", "(key, self.key), dim=2"),
            ("(self.value, value), dim=2", "(value, self.value), dim=2"),
        ),
        fails=DECODING | {"test_cache_returns_all_so_far", "test_caches_keep_to_themselves"},
    ),
    Mistake(
        id="cache_returns_the_newest_alone",
        exercise="KeyValueCache",
        says="append returns the new keys and values alone",
        replace=(
            (
                "            key = torch.cat((self.key, key), dim=2)\n"
                "            value = torch.cat((self.value, value), dim=2)\n"
                "        self.key, self.value = key, value\n        return key, value\n",
                "            self.key = torch.cat((self.key, key), dim=2)\n"
                "            self.value = torch.cat((self.value, value), dim=2)\n"
                "        else:\n            self.key, self.value = key, value\n        return key, value\n",
            ),
        ),
        fails=DECODING
        | {
            "test_cache_returns_all_so_far",
            "test_caches_keep_to_themselves",
            "test_cache_passes_gradients",
            "test_cache_keeps_dtype_and_device",
        },
    ),
    Mistake(
        id="cache_keeps_the_first_alone",
        exercise="KeyValueCache",
        says="the cache keeps what came first and forgets what came later",
        replace=(
            (
                "        self.key, self.value = key, value\n        return key, value\n",
                "        else:\n            self.key, self.value = key, value\n        return key, value\n",
            ),
        ),
        fails=DECODING | {"test_cache_returns_all_so_far", "test_cache_counts_positions"},
    ),
    Mistake(
        id="cache_joins_keys_to_values",
        exercise="KeyValueCache",
        says="the cache joins new values to old keys",
        replace=(("torch.cat((self.value, value), dim=2)", "torch.cat((self.key, value), dim=2)"),),
        fails=DECODING | {"test_cache_returns_all_so_far", "test_caches_keep_to_themselves"},
    ),
    Mistake(
        id="cache_shared_by_all",
        exercise="KeyValueCache",
        says="all caches share one list, which stands in the class",
        replace=(
            (
                '    def __init__(self) -> None:\n        """Start empty."""\n',
                '    kept: list = []\n\n    def __init__(self) -> None:\n        """Start empty."""\n',
            ),
            (
                "        if self.key is not None and self.value is not None:\n"
                "            key = torch.cat((self.key, key), dim=2)\n"
                "            value = torch.cat((self.value, value), dim=2)\n",
                "        self.kept.append((key, value))\n"
                "        key = torch.cat([one for one, _ in self.kept], dim=2)\n"
                "        value = torch.cat([other for _, other in self.kept], dim=2)\n",
            ),
        ),
        fails=DECODING
        | {
            "test_cache_returns_all_so_far",
            "test_caches_keep_to_themselves",
            "test_cache_keeps_dtype_and_device",
            "test_cross_attention_leaves_the_cache_alone",
        },
    ),
    Mistake(
        id="cache_counts_calls",
        exercise="KeyValueCache",
        says="the length of the cache is the number of calls",
        replace=(
            (
                "        self.value: Tensor | None = None\n",
                "        self.value: Tensor | None = None\n        self.calls = 0\n",
            ),
            (
                "        self.key, self.value = key, value\n",
                "        self.key, self.value = key, value\n        self.calls += 1\n",
            ),
            ("return 0 if self.key is None else self.key.shape[2]", "return self.calls"),
        ),
        fails=frozenset({"test_cache_counts_positions", "test_cross_attention_leaves_the_cache_alone"}),
    ),
    Mistake(
        id="cache_counts_heads",
        exercise="KeyValueCache",
        says="the length of the cache is its number of heads",
        replace=(("0 if self.key is None else self.key.shape[2]", "0 if self.key is None else self.key.shape[1]"),),
        fails=frozenset({"test_cache_counts_positions", "test_cross_attention_leaves_the_cache_alone"}),
    ),
    Mistake(
        id="cache_detaches",
        exercise="KeyValueCache",
        says="keys and values come back detached from the cache",
        replace=(
            (
                "        self.key, self.value = key, value\n",
                "        self.key, self.value = key, value = key.detach(), value.detach()\n",
            ),
        ),
        fails=frozenset({"test_cache_passes_gradients"}),
    ),
    Mistake(
        id="cache_on_the_cpu",
        exercise="KeyValueCache",
        says="the cache starts with an empty tensor on the CPU",
        replace=(
            (
                "        if self.key is not None and self.value is not None:\n",
                "        if self.key is None:\n"
                "            batch, heads, _, d_head = key.shape\n"
                "            self.key = self.value = torch.zeros(batch, heads, 0, d_head, dtype=key.dtype)\n"
                "        if self.key is not None and self.value is not None:\n",
            ),
        ),
        fails=frozenset({"test_cache_keeps_dtype_and_device"}),
    ),
    # MultiHeadAttention with a KeyValueCache
    Mistake(
        id="cache_skipped_while_empty",
        exercise="KeyValueCache",
        says="the module never fills the cache (an empty one has length 0, which is false in an `if`)",
        replace=(("if cache is not None and memory is None:", "if cache and memory is None:"),),
        fails=DECODING | {"test_cross_attention_leaves_the_cache_alone"},
    ),
    Mistake(
        id="cache_holds_memory",
        exercise="KeyValueCache",
        says="keys and values of the memory are put into the cache",
        replace=(("if cache is not None and memory is None:", "if cache is not None:"),),
        fails=frozenset({"test_cross_attention_leaves_the_cache_alone"}),
    ),
    Mistake(
        id="cache_lined_up_with_the_oldest",
        exercise="KeyValueCache",
        says="with a cache, the newest token sees only as much as the first one did",
        replace=(
            (
                "        scores = query @",
                "        if cache is not None and memory is None:\n"
                "            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "            seen = seen.tril()\n"
                "            mask = seen if mask is None else mask & seen\n"
                "        scores = query @",
            ),
        ),
        fails=DECODING,
    ),
)
