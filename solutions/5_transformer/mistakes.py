"""Named mistakes of stage 5, as students make them."""

from autograder.course.mistakes import mistake

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

MISTAKES = {
    "LayerNorm": (
        mistake(
            "layer_norm_unbiased",
            "the variance divides by d_model − 1",
            LN_VARIANCE,
            "variance = x.var(dim=-1, keepdim=True)",
        ),
        mistake(
            "layer_norm_eps_outside",
            "eps is added after the root, to the standard deviation",
            LN_OUT,
            "return self.weight * centred / (torch.sqrt(variance) + self.eps) + self.bias",
        ),
        mistake(
            "layer_norm_eps_fixed",
            "eps is 1e-5 whatever `eps` says",
            "self.eps = eps\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias",
            "self.eps = 1e-5\n        self.weight = nn.Parameter(torch.ones(d_model))\n        self.bias",
        ),
        mistake(
            "layer_norm_without_gain",
            "weight and bias are not used",
            LN_OUT,
            "return centred / torch.sqrt(variance + self.eps)",
        ),
        mistake("layer_norm_without_mean", "the mean is not subtracted", LN_CENTRED, "centred = x"),
        mistake(
            "layer_norm_over_the_batch",
            "mean and variance run over the first axis, not over the last one",
            LN_CENTRED,
            "centred = x - x.mean(dim=0, keepdim=True)",
            LN_VARIANCE,
            "variance = centred.square().mean(dim=0, keepdim=True)",
        ),
        mistake(
            "layer_norm_on_axis_two",
            "mean and variance run over axis 2, which is the last one only if there are three",
            LN_CENTRED,
            "centred = x - x.mean(dim=2, keepdim=True)",
            LN_VARIANCE,
            "variance = centred.square().mean(dim=2, keepdim=True)",
        ),
        mistake(
            "layer_norm_bias_of_ones", "the bias starts as ones", "nn.Parameter(torch.zeros", "nn.Parameter(torch.ones"
        ),
        mistake(
            "layer_norm_detached_statistics",
            "no gradient flows through mean and variance",
            LN_CENTRED,
            "centred = x - x.mean(dim=-1, keepdim=True).detach()",
            LN_VARIANCE,
            "variance = centred.square().mean(dim=-1, keepdim=True).detach()",
        ),
        mistake(
            "layer_norm_eps_tensor",
            "eps is made a tensor, which has its own dtype and is on the CPU",
            LN_OUT,
            (
                "return self.weight * centred / torch.sqrt(variance + torch.tensor([self.eps], "
                "dtype=torch.float64)) + self.bias"
            ),
        ),
        mistake(
            "layer_norm_in_place",
            "the mean is subtracted from x itself",
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
            "eps is added after the root",
            RMS_OUT,
            "return self.weight * x / (torch.sqrt(mean_square) + self.eps)",
        ),
        mistake(
            "rms_norm_other_eps", "eps is 1e-5, as a layer norm's", "int, eps: float = 1e-6)", "int, eps: float = 1e-5)"
        ),
        mistake(
            "rms_norm_with_bias",
            "there is a bias, which is asked for in a layer norm only",
            "self.weight = nn.Parameter(torch.ones(d_model))\n        ### END",
            (
                "self.weight = nn.Parameter(torch.ones(d_model))\n"
                "        self.bias = nn.Parameter(torch.zeros(d_model))\n"
                "        ### END"
            ),
        ),
        mistake(
            "rms_norm_detached_statistics",
            "no gradient flows through the mean square",
            RMS_MEAN,
            "mean_square = x.square().mean(dim=-1, keepdim=True).detach()",
        ),
        mistake(
            "rms_norm_in_float64",
            "the result stays float64, in which it was computed",
            RMS_MEAN,
            "x = x.double()\n        mean_square = x.square().mean(dim=-1, keepdim=True)",
        ),
    ),
    "gelu": (
        mistake("gelu_always_tanh", "the tanh formula is always used", G_IF, "if True:"),
        mistake("gelu_never_tanh", "`approximate` is not looked at", G_IF, "if False:"),
        mistake(
            "gelu_root_two_missing",
            "x is not divided by √2 under the error function",
            G_ERF,
            "return 0.5 * x * (1 + torch.erf(x))",
        ),
        mistake(
            "gelu_cube_outside",
            "√(2/π) multiplies x alone, not x + 0.044715 x³",
            "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))",
            "return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * x + 0.044715 * x**3))",
        ),
        mistake(
            "gelu_root_tensor",
            "√2 is made a tensor, which has its own dtype and is on the CPU",
            G_ERF,
            "return 0.5 * x * (1 + torch.erf(x / torch.tensor([2.0], dtype=torch.float64).sqrt()))",
        ),
    ),
    "FeedForward": (
        mistake(
            "feed_forward_relu", "ReLU stands between the linears", FF_HIDDEN, "hidden = torch.relu(self.input_proj(x))"
        ),
        mistake(
            "feed_forward_linear", "nothing stands between the two linears", FF_HIDDEN, "hidden = self.input_proj(x)"
        ),
        mistake(
            "feed_forward_without_bias",
            "the linears have no bias",
            "self.input_proj = nn.Linear(d_model, d_hidden)",
            "self.input_proj = nn.Linear(d_model, d_hidden, bias=False)",
            "self.output_proj = nn.Linear(d_hidden, d_model)",
            "self.output_proj = nn.Linear(d_hidden, d_model, bias=False)",
        ),
        mistake(
            "feed_forward_drops_nothing",
            "the hidden layer is not dropped",
            FF_OUT,
            "return self.output_proj(hidden)",
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "feed_forward_drops_the_output",
            "dropout acts on the output, not on the hidden layer",
            FF_OUT,
            "return self.dropout(self.output_proj(hidden))",
            named=False,  # what a student's other dropout gives is random
        ),
    ),
    "EncoderBlock": (
        mistake(
            "encoder_block_without_residual",
            "what attention gives takes x's place instead of being added to it",
            ENC_PRE,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            x = self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
        mistake(
            "encoder_block_adds_to_the_norm",
            "attention is added to the normalised x, not to x",
            ENC_PRE,
            (
                "x = self.attention_norm(x)\n"
                "            attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                "            x = x + self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
        mistake(
            "encoder_block_norms_the_branch",
            "what a branch gives is normalised, not what it reads",
            ENC_PRE,
            (
                "attended, _ = self.attention(x, mask=mask, cache=cache)\n"
                "            x = x + self.dropout(self.attention_norm(attended))\n"
                "            return x + self.dropout(self.feed_forward_norm(self.feed_forward(x)))"
            ),
        ),
        mistake(
            "encoder_block_norms_queries_only",
            "keys and values come from x before its norm",
            PRE_A,
            "attended, _ = self.attention(self.attention_norm(x), x, mask=mask, cache=cache)",
        ),
        mistake(
            "encoder_block_one_norm",
            "one norm is used for both branches",
            ENC_PRE,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            x = x + self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.attention_norm(x)))"
            ),
        ),
        mistake(
            "encoder_block_always_pre_norm",
            "`norm_first` is not looked at: it is always pre-norm",
            ENC_IF,
            "if True:\n            attended, _ = self.attention(",
        ),
        mistake(
            "encoder_block_post_norm_half",
            "with post-norm, the second sum is not normalised",
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
            "the mask does not reach the attention",
            PRE_A,
            "attended, _ = self.attention(self.attention_norm(x), cache=cache)",
            POST_A,
            "attended, _ = self.attention(x, cache=cache)",
        ),
        mistake(
            "encoder_block_mask_turned",
            "True in the mask blocks instead of allowing",
            PRE_A,
            "attended, _ = self.attention(self.attention_norm(x), mask=None if mask is None else ~mask, cache=cache)",
            POST_A,
            "attended, _ = self.attention(x, mask=None if mask is None else ~mask, cache=cache)",
        ),
        mistake(
            "encoder_block_always_causal",
            "the block adds a causal mask of its own",
            ENC_IF,
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
            "the cache does not reach the attention",
            PRE_A,
            "attended, _ = self.attention(self.attention_norm(x), mask=mask)",
            POST_A,
            "attended, _ = self.attention(x, mask=mask)",
        ),
        mistake(
            "encoder_block_attention_with_bias",
            "the attention's linears have biases",
            ENC_ATT,
            (
                "self.attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)\n"
                "        self.attention_norm"
            ),
            named=False,  # what the biases start with is random
        ),
        mistake(
            "encoder_block_drops_no_branch",
            "what the branches give is not dropped",
            ENC_PRE,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            x = x + attended\n"
                "            return x + self.feed_forward(self.feed_forward_norm(x))"
            ),
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "encoder_block_keeps_the_rate",
            "the attention is built without dropout",
            ENC_ATT,
            "self.attention = MultiHeadAttention(d_model, num_heads)\n        self.attention_norm",
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "encoder_block_keeps_the_rate_from_its_feed_forward",
            "the feed-forward layer is built without dropout",
            ENC_FF,
            ENC_FF.replace(", dropout)", ")"),
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "encoder_block_in_place",
            "what attention gives is added to x in place",
            ENC_PRE,
            (
                "attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)\n"
                "            x += self.dropout(attended)\n"
                "            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))"
            ),
        ),
    ),
    "DecoderBlock": (
        mistake(
            "decoder_block_keeps_the_rate_from_its_feed_forward",
            "the feed-forward layer is built without dropout",
            DEC_FF,
            DEC_FF.replace(", dropout)", ")"),
            named=False,  # what a student's other dropout gives is random
        ),
        mistake("decoder_block_not_causal", "the self-attention has no causal mask", COMBINE, ""),
        mistake(
            "decoder_block_mask_instead",
            "a mask that is given takes the causal one's place",
            COMBINE,
            "mask = causal if mask is None else mask",
        ),
        mistake(
            "decoder_block_sees_one_ahead",
            "each position sees the next one too",
            CAUSAL,
            "causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, device=x.device).tril(seen + 1)",
        ),
        mistake(
            "decoder_block_causal_memory",
            "the memory is masked causally as well",
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
            "the cross-attention reads x, not the memory",
            CROSS_PRE,
            "attended, _ = self.cross_attention(self.cross_attention_norm(x))",
            CROSS_POST,
            "attended, _ = self.cross_attention(x)",
        ),
        mistake(
            "decoder_block_memory_normed",
            "the memory is normalised before it is read",
            CROSS_PRE,
            (
                "attended, _ = self.cross_attention(self.cross_attention_norm(x), "
                "self.cross_attention_norm(memory), memory_mask)"
            ),
        ),
        mistake(
            "decoder_block_memory_mask_ignored",
            "the memory's mask is not used",
            CROSS_PRE,
            "attended, _ = self.cross_attention(self.cross_attention_norm(x), memory)",
            CROSS_POST,
            "attended, _ = self.cross_attention(x, memory)",
        ),
        mistake(
            "decoder_block_cross_without_residual",
            "what is read from the memory takes x's place instead of being added to it",
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
            "`norm_first` is not looked at: it is always pre-norm",
            "if self.norm_first:\n            attended, _ = self.self_attention(",
            "if True:\n            attended, _ = self.self_attention(",
        ),
        mistake(
            "decoder_block_square_mask",
            "the causal mask does not count the positions in the cache",
            CAUSAL,
            "causal = causal_mask(x.shape[1], device=x.device)",
        ),
        mistake(
            "decoder_block_from_position_zero",
            "with a cache, new positions are masked as if they were the first ones",
            CAUSAL,
            "causal = torch.ones(x.shape[1], seen + x.shape[1], dtype=torch.bool, device=x.device).tril()",
        ),
        mistake(
            "decoder_block_mask_on_the_cpu",
            "the causal mask is made on the CPU",
            CAUSAL,
            "causal = causal_mask(x.shape[1], seen + x.shape[1])",
        ),
        mistake(
            "decoder_block_mask_in_place",
            "the causal mask is written into the mask that was given",
            COMBINE,
            "if mask is None:\n            mask = causal\n        else:\n            mask &= causal",
        ),
        mistake(
            "decoder_block_attention_with_bias",
            "the attentions' linears have biases",
            "self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
            "self.self_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)",
            "self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)",
            "self.cross_attention = MultiHeadAttention(d_model, num_heads, bias=True, dropout=dropout)",
            named=False,  # what the biases start with is random
        ),
    ),
    "Encoder": (
        mistake(
            "encoder_same_block",
            "all blocks are one and the same module",
            ENC_BLOCKS,
            (
                "self.blocks = nn.ModuleList([EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first)] * "
                "num_blocks)"
            ),
        ),
        mistake(
            "encoder_plain_list",
            "the blocks stand in a plain Python list, where PyTorch does not see them",
            ENC_BLOCKS,
            (
                "self.blocks = list(\n"
                "            EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                "range(num_blocks)\n"
                "        )"
            ),
            named=False,  # what the unseen blocks start with is random
        ),
        mistake(
            "encoder_without_norm",
            "the norm at the end is not applied",
            ENC_LOOP,
            "for block in self.blocks:\n            x = block(x, mask)\n        return x",
        ),
        mistake(
            "encoder_norm_always",
            "a post-norm stack has a norm at the end too",
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
            "`norm_first` is not handed on to the blocks",
            ENC_BLOCKS,
            (
                "self.blocks = nn.ModuleList(\n"
                "            EncoderBlock(d_model, num_heads, d_hidden, dropout) for _ in range(num_blocks)\n"
                "        )"
            ),
        ),
        mistake(
            "encoder_masks_the_first_block",
            "only the first block gets the mask",
            ENC_LOOP,
            (
                "for number, block in enumerate(self.blocks):\n"
                "            x = block(x, mask if number == 0 else None)\n"
                "        return x if self.norm is None else self.norm(x)"
            ),
        ),
    ),
    "Decoder": (
        mistake(
            "decoder_same_block",
            "all blocks are one and the same module",
            (
                "self.blocks = nn.ModuleList(\n"
                "            DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in "
                "range(num_blocks)\n"
                "        )"
            ),
            (
                "self.blocks = nn.ModuleList([DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first)] * "
                "num_blocks)"
            ),
        ),
        mistake(
            "decoder_without_norm",
            "the norm at the end is not applied",
            DEC_LOOP,
            (
                "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                "            x = block(x, memory, mask, memory_mask, cache)\n"
                "        return x"
            ),
        ),
        mistake(
            "decoder_memory_mask_ignored",
            "the blocks do not get the memory's mask",
            DEC_LOOP,
            (
                "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                "            x = block(x, memory, mask, None, cache)\n"
                "        return x if self.norm is None else self.norm(x)"
            ),
        ),
        mistake(
            "decoder_swapped_masks",
            "the two masks have changed places",
            DEC_LOOP,
            (
                "for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):\n"
                "            x = block(x, memory, memory_mask, mask, cache)\n"
                "        return x if self.norm is None else self.norm(x)"
            ),
        ),
        mistake(
            "decoder_one_cache",
            "all blocks share the first cache",
            DEC_LOOP,
            (
                "for block, cache in zip(self.blocks, [caches[0] if caches else None] * len(self.blocks), "
                "strict=True):\n"
                "            x = block(x, memory, mask, memory_mask, cache)\n"
                "        return x if self.norm is None else self.norm(x)"
            ),
        ),
    ),
    "Transformer": (
        mistake("transformer_pads_with_1", "the default pad_id is 1", "pad_id: int = 0,", "pad_id: int = 1,"),
        mistake(
            "transformer_unscaled", "the embeddings are not multiplied by √d_model", ") * math.sqrt(self.d_model)", ")"
        ),
        mistake("transformer_without_places", "the sinusoids are not added", T_SUM, "return self.dropout(x)"),
        mistake(
            "transformer_places_from_one",
            "places are counted from 1",
            T_SUM,
            "return self.dropout(x + sinusoidal_encoding(length + 1, self.d_model, device=x.device)[1:].to(x.dtype))",
        ),
        mistake("transformer_encoder_sees_padding", "the encoder gets no mask for the padding", "), mask=real)", "))"),
        mistake(
            "transformer_decoder_sees_padding",
            "the cross-attention gets no mask for the padding",
            T_DECODE,
            "return self.output_proj(self.decoder(x, memory))",
        ),
        mistake(
            "transformer_padding_turned",
            "the encoder's mask is True on padding",
            T_REAL,
            "real = (source == self.pad_id)[:, None, :]",
        ),
        mistake(
            "transformer_masks_queries",
            "the encoder's mask has the axes (batch, query, 1): padding is kept from reading, not from being read",
            T_REAL,
            "real = (source != self.pad_id)[:, :, None]",
        ),
        mistake(
            "transformer_padding_is_zero",
            "padding is taken to be token 0, whatever `pad_id` says",
            T_REAL,
            "real = (source != 0)[:, None, :]",
            "readable = (source != self.pad_id)[:, None, :]",
            "readable = (source != 0)[:, None, :]",
        ),
        mistake(
            "transformer_masks_the_target",
            "target tokens with the id of padding are masked",
            T_DECODE,
            (
                "real = (target != self.pad_id)[:, None, :]\n"
                "        return self.output_proj(self.decoder(x, memory, mask=real, memory_mask=readable))"
            ),
        ),
        mistake(
            "transformer_gives_probabilities",
            "probabilities come back, where logits are asked for",
            T_DECODE,
            "return self.output_proj(self.decoder(x, memory, memory_mask=readable)).softmax(dim=-1)",
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
            "`padding_idx` keeps the target's padding from learning, though it may be the start token",
            "self.target_embedding = nn.Embedding(target_vocab, d_model)",
            "self.target_embedding = nn.Embedding(target_vocab, d_model, padding_idx=pad_id)",
        ),
        mistake("transformer_without_limit", "nothing asks whether a sentence is too long", T_LONG, "if False:"),
        mistake(
            "transformer_limit_too_early",
            "a sentence of just max_length tokens is refused",
            T_LONG,
            "if length >= self.max_length:",
        ),
        mistake(
            "transformer_drops_no_embeddings",
            "the embeddings are not dropped",
            T_SUM,
            "return x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype)",
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "transformer_keeps_the_rate",
            "the decoder is built without dropout",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)",
            "self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden)",
            named=False,  # what a student's other dropout gives is random
        ),
        mistake(
            "transformer_upcasts",
            "the sinusoids' dtype makes the sum wider than the model",
            T_SUM,
            "return self.dropout(x + sinusoidal_encoding(length, self.d_model, device=x.device))",
            named=False,  # an error about two dtypes has many causes
        ),
        mistake(
            "transformer_places_on_the_cpu",
            "the sinusoids are made on the CPU",
            T_SUM,
            "return self.dropout(x + sinusoidal_encoding(length, self.d_model).to(x.dtype))",
        ),
    ),
    "shift_right": (
        mistake("shift_nothing", "the tokens are not shifted", S_CAT, "return tokens.clone()"),
        mistake(
            "shift_left",
            "the tokens are shifted to the left",
            S_CAT,
            "return torch.cat((tokens[..., 1:], start), dim=-1)",
        ),
        mistake(
            "shift_in_place",
            "the tokens are shifted in place",
            S_CAT,
            "tokens[..., 1:] = tokens[..., :-1].clone()\n    tokens[..., 0] = start_id\n    return tokens",
        ),
        mistake(
            "shift_start_by_itself",
            "the start token is made as int64 on the CPU, whatever the tokens are",
            "start = tokens.new_full((*tokens.shape[:-1], 1), start_id)",
            "start = torch.full((*tokens.shape[:-1], 1), start_id)",
        ),
    ),
    "label_smoothed_loss": (
        mistake(
            "loss_counts_padding",
            "padding counts as a target",
            "counted = (targets != pad_id) & (targets != -100)",
            "counted = torch.ones_like(targets, dtype=torch.bool)",
        ),
        mistake(
            "loss_counts_minus_100",
            "a target of -100 counts as a token",
            "counted = (targets != pad_id) & (targets != -100)",
            "counted = targets != pad_id",
            "targets[counted].unsqueeze(-1)",
            "targets[counted].clamp(min=0).unsqueeze(-1)",
        ),
        mistake(
            "loss_of_one_token_is_halved",
            "the sum is divided by 2 at least",
            L_OUT,
            "return losses.sum() / counted.sum().clamp(min=2)",
        ),
        mistake(
            "loss_divides_by_all",
            "the sum over real tokens is divided by the number of all",
            L_OUT,
            "return losses.sum() / targets.numel()",
        ),
        mistake("loss_sums", "the losses are added up, not averaged", L_OUT, "return losses.sum()"),
        mistake(
            "loss_of_nothing_is_nan",
            "0 is divided by 0 where no target counts",
            L_OUT,
            "return losses.sum() / counted.sum()",
        ),
        mistake(
            "loss_spreads_over_the_others",
            "the smoothing is spread over the other classes only",
            L_LOSSES,
            (
                "others = (log_probabilities.sum(dim=-1) - of_target) / (logits.shape[-1] - 1)\n"
                "    losses = -(1 - smoothing) * of_target - smoothing * others"
            ),
        ),
        mistake("loss_without_smoothing", "the smoothing is not used", L_LOSSES, "losses = -of_target"),
        mistake(
            "loss_logarithm_afterwards",
            "the logarithm is taken of a softmax that may be 0",
            "log_probabilities = logits.log_softmax(dim=-1)[counted]",
            "log_probabilities = logits.softmax(dim=-1).log()[counted]",
        ),
    ),
    "greedy_decode": (
        mistake(
            "greedy_asks_the_first_position",
            "the logits of the first position are read, not those of the last",
            D_LIKELIEST,
            "likeliest = model.decode(target, memory, source)[:, 0].argmax(dim=-1)",
        ),
        mistake(
            "greedy_one_row_for_all",
            "the likeliest token of the whole batch is written in every row",
            D_LIKELIEST,
            (
                "likeliest = (model.decode(target, memory, source)[:, -1].argmax() % model.decode(target, "
                "memory, source).shape[-1]).expand(len(source))"
            ),
        ),
        mistake(
            "greedy_with_start",
            "the start token is returned as well",
            D_MODE,
            "    model.train(was_training)\n    return target",
        ),
        mistake("greedy_writes_on", "a row that has ended goes on writing", D_TOKEN, "token = likeliest"),
        mistake(
            "greedy_fills_with_zero",
            "a row that has ended is filled with 0, whatever `pad_id` is",
            D_TOKEN,
            "token = likeliest.masked_fill(ended, 0)",
        ),
        mistake(
            "greedy_never_stops_early",
            "writing goes on to max_length when all rows have ended",
            D_WHILE,
            "while target.shape[1] <= max_length:",
        ),
        mistake(
            "greedy_stops_at_the_first_end",
            "writing stops when the first row ends",
            D_WHILE,
            "while target.shape[1] <= max_length and not ended.any():",
        ),
        mistake(
            "greedy_one_too_many",
            "one token more than max_length is written",
            D_WHILE,
            "while target.shape[1] <= max_length + 1 and not ended.all():",
        ),
        mistake(
            "greedy_takes_padding_for_the_end",
            "a row counts as ended where it holds padding, and the start token may be that",
            "ended = ended | (token == end_id)",
            "ended = ended | (token == end_id) | (target == model.pad_id).any(dim=1)",
        ),
        mistake("greedy_leaves_eval", "the model is left in eval mode", D_MODE, "    return target[:, 1:]"),
        mistake(
            "greedy_forgets_what_it_wrote",
            "each step reads the newest token alone",
            D_LIKELIEST,
            "likeliest = model.decode(target[:, -1:], memory, source)[:, -1].argmax(dim=-1)",
        ),
    ),
    "warmup_rate": (
        mistake(
            "warmup_from_zero",
            "steps are counted from 0",
            W_OUT,
            "return d_model**-0.5 * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)",
        ),
        mistake(
            "warmup_larger_term",
            "the larger of the two terms counts",
            W_OUT,
            "return d_model**-0.5 * max(step**-0.5, step * warmup**-1.5)",
        ),
    ),
}
