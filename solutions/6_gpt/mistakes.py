"""Named mistakes of stage 6, as students make them."""

from autograder.course.mistakes import Mistake

# Checks that fall together, since one function is built on another, or one line is behind them all.
LOSS = frozenset(
    {
        "test_loss_is_stable",
        "test_loss_is_the_mean_surprise",
        "test_loss_leaves_ignored_targets_out",
        "test_loss_passes_gradients",
        "test_loss_takes_any_leading_axes",
    }
)
STEPS = frozenset(
    {
        "test_train_step_accumulates",
        "test_train_step_forgets_old_gradients",
        "test_train_step_takes_one_step",
        "test_train_step_weighs_by_counted_targets",
    }
)
EXAMS = frozenset({"test_evaluation_drops_nothing", "test_evaluation_is_the_mean_over_counted_targets"})
PEEKED = frozenset(
    {
        "test_gpt_gives_the_logits",
        "test_gpt_goes_on_in_pieces",
        "test_gpt_goes_on_token_by_token",
        "test_gpt_sees_nothing_later",
    }
)
ADAM = frozenset(
    {
        "test_adamw_adds_eps_to_the_root",
        "test_adamw_decays_apart_from_the_gradient",
        "test_adamw_goes_on_as_pytorchs",
        "test_adamw_has_pytorchs_defaults",
        "test_adamw_passes_over_missing_gradients",
        "test_adamw_reads_its_groups",
    }
)
DECAY = frozenset(
    {
        "test_adamw_decays_apart_from_the_gradient",
        "test_adamw_has_pytorchs_defaults",
        "test_adamw_passes_over_missing_gradients",
        "test_adamw_reads_its_groups",
    }
)
CLIPPED = frozenset(
    {
        "test_clipping_has_room_for_zero",
        "test_clipping_passes_over_missing_gradients",
        "test_clipping_reads_its_parameters_once",
        "test_clipping_shortens_all_by_one_factor",
        "test_train_step_clips_once",
    }
)
TOP_K = frozenset(
    {
        "test_probabilities_filter_in_order",
        "test_probabilities_keep_the_top_k",
        "test_probabilities_keep_ties_with_the_kth",
        "test_probabilities_take_any_leading_axes",
    }
)
TOP_P = frozenset(
    {"test_probabilities_filter_in_order", "test_probabilities_reach_top_p", "test_probabilities_take_any_leading_axes"}
)
WRITTEN = frozenset(
    {
        "test_generate_crops_to_the_context",
        "test_generate_draws_by_the_probabilities",
        "test_generate_draws_from_the_generator",
        "test_generate_drops_nothing",
        "test_generate_hands_on_its_filters",
        "test_generate_is_the_same_with_a_cache",
        "test_generate_returns_prompt_and_new_tokens",
        "test_generate_writes_the_likeliest",
    }
)
MERGED = frozenset(
    {
        "test_bpe_encodes_in_the_order_of_learning",
        "test_bpe_merges_the_most_frequent_pair",
        "test_bpe_takes_text_as_its_utf8",
    }
)

