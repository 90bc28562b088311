"""Named mistakes of stage 7, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
SPECIAL = "special = torch.tensor([mask_id, *special_ids], device=device)"
WORDS = "words = every[~torch.isin(every, special)]"
CHOSEN = "chosen = torch.rand(tokens.shape, generator=generator, device=device) < rate"
SPARED = "    chosen = chosen & ~torch.isin(tokens, special)\n"
SHARE = "share = torch.rand(tokens.shape, generator=generator, device=device)"
DRAWN = "drawn = words[torch.randint(len(words), tokens.shape, generator=generator, device=device)]"
MASKED = "inputs = tokens.masked_fill(chosen & (share < 0.8), mask_id)"
RANDOM = "inputs = torch.where(chosen & (share >= 0.9), drawn, inputs)"
LABELS = "return inputs, tokens.masked_fill(~chosen, IGNORE_INDEX)"
LONGER = "if kept_first > kept_second:"
PACKED = "packed = torch.cat([cls, first[:kept_first], sep, second[:kept_second], sep])"
SEGMENTS = "return tokens, (after_first & mask).long(), mask"
COIN = "if draw(2):"
OTHERS = "others = documents[:number] + documents[number + 1 :]"
STRANGER = "pairs.append((first, other[draw(len(other))], 0))"
SUM = "x = self.token(tokens) + self.position(positions) + self.segment(segments)"
BLOCK = "x = block(x, mask=readable)"
READABLE = "readable = None if mask is None else mask[:, None, :]"
POOLED = "return x, torch.tanh(self.pooler(x[:, 0]))"
TIED = "self.tied = (embedding,)  # in a tuple: the embedding is a part of the model, not of the head"
HEAD = "return functional.linear(self.norm(gelu(self.dense(hidden))), self.tied[0].weight, self.bias)"
LOSSES = (
    "losses = functional.cross_entropy(\n"
    '        logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"\n'
    "    )"
)
MEAN = "return losses / (labels != IGNORE_INDEX).sum().clamp(min=1)"
AT_MASKS = "logits = head(hidden)[0, tokens == mask_id]"
TOP = "probabilities, ids = logits.softmax(dim=-1).topk(k)"
FILLED = "return ids, probabilities"
CLASSIFIED = "_, pooled = self.bert(tokens, segments, mask)\n"
LOGITS = "return self.output_proj(pooled)"

MISTAKES = {
    "mask_tokens": (
        mistake("masking_never_masks", "no chosen token becomes the mask", MASKED, "inputs = tokens"),
        mistake(
            "masking_divides_all_tokens",
            "80 %, 10 % and 10 % are shares of all tokens, not of the chosen tokens",
            MASKED,
            "inputs = tokens.masked_fill(~torch.isin(tokens, special) & (share < 0.8 * rate), mask_id)",
        ),
        mistake(
            "masking_leaves_a_gap",
            "the thresholds leave a gap: random tokens begin at 0.95, so more than 10 % of the chosen stay as they are",
            RANDOM,
            "inputs = torch.where(chosen & (share >= 0.95), drawn, inputs)",
        ),
        mistake(
            "masking_draws_twice",
            "the 10 % for random tokens are drawn anew, from the 20 % that are not masked",
            RANDOM,
            "again = torch.rand(tokens.shape, generator=generator)\n"
            "    inputs = torch.where(chosen & (share >= 0.8) & (again < 0.1), drawn, inputs)",
        ),
        mistake(
            "masking_overwrites_random_tokens",
            "random tokens are overwritten by the mask",
            RANDOM,
            RANDOM + "\n    inputs = inputs.masked_fill(chosen & (inputs != tokens), mask_id)",
        ),
        mistake(
            "masking_keeps_none",
            "no chosen token stays as it is: 20 % become random tokens",
            RANDOM,
            "inputs = torch.where(chosen & (share >= 0.8), drawn, inputs)",
        ),
        mistake(
            "masking_masks_all",
            "all chosen tokens become the mask",
            MASKED,
            "inputs = tokens.masked_fill(chosen, mask_id)",
            RANDOM,
            "",
        ),
        mistake(
            "masking_forgets_unchanged_tokens",
            "chosen tokens that stay as they are have no label",
            LABELS,
            "return inputs, tokens.masked_fill(inputs == tokens, IGNORE_INDEX)",
        ),
        mistake(
            "masking_labels_the_masked_only",
            "only masked tokens have a label",
            LABELS,
            "return inputs, tokens.masked_fill(inputs != mask_id, IGNORE_INDEX)",
        ),
        mistake(
            "masking_labels_all",
            "every token has a label, chosen or not",
            LABELS,
            "return inputs, tokens.clone()",
        ),
        mistake(
            "masking_labels_after_the_change",
            "the labels are taken after the tokens were replaced",
            LABELS,
            "return inputs, inputs.masked_fill(~chosen, IGNORE_INDEX)",
        ),
        mistake(
            "masking_labels_zero",
            "the label of a token that was not chosen is 0, not -100",
            LABELS,
            "return inputs, tokens.masked_fill(~chosen, 0)",
        ),
        mistake(
            "masking_labels_the_others",
            "labels are -100 where a token was chosen, and the tokens elsewhere",
            LABELS,
            "return inputs, tokens.masked_fill(chosen, IGNORE_INDEX)",
        ),
        mistake("masking_chooses_special_tokens", "special tokens are chosen too", SPARED, ""),
        mistake(
            "masking_spares_the_first_only",
            "only the first column is spared, not special tokens elsewhere",
            SPARED,
            "    chosen[:, 0] = False\n",
        ),
        mistake(
            "masking_chooses_the_mask",
            "the mask itself is chosen where `special_ids` lacks it",
            SPARED,
            "    chosen = chosen & ~torch.isin(tokens, torch.tensor(special_ids))\n",
        ),
        mistake(
            "masking_draws_special_tokens",
            "a random token can be a special token",
            WORDS,
            "words = every",
        ),
        mistake(
            "masking_draws_after_the_special_ids",
            "random tokens are drawn from the ids after the largest special one",
            WORDS,
            "words = every[int(special.max()) + 1 :]",
        ),
        mistake(
            "masking_never_draws_the_last",
            "the last word of the vocabulary is never drawn",
            DRAWN,
            "drawn = words[torch.randint(len(words) - 1, tokens.shape, generator=generator, device=device)]",
        ),
        mistake(
            "masking_draws_from_the_batch",
            "random tokens are drawn from the tokens of the batch",
            DRAWN,
            "drawn = tokens.flatten()[torch.randperm(tokens.numel(), generator=generator)].view_as(tokens)",
        ),
        mistake(
            "masking_draws_one_token_for_a_row",
            "all random tokens of a row are the same",
            DRAWN,
            "drawn = words[torch.randint(len(words), (len(tokens), 1), generator=generator)].expand(tokens.shape)",
        ),
        mistake(
            "masking_treats_a_row_alike",
            "all chosen tokens of a row become the same: masks, random tokens or themselves",
            SHARE,
            "share = torch.rand(len(tokens), 1, generator=generator).expand(tokens.shape)",
        ),
        mistake(
            "masking_ignores_the_rate",
            "the rate is always 0.15",
            CHOSEN,
            "chosen = torch.rand(tokens.shape, generator=generator, device=device) < 0.15",
        ),
        mistake(
            "masking_chooses_the_same_positions",
            "the same positions are chosen in every row",
            CHOSEN,
            "chosen = (torch.rand(tokens.shape[1], generator=generator) < rate).expand(tokens.shape)",
        ),
        mistake(
            "masking_chooses_a_stretch",
            "the chosen tokens of a row are one stretch",
            CHOSEN,
            "start = torch.randint(tokens.shape[1], (len(tokens), 1), generator=generator)\n"
            "    distance = (torch.arange(tokens.shape[1]) - start) % tokens.shape[1]\n"
            "    chosen = distance < round(rate * tokens.shape[1])",
        ),
        mistake(
            "masking_divides_in_order",
            "the first 80 % of the chosen tokens are masked, the last stay as they are",
            SHARE,
            "share = (chosen.flatten().cumsum(0) / chosen.sum().clamp(min=1)).view_as(tokens)",
        ),
        mistake(
            "masking_ignores_the_generator",
            "what is chosen is drawn from the global generator",
            CHOSEN,
            "chosen = torch.rand(tokens.shape) < rate",
        ),
        mistake(
            "masking_seeds_its_own_generator",
            "without a generator, a new one with the same seed is used in each call",
            "device = tokens.device\n    special =",
            "device = tokens.device\n    generator = generator or torch.Generator()\n    special =",
        ),
        mistake(
            "masking_returns_int32",
            "the results are int32",
            LABELS,
            "return inputs.int(), tokens.masked_fill(~chosen, IGNORE_INDEX).int()",
        ),
        mistake(
            "masking_changes_the_tokens",
            "the tokens are changed in place",
            LABELS,
            "labels = tokens.masked_fill(~chosen, IGNORE_INDEX)\n    tokens.copy_(inputs)\n    return inputs, labels",
        ),
        mistake(
            "masking_changes_the_special_ids",
            "the mask is added to the caller's list of special ids",
            SPECIAL,
            "special_ids.append(mask_id)\n    special = torch.tensor(special_ids, device=device)",
        ),
    ),
    "pack_pair": (
        mistake(
            "pair_without_the_last_sep",
            "there is no `[SEP]` after the second text",
            PACKED,
            "packed = torch.cat([cls, first[:kept_first], sep, second[:kept_second]])",
        ),
        mistake(
            "pair_without_cls",
            "there is no `[CLS]`",
            PACKED,
            "packed = torch.cat([first[:kept_first], sep, second[:kept_second], sep])",
        ),
        mistake(
            "pair_pads_with_zero",
            "the sequence is filled up with 0, whatever `pad_id` is",
            "value=pad_id",
            "value=0",
        ),
        mistake(
            "pair_sep_in_the_second_segment",
            "the first `[SEP]` is in segment 1",
            ">= kept_first + 2",
            ">= kept_first + 1",
        ),
        mistake(
            "pair_padding_in_the_second_segment",
            "padding is in segment 1",
            SEGMENTS,
            "return tokens, after_first.long(), mask",
        ),
        mistake("pair_mask_inverted", "the mask is True on padding", SEGMENTS, SEGMENTS[:-4] + "~mask"),
        mistake(
            "pair_mask_without_special_tokens",
            "the mask is False on `[SEP]`",
            SEGMENTS,
            SEGMENTS[:-4] + "mask & (tokens != sep_id)",
        ),
        mistake(
            "pair_cuts_the_end",
            "only the second text is cut, until nothing of it is left",
            LONGER,
            "if kept_second == 0:",
        ),
        mistake(
            "pair_cuts_the_first_on_a_tie",
            "the first text is cut if both are equally long",
            LONGER,
            "if kept_first >= kept_second:",
        ),
        mistake(
            "pair_cuts_from_the_start",
            "texts are cut from their start",
            PACKED,
            "packed = torch.cat(\n"
            "        [cls, first[len(first) - kept_first :], sep, second[len(second) - kept_second :], sep]\n    )",
        ),
        mistake(
            "pair_cuts_both_to_halves",
            "each text is cut to half of the room, also where the other one leaves more",
            "        if kept_first > kept_second:\n            kept_first -= 1\n"
            "        else:\n            kept_second -= 1\n",
            "        half = (length - 3) // 2\n"
            "        kept_first, kept_second = min(kept_first, half), min(kept_second, length - 3 - half)\n",
        ),
        mistake(
            "pair_cuts_one_too_many",
            "one token too many is cut: there is room for it",
            "while kept_first + kept_second > length - 3:",
            "while kept_first + kept_second > max(length - 4, 0):",
        ),
        mistake(
            "pair_drops_an_empty_text",
            "an empty text has no `[SEP]`",
            PACKED,
            "packed = torch.cat([cls, first[:kept_first], sep, second[:kept_second], sep])\n"
            "    if not len(second):\n"
            "        packed = packed[:-1]",
        ),
        mistake(
            "pair_accepts_any_length",
            "a length below 3 raises no ValueError",
            "if length < 3:",
            "if length < -3:",
            "> length - 3:",
            "> max(length - 3, 0):",
        ),
        mistake(
            "pair_refuses_a_length_of_three",
            "a length of 3 is refused",
            "if length < 3:",
            "if length < 4:",
        ),
        mistake(
            "pair_on_the_cpu",
            ON_THE_CPU,
            "cls, sep = first.new_tensor([cls_id]), first.new_tensor([sep_id])",
            'cls, sep = (torch.tensor([number], device="cpu") for number in (cls_id, sep_id))',
        ),
        mistake(
            "pair_changes_the_text",
            "a text is changed in place",
            "mask = torch.arange(length, device=first.device) < len(packed)",
            "mask = torch.arange(length, device=first.device) < len(packed)\n    first.fill_(pad_id)",
        ),
    ),
    "sentence_pairs": (
        mistake(
            "pairs_are_always_true",
            "every pair is of neighbours",
            COIN,
            "if draw(2) >= 0:",
        ),
        mistake("pairs_are_mostly_false", "only a third of the pairs is of neighbours", COIN, "if draw(3) == 0:"),
        mistake(
            "pairs_labels_inverted",
            "the label is 0 for neighbours and 1 for strangers",
            "pairs.append((first, following, 1))",
            "pairs.append((first, following, 0))",
            STRANGER,
            STRANGER.replace("0))", "1))"),
        ),
        mistake(
            "pairs_draw_from_all_documents",
            "the stranger can be from the same document",
            OTHERS,
            "others = documents",
        ),
        mistake(
            "pairs_draw_from_the_same_document",
            "the stranger is a random sentence of the same document",
            STRANGER,
            "pairs.append((first, document[draw(len(document))], 0))",
        ),
        mistake(
            "pairs_backwards",
            "the second sentence is the one before the first",
            "pairs.append((first, following, 1))",
            "pairs.append((following, first, 1))",
        ),
        mistake(
            "pairs_skip_a_sentence",
            "the second sentence is not the next but the one after it",
            "for first, following in pairwise(document):",
            "for first, following in zip(document, document[2:], strict=False):",
        ),
        mistake(
            "pairs_of_the_first_document",
            "only the first document is read",
            "    return pairs\n    ### END",
            "        break\n    return pairs\n    ### END",
        ),
        mistake(
            "pairs_of_the_beginnings",
            "only the first sentences of each document are read",
            "for first, following in pairwise(document):",
            "for first, following in pairwise(document[:12]):",
        ),
        mistake(
            "pairs_draw_the_first_sentence",
            "the stranger is always the first sentence of the other document",
            STRANGER,
            "pairs.append((first, other[0], 0))",
        ),
        mistake(
            "pairs_never_draw_the_last_sentence",
            "the last sentence of a document is never a stranger",
            STRANGER,
            "pairs.append((first, other[draw(max(1, len(other) - 1))], 0))",
        ),
        mistake(
            "pairs_draw_the_next_document",
            "the stranger is always from the next document",
            "other = others[draw(len(others))]",
            "other = documents[(number + 1) % len(documents)]",
        ),
        mistake(
            "pairs_ignore_the_generator",
            "the draws come from the global generator",
            "return int(torch.randint(count, (), generator=generator))",
            "return int(torch.randint(count, ()))",
        ),
        mistake(
            "pairs_seed_their_own_generator",
            "without a generator, a new one with the same seed is used in each call",
            "    def draw(count: int) -> int:",
            "    generator = generator or torch.Generator()\n\n    def draw(count: int) -> int:",
        ),
        mistake(
            "pairs_accept_one_document",
            "a single document raises no ValueError",
            "if len(documents) < 2:",
            "if False:",
            OTHERS,
            "others = documents[:number] + documents[number + 1 :] or documents",
        ),
        mistake(
            "pairs_change_the_documents",
            "the documents are emptied while they are read",
            "    return pairs\n    ### END",
            "    for document in documents:\n        document.pop()\n    return pairs\n    ### END",
        ),
    ),
    "BertEmbeddings": (
        mistake(
            "embeddings_without_segments",
            "the segment embedding is not added",
            SUM,
            "x = self.token(tokens) + self.position(positions) + 0 * self.segment(segments)",
        ),
        mistake(
            "embeddings_without_positions",
            "the position embedding is not added",
            SUM,
            "x = self.token(tokens) + 0 * self.position(positions) + self.segment(segments)",
        ),
        mistake(
            "embeddings_positions_by_segment",
            "positions are looked up by the segment",
            SUM,
            "x = self.token(tokens) + self.position(segments) + self.segment(segments)",
        ),
        mistake(
            "embeddings_positions_from_one",
            "positions begin at 1",
            "positions = torch.arange(tokens.shape[1], device=tokens.device)",
            "positions = (torch.arange(tokens.shape[1], device=tokens.device) + 1) % len(self.position.weight)",
        ),
        mistake(
            "embeddings_scaled",
            "the token embedding is multiplied by √d_model",
            SUM,
            "x = self.token(tokens) * self.token.weight.shape[1] ** 0.5 + self.position(positions) "
            "+ self.segment(segments)",
        ),
        mistake(
            "embeddings_not_normalised",
            "the sum is not normalised",
            "return self.dropout(self.norm(x))",
            "return self.dropout(x + 0 * self.norm(x))",
        ),
        mistake(
            "embeddings_normalise_the_token_only",
            "the token embedding is normalised, not the sum",
            "return self.dropout(self.norm(x))",
            "return self.dropout(x - self.token(tokens) + self.norm(self.token(tokens)))",
        ),
        mistake(
            "embeddings_last_segment_by_default",
            "without segments, all tokens are in segment 1",
            "torch.zeros_like(tokens) if segments",
            "torch.ones_like(tokens) if segments",
        ),
        mistake(
            "embeddings_no_segment_by_default",
            "without segments, no segment embedding is added",
            SUM,
            "x = self.token(tokens) + self.position(positions)\n"
            "        x = x if without else x + self.segment(segments)",
            "segments = torch.zeros_like(tokens) if",
            "without = segments is None\n        segments = torch.zeros_like(tokens) if",
        ),
        mistake(
            "embeddings_one_segment_too_few",
            "there are always two segments, whatever `num_segments` is",
            "nn.Embedding(config.num_segments, config.d_model)",
            "nn.Embedding(2, config.d_model)",
        ),
        mistake(
            "embeddings_never_drop",
            "no dropout acts on the embeddings",
            "return self.dropout(self.norm(x))",
            "return self.norm(x)",
        ),
        mistake(
            "embeddings_always_drop",
            "dropout acts in eval mode too",
            "return self.dropout(self.norm(x))",
            "return functional.dropout(self.norm(x), self.dropout.p, training=True)",
        ),
        mistake(
            "embeddings_positions_on_the_cpu",
            ON_THE_CPU,
            "positions = torch.arange(tokens.shape[1], device=tokens.device)",
            'positions = torch.arange(tokens.shape[1], device="cpu")',
        ),
        mistake(
            "embeddings_return_float32",
            "the result is always float32",
            "return self.dropout(self.norm(x))",
            "return self.dropout(self.norm(x)).float()",
        ),
        mistake(
            "embeddings_positions_detached",
            "the position embedding is detached and does not learn",
            "self.position(positions) +",
            "self.position(positions).detach() +",
        ),
    ),
    "Bert": (
        mistake(
            "bert_pre_norm",
            "the blocks are pre-norm",
            "config.dropout, norm_first=False",
            "config.dropout, norm_first=True",
        ),
        mistake(
            "bert_is_causal",
            "a causal mask hides later tokens",
            READABLE,
            "causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()\n"
            "        readable = causal if mask is None else causal & mask[:, None, :]",
        ),
        mistake(
            "bert_drops_the_mask",
            "the mask does not reach the blocks",
            READABLE,
            "readable = None",
        ),
        mistake(
            "bert_masks_the_first_block_only",
            "only the first block gets the mask",
            BLOCK,
            "x = block(x, mask=readable)\n            readable = None",
        ),
        mistake("bert_mask_inverted", "the mask is inverted", READABLE, READABLE.replace("else mask", "else ~mask")),
        mistake(
            "bert_masks_queries",
            "the mask is on the query axis, not on the key axis",
            READABLE,
            READABLE.replace("[:, None, :]", "[:, :, None]"),
        ),
        mistake(
            "bert_masks_token_zero",
            "without a mask, token 0 counts as padding",
            READABLE,
            "readable = (tokens != 0 if mask is None else mask)[:, None, :]",
        ),
        mistake(
            "bert_drops_the_segments",
            "the segments do not reach the embeddings",
            "x = self.embeddings(tokens, segments)",
            "x = self.embeddings(tokens)",
        ),
        mistake("bert_pools_the_last", "the last position is pooled, not the first", "x[:, 0]", "x[:, -1]"),
        mistake("bert_pools_the_mean", "the mean of all positions is pooled", "x[:, 0]", "x.mean(dim=1)"),
        mistake("bert_pools_without_tanh", "the pooled state has no tanh", POOLED, "return x, self.pooler(x[:, 0])"),
        mistake(
            "bert_returns_the_first_only",
            "the pooled state is the hidden state of the first position, without the pooler",
            POOLED,
            "return x, x[:, 0] + 0 * self.pooler(x[:, 0])",
        ),
        mistake(
            "bert_skips_a_block",
            "the last block is left out",
            "for block in self.blocks:",
            "for block in self.blocks[:-1]:",
        ),
        mistake(
            "bert_with_a_last_norm",
            "there is one more norm after the blocks",
            "self.pooler = nn.Linear(config.d_model, config.d_model)",
            "self.pooler = nn.Linear(config.d_model, config.d_model)\n        self.norm = LayerNorm(config.d_model)",
        ),
        mistake(
            "bert_shares_its_blocks",
            "all blocks are the same block",
            "EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout, norm_first=False)\n"
            "            for _ in range(config.num_blocks)\n",
            "[EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout, norm_first=False)]\n"
            "            * config.num_blocks\n",
        ),
        mistake(
            "bert_blocks_never_drop",
            "the blocks apply no dropout",
            "config.d_hidden, config.dropout, norm_first=False",
            "config.d_hidden, 0.0, norm_first=False",
        ),
        mistake(
            "bert_pools_detached",
            "the pooled state is detached: nothing behind the pooler learns from it",
            "x[:, 0]",
            "x[:, 0].detach()",
        ),
        mistake("bert_returns_float32", "the results are always float32", POOLED, POOLED.replace("x,", "x.float(),")),
        mistake(
            "bert_mask_on_the_cpu",
            ON_THE_CPU,
            READABLE,
            'readable = torch.ones(x.shape[:2], dtype=torch.bool, device="cpu")[:, None, :]\n'
            "        readable = readable if mask is None else mask[:, None, :] & readable",
        ),
    ),
    "MaskedLanguageHead": (
        mistake(
            "head_has_a_matrix_of_its_own",
            "the output matrix is a parameter of the head, not the embedding's weight",
            TIED,
            "self.tied = (nn.Linear(d_model, vocab_size, bias=False),)\n"
            "        self.decoder = self.tied[0]\n"
            "        self.decoder.weight.data.copy_(embedding.weight)",
        ),
        mistake(
            "head_copies_the_embedding",
            "the output matrix is a copy of the embedding's weight",
            TIED,
            "self.tied = (copy.deepcopy(embedding),)",
            "from dataclasses import dataclass",
            "import copy\nfrom dataclasses import dataclass",
        ),
        mistake(
            "head_detaches_the_embedding",
            "the output matrix is detached, so the embedding does not learn from the head",
            "self.tied[0].weight, self.bias)",
            "self.tied[0].weight.detach(), self.bias)",
        ),
        mistake(
            "head_without_the_transform",
            "the hidden states are multiplied by the embedding at once",
            HEAD,
            "return functional.linear(hidden, self.tied[0].weight, self.bias)",
        ),
        mistake(
            "head_without_gelu",
            "there is no GELU",
            "self.norm(gelu(self.dense(hidden)))",
            "self.norm(self.dense(hidden))",
        ),
        mistake(
            "head_approximates_gelu",
            "the GELU is the tanh approximation",
            "gelu(self.dense(hidden))",
            'gelu(self.dense(hidden), approximate="tanh")',
        ),
        mistake(
            "head_normalises_first",
            "the norm comes before the GELU",
            "self.norm(gelu(self.dense(hidden)))",
            "gelu(self.norm(self.dense(hidden)))",
        ),
        mistake(
            "head_without_the_norm",
            "there is no norm",
            "self.norm(gelu(self.dense(hidden)))",
            "gelu(self.dense(hidden))",
        ),
        mistake(
            "head_without_the_bias",
            "the bias is not added",
            "self.tied[0].weight, self.bias)",
            "self.tied[0].weight)",
        ),
        mistake(
            "head_bias_is_a_buffer",
            "the bias is not a parameter and does not learn",
            "self.bias = nn.Parameter(torch.zeros(vocab_size))",
            'self.register_buffer("bias", torch.zeros(vocab_size))',
        ),
        mistake(
            "head_bias_is_one_number",
            "the bias is one number for all tokens",
            "self.bias = nn.Parameter(torch.zeros(vocab_size))",
            "self.bias = nn.Parameter(torch.zeros(1))",
        ),
        mistake("head_returns_probabilities", "a softmax is applied to the logits", HEAD, HEAD + ".softmax(dim=-1)"),
        mistake("head_returns_float32", "the logits are always float32", HEAD, HEAD + ".float()"),
    ),
    "masked_language_loss": (
        mistake(
            "loss_over_all_positions",
            "positions that were not chosen count as token 0",
            LOSSES,
            "losses = functional.cross_entropy(\n"
            '        logits.flatten(0, -2), labels.flatten().clamp(min=0), reduction="sum"\n'
            "    )",
            MEAN,
            "return losses / labels.numel()",
        ),
        mistake(
            "loss_divides_by_all",
            "the sum over the chosen tokens is divided by the number of all positions",
            MEAN,
            "return losses / labels.numel()",
        ),
        mistake("loss_is_a_sum", "the loss is a sum, not a mean", MEAN, "return losses"),
        mistake(
            "loss_is_a_mean_of_rows",
            "the loss is a mean of the means of the sequences",
            MEAN,
            "counts = (labels != IGNORE_INDEX).sum(dim=-1)\n"
            "    rows = [\n"
            "        functional.cross_entropy(row, of_row)\n"
            "        for row, of_row, count in zip(logits, labels, counts, strict=True)\n"
            "        if count\n"
            "    ]\n"
            "    return torch.stack(rows).mean() if rows else losses",
        ),
        mistake(
            "loss_of_nothing_is_nan",
            "the sum is divided by 0 when no token was chosen",
            "sum().clamp(min=1)",
            "sum()",
        ),
        mistake(
            "loss_takes_the_log_of_a_softmax",
            "the logarithm is taken of softmax probabilities, which underflow to 0 for large logits",
            "functional.cross_entropy(\n        logits.flatten(0, -2),",
            "functional.nll_loss(\n        logits.softmax(dim=-1).log().flatten(0, -2),",
        ),
        mistake(
            "loss_of_probabilities",
            "the logits are passed through a softmax before the loss applies its own",
            "logits.flatten(0, -2), labels",
            "logits.softmax(dim=-1).flatten(0, -2), labels",
        ),
        mistake(
            "loss_detached",
            "the logits are detached from the graph",
            "logits.flatten(0, -2), labels",
            "logits.detach().requires_grad_().flatten(0, -2), labels",
        ),
        mistake(
            "loss_in_float32",
            "the loss is always float32",
            MEAN,
            "return (losses / (labels != IGNORE_INDEX).sum().clamp(min=1)).float()",
        ),
        mistake(
            "loss_changes_the_labels",
            "the labels are changed in place",
            MEAN,
            "count = (labels != IGNORE_INDEX).sum().clamp(min=1)\n"
            "    labels[labels == IGNORE_INDEX] = 0\n"
            "    return losses / count",
        ),
        mistake(
            "loss_counts_on_the_cpu",
            ON_THE_CPU,
            MEAN,
            'return losses * torch.ones(1, device="cpu").expand(2)[:1].sum(dim=0, keepdim=True)[0] / '
            "(labels != IGNORE_INDEX).sum().clamp(min=1)",
        ),
    ),
    "fill_mask": (
        mistake(
            "filling_gives_the_least_likely",
            "the least likely tokens are returned",
            ".topk(k)",
            ".topk(k, largest=False)",
        ),
        mistake(
            "filling_in_reverse_order",
            "the masks are in reverse order",
            FILLED,
            "return ids.flip(0), probabilities.flip(0)",
        ),
        mistake(
            "filling_likeliest_last",
            "the most likely token is the last",
            FILLED,
            "return ids.flip(1), probabilities.flip(1)",
        ),
        mistake(
            "filling_softmax_over_k",
            "the softmax is taken over the k best logits",
            TOP,
            "best, ids = logits.topk(k)\n    probabilities = best.softmax(dim=-1)",
        ),
        mistake(
            "filling_gives_logits", "logits are returned, not probabilities", TOP, "probabilities, ids = logits.topk(k)"
        ),
        mistake(
            "filling_gives_log_probabilities",
            "logarithms of probabilities are returned",
            "softmax(dim=-1)",
            "log_softmax(dim=-1)",
        ),
        mistake(
            "filling_softmax_over_masks",
            "the softmax is taken over the masks",
            "logits.softmax(dim=-1)",
            "logits.softmax(dim=0)",
        ),
        mistake(
            "filling_reads_the_next_position",
            "the logits are those of the position before the mask, as in a GPT",
            AT_MASKS,
            "logits = head(hidden)[0].roll(1, 0)[tokens == mask_id]",
        ),
        mistake(
            "filling_fills_the_first_mask_only",
            "only the first mask is filled",
            FILLED,
            "return ids[:1], probabilities[:1]",
        ),
        mistake(
            "filling_hides_the_masks",
            "the model may not read the hidden positions",
            "hidden, _ = bert(tokens.unsqueeze(0))",
            "hidden, _ = bert(tokens.unsqueeze(0), mask=(tokens != mask_id).unsqueeze(0))",
        ),
        mistake(
            "filling_reads_the_second_segment",
            "the sequence is read as a second segment",
            "hidden, _ = bert(tokens.unsqueeze(0))",
            "hidden, _ = bert(tokens.unsqueeze(0), torch.ones_like(tokens.unsqueeze(0)))",
        ),
        mistake(
            "filling_swaps_its_results",
            "probabilities are returned first, then the ids",
            FILLED,
            "return probabilities, ids",
        ),
        mistake("filling_returns_int32", "the ids are int32", FILLED, "return ids.int(), probabilities"),
        mistake(
            "filling_returns_float32",
            "the probabilities are always float32",
            FILLED,
            "return ids, probabilities.float()",
        ),
        mistake(
            "filling_changes_the_tokens",
            "the predictions are written into the tokens",
            FILLED,
            "tokens[tokens == mask_id] = ids[:, 0]\n    return ids, probabilities",
        ),
    ),
    "SequenceClassifier": (
        mistake(
            "classifier_reads_the_hidden_state",
            "the hidden state of the first position is classified, not the pooled state",
            CLASSIFIED,
            "pooled = self.bert(tokens, segments, mask)[0][:, 0]\n",
        ),
        mistake(
            "classifier_reads_all_positions",
            "every position is classified, not the sequence",
            CLASSIFIED,
            "pooled, _ = self.bert(tokens, segments, mask)\n",
        ),
        mistake(
            "classifier_drops_the_mask",
            "the mask does not reach the model",
            CLASSIFIED,
            "_, pooled = self.bert(tokens, segments)\n",
        ),
        mistake(
            "classifier_drops_the_segments",
            "the segments do not reach the model",
            CLASSIFIED,
            "_, pooled = self.bert(tokens, mask=mask)\n",
        ),
        mistake(
            "classifier_freezes_the_model",
            "the model is frozen: only the output projection learns",
            LOGITS,
            "return self.output_proj(pooled.detach())",
        ),
        mistake(
            "classifier_copies_the_model",
            "the classifier learns in a copy of the model",
            "self.bert = bert\n",
            "self.bert = copy.deepcopy(bert)\n",
            "from dataclasses import dataclass",
            "import copy\nfrom dataclasses import dataclass",
        ),
        mistake(
            "classifier_starts_from_nothing",
            "the model's weights are drawn anew, so that nothing is left of the pre-training",
            "self.bert = bert\n",
            "self.bert = bert\n"
            "        for module in bert.modules():\n"
            '            if hasattr(module, "reset_parameters"):\n'
            "                module.reset_parameters()\n",
        ),
        mistake(
            "classifier_returns_probabilities",
            "a softmax is applied to the logits",
            LOGITS,
            "return self.output_proj(pooled).softmax(dim=-1)",
        ),
        mistake(
            "classifier_without_bias",
            "the output projection has no bias",
            "nn.Linear(bert.pooler.out_features, num_classes)",
            "nn.Linear(bert.pooler.out_features, num_classes, bias=False)",
        ),
        mistake(
            "classifier_returns_float32",
            "the logits are always float32",
            LOGITS,
            "return self.output_proj(pooled).float()",
        ),
    ),
}
