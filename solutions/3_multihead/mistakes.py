"""Named mistakes of stage 3, as students make them."""

from autograder.course.mistakes import mistake

MISTAKES = {
    "split_heads": (
        mistake(
            "split_without_moving_the_heads",
            "the features are reshaped into heads, and the heads never move in front of the positions",
            "return pieces.transpose(1, 2)  #",
            "return x.reshape(batch, num_heads, length, d_model // num_heads)  #",
        ),
        mistake(
            "split_takes_every_nth_feature",
            "a head takes every n-th feature, not neighbouring ones",
            "return pieces.transpose(1, 2)  #",
            "return x.reshape(batch, length, d_model // num_heads, num_heads).permute(0, 3, 1, 2)  #",
        ),
        mistake("split_reverses_the_heads", "the heads come in reverse order", "(1, 2)  #", "(1, 2).flip(1)  #"),
        mistake(
            "split_drops_the_rest",
            "features that are left over when the heads are cut are dropped",
            (
                "\n"
                "    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")'
            ),
            "\n    d_model -= d_model % num_heads\n    x = x[..., :d_model]",
        ),
        mistake(
            "split_raises_another_error",
            "an assertion fails where a ValueError is asked for",
            (
                "\n"
                "    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")'
            ),
            '\n    assert d_model % num_heads == 0, f"d_model ({d_model}), num_heads ({num_heads})"',
        ),
        mistake(
            "split_names_no_numbers",
            "the error about the heads does not say which numbers are at odds",
            (
                "\n"
                "    if d_model % num_heads:\n"
                '        raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")'
            ),
            '\n    if d_model % num_heads:\n        raise ValueError("d_model must be divisible by num_heads")',
        ),
        mistake(
            "split_on_the_cpu",
            "the heads are filled into a tensor that is made on the CPU",
            "return pieces.transpose(1, 2)  #",
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
            "heads are merged by a reshape alone, which mixes positions",
            "x.transpose(1, 2).flatten(start_dim=2)",
            "x.reshape(x.shape[0], x.shape[2], -1)",
        ),
        mistake(
            "merge_takes_turns",
            "merged features take turns between the heads, in place of one head after the other",
            "x.transpose(1, 2).flatten(start_dim=2)",
            "x.permute(0, 2, 3, 1).flatten(start_dim=2)",
        ),
        mistake(
            "merge_sums_the_heads",
            "every head's place holds the heads' average",
            "x.transpose(1, 2).flatten(start_dim=2)",
            "x.mean(dim=1, keepdim=True).expand_as(x).transpose(1, 2).flatten(start_dim=2)",
        ),
        mistake(
            "merge_on_the_cpu",
            "the heads are merged into a tensor that is made on the CPU",
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
            "repeat_in_turns",
            "the heads are repeated in turns, 0 1 0 1, in place of 0 0 1 1",
            "x.repeat_interleave(repeats, dim=1)",
            "x.repeat(1, repeats, 1, 1)",
        ),
        mistake("repeat_positions", "positions are repeated, not heads", "(repeats, dim=1)", "(repeats, dim=2)"),
        mistake(
            "repeat_detached",
            "keys and values are detached when they are repeated",
            "x.repeat_interleave(repeats, dim=1)",
            "x.detach().repeat_interleave(repeats, dim=1)",
        ),
        mistake(
            "repeat_widens",
            "the heads are multiplied by ones of the default dtype",
            "x.repeat_interleave(repeats, dim=1)",
            "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, device=x.device)).flatten(1, 2)",
        ),
        mistake(
            "repeat_on_the_cpu",
            "the heads are multiplied by ones that are made on the CPU",
            "x.repeat_interleave(repeats, dim=1)",
            "(x.unsqueeze(2) * torch.ones(repeats, 1, 1, dtype=x.dtype)).flatten(1, 2)",
        ),
    ),
    # MultiHeadAttention: its parameters
    "MultiHeadAttention": (
        mistake(
            "parameters_without_grouping",
            "the key projection has as many features as there are query heads, whatever num_kv_heads says",
            "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=bias)",
            "self.key_proj = nn.Linear(d_model, d_model, bias=bias)",
        ),
        mistake(
            "parameters_with_a_table",
            "the state dict holds a table besides the parameters",
            "self.dropout = nn.Dropout(dropout)",
            'self.dropout = nn.Dropout(dropout)\n        self.register_buffer("scale", torch.ones(1))',
        ),
        mistake(
            "bias_always",
            "the query projection has a bias that nobody asked for",
            "self.query_proj = nn.Linear(d_model, d_model, bias=bias)",
            "self.query_proj = nn.Linear(d_model, d_model)",
            named=False,  # what the bias starts with is random
        ),
        mistake(
            "bias_of_the_keys_left_out",
            "the key projection has no bias, asked for or not",
            "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=bias)",
            "self.key_proj = nn.Linear(d_model, num_kv_heads * self.d_head, bias=False)",
        ),
        mistake(
            "bias_never",
            "the output projection has no bias, asked for or not",
            "self.output_proj = nn.Linear(d_model, d_model, bias=bias)",
            "self.output_proj = nn.Linear(d_model, d_model, bias=False)",
        ),
        mistake(
            "heads_not_checked",
            "the module takes any numbers of heads, whether they divide or not",
            (
                "        if d_model % num_heads:\n"
                '            raise ValueError(f"d_model ({d_model}) is not divisible by num_heads ({num_heads})")\n'
                "        if num_heads % num_kv_heads:\n"
                '            raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads '
                '({num_kv_heads})")\n'
            ),
            "",
            named=False,  # a module that nobody has written yet takes any numbers too
        ),
        mistake(
            "key_value_heads_not_checked",
            "the module takes numbers of key/value heads that do not divide the number of heads",
            (
                "        if num_heads % num_kv_heads:\n"
                '            raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads '
                '({num_kv_heads})")\n'
            ),
            "",
        ),
        mistake(
            "module_names_no_numbers",
            "the module's error about key/value heads does not say which numbers are at odds",
            'raise ValueError(f"num_heads ({num_heads}) is not divisible by num_kv_heads ({num_kv_heads})")',
            'raise ValueError("num_heads must be divisible by num_kv_heads")',
        ),
        # MultiHeadAttention: its values
        mistake(
            "scaled_by_d_model",
            "scores are divided by √d_model, not by √d_head",
            "/ math.sqrt(self.d_head)",
            "/ math.sqrt(self.num_heads * self.d_head)",
        ),
        mistake("not_scaled", "scores are not divided by √d_head", " / math.sqrt(self.d_head)", ""),
        mistake(
            "scaled_without_root",
            "scores are divided by d_head, not by its root",
            "/ math.sqrt(self.d_head)",
            "/ self.d_head",
        ),
        mistake(
            "values_by_the_key_projection",
            "values are made by the key projection",
            "split_heads(self.value_proj(source)",
            "split_heads(self.key_proj(source)",
        ),
        mistake(
            "keys_and_values_swapped",
            "keys and values trade places",
            "if cache is not None and memory",
            "key, value = value, key\n        if cache is not None and memory",
        ),
        mistake("output_not_projected", "the output projection is left out", "self.output_proj(output),", "output,"),
        mistake(
            "softmax_over_queries",
            "weights sum to one over the queries, not over the keys",
            "masked_softmax(scores, mask)",
            (
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf).mT).mT\n"
                "        if mask is None:\n"
                "            weights = torch.softmax(scores, dim=-2)"
            ),
        ),
        mistake(
            "softmax_without_maximum",
            "the module exponentiates scores without subtracting a maximum",
            "weights = masked_softmax(scores, mask)",
            (
                "exponentials = torch.exp(scores if mask is None else scores.masked_fill(~mask, -math.inf))\n"
                "        total = exponentials.sum(dim=-1, keepdim=True)\n"
                "        weights = exponentials / total.masked_fill(total == 0, 1.0)"
            ),
        ),
        mistake(
            "weights_averaged_over_heads",
            "the weights come back averaged over the heads",
            "return self.output_proj(output), weights",
            "return self.output_proj(output), weights.mean(dim=1)",
        ),
        mistake("scores_for_weights", "scores come back in place of weights", "(output), weights", "(output), scores"),
        # MultiHeadAttention: its memory
        mistake(
            "memory_not_used",
            "keys and values come from x, whether there is a memory or not",
            "source = x if memory is None else memory",
            "source = x",
        ),
        mistake(
            "memory_for_keys_alone",
            "values come from x although there is a memory",
            "self.value_proj(source)",
            "self.value_proj(x)",
        ),
        mistake(
            "memory_for_values_alone",
            "keys come from x although there is a memory",
            "self.key_proj(source)",
            "self.key_proj(x)",
        ),
        mistake(
            "queries_from_memory",
            "queries come from the memory, and x from nowhere",
            "self.query_proj(x)",
            "self.query_proj(source)",
        ),
        # MultiHeadAttention: its masks
        mistake(
            "mask_without_an_axis_for_heads",
            "the sequences of a mask `(batch, query, key)` are taken for heads",
            (
                "        if mask is not None and mask.ndim == 3:\n"
                "            mask = mask.unsqueeze(1)  # (batch, 1, query, key): the same for every head\n"
            ),
            "",
        ),
        mistake(
            "mask_always_with_an_axis_for_heads",
            "every mask gets an axis for heads, also one that has it and one that lacks the batch",
            "if mask is not None and mask.ndim == 3:",
            "if mask is not None:",
        ),
        mistake(
            "mask_of_three_axes_only",
            "a mask of four axes counts for nothing but its first head",
            "scores = query @",
            "if mask is not None and mask.ndim == 4:\n            mask = mask[:, :1]\n        scores = query @",
        ),
        mistake(
            "mask_of_two_axes_for_sequences",
            "a mask of two axes is taken for `(batch, key)`",
            "if mask is not None and mask.ndim == 3:",
            (
                "if mask is not None and mask.ndim == 2:\n"
                "            mask = mask[:, None, None]\n"
                "        if mask is not None and mask.ndim == 3:"
            ),
        ),
        mistake(
            "mask_repeated_head_by_head",
            "the mask is repeated for the heads in an order that mixes sequences and heads",
            "mask = mask.unsqueeze(1)  #",
            (
                "mask = mask.expand(x.shape[0], -1, -1).repeat(self.num_heads, 1, 1)\n"
                "            mask = mask.reshape(x.shape[0], self.num_heads, *mask.shape[1:])  #"
            ),
        ),
        mistake(
            "mask_of_the_queries_size_only",
            "a mask of three axes is refused when its axis of queries has size 1",
            "mask = mask.unsqueeze(1)  #",
            "mask = mask.reshape(mask.shape[0], 1, query.shape[2], -1)  #",
        ),
        mistake(
            "mask_inverted", "True is taken for blocked", "(scores, mask)", "(scores, None if mask is None else ~mask)"
        ),
        mistake("mask_not_used", "the mask is not used", "masked_softmax(scores, mask)", "masked_softmax(scores)"),
        mistake(
            "mask_for_self_attention_only",
            "the mask is not used when there is a memory",
            "masked_softmax(scores, mask)",
            "masked_softmax(scores, mask if memory is None else None)",
        ),
        mistake(
            "mask_after_the_softmax",
            "blocked weights are set to 0 after the softmax, and the rest no longer sums to one",
            "masked_softmax(scores, mask)",
            "masked_softmax(scores) * (1.0 if mask is None else mask)",
        ),
        mistake(
            "mask_fill_too_small",
            "blocked scores become −10000, which is not low enough beside very low ones",
            "masked_softmax(scores, mask)",
            (
                "masked_softmax(scores if mask is None else scores.masked_fill(~mask, -1e4))\n"
                "        weights = weights if mask is None else weights * mask"
            ),
        ),
        mistake(
            "mask_causal_of_its_own",
            "the module adds a causal mask that nobody asked for",
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
            "a query that may attend to nothing looks at everything equally",
            "masked_softmax(scores, mask)",
            (
                "masked_softmax(\n"
                "            scores if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n"
                "        )"
            ),
        ),
        mistake(
            "nothing_allowed_gives_nan",
            "a query that may attend to nothing gets NaN",
            "masked_softmax(scores, mask)",
            "torch.softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf), dim=-1)",
        ),
        mistake(
            "nothing_allowed_after_the_projection",
            "a query that may attend to nothing gets zeros after the output projection, and the bias is lost",
            "return self.output_proj(output), weights",
            (
                "seen = weights.sum(dim=(1, 3)) > 0\n"
                "        return self.output_proj(output) * seen.unsqueeze(-1), weights"
            ),
        ),
        # MultiHeadAttention: dropout
        mistake(
            "dropout_forgotten",
            "nothing is dropped in training",
            "self.dropout(weights) @",
            "weights @",
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "dropout_on_the_output",
            "dropout acts on the output, not on the attention weights",
            "merge_heads(self.dropout(weights) @ value)",
            "merge_heads(weights @ value)",
            "return self.output_proj(output), weights",
            "return self.dropout(self.output_proj(output)), weights",
            named=False,  # random
        ),
        mistake(
            "dropout_in_eval_mode",
            "dropout is on in eval mode too",
            "self.dropout(weights)",
            "nn.functional.dropout(weights, self.dropout.p)",
            named=False,  # random
        ),
        mistake(
            "dropout_in_the_weights_returned",
            "the weights come back after dropout",
            "output = merge_heads(self.dropout(weights) @ value)",
            "weights = self.dropout(weights)\n        output = merge_heads(weights @ value)",
            named=False,  # random
        ),
        # MultiHeadAttention: gradients, dtype, device, inputs
        mistake(
            "parameters_through_data",
            "the query projection is used through `.data`, so it does not learn",
            "self.query_proj(x)",
            "nn.functional.linear(x, self.query_proj.weight.data, self.query_proj.bias)",
            named=False,  # the outputs are right
        ),
        mistake(
            "input_detached",
            "x is detached before its queries are made",
            "self.query_proj(x)",
            "self.query_proj(x.detach())",
        ),
        mistake(
            "weights_in_float32",
            "the weights come back in float32, whatever the input's dtype",
            "return self.output_proj(output), weights",
            "return self.output_proj(output), weights.float()",
        ),
        mistake(
            "mask_made_on_the_cpu",
            "a mask for the case without one is made on the CPU",
            "scores = query @",
            (
                "mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool) if mask is None else mask\n"
                "        scores = query @"
            ),
        ),
        mistake(
            "mask_inverted_in_place",
            "the mask is inverted in place",
            "masked_softmax(scores, mask)",
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
            "the cache joins keys and values along the axis of heads",
            "(self.key, key), dim=2",
            "(self.key, key), dim=1",
            "(self.value, value), dim=2",
            "(self.value, value), dim=1",
        ),
        mistake(
            "cache_puts_the_newest_first",
            "the cache puts the newest keys and values first",
            "(self.key, key), dim=2",
            "(key, self.key), dim=2",
            "(self.value, value), dim=2",
            "(value, self.value), dim=2",
        ),
        mistake(
            "cache_returns_the_newest_alone",
            "append returns the new keys and values alone",
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
            "the cache keeps what came first and forgets what came later",
            "self.key, self.value = key, value",
            "else:\n            self.key, self.value = key, value",
        ),
        mistake("cache_joins_keys_to_values", "the cache joins new values to old keys", "((self.value,", "((self.key,"),
        mistake(
            "cache_shared_by_all",
            "all caches share one list, which stands in the class",
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
            "cache_counts_calls",
            "the length of the cache is the number of calls",
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
            "cache_detaches",
            "keys and values come back detached from the cache",
            "self.key, self.value = key, value",
            "self.key, self.value = key, value = key.detach(), value.detach()",
        ),
        mistake(
            "cache_on_the_cpu",
            "the cache starts with an empty tensor on the CPU",
            "if self.key is not None and self.value is not None:",
            (
                "if self.key is None:\n"
                "            batch, heads, _, d_head = key.shape\n"
                "            self.key = self.value = torch.zeros(batch, heads, 0, d_head, dtype=key.dtype)\n"
                "        if self.key is not None and self.value is not None:"
            ),
        ),
        # MultiHeadAttention with a KeyValueCache
        mistake(
            "cache_skipped_while_empty",
            "the module never fills the cache (an empty one has length 0, which is false in an `if`)",
            "if cache is not None and memory is None:",
            "if cache and memory is None:",
        ),
        mistake(
            "cache_holds_memory", "keys and values of the memory are put into the cache", " and memory is None:", ":"
        ),
        mistake(
            "cache_lined_up_with_the_oldest",
            "with a cache, the newest token sees only as much as the first one did",
            "scores = query @",
            (
                "if cache is not None and memory is None:\n"
                "            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device)\n"
                "            seen = seen.tril()\n"
                "            mask = seen if mask is None else mask & seen\n"
                "        scores = query @"
            ),
        ),
    ),
}
