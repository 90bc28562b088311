"""Named mistakes of stage 6, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
LOSS = "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)"
LOG_PROBABILITIES = "log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)"
WINDOWS = "return windows[:, :-1], windows[:, 1:]"
STARTS = "starts = torch.randint(places, (batch_size,), generator=generator).tolist()"
BLOCK = "x = block(x, mask=mask, cache=cache)"
MASK = "mask = causal_mask(length, seen + length, device=tokens.device)  # (length, seen + length)"
POSITIONS = "positions = torch.arange(seen, seen + length, device=tokens.device)"
LOGITS = "return functional.linear(self.norm(x), self.token_embedding.weight)"
PROGRESS = "progress = min(1.0, (step - warmup) / (total - warmup))"
CLIP = "gradient.mul_(factor.to(gradient.dtype))"
PARAMETERS = "    parameters = list(model.parameters())  # each once, where it is used in two places too\n"
GROUPS = (
    '        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], '
    '"weight_decay": weight_decay},\n'
    '        {"params": [parameter for parameter in parameters if parameter.ndim < 2], '
    '"weight_decay": 0.0},\n'
)
NAMED_GROUPS = (
    '        {"params": decayed, "weight_decay": weight_decay},\n        {"params": spared, "weight_decay": 0.0},\n'
)
UPDATE = "self.update(parameter, group)"
CHECKED_UPDATE = "if parameter.grad is not None:\n                    self.update(parameter, group)"
CLOSURE = "        if closure is not None:\n            with torch.enable_grad():\n                loss = closure()\n"
COUNT = "count = int((targets != IGNORE_INDEX).sum())"
TEMPERATURE = "    logits = logits / temperature\n"
TOP_K = "logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)"
PROBABILITIES = "probabilities = logits.softmax(dim=-1)"
CROPPED = "logits = model(tokens[:, -context_length:])"
TOKEN = "token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)"
PAIR = "pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))"

MISTAKES = {
    "cross_entropy": (
        mistake(
            "loss_divides_by_all_targets",
            "the sum of the losses is divided by the number of all targets, ignored or not",
            LOSS,
            "return losses.masked_fill(~counted, 0.0).mean()",
        ),
        mistake(
            "loss_counts_ignored_targets", "ignored targets count as targets of class 0", LOSS, "return losses.mean()"
        ),
        mistake(
            "loss_is_a_sum", "the loss is a sum, not a mean", LOSS, "return losses.masked_fill(~counted, 0.0).sum()"
        ),
        mistake(
            "loss_ignores_minus_100_alone",
            "the ignored target is always -100, whatever `ignore_index` is",
            "counted = targets != ignore_index  # (…)",
            "counted = targets != -100\n    targets = targets.clamp(min=0)",
        ),
        mistake("loss_of_nothing_is_nan", "the sum is divided by 0 when no target counts", "().clamp(min=1)", "()"),
        mistake(
            "loss_of_nothing_has_no_graph",
            "the loss has no graph when no target counts",
            LOSS,
            "return losses[counted].mean() if counted.any() else torch.zeros((), dtype=logits.dtype)",
        ),
        mistake(
            "loss_takes_the_log_of_a_softmax",
            "the logarithm is taken of softmax probabilities, which underflow to 0 for large logits",
            LOG_PROBABILITIES,
            "log_probabilities = logits.softmax(dim=-1).log()",
        ),
        mistake("loss_takes_axis_one", "the classes are expected along axis 1", "(dim=-1)  # (…, vocab)", "(dim=1)"),
        mistake(
            "loss_detached",
            "the log-probabilities are detached from the graph",
            LOG_PROBABILITIES,
            (
                "log_probabilities = torch.tensor(logits.detach().log_softmax(dim=-1).tolist(), "
                "dtype=logits.dtype, device=logits.device)"
            ),
        ),
        mistake(
            "loss_in_float32",
            "the loss is computed and returned in float32",
            LOG_PROBABILITIES,
            "log_probabilities = logits.float().log_softmax(dim=-1)",
        ),
        mistake(
            "loss_counts_on_the_cpu",
            ON_THE_CPU,
            LOSS,
            (
                "return losses.masked_fill(~counted, 0.0).sum() / torch.max(counted.sum(), torch.ones(1, "
                "dtype=torch.int64)).squeeze()"
            ),
        ),
        mistake(
            "loss_changes_the_targets",
            "the ignored targets are overwritten in place",
            "classes = targets.masked_fill(~counted, 0).unsqueeze(-1)",
            "classes = targets.masked_fill_(~counted, 0).unsqueeze(-1)",
        ),
        mistake(
            "loss_keeps_an_axis",
            "the loss keeps an axis of size 1",
            LOSS,
            "return (losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)).reshape(1)",
        ),
        mistake(
            "loss_in_bits",
            "the logarithm has base 2, so the loss is in bits",
            LOSS,
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1) / math.log(2)",
        ),
        mistake(
            "loss_adds_a_small_number",
            "1e-9 is added to the softmax probabilities before the logarithm",
            LOG_PROBABILITIES,
            "log_probabilities = (logits.softmax(dim=-1) + 1e-9).log()",
        ),
        mistake(
            "loss_clamps_the_logits",
            "the logits are clamped to -30 … 30",
            LOG_PROBABILITIES,
            "log_probabilities = logits.clamp(-30, 30).log_softmax(dim=-1)",
        ),
        mistake(
            "loss_computed_in_float32",
            "the loss is computed in float32 and converted back",
            LOG_PROBABILITIES,
            "log_probabilities = logits.float().log_softmax(dim=-1).to(logits.dtype)",
        ),
        mistake(
            "loss_ignores_no_class",
            "targets of `ignore_index` count where it is a class",
            "counted = targets != ignore_index  # (…)",
            "counted = (targets != ignore_index) | (targets >= 0)",
        ),
    ),
    "sample_batch": (
        mistake(
            "batch_targets_are_the_inputs", "the targets are the inputs themselves", "windows[:, 1:]", "windows[:, :-1]"
        ),
        mistake(
            "batch_targets_are_ids_plus_one",
            "the targets are the token ids plus one instead of the next tokens",
            WINDOWS,
            "return windows[:, :-1], windows[:, :-1] + 1",
        ),
        mistake(
            "batch_targets_come_before",
            "the inputs and targets are swapped, so the model predicts the previous token",
            WINDOWS,
            "return windows[:, 1:], windows[:, :-1]",
        ),
        mistake(
            "batch_keeps_the_dtype", "the batch has the dtype of `tokens`", "+ 1].long() for start", "+ 1] for start"
        ),
        mistake(
            "batch_never_starts_last",
            "the last possible start of a window is never drawn",
            "starts = torch.randint(places, (batch_size,)",
            "starts = torch.randint(max(1, places - 1), (batch_size,)",
        ),
        mistake(
            "batch_starts_too_late",
            "the last target of a window can lie past the end of the text",
            (
                "starts = torch.randint(places, (batch_size,), generator=generator).tolist()\n"
                "    windows = torch.stack([tokens[start : start + context_length + 1].long() for start in starts])"
            ),
            (
                "starts = torch.randint(places + 1, (batch_size,), generator=generator)\n"
                "    windows = tokens.long()[(starts[:, None] + torch.arange(context_length + 1)) % len(tokens)]"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "batch_cuts_the_text_once",
            "windows start only at multiples of context_length",
            STARTS,
            (
                "pieces = (places - 1) // context_length + 1\n"
                "    starts = (torch.randint(pieces, (batch_size,), generator=generator) * context_length).tolist()"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "batch_in_order",
            "the windows are taken in order instead of at random",
            STARTS,
            "starts = (torch.arange(batch_size) % places).tolist()",
        ),
        mistake(
            "batch_from_the_global_generator",
            "the starts are drawn from the global generator instead of `generator`",
            "(batch_size,), generator=generator)",
            "(batch_size,))",
            named=False,  # the draws are random
        ),
        mistake(
            "batch_accepts_a_short_text", "a text that is one token too short is accepted", "places < 1:", "places < 0:"
        ),
        mistake(
            "batch_refuses_one_too_many", "a text with a single window is rejected", "if places < 1:", "if places < 2:"
        ),
        mistake(
            "batch_stays_on_the_cpu",
            "the argument `device` is ignored",
            "    windows = windows.to(device)  # (batch_size, context_length + 1)\n",
            "",
        ),
        mistake(
            "batch_needs_a_generator",
            "`sample_batch` fails without a generator",
            "(batch_size,), generator=generator)",
            "(batch_size,), generator=generator, device=generator.device)",
        ),
        mistake(
            "batch_repeats_without_a_generator",
            "a new generator is made where none is given, so each batch is the same",
            "(batch_size,), generator=generator)",
            "(batch_size,), generator=generator or torch.Generator())",
            named=False,  # the draws are random
        ),
        mistake(
            "batch_without_replacement",
            "the starts are drawn without replacement, so a short text has too few of them",
            STARTS,
            "starts = torch.randperm(places, generator=generator)[:batch_size].tolist()",
            named=False,  # the draws are random
        ),
        mistake(
            "batch_ids_in_int16",
            "the token ids pass through int16, which is too small for large ids",
            "+ 1].long() for start",
            "+ 1].short().long() for start",
            named=False,  # the draws are random
        ),
    ),
    "GPT": (
        mistake(
            "gpt_without_a_mask", "the blocks get no causal mask", "x = block(x, mask=mask, cache", "x = block(x, cache"
        ),
        mistake(
            "gpt_masks_the_first_block_alone",
            "only the first block gets the causal mask",
            BLOCK,
            "x = block(x, mask=mask if block is self.blocks[0] else None, cache=cache)",
        ),
        mistake(
            "gpt_sees_one_too_far",
            "each position sees the token that it must predict",
            MASK,
            "mask = torch.ones(length, seen + length, dtype=torch.bool, device=tokens.device).tril(seen + 1)",
        ),
        mistake(
            "gpt_without_places",
            "the position embedding is not added",
            (
                "x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))  # (batch, "
                "length, d_model)"
            ),
            "x = self.dropout(self.token_embedding(tokens))",
        ),
        mistake(
            "gpt_scales_the_embedding",
            "the token embedding is multiplied by √d_model, as in the original Transformer",
            "self.dropout(self.token_embedding(tokens) + ",
            "self.dropout(self.token_embedding(tokens) * math.sqrt(self.config.d_model) + ",
        ),
        mistake("gpt_without_the_last_norm", "the final norm is not applied", "(self.norm(x),", "(x,"),
        mistake(
            "gpt_gives_probabilities",
            "probabilities are returned instead of logits",
            "return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, length, vocab_size)",
            (
                "return functional.linear(self.norm(x), self.token_embedding.weight).softmax(dim=-1)  # (batch, "
                "length, vocab_size)"
            ),
        ),
        mistake(
            "gpt_has_a_head_of_its_own",
            "the logits come from a separate matrix instead of the token embedding",
            "        self.dropout = nn.Dropout(config.dropout)\n",
            (
                "        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)\n"
                "        self.dropout = nn.Dropout(config.dropout)\n"
            ),
            (
                "        return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, length, "
                "vocab_size)\n"
            ),
            "        return self.head(self.norm(x))\n",
        ),
        mistake(
            "gpt_keeps_its_weight_twice",
            "the weight of the token embedding is also registered under another name",
            "self.dropout = nn.Dropout(config.dropout)",
            (
                "self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)\n"
                "        self.head.weight = self.token_embedding.weight\n"
                "        self.dropout = nn.Dropout(config.dropout)"
            ),
        ),
        mistake(
            "gpt_detaches_its_output",
            "the weight of the token embedding is detached where it computes the logits",
            "functional.linear(self.norm(x), self.token_embedding.weight)",
            "functional.linear(self.norm(x), self.token_embedding.weight.detach())",
        ),
        mistake(
            "gpt_blocks_in_a_plain_list",
            "the blocks are in a plain Python list, so PyTorch does not register them",
            "self.blocks = nn.ModuleList(",
            "self.blocks = list(",
        ),
        mistake(
            "gpt_ignores_the_caches",
            "the caches are not passed on to the blocks",
            BLOCK,
            "x = block(x, mask=mask[:, -length:], cache=None)",
        ),
        mistake(
            "gpt_starts_places_anew",
            "the positions of new tokens restart at 0 when caches are given",
            POSITIONS,
            POSITIONS.replace("seen, seen + ", ""),
        ),
        mistake(
            "gpt_masks_new_tokens_alone",
            "the causal mask covers only the new tokens when caches are given",
            MASK,
            "mask = causal_mask(length, device=tokens.device) if length > 1 else None",
        ),
        mistake(
            "gpt_lets_pieces_see_all",
            "new tokens also attend to later new tokens when caches are given",
            MASK,
            MASK.replace("  # (length, seen + length)", " if seen == 0 else None"),
        ),
        mistake(
            "gpt_takes_any_length",
            "too many tokens raise an IndexError instead of a ValueError",
            (
                "        if seen + length > self.config.context_length:\n"
                '            raise ValueError(f"{seen + length} tokens, but the context has '
                '{self.config.context_length}")\n'
            ),
            "",
        ),
        mistake(
            "gpt_refuses_a_full_context",
            "a sequence of exactly context_length tokens is rejected",
            "+ length >",
            "+ length >=",
        ),
        mistake(
            "gpt_forgets_the_cache_in_the_limit",
            "only the new tokens count towards context_length",
            "        if seen + length > self",
            "        if length > self",
            "        positions = torch.arange(seen, seen + length, device=tokens.device)\n",
            (
                "        positions = torch.arange(seen, seen + length, "
                "device=tokens.device).clamp(max=self.config.context_length - 1)\n"
            ),
        ),
        mistake(
            "gpt_starts_as_pytorch_does",
            "the parameters keep PyTorch's default initialisation",
            "for name, parameter in self.named_parameters():",
            "for name, parameter in []:",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_starts_embeddings_large",
            "the embeddings keep the standard deviation 1 of `nn.Embedding`",
            "elif parameter.ndim == 2:",
            'elif parameter.ndim == 2 and "embedding" not in name:',
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_starts_output_projections_like_others",
            "the output projections have the initial standard deviation of the other matrices",
            "std=config.init_std / math.sqrt(2 * config.num_blocks))",
            "std=config.init_std)",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_divides_by_root_of_blocks",
            "the initial standard deviation of the output projections is init_std / √num_blocks",
            "math.sqrt(2 * config.num_blocks)",
            "math.sqrt(config.num_blocks)",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_starts_attention_projections_alone",
            "only the output projections of the attention have a smaller initial standard deviation",
            'name.endswith("output_proj.weight")',
            'name.endswith("attention.output_proj.weight")',
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_starts_with_biases",
            "the biases keep PyTorch's default initialisation",
            '            elif name.endswith("bias"):\n                nn.init.zeros_(parameter)\n',
            "",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_drops_no_embedding",
            "dropout is not applied to the embeddings",
            "x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
            "x = self.token_embedding(tokens) + self.position_embedding(positions)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "gpt_drops_tokens_before_places",
            "dropout is applied to the token embedding before the position embedding is added",
            "self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
            "self.dropout(self.token_embedding(tokens)) + self.position_embedding(positions)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "gpt_drops_in_no_block",
            "the blocks have no dropout",
            ", config.dropout)",
            ")",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "gpt_makes_places_on_the_cpu",
            ON_THE_CPU,
            POSITIONS,
            "positions = torch.arange(seen, seen + length)",
        ),
        mistake("gpt_computes_in_float32", "the logits are converted to float32", LOGITS, LOGITS + ".float()"),
        mistake(
            "gpt_knows_one_dtype_only",
            "the logits are written into a preallocated tensor, whose dtype differs under autocast",
            LOGITS,
            (
                "logits = x.new_empty(*tokens.shape, len(self.token_embedding.weight))\n"
                "        places = torch.arange(length, device=tokens.device)\n"
                "        logits[:, places] = functional.linear(self.norm(x), self.token_embedding.weight)\n"
                "        return logits"
            ),
        ),
        mistake(
            "gpt_repeats_one_block",
            "all blocks are the same block",
            """self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout)
            for _ in range(config.num_blocks)
        )""",
            """block = EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout)
        self.blocks = nn.ModuleList([block] * config.num_blocks)""",
        ),
        mistake(
            "gpt_starts_uniform",
            "the matrices start with uniformly distributed numbers",
            """elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=config.init_std)""",
            """elif parameter.ndim == 2:
                nn.init.uniform_(parameter, -config.init_std * math.sqrt(3), config.init_std * math.sqrt(3))""",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_ignores_init_std",
            "the initial standard deviation is 0.02, whatever `init_std` is",
            "elif parameter.ndim == 2:\n                nn.init.normal_(parameter, std=config.init_std)",
            "elif parameter.ndim == 2:\n                nn.init.normal_(parameter, std=0.02)",
            named=False,  # the initial parameters are random
        ),
        mistake(
            "gpt_always_drops",
            "dropout acts on the embeddings in eval mode too",
            "x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
            (
                "x = functional.dropout(self.token_embedding(tokens) + self.position_embedding(positions), "
                "self.config.dropout)"
            ),
            named=False,  # outputs with dropout are random
        ),
    ),
    "learning_rate": (
        mistake("rate_starts_at_zero", "the warm-up rate is 0 at the first step", "* (step + 1)", "* step"),
        mistake(
            "rate_warms_up_one_step_more", "the warm-up lasts one step too long", "step < warmup:", "step <= warmup:"
        ),
        mistake(
            "rate_counts_the_cosine_from_zero",
            "the progress of the cosine is step/total, which ignores the warm-up",
            PROGRESS,
            "progress = min(1.0, step / total)",
        ),
        mistake(
            "rate_goes_up_again",
            "the cosine rises again after `total`",
            PROGRESS,
            "progress = (step - warmup) / (total - warmup)",
        ),
        mistake(
            "rate_falls_to_zero",
            "the cosine falls to 0 instead of min_rate",
            "return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2",
            "return max_rate * (1 + math.cos(math.pi * progress)) / 2",
        ),
        mistake(
            "rate_ends_after_total_steps_of_cosine",
            "the cosine lasts `total` steps after the warm-up",
            PROGRESS,
            "progress = min(1.0, (step - warmup) / total)",
        ),
        mistake(
            "rate_divides_by_one_more",
            "the warm-up rate is max_rate·(step + 1)/(warmup + 1)",
            "* (step + 1) / warmup",
            "* (step + 1) / (warmup + 1)",
        ),
        mistake(
            "rate_is_cut_off_at_min_rate",
            "the cosine falls to 0, and lower rates are replaced by min_rate",
            "return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2",
            "return max(min_rate, max_rate * (1 + math.cos(math.pi * progress)) / 2)",
        ),
        mistake(
            "rate_falls_in_a_line",
            "the rate falls linearly instead of along a cosine",
            "return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2",
            "return min_rate + (max_rate - min_rate) * (1 - progress)",
        ),
        mistake(
            "rate_takes_a_whole_cosine",
            "a whole period of the cosine is used instead of half a period",
            "math.cos(math.pi * progress)",
            "math.cos(2 * math.pi * progress)",
        ),
        mistake(
            "rate_cools_one_step_early",
            "the progress of the cosine is one step ahead",
            PROGRESS,
            "progress = min(1.0, (step + 1 - warmup) / (total - warmup))",
        ),
    ),
    "clip_gradients": (
        mistake(
            "clip_scales_up",
            "gradients with a small norm are scaled up",
            "factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)",
            "factor = max_norm / (norm + 1e-6)",
        ),
        mistake(
            "clip_each_by_itself",
            "each gradient is clipped by its own norm",
            CLIP,
            "gradient.mul_((max_norm / (gradient.norm() + 1e-6)).clamp(max=1.0))",
        ),
        mistake(
            "clip_by_value",
            "each element is clipped to max_norm, whatever the norm is",
            CLIP,
            "gradient.clamp_(-max_norm, max_norm)",
        ),
        mistake("clip_adds_norms", "the total norm is the sum of the norms of the gradients", "]).norm(", "]).sum("),
        mistake(
            "clip_returns_the_norm_after", "the norm after clipping is returned", "return norm", "return norm * factor"
        ),
        mistake(
            "clip_returns_nothing",
            "None is returned instead of the norm",
            "return norm",
            "return None",
            named=False,  # an empty function returns None too
        ),
        mistake(
            "clip_reads_twice",
            "the parameters are iterated twice, although a generator yields them only once",
            "for gradient in gradients:\n        gradient.mul_",
            (
                "for gradient in [parameter.grad for parameter in parameters if parameter.grad is not None]:\n"
                "        gradient.mul_"
            ),
            named=False,  # a function that never clips does the same with a generator
        ),
        mistake(
            "clip_needs_every_gradient",
            "`clip_gradients` fails for a parameter without a gradient",
            "for parameter in parameters if parameter.grad is not None]\n    if not",
            "for parameter in parameters]\n    if not",
        ),
        mistake(
            "clip_needs_one_gradient",
            "`clip_gradients` fails when no parameter has a gradient",
            "    if not gradients:\n        return torch.tensor(0.0)\n",
            "",
        ),
        mistake(
            "clip_without_the_small_number", "nothing is added to the norm in the divisor", "(norm + 1e-6)).", "norm)."
        ),
        mistake(
            "clip_stops_at_a_missing_gradient",
            "gradients after the first parameter without a gradient are left out",
            "gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]",
            """gradients = []
    for parameter in parameters:
        if parameter.grad is None:
            break
        gradients.append(parameter.grad)""",
        ),
        mistake("clip_returns_a_float", "the norm is returned as a float", "return norm\n", "return norm.item()\n"),
        mistake(
            "clip_adds_a_larger_number",
            "1e-4 is added to the norm instead of 1e-6",
            "(norm + 1e-6)).",
            "(norm + 1e-4)).",
        ),
        mistake(
            "clip_takes_the_largest_norm",
            "the largest norm of one gradient is taken for the total norm",
            "]).norm()",
            "]).max()",
        ),
    ),
    "parameter_groups": (
        mistake(
            "groups_decay_all",
            "all parameters decay",
            (
                '{"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": '
                "weight_decay},\n"
                '        {"params": [parameter for parameter in parameters if parameter.ndim < 2], '
                '"weight_decay": 0.0},'
            ),
            '{"params": parameters, "weight_decay": weight_decay},\n        {"params": [], "weight_decay": 0.0},',
        ),
        mistake(
            "groups_spare_embeddings",
            "the embeddings do not decay",
            PARAMETERS,
            (
                "    parameters = list(model.parameters())\n"
                "    spared = [parameter for name, parameter in model.named_parameters() if parameter.ndim < 2 "
                'or "embedding" in name]\n'
                "    decayed = [parameter for parameter in parameters if all(parameter is not other for other in "
                "spared)]\n"
            ),
            GROUPS,
            NAMED_GROUPS,
        ),
        mistake(
            "groups_spare_biases_alone",
            "only the biases are exempt from decay, so the gains of the norms decay",
            PARAMETERS,
            (
                "    decayed = [parameter for name, parameter in model.named_parameters() if not "
                'name.endswith("bias")]\n'
                '    spared = [parameter for name, parameter in model.named_parameters() if name.endswith("bias")]\n'
            ),
            GROUPS,
            NAMED_GROUPS,
        ),
        mistake(
            "groups_hold_tied_ones_twice",
            "a parameter that is used in two places is listed twice",
            "parameters = list(model.parameters())  # each once, where it is used in two places too",
            "parameters = [parameter for _, parameter in model.named_parameters(remove_duplicate=False)]",
            must_fail=["test_groups_hold_each_parameter_once"],
        ),
        mistake(
            "groups_leave_decay_to_the_optimizer",
            "the spared group has no `weight_decay` and inherits the optimizer's value",
            'if parameter.ndim < 2], "weight_decay": 0.0},',
            "if parameter.ndim < 2]},",
        ),
        mistake(
            "groups_go_by_name",
            "the name of a parameter decides whether it decays, not its number of axes",
            PARAMETERS,
            (
                "    named = list(model.named_parameters())\n"
                '    decayed = [p for name, p in named if name.endswith("weight") and "norm" not in name]\n'
                '    spared = [p for name, p in named if not name.endswith("weight") or "norm" in name]\n'
            ),
            GROUPS,
            NAMED_GROUPS,
        ),
        mistake(
            "groups_in_reverse",
            "the group without decay comes first",
            PARAMETERS,
            (
                "    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]\n"
                "    spared = [parameter for parameter in model.parameters() if parameter.ndim < 2]\n"
            ),
            GROUPS,
            (
                '        {"params": spared, "weight_decay": 0.0},\n'
                '        {"params": decayed, "weight_decay": weight_decay},\n'
            ),
        ),
        mistake(
            "groups_hold_generators",
            "the parameters of a group are a generator, which can be read only once",
            PARAMETERS,
            (
                "    parameters = list(model.parameters())\n"
                "    decayed = (parameter for parameter in parameters if parameter.ndim >= 2)\n"
                "    spared = (parameter for parameter in parameters if parameter.ndim < 2)\n"
            ),
            GROUPS,
            NAMED_GROUPS,
        ),
    ),
    "AdamW": (
        mistake(
            "adamw_without_correction",
            "the running means are not bias-corrected",
            (
                'mean = state["mean"] / (1 - beta1 ** state["step"])  # both means began at zero: make up for that\n'
                '        square = state["square"] / (1 - beta2 ** state["step"])'
            ),
            'mean, square = state["mean"], state["square"]',
        ),
        mistake(
            "adamw_corrects_one_mean",
            "only the mean of the gradients is bias-corrected, not the mean of their squares",
            'square = state["square"] / (1 - beta2 ** state["step"])',
            'square = state["square"]',
        ),
        mistake(
            "adamw_decays_through_the_gradient",
            "weight decay is added to the gradient, as in L2 regularisation",
            '        (beta1, beta2), rate, gradient = group["betas"], group["lr"], parameter.grad\n',
            (
                '        (beta1, beta2), rate = group["betas"], group["lr"]\n'
                '        gradient = parameter.grad + group["weight_decay"] * parameter\n'
            ),
            '        parameter.mul_(1 - rate * group["weight_decay"])\n',
            "",
        ),
        mistake(
            "adamw_decays_without_the_rate",
            "weight decay is not multiplied by the learning rate",
            "- rate * group",
            "- group",
        ),
        mistake(
            "adamw_decays_after_the_step",
            "the weights decay after the Adam update instead of before it",
            (
                'parameter.mul_(1 - rate * group["weight_decay"])\n'
                '        parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)'
            ),
            (
                'parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)\n'
                '        parameter.mul_(1 - rate * group["weight_decay"])'
            ),
        ),
        mistake(
            "adamw_puts_eps_under_the_root",
            "eps is added inside the square root",
            'square.sqrt() + group["eps"]',
            '(square + group["eps"]).sqrt()',
        ),
        mistake(
            "adamw_adds_eps_before_correcting",
            "eps is added before the mean of the squares is bias-corrected",
            'parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)',
            (
                'root = (state["square"].sqrt() + group["eps"]) / math.sqrt(1 - beta2 ** state["step"])\n'
                "        parameter.addcdiv_(mean, root, value=-rate)"
            ),
        ),
        mistake("adamw_swaps_the_betas", "the two betas are swapped", "(beta1, beta2), rate,", "(beta2, beta1), rate,"),
        mistake(
            "adamw_reads_the_first_group_alone",
            "the settings of the first group are used for all groups",
            UPDATE,
            "self.update(parameter, self.param_groups[0])",
        ),
        mistake(
            "adamw_reads_its_defaults",
            "the defaults from `__init__` are used instead of the settings of the group",
            UPDATE,
            "self.update(parameter, self.defaults)",
        ),
        mistake(
            "adamw_counts_all_steps_together",
            "all parameters share one step count",
            'state["step"] += 1',
            (
                'self.count = getattr(self, "count", 0) + (parameter is self.param_groups[0]["params"][0])\n'
                '        state["step"] = self.count'
            ),
        ),
        mistake("adamw_needs_every_gradient", "AdamW fails for a parameter without a gradient", CHECKED_UPDATE, UPDATE),
        mistake(
            "adamw_decays_without_gradient",
            "a parameter without a gradient still decays",
            "if parameter.grad is not None:",
            (
                "if parameter.grad is None:\n"
                '                    parameter.mul_(1 - group["lr"] * group["weight_decay"])\n'
                "                else:"
            ),
        ),
        mistake(
            "adamw_takes_a_missing_gradient_for_zero",
            "a missing gradient counts as zero, so the parameter is still updated",
            CHECKED_UPDATE,
            (
                "if parameter.grad is None:\n"
                "                    parameter.grad = torch.zeros_like(parameter)\n"
                "                self.update(parameter, group)"
            ),
        ),
        mistake(
            "adamw_never_decays_by_default",
            "the default weight decay is 0 instead of 0.01",
            ": float = 0.01",
            ": float = 0.0",
        ),
        mistake(
            "adamw_stops_at_a_missing_gradient",
            "parameters after the first parameter without a gradient are not updated",
            CHECKED_UPDATE,
            "if parameter.grad is None:\n                    break\n                self.update(parameter, group)",
        ),
        mistake(
            "adamw_ignores_its_closure",
            "`closure` is not called",
            CLOSURE,
            "",
        ),
        mistake(
            "adamw_disables_gradients_in_its_closure",
            "`closure` is called while gradients are disabled",
            "            with torch.enable_grad():\n                loss = closure()\n",
            "            loss = closure()\n",
        ),
        mistake(
            "adamw_calls_its_closure_after_the_update",
            "`closure` is called after the update instead of before it",
            CLOSURE,
            "",
            "        return loss\n\n    def update",
            CLOSURE + "        return loss\n\n    def update",
        ),
        mistake(
            "adamw_returns_nothing",
            "`step` does not return the result of `closure`",
            "        return loss\n\n    def update",
            "\n    def update",
        ),
        mistake(
            "adamw_keeps_float32_means",
            "the running means are float32, whatever the dtype of the parameter",
            "state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))",
            "state.update(step=0, mean=torch.zeros(parameter.shape), square=torch.zeros(parameter.shape))",
        ),
        mistake(
            "adamw_changes_the_gradients",
            "the gradients are multiplied by 1 - β₁ in place",
            """        state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
