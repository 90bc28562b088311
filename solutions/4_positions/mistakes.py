"""Named mistakes of stage 4, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
INTERLEAVED = "return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)"
SINUSOID_EXPONENT = "exponent = torch.arange(0, d_model, 2, device=device) / d_model"
POSITION = "position = torch.arange(length, device=device)"
SUM = "return x + self.weight[start:end]"
LIMIT = "if end > self.weight.shape[0]:"
COS_AND_SIN = "angle.cos(), angle.sin()"
ANGLE_EXPONENT = "exponent = torch.arange(0, d_head, 2, dtype=dtype, device=positions.device) / d_head"
ANGLE = "angle = positions.to(dtype).unsqueeze(-1) * base**-exponent"
ANGLES_OF_X = "rotary_angles(positions.to(dtype), x.shape[-1], base)"
ANGLE_DTYPE = "dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32"
PAIRS = "a, b = x[..., 0::2], x[..., 1::2]"
ROTATION = "torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1)"
HALVES = "torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).unsqueeze(-1)"
ROTARY_DTYPE = "dtype = torch.float64 if x.dtype == torch.float64 else torch.float32"
PER_SEQUENCE = "if positions.ndim == 2:"
BROADCAST_SHAPE = "room = (len(positions), *[1] * (x.ndim - 3), *cos.shape[1:])"
RESULT = "return turned.flatten(-2).to(x.dtype)"
SLOPE = "slope = 2.0 ** (-8 * torch.arange(1, num_heads + 1, device=device) / num_heads)"
BIAS = "return -slope[:, None, None] * distance"

MISTAKES = {
    "sinusoidal_encoding": (
        mistake(
            "sinusoids_in_blocks",
            "the sines fill the first half of each row and the cosines the second half",
            INTERLEAVED,
            "return torch.cat([angle.sin(), angle.cos()], dim=-1)",
        ),
        mistake(
            "sinusoids_cosine_first",
            "the cosines are in the even columns and the sines in the odd columns",
            INTERLEAVED,
            "return torch.stack([angle.cos(), angle.sin()], dim=-1).flatten(-2)",
        ),
        mistake(
            "sinusoids_from_one", "positions are counted from 1", "torch.arange(length,", "torch.arange(1, length + 1,"
        ),
        mistake(
            "sinusoids_single_exponent",
            "the exponent of column pair i is i/d_model instead of 2i/d_model",
            SINUSOID_EXPONENT,
            "exponent = torch.arange(d_model // 2, device=device) / d_model",
        ),
        mistake(
            "sinusoids_double_exponent",
            "the exponent of column pair i is 4i/d_model instead of 2i/d_model",
            SINUSOID_EXPONENT,
            SINUSOID_EXPONENT.replace("= torch", "= 2 * torch"),
        ),
        mistake(
            "sinusoids_clock_per_column",
            "the sine and cosine of a pair have different frequencies",
            INTERLEAVED,
            (
                "slower = angle * base ** (-1 / d_model)\n"
                "    return torch.stack([angle.sin(), slower.cos()], dim=-1).flatten(-2)"
            ),
        ),
        mistake(
            "sinusoids_exponent_per_column",
            "column j has the exponent 2j/d_model, so a sine and its cosine have different frequencies",
            SINUSOID_EXPONENT,
            "exponent = 2 * torch.arange(d_model, device=device) / d_model",
            INTERLEAVED,
            "return torch.where(torch.arange(d_model, device=device) % 2 == 0, angle.sin(), angle.cos())",
        ),
        mistake(
            "sinusoids_sine_only",
            "both columns of a pair hold the sine",
            INTERLEAVED,
            INTERLEAVED.replace("angle.cos", "angle.sin"),
        ),
        mistake(
            "sinusoids_faster_and_faster",
            "positions are multiplied by base^(2i/d_model) instead of divided",
            "angle = position * base**-exponent",
            "angle = position * base**exponent",
        ),
        mistake(
            "sinusoids_whole_exponent",
            "the exponent 2i/d_model is truncated to an integer, so all frequencies are equal",
            SINUSOID_EXPONENT,
            SINUSOID_EXPONENT.replace("/", "//"),
        ),
        mistake(
            "sinusoids_base_fixed",
            "the sinusoids always use the base 10000, whatever `base` is",
            "position * base*",
            "position * 10000.0*",
        ),
        mistake(
            "sinusoids_end_at_base",
            "the exponents of the sinusoids run from 0 to 1 inclusive",
            SINUSOID_EXPONENT,
            "exponent = torch.linspace(0, 1, d_model // 2, device=device)",
        ),
        mistake(
            "sinusoids_limited_table",
            "positions stop at 511, so later rows repeat the row of position 511",
            POSITION,
            POSITION + ".clamp(max=511)",
        ),
        mistake(
            "sinusoids_float32",
            "the sinusoids are always float32, whatever the default dtype",
            INTERLEAVED,
            INTERLEAVED + ".to(torch.float32)",
        ),
        mistake(
            "sinusoids_on_the_cpu",
            "the sinusoids ignore `device`",
            POSITION,
            "position = torch.arange(length)",
            SINUSOID_EXPONENT,
            "exponent = torch.arange(0, d_model, 2) / d_model",
        ),
        mistake(
            "sinusoids_half_on_the_cpu",
            "some tensors are created without `device`",
            POSITION,
            "position = torch.arange(length)",
        ),
        mistake("sinusoids_of_odd_size", "an odd d_model is accepted", "if d_model % 2:", "if False:"),
    ),
    "LearnedPositions": (
        mistake("learned_start_ignored", "the rows start at 0, whatever `start` is", "[start:end]", "[: x.shape[1]]"),
        mistake(
            "learned_from_the_end",
            "the last rows are added instead of the first rows",
            SUM,
            "return x + self.weight[len(self.weight) - x.shape[1] :]",
        ),
        mistake("learned_one_row", "row `start` is added to every token", SUM, "return x + self.weight[start]"),
        mistake(
            "learned_rows_of_sixteen_tokens",
            "tokens after the sixteenth get no row",
            SUM,
            (
                "rows = torch.zeros_like(self.weight[start:end])\n"
                "        rows[:16] = self.weight[start:end][:16]\n"
                "        return x + rows"
            ),
        ),
        mistake(
            "learned_rows_alone", "the rows are returned without x", SUM, "return self.weight[start:end].expand_as(x)"
        ),
        mistake(
            "learned_by_sequence",
            "each sequence of the batch gets one row for all its positions",
            SUM,
            "return x + self.weight[(start + torch.arange(len(x))) % len(self.weight)][:, None]",
        ),
        mistake(
            "learned_scaled_input",
            "x is multiplied by √d_model before the rows are added",
            SUM,
            "return x * x.shape[-1] ** 0.5 + self.weight[start:end]",
        ),
        mistake("learned_without_a_limit", "positions past max_length are not rejected", LIMIT, "if False:"),
        mistake(
            "learned_limit_without_start",
            "the check against max_length ignores `start`",
            LIMIT,
            "if x.shape[1] > self.weight.shape[0]:",
        ),
        mistake(
            "learned_limit_too_early", "the last row is rejected", "end > self.weight.shape", "end >= self.weight.shape"
        ),
        mistake(
            "learned_other_name",
            "the parameter is not named `weight`",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            "self.embedding = nn.Embedding(max_length, d_model)",
            "nn.init.normal_(self.weight, std=0.02)",
            "nn.init.normal_(self.embedding.weight, std=0.02)",
            LIMIT,
            "if end > self.embedding.weight.shape[0]:",
            "there are only {self.weight.shape[0]}",
            "there are only {self.embedding.weight.shape[0]}",
            SUM,
            "return x + self.embedding.weight[start:end]",
        ),
        mistake(
            "learned_stored_positions",
            "the state dict holds a buffer besides `weight`",
            "nn.init.normal_(self.weight, std=0.02)",
            (
                "nn.init.normal_(self.weight, std=0.02)\n"
                '        self.register_buffer("positions", torch.arange(max_length))'
            ),
        ),
        mistake(
            "learned_not_trained",
            "the rows are not a trainable parameter",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            'self.register_buffer("weight", torch.empty(max_length, d_model))',
        ),
        mistake(
            "learned_frozen",
            "the parameter does not require gradients",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model), requires_grad=False)",
        ),
        mistake(
            "learned_without_rows_in_eval_mode",
            "no rows are added in eval mode",
            SUM,
            "return x + self.weight[start:end] * self.training",
        ),
        mistake(
            "learned_detached", "the rows are detached before they are added", "x + self.weight", "x + self.weight.data"
        ),
        mistake(
            "learned_wide_parameter",
            "the parameter is made in float64",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
            "self.weight = nn.Parameter(torch.empty(max_length, d_model, dtype=torch.float64))",
        ),
        mistake("learned_upcasts", "the rows are converted to float32 before they are added", SUM, SUM + ".float()"),
        mistake(
            "learned_in_place", "the rows are added to x in place", SUM, "x += self.weight[start:end]\n        return x"
        ),
        mistake(
            "learned_positions_on_the_cpu",
            ON_THE_CPU,
            SUM,
            "return x + nn.functional.embedding(torch.arange(start, end), self.weight)",
        ),
    ),
    "rotary_angles": (
        mistake("angles_sine_first", "the sine is returned before the cosine", COS_AND_SIN, "angle.sin(), angle.cos()"),
        mistake("angles_clockwise", "the sine has the wrong sign", COS_AND_SIN, "angle.cos(), -angle.sin()"),
        mistake(
            "angles_spread_to_base",
            "the exponents of the rotary pairs run from 0 to 1 inclusive",
            ANGLE_EXPONENT,
            "exponent = torch.linspace(0, 1, d_head // 2, dtype=dtype, device=positions.device)",
        ),
        mistake(
            "angles_single_exponent",
            "the exponent of pair i is -i/d_head instead of -2i/d_head",
            ANGLE_EXPONENT,
            ANGLE_EXPONENT.replace("0, d_head, 2", "d_head // 2"),
        ),
        mistake(
            "angles_one_based_exponent",
            "the exponent counts the pairs from 1 instead of 0",
            ANGLE_EXPONENT,
            ANGLE_EXPONENT.replace("arange(0, d_head, 2,", "arange(2, d_head + 2, 2,"),
        ),
        mistake(
            "angles_faster_and_faster",
            "the exponent has the wrong sign, so later pairs rotate faster",
            ANGLE,
            ANGLE.replace("base**-", "base**"),
        ),
        mistake(
            "angles_base_fixed",
            "the rotary angles always use the base 10000, whatever `base` is",
            ANGLE,
            ANGLE.replace("base", "10000.0"),
        ),
        mistake(
            "angles_remember_the_base",
            "the frequencies are reused from an earlier call with a different `base`",
            ANGLE,
            (
                'kept = rotary_angles.__dict__.setdefault("kept", {})\n'
                "    speed = kept.setdefault((d_head, dtype, positions.device), base**-exponent)\n"
                "    angle = positions.to(dtype).unsqueeze(-1) * speed"
            ),
        ),
        mistake(
            "angles_repeated",
            "each angle is returned twice, once for each element of its pair",
            "return angle.cos(), angle.sin()",
            "angle = angle.repeat_interleave(2, dim=-1)\n    return angle.cos(), angle.sin()",
        ),
        mistake(
            "angles_of_one_axis",
            "positions with several axes are flattened",
            ANGLE,
            "angle = torch.outer(positions.to(dtype).flatten(), base**-exponent)",
        ),
        mistake(
            "angles_of_whole_positions",
            "the positions are truncated to integers",
            ANGLE,
            ANGLE.replace("positions.to(dtype)", "positions.long().to(dtype)"),
        ),
        mistake(
            "angles_limited_table",
            "positions stop at 2047, so later positions have the angles of position 2047",
            ANGLE,
            ANGLE.replace("positions.to(dtype)", "positions.to(dtype).clamp(max=2047)"),
        ),
        mistake(
            "angles_of_narrow_positions",
            "the angles of bfloat16 and float16 positions are computed in that dtype",
            ANGLE_DTYPE,
            "dtype = positions.dtype if positions.is_floating_point() else torch.float32",
        ),
        mistake("angles_always_float32", "the angles are always float32", ANGLE_DTYPE, "dtype = torch.float32"),
        mistake("angles_always_float64", "the angles are always float64", ANGLE_DTYPE, "dtype = torch.float64"),
        mistake(
            "angles_reshape_in_place",
            "an axis is added to the positions in place",
            ANGLE,
            "angle = positions.unsqueeze_(-1).to(dtype) * base**-exponent",
        ),
        mistake(
            "angles_on_the_cpu",
            ON_THE_CPU,
            ANGLE_EXPONENT,
            "exponent = torch.arange(0, d_head, 2, dtype=dtype) / d_head",
        ),
        mistake("angles_of_odd_size", "an odd d_head is accepted", "if d_head % 2:", "if False:"),
    ),
    "apply_rotary": (
        mistake(
            "rotary_pairs_halves",
            "element i is paired with element i + d_head/2 instead of its neighbour",
            PAIRS,
            "a, b = x.chunk(2, dim=-1)",
            ROTATION,
            HALVES,
        ),
        mistake("rotary_leaves_halves", "the rotated pairs are not interleaved again", ROTATION, HALVES),
        mistake(
            "rotary_clockwise",
            "the pairs rotate clockwise",
            ROTATION,
            "torch.stack([a * cos + b * sin, b * cos - a * sin], dim=-1)",
        ),
        mistake(
            "rotary_both_minus",
            "the second element of a pair becomes a sin θ - b cos θ",
            ROTATION,
            ROTATION.replace("+", "-"),
        ),
        mistake(
            "rotary_both_plus",
            "the first element of a pair becomes a cos θ + b sin θ",
            ROTATION,
            ROTATION.replace("cos - b", "cos + b"),
        ),
        mistake(
            "rotary_second_from_first",
            "the second element of a pair is computed from the rotated first element",
            ROTATION,
            "torch.stack([first := a * cos - b * sin, first * sin + b * cos], dim=-1)",
        ),
        mistake(
            "rotary_ignores_positions",
            "the tokens are numbered 0, 1, 2, … and `positions` is ignored",
            ROTARY_DTYPE,
            f"positions = torch.arange(x.shape[-2], device=x.device)\n    {ROTARY_DTYPE}",
        ),
        mistake(
            "rotary_from_one", "1 is added to each position", ANGLES_OF_X, ANGLES_OF_X.replace("(dtype)", "(dtype) + 1")
        ),
        mistake(
            "rotary_first_sequence_for_all",
            "all sequences use the positions of the first sequence",
            ANGLES_OF_X,
            "rotary_angles((positions if positions.ndim == 1 else positions[0]).to(dtype), x.shape[-1], base)",
            PER_SEQUENCE,
            "if False:",
        ),
        mistake(
            "rotary_sequences_over_heads",
            "the batch axis of `positions` is broadcast along the heads",
            PER_SEQUENCE,
            "if False:",
        ),
        mistake(
            "rotary_guesses_by_size",
            "`positions` counts as `(batch, length)` whenever its first axis has the batch size",
            PER_SEQUENCE,
            "if x.ndim > 2 and len(positions) == len(x):",
        ),
        mistake(
            "rotary_needs_heads",
            "positions `(batch, length)` work only when x has four axes",
            BROADCAST_SHAPE,
            "room = (len(positions), 1, *cos.shape[1:])",
        ),
        mistake(
            "rotary_four_axes_only",
            "x must have exactly four axes",
            ROTARY_DTYPE,
            f"batch, heads, length, d_head = x.shape\n    {ROTARY_DTYPE}",
        ),
        mistake("rotary_base_forgotten", "the angles ignore `base`", ANGLES_OF_X, ANGLES_OF_X.replace(", base", "")),
        mistake(
            "rotary_without_direction",
            "negative positions rotate in the same direction as positive positions",
            ANGLES_OF_X,
            ANGLES_OF_X.replace("(dtype)", "(dtype).abs()"),
        ),
        mistake("rotary_upcasts", "the result keeps the dtype of the angles", RESULT, "return turned.flatten(-2)"),
        mistake(
            "rotary_narrow_angles",
            "the angles are computed in the dtype of x, even if narrower than float32",
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
            "rotary_float32_angles", "the angles are float32 for a float64 x", ROTARY_DTYPE, "dtype = torch.float32"
        ),
        mistake(
            "rotary_computed_in_float32",
            "a float64 x is converted to float32 for the rotation",
            ROTARY_DTYPE,
            "given, x, dtype = x.dtype, x.float(), torch.float32",
            RESULT,
            "return turned.flatten(-2).to(given)",
        ),
        mistake(
            "rotary_limited_table",
            "positions stop at 511, so later tokens rotate like the token at position 511",
            ANGLES_OF_X,
            ANGLES_OF_X.replace("(dtype)", "(dtype).clamp(max=511)"),
        ),
        mistake(
            "rotary_table_without_negatives",
            "a negative position counts from the end of a table",
            ANGLES_OF_X,
            ANGLES_OF_X.replace("positions.to(dtype)", "(positions % 131072).to(dtype)"),
        ),
        mistake("rotary_detached", "x is detached before the rotation", PAIRS, PAIRS.replace("x", "x.detach()")),
        mistake(
            "rotary_in_place",
            "the rotated elements are written into x",
            RESULT,
            "return x.data.copy_(turned.flatten(-2)) if not x.requires_grad else turned.flatten(-2)",
        ),
        mistake(
            "rotary_on_the_cpu",
            ON_THE_CPU,
            ANGLES_OF_X,
            "rotary_angles(torch.zeros(positions.shape, dtype=dtype) + positions, x.shape[-1], base)",
        ),
    ),
    "alibi_bias": (
        mistake(
            "alibi_rewards_distance", "distant keys get a bonus instead of a penalty", "return -slope[", "return slope["
        ),
        mistake(
            "alibi_from_the_first",
            "the first query is aligned with the first key, even with more keys than queries",
            "query = torch.arange(key_length - query_length, key_length, device",
            "query = torch.arange(query_length, device",
        ),
        mistake(
            "alibi_distance_from_one",
            "the distance of a query to its own position is 1 instead of 0",
            "None] - key",
            "None] - key + 1",
        ),
        mistake(
            "alibi_heads_from_zero",
            "the exponent of the slope counts the heads from 0",
            SLOPE,
            SLOPE.replace("torch.arange(1, num_heads + 1,", "torch.arange(num_heads,"),
        ),
        mistake(
            "alibi_slopes_of_eight_heads",
            "the slopes are those of eight heads, whatever num_heads is",
            SLOPE,
            "slope = 2.0 ** -torch.arange(1, num_heads + 1, device=device).to(torch.get_default_dtype())",
        ),
        mistake(
            "alibi_slopes_reversed", "the slopes are assigned to the heads in reverse order", SLOPE, SLOPE + ".flip(0)"
        ),
        mistake(
            "alibi_one_slope", "all heads have the same slope", "return -slope[", "return -slope[-1].expand(num_heads)["
        ),
        mistake(
            "alibi_float32",
            "the biases are always float32, whatever the default dtype",
            BIAS,
            "return (-slope[:, None, None] * distance).float()",
        ),
        mistake(
            "alibi_on_the_cpu",
            "the biases ignore `device`",
            BIAS,
            "return (-slope[:, None, None] * distance).to(torch.zeros(0).device)",
        ),
    ),
}
