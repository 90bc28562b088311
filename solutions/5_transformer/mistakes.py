"""Named mistakes of stage 5, as students make them."""

from autograder.course.mistakes import Mistake

# Checks that fall together, since one module is built on another.
ENCODER_BLOCK_VALUES = frozenset({"test_encoder_block_gives_the_output", "test_encoder_block_norms_last_on_request"})
DECODER_BLOCK_VALUES = frozenset({"test_decoder_block_gives_the_output", "test_decoder_block_norms_last_on_request"})
GRADIENTS = frozenset(
    {
        "test_decoder_block_passes_gradients",
        "test_encoder_block_passes_gradients",
        "test_transformer_learns_all_its_parameters",
    }
)
DTYPES = frozenset(
    {
        "test_decoder_block_keeps_dtype_and_device",
        "test_encoder_block_keeps_dtype_and_device",
        "test_transformer_keeps_dtype_and_device",
    }
)
EMBEDDED_TARGET = frozenset(
    {
        "test_transformer_decodes_past_padding",
        "test_transformer_decodes_with_its_decoder",
        "test_transformer_does_not_mask_the_target",
        "test_transformer_drops_in_all_its_places",
        "test_transformer_embeds_tokens_and_places",
        "test_transformer_gives_the_logits",
    }
)
EMBEDDED_SOURCE = frozenset({"test_transformer_encodes_past_padding", "test_transformer_encodes_with_its_encoder"})
GREEDY = frozenset(
    {
        "test_greedy_fills_up_after_the_end",
        "test_greedy_starts_with_padding_where_told",
        "test_greedy_writes_each_row_by_itself",
    }
)
BLOCK_VALUES = ENCODER_BLOCK_VALUES | DECODER_BLOCK_VALUES | {"test_transformer_gives_the_logits"}

# Pieces of the reference that several mistakes change.
LN_CENTRED = "centred = x - x.mean(dim=-1, keepdim=True)"
LN_VARIANCE = "variance = centred.square().mean(dim=-1, keepdim=True)"
LN_OUT = "return self.weight * centred / torch.sqrt(variance + self.eps) + self.bias"
RMS_MEAN = "mean_square = x.square().mean(dim=-1, keepdim=True)"
RMS_OUT = "return self.weight * x / torch.sqrt(mean_square + self.eps)"
G_IF = 'if approximate == "tanh":'
G_ERF = "return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))"
FF_HIDDEN = "hidden = gelu(self.input_proj(x))"
FF_OUT = "return self.output_proj(self.dropout(hidden))"
ENC_PRE = (
    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
    "            x = x + self.dropout(attended)\n"
    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
)
ENC_IF = "if self.norm_first:\n            attended, _ = self.attention("
ENC_ATT = "self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)\n        self.attention_norm"
PRE_A = "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)"
POST_A = "attended, _ = self.attention(x, mask=mask, cache=cache)"
CAUSAL = "causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)"
COMBINE = "mask = causal if mask is None else causal & mask"
CROSS_PRE = "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)"
CROSS_POST = "attended, _ = self.cross_attention(x, memory, memory_mask)"
ENC_BLOCKS = (
    "self.blocks = nn.ModuleList(\n"
    "            EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
    "range(num_blocks)\n"
    "        )"
)
ENC_LOOP = (
    "for block in self.blocks:\n            x = block(x, mask)\n        return x if self.norm is None else self.norm(x)"
)
DEC_LOOP = (
    "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
    "            x = block(x, memory, mask, memory_mask, cache)\n"
    "        return x if self.norm is None else self.norm(x)"
)
T_LONG = "if length > self.max_length:"
T_SUM = "return self.dropout(x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype))"
T_REAL = "real = (source != self.pad_id)[:, None, :]"
T_DECODE = "return self.output_proj(self.decoder(x, memory, memory_mask=readable))"
S_CAT = "return torch.cat((start, tokens[..., :-1]), dim=-1)"
L_LOSSES = "losses = -(1 - smoothing) * of_target - smoothing * log_probabilities.mean(dim=-1)"
ENC_FF = "self.attention_norm = LayerNorm(d_model)\n        self.feed_forward = FeedForward(d_model, d_hidden, dropout)"
DEC_FF = (
    "self.cross_attention_norm = LayerNorm(d_model)\n"
    "        self.feed_forward = FeedForward(d_model, d_hidden, dropout)"
)
L_OUT = "return losses.sum() / counted.sum().clamp(min=1)"
D_MODE = "    model.train(was_training)\n    return target[:, 1:]"
D_WHILE = "while target.shape[1] <= max_length and not ended.all():"
D_LIKELIEST = "likeliest = model.decode(target, memory, source)[:, -1].argmax(dim=-1)"
D_TOKEN = "token = likeliest.masked_fill(ended, model.pad_id)"
W_OUT = "return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)"

