"""Named mistakes of stage 3, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
SPLIT = "return pieces.transpose(1, 2)  #"
DIVISIBILITY = (
    "\n"
    "    if d_model % num_heads:\n"
    '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")'
)
MERGED = "x.transpose(1, 2).flatten(start_dim=2)"
REPEATED = "x.repeat_interleave(repeats, dim=1)"
KEY_PROJECTION = "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=bias)"
SCALE = "/ math.sqrt(self.d_head)"
WEIGHTS = "masked_softmax(scores, mask)"
RESULT = "return self.output_proj(output), weights"
THREE_AXES = "if mask is not None and mask.ndim == 3:"
HEAD_AXIS = "mask = mask.unsqueeze(1)  #"
JOINED_KEYS = "(self.key, key), dim=2"
JOINED_VALUES = "(self.value, value), dim=2"
STORE = "self.key, self.value = key, value"

MISTAKES = {
    "split_heads": (
        mistake(
            "split_without_moving_the_heads",
            "the heads are split by a reshape alone, which mixes positions",
            SPLIT,
            "return x.reshape(batch, num_heads, length, d_model // num_heads)  #",
        ),
        mistake(
            "split_takes_every_nth_feature",
            "each head gets every n-th feature instead of consecutive features",
            SPLIT,
            "return x.reshape(batch, length, d_model // num_heads, num_heads).permute(0, 3, 1, 2)  #",
        ),
        mistake(
            "split_mixes_axes_of_equal_size",
            "the heads are not moved when there are as many heads as positions",
            SPLIT,
            "return pieces if num_heads == length else pieces.transpose(1, 2)  #",
        ),
        mistake(
            "split_changes_the_shape_of_x",
            "x is reshaped in place",
            SPLIT,
            "x.unsqueeze_(2)\n    return pieces.transpose(1, 2)  #",
        ),
        mistake("split_reverses_the_heads", "the heads are in reverse order", "(1, 2)  #", "(1, 2).flip(1)  #"),
        mistake(
            "split_drops_the_rest",
            "the features beyond a multiple of num_heads are dropped without an error",
            DIVISIBILITY,
            "\n    d_model -= d_model % num_heads\n    x = x[..., :d_model]",
        ),
        mistake(
            "split_raises_another_error",
            "an AssertionError is raised instead of a ValueError",
            DIVISIBILITY,
            '\n    assert d_model % num_heads == 0, f"d_model ({d_model}), num_heads ({num_heads})"',
        ),
        mistake(
            "split_names_no_numbers",
            "the error message of `split_heads` does not contain d_model and num_heads",
            DIVISIBILITY,
            '\n    if d_model % num_heads:\n        raise ValueError("d_model must be divisible by num_heads")',
        ),
        mistake(
            "split_on_the_cpu",
            ON_THE_CPU,
            SPLIT,
            (
                "heads = torch.zeros(batch, num_heads, length, d_model // num_heads, dtype=x.dtype)\n"
                "    for head in range(num_heads):\n"
                "        heads[:, head] = pieces[:, :, head]\n"
                "    return heads  #"
            ),
        ),
    ),
    "merge_heads": (
        mistake(
            "merge_without_moving_the_heads",
            "the heads are merged by a reshape alone, which mixes positions",
            MERGED,
            "x.reshape(x.shape[0], x.shape[2], -1)",
        ),
        mistake(
            "merge_changes_the_shape_of_x",
            "the axes of x are swapped in place",
            MERGED,
            "x.transpose_(1, 2).flatten(start_dim=2)",
        ),
        mistake(
            "merge_takes_turns",
            "the merged features alternate between the heads instead of staying together by head",
            MERGED,
            "x.permute(0, 2, 3, 1).flatten(start_dim=2)",
        ),
        mistake(
            "merge_sums_the_heads",
            "each head is replaced by the mean of all heads",
            MERGED,
            "x.mean(dim=1, keepdim=True).expand_as(x).transpose(1, 2).flatten(start_dim=2)",
        ),
        mistake(
            "merge_on_the_cpu",
            ON_THE_CPU,
            "return x.transpose(1, 2).flatten(start_dim=2)",
            (
                "batch, heads, length, d_head = x.shape\n"
                "    merged = torch.zeros(batch, length, heads, d_head, dtype=x.dtype)\n"
                "    merged[:] = x.transpose(1, 2)\n"
                "    return merged.flatten(start_dim=2)"
            ),
        ),
    ),
    "repeat_kv": (
        mistake(
            "repeat_in_turns", "the heads repeat as 0 1 0 1 instead of 0 0 1 1", REPEATED, "x.repeat(1, repeats, 1, 1)"
        ),
        mistake(
            "repeat_leaves_a_single_head_alone",
            "a single key/value head is not repeated",
            REPEATED,
            f"x if x.shape[1] == 1 else {REPEATED}",
        ),
        mistake(
            "repeat_changes_the_shape_of_x",
            "an axis is added to x in place",
            REPEATED,
            "x.unsqueeze_(2).expand(-1, -1, repeats, -1, -1).flatten(1, 2)",
        ),
        mistake("repeat_positions", "positions are repeated instead of heads", "(repeats, dim=1)", "(repeats, dim=2)"),
        mistake(
            "repeat_detached",
            "the repeated keys and values are detached",
            REPEATED,
            REPEATED.replace("x.", "x.detach()."),
        ),
        mistake(
            "repeat_widens",
            "the heads are multiplied by a tensor of the default dtype",
            REPEATED,
            "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, device=x.device)).flatten(1, 2)",
        ),
        mistake(
            "repeat_on_the_cpu",
            ON_THE_CPU,
            REPEATED,
            "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, dtype=x.dtype)).flatten(1, 2)",
        ),
    ),
    "MultiHeadAttention": (
        # Parameters
        mistake(
            "parameters_without_grouping",
            "the key projection ignores num_kv_heads and has d_model output features",
            KEY_PROJECTION,
            "self.key_proj = nn.Linear(d_model, d_model, bias=bias)",
        ),
        mistake(
            "parameters_with_a_table",
            "the state dict holds a buffer besides the parameters",
            "self.dropout = nn.Dropout(dropout)",
            'self.dropout = nn.Dropout(dropout)\n        self.register_buffer("scale", torch.ones(1))',
        ),
        mistake(
            "parameters_of_another_width",
            "the query projection has num_heads output features instead of d_model",
            "self.query_proj = nn.Linear(d_model, d_model, bias=bias)",
            "self.query_proj = nn.Linear(d_model, num_heads, bias=bias)",
            named=False,  # every call raises the same error as with any other wrong shape
        ),
        mistake(
            "bias_always",
            "the query projection has a bias even with `bias=False`",
            "self.query_proj = nn.Linear(d_model, d_model, bias=bias)",
            "self.query_proj = nn.Linear(d_model, d_model)",
            named=False,  # the initial biases are random
        ),
        mistake(
            "bias_of_the_keys_left_out",
            "the key projection has no bias even with `bias=True`",
            KEY_PROJECTION,
            KEY_PROJECTION.replace("bias=bias", "bias=False"),
        ),
        mistake(
            "bias_never",
            "the output projection has no bias even with `bias=True`",
            "self.output_proj = nn.Linear(d_model, d_model, bias=bias)",
            "self.output_proj = nn.Linear(d_model, d_model, bias=False)",
        ),
        mistake(
            "heads_not_checked",
            "the module does not check the divisibility of d_model and the numbers of heads",
            (
                "        if d_model % num_heads:\n"
                '            raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n'
                "        if num_heads % num_kv_heads:\n"
                '            raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads '
                '({num_kv_heads})")\n'
            ),
            "",
            named=False,  # an unfinished constructor accepts any numbers too
        ),
        mistake(
            "key_value_heads_not_checked",
            "the module accepts a num_kv_heads that does not divide num_heads",
            (
                "        if num_heads % num_kv_heads:\n"
                '            raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads '
                '({num_kv_heads})")\n'
            ),
            "",
        ),
        mistake(
            "module_names_no_numbers",
            "the error message of the module does not contain num_heads and num_kv_heads",
            'raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads ({num_kv_heads})")',
            'raise ValueError("num_heads must be divisible by num_kv_heads")',
        ),
        # Scores, weights and output
        mistake(
            "scaled_by_d_model",
            "the scores are divided by √d_model instead of √d_head",
            SCALE,
            "/ math.sqrt(self.num_heads * self.d_head)",
        ),
        mistake("not_scaled", "the scores are not divided by √d_head", " / math.sqrt(self.d_head)", ""),
        mistake("scaled_without_root", "the scores are divided by d_head instead of √d_head", SCALE, "/ self.d_head"),
        mistake(
            "heads_counted_from_the_end",
            "the query heads use the rows of their projection in reverse order",
            "query = split_heads(self.query_proj(x), self.num_heads)",
            "query = split_heads(self.query_proj(x), self.num_heads).flip(1)",
        ),
        mistake(
            "values_by_the_key_projection",
            "the values are computed with the key projection",
            "split_heads(self.value_proj(source)",
            "split_heads(self.key_proj(source)",
        ),
        mistake(
            "keys_and_values_swapped",
            "the keys and values are swapped",
            "if cache is not None and memory",
            "key, value = value, key\n        if cache is not None and memory",
        ),
        mistake("output_not_projected", "the output projection is not applied", "self.output_proj(output),", "output,"),
        mistake(
            "softmax_over_queries",
            "the weights sum to one over the queries, not over the keys",
            WEIGHTS,
            (
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf).mT).mT\n"
                "        if mask is None:\n"
                "            weights = torch.softmax(scores, dim=-2)"
            ),
        ),
        mistake(
            "softmax_without_maximum",
            "the softmax in the module does not subtract the maximum",
            "weights = masked_softmax(scores, mask)",
            (
                "exponentials = torch.exp(scores if mask is None else scores.masked_fill(~mask, -math.inf))\n"
                "        total = exponentials.sum(dim=-1, keepdim=True)\n"
                "        weights = exponentials / total.masked_fill(total == 0, 1.0)"
            ),
        ),
        mistake(
            "weights_averaged_over_heads",
            "the returned weights are averaged over the heads",
            RESULT,
            RESULT + ".mean(dim=1)",
        ),
        mistake(
            "scores_for_weights", "scores are returned instead of weights", "(output), weights", "(output), scores"
        ),
        # Memory
        mistake(
            "memory_not_used",
            "the keys and values come from x even when `memory` is given",
            "source = x if memory is None else memory",
            "source = x",
        ),
        mistake(
            "memory_for_keys_alone",
            "the values come from x even when `memory` is given",
            "self.value_proj(source)",
            "self.value_proj(x)",
        ),
        mistake(
            "memory_for_values_alone",
            "the keys come from x even when `memory` is given",
            "self.key_proj(source)",
            "self.key_proj(x)",
        ),
        mistake(
            "queries_from_memory", "the queries come from `memory`", "self.query_proj(x)", "self.query_proj(source)"
        ),
        # Masks
        mistake(
            "mask_without_an_axis_for_heads",
            "the batch axis of a mask `(batch, query, key)` is broadcast along the heads",
            (
                "        if mask is not None and mask.ndim == 3:\n"
                "            mask = mask.unsqueeze(1)  # (batch, 1, query, key): the same for every head\n"
            ),
            "",
        ),
        mistake(
            "mask_always_with_an_axis_for_heads",
            "every mask gets a head axis, whatever its number of axes",
            THREE_AXES,
            "if mask is not None:",
        ),
        mistake(
            "mask_of_three_axes_only",
            "a mask with four axes applies its first head to all heads",
            "scores = query @",
            "if mask is not None and mask.ndim == 4:\n            mask = mask[:, :1]\n        scores = query @",
        ),
        mistake(
            "mask_of_two_axes_for_sequences",
            "a mask with two axes is read as `(batch, key)`",
            THREE_AXES,
            "if mask is not None and mask.ndim == 2:\n            mask = mask[:, None, None]\n        " + THREE_AXES,
        ),
        mistake(
            "mask_repeated_head_by_head",
            "the mask is repeated in an order that mixes sequences and heads",
            HEAD_AXIS,
            (
                "mask = mask.expand(x.shape[0], -1, -1).repeat(self.num_heads, 1, 1)\n"
                "            mask = mask.reshape(x.shape[0], self.num_heads, *mask.shape[1:])  #"
            ),
        ),
        mistake(
            "mask_of_the_queries_size_only",
            "a mask `(batch, 1, key)` is not broadcast along the queries",
            HEAD_AXIS,
            "mask = mask.reshape(mask.shape[0], 1, query.shape[2], -1)  #",
        ),
        mistake(
            "mask_inverted",
            "True in the mask blocks a key instead of allowing it",
            "(scores, mask)",
            "(scores, None if mask is None else ~mask)",
        ),
        mistake("mask_not_used", "the module ignores the mask", WEIGHTS, "masked_softmax(scores)"),
        mistake(
            "mask_for_self_attention_only",
            "the mask is ignored when `memory` is given",
            WEIGHTS,
            "masked_softmax(scores, mask if memory is None else None)",
        ),
        mistake(
            "mask_transposed_for_a_memory",
            "the query and key axes of a square mask are swapped when `memory` is given",
            THREE_AXES,
            (
                "if mask is not None and memory is not None and mask.shape[-1] == mask.shape[-2]:\n"
                "            mask = mask.mT\n"
                "        "
            )
            + THREE_AXES,
        ),
        mistake(
            "mask_added",
            "the boolean mask is added to the scores, so allowed keys gain 1 and no key is blocked",
            WEIGHTS,
            "masked_softmax(scores if mask is None else scores + mask)",
        ),
        mistake(
            "mask_of_none_is_causal",
            "a mask of None blocks the keys after each query",
            "scores = query @",
            (
                "if mask is None:\n"
                "            mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "            mask = mask.tril(key.shape[2] - query.shape[2])\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "mask_fill_of_minus_a_billion",
            "blocked scores become -1e9, too large for float16 and higher than very low allowed scores",
            WEIGHTS,
            (
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -1e9))\n"
                "        weights = weights if mask is None else weights * mask"
            ),
        ),
        mistake(
            "mask_after_the_softmax",
            "the weights are masked after the softmax and no longer sum to one",
            WEIGHTS,
            "masked_softmax(scores) * (1.0 if mask is None else mask)",
        ),
        mistake(
            "mask_fill_too_small",
            "blocked scores become -1e4, which is higher than very low allowed scores",
            WEIGHTS,
            (
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -1e4))\n"
                "        weights = weights if mask is None else weights * mask"
            ),
        ),
        mistake(
            "mask_causal_of_its_own",
            "the module adds its own causal mask",
            "scores = query @",
            (
                "causal = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "        causal = causal.tril(key.shape[2] - query.shape[2])\n"
                "        mask = causal if mask is None else mask & causal\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "nothing_allowed_gives_equal_weights",
            "a query that may attend to no key gets equal weights for all keys",
            WEIGHTS,
            (
                "masked_softmax(\n"
                "            scores if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n"
                "        )"
            ),
        ),
        mistake(
            "nothing_allowed_gives_nan",
            "a query that may attend to no key gets NaN",
            WEIGHTS,
            "torch.softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf), dim=-1)",
        ),
        mistake(
            "nothing_allowed_after_the_projection",
            "a query that may attend to no key loses the bias of the output projection",
            RESULT,
            (
                "seen = weights.sum(dim=(1, 3)) > 0\n"
                "        return self.output_proj(output) * seen.unsqueeze(-1), weights"
            ),
        ),
        # Dropout
        mistake(
            "dropout_forgotten",
            "dropout is not applied to the attention weights",
            "self.dropout(weights) @",
            "weights @",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "dropout_on_the_output",
            "dropout is applied to the output instead of the attention weights",
            "merge_heads(self.dropout(weights) @ value)",
            "merge_heads(weights @ value)",
            RESULT,
            "return self.dropout(self.output_proj(output)), weights",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "dropout_of_whole_queries",
            "dropout drops all weights of a query at once",
            "self.dropout(weights) @",
            "weights * self.dropout(torch.ones_like(weights[..., :1])) @",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "dropout_for_self_attention_only",
            "dropout is not applied when `memory` is given",
            "self.dropout(weights) @",
            "(self.dropout(weights) if memory is None else weights) @",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "dropout_in_eval_mode",
            "dropout stays active in eval mode",
            "self.dropout(weights)",
            "nn.functional.dropout(weights, self.dropout.p)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "dropout_in_the_weights_returned",
            "the weights are returned after dropout",
            "output = merge_heads(self.dropout(weights) @ value)",
            "weights = self.dropout(weights)\n        output = merge_heads(weights @ value)",
            named=False,  # outputs with dropout are random
        ),
        # Caches
        mistake(
            "cache_skipped_while_empty",
            "an empty cache is never filled, because its truth value is False",
            "if cache is not None and memory is None:",
            "if cache and memory is None:",
        ),
        mistake(
            "cache_holds_memory", "the keys and values of `memory` are added to the cache", " and memory is None:", ":"
        ),
        mistake(
            "cache_lined_up_with_the_oldest",
            "the module adds a causal mask to a cached step, aligned with the oldest key",
            "scores = query @",
            (
                "if cache is not None and memory is None:\n"
                "            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "            seen = seen.tril()\n"
                "            mask = seen if mask is None else mask & seen\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "cache_causal_of_its_own",
            "the module adds a causal mask to the new tokens of a cached step",
            "scores = query @",
            (
                "if cache is not None and memory is None:\n"
                "            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "            seen = seen.tril(key.shape[2] - query.shape[2])\n"
                "            mask = seen if mask is None else mask & seen\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "cache_not_used",
            "the cache is ignored",
            "if cache is not None and memory is None:",
            "if False:",
        ),
        # Gradients, dtype, device and inputs
        mistake(
            "parameters_through_data",
            "the weight of the query projection is used through `.data` and gets no gradient",
            "self.query_proj(x)",
            "nn.functional.linear(x, self.query_proj.weight.data, self.query_proj.bias)",
            named=False,  # the outputs are right, and only the gradient is missing
        ),
        mistake(
            "input_detached", "the queries come from a detached x", "self.query_proj(x)", "self.query_proj(x.detach())"
        ),
        mistake(
            "softmax_in_float32",
            "the softmax in the module is computed in float32, whatever the dtype of the inputs",
            WEIGHTS,
            "masked_softmax(scores.float(), mask).to(scores.dtype)",
        ),
        mistake(
            "softmax_adds_to_the_sum",
            "a small constant in the divisor makes the weights of the module sum to less than one",
            WEIGHTS,
            WEIGHTS + " / (1 + 1e-8)",
        ),
        mistake(
            "groups_in_self_attention_only",
            "the key/value heads are repeated in turns when `memory` is given",
            "        if mask is not None and mask.ndim == 3:",
            (
                "        if memory is not None:\n"
                "            turns = torch.arange(self.num_heads, device=x.device) % self.num_kv_heads\n"
                "            repeats = self.num_heads // self.num_kv_heads\n"
                "            key, value = (heads[:, ::repeats][:, turns] for heads in (key, value))\n"
                "        if mask is not None and mask.ndim == 3:"
            ),
        ),
        mistake("weights_in_float32", "the returned weights are always float32", RESULT, RESULT + ".float()"),
        mistake(
            "mask_made_on_the_cpu",
            ON_THE_CPU,
            "scores = query @",
            (
                "mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool) if mask is None else mask\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "mask_inverted_in_place",
            "the mask is inverted in place",
            WEIGHTS,
            (
                "masked_softmax(\n"
                "            scores if mask is None else scores.masked_fill(mask.logical_not_(), -math.inf)\n"
                "        )"
            ),
        ),
    ),
    "KeyValueCache": (
        mistake(
            "cache_joins_along_heads",
            "the cache concatenates keys and values along the head axis",
            JOINED_KEYS,
            "(self.key, key), dim=1",
            JOINED_VALUES,
            "(self.value, value), dim=1",
        ),
        mistake(
            "cache_puts_the_newest_first",
            "the cache puts the newest keys and values first",
            JOINED_KEYS,
            "(key, self.key), dim=2",
            JOINED_VALUES,
            "(value, self.value), dim=2",
        ),
        mistake(
            "cache_returns_the_newest_alone",
            "`append` returns only the new keys and values",
            (
                "key = torch.cat((self.key, key), dim=2)\n"
                "            value = torch.cat((self.value, value), dim=2)\n"
                "        self.key, self.value = key, value"
            ),
            (
                "self.key = torch.cat((self.key, key), dim=2)\n"
                "            self.value = torch.cat((self.value, value), dim=2)\n"
                "        else:\n"
                "            self.key, self.value = key, value"
            ),
        ),
        mistake(
            "cache_keeps_the_first_alone",
            "the cache stores only the keys and values of the first call",
            STORE,
            "else:\n            " + STORE,
        ),
        mistake(
            "cache_joins_keys_to_values", "the cache appends values to the stored keys", "((self.value,", "((self.key,"
        ),
        mistake(
            "cache_shared_by_all",
            "all caches share one list that is a class attribute",
            '    def __init__(self) -> None:\n        """Start empty."""\n',
            '    kept: list = []\n\n    def __init__(self) -> None:\n        """Start empty."""\n',
            (
                "        if self.key is not None and self.value is not None:\n"
                "            key = torch.cat((self.key, key), dim=2)\n"
                "            value = torch.cat((self.value, value), dim=2)\n"
            ),
            (
                "        self.kept.append((key, value))\n"
                "        key = torch.cat([one for one, _ in self.kept], dim=2)\n"
                "        value = torch.cat([other for _, other in self.kept], dim=2)\n"
            ),
        ),
        mistake(
            "cache_of_limited_length",
            "the cache drops the oldest positions beyond 1024",
            STORE,
            STORE + "\n        key, value = key[:, :, -1024:], value[:, :, -1024:]",
        ),
        mistake(
            "cache_changes_its_inputs",
            "a later key is added to the stored keys in place",
            "        if self.key is not None and self.value is not None:",
            (
                "        if self.key is not None and self.key.shape == key.shape:\n"
                "            self.key.data.mul_(1.0 + 1e-3)\n"
                "        if self.key is not None and self.value is not None:"
            ),
        ),
        mistake(
            "cache_writes_into_what_it_returned",
            "the second `append` writes into a tensor that the first one returned",
            STORE,
            (
                STORE
                + "\n        if not hasattr(self, 'first'):\n"
                + "            self.first = key = key.clone()\n"
                + "        else:\n"
                + "            self.first.data[:, :, 0] = key[:, :, -1]"
            ),
        ),
        mistake(
            "cache_counts_calls",
            "the length of the cache is the number of calls to `append`",
            "        self.value: Tensor | None = None\n",
            "        self.value: Tensor | None = None\n        self.calls = 0\n",
            "        self.key, self.value = key, value\n",
            "        self.key, self.value = key, value\n        self.calls += 1\n",
            "return 0 if self.key is None else self.key.shape[2]",
            "return self.calls",
        ),
        mistake(
            "cache_counts_heads",
            "the length of the cache is its number of heads",
            "0 if self.key is None else self.key.shape[2]",
            "0 if self.key is None else self.key.shape[1]",
        ),
        mistake(
            "cache_detaches", "the cache detaches keys and values", STORE, STORE + " = key.detach(), value.detach()"
        ),
        mistake(
            "cache_on_the_cpu",
            ON_THE_CPU,
            "if self.key is not None and self.value is not None:",
            (
                "if self.key is None:\n"
                "            batch, heads, _, d_head = key.shape\n"
                "            self.key = self.value = torch.zeros(batch, heads, 0, d_head, dtype=key.dtype)\n"
                "        if self.key is not None and self.value is not None:"
            ),
        ),
    ),
}
