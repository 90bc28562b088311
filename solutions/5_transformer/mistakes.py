"""Named mistakes of stage 5, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
LN_VARIANCE = "variance = centred.square().mean(dim=-1, keepdim=True)"
LN_OUT = "return self.weight * centred / torch.sqrt(variance + self.eps) + self.bias"
LN_CENTRED = "centred = x - x.mean(dim=-1, keepdim=True)"
RMS_OUT = "return self.weight * x / torch.sqrt(mean_square + self.eps)"
RMS_MEAN = "mean_square = x.square().mean(dim=-1, keepdim=True)"
GELU_IF = 'if approximate == "tanh":'
GELU_ERF = "return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))"
FF_HIDDEN = "hidden = gelu(self.input_proj(x))"
FF_OUT = "return self.output_proj(self.dropout(hidden))"
ENCODER_PRE_NORM = (
    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
    "            x = x + self.dropout(attended)\n"
    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
)
PRE_NORM_ATTENTION = "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)"
ENCODER_IF = "if self.norm_first:\n            attended, _ = self.attention("
POST_NORM_ATTENTION = "attended, _ = self.attention(x, mask=mask, cache=cache)"
ENCODER_ATTENTION = (
    "self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)\n        self.attention_norm"
)
ENCODER_FEED_FORWARD = (
    "self.attention_norm = LayerNorm(d_model)\n        self.feed_forward = FeedForward(d_model, d_hidden, dropout)"
)
DECODER_FEED_FORWARD = (
    "self.cross_attention_norm = LayerNorm(d_model)\n"
    "        self.feed_forward = FeedForward(d_model, d_hidden, dropout)"
)
COMBINED_MASK = "mask = causal if mask is None else causal & mask"
CAUSAL_MASK = "causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)"
PRE_NORM_CROSS_ATTENTION = "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)"
POST_NORM_CROSS_ATTENTION = "attended, _ = self.cross_attention(x, memory, memory_mask)"
ENCODER_BLOCKS = (
    "self.blocks = nn.ModuleList(\n"
    "            EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
    "range(num_blocks)\n"
    "        )"
)
ENCODER_LOOP = (
    "for block in self.blocks:\n            x = block(x, mask)\n        return x if self.norm is None else self.norm(x)"
)
DECODER_LOOP = (
    "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
    "            x = block(x, memory, mask, memory_mask, cache)\n"
    "        return x if self.norm is None else self.norm(x)"
)
EMBEDDED = "return self.dropout(x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype))"
LOGITS = "return self.output_proj(self.decoder(x, memory, memory_mask=readable))"
ENCODER_MASK = "real = (source != self.pad_id)[:, None, :]"
LENGTH_LIMIT = "if length > self.max_length:"
SHIFTED = "return torch.cat((start, tokens[..., :-1]), dim=-1)"
COUNTED = "counted = (targets != pad_id) & (targets != IGNORE_INDEX)"
MEAN_LOSS = "return losses.sum() / counted.sum().clamp(min=1)"
LOSSES = "losses = -(1 - smoothing) * of_target - smoothing * log_probabilities.mean(dim=-1)"
LIKELIEST_TOKEN = "likeliest = model.decode(target, memory, source)[:, -1].argmax(dim=-1)"
DECODE_RESULT = "    model.train(was_training)\n    return target[:, 1:]"
NEXT_TOKEN = "token = likeliest.masked_fill(ended, model.pad_id)"
DECODE_WHILE = "while target.shape[1] <= max_length and not ended.all():"
LN_WEIGHT = "self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias"
RMS_WEIGHT = "self.weight = nn.Parameter(torch.ones(d_model))\n        ### END"
ENCODER_POST_NORM = (
    "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
    "        x = self.attention_norm(x + self.dropout(attended))\n"
    "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))"
)
DECODER_POST_NORM = (
    "attended, _ = self.self_attention(x, mask=mask, cache=cache)\n"
    "        x = self.self_attention_norm(x + self.dropout(attended))\n"
    "        attended, _ = self.cross_attention(x, memory, memory_mask)\n"
    "        x = self.cross_attention_norm(x + self.dropout(attended))\n"
    "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))"
)
DECODER_PRE_NORM = (
    "attended, _ = self.self_attention(self.self_attention_norm(x), mask=mask, cache=cache)\n"
    "            x = x + self.dropout(attended)\n"
    "            attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)\n"
    "            x = x + self.dropout(attended)\n"
    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
)
DECODER_BLOCKS = (
    "self.blocks = nn.ModuleList(\n"
    "            DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
    "range(num_blocks)\n"
    "        )"
)
LOG_PROBABILITIES = "log_probabilities = logits.log_softmax(dim=-1)[counted]"
WARMUP_RESULT = "return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)"

MISTAKES = {
    "LayerNorm": (
        mistake(
            "layer_norm_unbiased",
            "the variance divides by d_model - 1 instead of d_model",
            LN_VARIANCE,
            "variance = x.var(dim=-1, keepdim=True)",
        ),
        mistake(
            "layer_norm_eps_outside",
            "eps is added to the standard deviation instead of the variance",
            LN_OUT,
            LN_OUT.replace("torch.sqrt(variance", "(torch.sqrt(variance)"),
        ),
        mistake(
            "layer_norm_eps_fixed",
            "eps is always 1e-5, whatever the argument `eps` is",
            "self.eps = eps\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias",
            "self.eps = 1e-5\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias",
        ),
        mistake(
            "layer_norm_without_gain",
            "`weight` and `bias` are not applied",
            LN_OUT,
            "return centred / torch.sqrt(variance + self.eps)",
        ),
        mistake("layer_norm_without_mean", "the mean is not subtracted", LN_CENTRED, "centred = x"),
        mistake(
            "layer_norm_over_the_batch",
            "the mean and variance are taken over the first axis instead of the last",
            LN_CENTRED,
            "centred = x - x.mean(dim=0, keepdim=True)",
            LN_VARIANCE,
            LN_VARIANCE.replace("dim=-1", "dim=0"),
        ),
        mistake(
            "layer_norm_on_axis_two",
            "the mean and variance are taken over axis 2, whatever the number of axes",
            LN_CENTRED,
            "centred = x - x.mean(dim=2, keepdim=True)",
            LN_VARIANCE,
            LN_VARIANCE.replace("dim=-1", "dim=2"),
        ),
        mistake(
            "layer_norm_bias_of_ones",
            "the bias is initialised to 1 instead of 0",
            "nn.Parameter(torch.zeros",
            "nn.Parameter(torch.ones",
        ),
        mistake(
            "layer_norm_detached_statistics",
            "no gradient flows through the mean and variance",
            LN_CENTRED,
            LN_CENTRED + ".detach()",
            LN_VARIANCE,
            LN_VARIANCE + ".detach()",
        ),
        mistake(
            "layer_norm_eps_tensor",
            "the result is always float64",
            LN_OUT,
            LN_OUT.replace("self.eps", "torch.tensor([self.eps], dtype=torch.float64)"),
        ),
        mistake(
            "layer_norm_of_the_tutorials",
            "the centred vector is divided by its unbiased standard deviation plus eps",
            LN_VARIANCE,
            "deviation = x.std(dim=-1, keepdim=True)",
            LN_OUT,
            "return self.weight * centred / (deviation + self.eps) + self.bias",
        ),
        mistake(
            "layer_norm_without_eps", "eps is not added to the variance", LN_OUT, LN_OUT.replace(" + self.eps", "")
        ),
        mistake(
            "layer_norm_eps_is_a_bound",
            "eps is a lower bound of the variance instead of being added to it",
            LN_OUT,
            LN_OUT.replace("variance + self.eps", "variance.clamp(min=self.eps)"),
        ),
        mistake(
            "layer_norm_other_eps",
            "the default eps is 1e-4 instead of 1e-5",
            "eps: float = 1e-5)",
            "eps: float = 1e-4)",
        ),
        mistake(
            "layer_norm_of_16_features",
            "the mean and variance are those of the first 16 features",
            LN_CENTRED,
            "centred = x - x[..., :16].mean(dim=-1, keepdim=True)",
            LN_VARIANCE,
            "variance = centred[..., :16].square().mean(dim=-1, keepdim=True)",
        ),
        mistake(
            "layer_norm_of_matrices",
            "the leading axes are merged into one",
            LN_CENTRED,
            "x = x.reshape(-1, x.shape[-1])\n        " + LN_CENTRED,
        ),
        mistake(
            "layer_norm_scalar_weight",
            "the weight is a single number instead of one number per feature",
            LN_WEIGHT,
            LN_WEIGHT.replace("torch.ones(d_model)", "torch.ones(1)"),
            named=False,  # a weight per feature cannot be loaded, which has many causes
        ),
        mistake(
            "layer_norm_in_float32",
            "the vectors are normalised in float32, whatever the dtype of the input is",
            LN_CENTRED,
            "dtype = x.dtype\n        x = x.float()\n        " + LN_CENTRED,
            LN_OUT,
            "return (self.weight * centred / torch.sqrt(variance + self.eps) + self.bias).to(dtype)",
        ),
        mistake(
            "layer_norm_returns_float32",
            "the result is always float32",
            LN_OUT,
            "return (self.weight * centred / torch.sqrt(variance + self.eps) + self.bias).float()",
        ),
        mistake(
            "layer_norm_in_place",
            "the mean is subtracted from x in place",
            LN_CENTRED,
            "x -= x.mean(dim=-1, keepdim=True)\n        centred = x",
        ),
    ),
    "RMSNorm": (
        mistake(
            "rms_norm_centred",
            "the mean is subtracted, as in a layer norm",
            RMS_OUT,
            (
                "return self.weight * (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, "
                "keepdim=True, correction=0) + self.eps)"
            ),
        ),
        mistake(
            "rms_norm_eps_outside",
            "eps is added to the root mean square instead of the mean square",
            RMS_OUT,
            "return self.weight * x / (torch.sqrt(mean_square) + self.eps)",
        ),
        mistake(
            "rms_norm_other_eps",
            "the default eps is 1e-5 instead of 1e-6",
            "int, eps: float = 1e-6)",
            "int, eps: float = 1e-5)",
        ),
        mistake(
            "rms_norm_with_bias",
            "the RMS norm has a bias",
            "self.weight = nn.Parameter(torch.ones(d_model))\n        ### END",
            (
                "self.weight = nn.Parameter(torch.ones(d_model))\n"
                "        self.bias = nn.Parameter(torch.zeros(d_model))\n"
                "        ### END"
            ),
        ),
        mistake(
            "rms_norm_detached_statistics",
            "the mean square is detached",
            RMS_MEAN,
            RMS_MEAN + ".detach()",
            must_fail=["test_rms_norm_passes_gradients"],
        ),
        mistake(
            "rms_norm_without_weight",
            "`weight` is not applied",
            RMS_OUT,
            RMS_OUT.replace("self.weight * ", ""),
        ),
        mistake(
            "rms_norm_without_eps", "eps is not added to the mean square", RMS_OUT, RMS_OUT.replace(" + self.eps", "")
        ),
        mistake(
            "rms_norm_eps_fixed",
            "eps is always 1e-6, whatever the argument `eps` is",
            "self.eps = eps\n        " + RMS_WEIGHT,
            "self.eps = 1e-6\n        " + RMS_WEIGHT,
        ),
        mistake(
            "rms_norm_of_the_sum",
            "the vector is divided by its length instead of its root mean square",
            RMS_MEAN,
            "mean_square = x.square().sum(dim=-1, keepdim=True)",
        ),
        mistake(
            "rms_norm_over_the_batch",
            "the mean square is taken over the first axis instead of the last",
            RMS_MEAN,
            RMS_MEAN.replace("dim=-1", "dim=0"),
        ),
        mistake(
            "rms_norm_on_axis_two",
            "the mean square is taken over axis 2, whatever the number of axes",
            RMS_MEAN,
            RMS_MEAN.replace("dim=-1", "dim=2"),
        ),
        mistake(
            "rms_norm_scalar_weight",
            "the weight is a single number instead of one number per feature",
            RMS_WEIGHT,
            RMS_WEIGHT.replace("torch.ones(d_model)", "torch.ones(1)"),
            named=False,  # a weight per feature cannot be loaded, which has many causes
        ),
        mistake(
            "rms_norm_in_place",
            "x is divided in place",
            RMS_OUT,
            "x /= torch.sqrt(mean_square + self.eps)\n        return self.weight * x",
        ),
        mistake(
            "rms_norm_in_float32",
            "the vectors are normalised in float32, whatever the dtype of the input is",
            RMS_MEAN,
            "dtype = x.dtype\n        x = x.float()\n        " + RMS_MEAN,
            RMS_OUT,
            "return (self.weight * x / torch.sqrt(mean_square + self.eps)).to(dtype)",
        ),
        mistake(
            "rms_norm_returns_float32",
            "the result is always float32",
            RMS_OUT,
            "return (self.weight * x / torch.sqrt(mean_square + self.eps)).float()",
        ),
        mistake("rms_norm_in_float64", "the result is always float64", RMS_MEAN, "x = x.double()\n        " + RMS_MEAN),
    ),
    "gelu": (
        mistake("gelu_always_tanh", "the tanh formula is always used, whatever `approximate` is", GELU_IF, "if True:"),
        mistake("gelu_never_tanh", "the exact formula is always used, whatever `approximate` is", GELU_IF, "if False:"),
        mistake(
            "gelu_root_two_missing",
            "x is not divided by √2 inside the error function",
            GELU_ERF,
            "return 0.5 * x * (1 + torch.erf(x))",
        ),
        mistake(
            "gelu_cube_outside",
            "√(2/π) multiplies only x instead of x + 0.044715 x³",
            "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))",
            "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * x + 0.044715 * x**3))",
        ),
        mistake(
            "gelu_by_sigmoid",
            "Φ(x) is approximated by the sigmoid of 1.702 x",
            GELU_ERF,
            "return x * torch.sigmoid(1.702 * x)",
        ),
        mistake(
            "gelu_clamped",
            "x is clamped to between -4 and 4 inside the error function",
            GELU_ERF,
            "return 0.5 * x * (1 + torch.erf(x.clamp(-4, 4) / math.sqrt(2)))",
        ),
        mistake(
            "gelu_detached",
            "no gradient flows through Φ(x)",
            GELU_ERF,
            "return 0.5 * x * (1 + torch.erf(x.detach() / math.sqrt(2)))",
        ),
        mistake(
            "gelu_in_place",
            "x is multiplied in place",
            GELU_ERF,
            "share = 0.5 * (1 + torch.erf(x / math.sqrt(2)))\n    x *= share\n    return x",
        ),
        mistake(
            "gelu_root_tensor",
            "the result is always float64",
            GELU_ERF,
            "return 0.5 * x * (1 + torch.erf(x / torch.tensor([2.0], dtype=torch.float64).sqrt()))",
        ),
    ),
    "FeedForward": (
        mistake(
            "feed_forward_relu", "ReLU is used instead of GELU", FF_HIDDEN, "hidden = torch.relu(self.input_proj(x))"
        ),
        mistake("feed_forward_linear", "the hidden layer has no activation", FF_HIDDEN, "hidden = self.input_proj(x)"),
        mistake(
            "feed_forward_tanh",
            "the tanh form of GELU is used instead of the exact form",
            FF_HIDDEN,
            'hidden = gelu(self.input_proj(x), approximate="tanh")',
        ),
        mistake(
            "feed_forward_detached",
            "the hidden layer is detached, so `input_proj` does not learn",
            FF_OUT,
            "return self.output_proj(self.dropout(hidden.detach()))",
        ),
        mistake(
            "feed_forward_returns_float32",
            "the result is always float32",
            FF_OUT,
            "return self.output_proj(self.dropout(hidden)).float()",
        ),
        mistake(
            "feed_forward_drops_on_the_cpu",
            "the dropout mask is created on the CPU",
            FF_OUT,
            (
                "rate = self.dropout.p if self.training else 0.0\n"
                "        kept = (torch.rand(hidden.shape) >= rate) / (1 - rate)\n"
                "        return self.output_proj(hidden * kept.to(hidden.dtype))"
            ),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "feed_forward_without_bias",
            "the linear layers have no bias",
            "self.input_proj = nn.Linear(d_model, d_hidden)",
            "self.input_proj = nn.Linear(d_model, d_hidden, bias=False)",
            "self.output_proj = nn.Linear(d_hidden, d_model)",
            "self.output_proj = nn.Linear(d_hidden, d_model, bias=False)",
        ),
        mistake(
            "feed_forward_drops_nothing",
            "dropout is not applied to the hidden layer",
            FF_OUT,
            "return self.output_proj(hidden)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "feed_forward_drops_the_output",
            "dropout is applied to the output instead of the hidden layer",
            FF_OUT,
            "return self.dropout(self.output_proj(hidden))",
            named=False,  # outputs with dropout are random
        ),
    ),
    "EncoderBlock": (
        mistake(
            "encoder_block_without_residual",
            "the attention output replaces x instead of being added to it",
            ENCODER_PRE_NORM,
            ENCODER_PRE_NORM.replace("x = x + self", "x = self"),
        ),
        mistake(
            "encoder_block_adds_to_the_norm",
            "the attention output is added to the normalised x instead of x",
            ENCODER_PRE_NORM,
            (
                "x = self.attention_norm(x)\n"
                "            attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                "            x = x + self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
        mistake(
            "encoder_block_norms_the_branch",
            "the output of each branch is normalised instead of its input",
            ENCODER_PRE_NORM,
            (
                "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                "            x = x + self.dropout(self.attention_norm(attended))\n"
                "            return x + self.dropout(self.feed_forward_norm(self.feed_forward(x)))"
            ),
        ),
        mistake(
            "encoder_block_norms_queries_only",
            "the queries are normalised, but the keys and values are not",
            PRE_NORM_ATTENTION,
            PRE_NORM_ATTENTION.replace("(x), mask", "(x), x, mask"),
        ),
        mistake(
            "encoder_block_one_norm",
            "both branches use the same norm",
            ENCODER_PRE_NORM,
            ENCODER_PRE_NORM.replace("self.feed_forward_norm", "self.attention_norm"),
        ),
        mistake(
            "encoder_block_always_pre_norm",
            "the encoder block is always pre-norm, whatever `norm_first` is",
            ENCODER_IF,
            "if True:\n            attended, _ = self.attention(",
        ),
        mistake(
            "encoder_block_post_norm_half",
            "the feed-forward branch is pre-norm even with `norm_first=False`",
            (
                "x = self.attention_norm(x + self.dropout(attended))\n"
                "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))"
            ),
            (
                "x = self.attention_norm(x + self.dropout(attended))\n"
                "        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
        mistake(
            "encoder_block_mask_ignored",
            "the mask is not passed on to the attention",
            PRE_NORM_ATTENTION,
            PRE_NORM_ATTENTION.replace("mask=mask, ", ""),
            POST_NORM_ATTENTION,
            "attended, _ = self.attention(x, cache=cache)",
        ),
        mistake(
            "encoder_block_mask_turned",
            "True in the mask blocks a key instead of allowing it",
            PRE_NORM_ATTENTION,
            PRE_NORM_ATTENTION.replace("mask=mask", "mask=None if mask is None else ~mask"),
            POST_NORM_ATTENTION,
            "attended, _ = self.attention(x, mask=None if mask is None else ~mask, cache=cache)",
        ),
        mistake(
            "encoder_block_always_causal",
            "the encoder block adds its own causal mask",
            ENCODER_IF,
            (
                "if cache is None:\n"
                "            lower = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()\n"
                "            mask = lower if mask is None else mask & lower\n"
                "        if self.norm_first:\n"
                "            attended, _ = self.attention("
            ),
        ),
        mistake(
            "encoder_block_cache_ignored",
            "the cache is not passed on to the attention",
            PRE_NORM_ATTENTION,
            PRE_NORM_ATTENTION.replace(", cache=cache", ""),
            POST_NORM_ATTENTION,
            "attended, _ = self.attention(x, mask=mask)",
        ),
        mistake(
            "encoder_block_attention_with_bias",
            "the linear layers of the attention have biases",
            ENCODER_ATTENTION,
            ENCODER_ATTENTION.replace("num_heads, ", "num_heads, bias=True, "),
            named=False,  # the initial biases are random
        ),
        mistake(
            "encoder_block_drops_no_branch",
            "dropout is not applied to the outputs of the branches",
            ENCODER_PRE_NORM,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            x = x + attended\n"
                "            return x + self.feed_forward(self.feed_forward_norm(x))"
            ),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "encoder_block_keeps_the_rate",
            "the attention of the encoder block has no dropout",
            ENCODER_ATTENTION,
            ENCODER_ATTENTION.replace(", dropout=dropout", ""),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "encoder_block_keeps_the_rate_from_its_feed_forward",
            "the feed-forward layer of the encoder block has no dropout",
            ENCODER_FEED_FORWARD,
            ENCODER_FEED_FORWARD.replace(", dropout)", ")"),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "encoder_block_in_place",
            "the attention output is added to x in place",
            ENCODER_PRE_NORM,
            ENCODER_PRE_NORM.replace("x = x +", "x +="),
        ),
        mistake(
            "encoder_block_parallel",
            "the feed-forward layer reads the input of the block instead of the sum after the attention",
            ENCODER_PRE_NORM,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            fed = self.feed_forward(self.feed_forward_norm(x))\n"
                "            return x + self.dropout(attended) + self.dropout(fed)"
            ),
        ),
        mistake(
            "encoder_block_hidden_fixed",
            "the hidden layer of the encoder block has 4 d_model features, whatever `d_hidden` is",
            ENCODER_FEED_FORWARD,
            ENCODER_FEED_FORWARD.replace("d_hidden", "4 * d_model"),
            named=False,  # parameters of other shapes cannot be loaded, which has many causes
        ),
        mistake(
            "encoder_block_one_head",
            "the attention of the encoder block has one head, whatever `num_heads` is",
            ENCODER_ATTENTION,
            ENCODER_ATTENTION.replace("num_heads", "1"),
        ),
        mistake(
            "encoder_block_mask_after_a_cache_ignored",
            "the mask is ignored when there is a cache",
            ENCODER_IF,
            "if cache is not None and len(cache) > 0:\n            mask = None\n        " + ENCODER_IF,
        ),
        mistake(
            "encoder_block_square_mask_transposed",
            "the last two axes of a square mask are swapped",
            ENCODER_IF,
            (
                "if mask is not None and mask.shape[-1] == mask.shape[-2]:\n"
                "            mask = mask.transpose(-1, -2)\n"
                "        " + ENCODER_IF
            ),
        ),
        mistake(
            "encoder_block_mask_of_the_first_head",
            "the mask of the first head blocks the keys of all heads",
            ENCODER_IF,
            "if mask is not None and mask.dim() == 4:\n            mask = mask[:, :1]\n        " + ENCODER_IF,
        ),
        mistake(
            "encoder_block_detached",
            "no gradient flows through the attention",
            PRE_NORM_ATTENTION,
            PRE_NORM_ATTENTION + "\n            attended = attended.detach()",
        ),
        mistake(
            "encoder_block_returns_float32",
            "the result is always float32",
            ENCODER_PRE_NORM,
            ENCODER_PRE_NORM.replace("return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))", "")
            + "return (x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))).float()",
        ),
        mistake(
            "encoder_block_post_norm_undone",
            "`norm_first=False` raises an error",
            ENCODER_POST_NORM,
            'raise NotImplementedError("post-norm")',
            named=False,  # an unfinished branch needs no diagnosis
        ),
        mistake(
            "encoder_block_post_norm_mask_ignored",
            "a post-norm block does not pass the mask on to the attention",
            POST_NORM_ATTENTION,
            "attended, _ = self.attention(x, cache=cache)",
        ),
        mistake(
            "encoder_block_post_norm_drops_no_branch",
            "a post-norm block applies no dropout to the outputs of its branches",
            ENCODER_POST_NORM,
            ENCODER_POST_NORM.replace("self.dropout(attended)", "attended").replace(
                "self.dropout(self.feed_forward(x))", "self.feed_forward(x)"
            ),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "encoder_block_post_norm_in_place",
            "a post-norm block adds the attention output to x in place",
            ENCODER_POST_NORM,
            ENCODER_POST_NORM.replace(
                "x = self.attention_norm(x + self.dropout(attended))",
                "x += self.dropout(attended)\n        x = self.attention_norm(x)",
            ),
        ),
    ),
    "DecoderBlock": (
        mistake(
            "decoder_block_keeps_the_rate_from_its_feed_forward",
            "the feed-forward layer of the decoder block has no dropout",
            DECODER_FEED_FORWARD,
            DECODER_FEED_FORWARD.replace(", dropout)", ")"),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "decoder_block_square_memory_mask_transposed",
            "the last two axes of a square memory mask are swapped",
            COMBINED_MASK,
            (
                COMBINED_MASK
                + "\n        if memory_mask is not None and memory_mask.shape[-1] == memory_mask.shape[-2]:\n"
                + "            memory_mask = memory_mask.transpose(-1, -2)"
            ),
        ),
        mistake(
            "decoder_block_hidden_fixed",
            "the hidden layer of the decoder block has 4 d_model features, whatever `d_hidden` is",
            DECODER_FEED_FORWARD,
            DECODER_FEED_FORWARD.replace("d_hidden", "4 * d_model"),
            named=False,  # parameters of other shapes cannot be loaded, which has many causes
        ),
        mistake(
            "decoder_block_one_head",
            "both attentions of the decoder block have one head, whatever `num_heads` is",
            "self.self_attention = MultiHeadAttention(d_model, num_heads,",
            "self.self_attention = MultiHeadAttention(d_model, 1,",
            "self.cross_attention = MultiHeadAttention(d_model, num_heads,",
            "self.cross_attention = MultiHeadAttention(d_model, 1,",
        ),
        mistake(
            "decoder_block_mask_ignored",
            "`mask` is ignored: the causal mask acts alone",
            COMBINED_MASK,
            "mask = causal",
        ),
        mistake(
            "decoder_block_mask_after_a_cache_ignored",
            "`mask` is ignored when there is a cache",
            COMBINED_MASK,
            "mask = causal if mask is None or seen else causal & mask",
        ),
        mistake(
            "decoder_block_without_residual",
            "the self-attention output replaces x instead of being added to it",
            DECODER_PRE_NORM,
            DECODER_PRE_NORM.replace("x = x + self", "x = self", 1),
        ),
        mistake(
            "decoder_block_one_norm",
            "all three branches use the same norm",
            DECODER_PRE_NORM,
            DECODER_PRE_NORM.replace("self.cross_attention_norm", "self.self_attention_norm").replace(
                "self.feed_forward_norm", "self.self_attention_norm"
            ),
        ),
        mistake(
            "decoder_block_one_attention",
            "the memory is read with the self-attention's parameters",
            PRE_NORM_CROSS_ATTENTION,
            PRE_NORM_CROSS_ATTENTION.replace("self.cross_attention(", "self.self_attention("),
            POST_NORM_CROSS_ATTENTION,
            POST_NORM_CROSS_ATTENTION.replace("self.cross_attention(", "self.self_attention("),
        ),
        mistake(
            "decoder_block_drops_no_branch",
            "dropout is not applied to the outputs of the branches",
            DECODER_PRE_NORM,
            DECODER_PRE_NORM.replace("self.dropout(attended)", "attended").replace(
                "self.dropout(self.feed_forward(self.feed_forward_norm(x)))",
                "self.feed_forward(self.feed_forward_norm(x))",
            ),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "decoder_block_detached_memory",
            "no gradient flows to the memory",
            PRE_NORM_CROSS_ATTENTION,
            PRE_NORM_CROSS_ATTENTION.replace(", memory,", ", memory.detach(),"),
        ),
        mistake(
            "decoder_block_in_place",
            "the self-attention output is added to x in place",
            DECODER_PRE_NORM,
            DECODER_PRE_NORM.replace("x = x +", "x +=", 1),
        ),
        mistake(
            "decoder_block_returns_float32",
            "the result is always float32",
            DECODER_PRE_NORM,
            DECODER_PRE_NORM.replace("return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))", "")
            + "return (x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))).float()",
        ),
        mistake(
            "decoder_block_post_norm_undone",
            "`norm_first=False` raises an error",
            DECODER_POST_NORM,
            'raise NotImplementedError("post-norm")',
            named=False,  # an unfinished branch needs no diagnosis
        ),
        mistake(
            "decoder_block_post_norm_memory_mask_ignored",
            "a post-norm block does not pass the memory mask on to the cross-attention",
            POST_NORM_CROSS_ATTENTION,
            "attended, _ = self.cross_attention(x, memory)",
        ),
        mistake(
            "decoder_block_post_norm_cache_ignored",
            "a post-norm block does not pass the cache on to the self-attention",
            DECODER_POST_NORM,
            DECODER_POST_NORM.replace(
                "self.self_attention(x, mask=mask, cache=cache)", "self.self_attention(x, mask=mask[..., seen:])"
            ),
        ),
        mistake(
            "decoder_block_post_norm_drops_no_branch",
            "a post-norm block applies no dropout to the outputs of its branches",
            DECODER_POST_NORM,
            DECODER_POST_NORM.replace("self.dropout(attended)", "attended").replace(
                "self.dropout(self.feed_forward(x))", "self.feed_forward(x)"
            ),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "decoder_block_post_norm_in_place",
            "a post-norm block adds the self-attention output to x in place",
            DECODER_POST_NORM,
            DECODER_POST_NORM.replace(
                "x = self.self_attention_norm(x + self.dropout(attended))",
                "x += self.dropout(attended)\n        x = self.self_attention_norm(x)",
            ),
        ),
        mistake("decoder_block_not_causal", "the self-attention has no causal mask", COMBINED_MASK, ""),
        mistake(
            "decoder_block_mask_instead",
            "a given mask replaces the causal mask",
            COMBINED_MASK,
            "mask = causal if mask is None else mask",
        ),
        mistake(
            "decoder_block_sees_one_ahead",
            "each position also attends to the next position",
            CAUSAL_MASK,
            "causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, device=x.device).tril(seen + 1)",
        ),
        mistake(
            "decoder_block_causal_memory",
            "the cross-attention has a causal mask too",
            "causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)  # (query, seen + query)",
            (
                "causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)  # (query, seen + query)\n"
                "        read = torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool, "
                "device=x.device).tril(seen)\n"
                "        memory_mask = read if memory_mask is None else read & memory_mask"
            ),
        ),
        mistake(
            "decoder_block_memory_ignored",
            "the cross-attention reads x instead of the memory",
            PRE_NORM_CROSS_ATTENTION,
            "attended, _ = self.cross_attention(self.cross_attention_norm(x))",
            POST_NORM_CROSS_ATTENTION,
            "attended, _ = self.cross_attention(x)",
        ),
        mistake(
            "decoder_block_memory_normed",
            "the memory is normalised before the cross-attention",
            PRE_NORM_CROSS_ATTENTION,
            PRE_NORM_CROSS_ATTENTION.replace("(x), memory", "(x), self.cross_attention_norm(memory)"),
        ),
        mistake(
            "decoder_block_memory_mask_ignored",
            "the cross-attention ignores the memory mask",
            PRE_NORM_CROSS_ATTENTION,
            PRE_NORM_CROSS_ATTENTION.replace(", memory_mask", ""),
            POST_NORM_CROSS_ATTENTION,
            "attended, _ = self.cross_attention(x, memory)",
        ),
        mistake(
            "decoder_block_cross_without_residual",
            "the cross-attention output replaces x instead of being added to it",
            (
                "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)\n"
                "            x = x + self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
            (
                "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)\n"
                "            x = self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
        mistake(
            "decoder_block_always_pre_norm",
            "the decoder block is always pre-norm, whatever `norm_first` is",
            "if self.norm_first:\n            attended, _ = self.self_attention(",
            "if True:\n            attended, _ = self.self_attention(",
        ),
        mistake(
            "decoder_block_square_mask",
            "the causal mask has no columns for the positions in the cache",
            CAUSAL_MASK,
            "causal = causal_mask(x.shape[1], device=x.device)",
        ),
        mistake(
            "decoder_block_from_position_zero",
            "the causal mask treats the positions after a cache as the first positions",
            CAUSAL_MASK,
            "causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, device=x.device).tril()",
        ),
        mistake(
            "decoder_block_mask_on_the_cpu",
            "the causal mask is created on the CPU",
            CAUSAL_MASK,
            "causal = causal_mask(x.shape[1], seen + x.shape[1])",
        ),
        mistake(
            "decoder_block_mask_in_place",
            "the causal mask is written into the given mask",
            COMBINED_MASK,
            "if mask is None:\n            mask = causal\n        else:\n            mask &= causal",
        ),
        mistake(
            "decoder_block_attention_with_bias",
            "the linear layers of both attentions have biases",
            "self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
            "self.self_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)",
            "self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
            "self.cross_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)",
            named=False,  # the initial biases are random
        ),
    ),
    "Encoder": (
        mistake(
            "encoder_same_block",
            "all blocks of the encoder are the same module",
            ENCODER_BLOCKS,
            (
                "self.blocks = nn.ModuleList([EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first)] * "
                "num_blocks)"
            ),
        ),
        mistake(
            "encoder_plain_list",
            "the blocks are in a plain Python list, so PyTorch does not register them",
            ENCODER_BLOCKS,
            ENCODER_BLOCKS.replace("nn.ModuleList", "list"),
            named=False,  # the initial parameters of the unregistered blocks are random
        ),
        mistake(
            "encoder_without_norm",
            "the final norm of the encoder is not applied",
            ENCODER_LOOP,
            "for block in self.blocks:\n            x = block(x, mask)\n        return x",
        ),
        mistake(
            "encoder_norm_always",
            "a post-norm encoder has a final norm too",
            (
                "EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)\n"
                "        )\n"
                "        self.norm = LayerNorm(d_model) if norm_first else None"
            ),
            (
                "EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)\n"
                "        )\n"
                "        self.norm = LayerNorm(d_model)"
            ),
        ),
        mistake(
            "encoder_keeps_norm_first",
            "`norm_first` is not passed on to the blocks",
            ENCODER_BLOCKS,
            ENCODER_BLOCKS.replace(", norm_first", ""),
        ),
        mistake(
            "encoder_hidden_fixed",
            "the hidden layers have 4 d_model features, whatever `d_hidden` is",
            ENCODER_BLOCKS,
            ENCODER_BLOCKS.replace("d_hidden", "4 * d_model"),
            named=False,  # parameters of other shapes cannot be loaded, which has many causes
        ),
        mistake(
            "encoder_one_head",
            "the attentions have one head, whatever `num_heads` is",
            ENCODER_BLOCKS,
            ENCODER_BLOCKS.replace("num_heads", "1"),
        ),
        mistake(
            "encoder_backwards",
            "the blocks run from the last to the first",
            ENCODER_LOOP,
            ENCODER_LOOP.replace("in self.blocks", "in reversed(self.blocks)"),
        ),
        mistake(
            "encoder_norms_every_block",
            "the final norm is applied after every block",
            ENCODER_LOOP,
            (
                "for block in self.blocks:\n"
                "            x = block(x, mask)\n"
                "            x = x if self.norm is None else self.norm(x)\n"
                "        return x"
            ),
        ),
        mistake(
            "encoder_detached",
            "no gradient flows from one block to the block before it",
            ENCODER_LOOP,
            ENCODER_LOOP.replace("block(x, mask)", "block(x.detach(), mask)"),
        ),
        mistake(
            "encoder_drops_nothing",
            "`dropout` is not passed on to the blocks",
            ENCODER_BLOCKS,
            ENCODER_BLOCKS.replace(", dropout", ", 0.0"),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "encoder_masks_the_first_block",
            "only the first block gets the mask",
            ENCODER_LOOP,
            (
                "for number, block in enumerate(self.blocks):\n"
                "            x = block(x, mask if number == 0 else None)\n"
                "        return x if self.norm is None else self.norm(x)"
            ),
        ),
    ),
    "Decoder": (
        mistake(
            "decoder_reads_its_own_output",
            "each block after the first reads the output of the block before it as its memory",
            DECODER_LOOP,
            DECODER_LOOP.replace(
                "x = block(x, memory, mask, memory_mask, cache)",
                "x = block(x, memory, mask, memory_mask, cache)\n            memory, memory_mask = x, None",
            ),
        ),
        mistake(
            "decoder_keeps_norm_first",
            "`norm_first` is not passed on to the blocks",
            DECODER_BLOCKS,
            DECODER_BLOCKS.replace(", norm_first", ""),
        ),
        mistake(
            "decoder_norm_always",
            "a post-norm decoder has a final norm too",
            DECODER_BLOCKS + "\n        self.norm = LayerNorm(d_model) if norm_first else None",
            DECODER_BLOCKS + "\n        self.norm = LayerNorm(d_model)",
        ),
        mistake(
            "decoder_detached",
            "no gradient flows from one block to the block before it",
            DECODER_LOOP,
            DECODER_LOOP.replace("block(x, memory", "block(x.detach(), memory"),
        ),
        mistake(
            "decoder_drops_nothing",
            "`dropout` is not passed on to the blocks",
            DECODER_BLOCKS,
            DECODER_BLOCKS.replace(", dropout", ", 0.0"),
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "decoder_masks_the_first_block",
            "only the first block gets the masks",
            DECODER_LOOP,
            DECODER_LOOP.replace(
                "x = block(x, memory, mask, memory_mask, cache)",
                "x = block(x, memory, mask, memory_mask, cache)\n            mask = memory_mask = None",
            ),
        ),
        mistake(
            "decoder_caches_ignored",
            "the caches are not passed on to the blocks",
            DECODER_LOOP,
            DECODER_LOOP.replace("memory_mask, cache)", "memory_mask)"),
        ),
        mistake(
            "decoder_same_block",
            "all blocks of the decoder are the same module",
            DECODER_BLOCKS,
            (
                "self.blocks = nn.ModuleList([DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first)] * "
                "num_blocks)"
            ),
        ),
        mistake(
            "decoder_without_norm",
            "the final norm of the decoder is not applied",
            DECODER_LOOP,
            DECODER_LOOP.replace(" if self.norm is None else self.norm(x)", ""),
        ),
        mistake(
            "decoder_memory_mask_ignored",
            "the memory mask is not passed on to the blocks",
            DECODER_LOOP,
            DECODER_LOOP.replace("mask, memory_mask", "mask, None"),
        ),
        mistake(
            "decoder_swapped_masks",
            "the self-attention mask and the memory mask are swapped",
            DECODER_LOOP,
            DECODER_LOOP.replace("mask, memory_mask", "memory_mask, mask"),
        ),
        mistake(
            "decoder_one_cache",
            "all blocks share the first cache",
            DECODER_LOOP,
            DECODER_LOOP.replace("caches or [None]", "[caches[0] if caches else None]"),
        ),
    ),
    "Transformer": (
        mistake(
            "transformer_pads_with_1", "the default pad_id is 1 instead of 0", "pad_id: int = 0,", "pad_id: int = 1,"
        ),
        mistake(
            "transformer_unscaled", "the embeddings are not multiplied by √d_model", ") * math.sqrt(self.d_model)", ")"
        ),
        mistake("transformer_without_places", "the sinusoids are not added", EMBEDDED, "return self.dropout(x)"),
        mistake(
            "transformer_places_from_one",
            "positions are counted from 1",
            EMBEDDED,
            "return self.dropout(x + sinusoidal_encoding(length + 1, self.d_model, device=x.device)[1:].to(x.dtype))",
        ),
        mistake(
            "transformer_scales_the_places",
            "the sinusoids are multiplied by √d_model too",
            ") * math.sqrt(self.d_model)",
            ")",
            EMBEDDED,
            (
                "x = x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype)\n"
                "        return self.dropout(x * math.sqrt(self.d_model))"
            ),
        ),
        mistake(
            "transformer_post_norm",
            "the encoder and the decoder are post-norm",
            "self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout)",
            "self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout, norm_first=False)",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout, norm_first=False)",
        ),
        mistake(
            "transformer_one_vocab",
            "both embeddings have the number of tokens of the source language",
            "self.target_embedding = nn.Embedding(target_vocab, d_model)",
            "self.target_embedding = nn.Embedding(source_vocab, d_model)",
            named=False,  # parameters of other shapes cannot be loaded, which has many causes
        ),
        mistake(
            "transformer_hidden_fixed",
            "the hidden layers have 4 d_model features, whatever `d_hidden` is",
            "self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden,",
            "self.encoder = Encoder(num_blocks, d_model, num_heads, 4 * d_model,",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden,",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, 4 * d_model,",
            named=False,  # parameters of other shapes cannot be loaded, which has many causes
        ),
        mistake(
            "transformer_one_decoder_block",
            "the decoder has a single block, whatever `num_blocks` is",
            "self.decoder = Decoder(num_blocks,",
            "self.decoder = Decoder(1,",
        ),
        mistake(
            "transformer_one_embedding_for_reading",
            "the target is read with the source's embedding",
            "x = self.embed(target, self.target_embedding)",
            "x = self.embed(target % len(self.source_embedding.weight), self.source_embedding)",
        ),
        mistake(
            "transformer_encodes_again",
            "`decode` encodes the source itself instead of reading `memory`",
            LOGITS,
            LOGITS.replace("memory, memory_mask", "self.encode(source), memory_mask"),
        ),
        mistake(
            "transformer_shifts_the_target",
            "`forward` shifts the target, which is shifted already",
            "return self.decode(target, self.encode(source), source)",
            "return self.decode(shift_right(target, self.pad_id), self.encode(source), source)",
        ),
        mistake(
            "transformer_one_head",
            "the attentions have one head, whatever `num_heads` is",
            "self.encoder = Encoder(num_blocks, d_model, num_heads,",
            "self.encoder = Encoder(num_blocks, d_model, 1,",
            "self.decoder = Decoder(num_blocks, d_model, num_heads,",
            "self.decoder = Decoder(num_blocks, d_model, 1,",
        ),
        mistake(
            "transformer_output_without_bias",
            "the output projection has no bias",
            "nn.Linear(d_model, target_vocab)",
            "nn.Linear(d_model, target_vocab, bias=False)",
        ),
        mistake(
            "transformer_hides_pad_id",
            "the model has no attribute `pad_id`",
            "self.d_model, self.max_length, self.pad_id = d_model, max_length, pad_id",
            "self.d_model, self.max_length, self.padding = d_model, max_length, pad_id",
            ENCODER_MASK,
            ENCODER_MASK.replace("pad_id", "padding"),
            "readable = (source != self.pad_id)[:, None, :]",
            "readable = (source != self.padding)[:, None, :]",
            named=False,  # a missing attribute needs no comparison of outputs
        ),
        mistake(
            "transformer_one_embedding",
            "both languages share one embedding if they have the same number of tokens",
            "self.target_embedding = nn.Embedding(target_vocab, d_model)",
            (
                "self.target_embedding = nn.Embedding(target_vocab, d_model)\n"
                "        if source_vocab == target_vocab:\n"
                "            self.target_embedding = self.source_embedding"
            ),
        ),
        mistake(
            "transformer_decoder_reads_as_queries",
            "the decoder's memory mask blocks padding as queries if source and target are equally long",
            "readable = (source != self.pad_id)[:, None, :]",
            (
                "readable = (source != self.pad_id)[:, None, :]\n"
                "        readable = readable.transpose(-1, -2) if source.shape == target.shape else readable"
            ),
        ),
        mistake("transformer_encoder_sees_padding", "the encoder gets no padding mask", "), mask=real)", "))"),
        mistake(
            "transformer_decoder_sees_padding",
            "the cross-attention gets no padding mask",
            LOGITS,
            "return self.output_proj(self.decoder(x, memory))",
        ),
        mistake(
            "transformer_padding_turned",
            "the encoder's mask is True for padding instead of real tokens",
            ENCODER_MASK,
            ENCODER_MASK.replace("!=", "=="),
        ),
        mistake(
            "transformer_masks_queries",
            "the encoder's mask blocks padding as queries instead of keys",
            ENCODER_MASK,
            "real = (source != self.pad_id)[:, :, None]",
        ),
        mistake(
            "transformer_padding_is_zero",
            "padding is assumed to be token 0, whatever `pad_id` is",
            ENCODER_MASK,
            "real = (source != 0)[:, None, :]",
            "readable = (source != self.pad_id)[:, None, :]",
            "readable = (source != 0)[:, None, :]",
        ),
        mistake(
            "transformer_masks_the_target",
            "target tokens equal to `pad_id` are masked",
            LOGITS,
            (
                "real = (target != self.pad_id)[:, None, :]\n"
                "        return self.output_proj(self.decoder(x, memory, mask=real, memory_mask=readable))"
            ),
        ),
        mistake(
            "transformer_gives_probabilities",
            "probabilities are returned instead of logits",
            LOGITS,
            LOGITS + ".softmax(dim=-1)",
        ),
        mistake(
            "transformer_keeps_sinusoids",
            "the state dict holds the sinusoids",
            "self.output_proj = nn.Linear(d_model, target_vocab)\n        self.dropout = nn.Dropout(dropout)",
            (
                "self.output_proj = nn.Linear(d_model, target_vocab)\n"
                "        self.dropout = nn.Dropout(dropout)\n"
                '        self.register_buffer("sinusoids", sinusoidal_encoding(max_length, d_model))'
            ),
        ),
        mistake(
            "transformer_padding_never_learns",
            "`padding_idx` stops the target embedding of `pad_id` from learning",
            "self.target_embedding = nn.Embedding(target_vocab, d_model)",
            "self.target_embedding = nn.Embedding(target_vocab, d_model, padding_idx=pad_id)",
        ),
        mistake(
            "transformer_without_limit", "sentences longer than max_length are not rejected", LENGTH_LIMIT, "if False:"
        ),
        mistake(
            "transformer_limit_too_early",
            "a sentence of exactly max_length tokens is rejected",
            LENGTH_LIMIT,
            "if length >= self.max_length:",
        ),
        mistake(
            "transformer_drops_no_embeddings",
            "dropout is not applied to the embeddings",
            EMBEDDED,
            "return x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "transformer_keeps_the_rate",
            "the decoder has no dropout",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden)",
            named=False,  # outputs with dropout are random
        ),
        mistake(
            "transformer_upcasts",
            "the sinusoids are not converted to the dtype of the model",
            EMBEDDED,
            EMBEDDED.replace(".to(x.dtype)", ""),
            named=False,  # an error about two dtypes has many causes
        ),
        mistake(
            "transformer_places_on_the_cpu",
            ON_THE_CPU,
            EMBEDDED,
            EMBEDDED.replace(", device=x.device", ""),
        ),
    ),
    "shift_right": (
        mistake("shift_nothing", "the tokens are not shifted", SHIFTED, "return tokens.clone()"),
        mistake(
            "shift_left", "the tokens are shifted left", SHIFTED, "return torch.cat((tokens[..., 1:], start), dim=-1)"
        ),
        mistake(
            "shift_wraps",
            "the last token moves to the front instead of `start_id`",
            SHIFTED,
            "return tokens.roll(1, dims=-1)",
        ),
        mistake(
            "shift_keeps_the_last",
            "the last token is kept, so the result is longer by one",
            SHIFTED,
            "return torch.cat((start, tokens), dim=-1)",
        ),
        mistake(
            "shift_in_place",
            "the tokens are shifted in place",
            SHIFTED,
            "tokens[..., 1:] = tokens[..., :-1].clone()\n    tokens[..., 0] = start_id\n    return tokens",
        ),
        mistake(
            "shift_start_by_itself",
            "the start token is always int64",
            "start = tokens.new_full((*tokens.shape[:-1], 1), start_id)",
            "start = torch.full((*tokens.shape[:-1], 1), start_id)",
        ),
    ),
    "label_smoothed_loss": (
        mistake(
            "loss_counts_padding",
            "padding counts as a target",
            COUNTED,
            "counted = torch.ones_like(targets, dtype=torch.bool)",
        ),
        mistake(
            "loss_counts_minus_100",
            "a target of -100 counts as a token",
            COUNTED,
            "counted = targets != pad_id",
            "targets[counted].unsqueeze(-1)",
            "targets[counted].clamp(min=0).unsqueeze(-1)",
        ),
        mistake(
            "loss_of_one_token_is_halved",
            "the sum of the losses is divided by at least 2",
            MEAN_LOSS,
            MEAN_LOSS.replace("min=1", "min=2"),
        ),
        mistake(
            "loss_divides_by_all",
            "the sum over the real tokens is divided by the number of all tokens",
            MEAN_LOSS,
            "return losses.sum() / targets.numel()",
        ),
        mistake("loss_sums", "the losses are summed instead of averaged", MEAN_LOSS, "return losses.sum()"),
        mistake(
            "loss_of_nothing_is_nan",
            "the mean is 0/0 when no target counts",
            MEAN_LOSS,
            "return losses.sum() / counted.sum()",
        ),
        mistake(
            "loss_spreads_over_the_others",
            "the smoothing is distributed over the other classes only",
            LOSSES,
            (
                "others = (log_probabilities.sum(dim=-1) - of_target) / (logits.shape[-1] - 1)\n"
                "    losses = -(1 - smoothing) * of_target - smoothing * others"
            ),
        ),
        mistake(
            "loss_spreads_over_all_but_two",
            "the smoothing is distributed over vocab - 2 classes: all but the target and the padding",
            LOSSES,
            (
                "real = torch.arange(logits.shape[-1], device=logits.device) != pad_id  # (vocab,)\n"
                "    others = (log_probabilities * real).sum(dim=-1) - of_target\n"
                "    losses = -(1 - smoothing) * of_target - smoothing * others / (logits.shape[-1] - 2)"
            ),
        ),
        mistake(
            "loss_adds_inside_the_logarithm",
            "1e-9 is added to the probabilities before the logarithm",
            LOG_PROBABILITIES,
            "log_probabilities = (logits.softmax(dim=-1) + 1e-9).log()[counted]",
        ),
        mistake(
            "loss_over_positions",
            "the softmax is taken over the positions instead of the vocabulary",
            LOG_PROBABILITIES,
            LOG_PROBABILITIES.replace("dim=-1", "dim=-2"),
        ),
        mistake(
            "loss_detached",
            "the loss has no gradient",
            MEAN_LOSS,
            MEAN_LOSS.replace("losses.sum()", "losses.detach().sum()"),
        ),
        mistake(
            "loss_in_float32",
            "the loss is computed in float32, whatever the dtype of the logits is",
            LOG_PROBABILITIES,
            LOG_PROBABILITIES.replace("logits.", "logits.float()."),
            MEAN_LOSS,
            "return (losses.sum() / counted.sum().clamp(min=1)).to(logits.dtype)",
        ),
        mistake(
            "loss_returns_float32",
            "the result is always float32",
            MEAN_LOSS,
            MEAN_LOSS.replace("sum()", "sum().float()", 1),
        ),
        mistake(
            "loss_marks_padding_in_place",
            "targets of -100 are replaced in place",
            COUNTED,
            "targets[targets == IGNORE_INDEX] = pad_id\n    " + COUNTED,
        ),
        mistake("loss_without_smoothing", "the argument `smoothing` is ignored", LOSSES, "losses = -of_target"),
        mistake(
            "loss_logarithm_afterwards",
            "the logarithm is taken of softmax probabilities that can underflow to 0",
            "log_probabilities = logits.log_softmax(dim=-1)[counted]",
            "log_probabilities = logits.softmax(dim=-1).log()[counted]",
        ),
    ),
    "greedy_decode": (
        mistake(
            "greedy_asks_the_first_position",
            "the logits of the first position are used instead of the last",
            LIKELIEST_TOKEN,
            LIKELIEST_TOKEN.replace("[:, -1]", "[:, 0]"),
        ),
        mistake(
            "greedy_one_row_for_all",
            "every row gets the most probable token of the whole batch",
            LIKELIEST_TOKEN,
            (
                "likeliest = (model.decode(target, memory, source)[:, -1].argmax() % model.decode(target, "
                "memory, source).shape[-1]).expand(len(source))"
            ),
        ),
        mistake(
            "greedy_with_start", "the start token is returned too", DECODE_RESULT, DECODE_RESULT.replace("[:, 1:]", "")
        ),
        mistake("greedy_writes_on", "a row continues after its end token", NEXT_TOKEN, "token = likeliest"),
        mistake(
            "greedy_fills_with_zero",
            "a row is filled with 0 after its end token, whatever `pad_id` is",
            NEXT_TOKEN,
            "token = likeliest.masked_fill(ended, 0)",
        ),
        mistake(
            "greedy_never_stops_early",
            "decoding continues to max_length after all rows have ended",
            DECODE_WHILE,
            "while target.shape[1] <= max_length:",
        ),
        mistake(
            "greedy_stops_at_the_first_end",
            "decoding stops when the first row ends",
            DECODE_WHILE,
            DECODE_WHILE.replace("ended.all", "ended.any"),
        ),
        mistake(
            "greedy_one_too_many",
            "one token more than max_length is generated",
            DECODE_WHILE,
            "while target.shape[1] <= max_length + 1 and not ended.all():",
        ),
        mistake(
            "greedy_takes_padding_for_the_end",
            "a row that contains `pad_id` counts as ended, even if that is the start token",
            "ended = ended | (token == end_id)",
            "ended = ended | (token == end_id) | (target == model.pad_id).any(dim=1)",
        ),
        mistake(
            "greedy_leaves_eval", "the model is left in eval mode", DECODE_RESULT, "    pass\n    return target[:, 1:]"
        ),
        mistake(
            "greedy_calls_the_model",
            "the model itself is called instead of its `encode` and `decode`",
            LIKELIEST_TOKEN,
            LIKELIEST_TOKEN.replace("model.decode(target, memory, source)", "model(source, target)"),
            named=False,  # a model without `forward` raises, which has many causes
        ),
        mistake(
            "greedy_in_training_mode",
            "the model decodes in training mode, with dropout",
            "model.eval()\n    try",
            "pass\n    try",
        ),
        mistake(
            "greedy_starts_in_the_source",
            "the start token is written into the source",
            "target = source.new_full((len(source), 1), start_id)",
            "source[:, 0] = start_id\n            target = source[:, :1]",
        ),
        mistake(
            "greedy_forgets_what_it_wrote",
            "each decoding step reads only the newest token",
            LIKELIEST_TOKEN,
            LIKELIEST_TOKEN.replace("target,", "target[:, -1:],"),
        ),
    ),
    "warmup_rate": (
        mistake(
            "warmup_from_zero",
            "steps count from 0 instead of 1",
            WARMUP_RESULT,
            "return d_model**-0.5 * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)",
        ),
        mistake(
            "warmup_one_step_more",
            "the rise is (step + 1)/(warmup + 1) of the largest rate",
            WARMUP_RESULT,
            "return (d_model * warmup) ** -0.5 * min((warmup / step) ** 0.5, (step + 1) / (warmup + 1))",
        ),
        mistake(
            "warmup_without_width",
            "the rate does not depend on d_model",
            WARMUP_RESULT,
            WARMUP_RESULT.replace("d_model**-0.5 * ", ""),
        ),
        mistake(
            "warmup_stays_at_the_top",
            "the rate does not fall after `warmup` steps",
            WARMUP_RESULT,
            "return d_model**-0.5 * min(warmup**-0.5, step * warmup**-1.5)",
        ),
        mistake(
            "warmup_larger_term",
            "the larger of the two terms is used",
            WARMUP_RESULT,
            WARMUP_RESULT.replace("min", "max"),
        ),
    ),
}