""",
            """        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        state["mean"].mul_(beta1).add_(gradient.mul_(1 - beta1))
""",
        ),
        mistake(
            "adamw_has_a_larger_eps_by_default",
            "the default eps is 1e-6 instead of 1e-8",
            "eps: float = 1e-8",
            "eps: float = 1e-6",
        ),
    ),
    "train_step": (
        mistake("train_never_zeroes", "the gradients are never zeroed", "    optimizer.zero_grad()\n", ""),
        mistake(
            "train_zeroes_before_the_step",
            "the gradients are zeroed between backward and step, so nothing is learnt",
            "optimizer.step()",
            "optimizer.zero_grad()\n    optimizer.step()",
        ),
        mistake(
            "train_zeroes_in_the_loop",
            "the gradients are zeroed before each batch, so only the last batch counts",
            "share.backward()",
            "optimizer.zero_grad()\n        share.backward()",
        ),
        mistake(
            "train_steps_in_the_loop",
            "the optimizer steps after each batch",
            "        share.backward()\n",
            "        share.backward()\n        optimizer.step()\n",
            "    optimizer.step()\n    return loss\n",
            "    return loss\n",
        ),
        mistake(
            "train_sums_the_means",
            "the mean losses of the batches are summed",
            "targets) * (count / total)",
            "targets)",
        ),
        mistake(
            "train_takes_the_mean_of_means",
            "`train_step` gives all batches equal weight, whatever their number of counted targets",
            "cross_entropy(model(inputs), targets) * (count / total)\n        share.backward()",
            "cross_entropy(model(inputs), targets) / len(batches)\n        share.backward()",
        ),
        mistake(
            "train_weighs_by_size",
            "`train_step` weights a batch by its size, including ignored targets",
            "counts = [int((targets != IGNORE_INDEX).sum()) for _, targets in batches]\n    total = max",
            "counts = [targets.numel() for _, targets in batches]\n    total = max",
        ),
        mistake(
            "train_never_clips",
            "the gradients are not clipped",
            "    clip_gradients(model.parameters(), max_norm)\n",
            "",
        ),
        mistake(
            "train_clips_each_batch",
            "the gradients are clipped after each batch instead of once at the end",
            "share.backward()",
            "share.backward()\n        clip_gradients(model.parameters(), max_norm)",
        ),
        mistake(
            "train_returns_the_last_loss",
            "the loss of the last batch is returned",
            "loss += share.item()",
            "loss = share.item() * total / max(1, count)",
        ),
        mistake(
            "train_returns_a_tensor", "the loss is returned as a tensor", "loss += share.item()", "loss = loss + share"
        ),
        mistake(
            "train_clears_the_state",
            "the state of the optimizer is cleared before each step",
            "    optimizer.step()\n",
            "    optimizer.state.clear()\n    optimizer.step()\n",
        ),
        mistake(
            "train_switches_to_training_mode",
            "`train_step` puts the model into training mode",
            "    optimizer.zero_grad()\n",
            "    model.train()\n    optimizer.zero_grad()\n",
        ),
        mistake(
            "train_clips_the_parameters_of_the_optimizer",
            "the total norm is over the parameters of the optimizer, not of the model",
            "clip_gradients(model.parameters(), max_norm)",
            'clip_gradients([p for group in optimizer.param_groups for p in group["params"]], max_norm)',
        ),
        mistake(
            "train_divides_by_zero",
            "`train_step` divides by 0 when no target counts",
            "total = max(1, sum(counts))",
            "total = sum(counts)",
        ),
    ),
    "evaluate": (
        mistake(
            "evaluate_takes_the_mean_of_means",
            "`evaluate` gives all batches equal weight, whatever their number of counted targets",
            COUNT,
            "count = 1",
        ),
        mistake(
            "evaluate_weighs_by_size",
            "`evaluate` weights a batch by its size, including ignored targets",
            COUNT,
            "count = targets.numel()",
        ),
        mistake(
            "evaluate_weighs_by_rows", "`evaluate` weights a batch by its number of rows", COUNT, "count = len(targets)"
        ),
        mistake(
            "evaluate_drops",
            "dropout stays active during evaluation",
            "model.eval()\n    loss, total = 0.0, 0",
            "loss, total = 0.0, 0",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "evaluate_stays_in_eval_mode",
            "`evaluate` leaves the model in eval mode",
            "model.train(was_training)\n    return loss / max(1, total)",
            "pass\n    return loss / max(1, total)",
        ),
        mistake(
            "evaluate_makes_graphs",
            "gradients stay enabled during evaluation",
            "with torch.no_grad():\n            for inputs, targets in batches:",
            "with torch.enable_grad():\n            for inputs, targets in batches:",
            must_fail=["test_evaluation_makes_no_gradients"],
        ),
        mistake(
            "evaluate_divides_by_zero",
            "`evaluate` divides by 0 when no target counts",
            "loss / max(1, total)",
            "loss / total",
        ),
        mistake(
            "evaluate_ends_in_training_mode",
            "`evaluate` leaves the model in training mode",
            "model.train(was_training)\n    return loss / max(1, total)",
            "model.train()\n    return loss / max(1, total)",
        ),
        mistake("evaluate_sums", "the losses are summed, not averaged", "return loss / max(1, total)", "return loss"),
    ),
    "next_token_probabilities": (
        mistake(
            "probabilities_ignore_the_temperature", "the logits are not divided by the temperature", TEMPERATURE, ""
        ),
        mistake(
            "probabilities_divide_by_zero",
            "the logits are divided by a temperature of 0",
            (
                "    if temperature == 0:\n"
                "        return functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)\n"
            ),
            "",
        ),
        mistake(
            "probabilities_of_argmax_as_integers", "temperature 0 gives integer probabilities", ".to(logits.dtype)", ""
        ),
        mistake(
            "top_k_fills_with_a_small_number",
            "the removed tokens get the logit 1e-10, which is not a low logit",
            TOP_K,
            TOP_K.replace("-math.inf", "1e-10"),
        ),
        mistake(
            "top_k_drops_the_kth", "the top_k-th token is removed too", "(logits < kept[...", "(logits <= kept[..."
        ),
        mistake(
            "top_k_cuts_ties",
            "tokens that tie with the top_k-th token are removed",
            TOP_K,
            (
                "chosen = logits.topk(min(top_k, logits.shape[-1]), dim=-1).indices\n"
                "        logits = torch.full_like(logits, -math.inf).scatter(-1, chosen, kept)"
            ),
        ),
        mistake(
            "top_k_needs_a_large_vocabulary",
            "a top_k larger than the vocabulary raises an error",
            "logits.topk(min(top_k, logits.shape[-1]), dim=-1)",
            "logits.topk(top_k, dim=-1)",
        ),
        mistake(
            "top_p_drops_the_crossing_token",
            "the token that crosses top_p is removed",
            "dropped = ordered.cumsum(dim=-1) - ordered >= top_p  # those before it reach top_p without it",
            "dropped = ordered.cumsum(dim=-1) > top_p",
        ),
        mistake(
            "top_p_of_zero_drops_everything",
            "a top_p of 0 removes even the most probable token",
            "        dropped[..., 0] = False\n",
            "",
        ),
        mistake(
            "top_p_forgets_the_order",
            "the tokens to remove are indexed in sorted order, not in vocabulary order",
            (
                "        dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the order of "
                "the vocabulary\n"
            ),
            "",
        ),
        mistake(
            "top_p_gathers",
            "the sort order is applied a second time instead of being undone",
            "dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the order of the vocabulary",
            "dropped = dropped.gather(-1, order)",
        ),
        mistake(
            "top_p_does_not_normalise",
            "the probabilities are not renormalised after top-p",
            "        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)\n",
            "",
        ),
        mistake(
            "top_p_before_top_k",
            "top-p is applied to the probabilities of all tokens, before top-k",
            "        ordered, order = probabilities.sort(dim=-1, descending=True)\n",
            "        ordered, order = before_top_k.softmax(dim=-1).sort(dim=-1, descending=True)\n",
            TEMPERATURE,
            "    logits = before_top_k = logits / temperature\n",
        ),
        mistake(
            "top_p_before_the_temperature",
            "top-p is applied to the probabilities at temperature 1",
            "ordered, order = probabilities.sort(dim=-1, descending=True)",
            "ordered, order = (logits * temperature).softmax(dim=-1).sort(dim=-1, descending=True)",
        ),
        mistake(
            "probabilities_over_the_first_axis",
            "the softmax runs over the first axis instead of the last",
            PROBABILITIES,
            "probabilities = logits.softmax(dim=0)",
        ),
        mistake(
            "probabilities_in_float32",
            "the probabilities are computed and returned in float32",
            PROBABILITIES,
            "probabilities = logits.float().softmax(dim=-1)",
        ),
        mistake(
            "probabilities_divide_in_place", "the logits are divided by the temperature in place", "= logits /", "/="
        ),
        mistake(
            "top_k_fills_in_place",
            "the removed logits are overwritten in place",
            TEMPERATURE,
            "    logits = logits / temperature if temperature != 1 else logits\n",
            "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
            "        logits[logits < kept[..., -1:]] = -math.inf\n",
        ),
        mistake(
            "probabilities_computed_in_float32",
            "the probabilities are computed in float32 and converted back",
            PROBABILITIES,
            "probabilities = logits.float().softmax(dim=-1).to(logits.dtype)",
        ),
        mistake(
            "probabilities_clamp_the_logits",
            "the logits are clamped to -30 … 30",
            PROBABILITIES,
            "probabilities = logits.clamp(-30, 30).softmax(dim=-1)",
        ),
        mistake(
            "probabilities_divided_by_the_temperature",
            "the probabilities are divided by the temperature instead of the logits",
            TEMPERATURE,
            "",
            PROBABILITIES,
            "probabilities = logits.softmax(dim=-1) / temperature",
        ),
        mistake(
            "top_k_fills_with_minus_1e9",
            "the removed tokens get the logit -1e9 instead of -inf",
            TOP_K,
            TOP_K.replace("-math.inf", "-1e9"),
        ),
        mistake(
            "top_k_fills_with_minus_1e4",
            "the removed tokens get the logit -10000 instead of -inf",
            TOP_K,
            TOP_K.replace("-math.inf", "-1e4"),
        ),
        mistake(
            "top_p_keeps_one_more",
            "one token more than needed is kept",
            "dropped = ordered.cumsum(dim=-1) - ordered >= top_p  # those before it reach top_p without it",
            "dropped = (ordered.cumsum(dim=-1) - ordered).roll(1, dims=-1) >= top_p",
        ),
    ),
    "generate": (
        mistake(
            "generate_never_crops",
            "the tokens are never cropped to the context length",
            "            if use_cache and tokens.shape[1] <= context_length:\n",
            "            if use_cache:\n",
            "                logits = model(tokens[:, -context_length:])\n",
            "                logits = model(tokens)\n",
        ),
        mistake(
            "generate_crops_one_too_short",
            "the tokens are cropped to one less than the context length",
            CROPPED,
            "logits = model(tokens[:, -context_length + 1 :])",
        ),
        mistake(
            "generate_crops_the_end",
            "cropping keeps the first tokens instead of the last tokens",
            CROPPED,
            "logits = model(tokens[:, :context_length])",
        ),
        mistake(
            "generate_returns_the_window",
            "the tokens before the context window are not returned",
            "tokens = torch.cat((tokens, token), dim=1)",
            "tokens = torch.cat((tokens[:, -context_length:], token), dim=1)",
        ),
        mistake(
            "generate_returns_the_new_tokens",
            "only the new tokens are returned, without the prompt",
            "return tokens\n    ### END SOLUTION\n\n\nclass ByteBPE",
            "return tokens[:, prompt.shape[1] :]\n    ### END SOLUTION\n\n\nclass ByteBPE",
        ),
        mistake(
            "generate_is_always_greedy",
            "the most probable token is always chosen, whatever the temperature is",
            TOKEN,
            "token = probabilities.argmax(dim=-1, keepdim=True)",
        ),
        mistake(
            "generate_draws_from_logits",
            "tokens are drawn in proportion to their logits",
            TOKEN,
            (
                "weights = logits[:, -1].clamp(min=1e-6) if temperature else probabilities\n"
                "                token = torch.multinomial(weights, 1, generator=generator)"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "generate_ignores_the_temperature",
            "every temperature other than 0 is replaced by 1",
            "next_token_probabilities(logits[:, -1], temperature, top_k, top_p)",
            "next_token_probabilities(logits[:, -1], min(temperature, 1.0) and 1.0, top_k, top_p)",
            named=False,  # the draws are random
        ),
        mistake(
            "generate_ignores_top_k",
            "`top_k` is not passed on",
            "temperature, top_k",
            "temperature, None",
            named=False,  # the draws are random
        ),
        mistake(
            "generate_ignores_top_p",
            "`top_p` is not passed on",
            ", top_k, top_p)",
            ", top_k)",
            named=False,  # the draws are random
        ),
        mistake(
            "generate_from_the_global_generator",
            "the tokens are drawn from the global generator instead of `generator`",
            TOKEN,
            "token = torch.multinomial(probabilities, 1)",
            named=False,  # the draws are random
        ),
        mistake(
            "generate_drops",
            "dropout stays active during generation",
            "model.eval()\n    context_length",
            "context_length",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "generate_stays_in_eval_mode",
            "`generate` leaves the model in eval mode",
            "model.train(was_training)\n    return tokens",
            "pass\n    return tokens",
        ),
        mistake(
            "generate_feeds_the_last_token_alone",
            "only the last token of the prompt enters the cache",
            "model(tokens[:, len(caches[0]) :], caches)",
            "model(tokens[:, -1:], caches)",
        ),
        mistake(
            "generate_goes_on_with_a_stale_cache",
            "keys and values cached at outdated positions are reused past the context length",
            (
                "if use_cache and tokens.shape[1] <= context_length:\n"
                "                    logits = model(tokens[:, len(caches[0]) :], caches)"
            ),
            (
                "if use_cache and (tokens.shape[1] <= context_length or len(caches[0])):\n"
                "                    if len(caches[0]) == context_length:\n"
                "                        full, caches = caches, [KeyValueCache() for _ in model.blocks]\n"
                "                        heads = model.config.num_heads\n"
                "                        none = torch.zeros(len(tokens), heads, 0, model.config.d_model // heads)\n"
                "                        for old, new in zip(full, caches, strict=True):\n"
                "                            key, value = old.append(none.to(tokens.device), none.to(tokens.device))\n"
                "                            new.append(key[:, :, 1:], value[:, :, 1:])\n"
                "                    seen = len(caches[0])\n"
                "                    logits = model(tokens[:, seen:] if tokens.shape[1] <= context_length else "
                "tokens[:, -1:], caches)"
            ),
        ),
        mistake(
            "generate_needs_a_generator",
            "`generate` fails without a generator",
            TOKEN,
            "token = torch.multinomial(probabilities.to(generator.device), 1, generator=generator)",
        ),
        mistake(
            "generate_repeats_without_a_generator",
            "a new generator is made where none is given, so each text is the same",
            TOKEN,
            "token = torch.multinomial(probabilities, 1, generator=generator or torch.Generator())",
            named=False,  # the draws are random
        ),
        mistake(
            "generate_ends_in_training_mode",
            "`generate` leaves the model in training mode",
            "model.train(was_training)\n    return tokens",
            "model.train()\n    return tokens",
        ),
        mistake(
            "generate_reads_one_row",
            "the first row's token is appended to all rows",
            TOKEN,
            TOKEN.replace(
                "torch.multinomial(probabilities,", "torch.multinomial(probabilities[:1].expand_as(probabilities),"
            ),
        ),
    ),
    "ByteBPE": (
        mistake(
            "bpe_takes_the_larger_pair",
            "the larger of equally frequent pairs is merged",
            PAIR,
            "pair = max(counts, key=lambda candidate: (counts[candidate], candidate))",
        ),
        mistake(
            "bpe_takes_the_first_pair",
            "the first of equally frequent pairs in the text is merged",
            PAIR,
            "pair = max(counts, key=counts.get)",
        ),
        mistake(
            "bpe_counts_once",
            "the pairs are counted once at the start instead of after each merge",
            "while len(self.pieces) < vocab_size and len(ids) > 1:\n            counts = Counter(pairwise(ids))",
            (
                "start = Counter(pairwise(ids))\n"
                "        while len(self.pieces) < vocab_size and len(ids) > 1:\n"
                "            counts = {one: count for one, count in start.items() if one not in self.merges}"
            ),
        ),
        mistake(
            "bpe_counts_without_overlap",
            "overlapping pairs in a run of equal tokens are not counted",
            "counts = Counter(pairwise(ids))",
            (
                "counts, last = Counter(), None\n"
                "            for pair in pairwise(ids):\n"
                "                last = None if pair == last and pair[0] == pair[1] else pair\n"
                "                counts.update([pair] if last else [])"
            ),
        ),
        mistake("bpe_needs_a_pair", "training fails when no pair is left", " and len(ids) > 1:", ":"),
        mistake(
            "bpe_needs_two_pairs", "the last remaining pair is not merged", "and len(ids) > 1:", "and len(ids) > 2:"
        ),
        mistake(
            "bpe_encodes_the_longest_piece",
            "the text is split greedily into the longest matching tokens from left to right",
            (
                "ids = list(text.encode() if isinstance(text, str) else text)\n"
                "        for pair, new_id in self.merges.items():\n"
                "            ids = self.merge(ids, pair, new_id)"
            ),
            (
                "data = text.encode() if isinstance(text, str) else text\n"
                "        numbers = {piece: number for number, piece in reversed(list(enumerate(self.pieces)))}\n"
                "        ids, place = [], 0\n"
                "        while place < len(data):\n"
                "            length = next(n for n in range(len(data) - place, 0, -1) if data[place : place + n] "
                "in numbers)\n"
                "            ids.append(numbers[data[place : place + length]])\n"
                "            place += length"
            ),
        ),
        mistake(
            "bpe_merges_in_reverse",
            "the merges are applied in reverse order",
            "for pair, new_id in self.merges.items():",
            "for pair, new_id in reversed(self.merges.items()):",
        ),
        mistake(
            "bpe_uses_code_points",
            "a str is converted to its code points instead of UTF-8",
            "ids = list(text.encode() if isinstance(text, str) else text)",
            "ids = [min(ord(letter), 255) for letter in text] if isinstance(text, str) else list(text)",
        ),
        mistake(
            "bpe_decodes_to_text",
            "decoding replaces bytes that are not valid UTF-8",
            'return b"".join(self.pieces[token] for token in ids)',
            'return b"".join(self.pieces[token] for token in ids).decode(errors="replace").encode()',
        ),
        mistake(
            "bpe_stops_below_two",
            "pairs that occur only once are not merged",
            "            self.merges[pair] = len(self.pieces)\n",
            (
                "            if counts[pair] < 2:\n"
                "                break\n"
                "            self.merges[pair] = len(self.pieces)\n"
            ),
        ),
        mistake(
            "bpe_decodes_to_a_bytearray",
            "`decode` returns a bytearray",
            'return b"".join(self.pieces[token] for token in ids)',
            'return bytearray(b"".join(self.pieces[token] for token in ids))',
        ),
        mistake(
            "bpe_compares_second_ids_first",
            "equally frequent pairs are compared by their second ids first",
            "(-counts[candidate], candidate))",
            "(-counts[candidate], candidate[::-1]))",
        ),
        mistake(
            "bpe_compares_bytes",
            "equally frequent pairs are compared by their bytes instead of their ids",
            "(-counts[candidate], candidate))",
            "(-counts[candidate], [self.pieces[token] for token in candidate]))",
        ),
        mistake(
            "bpe_merges_from_the_right",
            "pairs are merged from right to left",
            """        merged = []
        for token in ids:
            if merged and (merged[-1], token) == pair:
                merged[-1] = new_id
            else:
                merged.append(token)
        return merged
""",
            """        merged = []
        for token in reversed(ids):
            if merged and (token, merged[-1]) == pair:
                merged[-1] = new_id
            else:
                merged.append(token)
        return merged[::-1]
""",
        ),
        mistake(
            "bpe_learns_one_more",
            "one token more than `vocab_size` is learnt",
            "while len(self.pieces) < vocab_size and",
            "while len(self.pieces) <= vocab_size and",
        ),
    ),
}