MISTAKES = (
    # cross_entropy
    Mistake(
        id="loss_divides_by_all_targets",
        exercise="cross_entropy",
        says="the loss is divided by the number of all targets, ignored ones included",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                "    return losses.masked_fill(~counted, 0.0).mean()\n",
            ),
        ),
        fails=frozenset(
            {
                "test_evaluation_is_the_mean_over_counted_targets",
                "test_loss_leaves_ignored_targets_out",
                "test_loss_passes_gradients",
                "test_train_step_returns_the_loss",
                "test_train_step_weighs_by_counted_targets",
            }
        ),
    ),
    Mistake(
        id="loss_counts_ignored_targets",
        exercise="cross_entropy",
        says="ignored targets count as if class 0 were theirs",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                "    return losses.mean()\n",
            ),
        ),
        fails=frozenset(
            {
                "test_evaluation_is_the_mean_over_counted_targets",
                "test_loss_leaves_ignored_targets_out",
                "test_loss_of_nothing_is_zero",
                "test_loss_passes_gradients",
                "test_train_step_returns_the_loss",
                "test_train_step_weighs_by_counted_targets",
            }
        ),
    ),
    Mistake(
        id="loss_is_a_sum",
        exercise="cross_entropy",
        says="the losses are added up and not divided by how many there are",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                "    return losses.masked_fill(~counted, 0.0).sum()\n",
            ),
        ),
        fails=LOSS | STEPS | EXAMS | {"test_train_step_returns_the_loss"},
    ),
    Mistake(
        id="loss_ignores_minus_100_alone",
        exercise="cross_entropy",
        says="-100 is ignored whatever `ignore_index` is",
        replace=(
            (
                "    counted = targets != ignore_index  # (…)\n",
                "    counted = targets != -100\n    targets = targets.clamp(min=0)\n",
            ),
        ),
        fails=frozenset({"test_loss_leaves_ignored_targets_out"}),
    ),
    Mistake(
        id="loss_of_nothing_is_nan",
        exercise="cross_entropy",
        says="the sum is divided by zero where no target counts",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum()\n",
            ),
        ),
        fails=frozenset({"test_evaluation_of_nothing_is_zero", "test_loss_of_nothing_is_zero"}),
    ),
    Mistake(
        id="loss_of_nothing_has_no_graph",
        exercise="cross_entropy",
        says="a plain 0.0 comes back where no target counts, which has no graph",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                ("    return losses[counted].mean() if counted.any() else torch.zeros((), dtype=logits.dtype)\n"),
            ),
        ),
        fails=frozenset({"test_loss_of_nothing_is_zero", "test_train_step_weighs_by_counted_targets"}),
    ),
    Mistake(
        id="loss_takes_the_log_of_a_softmax",
        exercise="cross_entropy",
        says="the logarithm is taken of a softmax, which holds zeros where logits are large",
        replace=(
            (
                "    log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)\n",
                "    log_probabilities = logits.softmax(dim=-1).log()\n",
            ),
        ),
        fails=frozenset({"test_loss_is_stable"}),
    ),
    Mistake(
        id="loss_takes_axis_one",
        exercise="cross_entropy",
        says="the classes are expected in axis 1",
        replace=(
            (
                "    log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)\n",
                "    log_probabilities = logits.log_softmax(dim=1)\n",
            ),
        ),
        fails=LOSS | STEPS | EXAMS | {"test_train_step_clips_once", "test_train_step_returns_the_loss"},
    ),
    Mistake(
        id="loss_detached",
        exercise="cross_entropy",
        says="the log-probabilities are cut off from the gradient",
        replace=(
            (
                "    log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)\n",
                (
                    "    log_probabilities = torch.tensor(logits.detach().log_softmax(dim=-1).tolist(), "
                    "dtype=logits.dtype, device=logits.device)\n"
                ),
            ),
        ),
        fails=STEPS
        | {
            "test_loss_is_stable",
            "test_loss_of_nothing_is_zero",
            "test_loss_passes_gradients",
            "test_train_step_clips_once",
            "test_train_step_returns_the_loss",
        },
    ),
    Mistake(
        id="loss_in_float32",
        exercise="cross_entropy",
        says="the loss is computed in float32 and stays there",
        replace=(
            (
                "    log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)\n",
                "    log_probabilities = logits.float().log_softmax(dim=-1)\n",
            ),
        ),
        fails=frozenset({"test_loss_keeps_dtype_and_device"}),
    ),
    Mistake(
        id="loss_counts_on_the_cpu",
        exercise="cross_entropy",
        says="the loss makes a tensor on the CPU",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                (
                    "    return losses.masked_fill(~counted, 0.0).sum() / torch.max(counted.sum(), "
                    "torch.ones(1, dtype=torch.int64)).squeeze()\n"
                ),
            ),
        ),
        fails=frozenset({"test_loss_keeps_dtype_and_device"}),
    ),
    Mistake(
        id="loss_changes_the_targets",
        exercise="cross_entropy",
        says="the ignored targets are overwritten where the caller keeps them",
        replace=(
            (
                "    classes = targets.masked_fill(~counted, 0).unsqueeze(-1)",
                "    classes = targets.masked_fill_(~counted, 0).unsqueeze(-1)",
            ),
        ),
        fails=frozenset({"test_loss_leaves_its_inputs_alone"}),
    ),
    Mistake(
        id="loss_keeps_an_axis",
        exercise="cross_entropy",
        says="the loss keeps an axis of size 1",
        replace=(
            (
                "    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)\n",
                ("    return (losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)).reshape(1)\n"),
            ),
        ),
        fails=LOSS | {"test_loss_of_nothing_is_zero"},
    ),
    # sample_batch
    Mistake(
        id="batch_targets_are_the_inputs",
        exercise="sample_batch",
        says="the targets are the inputs themselves",
        replace=(("    return windows[:, :-1], windows[:, 1:]\n", "    return windows[:, :-1], windows[:, :-1]\n"),),
        fails=frozenset({"test_batch_targets_are_the_next_tokens"}),
    ),
    Mistake(
        id="batch_targets_are_ids_plus_one",
        exercise="sample_batch",
        says="the targets are the token ids plus one, not the tokens that come next",
        replace=(
            ("    return windows[:, :-1], windows[:, 1:]\n", "    return windows[:, :-1], windows[:, :-1] + 1\n"),
        ),
        fails=frozenset({"test_batch_targets_are_the_next_tokens"}),
    ),
    Mistake(
        id="batch_targets_come_before",
        exercise="sample_batch",
        says="inputs and targets are exchanged: the model is to tell the token before",
        replace=(("    return windows[:, :-1], windows[:, 1:]\n", "    return windows[:, 1:], windows[:, :-1]\n"),),
        fails=frozenset({"test_batch_starts_anywhere", "test_batch_targets_are_the_next_tokens"}),
    ),
    Mistake(
        id="batch_keeps_the_dtype",
        exercise="sample_batch",
        says="the batch keeps the dtype of the text",
        replace=(
            (
                (
                    "    windows = torch.stack([tokens[start : start + context_length + 1].long() for start "
                    "in starts])\n"
                ),
                ("    windows = torch.stack([tokens[start : start + context_length + 1] for start in starts])\n"),
            ),
        ),
        fails=frozenset({"test_batch_takes_any_integer_dtype"}),
    ),
    Mistake(
        id="batch_never_starts_last",
        exercise="sample_batch",
        says="the last place where a window may start is never drawn",
        replace=(
            (
                "    starts = torch.randint(places, (batch_size,)",
                "    starts = torch.randint(max(1, places - 1), (batch_size,)",
            ),
        ),
        fails=frozenset({"test_batch_starts_anywhere"}),
    ),
    Mistake(
        id="batch_starts_too_late",
        exercise="sample_batch",
        says="a window may start where no token comes after it",
        replace=(
            (
                (
                    "    starts = torch.randint(places, (batch_size,), generator=generator).tolist()\n"
                    "    windows = torch.stack([tokens[start : start + context_length + 1].long() for start "
                    "in starts])\n"
                ),
                (
                    "    starts = torch.randint(places + 1, (batch_size,), generator=generator)\n"
                    "    windows = tokens.long()[(starts[:, None] + torch.arange(context_length + 1)) % "
                    "len(tokens)]\n"
                ),
            ),
        ),
        fails=frozenset({"test_batch_starts_anywhere", "test_batch_targets_are_the_next_tokens"}),
        named=False,
    ),
    Mistake(
        id="batch_cuts_the_text_once",
        exercise="sample_batch",
        says="windows start at multiples of context_length only",
        replace=(
            (
                "    starts = torch.randint(places, (batch_size,), generator=generator).tolist()\n",
                "    pieces = (places - 1) // context_length + 1\n"
                "    starts = (torch.randint(pieces, (batch_size,), generator=generator) * context_length).tolist()\n",
            ),
        ),
        fails=frozenset({"test_batch_starts_anywhere"}),
        named=False,  # what is drawn instead is random
    ),
    Mistake(
        id="batch_in_order",
        exercise="sample_batch",
        says="the windows are taken in order, not drawn",
        replace=(
            (
                "    starts = torch.randint(places, (batch_size,), generator=generator).tolist()\n",
                "    starts = (torch.arange(batch_size) % places).tolist()\n",
            ),
        ),
        fails=frozenset({"test_batch_draws_from_the_generator", "test_batch_starts_anywhere"}),
    ),
    Mistake(
        id="batch_from_the_global_generator",
        exercise="sample_batch",
        says="the generator is not used: the draws come from the global one",
        replace=(("(batch_size,), generator=generator)", "(batch_size,))"),),
        fails=frozenset({"test_batch_draws_from_the_generator"}),
        named=False,
    ),
    Mistake(
        id="batch_accepts_a_short_text",
        exercise="sample_batch",
        says="a text that is too short by one is not refused",
        replace=(("    if places < 1:\n", "    if places < 0:\n"),),
        fails=frozenset({"test_batch_refuses_a_short_text"}),
    ),
    Mistake(
        id="batch_refuses_one_too_many",
        exercise="sample_batch",
        says="a text with just one window is refused",
        replace=(("    if places < 1:\n", "    if places < 2:\n"),),
        fails=frozenset({"test_batch_refuses_a_short_text"}),
    ),
    Mistake(
        id="batch_stays_on_the_cpu",
        exercise="sample_batch",
        says="the device is not used",
        replace=(("    windows = windows.to(device)  # (batch_size, context_length + 1)\n", ""),),
        fails=frozenset({"test_batch_goes_where_asked"}),
    ),
    # GPT
    Mistake(
        id="gpt_without_a_mask",
        exercise="GPT",
        says="the blocks get no causal mask",
        replace=(("            x = block(x, mask=mask, cache=cache)\n", "            x = block(x, cache=cache)\n"),),
        fails=PEEKED,
    ),
    Mistake(
        id="gpt_masks_the_first_block_alone",
        exercise="GPT",
        says="only the first block gets the causal mask",
        replace=(
            (
                "            x = block(x, mask=mask, cache=cache)\n",
                ("            x = block(x, mask=mask if block is self.blocks[0] else None, cache=cache)\n"),
            ),
        ),
        fails=PEEKED,
    ),
    Mistake(
        id="gpt_sees_one_too_far",
        exercise="GPT",
        says="a position sees the token that it is to predict",
        replace=(
            (
                (
                    "        mask = causal_mask(length, seen + length, device=tokens.device)  # (length, "
                    "seen + length)\n"
                ),
                (
                    "        mask = torch.ones(length, seen + length, dtype=torch.bool, "
                    "device=tokens.device).tril(seen + 1)\n"
                ),
            ),
        ),
        fails=PEEKED,
    ),
    Mistake(
        id="gpt_without_places",
        exercise="GPT",
        says="the places of the tokens are not added",
        replace=(
            (
                (
                    "        x = self.dropout(self.token_embedding(tokens) + "
                    "self.position_embedding(positions))  # (batch, length, d_model)\n"
                ),
                "        x = self.dropout(self.token_embedding(tokens))\n",
            ),
        ),
        fails=frozenset(
            {"test_gpt_adds_tokens_and_places", "test_gpt_gives_the_logits", "test_gpt_learns_all_its_parameters"}
        ),
    ),
    Mistake(
        id="gpt_scales_the_embedding",
        exercise="GPT",
        says="the token embedding is multiplied by √d_model, as in the Transformer of 2017",
        replace=(
            (
                "self.dropout(self.token_embedding(tokens) + ",
                "self.dropout(self.token_embedding(tokens) * math.sqrt(self.config.d_model) + ",
            ),
        ),
        fails=frozenset({"test_gpt_adds_tokens_and_places", "test_gpt_gives_the_logits"}),
    ),
    Mistake(
        id="gpt_without_the_last_norm",
        exercise="GPT",
        says="the last norm is missing",
        replace=(("functional.linear(self.norm(x),", "functional.linear(x,"),),
        fails=frozenset({"test_gpt_gives_the_logits", "test_gpt_learns_all_its_parameters"}),
    ),
    Mistake(
        id="gpt_gives_probabilities",
        exercise="GPT",
        says="probabilities come back, not logits",
        replace=(
            (
                (
                    "        return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, "
                    "length, vocab_size)\n"
                ),
                (
                    "        return functional.linear(self.norm(x), "
                    "self.token_embedding.weight).softmax(dim=-1)  # (batch, length, vocab_size)\n"
                ),
            ),
        ),
        fails=frozenset({"test_gpt_gives_the_logits"}),
    ),
    Mistake(
        id="gpt_has_a_head_of_its_own",
        exercise="GPT",
        says="the logits come from a matrix of their own, not from the token embedding",
        replace=(
            (
                "        self.dropout = nn.Dropout(config.dropout)\n",
                (
                    "        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)\n"
                    "        self.dropout = nn.Dropout(config.dropout)\n"
                ),
            ),
            (
                (
                    "        return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, "
                    "length, vocab_size)\n"
                ),
                "        return self.head(self.norm(x))\n",
            ),
        ),
        fails=frozenset({"test_gpt_gives_the_logits", "test_gpt_has_the_modules_listed"}),
    ),
    Mistake(
        id="gpt_keeps_its_weight_twice",
        exercise="GPT",
        says="the token embedding's weight is kept a second time, under another name",
        replace=(
            (
                "        self.dropout = nn.Dropout(config.dropout)\n",
                (
                    "        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)\n"
                    "        self.head.weight = self.token_embedding.weight\n"
                    "        self.dropout = nn.Dropout(config.dropout)\n"
                ),
            ),
        ),
        fails=frozenset({"test_gpt_has_the_modules_listed"}),
    ),
    Mistake(
        id="gpt_detaches_its_output",
        exercise="GPT",
        says="the token embedding does not learn as an output: its weight is detached there",
        replace=(
            (
                "functional.linear(self.norm(x), self.token_embedding.weight)",
                "functional.linear(self.norm(x), self.token_embedding.weight.detach())",
            ),
        ),
        fails=frozenset({"test_gpt_learns_all_its_parameters"}),
    ),
    Mistake(
        id="gpt_blocks_in_a_plain_list",
        exercise="GPT",
        says="the blocks are in a plain list, where PyTorch does not see them",
        replace=(("        self.blocks = nn.ModuleList(\n", "        self.blocks = list(\n"),),
        fails=WRITTEN
        | PEEKED
        | {
            "test_generate_leaves_the_mode_as_it_was",
            "test_gpt_counts_what_the_caches_hold",
            "test_gpt_drops_in_all_its_places",
            "test_gpt_has_the_modules_listed",
            "test_gpt_keeps_dtype_and_device",
            "test_gpt_learns_all_its_parameters",
            "test_gpt_refuses_what_is_too_long",
            "test_gpt_starts_its_output_projections_smaller",
            "test_gpt_starts_with_small_matrices",
            "test_gpt_starts_without_biases",
        },
    ),
    Mistake(
        id="gpt_ignores_the_caches",
        exercise="GPT",
        says="the caches are not handed to the blocks",
        replace=(
            (
                "            x = block(x, mask=mask, cache=cache)\n",
                "            x = block(x, mask=mask[:, -length:], cache=None)\n",
            ),
        ),
        fails=frozenset(
            {"test_gpt_counts_what_the_caches_hold", "test_gpt_goes_on_in_pieces", "test_gpt_goes_on_token_by_token"}
        ),
    ),
    Mistake(
        id="gpt_starts_places_anew",
        exercise="GPT",
        says="with caches, the new tokens' places begin at 0 again",
        replace=(
            (
                "        positions = torch.arange(seen, seen + length, device=tokens.device)\n",
                "        positions = torch.arange(length, device=tokens.device)\n",
            ),
        ),
        fails=frozenset(
            {"test_generate_is_the_same_with_a_cache", "test_gpt_goes_on_in_pieces", "test_gpt_goes_on_token_by_token"}
        ),
    ),
    Mistake(
        id="gpt_masks_new_tokens_alone",
        exercise="GPT",
        says="with caches, the mask spans the new tokens alone",
        replace=(
            (
                (
                    "        mask = causal_mask(length, seen + length, device=tokens.device)  # (length, "
                    "seen + length)\n"
                ),
                "        mask = causal_mask(length, device=tokens.device) if length > 1 else None\n",
            ),
        ),
        fails=frozenset({"test_gpt_counts_what_the_caches_hold", "test_gpt_goes_on_in_pieces"}),
    ),
    Mistake(
        id="gpt_lets_pieces_see_all",
        exercise="GPT",
        says="with caches, all new tokens see each other, later ones too",
        replace=(
            (
                (
                    "        mask = causal_mask(length, seen + length, device=tokens.device)  # (length, "
                    "seen + length)\n"
                ),
                ("        mask = causal_mask(length, seen + length, device=tokens.device) if seen == 0 else None\n"),
            ),
        ),
        fails=frozenset({"test_gpt_goes_on_in_pieces"}),
    ),
    Mistake(
        id="gpt_takes_any_length",
        exercise="GPT",
        says="too many tokens are not refused; the embedding of places raises an IndexError",
        replace=(
            (
                (
                    "        if seen + length > self.config.context_length:\n"
                    '            raise ValueError(f"{seen + length} tokens, but the context has '
                    '{self.config.context_length}")\n'
                ),
                "",
            ),
        ),
        fails=frozenset({"test_gpt_counts_what_the_caches_hold", "test_gpt_refuses_what_is_too_long"}),
    ),
    Mistake(
        id="gpt_refuses_a_full_context",
        exercise="GPT",
        says="as many tokens as the context has are refused",
        replace=(("        if seen + length > self", "        if seen + length >= self"),),
        fails=frozenset(
            {
                "test_generate_crops_to_the_context",
                "test_generate_draws_from_the_generator",
                "test_generate_is_the_same_with_a_cache",
                "test_generate_returns_prompt_and_new_tokens",
                "test_gpt_counts_what_the_caches_hold",
                "test_gpt_refuses_what_is_too_long",
            }
        ),
    ),
    Mistake(
        id="gpt_forgets_the_cache_in_the_limit",
        exercise="GPT",
        says="only the new tokens are counted against the context",
        replace=(
            ("        if seen + length > self", "        if length > self"),
            (
                "        positions = torch.arange(seen, seen + length, device=tokens.device)\n",
                (
                    "        positions = torch.arange(seen, seen + length, "
                    "device=tokens.device).clamp(max=self.config.context_length - 1)\n"
                ),
            ),
        ),
        fails=frozenset({"test_gpt_counts_what_the_caches_hold"}),
    ),
    Mistake(
        id="gpt_starts_as_pytorch_does",
        exercise="GPT",
        says="the parameters start as PyTorch draws them",
        replace=(("        for name, parameter in self.named_parameters():", "        for name, parameter in []:"),),
        fails=frozenset(
            {
                "test_gpt_starts_its_output_projections_smaller",
                "test_gpt_starts_with_small_matrices",
                "test_gpt_starts_without_biases",
            }
        ),
        named=False,
    ),
    Mistake(
        id="gpt_starts_embeddings_large",
        exercise="GPT",
        says="the embeddings start with the spread 1 of `nn.Embedding`",
        replace=(
            (
                "            elif parameter.ndim == 2:\n",
                '            elif parameter.ndim == 2 and "embedding" not in name:\n',
            ),
        ),
        fails=frozenset({"test_gpt_starts_with_small_matrices"}),
        named=False,
    ),
    Mistake(
        id="gpt_starts_output_projections_like_others",
        exercise="GPT",
        says="the output projections start with the spread of the others",
        replace=(("std=config.init_std / math.sqrt(2 * config.num_blocks))", "std=config.init_std)"),),
        fails=frozenset({"test_gpt_starts_its_output_projections_smaller"}),
        named=False,
    ),
    Mistake(
        id="gpt_divides_by_root_of_blocks",
        exercise="GPT",
        says="the output projections start with init_std / √num_blocks: each block adds twice",
        replace=(("math.sqrt(2 * config.num_blocks)", "math.sqrt(config.num_blocks)"),),
        fails=frozenset({"test_gpt_starts_its_output_projections_smaller"}),
        named=False,
    ),
    Mistake(
        id="gpt_starts_attention_projections_alone",
        exercise="GPT",
        says="of the output projections only those of the attention start smaller",
        replace=(('name.endswith("output_proj.weight")', 'name.endswith("attention.output_proj.weight")'),),
        fails=frozenset({"test_gpt_starts_its_output_projections_smaller"}),
        named=False,
    ),
    Mistake(
        id="gpt_starts_with_biases",
        exercise="GPT",
        says="the biases start as PyTorch draws them, not at 0",
        replace=(('            elif name.endswith("bias"):\n                nn.init.zeros_(parameter)\n', ""),),
        fails=frozenset({"test_gpt_starts_without_biases"}),
        named=False,
    ),
    Mistake(
        id="gpt_drops_no_embedding",
        exercise="GPT",
        says="dropout does not act on the embeddings",
        replace=(
            (
                ("        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))"),
                "        x = self.token_embedding(tokens) + self.position_embedding(positions)",
            ),
        ),
        fails=frozenset({"test_gpt_drops_in_all_its_places"}),
        named=False,
    ),
    Mistake(
        id="gpt_drops_tokens_before_places",
        exercise="GPT",
        says="dropout acts on the tokens' embedding, before the places are added",
        replace=(
            (
                "self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
                "self.dropout(self.token_embedding(tokens)) + self.position_embedding(positions)",
            ),
        ),
        fails=frozenset({"test_gpt_drops_in_all_its_places"}),
        named=False,
    ),
    Mistake(
        id="gpt_drops_in_no_block",
        exercise="GPT",
        says="the blocks are made without dropout",
        replace=(("config.d_hidden, config.dropout)\n            for", "config.d_hidden)\n            for"),),
        fails=frozenset({"test_gpt_drops_in_all_its_places"}),
        named=False,
    ),
    Mistake(
        id="gpt_makes_places_on_the_cpu",
        exercise="GPT",
        says="the places are made on the CPU",
        replace=(
            (
                "        positions = torch.arange(seen, seen + length, device=tokens.device)\n",
                "        positions = torch.arange(seen, seen + length)\n",
            ),
        ),
        fails=frozenset({"test_gpt_keeps_dtype_and_device"}),
    ),
    Mistake(
        id="gpt_computes_in_float32",
        exercise="GPT",
        says="the logits are turned into float32",
        replace=(
            (
                "        return functional.linear(self.norm(x), self.token_embedding.weight)",
                "        return functional.linear(self.norm(x), self.token_embedding.weight).float()",
            ),
        ),
        fails=frozenset({"test_gpt_keeps_dtype_and_device"}),
    ),
    Mistake(
        id="gpt_knows_one_dtype_only",
        exercise="GPT",
        says="numbers are put into a tensor made beforehand, whose dtype is another under autocast",
        replace=(
            (
                "        return functional.linear(self.norm(x), self.token_embedding.weight)",
                "        logits = x.new_empty(*tokens.shape, len(self.token_embedding.weight))\n"
                "        places = torch.arange(length, device=tokens.device)\n"
                "        logits[:, places] = functional.linear(self.norm(x), self.token_embedding.weight)\n"
                "        return logits",
            ),
        ),
        fails=frozenset({"test_gpt_keeps_dtype_and_device"}),
    ),
    # learning_rate
    Mistake(
        id="rate_starts_at_zero",
        exercise="learning_rate",
        says="the warm-up is step/warmup, which is 0 at the first step",
        replace=(("return max_rate * (step + 1) / warmup", "return max_rate * step / warmup"),),
        fails=frozenset({"test_rate_warms_up_in_a_line"}),
    ),
    Mistake(
        id="rate_warms_up_one_step_more",
        exercise="learning_rate",
        says="the warm-up goes on at step = warmup",
        replace=(("    if step < warmup:\n", "    if step <= warmup:\n"),),
        fails=frozenset({"test_rate_cools_along_a_cosine", "test_rate_needs_no_warm_up"}),
    ),
    Mistake(
        id="rate_counts_the_cosine_from_zero",
        exercise="learning_rate",
        says="the cosine's progress is step/total, as if there were no warm-up",
        replace=(
            (
                "    progress = min(1.0, (step - warmup) / (total - warmup))\n",
                "    progress = min(1.0, step / total)\n",
            ),
        ),
        fails=frozenset({"test_rate_cools_along_a_cosine"}),
    ),
    Mistake(
        id="rate_goes_up_again",
        exercise="learning_rate",
        says="the cosine goes up again after `total`",
        replace=(
            (
                "    progress = min(1.0, (step - warmup) / (total - warmup))\n",
                "    progress = (step - warmup) / (total - warmup)\n",
            ),
        ),
        fails=frozenset({"test_rate_stays_at_the_end"}),
    ),
    Mistake(
        id="rate_falls_to_zero",
        exercise="learning_rate",
        says="the cosine falls to zero, not to min_rate",
        replace=(
            (
                "return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2",
                "return max_rate * (1 + math.cos(math.pi * progress)) / 2",
            ),
        ),
        fails=frozenset({"test_rate_cools_along_a_cosine", "test_rate_needs_no_warm_up", "test_rate_stays_at_the_end"}),
    ),
    Mistake(
        id="rate_ends_after_total_steps_of_cosine",
        exercise="learning_rate",
        says="the cosine takes `total` steps after the warm-up",
        replace=(
            (
                "    progress = min(1.0, (step - warmup) / (total - warmup))\n",
                "    progress = min(1.0, (step - warmup) / total)\n",
            ),
        ),
        fails=frozenset({"test_rate_cools_along_a_cosine", "test_rate_stays_at_the_end"}),
    ),
    # clip_gradients
    Mistake(
        id="clip_scales_up",
        exercise="clip_gradients",
        says="short gradients are made longer: the factor is not bounded by 1",
        replace=(
            ("    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)\n", "    factor = max_norm / (norm + 1e-6)\n"),
        ),
        fails=STEPS | {"test_clipping_never_scales_up"},
    ),
    Mistake(
        id="clip_each_by_itself",
        exercise="clip_gradients",
        says="each gradient is clipped by its own norm",
        replace=(
            (
                "        gradient.mul_(factor.to(gradient.dtype))\n",
                "        gradient.mul_((max_norm / (gradient.norm() + 1e-6)).clamp(max=1.0))\n",
            ),
        ),
        fails=CLIPPED,
    ),
    Mistake(
        id="clip_by_value",
        exercise="clip_gradients",
        says="each number is bounded by max_norm, and no norm is used",
        replace=(
            ("        gradient.mul_(factor.to(gradient.dtype))\n", "        gradient.clamp_(-max_norm, max_norm)\n"),
        ),
        fails=CLIPPED,
    ),
    Mistake(
        id="clip_adds_norms",
        exercise="clip_gradients",
        says="the norms of the gradients are added up instead of their squares",
        replace=(
            (
                "torch.stack([gradient.norm() for gradient in gradients]).norm()",
                "torch.stack([gradient.norm() for gradient in gradients]).sum()",
            ),
        ),
        fails=CLIPPED | {"test_clipping_never_scales_up", "test_clipping_returns_the_norm_before"},
    ),
    Mistake(
        id="clip_returns_the_norm_after",
        exercise="clip_gradients",
        says="the norm comes back as it is after clipping",
        replace=(("    return norm\n", "    return norm * factor\n"),),
        fails=frozenset({"test_clipping_reads_its_parameters_once", "test_clipping_returns_the_norm_before"}),
    ),
    Mistake(
        id="clip_returns_nothing",
        exercise="clip_gradients",
        says="nothing comes back",
        replace=(("    return norm\n", "    return None\n"),),
        fails=frozenset(
            {
                "test_clipping_never_scales_up",
                "test_clipping_passes_over_missing_gradients",
                "test_clipping_reads_its_parameters_once",
                "test_clipping_returns_the_norm_before",
            }
        ),
        named=False,  # a function that does nothing at all gives the same
    ),
    Mistake(
        id="clip_reads_twice",
        exercise="clip_gradients",
        says="the parameters are read twice, which a generator does not allow",
        replace=(
            (
                "    for gradient in gradients:\n        gradient.mul_",
                (
                    "    for gradient in [parameter.grad for parameter in parameters if parameter.grad is "
                    "not None]:\n"
                    "        gradient.mul_"
                ),
            ),
        ),
        fails=frozenset({"test_clipping_reads_its_parameters_once", "test_train_step_clips_once"}),
        named=False,  # so does this to a generator
    ),
    Mistake(
        id="clip_needs_every_gradient",
        exercise="clip_gradients",
        says="a parameter without a gradient is an error",
        replace=(
            (
                "for parameter in parameters if parameter.grad is not None]\n    if not",
                "for parameter in parameters]\n    if not",
            ),
        ),
        fails=frozenset({"test_clipping_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="clip_needs_one_gradient",
        exercise="clip_gradients",
        says="where no parameter has a gradient, it stops with an error",
        replace=(("    if not gradients:\n        return torch.tensor(0.0)\n", ""),),
        fails=frozenset({"test_clipping_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="clip_without_the_small_number",
        exercise="clip_gradients",
        says="nothing is added to the norm in the divisor",
        replace=(
            (
                "    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)\n",
                "    factor = (max_norm / norm).clamp(max=1.0)\n",
            ),
        ),
        fails=frozenset({"test_clipping_has_room_for_zero"}),
    ),
    # parameter_groups
    Mistake(
        id="groups_decay_all",
        exercise="parameter_groups",
        says="everything decays",
        replace=(
            (
                (
                    '        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], '
                    '"weight_decay": weight_decay},\n'
                    '        {"params": [parameter for parameter in parameters if parameter.ndim < 2], '
                    '"weight_decay": 0.0},\n'
                ),
                (
                    '        {"params": parameters, "weight_decay": weight_decay},\n'
                    '        {"params": [], "weight_decay": 0.0},\n'
                ),
            ),
        ),
        fails=frozenset({"test_groups_sort_by_shape"}),
    ),
    Mistake(
        id="groups_spare_embeddings",
        exercise="parameter_groups",
        says="embeddings are spared",
        replace=(
            (
                ("    parameters = list(model.parameters())  # each once, where it is used in two places too\n"),
                (
                    "    parameters = list(model.parameters())\n"
                    "    spared = [parameter for name, parameter in model.named_parameters() if "
                    'parameter.ndim < 2 or "embedding" in name]\n'
                    "    decayed = [parameter for parameter in parameters if all(parameter is not other for "
                    "other in spared)]\n"
                ),
            ),
            (
                (
                    '        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], '
                    '"weight_decay": weight_decay},\n'
                    '        {"params": [parameter for parameter in parameters if parameter.ndim < 2], '
                    '"weight_decay": 0.0},\n'
                ),
                (
                    '        {"params": decayed, "weight_decay": weight_decay},\n'
                    '        {"params": spared, "weight_decay": 0.0},\n'
                ),
            ),
        ),
        fails=frozenset({"test_groups_sort_by_shape"}),
    ),
    Mistake(
        id="groups_spare_biases_alone",
        exercise="parameter_groups",
        says="only biases are spared, and the gains of norms decay",
        replace=(
            (
                ("    parameters = list(model.parameters())  # each once, where it is used in two places too\n"),
                (
                    "    decayed = [parameter for name, parameter in model.named_parameters() if not "
                    'name.endswith("bias")]\n'
                    "    spared = [parameter for name, parameter in model.named_parameters() if "
                    'name.endswith("bias")]\n'
                ),
            ),
            (
                (
                    '        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], '
                    '"weight_decay": weight_decay},\n'
                    '        {"params": [parameter for parameter in parameters if parameter.ndim < 2], '
                    '"weight_decay": 0.0},\n'
                ),
                (
                    '        {"params": decayed, "weight_decay": weight_decay},\n'
                    '        {"params": spared, "weight_decay": 0.0},\n'
                ),
            ),
        ),
        fails=frozenset({"test_groups_sort_by_shape"}),
    ),
    Mistake(
        id="groups_hold_tied_ones_twice",
        exercise="parameter_groups",
        says="a parameter that is used in two places is there twice",
        replace=(
            (
                ("    parameters = list(model.parameters())  # each once, where it is used in two places too\n"),
                ("    parameters = [parameter for _, parameter in model.named_parameters(remove_duplicate=False)]\n"),
            ),
        ),
        fails=frozenset({"test_groups_hold_each_parameter_once"}),
    ),
    Mistake(
        id="groups_leave_decay_to_the_optimizer",
        exercise="parameter_groups",
        says="the spared group has no `weight_decay`, and gets the optimizer's",
        replace=(('if parameter.ndim < 2], "weight_decay": 0.0},', "if parameter.ndim < 2]},"),),
        fails=frozenset({"test_groups_carry_their_decay"}),
    ),
    # AdamW
    Mistake(
        id="adamw_without_correction",
        exercise="AdamW",
        says="the means are not corrected for their start at zero",
        replace=(
            (
                (
                    '        mean = state["mean"] / (1 - beta1 ** state["step"])  # both means began at '
                    "zero: make up for that\n"
                    '        square = state["square"] / (1 - beta2 ** state["step"])\n'
                ),
                '        mean, square = state["mean"], state["square"]\n',
            ),
        ),
        fails=ADAM | {"test_adamw_takes_the_first_step"},
    ),
    Mistake(
        id="adamw_corrects_one_mean",
        exercise="AdamW",
        says="only the mean of the gradients is corrected, not that of their squares",
        replace=(
            ('        square = state["square"] / (1 - beta2 ** state["step"])\n', '        square = state["square"]\n'),
        ),
        fails=ADAM | {"test_adamw_takes_the_first_step"},
    ),
    Mistake(
        id="adamw_decays_through_the_gradient",
        exercise="AdamW",
        says="decay is added to the gradient (L2), and so passes through the means",
        replace=(
            (
                '        (beta1, beta2), rate, gradient = group["betas"], group["lr"], parameter.grad\n',
                (
                    '        (beta1, beta2), rate = group["betas"], group["lr"]\n'
                    '        gradient = parameter.grad + group["weight_decay"] * parameter\n'
                ),
            ),
            ('        parameter.mul_(1 - rate * group["weight_decay"])\n', ""),
        ),
        fails=DECAY,
    ),
    Mistake(
        id="adamw_decays_without_the_rate",
        exercise="AdamW",
        says="decay is not multiplied by the learning rate",
        replace=(
            (
                '        parameter.mul_(1 - rate * group["weight_decay"])\n',
                '        parameter.mul_(1 - group["weight_decay"])\n',
            ),
        ),
        fails=DECAY,
    ),
    Mistake(
        id="adamw_decays_after_the_step",
        exercise="AdamW",
        says="the weights decay after Adam's step, so that the step decays too",
        replace=(
            (
                (
                    '        parameter.mul_(1 - rate * group["weight_decay"])\n'
                    '        parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)\n'
                ),
                (
                    '        parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)\n'
                    '        parameter.mul_(1 - rate * group["weight_decay"])\n'
                ),
            ),
        ),
        fails=DECAY,
    ),
    Mistake(
        id="adamw_puts_eps_under_the_root",
        exercise="AdamW",
        says="`eps` stands under the root",
        replace=(('square.sqrt() + group["eps"]', '(square + group["eps"]).sqrt()'),),
        fails=frozenset(
            {"test_adamw_adds_eps_to_the_root", "test_adamw_has_pytorchs_defaults", "test_adamw_reads_its_groups"}
        ),
    ),
    Mistake(
        id="adamw_adds_eps_before_correcting",
        exercise="AdamW",
        says="`eps` is added before the squares are corrected",
        replace=(
            (
                '        parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)\n',
                (
                    '        root = (state["square"].sqrt() + group["eps"]) / math.sqrt(1 - beta2 ** '
                    'state["step"])\n'
                    "        parameter.addcdiv_(mean, root, value=-rate)\n"
                ),
            ),
        ),
        fails=frozenset(
            {"test_adamw_adds_eps_to_the_root", "test_adamw_has_pytorchs_defaults", "test_adamw_reads_its_groups"}
        ),
    ),
    Mistake(
        id="adamw_swaps_the_betas",
        exercise="AdamW",
        says="the two betas are exchanged",
        replace=(("(beta1, beta2), rate, gradient", "(beta2, beta1), rate, gradient"),),
        fails=ADAM,
    ),
    Mistake(
        id="adamw_reads_the_first_group_alone",
        exercise="AdamW",
        says="the first group's settings count for all groups",
        replace=(
            (
                "                    self.update(parameter, group)\n",
                "                    self.update(parameter, self.param_groups[0])\n",
            ),
        ),
        fails=frozenset({"test_adamw_reads_its_groups"}),
    ),
    Mistake(
        id="adamw_reads_its_defaults",
        exercise="AdamW",
        says="the settings that `__init__` was given count, and not those of the group",
        replace=(
            (
                "                    self.update(parameter, group)\n",
                "                    self.update(parameter, self.defaults)\n",
            ),
        ),
        fails=frozenset({"test_adamw_reads_its_groups"}),
    ),
    Mistake(
        id="adamw_counts_all_steps_together",
        exercise="AdamW",
        says="all parameters share one count of steps",
        replace=(
            (
                '        state["step"] += 1\n',
                (
                    '        self.count = getattr(self, "count", 0) + (parameter is '
                    'self.param_groups[0]["params"][0])\n'
                    '        state["step"] = self.count\n'
                ),
            ),
        ),
        fails=frozenset({"test_adamw_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="adamw_needs_every_gradient",
        exercise="AdamW",
        says="a parameter without a gradient is an error",
        replace=(
            (
                ("                if parameter.grad is not None:\n                    self.update(parameter, group)\n"),
                "                self.update(parameter, group)\n",
            ),
        ),
        fails=frozenset({"test_adamw_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="adamw_decays_without_gradient",
        exercise="AdamW",
        says="a parameter without a gradient decays all the same",
        replace=(
            (
                ("                if parameter.grad is not None:\n                    self.update(parameter, group)\n"),
                (
                    "                if parameter.grad is None:\n"
                    '                    parameter.mul_(1 - group["lr"] * group["weight_decay"])\n'
                    "                else:\n"
                    "                    self.update(parameter, group)\n"
                ),
            ),
        ),
        fails=frozenset({"test_adamw_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="adamw_takes_a_missing_gradient_for_zero",
        exercise="AdamW",
        says="a missing gradient is taken for zero, and the means go on",
        replace=(
            (
                ("                if parameter.grad is not None:\n                    self.update(parameter, group)\n"),
                (
                    "                if parameter.grad is None:\n"
                    "                    parameter.grad = torch.zeros_like(parameter)\n"
                    "                self.update(parameter, group)\n"
                ),
            ),
        ),
        fails=frozenset({"test_adamw_passes_over_missing_gradients"}),
    ),
    Mistake(
        id="adamw_never_decays_by_default",
        exercise="AdamW",
        says="the default decay is 0",
        replace=(("weight_decay: float = 0.01", "weight_decay: float = 0.0"),),
        fails=frozenset({"test_adamw_has_pytorchs_defaults"}),
    ),
    # train_step
    Mistake(
        id="train_never_zeroes",
        exercise="train_step",
        says="the gradients are never zeroed",
        replace=(("    optimizer.zero_grad()\n", ""),),
        fails=frozenset({"test_train_step_forgets_old_gradients"}),
    ),
    Mistake(
        id="train_zeroes_before_the_step",
        exercise="train_step",
        says="the gradients are zeroed between backward and step, so that nothing is learnt",
        replace=(
            (
                "    optimizer.step()\n    return loss\n",
                "    optimizer.zero_grad()\n    optimizer.step()\n    return loss\n",
            ),
        ),
        fails=STEPS | {"test_train_step_clips_once"},
    ),
    Mistake(
        id="train_zeroes_in_the_loop",
        exercise="train_step",
        says="the gradients are zeroed before each batch, so that only the last one counts",
        replace=(("        share.backward()\n", "        optimizer.zero_grad()\n        share.backward()\n"),),
        fails=frozenset(
            {"test_train_step_accumulates", "test_train_step_clips_once", "test_train_step_weighs_by_counted_targets"}
        ),
    ),
    Mistake(
        id="train_steps_in_the_loop",
        exercise="train_step",
        says="the optimizer steps after each batch",
        replace=(
            ("        share.backward()\n", "        share.backward()\n        optimizer.step()\n"),
            ("    optimizer.step()\n    return loss\n", "    return loss\n"),
        ),
        fails=frozenset(
            {
                "test_train_step_accumulates",
                "test_train_step_clips_once",
                "test_train_step_returns_the_loss",
                "test_train_step_weighs_by_counted_targets",
            }
        ),
    ),
    Mistake(
        id="train_sums_the_means",
        exercise="train_step",
        says="the means of the batches are added up",
        replace=(
            (
                "cross_entropy(model(inputs), targets) * (count / total)\n        share.backward()",
                "cross_entropy(model(inputs), targets)\n        share.backward()",
            ),
        ),
        fails=frozenset(
            {
                "test_train_step_accumulates",
                "test_train_step_returns_the_loss",
                "test_train_step_weighs_by_counted_targets",
            }
        ),
    ),
    Mistake(
        id="train_takes_the_mean_of_means",
        exercise="train_step",
        says="each batch weighs the same, however few of its targets count",
        replace=(
            (
                "cross_entropy(model(inputs), targets) * (count / total)\n        share.backward()",
                "cross_entropy(model(inputs), targets) / len(batches)\n        share.backward()",
            ),
        ),
        fails=frozenset({"test_train_step_returns_the_loss", "test_train_step_weighs_by_counted_targets"}),
    ),
    Mistake(
        id="train_weighs_by_size",
        exercise="train_step",
        says="a batch weighs by its size, ignored targets included",
        replace=(
            (
                "    counts = [int((targets != -100).sum()) for _, targets in batches]\n    total = max",
                "    counts = [targets.numel() for _, targets in batches]\n    total = max",
            ),
        ),
        fails=frozenset({"test_train_step_returns_the_loss", "test_train_step_weighs_by_counted_targets"}),
    ),
    Mistake(
        id="train_never_clips",
        exercise="train_step",
        says="the gradients are not clipped",
        replace=(
            ("    clip_gradients(model.parameters(), max_norm)\n    optimizer.step()\n", "    optimizer.step()\n"),
        ),
        fails=frozenset({"test_train_step_clips_once"}),
    ),
    Mistake(
        id="train_clips_each_batch",
        exercise="train_step",
        says="the gradients are clipped after each batch, not once at the end",
        replace=(
            (
                "        share.backward()\n",
                "        share.backward()\n        clip_gradients(model.parameters(), max_norm)\n",
            ),
        ),
        fails=frozenset({"test_train_step_clips_once"}),
    ),
    Mistake(
        id="train_returns_the_last_loss",
        exercise="train_step",
        says="the loss of the last batch comes back",
        replace=(("        loss += share.item()\n", "        loss = share.item() * total / max(1, count)\n"),),
        fails=frozenset({"test_train_step_returns_the_loss"}),
    ),
    Mistake(
        id="train_returns_a_tensor",
        exercise="train_step",
        says="the loss comes back as a tensor, graph and all",
        replace=(("        loss += share.item()\n", "        loss = loss + share\n"),),
        fails=frozenset({"test_train_step_returns_the_loss"}),
    ),
    # evaluate
    Mistake(
        id="evaluate_takes_the_mean_of_means",
        exercise="evaluate",
        says="each batch weighs the same, however small it is",
        replace=(("            count = int((targets != -100).sum())\n", "            count = 1\n"),),
        fails=frozenset({"test_evaluation_is_the_mean_over_counted_targets"}),
    ),
    Mistake(
        id="evaluate_weighs_by_size",
        exercise="evaluate",
        says="a batch weighs by its size, ignored targets included",
        replace=(("            count = int((targets != -100).sum())\n", "            count = targets.numel()\n"),),
        fails=frozenset({"test_evaluation_is_the_mean_over_counted_targets"}),
    ),
    Mistake(
        id="evaluate_weighs_by_rows",
        exercise="evaluate",
        says="a batch weighs by its number of rows",
        replace=(("            count = int((targets != -100).sum())\n", "            count = len(targets)\n"),),
        fails=frozenset({"test_evaluation_is_the_mean_over_counted_targets"}),
    ),
    Mistake(
        id="evaluate_drops",
        exercise="evaluate",
        says="dropout stays on",
        replace=(("    model.eval()\n    loss, total = 0.0, 0\n", "    loss, total = 0.0, 0\n"),),
        fails=frozenset({"test_evaluation_drops_nothing"}),
        named=False,
    ),
    Mistake(
        id="evaluate_stays_in_eval_mode",
        exercise="evaluate",
        says="the model stays in eval mode",
        replace=(
            ("    model.train(was_training)\n    return loss / max(1, total)\n", "    return loss / max(1, total)\n"),
        ),
        fails=frozenset({"test_evaluation_leaves_the_mode_as_it_was"}),
    ),
    Mistake(
        id="evaluate_makes_graphs",
        exercise="evaluate",
        says="graphs are made as in training",
        replace=(
            (
                "    with torch.no_grad():\n        for inputs, targets in batches:",
                "    with torch.enable_grad():\n        for inputs, targets in batches:",
            ),
        ),
        fails=frozenset({"test_evaluation_makes_no_gradients"}),
    ),
    Mistake(
        id="evaluate_divides_by_zero",
        exercise="evaluate",
        says="the loss of nothing is divided by zero",
        replace=(("    return loss / max(1, total)\n", "    return loss / total\n"),),
        fails=frozenset({"test_evaluation_of_nothing_is_zero"}),
    ),
    # next_token_probabilities
    Mistake(
        id="probabilities_ignore_the_temperature",
        exercise="next_token_probabilities",
        says="the temperature is not used",
        replace=(("    logits = logits / temperature\n", ""),),
        fails=frozenset(
            {
                "test_generate_draws_by_the_probabilities",
                "test_probabilities_filter_in_order",
                "test_probabilities_follow_the_temperature",
                "test_probabilities_take_any_leading_axes",
            }
        ),
    ),
    Mistake(
        id="probabilities_divide_by_zero",
        exercise="next_token_probabilities",
        says="at temperature 0 the logits are divided by it",
        replace=(
            (
                (
                    "    if temperature == 0:\n"
                    "        return functional.one_hot(logits.argmax(dim=-1), "
                    "logits.shape[-1]).to(logits.dtype)\n"
                ),
                "",
            ),
        ),
        fails=frozenset(
            {
                "test_generate_crops_to_the_context",
                "test_generate_drops_nothing",
                "test_generate_writes_the_likeliest",
                "test_probabilities_at_temperature_zero",
                "test_probabilities_take_any_leading_axes",
            }
        ),
    ),
    Mistake(
        id="probabilities_of_argmax_as_integers",
        exercise="next_token_probabilities",
        says="at temperature 0 integers come back",
        replace=((".to(logits.dtype)\n    logits = logits / temperature", "\n    logits = logits / temperature"),),
        fails=frozenset(
            {
                "test_generate_crops_to_the_context",
                "test_generate_drops_nothing",
                "test_generate_writes_the_likeliest",
                "test_probabilities_at_temperature_zero",
                "test_probabilities_keep_dtype_and_device",
                "test_probabilities_take_any_leading_axes",
            }
        ),
    ),
    Mistake(
        id="top_k_fills_with_a_small_number",
        exercise="next_token_probabilities",
        says="the tokens that are left out get the logit 1e-10, which is no small logit",
        replace=(
            (
                "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
                "        logits = logits.masked_fill(logits < kept[..., -1:], 1e-10)\n",
            ),
        ),
        fails=TOP_K | {"test_generate_hands_on_its_filters"},
    ),
    Mistake(
        id="top_k_drops_the_kth",
        exercise="next_token_probabilities",
        says="the top_k-th token is left out as well",
        replace=(
            (
                "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
                "        logits = logits.masked_fill(logits <= kept[..., -1:], -math.inf)\n",
            ),
        ),
        fails=TOP_K | {"test_generate_hands_on_its_filters", "test_probabilities_with_more_than_there_are"},
    ),
    Mistake(
        id="top_k_cuts_ties",
        exercise="next_token_probabilities",
        says="exactly top_k tokens stay, and a tie with the last of them does not",
        replace=(
            (
                "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
                (
                    "        chosen = logits.topk(min(top_k, logits.shape[-1]), dim=-1).indices\n"
                    "        logits = torch.full_like(logits, -math.inf).scatter(-1, chosen, kept)\n"
                ),
            ),
        ),
        fails=frozenset({"test_probabilities_keep_ties_with_the_kth"}),
    ),
    Mistake(
        id="top_k_needs_a_large_vocabulary",
        exercise="next_token_probabilities",
        says="a top_k beyond the vocabulary is an error",
        replace=(("logits.topk(min(top_k, logits.shape[-1]), dim=-1)", "logits.topk(top_k, dim=-1)"),),
        fails=frozenset({"test_probabilities_with_more_than_there_are"}),
    ),
    Mistake(
        id="top_p_drops_the_crossing_token",
        exercise="next_token_probabilities",
        says="the token that crosses top_p is left out",
        replace=(
            (
                (
                    "        dropped = ordered.cumsum(dim=-1) - ordered >= top_p  # those before it reach "
                    "top_p without it\n"
                ),
                "        dropped = ordered.cumsum(dim=-1) > top_p\n",
            ),
        ),
        fails=TOP_P | {"test_generate_hands_on_its_filters"},
    ),
    Mistake(
        id="top_p_of_zero_drops_everything",
        exercise="next_token_probabilities",
        says="with top_p = 0 not even the likeliest token stays",
        replace=(("        dropped[..., 0] = False\n", ""),),
        fails=frozenset({"test_probabilities_always_keep_the_likeliest"}),
    ),
    Mistake(
        id="top_p_forgets_the_order",
        exercise="next_token_probabilities",
        says="what is to go is found in the sorted order, and never brought back to the vocabulary's",
        replace=(
            (
                (
                    "        dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the "
                    "order of the vocabulary\n"
                ),
                "",
            ),
        ),
        fails=TOP_P | {"test_generate_hands_on_its_filters", "test_probabilities_always_keep_the_likeliest"},
    ),
    Mistake(
        id="top_p_gathers",
        exercise="next_token_probabilities",
        says="the order is applied once more instead of being undone (gather for scatter)",
        replace=(
            (
                (
                    "        dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the "
                    "order of the vocabulary\n"
                ),
                "        dropped = dropped.gather(-1, order)\n",
            ),
        ),
        fails=TOP_P | {"test_generate_hands_on_its_filters", "test_probabilities_always_keep_the_likeliest"},
    ),
    Mistake(
        id="top_p_does_not_normalise",
        exercise="next_token_probabilities",
        says="what top-p leaves is not brought back to a sum of one",
        replace=(("        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)\n", ""),),
        fails=TOP_P | {"test_probabilities_always_keep_the_likeliest"},
    ),
    Mistake(
        id="top_p_before_top_k",
        exercise="next_token_probabilities",
        says="top-p is taken of all tokens, before top-k",
        replace=(
            (
                "        ordered, order = probabilities.sort(dim=-1, descending=True)\n",
                "        ordered, order = before_top_k.softmax(dim=-1).sort(dim=-1, descending=True)\n",
            ),
            ("    logits = logits / temperature\n", "    logits = before_top_k = logits / temperature\n"),
        ),
        fails=frozenset({"test_probabilities_filter_in_order", "test_probabilities_take_any_leading_axes"}),
    ),
    Mistake(
        id="top_p_before_the_temperature",
        exercise="next_token_probabilities",
        says="top-p is taken of the probabilities at temperature 1",
        replace=(
            (
                "        ordered, order = probabilities.sort(dim=-1, descending=True)\n",
                ("        ordered, order = (logits * temperature).softmax(dim=-1).sort(dim=-1, descending=True)\n"),
            ),
        ),
        fails=frozenset({"test_probabilities_filter_in_order", "test_probabilities_take_any_leading_axes"}),
    ),
    Mistake(
        id="probabilities_over_the_first_axis",
        exercise="next_token_probabilities",
        says="the softmax runs over the first axis",
        replace=(("    probabilities = logits.softmax(dim=-1)\n", "    probabilities = logits.softmax(dim=0)\n"),),
        fails=TOP_K
        | {
            "test_generate_draws_by_the_probabilities",
            "test_generate_hands_on_its_filters",
            "test_probabilities_always_keep_the_likeliest",
            "test_probabilities_follow_the_temperature",
            "test_probabilities_keep_dtype_and_device",
            "test_probabilities_leave_logits_alone",
            "test_probabilities_reach_top_p",
            "test_probabilities_with_more_than_there_are",
        },
    ),
    Mistake(
        id="probabilities_in_float32",
        exercise="next_token_probabilities",
        says="the probabilities come back in float32",
        replace=(
            ("    probabilities = logits.softmax(dim=-1)\n", "    probabilities = logits.float().softmax(dim=-1)\n"),
        ),
        fails=frozenset({"test_probabilities_keep_dtype_and_device"}),
    ),
    Mistake(
        id="probabilities_divide_in_place",
        exercise="next_token_probabilities",
        says="the logits are divided where the caller keeps them",
        replace=(("    logits = logits / temperature\n", "    logits /= temperature\n"),),
        fails=frozenset({"test_probabilities_leave_logits_alone"}),
    ),
    Mistake(
        id="top_k_fills_in_place",
        exercise="next_token_probabilities",
        says="top-k overwrites the caller's logits",
        replace=(
            (
                "    logits = logits / temperature\n",
                "    logits = logits / temperature if temperature != 1 else logits\n",
            ),
            (
                "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
                "        logits[logits < kept[..., -1:]] = -math.inf\n",
            ),
        ),
        fails=frozenset({"test_probabilities_leave_logits_alone"}),
    ),
    # generate
    Mistake(
        id="generate_never_crops",
        exercise="generate",
        says="the text is never cropped to the context",
        replace=(
            ("            if use_cache and tokens.shape[1] <= context_length:\n", "            if use_cache:\n"),
            (
                "                logits = model(tokens[:, -context_length:])\n",
                "                logits = model(tokens)\n",
            ),
        ),
        fails=frozenset(
            {
                "test_generate_crops_to_the_context",
                "test_generate_is_the_same_with_a_cache",
                "test_generate_returns_prompt_and_new_tokens",
            }
        ),
    ),
    Mistake(
        id="generate_crops_one_too_short",
        exercise="generate",
        says="the model is shown one token less than its context holds",
        replace=(
            (
                "                logits = model(tokens[:, -context_length:])\n",
                "                logits = model(tokens[:, -context_length + 1 :])\n",
            ),
        ),
        fails=frozenset({"test_generate_crops_to_the_context", "test_generate_is_the_same_with_a_cache"}),
    ),
    Mistake(
        id="generate_crops_the_end",
        exercise="generate",
        says="the first tokens of the text are kept, not the last ones",
        replace=(
            (
                "                logits = model(tokens[:, -context_length:])\n",
                "                logits = model(tokens[:, :context_length])\n",
            ),
        ),
        fails=frozenset({"test_generate_crops_to_the_context"}),
    ),
    Mistake(
        id="generate_returns_the_window",
        exercise="generate",
        says="only the last context_length tokens come back",
        replace=(
            (
                ("            tokens = torch.cat((tokens, token), dim=1)\n    model.train(was_training)\n"),
                (
                    "            tokens = torch.cat((tokens[:, -context_length:], token), dim=1)\n"
                    "    model.train(was_training)\n"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_generate_crops_to_the_context",
                "test_generate_is_the_same_with_a_cache",
                "test_generate_returns_prompt_and_new_tokens",
            }
        ),
    ),
    Mistake(
        id="generate_returns_the_new_tokens",
        exercise="generate",
        says="only the new tokens come back, without the prompt",
        replace=(
            (
                "    return tokens\n    ### END SOLUTION\n\n\nclass ByteBPE",
                "    return tokens[:, prompt.shape[1] :]\n    ### END SOLUTION\n\n\nclass ByteBPE",
            ),
        ),
        fails=WRITTEN | {"test_generate_leaves_the_mode_as_it_was"},
    ),
    Mistake(
        id="generate_is_always_greedy",
        exercise="generate",
        says="the likeliest token is taken whatever the temperature is",
        replace=(
            (
                ("            token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)\n"),
                "            token = probabilities.argmax(dim=-1, keepdim=True)\n",
            ),
        ),
        fails=frozenset(
            {
                "test_generate_draws_by_the_probabilities",
                "test_generate_draws_from_the_generator",
                "test_generate_hands_on_its_filters",
            }
        ),
    ),
    Mistake(
        id="generate_draws_from_logits",
        exercise="generate",
        says="tokens are drawn in proportion to their logits",
        replace=(
            (
                ("            token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)\n"),
                (
                    "            weights = logits[:, -1].clamp(min=1e-6) if temperature else probabilities\n"
                    "            token = torch.multinomial(weights, 1, generator=generator)\n"
                ),
            ),
        ),
        fails=frozenset({"test_generate_draws_by_the_probabilities", "test_generate_hands_on_its_filters"}),
        named=False,
    ),
    Mistake(
        id="generate_ignores_the_temperature",
        exercise="generate",
        says="the temperature is not handed on",
        replace=(
            (
                "next_token_probabilities(logits[:, -1], temperature, top_k, top_p)",
                "next_token_probabilities(logits[:, -1], min(temperature, 1.0) and 1.0, top_k, top_p)",
            ),
        ),
        fails=frozenset({"test_generate_draws_by_the_probabilities"}),
        named=False,
    ),
    Mistake(
        id="generate_ignores_top_k",
        exercise="generate",
        says="top_k is not handed on",
        replace=(
            (
                "next_token_probabilities(logits[:, -1], temperature, top_k, top_p)",
                "next_token_probabilities(logits[:, -1], temperature, None, top_p)",
            ),
        ),
        fails=frozenset({"test_generate_hands_on_its_filters"}),
        named=False,
    ),
    Mistake(
        id="generate_ignores_top_p",
        exercise="generate",
        says="top_p is not handed on",
        replace=(
            (
                "next_token_probabilities(logits[:, -1], temperature, top_k, top_p)",
                "next_token_probabilities(logits[:, -1], temperature, top_k)",
            ),
        ),
        fails=frozenset({"test_generate_hands_on_its_filters"}),
        named=False,
    ),
    Mistake(
        id="generate_from_the_global_generator",
        exercise="generate",
        says="the generator is not used: the draws come from the global one",
        replace=(
            (
                ("            token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)\n"),
                "            token = torch.multinomial(probabilities, 1)\n",
            ),
        ),
        fails=frozenset({"test_generate_draws_from_the_generator", "test_generate_is_the_same_with_a_cache"}),
        named=False,
    ),
    Mistake(
        id="generate_drops",
        exercise="generate",
        says="dropout stays on while it writes",
        replace=(("    model.eval()\n    context_length", "    context_length"),),
        fails=frozenset({"test_generate_drops_nothing"}),
        named=False,
    ),
    Mistake(
        id="generate_stays_in_eval_mode",
        exercise="generate",
        says="the model stays in eval mode",
        replace=(("    model.train(was_training)\n    return tokens\n", "    return tokens\n"),),
        fails=frozenset({"test_generate_leaves_the_mode_as_it_was"}),
    ),
    Mistake(
        id="generate_feeds_the_last_token_alone",
        exercise="generate",
        says="with a cache only the last token is read, also of the prompt",
        replace=(("model(tokens[:, len(caches[0]) :], caches)", "model(tokens[:, -1:], caches)"),),
        fails=frozenset(
            {
                "test_generate_draws_by_the_probabilities",
                "test_generate_hands_on_its_filters",
                "test_generate_is_the_same_with_a_cache",
            }
        ),
    ),
    Mistake(
        id="generate_goes_on_with_a_stale_cache",
        exercise="generate",
        says=("past the context, the cache loses its oldest entry and the rest is taken for still true"),
        replace=(
            (
                (
                    "            if use_cache and tokens.shape[1] <= context_length:\n"
                    "                logits = model(tokens[:, len(caches[0]) :], caches)\n"
                ),
                (
                    "            if use_cache and (tokens.shape[1] <= context_length or len(caches[0])):\n"
                    "                for cache in caches:\n"
                    "                    if len(cache) == context_length:\n"
                    "                        cache.key, cache.value = cache.key[:, :, 1:], cache.value[:, :, "
                    "1:]\n"
                    "                seen = len(caches[0])\n"
                    "                logits = model(tokens[:, seen:] if tokens.shape[1] <= context_length "
                    "else tokens[:, -1:], caches)\n"
                ),
            ),
        ),
        fails=frozenset({"test_generate_is_the_same_with_a_cache"}),
    ),
    # ByteBPE
    Mistake(
        id="bpe_takes_the_larger_pair",
        exercise="ByteBPE",
        says="of equally frequent pairs the larger one is merged",
        replace=(
            (
                ("            pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))\n"),
                "            pair = max(counts, key=lambda candidate: (counts[candidate], candidate))\n",
            ),
        ),
        fails=MERGED,
    ),
    Mistake(
        id="bpe_takes_the_first_pair",
        exercise="ByteBPE",
        says="of equally frequent pairs the one that comes first in the text is merged",
        replace=(
            (
                ("            pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))\n"),
                "            pair = max(counts, key=counts.get)\n",
            ),
        ),
        fails=MERGED,
    ),
    Mistake(
        id="bpe_counts_once",
        exercise="ByteBPE",
        says="pairs are counted once, at the start, and not after each merge",
        replace=(
            (
                (
                    "        while len(self.pieces) < vocab_size and len(ids) > 1:\n"
                    "            counts = Counter(pairwise(ids))\n"
                ),
                (
                    "        start = Counter(pairwise(ids))\n"
                    "        while len(self.pieces) < vocab_size and len(ids) > 1:\n"
                    "            counts = {one: count for one, count in start.items() if one not in "
                    "self.merges}\n"
                ),
            ),
        ),
        fails=MERGED,
    ),
    Mistake(
        id="bpe_counts_without_overlap",
        exercise="ByteBPE",
        says="in a run of equal tokens a pair is counted as often as it can be merged, not as often as it stands there",
        replace=(
            (
                "            counts = Counter(pairwise(ids))\n",
                (
                    "            counts, last = Counter(), None\n"
                    "            for pair in pairwise(ids):\n"
                    "                last = None if pair == last and pair[0] == pair[1] else pair\n"
                    "                counts.update([pair] if last else [])\n"
                ),
            ),
        ),
        fails=frozenset({"test_bpe_merges_the_most_frequent_pair"}),
    ),
    Mistake(
        id="bpe_needs_a_pair",
        exercise="ByteBPE",
        says="a text in which no pair is left is an error",
        replace=(("len(self.pieces) < vocab_size and len(ids) > 1:\n", "len(self.pieces) < vocab_size:\n"),),
        fails=frozenset({"test_bpe_stops_when_no_pair_is_left"}),
    ),
    Mistake(
        id="bpe_needs_two_pairs",
        exercise="ByteBPE",
        says="the last pair that is left is not merged",
        replace=(("vocab_size and len(ids) > 1:\n", "vocab_size and len(ids) > 2:\n"),),
        fails=frozenset({"test_bpe_stops_when_no_pair_is_left"}),
    ),
    Mistake(
        id="bpe_encodes_the_longest_piece",
        exercise="ByteBPE",
        says="text is cut into the longest pieces that fit, from left to right",
        replace=(
            (
                (
                    "        ids = list(text.encode() if isinstance(text, str) else text)\n"
                    "        for pair, new_id in self.merges.items():\n"
                    "            ids = self.merge(ids, pair, new_id)\n"
                    "        return ids\n"
                ),
                (
                    "        data = text.encode() if isinstance(text, str) else text\n"
                    "        numbers = {piece: number for number, piece in "
                    "reversed(list(enumerate(self.pieces)))}\n"
                    "        ids, place = [], 0\n"
                    "        while place < len(data):\n"
                    "            length = next(n for n in range(len(data) - place, 0, -1) if data[place : "
                    "place + n] in numbers)\n"
                    "            ids.append(numbers[data[place : place + length]])\n"
                    "            place += length\n"
                    "        return ids\n"
                ),
            ),
        ),
        fails=frozenset({"test_bpe_encodes_in_the_order_of_learning"}),
    ),
    Mistake(
        id="bpe_merges_in_reverse",
        exercise="ByteBPE",
        says="the merges are made in reverse order, the latest first",
        replace=(
            (
                "        for pair, new_id in self.merges.items():\n",
                "        for pair, new_id in reversed(self.merges.items()):\n",
            ),
        ),
        fails=frozenset({"test_bpe_encodes_in_the_order_of_learning"}),
    ),
    Mistake(
        id="bpe_uses_code_points",
        exercise="ByteBPE",
        says="a str is taken for its code points, not for its UTF-8",
        replace=(
            (
                "        ids = list(text.encode() if isinstance(text, str) else text)\n",
                ("        ids = [min(ord(letter), 255) for letter in text] if isinstance(text, str) else list(text)\n"),
            ),
        ),
        fails=frozenset({"test_bpe_takes_text_as_its_utf8"}),
    ),
    Mistake(
        id="bpe_decodes_to_text",
        exercise="ByteBPE",
        says="what is no text is replaced on the way back",
        replace=(
            (
                '        return b"".join(self.pieces[token] for token in ids)\n',
                ('        return b"".join(self.pieces[token] for token in ids).decode(errors="replace").encode()\n'),
            ),
        ),
        fails=frozenset({"test_bpe_round_trips_any_bytes", "test_bpe_takes_text_as_its_utf8"}),
    ),
)