MISTAKES = (
    # LayerNorm
    Mistake(
        id="layer_norm_unbiased",
        exercise="LayerNorm",
        says="the variance divides by d_model − 1",
        replace=((LN_VARIANCE, "variance = x.var(dim=-1, keepdim=True)"),),
        fails=BLOCK_VALUES | {"test_layer_norm_normalises_each_vector", "test_layer_norm_of_tiny_vectors"},
    ),
    Mistake(
        id="layer_norm_eps_outside",
        exercise="LayerNorm",
        says="eps is added after the root, to the standard deviation",
        replace=((LN_OUT, "return self.weight * centred / (torch.sqrt(variance) + self.eps) + self.bias"),),
        fails=ENCODER_BLOCK_VALUES
        | DECODER_BLOCK_VALUES
        | {"test_layer_norm_normalises_each_vector", "test_layer_norm_of_tiny_vectors"},
    ),
    Mistake(
        id="layer_norm_eps_fixed",
        exercise="LayerNorm",
        says="eps is 1e-5 whatever `eps` says",
        replace=(
            (
                ("self.eps = eps\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias"),
                ("self.eps = 1e-5\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias"),
            ),
        ),
        fails=frozenset({"test_layer_norm_of_tiny_vectors"}),
    ),
    Mistake(
        id="layer_norm_without_gain",
        exercise="LayerNorm",
        says="weight and bias are not used",
        replace=((LN_OUT, "return centred / torch.sqrt(variance + self.eps)"),),
        fails=BLOCK_VALUES
        | GRADIENTS
        | {
            "test_layer_norm_normalises_each_vector",
            "test_layer_norm_of_tiny_vectors",
            "test_layer_norm_passes_gradients",
        },
    ),
    Mistake(
        id="layer_norm_without_mean",
        exercise="LayerNorm",
        says="the mean is not subtracted",
        replace=((LN_CENTRED, "centred = x"),),
        fails=BLOCK_VALUES | {"test_layer_norm_normalises_each_vector", "test_layer_norm_of_tiny_vectors"},
    ),
    Mistake(
        id="layer_norm_over_the_batch",
        exercise="LayerNorm",
        says="mean and variance run over the first axis, not over the last one",
        replace=(
            (LN_CENTRED, "centred = x - x.mean(dim=0, keepdim=True)"),
            (LN_VARIANCE, "variance = centred.square().mean(dim=0, keepdim=True)"),
        ),
        fails=BLOCK_VALUES
        | {
            "test_layer_norm_normalises_each_vector",
            "test_layer_norm_of_tiny_vectors",
            "test_layer_norm_takes_any_leading_axes",
        },
    ),
    Mistake(
        id="layer_norm_on_axis_two",
        exercise="LayerNorm",
        says="mean and variance run over axis 2, which is the last one only if there are three",
        replace=(
            (LN_CENTRED, "centred = x - x.mean(dim=2, keepdim=True)"),
            (LN_VARIANCE, "variance = centred.square().mean(dim=2, keepdim=True)"),
        ),
        fails=frozenset({"test_layer_norm_takes_any_leading_axes"}),
    ),
    Mistake(
        id="layer_norm_bias_of_ones",
        exercise="LayerNorm",
        says="the bias starts as ones",
        replace=(("self.bias = nn.Parameter(torch.zeros(d_model))", "self.bias = nn.Parameter(torch.ones(d_model))"),),
        fails=frozenset({"test_layer_norm_has_a_weight_and_a_bias"}),
    ),
    Mistake(
        id="layer_norm_detached_statistics",
        exercise="LayerNorm",
        says="no gradient flows through mean and variance",
        replace=(
            (LN_CENTRED, "centred = x - x.mean(dim=-1, keepdim=True).detach()"),
            (LN_VARIANCE, "variance = centred.square().mean(dim=-1, keepdim=True).detach()"),
        ),
        fails=GRADIENTS | {"test_layer_norm_passes_gradients"},
    ),
    Mistake(
        id="layer_norm_eps_tensor",
        exercise="LayerNorm",
        says="eps is made a tensor, which has its own dtype and is on the CPU",
        replace=(
            (
                LN_OUT,
                (
                    "return self.weight * centred / torch.sqrt(variance + torch.tensor([self.eps], "
                    "dtype=torch.float64)) + self.bias"
                ),
            ),
        ),
        fails=DTYPES | {"test_layer_norm_keeps_dtype_and_device"},
    ),
    Mistake(
        id="layer_norm_in_place",
        exercise="LayerNorm",
        says="the mean is subtracted from x itself",
        replace=((LN_CENTRED, ("x -= x.mean(dim=-1, keepdim=True)\n        centred = x")),),
        fails=frozenset(
            {
                "test_decoder_block_drops_in_all_its_places",
                "test_decoder_block_gives_the_output",
                "test_decoder_block_leaves_its_inputs_alone",
                "test_decoder_block_passes_gradients",
                "test_encoder_block_drops_in_all_its_places",
                "test_encoder_block_gives_the_output",
                "test_encoder_block_leaves_its_inputs_alone",
                "test_encoder_block_passes_gradients",
                "test_layer_norm_leaves_its_input_alone",
                "test_layer_norm_passes_gradients",
            }
        ),
    ),
    # RMSNorm
    Mistake(
        id="rms_norm_centred",
        exercise="RMSNorm",
        says="the mean is subtracted, as in a layer norm",
        replace=(
            (
                RMS_OUT,
                (
                    "return self.weight * (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, "
                    "keepdim=True, correction=0) + self.eps)"
                ),
            ),
        ),
        fails=frozenset({"test_rms_norm_of_tiny_vectors", "test_rms_norm_scales_each_vector"}),
    ),
    Mistake(
        id="rms_norm_eps_outside",
        exercise="RMSNorm",
        says="eps is added after the root",
        replace=((RMS_OUT, "return self.weight * x / (torch.sqrt(mean_square) + self.eps)"),),
        fails=frozenset({"test_rms_norm_of_tiny_vectors", "test_rms_norm_scales_each_vector"}),
    ),
    Mistake(
        id="rms_norm_other_eps",
        exercise="RMSNorm",
        says="eps is 1e-5, as a layer norm's",
        replace=(
            (
                "def __init__(self, d_model: int, eps: float = 1e-6)",
                "def __init__(self, d_model: int, eps: float = 1e-5)",
            ),
        ),
        fails=frozenset({"test_rms_norm_of_tiny_vectors", "test_rms_norm_scales_each_vector"}),
    ),
    Mistake(
        id="rms_norm_with_bias",
        exercise="RMSNorm",
        says="there is a bias, which is asked for in a layer norm only",
        replace=(
            (
                ("self.eps = eps\n        self.weight = nn.Parameter(torch.ones(d_model))\n        ### END"),
                (
                    "self.eps = eps\n"
                    "        self.weight = nn.Parameter(torch.ones(d_model))\n"
                    "        self.bias = nn.Parameter(torch.zeros(d_model))\n"
                    "        ### END"
                ),
            ),
        ),
        fails=frozenset({"test_rms_norm_has_a_weight_alone"}),
    ),
    Mistake(
        id="rms_norm_detached_statistics",
        exercise="RMSNorm",
        says="no gradient flows through the mean square",
        replace=((RMS_MEAN, "mean_square = x.square().mean(dim=-1, keepdim=True).detach()"),),
        fails=frozenset({"test_rms_norm_passes_gradients"}),
    ),
    Mistake(
        id="rms_norm_in_float64",
        exercise="RMSNorm",
        says="the result stays float64, in which it was computed",
        replace=((RMS_MEAN, ("x = x.double()\n        mean_square = x.square().mean(dim=-1, keepdim=True)")),),
        fails=frozenset({"test_rms_norm_keeps_dtype_and_device"}),
    ),
    # gelu
    Mistake(
        id="gelu_always_tanh",
        exercise="gelu",
        says="the tanh formula is always used",
        replace=((G_IF, "if True:"),),
        fails=BLOCK_VALUES | {"test_feed_forward_gives_the_output", "test_gelu_is_exact"},
    ),
    Mistake(
        id="gelu_never_tanh",
        exercise="gelu",
        says="`approximate` is not looked at",
        replace=((G_IF, "if False:"),),
        fails=frozenset({"test_gelu_has_the_tanh_formula"}),
    ),
    Mistake(
        id="gelu_root_two_missing",
        exercise="gelu",
        says="x is not divided by √2 under the error function",
        replace=((G_ERF, "return 0.5 * x * (1 + torch.erf(x))"),),
        fails=BLOCK_VALUES | {"test_feed_forward_gives_the_output", "test_gelu_is_exact"},
    ),
    Mistake(
        id="gelu_cube_outside",
        exercise="gelu",
        says="√(2/π) multiplies x alone, not x + 0.044715 x³",
        replace=(
            (
                "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))",
                "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * x + 0.044715 * x**3))",
            ),
        ),
        fails=frozenset({"test_gelu_has_the_tanh_formula"}),
    ),
    Mistake(
        id="gelu_root_tensor",
        exercise="gelu",
        says="√2 is made a tensor, which has its own dtype and is on the CPU",
        replace=((G_ERF, "return 0.5 * x * (1 + torch.erf(x / torch.tensor([2.0], dtype=torch.float64).sqrt()))"),),
        fails=DTYPES | {"test_gelu_keeps_dtype_and_device"},
    ),
    # FeedForward
    Mistake(
        id="feed_forward_relu",
        exercise="FeedForward",
        says="ReLU stands between the linears",
        replace=((FF_HIDDEN, "hidden = torch.relu(self.input_proj(x))"),),
        fails=BLOCK_VALUES | {"test_feed_forward_drops_hidden_features", "test_feed_forward_gives_the_output"},
    ),
    Mistake(
        id="feed_forward_linear",
        exercise="FeedForward",
        says="nothing stands between the two linears",
        replace=((FF_HIDDEN, "hidden = self.input_proj(x)"),),
        fails=BLOCK_VALUES | {"test_feed_forward_gives_the_output"},
    ),
    Mistake(
        id="feed_forward_without_bias",
        exercise="FeedForward",
        says="the linears have no bias",
        replace=(
            (
                "self.input_proj = nn.Linear(d_model, d_hidden)",
                "self.input_proj = nn.Linear(d_model, d_hidden, bias=False)",
            ),
            (
                "self.output_proj = nn.Linear(d_hidden, d_model)",
                "self.output_proj = nn.Linear(d_hidden, d_model, bias=False)",
            ),
        ),
        fails=BLOCK_VALUES
        | {
            "test_decoder_block_has_the_modules_listed",
            "test_decoder_has_blocks_of_its_own",
            "test_encoder_block_has_the_modules_listed",
            "test_encoder_has_blocks_of_its_own",
            "test_feed_forward_gives_the_output",
            "test_feed_forward_has_two_linears",
            "test_transformer_has_the_modules_listed",
        },
    ),
    Mistake(
        id="feed_forward_drops_nothing",
        exercise="FeedForward",
        says="the hidden layer is not dropped",
        replace=((FF_OUT, "return self.output_proj(hidden)"),),
        fails=frozenset({"test_feed_forward_drops_hidden_features"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="feed_forward_drops_the_output",
        exercise="FeedForward",
        says="dropout acts on the output, not on the hidden layer",
        replace=((FF_OUT, "return self.dropout(self.output_proj(hidden))"),),
        fails=frozenset({"test_decoder_block_drops_in_all_its_places", "test_encoder_block_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    # EncoderBlock
    Mistake(
        id="encoder_block_without_residual",
        exercise="EncoderBlock",
        says="what attention gives takes x's place instead of being added to it",
        replace=(
            (
                ENC_PRE,
                (
                    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                    "            x = self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_encoder_block_drops_in_all_its_places",
                "test_encoder_block_gives_the_output",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_adds_to_the_norm",
        exercise="EncoderBlock",
        says="attention is added to the normalised x, not to x",
        replace=(
            (
                ENC_PRE,
                (
                    "x = self.attention_norm(x)\n"
                    "            attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                    "            x = x + self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_encoder_block_drops_in_all_its_places",
                "test_encoder_block_gives_the_output",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_norms_the_branch",
        exercise="EncoderBlock",
        says="what a branch gives is normalised, not what it reads",
        replace=(
            (
                ENC_PRE,
                (
                    "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                    "            x = x + self.dropout(self.attention_norm(attended))\n"
                    "            return x + self.dropout(self.feed_forward_norm(self.feed_forward(x)))"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_encoder_block_drops_in_all_its_places",
                "test_encoder_block_gives_the_output",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_norms_queries_only",
        exercise="EncoderBlock",
        says="keys and values come from x before its norm",
        replace=((PRE_A, "attended, _ = self.attention(self.attention_norm(x), x, mask=mask, cache=cache)"),),
        fails=frozenset(
            {
                "test_encoder_block_gives_the_output",
                "test_encoder_block_goes_on_from_a_cache",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_one_norm",
        exercise="EncoderBlock",
        says="one norm is used for both branches",
        replace=(
            (
                ENC_PRE,
                (
                    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                    "            x = x + self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.attention_norm(x)))"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_encoder_block_gives_the_output",
                "test_encoder_block_passes_gradients",
                "test_transformer_gives_the_logits",
                "test_transformer_learns_all_its_parameters",
            }
        ),
    ),
    Mistake(
        id="encoder_block_always_pre_norm",
        exercise="EncoderBlock",
        says="`norm_first` is not looked at: it is always pre-norm",
        replace=((ENC_IF, ("if True:\n            attended, _ = self.attention(")),),
        fails=frozenset({"test_encoder_block_norms_last_on_request"}),
    ),
    Mistake(
        id="encoder_block_post_norm_half",
        exercise="EncoderBlock",
        says="with post-norm, the second sum is not normalised",
        replace=(
            (
                (
                    "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                    "        x = self.attention_norm(x + self.dropout(attended))\n"
                    "        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))"
                ),
                (
                    "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                    "        x = self.attention_norm(x + self.dropout(attended))\n"
                    "        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_block_norms_last_on_request"}),
    ),
    Mistake(
        id="encoder_block_mask_ignored",
        exercise="EncoderBlock",
        says="the mask does not reach the attention",
        replace=(
            (PRE_A, "attended, _ = self.attention(self.attention_norm(x), cache=cache)"),
            (POST_A, "attended, _ = self.attention(x, cache=cache)"),
        ),
        fails=frozenset(
            {
                "test_encoder_block_goes_on_from_a_cache",
                "test_encoder_block_obeys_masks",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_mask_turned",
        exercise="EncoderBlock",
        says="True in the mask blocks instead of allowing",
        replace=(
            (
                PRE_A,
                (
                    "attended, _ = self.attention(self.attention_norm(x), mask=None if mask is None else "
                    "~mask, cache=cache)"
                ),
            ),
            (POST_A, "attended, _ = self.attention(x, mask=None if mask is None else ~mask, cache=cache)"),
        ),
        fails=frozenset(
            {
                "test_encoder_block_goes_on_from_a_cache",
                "test_encoder_block_obeys_masks",
                "test_transformer_encodes_with_its_encoder",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="encoder_block_always_causal",
        exercise="EncoderBlock",
        says="the block adds a causal mask of its own",
        replace=(
            (
                ENC_IF,
                (
                    "if cache is None:\n"
                    "            lower = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, "
                    "device=x.device).tril()\n"
                    "            mask = lower if mask is None else mask & lower\n"
                    "        if self.norm_first:\n"
                    "            attended, _ = self.attention("
                ),
            ),
        ),
        fails=ENCODER_BLOCK_VALUES | {"test_transformer_gives_the_logits"},
    ),
    Mistake(
        id="encoder_block_cache_ignored",
        exercise="EncoderBlock",
        says="the cache does not reach the attention",
        replace=(
            (PRE_A, "attended, _ = self.attention(self.attention_norm(x), mask=mask)"),
            (POST_A, "attended, _ = self.attention(x, mask=mask)"),
        ),
        fails=frozenset({"test_encoder_block_goes_on_from_a_cache"}),
    ),
    Mistake(
        id="encoder_block_attention_with_bias",
        exercise="EncoderBlock",
        says="the attention's linears have biases",
        replace=(
            (
                ENC_ATT,
                (
                    "self.attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)\n"
                    "        self.attention_norm"
                ),
            ),
        ),
        fails=ENCODER_BLOCK_VALUES
        | {
            "test_encoder_block_drops_in_all_its_places",
            "test_encoder_block_has_the_modules_listed",
            "test_encoder_has_blocks_of_its_own",
            "test_transformer_drops_in_all_its_places",
            "test_transformer_gives_the_logits",
            "test_transformer_has_the_modules_listed",
        },
        named=False,  # what the biases start with is random
    ),
    Mistake(
        id="encoder_block_drops_no_branch",
        exercise="EncoderBlock",
        says="what the branches give is not dropped",
        replace=(
            (
                ENC_PRE,
                (
                    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                    "            x = x + attended\n"
                    "            return x + self.feed_forward(self.feed_forward_norm(x))"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_block_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="encoder_block_keeps_the_rate",
        exercise="EncoderBlock",
        says="the attention is built without dropout",
        replace=((ENC_ATT, ("self.attention = MultiHeadAttention(d_model, num_heads)\n        self.attention_norm")),),
        fails=frozenset({"test_encoder_block_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="encoder_block_keeps_the_rate_from_its_feed_forward",
        exercise="EncoderBlock",
        says="the feed-forward layer is built without dropout",
        replace=((ENC_FF, ENC_FF.replace(", dropout)", ")")),),
        fails=frozenset({"test_encoder_block_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="encoder_block_in_place",
        exercise="EncoderBlock",
        says="what attention gives is added to x in place",
        replace=(
            (
                ENC_PRE,
                (
                    "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                    "            x += self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_block_leaves_its_inputs_alone", "test_encoder_block_passes_gradients"}),
    ),
    # DecoderBlock
    Mistake(
        id="decoder_block_keeps_the_rate_from_its_feed_forward",
        exercise="DecoderBlock",
        says="the feed-forward layer is built without dropout",
        replace=((DEC_FF, DEC_FF.replace(", dropout)", ")")),),
        fails=frozenset({"test_decoder_block_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="decoder_block_not_causal",
        exercise="DecoderBlock",
        says="the self-attention has no causal mask",
        replace=((COMBINE, ""),),
        fails=DECODER_BLOCK_VALUES
        | {
            "test_decoder_block_goes_on_from_a_cache",
            "test_decoder_block_never_sees_what_comes_later",
            "test_decoder_gives_each_block_its_cache",
            "test_transformer_gives_the_logits",
        },
    ),
    Mistake(
        id="decoder_block_mask_instead",
        exercise="DecoderBlock",
        says="a mask that is given takes the causal one's place",
        replace=((COMBINE, "mask = causal if mask is None else mask"),),
        fails=frozenset({"test_decoder_block_never_sees_what_comes_later", "test_decoder_block_obeys_masks"}),
    ),
    Mistake(
        id="decoder_block_sees_one_ahead",
        exercise="DecoderBlock",
        says="each position sees the next one too",
        replace=(
            (
                CAUSAL,
                (
                    "causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, "
                    "device=x.device).tril(seen + 1)"
                ),
            ),
        ),
        fails=DECODER_BLOCK_VALUES
        | {
            "test_decoder_block_goes_on_from_a_cache",
            "test_decoder_block_never_sees_what_comes_later",
            "test_decoder_gives_each_block_its_cache",
            "test_transformer_gives_the_logits",
        },
    ),
    Mistake(
        id="decoder_block_causal_memory",
        exercise="DecoderBlock",
        says="the memory is masked causally as well",
        replace=(
            (
                ("causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)  # (query, seen + query)\n"),
                (
                    "causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)  # (query, seen + "
                    "query)\n"
                    "        read = torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool, "
                    "device=x.device).tril(seen)\n"
                    "        memory_mask = read if memory_mask is None else read & memory_mask\n"
                ),
            ),
        ),
        fails=DECODER_BLOCK_VALUES | {"test_decoder_block_obeys_masks", "test_transformer_gives_the_logits"},
    ),
    Mistake(
        id="decoder_block_memory_ignored",
        exercise="DecoderBlock",
        says="the cross-attention reads x, not the memory",
        replace=(
            (CROSS_PRE, "attended, _ = self.cross_attention(self.cross_attention_norm(x))"),
            (CROSS_POST, "attended, _ = self.cross_attention(x)"),
        ),
        fails=DECODER_BLOCK_VALUES
        | {
            "test_decoder_block_goes_on_from_a_cache",
            "test_decoder_block_never_sees_what_comes_later",
            "test_decoder_block_obeys_masks",
            "test_decoder_block_passes_gradients",
            "test_decoder_gives_each_block_its_cache",
            "test_transformer_gives_the_logits",
            "test_transformer_learns_all_its_parameters",
        },
    ),
    Mistake(
        id="decoder_block_memory_normed",
        exercise="DecoderBlock",
        says="the memory is normalised before it is read",
        replace=(
            (
                CROSS_PRE,
                (
                    "attended, _ = self.cross_attention(self.cross_attention_norm(x), "
                    "self.cross_attention_norm(memory), memory_mask)"
                ),
            ),
        ),
        fails=frozenset({"test_decoder_block_gives_the_output", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="decoder_block_memory_mask_ignored",
        exercise="DecoderBlock",
        says="the memory's mask is not used",
        replace=(
            (CROSS_PRE, "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory)"),
            (CROSS_POST, "attended, _ = self.cross_attention(x, memory)"),
        ),
        fails=frozenset({"test_decoder_block_obeys_memory_masks", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="decoder_block_cross_without_residual",
        exercise="DecoderBlock",
        says="what is read from the memory takes x's place instead of being added to it",
        replace=(
            (
                (
                    "attended, _ = self.self_attention(self.self_attention_norm(x), mask=mask, cache=cache)\n"
                    "            x = x + self.dropout(attended)\n"
                    "            attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, "
                    "memory_mask)\n"
                    "            x = x + self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
                (
                    "attended, _ = self.self_attention(self.self_attention_norm(x), mask=mask, cache=cache)\n"
                    "            x = x + self.dropout(attended)\n"
                    "            attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, "
                    "memory_mask)\n"
                    "            x = self.dropout(attended)\n"
                    "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_decoder_block_drops_in_all_its_places",
                "test_decoder_block_gives_the_output",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="decoder_block_always_pre_norm",
        exercise="DecoderBlock",
        says="`norm_first` is not looked at: it is always pre-norm",
        replace=(
            (
                ("if self.norm_first:\n            attended, _ = self.self_attention("),
                ("if True:\n            attended, _ = self.self_attention("),
            ),
        ),
        fails=frozenset({"test_decoder_block_norms_last_on_request"}),
    ),
    Mistake(
        id="decoder_block_square_mask",
        exercise="DecoderBlock",
        says="the causal mask does not count the positions in the cache",
        replace=((CAUSAL, "causal = causal_mask(x.shape[1], device=x.device)"),),
        fails=frozenset({"test_decoder_block_goes_on_from_a_cache"}),
    ),
    Mistake(
        id="decoder_block_from_position_zero",
        exercise="DecoderBlock",
        says="with a cache, new positions are masked as if they were the first ones",
        replace=(
            (CAUSAL, ("causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, device=x.device).tril()")),
        ),
        fails=frozenset({"test_decoder_block_goes_on_from_a_cache", "test_decoder_gives_each_block_its_cache"}),
    ),
    Mistake(
        id="decoder_block_mask_on_the_cpu",
        exercise="DecoderBlock",
        says="the causal mask is made on the CPU",
        replace=((CAUSAL, "causal = causal_mask(x.shape[1], seen + x.shape[1])"),),
        fails=frozenset({"test_decoder_block_keeps_dtype_and_device", "test_transformer_keeps_dtype_and_device"}),
    ),
    Mistake(
        id="decoder_block_mask_in_place",
        exercise="DecoderBlock",
        says="the causal mask is written into the mask that was given",
        replace=(
            (COMBINE, ("if mask is None:\n            mask = causal\n        else:\n            mask &= causal")),
        ),
        fails=frozenset({"test_decoder_block_leaves_its_inputs_alone", "test_decoder_block_obeys_masks"}),
    ),
    Mistake(
        id="decoder_block_attention_with_bias",
        exercise="DecoderBlock",
        says="the attentions' linears have biases",
        replace=(
            (
                "self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
                "self.self_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)",
            ),
            (
                "self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
                ("self.cross_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)"),
            ),
        ),
        fails=DECODER_BLOCK_VALUES
        | {
            "test_decoder_block_drops_in_all_its_places",
            "test_decoder_block_has_the_modules_listed",
            "test_decoder_has_blocks_of_its_own",
            "test_transformer_drops_in_all_its_places",
            "test_transformer_gives_the_logits",
            "test_transformer_has_the_modules_listed",
        },
        named=False,  # what the biases start with is random
    ),
    # Encoder
    Mistake(
        id="encoder_same_block",
        exercise="Encoder",
        says="all blocks are one and the same module",
        replace=(
            (
                ENC_BLOCKS,
                (
                    "self.blocks = nn.ModuleList([EncoderBlock(d_model, num_heads, d_hidden, dropout, "
                    "norm_first)] * num_blocks)"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_has_blocks_of_its_own", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="encoder_plain_list",
        exercise="Encoder",
        says="the blocks stand in a plain Python list, where PyTorch does not see them",
        replace=(
            (
                ENC_BLOCKS,
                (
                    "self.blocks = list(\n"
                    "            EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                    "range(num_blocks)\n"
                    "        )"
                ),
            ),
        ),
        fails=EMBEDDED_SOURCE
        | {
            "test_encoder_applies_its_blocks_in_order",
            "test_encoder_hands_the_mask_to_every_block",
            "test_encoder_has_blocks_of_its_own",
            "test_transformer_drops_in_all_its_places",
            "test_transformer_embeds_tokens_and_places",
            "test_transformer_gives_the_logits",
            "test_transformer_has_the_modules_listed",
            "test_transformer_keeps_dtype_and_device",
            "test_transformer_learns_all_its_parameters",
            "test_transformer_refuses_what_is_too_long",
        },
        named=False,  # what the unseen blocks start with is random
    ),
    Mistake(
        id="encoder_without_norm",
        exercise="Encoder",
        says="the norm at the end is not applied",
        replace=((ENC_LOOP, ("for block in self.blocks:\n            x = block(x, mask)\n        return x")),),
        fails=frozenset(
            {
                "test_encoder_applies_its_blocks_in_order",
                "test_encoder_hands_the_mask_to_every_block",
                "test_transformer_gives_the_logits",
                "test_transformer_learns_all_its_parameters",
            }
        ),
    ),
    Mistake(
        id="encoder_norm_always",
        exercise="Encoder",
        says="a post-norm stack has a norm at the end too",
        replace=(
            (
                (
                    "EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                    "range(num_blocks)\n"
                    "        )\n"
                    "        self.norm = LayerNorm(d_model) if norm_first else None"
                ),
                (
                    "EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                    "range(num_blocks)\n"
                    "        )\n"
                    "        self.norm = LayerNorm(d_model)"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_applies_its_blocks_in_order", "test_encoder_has_blocks_of_its_own"}),
    ),
    Mistake(
        id="encoder_keeps_norm_first",
        exercise="Encoder",
        says="`norm_first` is not handed on to the blocks",
        replace=(
            (
                ENC_BLOCKS,
                (
                    "self.blocks = nn.ModuleList(\n"
                    "            EncoderBlock(d_model, num_heads, d_hidden, dropout) for _ in "
                    "range(num_blocks)\n"
                    "        )"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_applies_its_blocks_in_order"}),
    ),
    Mistake(
        id="encoder_masks_the_first_block",
        exercise="Encoder",
        says="only the first block gets the mask",
        replace=(
            (
                ENC_LOOP,
                (
                    "for number, block in enumerate(self.blocks):\n"
                    "            x = block(x, mask if number == 0 else None)\n"
                    "        return x if self.norm is None else self.norm(x)"
                ),
            ),
        ),
        fails=frozenset({"test_encoder_hands_the_mask_to_every_block", "test_transformer_gives_the_logits"}),
    ),
    # Decoder
    Mistake(
        id="decoder_same_block",
        exercise="Decoder",
        says="all blocks are one and the same module",
        replace=(
            (
                (
                    "self.blocks = nn.ModuleList(\n"
                    "            DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                    "range(num_blocks)\n"
                    "        )"
                ),
                (
                    "self.blocks = nn.ModuleList([DecoderBlock(d_model, num_heads, d_hidden, dropout, "
                    "norm_first)] * num_blocks)"
                ),
            ),
        ),
        fails=frozenset({"test_decoder_has_blocks_of_its_own", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="decoder_without_norm",
        exercise="Decoder",
        says="the norm at the end is not applied",
        replace=(
            (
                DEC_LOOP,
                (
                    "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                    "            x = block(x, memory, mask, memory_mask, cache)\n"
                    "        return x"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_decoder_applies_its_blocks_in_order",
                "test_decoder_hands_the_masks_to_every_block",
                "test_transformer_gives_the_logits",
                "test_transformer_learns_all_its_parameters",
            }
        ),
    ),
    Mistake(
        id="decoder_memory_mask_ignored",
        exercise="Decoder",
        says="the blocks do not get the memory's mask",
        replace=(
            (
                DEC_LOOP,
                (
                    "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                    "            x = block(x, memory, mask, None, cache)\n"
                    "        return x if self.norm is None else self.norm(x)"
                ),
            ),
        ),
        fails=frozenset({"test_decoder_hands_the_masks_to_every_block", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="decoder_swapped_masks",
        exercise="Decoder",
        says="the two masks have changed places",
        replace=(
            (
                DEC_LOOP,
                (
                    "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                    "            x = block(x, memory, memory_mask, mask, cache)\n"
                    "        return x if self.norm is None else self.norm(x)"
                ),
            ),
        ),
        fails=frozenset(
            {
                "test_decoder_hands_the_masks_to_every_block",
                "test_transformer_decodes_past_padding",
                "test_transformer_decodes_with_its_decoder",
                "test_transformer_does_not_mask_the_target",
                "test_transformer_gives_the_logits",
                "test_transformer_keeps_dtype_and_device",
                "test_transformer_learns_all_its_parameters",
            }
        ),
    ),
    Mistake(
        id="decoder_one_cache",
        exercise="Decoder",
        says="all blocks share the first cache",
        replace=(
            (
                DEC_LOOP,
                (
                    "for block, cache in zip(self.blocks, [caches[0] if caches else None] * "
                    "len(self.blocks), strict=True):\n"
                    "            x = block(x, memory, mask, memory_mask, cache)\n"
                    "        return x if self.norm is None else self.norm(x)"
                ),
            ),
        ),
        fails=frozenset({"test_decoder_gives_each_block_its_cache"}),
    ),
    # Transformer
    Mistake(
        id="transformer_pads_with_1",
        exercise="Transformer",
        says="the default pad_id is 1",
        replace=(("        pad_id: int = 0,\n", "        pad_id: int = 1,\n"),),
        fails=frozenset({"test_transformer_encodes_past_padding"}),
    ),
    Mistake(
        id="transformer_unscaled",
        exercise="Transformer",
        says="the embeddings are not multiplied by √d_model",
        replace=(("x = embedding(tokens) * math.sqrt(self.d_model)", "x = embedding(tokens)"),),
        fails=EMBEDDED_TARGET | EMBEDDED_SOURCE,
    ),
    Mistake(
        id="transformer_without_places",
        exercise="Transformer",
        says="the sinusoids are not added",
        replace=((T_SUM, "return self.dropout(x)"),),
        fails=EMBEDDED_TARGET | EMBEDDED_SOURCE,
    ),
    Mistake(
        id="transformer_places_from_one",
        exercise="Transformer",
        says="places are counted from 1",
        replace=(
            (
                T_SUM,
                (
                    "return self.dropout(x + sinusoidal_encoding(length + 1, self.d_model, "
                    "device=x.device)[1:].to(x.dtype))"
                ),
            ),
        ),
        fails=EMBEDDED_TARGET | EMBEDDED_SOURCE,
    ),
    Mistake(
        id="transformer_encoder_sees_padding",
        exercise="Transformer",
        says="the encoder gets no mask for the padding",
        replace=(
            (
                "return self.encoder(self.embed(source, self.source_embedding), mask=real)",
                "return self.encoder(self.embed(source, self.source_embedding))",
            ),
        ),
        fails=frozenset({"test_transformer_encodes_past_padding", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="transformer_decoder_sees_padding",
        exercise="Transformer",
        says="the cross-attention gets no mask for the padding",
        replace=((T_DECODE, "return self.output_proj(self.decoder(x, memory))"),),
        fails=frozenset({"test_transformer_decodes_past_padding", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="transformer_padding_turned",
        exercise="Transformer",
        says="the encoder's mask is True on padding",
        replace=((T_REAL, "real = (source == self.pad_id)[:, None, :]"),),
        fails=EMBEDDED_SOURCE | {"test_transformer_gives_the_logits"},
    ),
    Mistake(
        id="transformer_masks_queries",
        exercise="Transformer",
        says="the encoder's mask has the axes (batch, query, 1): padding is kept from reading, not from being read",
        replace=((T_REAL, "real = (source != self.pad_id)[:, :, None]"),),
        fails=frozenset({"test_transformer_encodes_past_padding", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="transformer_padding_is_zero",
        exercise="Transformer",
        says="padding is taken to be token 0, whatever `pad_id` says",
        replace=(
            (T_REAL, "real = (source != 0)[:, None, :]"),
            ("readable = (source != self.pad_id)[:, None, :]", "readable = (source != 0)[:, None, :]"),
        ),
        fails=EMBEDDED_SOURCE
        | {
            "test_transformer_decodes_past_padding",
            "test_transformer_decodes_with_its_decoder",
            "test_transformer_does_not_mask_the_target",
            "test_transformer_gives_the_logits",
        },
    ),
    Mistake(
        id="transformer_masks_the_target",
        exercise="Transformer",
        says="target tokens with the id of padding are masked",
        replace=(
            (
                T_DECODE,
                (
                    "real = (target != self.pad_id)[:, None, :]\n"
                    "        return self.output_proj(self.decoder(x, memory, mask=real, "
                    "memory_mask=readable))"
                ),
            ),
        ),
        fails=frozenset({"test_transformer_does_not_mask_the_target", "test_transformer_gives_the_logits"}),
    ),
    Mistake(
        id="transformer_gives_probabilities",
        exercise="Transformer",
        says="probabilities come back, where logits are asked for",
        replace=((T_DECODE, "return self.output_proj(self.decoder(x, memory, memory_mask=readable)).softmax(dim=-1)"),),
        fails=frozenset(
            {
                "test_transformer_decodes_past_padding",
                "test_transformer_decodes_with_its_decoder",
                "test_transformer_does_not_mask_the_target",
                "test_transformer_gives_the_logits",
            }
        ),
    ),
    Mistake(
        id="transformer_keeps_sinusoids",
        exercise="Transformer",
        says="the state dict holds the sinusoids",
        replace=(
            (
                ("self.output_proj = nn.Linear(d_model, target_vocab)\n        self.dropout = nn.Dropout(dropout)"),
                (
                    "self.output_proj = nn.Linear(d_model, target_vocab)\n"
                    "        self.dropout = nn.Dropout(dropout)\n"
                    '        self.register_buffer("sinusoids", sinusoidal_encoding(max_length, d_model))'
                ),
            ),
        ),
        fails=frozenset({"test_transformer_has_the_modules_listed"}),
    ),
    Mistake(
        id="transformer_padding_never_learns",
        exercise="Transformer",
        says="`padding_idx` keeps the target's padding from learning, though it may be the start token",
        replace=(
            (
                "self.target_embedding = nn.Embedding(target_vocab, d_model)",
                "self.target_embedding = nn.Embedding(target_vocab, d_model, padding_idx=pad_id)",
            ),
        ),
        fails=frozenset({"test_transformer_learns_all_its_parameters"}),
    ),
    Mistake(
        id="transformer_without_limit",
        exercise="Transformer",
        says="nothing asks whether a sentence is too long",
        replace=((T_LONG, "if False:"),),
        fails=frozenset({"test_transformer_refuses_what_is_too_long"}),
    ),
    Mistake(
        id="transformer_limit_too_early",
        exercise="Transformer",
        says="a sentence of just max_length tokens is refused",
        replace=((T_LONG, "if length >= self.max_length:"),),
        fails=frozenset({"test_transformer_drops_in_all_its_places", "test_transformer_refuses_what_is_too_long"}),
    ),
    Mistake(
        id="transformer_drops_no_embeddings",
        exercise="Transformer",
        says="the embeddings are not dropped",
        replace=((T_SUM, "return x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype)"),),
        fails=frozenset({"test_transformer_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="transformer_keeps_the_rate",
        exercise="Transformer",
        says="the decoder is built without dropout",
        replace=(
            (
                "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)",
                "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden)",
            ),
        ),
        fails=frozenset({"test_transformer_drops_in_all_its_places"}),
        named=False,  # what a student's other dropout gives is random
    ),
    Mistake(
        id="transformer_upcasts",
        exercise="Transformer",
        says="the sinusoids' dtype makes the sum wider than the model",
        replace=((T_SUM, "return self.dropout(x + sinusoidal_encoding(length, self.d_model, device=x.device))"),),
        fails=frozenset({"test_transformer_keeps_dtype_and_device"}),
        named=False,  # an error about two dtypes has many causes
    ),
    Mistake(
        id="transformer_places_on_the_cpu",
        exercise="Transformer",
        says="the sinusoids are made on the CPU",
        replace=((T_SUM, "return self.dropout(x + sinusoidal_encoding(length, self.d_model).to(x.dtype))"),),
        fails=frozenset({"test_transformer_keeps_dtype_and_device"}),
    ),
    # shift_right
    Mistake(
        id="shift_nothing",
        exercise="shift_right",
        says="the tokens are not shifted",
        replace=((S_CAT, "return tokens.clone()"),),
        fails=frozenset(
            {
                "test_shift_right_gives_the_token_before",
                "test_shift_right_keeps_dtype_and_device",
                "test_shift_right_leaves_the_tokens_alone",
            }
        ),
    ),
    Mistake(
        id="shift_left",
        exercise="shift_right",
        says="the tokens are shifted to the left",
        replace=((S_CAT, "return torch.cat((tokens[..., 1:], start), dim=-1)"),),
        fails=frozenset({"test_shift_right_gives_the_token_before"}),
    ),
    Mistake(
        id="shift_in_place",
        exercise="shift_right",
        says="the tokens are shifted in place",
        replace=(
            (S_CAT, ("tokens[..., 1:] = tokens[..., :-1].clone()\n    tokens[..., 0] = start_id\n    return tokens")),
        ),
        fails=frozenset({"test_shift_right_leaves_the_tokens_alone"}),
    ),
    Mistake(
        id="shift_start_by_itself",
        exercise="shift_right",
        says="the start token is made as int64 on the CPU, whatever the tokens are",
        replace=(
            (
                "start = tokens.new_full((*tokens.shape[:-1], 1), start_id)",
                "start = torch.full((*tokens.shape[:-1], 1), start_id)",
            ),
        ),
        fails=frozenset({"test_shift_right_keeps_dtype_and_device"}),
    ),
    # label_smoothed_loss
    Mistake(
        id="loss_counts_padding",
        exercise="label_smoothed_loss",
        says="padding counts as a target",
        replace=(
            (
                "counted = (targets != pad_id) & (targets != -100)",
                "counted = torch.ones_like(targets, dtype=torch.bool)",
            ),
        ),
        fails=frozenset(
            {
                "test_loss_is_stable_with_its_gradient",
                "test_loss_leaves_padding_out",
                "test_loss_of_padding_alone_is_zero",
            }
        ),
    ),
    Mistake(
        id="loss_counts_minus_100",
        exercise="label_smoothed_loss",
        says="a target of -100 counts as a token",
        replace=(
            ("counted = (targets != pad_id) & (targets != -100)", "counted = targets != pad_id"),
            ("targets[counted].unsqueeze(-1)", "targets[counted].clamp(min=0).unsqueeze(-1)"),
        ),
        fails=frozenset({"test_loss_leaves_padding_out"}),
    ),
    Mistake(
        id="loss_of_one_token_is_halved",
        exercise="label_smoothed_loss",
        says="the sum is divided by 2 at least",
        replace=((L_OUT, "return losses.sum() / counted.sum().clamp(min=2)"),),
        fails=frozenset({"test_loss_leaves_padding_out"}),
    ),
    Mistake(
        id="loss_divides_by_all",
        exercise="label_smoothed_loss",
        says="the sum over real tokens is divided by the number of all",
        replace=((L_OUT, "return losses.sum() / targets.numel()"),),
        fails=frozenset({"test_loss_is_stable_with_its_gradient", "test_loss_leaves_padding_out"}),
    ),
    Mistake(
        id="loss_sums",
        exercise="label_smoothed_loss",
        says="the losses are added up, not averaged",
        replace=((L_OUT, "return losses.sum()"),),
        fails=frozenset(
            {
                "test_loss_is_stable_with_its_gradient",
                "test_loss_spreads_the_smoothing_over_all_classes",
                "test_loss_without_smoothing_is_cross_entropy",
            }
        ),
    ),
    Mistake(
        id="loss_of_nothing_is_nan",
        exercise="label_smoothed_loss",
        says="0 is divided by 0 where no target counts",
        replace=((L_OUT, "return losses.sum() / counted.sum()"),),
        fails=frozenset({"test_loss_of_padding_alone_is_zero"}),
    ),
    Mistake(
        id="loss_spreads_over_the_others",
        exercise="label_smoothed_loss",
        says="the smoothing is spread over the other classes only",
        replace=(
            (
                L_LOSSES,
                (
                    "others = (log_probabilities.sum(dim=-1) - of_target) / (logits.shape[-1] - 1)\n"
                    "    losses = -(1 - smoothing) * of_target - smoothing * others"
                ),
            ),
        ),
        fails=frozenset({"test_loss_is_stable_with_its_gradient", "test_loss_spreads_the_smoothing_over_all_classes"}),
    ),
    Mistake(
        id="loss_without_smoothing",
        exercise="label_smoothed_loss",
        says="the smoothing is not used",
        replace=((L_LOSSES, "losses = -of_target"),),
        fails=frozenset({"test_loss_is_stable_with_its_gradient", "test_loss_spreads_the_smoothing_over_all_classes"}),
    ),
    Mistake(
        id="loss_logarithm_afterwards",
        exercise="label_smoothed_loss",
        says="the logarithm is taken of a softmax that may be 0",
        replace=(
            (
                "log_probabilities = logits.log_softmax(dim=-1)[counted]",
                "log_probabilities = logits.softmax(dim=-1).log()[counted]",
            ),
        ),
        fails=frozenset({"test_loss_is_stable_with_its_gradient"}),
    ),
    # greedy_decode
    Mistake(
        id="greedy_asks_the_first_position",
        exercise="greedy_decode",
        says="the logits of the first position are read, not those of the last",
        replace=((D_LIKELIEST, "likeliest = model.decode(target, memory, source)[:, 0].argmax(dim=-1)"),),
        fails=GREEDY | {"test_greedy_stops_when_all_have_ended", "test_greedy_writes_the_likeliest"},
    ),
    Mistake(
        id="greedy_one_row_for_all",
        exercise="greedy_decode",
        says="the likeliest token of the whole batch is written in every row",
        replace=(
            (
                D_LIKELIEST,
                (
                    "likeliest = (model.decode(target, memory, source)[:, -1].argmax() % "
                    "model.decode(target, memory, source).shape[-1]).expand(len(source))"
                ),
            ),
        ),
        fails=GREEDY | {"test_greedy_stops_when_all_have_ended"},
    ),
    Mistake(
        id="greedy_with_start",
        exercise="greedy_decode",
        says="the start token is returned as well",
        replace=((D_MODE, ("    model.train(was_training)\n    return target")),),
        fails=GREEDY
        | {
            "test_greedy_leaves_the_mode_as_it_was",
            "test_greedy_stops_when_all_have_ended",
            "test_greedy_writes_the_likeliest",
        },
    ),
    Mistake(
        id="greedy_writes_on",
        exercise="greedy_decode",
        says="a row that has ended goes on writing",
        replace=((D_TOKEN, "token = likeliest"),),
        fails=frozenset({"test_greedy_fills_up_after_the_end"}),
    ),
    Mistake(
        id="greedy_fills_with_zero",
        exercise="greedy_decode",
        says="a row that has ended is filled with 0, whatever `pad_id` is",
        replace=((D_TOKEN, "token = likeliest.masked_fill(ended, 0)"),),
        fails=frozenset({"test_greedy_fills_up_after_the_end"}),
    ),
    Mistake(
        id="greedy_never_stops_early",
        exercise="greedy_decode",
        says="writing goes on to max_length when all rows have ended",
        replace=((D_WHILE, "while target.shape[1] <= max_length:"),),
        fails=frozenset({"test_greedy_stops_when_all_have_ended"}),
    ),
    Mistake(
        id="greedy_stops_at_the_first_end",
        exercise="greedy_decode",
        says="writing stops when the first row ends",
        replace=((D_WHILE, "while target.shape[1] <= max_length and not ended.any():"),),
        fails=frozenset({"test_greedy_fills_up_after_the_end", "test_greedy_stops_when_all_have_ended"}),
    ),
    Mistake(
        id="greedy_one_too_many",
        exercise="greedy_decode",
        says="one token more than max_length is written",
        replace=((D_WHILE, "while target.shape[1] <= max_length + 1 and not ended.all():"),),
        fails=GREEDY | {"test_greedy_leaves_the_mode_as_it_was", "test_greedy_writes_the_likeliest"},
    ),
    Mistake(
        id="greedy_takes_padding_for_the_end",
        exercise="greedy_decode",
        says="a row counts as ended where it holds padding, and the start token may be that",
        replace=(
            (
                "ended = ended | (token == end_id)",
                "ended = ended | (token == end_id) | (target == model.pad_id).any(dim=1)",
            ),
        ),
        fails=frozenset({"test_greedy_fills_up_after_the_end", "test_greedy_starts_with_padding_where_told"}),
    ),
    Mistake(
        id="greedy_leaves_eval",
        exercise="greedy_decode",
        says="the model is left in eval mode",
        replace=((D_MODE, "    return target[:, 1:]"),),
        fails=frozenset({"test_greedy_leaves_the_mode_as_it_was"}),
    ),
    Mistake(
        id="greedy_forgets_what_it_wrote",
        exercise="greedy_decode",
        says="each step reads the newest token alone",
        replace=((D_LIKELIEST, "likeliest = model.decode(target[:, -1:], memory, source)[:, -1].argmax(dim=-1)"),),
        fails=GREEDY | {"test_greedy_stops_when_all_have_ended", "test_greedy_writes_the_likeliest"},
    ),
    # warmup_rate
    Mistake(
        id="warmup_from_zero",
        exercise="warmup_rate",
        says="steps are counted from 0",
        replace=((W_OUT, "return d_model**-0.5 * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)"),),
        fails=frozenset({"test_warmup_rate_follows_the_formula"}),
    ),
    Mistake(
        id="warmup_larger_term",
        exercise="warmup_rate",
        says="the larger of the two terms counts",
        replace=((W_OUT, "return d_model**-0.5 * max(step**-0.5, step * warmup**-1.5)"),),
        fails=frozenset({"test_warmup_rate_follows_the_formula"}),
    ),
)
