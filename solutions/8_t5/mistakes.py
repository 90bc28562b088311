"""Named mistakes of stage 8, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace.
MASKED = "masked = min(max(round(length * rate), 1), length - 1)"
COUNT = "count = min(max(round(masked / mean_span), 1), masked, length - masked)"
SPANS = "spans = random_lengths(masked, count, generator)"
GAPS = "gaps = random_lengths(length - masked, count, generator)"
MASK = "return torch.tensor([False, True]).repeat(count).repeat_interleave(lengths)"
CUTS = "cuts = torch.randperm(total - 1, generator=generator)[: count - 1].sort().values + 1"
SHORT = "if length < 2:"
IN_TEXT = "if set(tokens.tolist()) & set(sentinel_ids):"
TOO_FEW = "if starts + 1 > len(sentinel_ids):"
BEGINS = "if masked and not inside:"
INTO_INPUTS = "            inputs.append(sentinel_ids[used])\n"
INTO_TARGETS = "            targets.append(sentinel_ids[used])\n"
INSIDE = "inside = masked\n"
SORTED_OUT = "(targets if masked else inputs).append(token)"
CORRUPTED = "return tokens.new_tensor([*inputs, end_id]), tokens.new_tensor([*targets, sentinel_ids[used], end_id])"
IN_TARGETS = "for token in targets[:-1].tolist():"
IN_INPUTS = "for token in inputs[:-1].tolist():"
RESTORED = "tokens.extend(missing[token] if token in sentinel_ids else [token])"
HALVES = "        num_buckets //= 2\n"
FIRST = "first = (relative_position > 0).long() * num_buckets"
PAST = "distance = (-relative_position).clamp(min=0)"
SHARE = "share = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)"
SHARED = "shared = (exact + (share * (num_buckets - exact)).long()).clamp(max=num_buckets - 1)"
BUCKET = "return first + torch.where(distance < exact, distance, shared)"
BIAS_WEIGHT = "self.weight = nn.Parameter(torch.randn(num_buckets, num_heads) * 0.02)"
BIAS_KEYS = "key = torch.arange(key_length, device=self.weight.device)"
BIAS_QUERIES = "query = torch.arange(query_length, device=self.weight.device)"
BIAS_DISTANCE = "distance = key[None, :] - query[:, None]"
BIAS_BUCKETS = "buckets = relative_position_bucket(distance, self.bidirectional, len(self.weight), self.max_distance)"
BIAS = "return self.weight[buckets].permute(2, 0, 1)"
SOURCE = "source = x if memory is None else memory"
SCORES = "scores = query @ key.transpose(-2, -1)"
ADD_BIAS = "scores = scores + bias"
WIDEN = "if mask is not None and mask.ndim == 3:"
WEIGHTS = "weights = masked_softmax(scores, mask)"
ATTENDED = "return self.output_proj(merge_heads(weights @ value)), weights"
QUERY = "query = split_heads(self.query_proj(x), self.num_heads)"
VALUE = "value = split_heads(self.value_proj(source), self.num_heads)"
ENCODER_BLOCK = (
    "x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask, bias=bias)[0])\n"
    "        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
)
SELF_ATTENTION = "x = x + self.dropout(self.self_attention(self.self_attention_norm(x), mask=mask, bias=bias)[0])"
CROSS_ATTENTION = "x = x + self.dropout(self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0])"
DECODER_FEED_FORWARD = (
    f"{CROSS_ATTENTION}\n        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
)
DECODER_BLOCK = f"{SELF_ATTENTION}\n        {DECODER_FEED_FORWARD}"
ENCODER_FEED_FORWARD = (
    "self.attention_norm = RMSNorm(config.d_model)\n"
    "        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)"
)
DECODER_HIDDEN = ENCODER_FEED_FORWARD.replace("self.attention_norm", "self.cross_attention_norm")
BLOCKS = "self.blocks = nn.ModuleList(kind(config) for _ in range(config.num_blocks))"
DIRECTIONS = "bidirectional=not is_decoder\n"
STACK_BIAS = "bias = self.position_bias(x.shape[1], x.shape[1])"
STACK_LOOP = "            x = block(x, mask, bias, *memory_and_mask)\n        return self.norm(x)"
EMBEDDING = "self.embedding = nn.Embedding(config.vocab_size, config.d_model)"
ENCODE = "return self.encoder(self.dropout(self.embedding(source)), real)"
ENCODE_MASK = "real = (source != self.pad_id)[:, None, :]  # (batch, 1, source)\n        return self.encoder("
CAUSAL = "causal = causal_mask(target.shape[1], device=target.device)"
DECODE_MASK = "real = (source != self.pad_id)[:, None, :]  # (batch, 1, source)\n        hidden = self.decoder("
DECODE = "hidden = self.decoder(self.dropout(self.embedding(target)), causal, memory, real)"
LOGITS = "return functional.linear(hidden * self.scale, self.embedding.weight)"
FORWARD = "return self.decode(target, self.encode(source), source)"
ONLY_TEXT = 'if list(fields) == ["text"]:'
TEXT = 'return " ".join([task, *(f"{name}: {text}" for name, text in fields.items())])'

MISTAKES = {
    "random_spans": (
        mistake(
            "spans_floor",
            "the number of masked tokens is rounded down",
            MASKED,
            MASKED.replace("round(length * rate)", "int(length * rate)"),
        ),
        mistake(
            "spans_round_half_up",
            "halves are rounded up instead of to the even number",
            MASKED,
            MASKED.replace("round(length * rate)", "int(length * rate + 0.5)"),
            COUNT,
            COUNT.replace("round(masked / mean_span)", "int(masked / mean_span + 0.5)"),
        ),
        mistake(
            "spans_count_rounded_up",
            "the number of spans is rounded up",
            COUNT,
            COUNT.replace("round(masked / mean_span)", "math.ceil(masked / mean_span)"),
        ),
        mistake(
            "spans_mask_nothing_at_times",
            "a text can be left without a masked token",
            MASKED,
            "masked = min(round(length * rate), length - 1)\n"
            "    if masked == 0:\n"
            "        return torch.zeros(length, dtype=torch.bool)",
        ),
        mistake(
            "spans_mask_everything",
            "all tokens are masked if the rate is high",
            MASKED,
            "masked = max(round(length * rate), 1)\n"
            "    if masked == length:\n"
            "        return torch.ones(length, dtype=torch.bool)",
        ),
        mistake(
            "spans_more_than_gaps",
            "there can be more spans than kept tokens, and spans touch",
            COUNT,
            "count = min(max(round(masked / mean_span), 1), masked)",
            GAPS,
            "gaps = random_lengths(max(length - masked, count), count, generator)",
            MASK,
            MASK + "[:length]",
        ),
        mistake(
            "spans_without_a_minimum",
            "the number of spans can be rounded to zero",
            COUNT,
            "count = min(round(masked / mean_span), masked, length - masked)",
        ),
        mistake(
            "spans_start_masked",
            "the text begins with a span instead of a gap",
            "lengths = torch.stack((gaps, spans), dim=1).flatten()",
            "lengths = torch.stack((spans, gaps), dim=1).flatten()",
            MASK,
            MASK.replace("[False, True]", "[True, False]"),
        ),
        mistake(
            "spans_may_touch",
            "gaps can be empty, so that neighbouring spans merge",
            GAPS,
            "gaps = random_lengths(length - masked + count - 1, count, generator)\n    gaps[1:] -= 1",
        ),
        mistake(
            "spans_of_equal_length",
            "the lengths of the spans are not random",
            SPANS,
            "spans = torch.full((count,), masked // count)\n    spans[: masked % count] += 1",
        ),
        mistake(
            "spans_at_equal_distances",
            "the lengths of the gaps are not random",
            GAPS,
            "kept = length - masked\n    gaps = torch.full((count,), kept // count)\n    gaps[: kept % count] += 1",
        ),
        mistake(
            "spans_of_single_draws",
            "each token is masked by itself with the given rate",
            MASK,
            "return torch.rand(length, generator=generator) < rate",
            named=False,  # random, so no two solutions agree
        ),
        mistake(
            "spans_start_anywhere",
            "the starts of the spans are drawn freely, so that spans can overlap",
            MASK,
            "starts = torch.randint(1, length, (count,), generator=generator).tolist()\n"
            "    mask = torch.zeros(length, dtype=torch.bool)\n"
            "    for start, size in zip(starts, spans.tolist(), strict=True):\n"
            "        mask[start : start + size] = True\n"
            "    return mask",
            named=False,
        ),
        mistake(
            "spans_ignore_the_generator",
            "the spans are drawn from the global generator, whatever `generator` is",
            CUTS,
            CUTS.replace(", generator=generator", ""),
            named=False,
        ),
        mistake(
            "spans_with_a_generator_of_their_own",
            "without a generator, a new generator draws the same spans each time",
            CUTS,
            "generator = torch.Generator() if generator is None else generator\n    " + CUTS,
            named=False,
        ),
        mistake("spans_other_rate", "the default rate is 0.3", "rate: float = 0.15", "rate: float = 0.3"),
        mistake("spans_other_mean", "the default mean length is 2", "mean_span: float = 3.0", "mean_span: float = 2.0"),
        mistake(
            "spans_ignore_the_mean",
            "the mean length of a span is always 3",
            COUNT,
            COUNT.replace("mean_span", "3.0"),
        ),
        mistake(
            "spans_ignore_the_rate",
            "the rate is always 0.15",
            MASKED,
            MASKED.replace("rate", "0.15"),
        ),
        mistake(
            "spans_of_a_single_token",
            "a length of 1 is accepted",
            SHORT,
            "if length < 2:\n        return torch.ones(1, dtype=torch.bool)\n    if length < 2:",
        ),
        mistake("spans_refuse_two_tokens", "a length of 2 raises an error", SHORT, "if length < 3:"),
        mistake("spans_as_integers", "the mask holds 0 and 1 instead of bools", MASK, MASK + ".long()"),
    ),
    "corrupt_spans": (
        mistake(
            "corrupt_a_sentinel_per_token",
            "each masked token gets a sentinel in the inputs",
            BEGINS,
            "if masked and inside:\n            inputs.append(sentinel_ids[used - 1])\n        " + BEGINS,
        ),
        mistake(
            "corrupt_always_the_first_sentinel",
            "every span gets the first sentinel",
            "            used += 1\n",
            "            used += 0\n",
        ),
        mistake(
            "corrupt_inputs_without_end",
            "the inputs have no `end_id`",
            CORRUPTED,
            CORRUPTED.replace("[*inputs, end_id]", "inputs"),
        ),
        mistake(
            "corrupt_targets_without_end",
            "the targets have no `end_id`",
            CORRUPTED,
            CORRUPTED.replace("sentinel_ids[used], end_id]", "sentinel_ids[used]]"),
        ),
        mistake(
            "corrupt_without_last_sentinel",
            "the targets do not end with one more sentinel",
            CORRUPTED,
            CORRUPTED.replace("*targets, sentinel_ids[used], end_id", "*targets, end_id"),
        ),
        mistake("corrupt_without_a_trace", "the inputs have no sentinels", INTO_INPUTS, ""),
        mistake("corrupt_targets_without_sentinels", "the targets have only the last sentinel", INTO_TARGETS, ""),
        mistake(
            "corrupt_sentinels_from_the_end",
            "the sentinels are used in reverse order",
            IN_TEXT,
            "sentinel_ids = sentinel_ids[::-1]\n    " + IN_TEXT,
        ),
        mistake(
            "corrupt_sorts_the_sentinels",
            "the sentinels are sorted, the largest first",
            IN_TEXT,
            "sentinel_ids = sorted(sentinel_ids, reverse=True)\n    " + IN_TEXT,
        ),
        mistake(
            "corrupt_counts_down",
            "each sentinel is the one before it minus 1",
            IN_TEXT,
            "sentinel_ids = [sentinel_ids[0] - number for number in range(len(sentinel_ids))]\n    " + IN_TEXT,
        ),
        mistake(
            "corrupt_drops_zero",
            "the token 0 is dropped",
            BEGINS,
            "if token == 0:\n            continue\n        " + BEGINS,
        ),
        mistake(
            "corrupt_drops_the_end",
            "tokens of the text that equal `end_id` are dropped",
            BEGINS,
            "if token == end_id:\n            continue\n        " + BEGINS,
        ),
        mistake(
            "corrupt_merges_all_spans",
            "only the first span gets a sentinel",
            INSIDE,
            "inside = inside or masked\n",
        ),
        mistake(
            "corrupt_misses_the_first_token",
            "a span at the first token gets no sentinel",
            "inputs, targets, used, inside = [], [], 0, False",
            "inputs, targets, used, inside = [], [], 0, bool(spans[0])",
        ),
        mistake(
            "corrupt_misses_the_last_token",
            "a span at the last token is left out",
            IN_TEXT,
            "spans = torch.cat((spans[:-1], spans[-1:] & spans[-2:-1]))\n    " + IN_TEXT,
        ),
        mistake(
            "corrupt_needs_a_span",
            "a text without masked tokens raises an error",
            IN_TEXT,
            'if not spans.any():\n        raise ValueError("no token is masked")\n    ' + IN_TEXT,
        ),
        mistake(
            "corrupt_forgets_the_last_sentinel_in_the_count",
            "one sentinel too few is accepted, without a last sentinel",
            TOO_FEW,
            "if starts > len(sentinel_ids):",
            CORRUPTED,
            CORRUPTED.replace("sentinel_ids[used], end_id", "*sentinel_ids[used : used + 1], end_id"),
        ),
        mistake(
            "corrupt_wants_a_spare_sentinel",
            "one sentinel more than needed is required",
            TOO_FEW,
            "if starts + 1 >= len(sentinel_ids):",
        ),
        mistake("corrupt_takes_sentinels_for_text", "sentinels in the text are accepted", IN_TEXT, "if False:"),
        mistake(
            "corrupt_looks_at_used_sentinels_only",
            "sentinels in the text are accepted if they are not used",
            IN_TEXT,
            "if set(tokens.tolist()) & set(sentinel_ids[:3]):",
        ),
        mistake(
            "corrupt_looks_at_kept_tokens_only",
            "sentinels in masked positions are accepted",
            IN_TEXT,
            "if set(tokens[~spans].tolist()) & set(sentinel_ids):",
        ),
        mistake(
            "corrupt_returns_int64",
            "the results are always int64",
            CORRUPTED,
            CORRUPTED.replace("tokens.new_tensor", "torch.tensor"),
        ),
        mistake(
            "corrupt_in_place",
            "masked tokens are overwritten in the caller's tensor",
            CORRUPTED,
            "tokens[spans] = end_id\n    " + CORRUPTED,
        ),
        mistake(
            "corrupt_puts_the_sentinel_last",
            "in the targets, each sentinel follows its span",
            CORRUPTED,
            CORRUPTED.replace(
                "*targets, sentinel_ids[used], end_id", "*targets[1:], *targets[:1], sentinel_ids[used], end_id"
            ),
        ),
    ),
    "restore_spans": (
        mistake(
            "restore_stops_at_the_end",
            "the text ends at its first `end_id`",
            IN_INPUTS,
            "for token in inputs[: inputs.tolist().index(end_id)].tolist():",
        ),
        mistake(
            "restore_drops_the_end",
            "tokens that equal `end_id` are dropped from the spans",
            IN_TARGETS,
            "for token in targets[targets != end_id].tolist():",
        ),
        mistake(
            "restore_drops_zero",
            "the token 0 is dropped",
            IN_INPUTS,
            "for token in [token for token in inputs[:-1].tolist() if token]:",
        ),
        mistake(
            "restore_keeps_the_last_token",
            "the last token of the inputs is kept",
            IN_INPUTS,
            "for token in inputs.tolist():",
        ),
        mistake(
            "restore_reads_the_end_into_a_span",
            "the end of the targets is read into the last span",
            IN_TARGETS,
            "targets = torch.cat((targets[:-2], targets[-1:], targets[-2:]))\n    " + IN_TARGETS,
        ),
        mistake(
            "restore_keeps_the_sentinels",
            "the sentinels stay in the text, before their spans",
            RESTORED,
            "tokens.extend([token, *missing[token]] if token in sentinel_ids else [token])",
        ),
        mistake(
            "restore_skips_the_spans",
            "the sentinels are removed, and nothing is put back",
            RESTORED,
            "tokens.extend([] if token in sentinel_ids else [token])",
        ),
        mistake(
            "restore_by_a_threshold",
            "every token from the smallest sentinel on counts as a sentinel",
            RESTORED,
            "tokens.extend(missing.get(token, []) if token >= min(sentinel_ids) else [token])",
        ),
        mistake(
            "restore_one_token_per_span",
            "only the first token of each span is put back",
            RESTORED,
            "tokens.extend(missing[token][:1] if token in sentinel_ids else [token])",
        ),
        mistake(
            "restore_repeats_the_first_span",
            "the first span is put into every gap",
            RESTORED,
            "tokens.extend(next(iter(missing.values())) if token in sentinel_ids else [token])",
        ),
        mistake(
            "restore_starts_with_a_token",
            "the first token of the inputs is taken for a token of the text",
            "tokens: list[int] = []\n    for token in inputs[:-1].tolist():",
            "tokens: list[int] = inputs[:-1].tolist()[:1]\n    for token in inputs[1:-1].tolist():",
        ),
        mistake(
            "restore_returns_int64",
            "the result is always int64",
            "return inputs.new_tensor(tokens)",
            "return torch.tensor(tokens, dtype=torch.int64)",
        ),
        mistake(
            "restore_in_place",
            "the end of the inputs is overwritten",
            "return inputs.new_tensor(tokens)",
            "inputs[-1] = 0\n    return inputs.new_tensor(tokens)",
        ),
    ),
    "relative_position_bucket": (
        mistake("bucket_never_halves", "both directions share all buckets", HALVES, ""),
        mistake("bucket_sign", "the second half is for keys before the query", FIRST, FIRST.replace("> 0", "< 0")),
        mistake(
            "bucket_zero_is_after",
            "the query itself is in the second half of the buckets",
            FIRST,
            FIRST.replace("> 0", ">= 0"),
        ),
        mistake(
            "bucket_sees_the_future",
            "unidirectional buckets are for keys after the query",
            PAST,
            "distance = relative_position.clamp(min=0)",
        ),
        mistake(
            "bucket_folds_the_future",
            "unidirectional, keys after the query get the buckets of keys before it",
            PAST,
            "distance = relative_position.abs()",
        ),
        mistake(
            "bucket_not_clipped",
            "far positions get buckets that do not exist",
            SHARED,
            SHARED.replace(".clamp(max=num_buckets - 1)", ""),
        ),
        mistake(
            "bucket_clips_early",
            "the last bucket is never used",
            SHARED,
            SHARED.replace("max=num_buckets - 1", "max=num_buckets - 2"),
        ),
        mistake(
            "bucket_few_exact",
            "a quarter of the buckets of a direction is exact instead of half",
            "exact = num_buckets // 2",
            "exact = num_buckets // 4",
        ),
        mistake(
            "bucket_all_exact",
            "every distance has a bucket of its own, as long as there are any",
            BUCKET,
            "return first + distance.clamp(max=num_buckets - 1)",
        ),
        mistake(
            "bucket_rounds",
            "the logarithm is rounded to the nearest bucket",
            SHARED,
            SHARED.replace(".long()", ".round().long()"),
        ),
        mistake(
            "bucket_base_two",
            "the logarithm of the distance has base 2",
            SHARE,
            SHARE.replace("torch.log(", "torch.log2("),
        ),
        mistake(
            "bucket_ignores_max_distance",
            "`max_distance` is always 128",
            SHARE,
            SHARE.replace("max_distance", "128"),
        ),
        mistake(
            "bucket_ignores_num_buckets",
            "`num_buckets` is always 32",
            "    if bidirectional:\n        num_buckets //= 2",
            "    num_buckets = 32\n    if bidirectional:\n        num_buckets //= 2",
        ),
        mistake(
            "bucket_other_distance",
            "the default of `max_distance` is 256",
            "max_distance: int = 128\n) -> Tensor",
            "max_distance: int = 256\n) -> Tensor",
        ),
        mistake(
            "bucket_one_direction_by_default",
            "the default is unidirectional",
            "relative_position: Tensor, bidirectional: bool = True",
            "relative_position: Tensor, bidirectional: bool = False",
        ),
        mistake("bucket_returns_floats", "the buckets are floats", BUCKET, BUCKET + ".float()"),
        mistake(
            "bucket_of_matrices",
            "relative positions without two axes raise an error",
            "    if bidirectional:\n        num_buckets //= 2",
            "    query_length, key_length = relative_position.shape\n    if bidirectional:\n        num_buckets //= 2",
        ),
        mistake(
            "bucket_limit_on_the_cpu",
            ON_THE_CPU,
            SHARED,
            "shared = exact + (share * (num_buckets - exact)).long()\n"
            "    shared = torch.minimum(shared, torch.full(relative_position.shape, num_buckets - 1))",
        ),
        mistake(
            "bucket_in_place",
            "the relative positions are replaced by distances in place",
            "distance = relative_position.abs()",
            "distance = relative_position.abs_()",
            PAST,
            "distance = relative_position.neg_().clamp_(min=0)",
        ),
    ),
    "RelativePositionBias": (
        mistake(
            "bias_query_minus_key",
            "the relative position is query minus key",
            BIAS_DISTANCE,
            "distance = query[:, None] - key[None, :]",
        ),
        mistake("bias_transposed", "queries and keys are exchanged", BIAS, BIAS.replace("2, 0, 1", "2, 1, 0")),
        mistake("bias_heads_last", "the heads are the last axis", BIAS, BIAS.replace(".permute(2, 0, 1)", "")),
        mistake("bias_with_a_batch", "the result has an axis for the batch", BIAS, BIAS + ".unsqueeze(0)"),
        mistake(
            "bias_always_bidirectional",
            "the buckets are always bidirectional",
            BIAS_BUCKETS,
            BIAS_BUCKETS.replace("self.bidirectional", "True"),
        ),
        mistake(
            "bias_never_bidirectional",
            "the buckets are always unidirectional",
            BIAS_BUCKETS,
            BIAS_BUCKETS.replace("self.bidirectional", "False"),
        ),
        mistake(
            "bias_default_distance",
            "`max_distance` is not passed on",
            BIAS_BUCKETS,
            BIAS_BUCKETS.replace(", self.max_distance", ""),
        ),
        mistake(
            "bias_lines_up_the_ends",
            "the last query is at the position of the last key",
            BIAS_QUERIES,
            BIAS_QUERIES + " + key_length - query_length",
        ),
        mistake("bias_counts_from_one", "queries are counted from 1", BIAS_QUERIES, BIAS_QUERIES + " + 1"),
        mistake(
            "bias_as_an_embedding",
            "the parameter has another name than `weight`",
            BIAS_WEIGHT,
            "self.table = nn.Parameter(torch.randn(num_buckets, num_heads) * 0.02)",
            BIAS_BUCKETS,
            BIAS_BUCKETS.replace("self.weight", "self.table"),
            BIAS_QUERIES,
            BIAS_QUERIES.replace("self.weight", "self.table"),
            BIAS_KEYS,
            BIAS_KEYS.replace("self.weight", "self.table"),
            BIAS,
            BIAS.replace("self.weight", "self.table"),
            named=False,  # its values are random
        ),
        mistake(
            "bias_weight_is_a_buffer",
            "`weight` is not a parameter",
            BIAS_WEIGHT,
            'self.register_buffer("weight", torch.randn(num_buckets, num_heads) * 0.02)',
        ),
        mistake(
            "bias_detached", "no gradient reaches the weight", BIAS, BIAS.replace("self.weight", "self.weight.detach()")
        ),
        mistake(
            "bias_positions_on_the_cpu",
            ON_THE_CPU,
            BIAS_KEYS,
            "key = torch.arange(key_length)",
            BIAS_QUERIES,
            "query = torch.arange(query_length)",
            BIAS,
            "table = torch.zeros(query_length, key_length, self.weight.shape[1], dtype=self.weight.dtype)\n"
            "        return (table + self.weight[buckets]).permute(2, 0, 1)",
        ),
        mistake("bias_returns_float32", "the result is always float32", BIAS, BIAS + ".float()"),
    ),
    "T5Attention": (
        mistake(
            "t5_attention_scaled",
            "the scores are divided by √d_head",
            SCORES,
            "scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])",
        ),
        mistake(
            "t5_attention_scaled_by_d_model",
            "the scores are divided by √d_model",
            SCORES,
            "scores = query @ key.transpose(-2, -1) / math.sqrt(x.shape[-1])",
        ),
        mistake("t5_attention_ignores_the_bias", "the bias is not added", ADD_BIAS, "scores = scores + 0"),
        mistake(
            "t5_attention_multiplies_by_the_bias",
            "the scores are multiplied by the bias",
            ADD_BIAS,
            "scores = scores * bias",
        ),
        mistake(
            "t5_attention_bias_of_the_batch",
            "the first axis of the bias is taken for the batch",
            ADD_BIAS,
            "scores = scores + (bias.unsqueeze(1) if len(bias) == len(x) else bias)",
        ),
        mistake(
            "t5_attention_bias_after_softmax",
            "the bias is added to the weights instead of the scores",
            ADD_BIAS,
            "pass",
            WEIGHTS,
            WEIGHTS + "\n        weights = weights if bias is None else weights + bias",
        ),
        mistake(
            "t5_attention_one_bias_for_all_heads",
            "every head gets the bias of the first head",
            ADD_BIAS,
            "scores = scores + bias[:1]",
        ),
        mistake("t5_attention_ignores_the_memory", "keys and values come from x", SOURCE, "source = x"),
        mistake(
            "t5_attention_needs_a_memory",
            "without a memory, the call fails",
            SOURCE,
            "source = memory",
        ),
        mistake(
            "t5_attention_needs_a_bias",
            "without a bias, the call fails",
            "if bias is not None:\n            scores = scores + bias",
            ADD_BIAS,
        ),
        mistake(
            "t5_attention_always_causal",
            "self-attention is always causal",
            WEIGHTS,
            "if memory is None:\n"
            "            causal = causal_mask(x.shape[1], device=x.device)\n"
            "            mask = causal if mask is None else causal & mask\n"
            "        " + WEIGHTS,
        ),
        mistake(
            "t5_attention_values_of_x",
            "values come from x if it is as long as the memory",
            VALUE,
            "values = x if x.shape == source.shape else source\n"
            "        value = split_heads(self.value_proj(values), self.num_heads)",
        ),
        mistake(
            "t5_attention_queries_the_memory",
            "queries come from the memory if it is as long as x",
            QUERY,
            "queries = source if x.shape == source.shape else x\n"
            "        query = split_heads(self.query_proj(queries), self.num_heads)",
        ),
        mistake(
            "t5_attention_shares_key_and_value",
            "values use the projection of the keys",
            VALUE,
            VALUE.replace("value_proj", "key_proj"),
        ),
        mistake(
            "t5_attention_without_output_projection",
            "the output is not projected",
            ATTENDED,
            "return merge_heads(weights @ value), weights",
        ),
        mistake(
            "t5_attention_interleaves_the_heads",
            "the features of a head are not neighbours",
            ATTENDED,
            "return self.output_proj((weights @ value).permute(0, 2, 3, 1).flatten(2)), weights",
        ),
        mistake(
            "t5_attention_masks_of_two_axes_only",
            "a mask of three axes is aligned with the heads",
            WIDEN,
            "if False:",
        ),
        mistake(
            "t5_attention_mean_mask",
            "a mask of four axes is reduced to that of its first head",
            WIDEN,
            "if mask is not None and mask.ndim == 4:\n            mask = mask[:, :1]\n        " + WIDEN,
        ),
        mistake(
            "t5_attention_inverted_mask",
            "True in the mask blocks instead of allows",
            WEIGHTS,
            "weights = masked_softmax(scores, None if mask is None else ~mask)",
        ),
        mistake(
            "t5_attention_mask_after_softmax",
            "blocked weights are set to zero after the softmax",
            WEIGHTS,
            "weights = masked_softmax(scores) * (1 if mask is None else mask)",
        ),
        mistake(
            "t5_attention_finite_block",
            "blocked scores are lowered by 10,000 instead of replaced",
            WEIGHTS,
            "weights = masked_softmax(scores if mask is None else scores - 1e4 * ~mask)",
        ),
        mistake(
            "t5_attention_adds_the_mask",
            "the mask is added to the scores",
            WEIGHTS,
            "weights = masked_softmax(scores if mask is None else scores + mask)",
        ),
        mistake(
            "t5_attention_bias_after_mask",
            "the bias is added to a finite block",
            WEIGHTS,
            "blocked = torch.zeros_like(scores) if mask is None else -1e9 * ~mask\n"
            "        weights = masked_softmax(scores + blocked)",
        ),
        mistake(
            "t5_attention_nan",
            "a query that may attend to nothing gets NaN",
            WEIGHTS,
            "weights = torch.softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf), dim=-1)",
        ),
        mistake(
            "t5_attention_uniform",
            "a query that may attend to nothing gets equal weights",
            WEIGHTS,
            "lowest = torch.finfo(scores.dtype).min\n"
            "        weights = torch.softmax(scores if mask is None else scores.masked_fill(~mask, lowest), dim=-1)",
        ),
        mistake(
            "t5_attention_unstable",
            "large scores overflow",
            WEIGHTS,
            "allowed = scores.exp() if mask is None else scores.exp() * mask\n"
            "        weights = allowed / allowed.sum(dim=-1, keepdim=True).clamp(min=1e-300)",
        ),
        mistake(
            "t5_attention_with_biases",
            "the output projection has a bias",
            "self.output_proj = nn.Linear(d_model, d_model, bias=False)",
            "self.output_proj = nn.Linear(d_model, d_model)",
        ),
        mistake(
            "t5_attention_detached_bias",
            "no gradient reaches the bias",
            ADD_BIAS,
            "scores = scores + bias.detach()",
        ),
        mistake(
            "t5_attention_averages_the_heads",
            "the weights are the mean over the heads",
            ATTENDED,
            ATTENDED.replace(", weights", ", weights.mean(dim=1)"),
        ),
        mistake(
            "t5_attention_output_alone",
            "the weights are not returned",
            ATTENDED,
            ATTENDED.replace(", weights", ""),
        ),
        mistake(
            "t5_attention_returns_float32",
            "the weights are always float32",
            ATTENDED,
            ATTENDED.replace(", weights", ", weights.float()"),
        ),
        mistake(
            "t5_attention_bias_on_the_cpu",
            ON_THE_CPU,
            "if bias is not None:\n            scores = scores + bias",
            "scores = scores + (torch.zeros(scores.shape[1:]).to(scores.dtype) + (0 if bias is None else bias))",
        ),
        mistake(
            "t5_attention_in_place",
            "the scores are added to the bias in place",
            ADD_BIAS,
            "total = scores + bias\n            bias.zero_()\n            scores = total",
        ),
    ),
    "T5": (
        mistake(
            "t5_bias_in_the_first_block",
            "only the first block of a stack adds the bias",
            STACK_LOOP,
            "            x = block(x, mask, bias, *memory_and_mask)\n"
            "            bias = torch.zeros_like(bias)\n"
            "        return self.norm(x)",
        ),
        mistake(
            "t5_bias_per_block",
            "each block has a position bias of its own",
            STACK_LOOP,
            "            own = block.position_bias(x.shape[1], x.shape[1])\n"
            "            x = block(x, mask, own, *memory_and_mask)\n"
            "        return self.norm(x)",
            BLOCKS,
            BLOCKS
            + "\n        for block in self.blocks:\n"
            + "            block.position_bias = RelativePositionBias(\n"
            + "                config.num_heads, config.num_buckets, config.max_distance, not is_decoder\n"
            + "            )",
            named=False,  # the biases of the blocks cannot be loaded
        ),
        mistake(
            "t5_bias_without_sharing",
            "the bias grows from block to block",
            STACK_LOOP,
            "            x = block(x, mask, bias, *memory_and_mask)\n"
            "            bias = 2 * bias\n"
            "        return self.norm(x)",
        ),
        mistake(
            "t5_bidirectional_decoder",
            "the bias of the decoder is bidirectional",
            DIRECTIONS,
            "bidirectional=True\n",
        ),
        mistake(
            "t5_unidirectional_encoder",
            "the bias of the encoder is unidirectional",
            DIRECTIONS,
            "bidirectional=False\n",
        ),
        mistake(
            "t5_bias_in_cross_attention",
            "the cross-attention adds the position bias too",
            CROSS_ATTENTION,
            "wide = functional.pad(bias, (0, max(0, memory.shape[1] - x.shape[1])))[..., : memory.shape[1]]\n"
            "        " + CROSS_ATTENTION.replace("memory_mask)", "memory_mask, wide)"),
        ),
        mistake(
            "t5_without_bias",
            "no bias is added to the scores",
            STACK_BIAS,
            "bias = 0 * self.position_bias(x.shape[1], x.shape[1])",
        ),
        mistake("t5_output_without_scale", "the output is not scaled", LOGITS, LOGITS.replace(" * self.scale", "")),
        mistake(
            "t5_output_scaled_by_d_model",
            "the output is divided by d_model",
            LOGITS,
            LOGITS.replace("* self.scale", "* self.scale**2"),
        ),
        mistake(
            "t5_scaled_embeddings",
            "the embeddings are multiplied by √d_model",
            ENCODE,
            ENCODE.replace("self.embedding(source)", "self.embedding(source) / self.scale"),
            DECODE,
            DECODE.replace("self.embedding(target)", "self.embedding(target) / self.scale"),
        ),
        mistake(
            "t5_untied_output",
            "the output has a matrix of its own",
            EMBEDDING,
            EMBEDDING + "\n        self.output_proj = nn.Linear(config.d_model, config.vocab_size, bias=False)",
            LOGITS,
            "return self.output_proj(hidden * self.scale)",
            named=False,  # its values are random
        ),
        mistake(
            "t5_two_embeddings",
            "the decoder has an embedding of its own",
            EMBEDDING,
            EMBEDDING + "\n        self.target_embedding = nn.Embedding(config.vocab_size, config.d_model)",
            DECODE,
            DECODE.replace("self.embedding(target)", "self.target_embedding(target)"),
            named=False,
        ),
        mistake(
            "t5_encoder_without_norm",
            "the encoder has no norm at its end",
            STACK_LOOP,
            STACK_LOOP.replace("return self.norm(x)", "return self.norm(x) if memory_and_mask else x"),
        ),
        mistake(
            "t5_decoder_without_norm",
            "the decoder has no norm at its end",
            STACK_LOOP,
            STACK_LOOP.replace("return self.norm(x)", "return x if memory_and_mask else self.norm(x)"),
        ),
        mistake(
            "t5_post_norm",
            "the blocks normalise the sum instead of the input of a branch",
            ENCODER_BLOCK,
            "x = self.attention_norm(x + self.dropout(self.attention(x, mask=mask, bias=bias)[0]))\n"
            "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))",
            DECODER_BLOCK,
            "x = self.self_attention_norm(x + self.dropout(self.self_attention(x, mask=mask, bias=bias)[0]))\n"
            "        x = self.cross_attention_norm(x + self.dropout(self.cross_attention(x, memory, memory_mask)[0]))\n"
            "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))",
        ),
        mistake(
            "t5_layer_norm",
            "the norms are layer norms instead of RMS norms",
            "from transformer import FeedForward, RMSNorm",
            "from transformer import FeedForward\nfrom transformer import LayerNorm as RMSNorm",
        ),
        mistake(
            "t5_other_eps",
            "the norms have an eps of 1e-3",
            "from transformer import FeedForward, RMSNorm",
            "from transformer import FeedForward\n"
            "from transformer import RMSNorm as Norm\n\n\n"
            "def RMSNorm(d_model):\n"
            "    return Norm(d_model, 1e-3)\n",
        ),
        mistake(
            "t5_without_residual",
            "the self-attention of the decoder replaces x instead of being added",
            SELF_ATTENTION,
            SELF_ATTENTION.replace("x = x + ", "x = "),
        ),
        mistake(
            "t5_not_causal",
            "the decoder sees the whole target",
            CAUSAL,
            CAUSAL + "\n        causal = torch.ones_like(causal)",
        ),
        mistake(
            "t5_sees_the_next_token",
            "the decoder sees one token too many",
            CAUSAL,
            CAUSAL + "\n        causal = functional.pad(causal[1:], (0, 0, 0, 1), value=True)",
        ),
        mistake(
            "t5_encoder_is_causal",
            "the encoder is causal",
            ENCODE_MASK,
            ENCODE_MASK.replace(
                "return self.encoder(",
                "real = real & causal_mask(source.shape[1], device=source.device)\n        return self.encoder(",
            ),
        ),
        mistake(
            "t5_encoder_reads_padding",
            "the encoder reads the padding of the source",
            ENCODE_MASK,
            ENCODE_MASK.replace("return self.encoder(", "real = torch.ones_like(real)\n        return self.encoder("),
        ),
        mistake(
            "t5_decoder_reads_padding",
            "the cross-attention reads the padding of the source",
            DECODE_MASK,
            DECODE_MASK.replace("hidden = self", "real = torch.ones_like(real)\n        hidden = self"),
        ),
        mistake(
            "t5_pads_with_zero",
            "the padding is always token 0",
            "self.pad_id, self.scale = config.pad_id, config.d_model**-0.5",
            "self.pad_id, self.scale = 0, config.d_model**-0.5",
        ),
        mistake(
            "t5_masks_the_target",
            "target tokens that equal `pad_id` are masked",
            CAUSAL,
            CAUSAL + "\n        causal = causal & (target != self.pad_id)[:, None, :]",
        ),
        mistake(
            "t5_reads_embeddings_across",
            "the cross-attention reads the embeddings of the source instead of the encoder's output",
            DECODE,
            DECODE.replace("causal, memory, real", "causal, self.embedding(source) + 0 * memory, real"),
        ),
        mistake(
            "t5_normalises_the_memory",
            "each block of the decoder normalises the memory once more",
            "self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)",
            "self.cross_attention(*map(self.cross_attention_norm, (x, memory)), memory_mask)",
        ),
        mistake(
            "t5_reads_the_memory_once",
            "only the first block of the decoder reads the memory",
            STACK_LOOP,
            "            x = block(x, mask, bias, *memory_and_mask)\n"
            "            memory_and_mask = tuple(\n"
            "                part & False if part.dtype == torch.bool else part for part in memory_and_mask\n"
            "            )\n"
            "        return self.norm(x)",
        ),
        mistake(
            "t5_blocks_are_one",
            "all blocks of a stack are the same module",
            BLOCKS,
            "self.blocks = nn.ModuleList([kind(config)] * config.num_blocks)",
            named=False,
        ),
        mistake(
            "t5_blocks_are_one_less",
            "each stack has one block too few",
            BLOCKS,
            BLOCKS.replace("config.num_blocks", "config.num_blocks - 1"),
        ),
        mistake(
            "t5_probabilities", "the result is probabilities instead of logits", LOGITS, LOGITS + ".softmax(dim=-1)"
        ),
        mistake(
            "t5_shifts_the_target",
            "the target is shifted once more",
            FORWARD,
            "target = functional.pad(target[:, :-1], (1, 0), value=self.pad_id)\n        " + FORWARD,
        ),
        mistake(
            "t5_padding_is_frozen",
            "the embedding of `pad_id` learns nothing where it is read",
            EMBEDDING,
            "self.embedding = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_id)",
        ),
        mistake(
            "t5_detached_memory",
            "no gradient reaches the encoder",
            FORWARD,
            "return self.decode(target, self.encode(source).detach(), source)",
        ),
        mistake(
            "t5_detached_output",
            "the embedding gets no gradient as the output's matrix",
            LOGITS,
            LOGITS.replace("self.embedding.weight", "self.embedding.weight.detach()"),
        ),
        mistake(
            "t5_learns_nothing",
            "the logits are computed without gradients",
            FORWARD,
            "with torch.no_grad():\n            return self.decode(target, self.encode(source), source)",
        ),
        mistake(
            "t5_embeddings_without_dropout",
            "the embeddings have no dropout",
            DECODE,
            DECODE.replace("self.dropout(self.embedding(target))", "self.embedding(target)"),
            ENCODE,
            ENCODE.replace("self.dropout(self.embedding(source))", "self.embedding(source)"),
            named=False,  # random
        ),
        mistake(
            "t5_dropout_in_eval",
            "dropout acts in eval mode too",
            DECODE,
            DECODE.replace(
                "self.dropout(self.embedding(target))", "functional.dropout(self.embedding(target), self.dropout.p)"
            ),
            named=False,
        ),
        mistake(
            "t5_branches_without_dropout",
            "the cross-attention has no dropout before it is added",
            CROSS_ATTENTION,
            "x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]",
            named=False,
        ),
        mistake(
            "t5_hidden_without_dropout",
            "the feed-forward layers of the encoder do not get the rate of dropout",
            ENCODER_FEED_FORWARD,
            ENCODER_FEED_FORWARD.replace(", config.dropout", ""),
            named=False,
        ),
        mistake(
            "t5_decoder_hidden_without_dropout",
            "the feed-forward layers of the decoder do not get the rate of dropout",
            DECODER_HIDDEN,
            DECODER_HIDDEN.replace(", config.dropout", ""),
            named=False,
        ),
        mistake(
            "t5_other_rate",
            "the rate of dropout is always 0.1",
            "self.dropout = nn.Dropout(config.dropout)\n        ### END SOLUTION\n\n    def encode",
            "self.dropout = nn.Dropout(0.1 if config.dropout else 0.0)\n        ### END SOLUTION\n\n    def encode",
            named=False,
        ),
        mistake("t5_returns_float32", "the logits are always float32", LOGITS, LOGITS + ".float()"),
        mistake(
            "t5_mask_on_the_cpu",
            ON_THE_CPU,
            CAUSAL,
            "causal = causal_mask(target.shape[1])",
        ),
        mistake(
            "t5_overwrites_the_start",
            "the first target token is overwritten with `pad_id`",
            FORWARD,
            "target[:, 0] = self.pad_id\n        " + FORWARD,
        ),
    ),
    "text_to_text": (
        mistake("text_always_named", "the name of a single field `text` is not left out", ONLY_TEXT, "if False:"),
        mistake(
            "text_never_named",
            "a single field is never named",
            ONLY_TEXT,
            'if len(fields) == 1:\n        return f"{task}: {next(iter(fields.values()))}"\n    ' + ONLY_TEXT,
        ),
        mistake(
            "text_without_its_name",
            "a field `text` beside others is not named",
            TEXT,
            TEXT.replace("*(f", '*(text if name == "text" else f'),
        ),
        mistake("text_sorted", "the fields are sorted", TEXT, TEXT.replace("fields.items()", "sorted(fields.items())")),
        mistake("text_with_commas", "the fields are separated by commas", TEXT, TEXT.replace('" ".join', '", ".join')),
        mistake("text_without_colons", "the names have no colons", TEXT, TEXT.replace("{name}: ", "{name} ")),
        mistake("text_without_task", "the task is left out", TEXT, TEXT.replace("task, ", "")),
        mistake(
            "text_with_a_colon_after_the_task",
            "a colon follows the task in every text",
            TEXT,
            TEXT.replace("[task, ", '[f"{task}:", '),
        ),
        mistake(
            "text_in_lower_case",
            "the text is turned into lower case",
            ONLY_TEXT,
            "task = task.lower()\n    fields = {name: text.lower() for name, text in fields.items()}\n    " + ONLY_TEXT,
        ),
    ),
}
