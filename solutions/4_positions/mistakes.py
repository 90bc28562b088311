"""Named mistakes of stage 4, as students make them."""

from autograder.course.mistakes import mistake

INTERLEAVED = "return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)"
CLOCKS = "exponent = torch.arange(0, d_model, 2, device=device) / d_model"
PAIRS = "exponent = torch.arange(0, d_head, 2, dtype=dtype, device=positions.device) / d_head"
ANGLE = "angle = positions.to(dtype).unsqueeze(-1) * base**-exponent"
ROTARY_DTYPE = "dtype = torch.float64 if x.dtype == torch.float64 else torch.float32"
ROOM = "room = (len(positions), *[1] * (x.ndim - 3), *cos.shape[1:])"
ANGLES_OF_X = "rotary_angles(positions.to(dtype), x.shape[-1], base)"
NEIGHBOURS = "a, b = x[..., 0::2], x[..., 1::2]"
TURN = "torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1)"
FLAT = "return turned.flatten(-2).to(x.dtype)"
SLOPE = "slope = 2.0 ** (-8 * torch.arange(1, num_heads + 1, device=device) / num_heads)"

MISTAKES = {
    "sinusoidal_encoding": (
        mistake(
            "sinusoids_in_blocks",
            "all sines stand in the first half of a row and all cosines in the second, not side by side",
            INTERLEAVED,
            "return torch.cat([angle.sin(), angle.cos()], dim=-1)",
        ),
        mistake(
            "sinusoids_cosine_first",
            "the cosines stand in the even columns and the sines in the odd ones",
            INTERLEAVED,
            "return torch.stack([angle.cos(), angle.sin()], dim=-1).flatten(-2)",
        ),
        mistake(
            "sinusoids_from_one", "positions are counted from 1", "torch.arange(length,", "torch.arange(1, length + 1,"
        ),
        mistake(
            "sinusoids_single_exponent",
            "the exponent of clock i is i/d_model, where 2i/d_model is asked for",
            CLOCKS,
            "exponent = torch.arange(d_model // 2, device=device) / d_model",
        ),
        mistake(
            "sinusoids_double_exponent",
            "the exponent of clock i is 4i/d_model, where 2i/d_model is asked for",
            CLOCKS,
            "exponent = 2 * torch.arange(0, d_model, 2, device=device) / d_model",
        ),
        mistake(
            "sinusoids_clock_per_column",
            "the cosine of a pair runs at another speed than its sine",
            INTERLEAVED,
            (
                "slower = angle * base ** (-1 / d_model)\n"
                "    return torch.stack([angle.sin(), slower.cos()], dim=-1).flatten(-2)"
            ),
        ),
        mistake(
            "sinusoids_sine_only",
            "both columns of a pair hold the sine",
            INTERLEAVED,
            "return torch.stack([angle.sin(), angle.sin()], dim=-1).flatten(-2)",
        ),
        mistake(
            "sinusoids_faster_and_faster",
            "positions are multiplied by base^(2i/d_model) instead of divided",
            "angle = position * base**-exponent",
            "angle = position * base**exponent",
        ),
        mistake(
            "sinusoids_whole_exponent",
            "the exponent 2i/d_model is cut to a whole number, so that all clocks are equally fast",
            CLOCKS,
            "exponent = torch.arange(0, d_model, 2, device=device) // d_model",
        ),
        mistake(
            "sinusoids_base_fixed", "the base is 10000 whatever `base` says", "position * base*", "position * 10000.0*"
        ),
        mistake(
            "sinusoids_end_at_base",
            "the exponents are spread from 0 to 1, both included",
            CLOCKS,
            "exponent = torch.linspace(0, 1, d_model // 2, device=device)",
        ),
        mistake(
            "sinusoids_limited_table",
            "positions stop at 511, and later ones repeat the last row",
            "position = torch.arange(length, device=device)",
            "position = torch.arange(length, device=device).clamp(max=511)",
        ),
        mistake(
            "sinusoids_float32",
            "the result is float32 even where another default dtype is set",
            INTERLEAVED,
            INTERLEAVED + ".to(torch.float32)",
        ),
        mistake(
            "sinusoids_on_the_cpu",
            "`device` is not used",
            "position = torch.arange(length, device=device)",
            "position = torch.arange(length)",
            CLOCKS,
            "exponent = torch.arange(0, d_model, 2) / d_model",
        ),
        mistake(
            "sinusoids_half_on_the_cpu",
            "some of the tensors are made without `device`",
            "position = torch.arange(length, device=device)",
            "position = torch.arange(length)",
        ),
        mistake("sinusoids_of_odd_size", "an odd d_model is accepted", "if d_model % 2:", "if False:"),
    ),
    "LearnedPositions": (
        mistake("learned_start_ignored", "the rows begin at 0 whatever `start` says", "[start:end]", "[: x.shape[1]]"),
        mistake(
            "learned_from_the_end",
            "the last rows are added, not the first ones",
            "return x + self.weight[start:end]",
            "return x + self.weight[len(self.weight) - x.shape[1] :]",
        ),
        mistake(
            "learned_rows_alone",
            "the rows are returned without x",
            "return x + self.weight[start:end]",
            "return self.weight[start:end].expand_as(x)",
        ),
        mistake(
            "learned_by_sequence",
            "each sequence of the batch gets one row, not each position",
            "return x + self.weight[start:end]",
            "return x + self.weight[(start + torch.arange(len(x))) % len(self.weight)][:, None]",
        ),
        mistake(
            "learned_scaled_input",
            "x is multiplied by √d_model before the rows are added",
            "return x + self.weight[start:end]",
            "return x * x.shape[-1] ** 0.5 + self.weight[start:end]",
        ),
        mistake(
            "learned_without_a_limit",
            "nothing asks whether there are enough rows",
            "if end > self.weight.shape[0]:",
            "if False:",
        ),
        mistake(
            "learned_limit_without_start",
            "only the length of x is held against max_length, and `start` is forgotten",
            "if end > self.weight.shape[0]:",
            "if x.shape[1] > self.weight.shape[0]:",
        ),
        mistake(
            "learned_limit_too_early", "the last row is refused", "end > self.weight.shape", "end >= self.weight.shape"
        ),
        mistake(
            "learned_other_name",
            "the parameter has another name than `weight`",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            "self.embedding = nn.Embedding(max_length, d_model)",
            "nn.init.normal_(self.weight, std=0.02)",
            "nn.init.normal_(self.embedding.weight, std=0.02)",
            "if end > self.weight.shape[0]:",
            "if end > self.embedding.weight.shape[0]:",
            "there are only {self.weight.shape[0]}",
            "there are only {self.embedding.weight.shape[0]}",
            "return x + self.weight[start:end]",
            "return x + self.embedding.weight[start:end]",
        ),
        mistake(
            "learned_stored_positions",
            "the state dict also holds something that is not learnt",
            "nn.init.normal_(self.weight, std=0.02)",
            (
                "nn.init.normal_(self.weight, std=0.02)\n"
                '        self.register_buffer("positions", torch.arange(max_length))'
            ),
        ),
        mistake(
            "learned_not_trained",
            "the rows are no parameter that is trained",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            'self.register_buffer("weight", torch.empty(max_length, d_model))',
        ),
        mistake(
            "learned_detached", "the rows are detached before they are added", "x + self.weight", "x + self.weight.data"
        ),
        mistake(
            "learned_upcasts",
            "the rows are turned into float32 before they are added",
            "return x + self.weight[start:end]",
            "return x + self.weight[start:end].float()",
        ),
        mistake(
            "learned_in_place",
            "the rows are added to x in place",
            "return x + self.weight[start:end]",
            "x += self.weight[start:end]\n        return x",
        ),
        mistake(
            "learned_positions_on_the_cpu",
            "the row numbers are made on the CPU wherever x is",
            "return x + self.weight[start:end]",
            "return x + nn.functional.embedding(torch.arange(start, end), self.weight)",
        ),
    ),
    "rotary_angles": (
        mistake(
            "angles_sine_first", "the sine is returned first", "angle.cos(), angle.sin()", "angle.sin(), angle.cos()"
        ),
        mistake(
            "angles_clockwise", "the sine has the wrong sign", "angle.cos(), angle.sin()", "angle.cos(), -angle.sin()"
        ),
        mistake(
            "angles_spread_to_base",
            "the exponents are spread from 0 to 1, both included",
            PAIRS,
            "exponent = torch.linspace(0, 1, d_head // 2, dtype=dtype, device=positions.device)",
        ),
        mistake(
            "angles_single_exponent",
            "the exponent of pair i is −i/d_head, where −2i/d_head is asked for",
            PAIRS,
            "exponent = torch.arange(d_head // 2, dtype=dtype, device=positions.device) / d_head",
        ),
        mistake(
            "angles_one_based_exponent",
            "pairs are counted from 1 in the exponent",
            PAIRS,
            PAIRS.replace("arange(0, d_head, 2,", "arange(2, d_head + 2, 2,"),
        ),
        mistake(
            "angles_faster_and_faster",
            "the exponent has the wrong sign, so that each pair turns faster than the one before",
            ANGLE,
            "angle = positions.to(dtype).unsqueeze(-1) * base**exponent",
        ),
        mistake(
            "angles_base_fixed",
            "the base is 10000 whatever `base` says",
            ANGLE,
            "angle = positions.to(dtype).unsqueeze(-1) * 10000.0**-exponent",
        ),
        mistake(
            "angles_remember_the_base",
            "the speeds of the pairs are kept from an earlier call although `base` has changed",
            ANGLE,
            (
                'kept = rotary_angles.__dict__.setdefault("kept", {})\n'
                "    speed = kept.setdefault((d_head, dtype, positions.device), base**-exponent)\n"
                "    angle = positions.to(dtype).unsqueeze(-1) * speed"
            ),
        ),
        mistake(
            "angles_repeated",
            "each angle is given twice, once for either number of its pair",
            "return angle.cos(), angle.sin()",
            "angle = angle.repeat_interleave(2, dim=-1)\n    return angle.cos(), angle.sin()",
            ANGLES_OF_X,
            f"(one[..., ::2] for one in {ANGLES_OF_X})",
        ),
        mistake(
            "angles_of_one_axis",
            "positions of several axes are flattened",
            ANGLE,
            "angle = torch.outer(positions.to(dtype).flatten(), base**-exponent)",
        ),
        mistake(
            "angles_of_whole_positions",
            "positions are cut to whole numbers",
            ANGLE,
            ANGLE.replace("positions.to(dtype)", "positions.long().to(dtype)"),
        ),
        mistake(
            "angles_always_float32",
            "angles are float32 even for float64 positions",
            "dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32",
            "dtype = torch.float32",
        ),
        mistake(
            "angles_always_float64",
            "angles are float64 whatever the positions are",
            "dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32",
            "dtype = torch.float64",
        ),
        mistake(
            "angles_reshape_in_place",
            "the positions get their new axis in place",
            ANGLE,
            "angle = positions.unsqueeze_(-1).to(dtype) * base**-exponent",
        ),
        mistake(
            "angles_on_the_cpu",
            "the speeds are made on the CPU wherever the positions are",
            PAIRS,
            "exponent = torch.arange(0, d_head, 2, dtype=dtype) / d_head",
        ),
        mistake("angles_of_odd_size", "an odd d_head is accepted", "if d_head % 2:", "if False:"),
    ),
    "apply_rotary": (
        mistake(
            "rotary_pairs_halves",
            "number i forms a pair with number i + d_head/2, not with its neighbour",
            NEIGHBOURS,
            "a, b = x.chunk(2, dim=-1)",
            TURN,
            "torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).unsqueeze(-1)",
        ),
        mistake(
            "rotary_leaves_halves",
            "the turned numbers are not put back side by side",
            TURN,
            "torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).unsqueeze(-1)",
        ),
        mistake(
            "rotary_clockwise",
            "pairs turn clockwise",
            TURN,
            "torch.stack([a * cos + b * sin, b * cos - a * sin], dim=-1)",
        ),
        mistake(
            "rotary_both_minus",
            "the second number of a pair is a sin θ − b cos θ",
            TURN,
            "torch.stack([a * cos - b * sin, a * sin - b * cos], dim=-1)",
        ),
        mistake(
            "rotary_both_plus",
            "the first number of a pair is a cos θ + b sin θ",
            TURN,
            "torch.stack([a * cos + b * sin, a * sin + b * cos], dim=-1)",
        ),
        mistake(
            "rotary_second_from_first",
            "the second number of a pair is computed from the new first one",
            TURN,
            "torch.stack([first := a * cos - b * sin, first * sin + b * cos], dim=-1)",
        ),
        mistake(
            "rotary_ignores_positions",
            "tokens are counted 0, 1, 2, … and `positions` is not read",
            ROTARY_DTYPE,
            f"positions = torch.arange(x.shape[-2], device=x.device)\n    {ROTARY_DTYPE}",
        ),
        mistake(
            "rotary_from_one",
            "1 is added to each position",
            ANGLES_OF_X,
            "rotary_angles(positions.to(dtype) + 1, x.shape[-1], base)",
        ),
        mistake(
            "rotary_first_sequence_for_all",
            "all sequences get the positions of the first one",
            ANGLES_OF_X,
            "rotary_angles((positions if positions.ndim == 1 else positions[0]).to(dtype), x.shape[-1], base)",
            "if positions.ndim == 2:",
            "if False:",
        ),
        mistake(
            "rotary_sequences_over_heads",
            "positions of each sequence line up with the heads, not with the batch",
            "if positions.ndim == 2:",
            "if False:",
        ),
        mistake(
            "rotary_guesses_by_size",
            "a single list of positions is taken for one position per sequence when its length is that of the batch",
            "if positions.ndim == 2:",
            "if x.ndim > 2 and len(positions) == len(x):",
        ),
        mistake(
            "rotary_needs_heads",
            "positions of each sequence only work when x has four axes",
            ROOM,
            "room = (len(positions), 1, *cos.shape[1:])",
        ),
        mistake(
            "rotary_four_axes_only",
            "x must have exactly four axes",
            ROTARY_DTYPE,
            f"batch, heads, length, d_head = x.shape\n    {ROTARY_DTYPE}",
        ),
        mistake(
            "rotary_base_forgotten",
            "`base` is not handed on to the angles",
            ANGLES_OF_X,
            "rotary_angles(positions.to(dtype), x.shape[-1])",
        ),
        mistake(
            "rotary_without_direction",
            "negative positions turn like positive ones",
            ANGLES_OF_X,
            "rotary_angles(positions.to(dtype).abs(), x.shape[-1], base)",
        ),
        mistake("rotary_upcasts", "the result keeps the dtype of the angles", FLAT, "return turned.flatten(-2)"),
        mistake(
            "rotary_narrow_angles",
            "the angles are computed in the dtype of x, however narrow it is",
            ROTARY_DTYPE,
            "dtype = x.dtype",
            "cos, sin = " + ANGLES_OF_X,
            (
                "exponent = torch.arange(0, x.shape[-1], 2, dtype=torch.float64, device=x.device) / x.shape[-1]\n"
                "    angle = positions.to(dtype).unsqueeze(-1) * (base**-exponent).to(dtype)\n"
                "    cos, sin = angle.cos(), angle.sin()"
            ),
        ),
        mistake(
            "rotary_float32_angles",
            "the angles are float32 even for a float64 x",
            ROTARY_DTYPE,
            "dtype = torch.float32",
        ),
        mistake(
            "rotary_detached",
            "x is detached before it turns",
            NEIGHBOURS,
            "a, b = x.detach()[..., 0::2], x.detach()[..., 1::2]",
        ),
        mistake(
            "rotary_in_place",
            "the turned numbers are written into x",
            FLAT,
            "return x.data.copy_(turned.flatten(-2)) if not x.requires_grad else turned.flatten(-2)",
        ),
        mistake(
            "rotary_on_the_cpu",
            "the positions are copied to the CPU",
            ANGLES_OF_X,
            "rotary_angles(torch.zeros(positions.shape, dtype=dtype) + positions, x.shape[-1], base)",
        ),
    ),
    "alibi_bias": (
        mistake(
            "alibi_rewards_distance", "far keys get a higher score, not a lower one", "return -slope[", "return slope["
        ),
        mistake(
            "alibi_from_the_first",
            "the first query stands at the first key, however many keys came before",
            "query = torch.arange(key_length - query_length, key_length, device",
            "query = torch.arange(query_length, device",
        ),
        mistake(
            "alibi_distance_from_one", "the distance of a query to itself counts as 1", "None] - key", "None] - key + 1"
        ),
        mistake(
            "alibi_heads_from_zero",
            "heads are counted from 0 in the slope's exponent",
            SLOPE,
            SLOPE.replace("torch.arange(1, num_heads + 1,", "torch.arange(num_heads,"),
        ),
        mistake(
            "alibi_slopes_of_eight_heads",
            "the slopes are those of eight heads, however many there are",
            SLOPE,
            "slope = 2.0 ** -torch.arange(1, num_heads + 1, device=device).to(torch.get_default_dtype())",
        ),
        mistake("alibi_slopes_reversed", "the slopes are in the reverse order of the heads", SLOPE, SLOPE + ".flip(0)"),
        mistake(
            "alibi_one_slope", "all heads have the same slope", "return -slope[", "return -slope[-1].expand(num_heads)["
        ),
        mistake(
            "alibi_float32",
            "the result is float32 even where another default dtype is set",
            "return -slope[:, None, None] * distance",
            "return (-slope[:, None, None] * distance).float()",
        ),
        mistake(
            "alibi_on_the_cpu",
            "`device` is not used",
            "return -slope[:, None, None] * distance",
            "return (-slope[:, None, None] * distance).to(torch.zeros(0).device)",
        ),
    ),
}
