"""Named mistakes of stage 6, as students make them."""

from autograder.course.mistakes import mistake

MISTAKES = {
    "cross_entropy": (
        mistake(
            "loss_divides_by_all_targets",
            "the loss is divided by the number of all targets, ignored ones included",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            "return losses.masked_fill(~counted, 0.0).mean()",
        ),
        mistake(
            "loss_counts_ignored_targets",
            "ignored targets count as if class 0 were theirs",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            "return losses.mean()",
        ),
        mistake(
            "loss_is_a_sum",
            "the losses are added up and not divided by how many there are",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            "return losses.masked_fill(~counted, 0.0).sum()",
        ),
        mistake(
            "loss_ignores_minus_100_alone",
            "-100 is ignored whatever `ignore_index` is",
            "counted = targets != ignore_index  # (…)",
            "counted = targets != -100\n    targets = targets.clamp(min=0)",
        ),
        mistake("loss_of_nothing_is_nan", "the sum is divided by zero where no target counts", "().clamp(min=1)", "()"),
        mistake(
            "loss_of_nothing_has_no_graph",
            "a plain 0.0 comes back where no target counts, which has no graph",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            "return losses[counted].mean() if counted.any() else torch.zeros((), dtype=logits.dtype)",
        ),
        mistake(
            "loss_takes_the_log_of_a_softmax",
            "the logarithm is taken of a softmax, which holds zeros where logits are large",
            "log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)",
            "log_probabilities = logits.softmax(dim=-1).log()",
        ),
        mistake("loss_takes_axis_one", "the classes are expected in axis 1", "(dim=-1)  # (…, vocab)", "(dim=1)"),
        mistake(
            "loss_detached",
            "the log-probabilities are cut off from the gradient",
            "log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)",
            (
                "log_probabilities = torch.tensor(logits.detach().log_softmax(dim=-1).tolist(), "
                "dtype=logits.dtype, device=logits.device)"
            ),
        ),
        mistake(
            "loss_in_float32",
            "the loss is computed in float32 and stays there",
            "log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)",
            "log_probabilities = logits.float().log_softmax(dim=-1)",
        ),
        mistake(
            "loss_counts_on_the_cpu",
            "the loss makes a tensor on the CPU",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            (
                "return losses.masked_fill(~counted, 0.0).sum() / torch.max(counted.sum(), torch.ones(1, "
                "dtype=torch.int64)).squeeze()"
            ),
        ),
        mistake(
            "loss_changes_the_targets",
            "the ignored targets are overwritten where the caller keeps them",
            "classes = targets.masked_fill(~counted, 0).unsqueeze(-1)",
            "classes = targets.masked_fill_(~counted, 0).unsqueeze(-1)",
        ),
        mistake(
            "loss_keeps_an_axis",
            "the loss keeps an axis of size 1",
            "return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
            "return (losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)).reshape(1)",
        ),
    ),
    "sample_batch": (
        mistake(
            "batch_targets_are_the_inputs", "the targets are the inputs themselves", "windows[:, 1:]", "windows[:, :-1]"
        ),
        mistake(
            "batch_targets_are_ids_plus_one",
            "the targets are the token ids plus one, not the tokens that come next",
            "return windows[:, :-1], windows[:, 1:]",
            "return windows[:, :-1], windows[:, :-1] + 1",
        ),
        mistake(
            "batch_targets_come_before",
            "inputs and targets are exchanged: the model is to tell the token before",
            "return windows[:, :-1], windows[:, 1:]",
            "return windows[:, 1:], windows[:, :-1]",
        ),
        mistake(
            "batch_keeps_the_dtype", "the batch keeps the dtype of the text", "+ 1].long() for start", "+ 1] for start"
        ),
        mistake(
            "batch_never_starts_last",
            "the last place where a window may start is never drawn",
            "starts = torch.randint(places, (batch_size,)",
            "starts = torch.randint(max(1, places - 1), (batch_size,)",
        ),
        mistake(
            "batch_starts_too_late",
            "a window may start where no token comes after it",
            (
                "starts = torch.randint(places, (batch_size,), generator=generator).tolist()\n"
                "    windows = torch.stack([tokens[start : start + context_length + 1].long() for start in starts])"
            ),
            (
                "starts = torch.randint(places + 1, (batch_size,), generator=generator)\n"
                "    windows = tokens.long()[(starts[:, None] + torch.arange(context_length + 1)) % len(tokens)]"
            ),
            named=False,
        ),
        mistake(
            "batch_cuts_the_text_once",
            "windows start at multiples of context_length only",
            "starts = torch.randint(places, (batch_size,), generator=generator).tolist()",
            (
                "pieces = (places - 1) // context_length + 1\n"
                "    starts = (torch.randint(pieces, (batch_size,), generator=generator) * context_length).tolist()"
            ),
            named=False,  # what is drawn instead is random
        ),
        mistake(
            "batch_in_order",
            "the windows are taken in order, not drawn",
            "starts = torch.randint(places, (batch_size,), generator=generator).tolist()",
            "starts = (torch.arange(batch_size) % places).tolist()",
        ),
        mistake(
            "batch_from_the_global_generator",
            "the generator is not used: the draws come from the global one",
            "(batch_size,), generator=generator)",
            "(batch_size,))",
            named=False,
        ),
        mistake(
            "batch_accepts_a_short_text", "a text that is too short by one is not refused", "places < 1:", "places < 0:"
        ),
        mistake(
            "batch_refuses_one_too_many", "a text with just one window is refused", "if places < 1:", "if places < 2:"
        ),
        mistake(
            "batch_stays_on_the_cpu",
            "the device is not used",
            "    windows = windows.to(device)  # (batch_size, context_length + 1)\n",
            "",
        ),
    ),
    "GPT": (
        mistake(
            "gpt_without_a_mask", "the blocks get no causal mask", "x = block(x, mask=mask, cache", "x = block(x, cache"
        ),
        mistake(
            "gpt_masks_the_first_block_alone",
            "only the first block gets the causal mask",
            "x = block(x, mask=mask, cache=cache)",
            "x = block(x, mask=mask if block is self.blocks[0] else None, cache=cache)",
        ),
        mistake(
            "gpt_sees_one_too_far",
            "a position sees the token that it is to predict",
            "mask = causal_mask(length, seen + length, device=tokens.device)  # (length, seen + length)",
            "mask = torch.ones(length, seen + length, dtype=torch.bool, device=tokens.device).tril(seen + 1)",
        ),
        mistake(
            "gpt_without_places",
            "the places of the tokens are not added",
            (
                "x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))  # (batch, "
                "length, d_model)"
            ),
            "x = self.dropout(self.token_embedding(tokens))",
        ),
        mistake(
            "gpt_scales_the_embedding",
            "the token embedding is multiplied by √d_model, as in the Transformer of 2017",
            "self.dropout(self.token_embedding(tokens) + ",
            "self.dropout(self.token_embedding(tokens) * math.sqrt(self.config.d_model) + ",
        ),
        mistake("gpt_without_the_last_norm", "the last norm is missing", "(self.norm(x),", "(x,"),
        mistake(
            "gpt_gives_probabilities",
            "probabilities come back, not logits",
            "return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, length, vocab_size)",
            (
                "return functional.linear(self.norm(x), self.token_embedding.weight).softmax(dim=-1)  # (batch, "
                "length, vocab_size)"
            ),
        ),
        mistake(
            "gpt_has_a_head_of_its_own",
            "the logits come from a matrix of their own, not from the token embedding",
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
            "the token embedding's weight is kept a second time, under another name",
            "self.dropout = nn.Dropout(config.dropout)",
            (
                "self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)\n"
                "        self.head.weight = self.token_embedding.weight\n"
                "        self.dropout = nn.Dropout(config.dropout)"
            ),
        ),
        mistake(
            "gpt_detaches_its_output",
            "the token embedding does not learn as an output: its weight is detached there",
            "functional.linear(self.norm(x), self.token_embedding.weight)",
            "functional.linear(self.norm(x), self.token_embedding.weight.detach())",
        ),
        mistake(
            "gpt_blocks_in_a_plain_list",
            "the blocks are in a plain list, where PyTorch does not see them",
            "self.blocks = nn.ModuleList(",
            "self.blocks = list(",
        ),
        mistake(
            "gpt_ignores_the_caches",
            "the caches are not handed to the blocks",
            "x = block(x, mask=mask, cache=cache)",
            "x = block(x, mask=mask[:, -length:], cache=None)",
        ),
        mistake(
            "gpt_starts_places_anew",
            "with caches, the new tokens' places begin at 0 again",
            "positions = torch.arange(seen, seen + length, device=tokens.device)",
            "positions = torch.arange(length, device=tokens.device)",
        ),
        mistake(
            "gpt_masks_new_tokens_alone",
            "with caches, the mask spans the new tokens alone",
            "mask = causal_mask(length, seen + length, device=tokens.device)  # (length, seen + length)",
            "mask = causal_mask(length, device=tokens.device) if length > 1 else None",
        ),
        mistake(
            "gpt_lets_pieces_see_all",
            "with caches, all new tokens see each other, later ones too",
            "mask = causal_mask(length, seen + length, device=tokens.device)  # (length, seen + length)",
            "mask = causal_mask(length, seen + length, device=tokens.device) if seen == 0 else None",
        ),
        mistake(
            "gpt_takes_any_length",
            "too many tokens are not refused; the embedding of places raises an IndexError",
            (
                "        if seen + length > self.config.context_length:\n"
                '            raise ValueError(f"{seen + length} tokens, but the context has '
                '{self.config.context_length}")\n'
            ),
            "",
        ),
        mistake(
            "gpt_refuses_a_full_context", "as many tokens as the context has are refused", "+ length >", "+ length >="
        ),
        mistake(
            "gpt_forgets_the_cache_in_the_limit",
            "only the new tokens are counted against the context",
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
            "the parameters start as PyTorch draws them",
            "for name, parameter in self.named_parameters():",
            "for name, parameter in []:",
            named=False,
        ),
        mistake(
            "gpt_starts_embeddings_large",
            "the embeddings start with the spread 1 of `nn.Embedding`",
            "elif parameter.ndim == 2:",
            'elif parameter.ndim == 2 and "embedding" not in name:',
            named=False,
        ),
        mistake(
            "gpt_starts_output_projections_like_others",
            "the output projections start with the spread of the others",
            "std=config.init_std / math.sqrt(2 * config.num_blocks))",
            "std=config.init_std)",
            named=False,
        ),
        mistake(
            "gpt_divides_by_root_of_blocks",
            "the output projections start with init_std / √num_blocks: each block adds twice",
            "math.sqrt(2 * config.num_blocks)",
            "math.sqrt(config.num_blocks)",
            named=False,
        ),
        mistake(
            "gpt_starts_attention_projections_alone",
            "of the output projections only those of the attention start smaller",
            'name.endswith("output_proj.weight")',
            'name.endswith("attention.output_proj.weight")',
            named=False,
        ),
        mistake(
            "gpt_starts_with_biases",
            "the biases start as PyTorch draws them, not at 0",
            '            elif name.endswith("bias"):\n                nn.init.zeros_(parameter)\n',
            "",
            named=False,
        ),
        mistake(
            "gpt_drops_no_embedding",
            "dropout does not act on the embeddings",
            "x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
            "x = self.token_embedding(tokens) + self.position_embedding(positions)",
            named=False,
        ),
        mistake(
            "gpt_drops_tokens_before_places",
            "dropout acts on the tokens' embedding, before the places are added",
            "self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))",
            "self.dropout(self.token_embedding(tokens)) + self.position_embedding(positions)",
            named=False,
        ),
        mistake("gpt_drops_in_no_block", "the blocks are made without dropout", ", config.dropout)", ")", named=False),
        mistake(
            "gpt_makes_places_on_the_cpu",
            "the places are made on the CPU",
            "positions = torch.arange(seen, seen + length, device=tokens.device)",
            "positions = torch.arange(seen, seen + length)",
        ),
        mistake(
            "gpt_computes_in_float32",
            "the logits are turned into float32",
            "return functional.linear(self.norm(x), self.token_embedding.weight)",
            "return functional.linear(self.norm(x), self.token_embedding.weight).float()",
        ),
        mistake(
            "gpt_knows_one_dtype_only",
            "numbers are put into a tensor made beforehand, whose dtype is another under autocast",
            "return functional.linear(self.norm(x), self.token_embedding.weight)",
            (
                "logits = x.new_empty(*tokens.shape, len(self.token_embedding.weight))\n"
                "        places = torch.arange(length, device=tokens.device)\n"
                "        logits[:, places] = functional.linear(self.norm(x), self.token_embedding.weight)\n"
                "        return logits"
            ),
        ),
    ),
    "learning_rate": (
        mistake(
            "rate_starts_at_zero", "the warm-up is step/warmup, which is 0 at the first step", "* (step + 1)", "* step"
        ),
        mistake(
            "rate_warms_up_one_step_more", "the warm-up goes on at step = warmup", "step < warmup:", "step <= warmup:"
        ),
        mistake(
            "rate_counts_the_cosine_from_zero",
            "the cosine's progress is step/total, as if there were no warm-up",
            "progress = min(1.0, (step - warmup) / (total - warmup))",
            "progress = min(1.0, step / total)",
        ),
        mistake(
            "rate_goes_up_again",
            "the cosine goes up again after `total`",
            "progress = min(1.0, (step - warmup) / (total - warmup))",
            "progress = (step - warmup) / (total - warmup)",
        ),
        mistake(
            "rate_falls_to_zero",
            "the cosine falls to zero, not to min_rate",
            "return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2",
            "return max_rate * (1 + math.cos(math.pi * progress)) / 2",
        ),
        mistake(
            "rate_ends_after_total_steps_of_cosine",
            "the cosine takes `total` steps after the warm-up",
            "progress = min(1.0, (step - warmup) / (total - warmup))",
            "progress = min(1.0, (step - warmup) / total)",
        ),
    ),
    "clip_gradients": (
        mistake(
            "clip_scales_up",
            "short gradients are made longer: the factor is not bounded by 1",
            "factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)",
            "factor = max_norm / (norm + 1e-6)",
        ),
        mistake(
            "clip_each_by_itself",
            "each gradient is clipped by its own norm",
            "gradient.mul_(factor.to(gradient.dtype))",
            "gradient.mul_((max_norm / (gradient.norm() + 1e-6)).clamp(max=1.0))",
        ),
        mistake(
            "clip_by_value",
            "each number is bounded by max_norm, and no norm is used",
            "gradient.mul_(factor.to(gradient.dtype))",
            "gradient.clamp_(-max_norm, max_norm)",
        ),
        mistake(
            "clip_adds_norms", "the norms of the gradients are added up instead of their squares", "]).norm(", "]).sum("
        ),
        mistake(
            "clip_returns_the_norm_after",
            "the norm comes back as it is after clipping",
            "return norm",
            "return norm * factor",
        ),
        mistake(
            "clip_returns_nothing",
            "nothing comes back",
            "return norm",
            "return None",
            named=False,  # a function that does nothing at all gives the same
        ),
        mistake(
            "clip_reads_twice",
            "the parameters are read twice, which a generator does not allow",
            "for gradient in gradients:\n        gradient.mul_",
            (
                "for gradient in [parameter.grad for parameter in parameters if parameter.grad is not None]:\n"
                "        gradient.mul_"
            ),
            named=False,  # so does this to a generator
        ),
        mistake(
            "clip_needs_every_gradient",
            "a parameter without a gradient is an error",
            "for parameter in parameters if parameter.grad is not None]\n    if not",
            "for parameter in parameters]\n    if not",
        ),
        mistake(
            "clip_needs_one_gradient",
            "where no parameter has a gradient, it stops with an error",
            "    if not gradients:\n        return torch.tensor(0.0)\n",
            "",
        ),
        mistake(
            "clip_without_the_small_number", "nothing is added to the norm in the divisor", "(norm + 1e-6)).", "norm)."
        ),
    ),
    "parameter_groups": (
        mistake(
            "groups_decay_all",
            "everything decays",
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
            "embeddings are spared",
            "    parameters = list(model.parameters())  # each once, where it is used in two places too\n",
            (
                "    parameters = list(model.parameters())\n"
                "    spared = [parameter for name, parameter in model.named_parameters() if parameter.ndim < 2 "
                'or "embedding" in name]\n'
                "    decayed = [parameter for parameter in parameters if all(parameter is not other for other in "
                "spared)]\n"
            ),
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
        mistake(
            "groups_spare_biases_alone",
            "only biases are spared, and the gains of norms decay",
            "    parameters = list(model.parameters())  # each once, where it is used in two places too\n",
            (
                "    decayed = [parameter for name, parameter in model.named_parameters() if not "
                'name.endswith("bias")]\n'
                '    spared = [parameter for name, parameter in model.named_parameters() if name.endswith("bias")]\n'
            ),
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
        mistake(
            "groups_hold_tied_ones_twice",
            "a parameter that is used in two places is there twice",
            "parameters = list(model.parameters())  # each once, where it is used in two places too",
            "parameters = [parameter for _, parameter in model.named_parameters(remove_duplicate=False)]",
        ),
        mistake(
            "groups_leave_decay_to_the_optimizer",
            "the spared group has no `weight_decay`, and gets the optimizer's",
            'if parameter.ndim < 2], "weight_decay": 0.0},',
            "if parameter.ndim < 2]},",
        ),
    ),
    "AdamW": (
        mistake(
            "adamw_without_correction",
            "the means are not corrected for their start at zero",
            (
                'mean = state["mean"] / (1 - beta1 ** state["step"])  # both means began at zero: make up for that\n'
                '        square = state["square"] / (1 - beta2 ** state["step"])'
            ),
            'mean, square = state["mean"], state["square"]',
        ),
        mistake(
            "adamw_corrects_one_mean",
            "only the mean of the gradients is corrected, not that of their squares",
            'square = state["square"] / (1 - beta2 ** state["step"])',
            'square = state["square"]',
        ),
        mistake(
            "adamw_decays_through_the_gradient",
            "decay is added to the gradient (L2), and so passes through the means",
            '        (beta1, beta2), rate, gradient = group["betas"], group["lr"], parameter.grad\n',
            (
                '        (beta1, beta2), rate = group["betas"], group["lr"]\n'
                '        gradient = parameter.grad + group["weight_decay"] * parameter\n'
            ),
            '        parameter.mul_(1 - rate * group["weight_decay"])\n',
            "",
        ),
        mistake(
            "adamw_decays_without_the_rate", "decay is not multiplied by the learning rate", "- rate * group", "- group"
        ),
        mistake(
            "adamw_decays_after_the_step",
            "the weights decay after Adam's step, so that the step decays too",
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
            "`eps` stands under the root",
            'square.sqrt() + group["eps"]',
            '(square + group["eps"]).sqrt()',
        ),
        mistake(
            "adamw_adds_eps_before_correcting",
            "`eps` is added before the squares are corrected",
            'parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)',
            (
                'root = (state["square"].sqrt() + group["eps"]) / math.sqrt(1 - beta2 ** state["step"])\n'
                "        parameter.addcdiv_(mean, root, value=-rate)"
            ),
        ),
        mistake(
            "adamw_swaps_the_betas", "the two betas are exchanged", "(beta1, beta2), rate,", "(beta2, beta1), rate,"
        ),
        mistake(
            "adamw_reads_the_first_group_alone",
            "the first group's settings count for all groups",
            "self.update(parameter, group)",
            "self.update(parameter, self.param_groups[0])",
        ),
        mistake(
            "adamw_reads_its_defaults",
            "the settings that `__init__` was given count, and not those of the group",
            "self.update(parameter, group)",
            "self.update(parameter, self.defaults)",
        ),
        mistake(
            "adamw_counts_all_steps_together",
            "all parameters share one count of steps",
            'state["step"] += 1',
            (
                'self.count = getattr(self, "count", 0) + (parameter is self.param_groups[0]["params"][0])\n'
                '        state["step"] = self.count'
            ),
        ),
        mistake(
            "adamw_needs_every_gradient",
            "a parameter without a gradient is an error",
            "if parameter.grad is not None:\n                    self.update(parameter, group)",
            "self.update(parameter, group)",
        ),
        mistake(
            "adamw_decays_without_gradient",
            "a parameter without a gradient decays all the same",
            "if parameter.grad is not None:",
            (
                "if parameter.grad is None:\n"
                '                    parameter.mul_(1 - group["lr"] * group["weight_decay"])\n'
                "                else:"
            ),
        ),
        mistake(
            "adamw_takes_a_missing_gradient_for_zero",
            "a missing gradient is taken for zero, and the means go on",
            "if parameter.grad is not None:\n                    self.update(parameter, group)",
            (
                "if parameter.grad is None:\n"
                "                    parameter.grad = torch.zeros_like(parameter)\n"
                "                self.update(parameter, group)"
            ),
        ),
        mistake("adamw_never_decays_by_default", "the default decay is 0", ": float = 0.01", ": float = 0.0"),
    ),
    "train_step": (
        mistake("train_never_zeroes", "the gradients are never zeroed", "    optimizer.zero_grad()\n", ""),
        mistake(
            "train_zeroes_before_the_step",
            "the gradients are zeroed between backward and step, so that nothing is learnt",
            "optimizer.step()",
            "optimizer.zero_grad()\n    optimizer.step()",
        ),
        mistake(
            "train_zeroes_in_the_loop",
            "the gradients are zeroed before each batch, so that only the last one counts",
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
            "train_sums_the_means", "the means of the batches are added up", "targets) * (count / total)", "targets)"
        ),
        mistake(
            "train_takes_the_mean_of_means",
            "each batch weighs the same, however few of its targets count",
            "cross_entropy(model(inputs), targets) * (count / total)\n        share.backward()",
            "cross_entropy(model(inputs), targets) / len(batches)\n        share.backward()",
        ),
        mistake(
            "train_weighs_by_size",
            "a batch weighs by its size, ignored targets included",
            "counts = [int((targets != -100).sum()) for _, targets in batches]\n    total = max",
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
            "the gradients are clipped after each batch, not once at the end",
            "share.backward()",
            "share.backward()\n        clip_gradients(model.parameters(), max_norm)",
        ),
        mistake(
            "train_returns_the_last_loss",
            "the loss of the last batch comes back",
            "loss += share.item()",
            "loss = share.item() * total / max(1, count)",
        ),
        mistake(
            "train_returns_a_tensor",
            "the loss comes back as a tensor, graph and all",
            "loss += share.item()",
            "loss = loss + share",
        ),
    ),
    "evaluate": (
        mistake(
            "evaluate_takes_the_mean_of_means",
            "each batch weighs the same, however small it is",
            "count = int((targets != -100).sum())",
            "count = 1",
        ),
        mistake(
            "evaluate_weighs_by_size",
            "a batch weighs by its size, ignored targets included",
            "count = int((targets != -100).sum())",
            "count = targets.numel()",
        ),
        mistake(
            "evaluate_weighs_by_rows",
            "a batch weighs by its number of rows",
            "count = int((targets != -100).sum())",
            "count = len(targets)",
        ),
        mistake(
            "evaluate_drops",
            "dropout stays on",
            "model.eval()\n    loss, total = 0.0, 0",
            "loss, total = 0.0, 0",
            named=False,
        ),
        mistake(
            "evaluate_stays_in_eval_mode",
            "the model stays in eval mode",
            "model.train(was_training)\n    return loss / max(1, total)",
            "return loss / max(1, total)",
        ),
        mistake(
            "evaluate_makes_graphs",
            "graphs are made as in training",
            "with torch.no_grad():\n        for inputs, targets in batches:",
            "with torch.enable_grad():\n        for inputs, targets in batches:",
        ),
        mistake(
            "evaluate_divides_by_zero", "the loss of nothing is divided by zero", "loss / max(1, total)", "loss / total"
        ),
    ),
    "next_token_probabilities": (
        mistake(
            "probabilities_ignore_the_temperature",
            "the temperature is not used",
            "    logits = logits / temperature\n",
            "",
        ),
        mistake(
            "probabilities_divide_by_zero",
            "at temperature 0 the logits are divided by it",
            (
                "    if temperature == 0:\n"
                "        return functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)\n"
            ),
            "",
        ),
        mistake("probabilities_of_argmax_as_integers", "at temperature 0 integers come back", ".to(logits.dtype)", ""),
        mistake(
            "top_k_fills_with_a_small_number",
            "the tokens that are left out get the logit 1e-10, which is no small logit",
            "logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)",
            "logits = logits.masked_fill(logits < kept[..., -1:], 1e-10)",
        ),
        mistake(
            "top_k_drops_the_kth", "the top_k-th token is left out as well", "(logits < kept[...", "(logits <= kept[..."
        ),
        mistake(
            "top_k_cuts_ties",
            "exactly top_k tokens stay, and a tie with the last of them does not",
            "logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)",
            (
                "chosen = logits.topk(min(top_k, logits.shape[-1]), dim=-1).indices\n"
                "        logits = torch.full_like(logits, -math.inf).scatter(-1, chosen, kept)"
            ),
        ),
        mistake(
            "top_k_needs_a_large_vocabulary",
            "a top_k beyond the vocabulary is an error",
            "logits.topk(min(top_k, logits.shape[-1]), dim=-1)",
            "logits.topk(top_k, dim=-1)",
        ),
        mistake(
            "top_p_drops_the_crossing_token",
            "the token that crosses top_p is left out",
            "dropped = ordered.cumsum(dim=-1) - ordered >= top_p  # those before it reach top_p without it",
            "dropped = ordered.cumsum(dim=-1) > top_p",
        ),
        mistake(
            "top_p_of_zero_drops_everything",
            "with top_p = 0 not even the likeliest token stays",
            "        dropped[..., 0] = False\n",
            "",
        ),
        mistake(
            "top_p_forgets_the_order",
            "what is to go is found in the sorted order, and never brought back to the vocabulary's",
            (
                "        dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the order of "
                "the vocabulary\n"
            ),
            "",
        ),
        mistake(
            "top_p_gathers",
            "the order is applied once more instead of being undone (gather for scatter)",
            "dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the order of the vocabulary",
            "dropped = dropped.gather(-1, order)",
        ),
        mistake(
            "top_p_does_not_normalise",
            "what top-p leaves is not brought back to a sum of one",
            "        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)\n",
            "",
        ),
        mistake(
            "top_p_before_top_k",
            "top-p is taken of all tokens, before top-k",
            "        ordered, order = probabilities.sort(dim=-1, descending=True)\n",
            "        ordered, order = before_top_k.softmax(dim=-1).sort(dim=-1, descending=True)\n",
            "    logits = logits / temperature\n",
            "    logits = before_top_k = logits / temperature\n",
        ),
        mistake(
            "top_p_before_the_temperature",
            "top-p is taken of the probabilities at temperature 1",
            "ordered, order = probabilities.sort(dim=-1, descending=True)",
            "ordered, order = (logits * temperature).softmax(dim=-1).sort(dim=-1, descending=True)",
        ),
        mistake(
            "probabilities_over_the_first_axis",
            "the softmax runs over the first axis",
            "probabilities = logits.softmax(dim=-1)",
            "probabilities = logits.softmax(dim=0)",
        ),
        mistake(
            "probabilities_in_float32",
            "the probabilities come back in float32",
            "probabilities = logits.softmax(dim=-1)",
            "probabilities = logits.float().softmax(dim=-1)",
        ),
        mistake(
            "probabilities_divide_in_place", "the logits are divided where the caller keeps them", "= logits /", "/="
        ),
        mistake(
            "top_k_fills_in_place",
            "top-k overwrites the caller's logits",
            "    logits = logits / temperature\n",
            "    logits = logits / temperature if temperature != 1 else logits\n",
            "        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)\n",
            "        logits[logits < kept[..., -1:]] = -math.inf\n",
        ),
    ),
    "generate": (
        mistake(
            "generate_never_crops",
            "the text is never cropped to the context",
            "            if use_cache and tokens.shape[1] <= context_length:\n",
            "            if use_cache:\n",
            "                logits = model(tokens[:, -context_length:])\n",
            "                logits = model(tokens)\n",
        ),
        mistake(
            "generate_crops_one_too_short",
            "the model is shown one token less than its context holds",
            "logits = model(tokens[:, -context_length:])",
            "logits = model(tokens[:, -context_length + 1 :])",
        ),
        mistake(
            "generate_crops_the_end",
            "the first tokens of the text are kept, not the last ones",
            "logits = model(tokens[:, -context_length:])",
            "logits = model(tokens[:, :context_length])",
        ),
        mistake(
            "generate_returns_the_window",
            "only the last context_length tokens come back",
            "tokens = torch.cat((tokens, token), dim=1)",
            "tokens = torch.cat((tokens[:, -context_length:], token), dim=1)",
        ),
        mistake(
            "generate_returns_the_new_tokens",
            "only the new tokens come back, without the prompt",
            "return tokens\n    ### END SOLUTION\n\n\nclass ByteBPE",
            "return tokens[:, prompt.shape[1] :]\n    ### END SOLUTION\n\n\nclass ByteBPE",
        ),
        mistake(
            "generate_is_always_greedy",
            "the likeliest token is taken whatever the temperature is",
            "token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)",
            "token = probabilities.argmax(dim=-1, keepdim=True)",
        ),
        mistake(
            "generate_draws_from_logits",
            "tokens are drawn in proportion to their logits",
            "token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)",
            (
                "weights = logits[:, -1].clamp(min=1e-6) if temperature else probabilities\n"
                "            token = torch.multinomial(weights, 1, generator=generator)"
            ),
            named=False,
        ),
        mistake(
            "generate_ignores_the_temperature",
            "the temperature is not handed on",
            "next_token_probabilities(logits[:, -1], temperature, top_k, top_p)",
            "next_token_probabilities(logits[:, -1], min(temperature, 1.0) and 1.0, top_k, top_p)",
            named=False,
        ),
        mistake(
            "generate_ignores_top_k", "top_k is not handed on", "temperature, top_k", "temperature, None", named=False
        ),
        mistake("generate_ignores_top_p", "top_p is not handed on", ", top_k, top_p)", ", top_k)", named=False),
        mistake(
            "generate_from_the_global_generator",
            "the generator is not used: the draws come from the global one",
            "token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)",
            "token = torch.multinomial(probabilities, 1)",
            named=False,
        ),
        mistake(
            "generate_drops",
            "dropout stays on while it writes",
            "model.eval()\n    context_length",
            "context_length",
            named=False,
        ),
        mistake(
            "generate_stays_in_eval_mode",
            "the model stays in eval mode",
            "model.train(was_training)\n    return tokens",
            "return tokens",
        ),
        mistake(
            "generate_feeds_the_last_token_alone",
            "with a cache only the last token is read, also of the prompt",
            "model(tokens[:, len(caches[0]) :], caches)",
            "model(tokens[:, -1:], caches)",
        ),
        mistake(
            "generate_goes_on_with_a_stale_cache",
            "past the context, the cache loses its oldest entry and the rest is taken for still true",
            (
                "if use_cache and tokens.shape[1] <= context_length:\n"
                "                logits = model(tokens[:, len(caches[0]) :], caches)"
            ),
            (
                "if use_cache and (tokens.shape[1] <= context_length or len(caches[0])):\n"
                "                for cache in caches:\n"
                "                    if len(cache) == context_length:\n"
                "                        cache.key, cache.value = cache.key[:, :, 1:], cache.value[:, :, 1:]\n"
                "                seen = len(caches[0])\n"
                "                logits = model(tokens[:, seen:] if tokens.shape[1] <= context_length else "
                "tokens[:, -1:], caches)"
            ),
        ),
    ),
    "ByteBPE": (
        mistake(
            "bpe_takes_the_larger_pair",
            "of equally frequent pairs the larger one is merged",
            "pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))",
            "pair = max(counts, key=lambda candidate: (counts[candidate], candidate))",
        ),
        mistake(
            "bpe_takes_the_first_pair",
            "of equally frequent pairs the one that comes first in the text is merged",
            "pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))",
            "pair = max(counts, key=counts.get)",
        ),
        mistake(
            "bpe_counts_once",
            "pairs are counted once, at the start, and not after each merge",
            "while len(self.pieces) < vocab_size and len(ids) > 1:\n            counts = Counter(pairwise(ids))",
            (
                "start = Counter(pairwise(ids))\n"
                "        while len(self.pieces) < vocab_size and len(ids) > 1:\n"
                "            counts = {one: count for one, count in start.items() if one not in self.merges}"
            ),
        ),
        mistake(
            "bpe_counts_without_overlap",
            "in a run of equal tokens a pair is counted as often as it can be merged, not as often as it stands there",
            "counts = Counter(pairwise(ids))",
            (
                "counts, last = Counter(), None\n"
                "            for pair in pairwise(ids):\n"
                "                last = None if pair == last and pair[0] == pair[1] else pair\n"
                "                counts.update([pair] if last else [])"
            ),
        ),
        mistake("bpe_needs_a_pair", "a text in which no pair is left is an error", " and len(ids) > 1:", ":"),
        mistake(
            "bpe_needs_two_pairs", "the last pair that is left is not merged", "and len(ids) > 1:", "and len(ids) > 2:"
        ),
        mistake(
            "bpe_encodes_the_longest_piece",
            "text is cut into the longest pieces that fit, from left to right",
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
            "the merges are made in reverse order, the latest first",
            "for pair, new_id in self.merges.items():",
            "for pair, new_id in reversed(self.merges.items()):",
        ),
        mistake(
            "bpe_uses_code_points",
            "a str is taken for its code points, not for its UTF-8",
            "ids = list(text.encode() if isinstance(text, str) else text)",
            "ids = [min(ord(letter), 255) for letter in text] if isinstance(text, str) else list(text)",
        ),
        mistake(
            "bpe_decodes_to_text",
            "what is no text is replaced on the way back",
            'return b"".join(self.pieces[token] for token in ids)',
            'return b"".join(self.pieces[token] for token in ids).decode(errors="replace").encode()',
        ),
    ),
}
