"""Named mistakes of stage 4, as students make them."""

from autograder.course.mistakes import Mistake

SINUSOID_VALUES = frozenset(
    {"test_sinusoids_follow_the_formula", "test_sinusoids_use_the_base", "test_sinusoids_hold_far_out"}
)
LEARNED_VALUES = frozenset(
    {
        "test_learned_positions_add_the_first_rows",
        "test_learned_positions_start_where_told",
        "test_learned_positions_reach_the_last_row",
    }
)
ANGLE_VALUES = frozenset(
    {
        "test_angles_follow_the_formula",
        "test_angles_use_the_base",
        "test_angles_follow_the_shape_of_positions",
        "test_angles_take_any_real_position",
        "test_angles_of_float64_positions_are_float64",
    }
)
ROTARY_PLACES = frozenset(
    {
        "test_rotary_takes_positions_of_each_sequence",
        "test_rotary_takes_positions_of_each_sequence_at_any_rank",
    }
)
ROTARY_VALUES = ROTARY_PLACES | {
    "test_rotary_turns_each_pair",
    "test_rotary_takes_any_leading_axes",
    "test_rotary_uses_the_base",
    "test_rotary_turns_back_for_negative_positions",
    "test_rotary_angles_of_narrow_inputs_are_float32",
    "test_rotary_of_float64_is_float64",
    "test_rotary_lets_gradients_through",
}
ROTARY_LAWS = frozenset({"test_rotary_scores_depend_on_the_distance", "test_rotary_keeps_norms"})
ALIBI_DISTANCES = frozenset({"test_alibi_lowers_scores_by_distance", "test_alibi_lines_up_the_last_query"})

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

MISTAKES = (
    # sinusoidal_encoding
    Mistake(
        id="sinusoids_in_blocks",
        exercise="sinusoidal_encoding",
        says="all sines stand in the first half of a row and all cosines in the second, not side by side",
        replace=((INTERLEAVED, "return torch.cat([angle.sin(), angle.cos()], dim=-1)"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_cosine_first",
        exercise="sinusoidal_encoding",
        says="the cosines stand in the even columns and the sines in the odd ones",
        replace=((INTERLEAVED, "return torch.stack([angle.cos(), angle.sin()], dim=-1).flatten(-2)"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_from_one",
        exercise="sinusoidal_encoding",
        says="positions are counted from 1",
        replace=(("position = torch.arange(length, device", "position = torch.arange(1, length + 1, device"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_single_exponent",
        exercise="sinusoidal_encoding",
        says="the exponent of clock i is i/d_model, where 2i/d_model is asked for",
        replace=((CLOCKS, "exponent = torch.arange(d_model // 2, device=device) / d_model"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_double_exponent",
        exercise="sinusoidal_encoding",
        says="the exponent of clock i is 4i/d_model, where 2i/d_model is asked for",
        replace=((CLOCKS, "exponent = 2 * torch.arange(0, d_model, 2, device=device) / d_model"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_clock_per_column",
        exercise="sinusoidal_encoding",
        says="the cosine of a pair runs at another speed than its sine",
        replace=(
            (
                INTERLEAVED,
                "slower = angle * base ** (-1 / d_model)\n"
                "    return torch.stack([angle.sin(), slower.cos()], dim=-1).flatten(-2)",
            ),
        ),
        fails=SINUSOID_VALUES | {"test_sinusoids_compare_by_distance"},
    ),
    Mistake(
        id="sinusoids_sine_only",
        exercise="sinusoidal_encoding",
        says="both columns of a pair hold the sine",
        replace=((INTERLEAVED, "return torch.stack([angle.sin(), angle.sin()], dim=-1).flatten(-2)"),),
        fails=SINUSOID_VALUES | {"test_sinusoids_compare_by_distance"},
    ),
    Mistake(
        id="sinusoids_faster_and_faster",
        exercise="sinusoidal_encoding",
        says="positions are multiplied by base^(2i/d_model) instead of divided",
        replace=(("angle = position * base**-exponent", "angle = position * base**exponent"),),
        fails=SINUSOID_VALUES | {"test_sinusoids_compare_by_distance"},
    ),
    Mistake(
        id="sinusoids_whole_exponent",
        exercise="sinusoidal_encoding",
        says="the exponent 2i/d_model is cut to a whole number, so that all clocks are equally fast",
        replace=((CLOCKS, "exponent = torch.arange(0, d_model, 2, device=device) // d_model"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_base_fixed",
        exercise="sinusoidal_encoding",
        says="the base is 10000 whatever `base` says",
        replace=(("angle = position * base**-exponent", "angle = position * 10000.0**-exponent"),),
        fails=frozenset({"test_sinusoids_use_the_base"}),
    ),
    Mistake(
        id="sinusoids_end_at_base",
        exercise="sinusoidal_encoding",
        says="the exponents are spread from 0 to 1, both included",
        replace=((CLOCKS, "exponent = torch.linspace(0, 1, d_model // 2, device=device)"),),
        fails=SINUSOID_VALUES,
    ),
    Mistake(
        id="sinusoids_limited_table",
        exercise="sinusoidal_encoding",
        says="positions stop at 511, and later ones repeat the last row",
        replace=(
            (
                "position = torch.arange(length, device=device)",
                "position = torch.arange(length, device=device).clamp(max=511)",
            ),
        ),
        fails=frozenset({"test_sinusoids_hold_far_out"}),
    ),
    Mistake(
        id="sinusoids_float32",
        exercise="sinusoidal_encoding",
        says="the result is float32 even where another default dtype is set",
        replace=((INTERLEAVED, INTERLEAVED + ".to(torch.float32)"),),
        fails=frozenset({"test_sinusoids_have_the_default_dtype"}),
    ),
    Mistake(
        id="sinusoids_on_the_cpu",
        exercise="sinusoidal_encoding",
        says="`device` is not used",
        replace=(
            ("position = torch.arange(length, device=device)", "position = torch.arange(length)"),
            (CLOCKS, "exponent = torch.arange(0, d_model, 2) / d_model"),
        ),
        fails=frozenset({"test_sinusoids_are_made_on_the_device"}),
    ),
    Mistake(
        id="sinusoids_half_on_the_cpu",
        exercise="sinusoidal_encoding",
        says="some of the tensors are made without `device`",
        replace=(("position = torch.arange(length, device=device)", "position = torch.arange(length)"),),
        fails=frozenset({"test_sinusoids_are_made_on_the_device"}),
    ),
    Mistake(
        id="sinusoids_of_odd_size",
        exercise="sinusoidal_encoding",
        says="an odd d_model is accepted",
        replace=(("if d_model % 2:", "if False:"),),
        fails=frozenset({"test_sinusoids_refuse_an_odd_size"}),
    ),
    # LearnedPositions
    Mistake(
        id="learned_start_ignored",
        exercise="LearnedPositions",
        says="the rows begin at 0 whatever `start` says",
        replace=(("return x + self.weight[start:end]", "return x + self.weight[: x.shape[1]]"),),
        fails=LEARNED_VALUES - {"test_learned_positions_add_the_first_rows"} | {"test_learned_positions_are_trained"},
    ),
    Mistake(
        id="learned_from_the_end",
        exercise="LearnedPositions",
        says="the last rows are added, not the first ones",
        replace=(("return x + self.weight[start:end]", "return x + self.weight[len(self.weight) - x.shape[1] :]"),),
        fails=frozenset(
            {
                "test_learned_positions_add_the_first_rows",
                "test_learned_positions_start_where_told",
                "test_learned_positions_are_trained",
            }
        ),
    ),
    Mistake(
        id="learned_rows_alone",
        exercise="LearnedPositions",
        says="the rows are returned without x",
        replace=(("return x + self.weight[start:end]", "return self.weight[start:end].expand_as(x)"),),
        fails=LEARNED_VALUES | {"test_learned_positions_are_trained"},
    ),
    Mistake(
        id="learned_by_sequence",
        exercise="LearnedPositions",
        says="each sequence of the batch gets one row, not each position",
        replace=(
            (
                "return x + self.weight[start:end]",
                "return x + self.weight[(start + torch.arange(len(x))) % len(self.weight)][:, None]",
            ),
        ),
        fails=LEARNED_VALUES | {"test_learned_positions_are_trained"},
    ),
    Mistake(
        id="learned_scaled_input",
        exercise="LearnedPositions",
        says="x is multiplied by √d_model before the rows are added",
        replace=(("return x + self.weight[start:end]", "return x * x.shape[-1] ** 0.5 + self.weight[start:end]"),),
        fails=LEARNED_VALUES | {"test_learned_positions_are_trained"},
    ),
    Mistake(
        id="learned_without_a_limit",
        exercise="LearnedPositions",
        says="nothing asks whether there are enough rows",
        replace=(("if end > self.weight.shape[0]:", "if False:"),),
        fails=frozenset({"test_learned_positions_refuse_to_run_past_the_end"}),
    ),
    Mistake(
        id="learned_limit_without_start",
        exercise="LearnedPositions",
        says="only the length of x is held against max_length, and `start` is forgotten",
        replace=(("if end > self.weight.shape[0]:", "if x.shape[1] > self.weight.shape[0]:"),),
        fails=frozenset({"test_learned_positions_refuse_to_run_past_the_end"}),
    ),
    Mistake(
        id="learned_limit_too_early",
        exercise="LearnedPositions",
        says="the last row is refused",
        replace=(("if end > self.weight.shape[0]:", "if end >= self.weight.shape[0]:"),),
        fails=frozenset({"test_learned_positions_reach_the_last_row"}),
    ),
    Mistake(
        id="learned_other_name",
        exercise="LearnedPositions",
        says="the parameter has another name than `weight`",
        replace=(
            (
                "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
                "self.embedding = nn.Embedding(max_length, d_model)",
            ),
            ("nn.init.normal_(self.weight, std=0.02)", "nn.init.normal_(self.embedding.weight, std=0.02)"),
            ("if end > self.weight.shape[0]:", "if end > self.embedding.weight.shape[0]:"),
            ("there are only {self.weight.shape[0]}", "there are only {self.embedding.weight.shape[0]}"),
            ("return x + self.weight[start:end]", "return x + self.embedding.weight[start:end]"),
        ),
        fails=frozenset({"test_learned_positions_hold_one_parameter"}),
    ),
    Mistake(
        id="learned_stored_positions",
        exercise="LearnedPositions",
        says="the state dict also holds something that is not learnt",
        replace=(
            (
                "nn.init.normal_(self.weight, std=0.02)",
                "nn.init.normal_(self.weight, std=0.02)\n"
                '        self.register_buffer("positions", torch.arange(max_length))',
            ),
        ),
        fails=frozenset({"test_learned_positions_hold_one_parameter"}),
    ),
    Mistake(
        id="learned_not_trained",
        exercise="LearnedPositions",
        says="the rows are no parameter that is trained",
        replace=(
            (
                "self.weight = nn.Parameter(torch.empty(max_length, d_model))",
                'self.register_buffer("weight", torch.empty(max_length, d_model))',
            ),
        ),
        fails=frozenset({"test_learned_positions_are_trained"}),
    ),
    Mistake(
        id="learned_detached",
        exercise="LearnedPositions",
        says="the rows are detached before they are added",
        replace=(("return x + self.weight[start:end]", "return x + self.weight.data[start:end]"),),
        fails=frozenset({"test_learned_positions_are_trained"}),
    ),
    Mistake(
        id="learned_upcasts",
        exercise="LearnedPositions",
        says="the rows are turned into float32 before they are added",
        replace=(("return x + self.weight[start:end]", "return x + self.weight[start:end].float()"),),
        fails=frozenset({"test_learned_positions_keep_the_dtype"}),
    ),
    Mistake(
        id="learned_in_place",
        exercise="LearnedPositions",
        says="the rows are added to x in place",
        replace=(("return x + self.weight[start:end]", "x += self.weight[start:end]\n        return x"),),
        fails=frozenset({"test_learned_positions_leave_the_input_alone", "test_learned_positions_are_trained"}),
    ),
    Mistake(
        id="learned_positions_on_the_cpu",
        exercise="LearnedPositions",
        says="the row numbers are made on the CPU wherever x is",
        replace=(
            (
                "return x + self.weight[start:end]",
                "return x + nn.functional.embedding(torch.arange(start, end), self.weight)",
            ),
        ),
        fails=frozenset({"test_learned_positions_work_on_any_device"}),
    ),
    # rotary_angles
    Mistake(
        id="angles_sine_first",
        exercise="rotary_angles",
        says="the sine is returned first",
        replace=(("return angle.cos(), angle.sin()", "return angle.sin(), angle.cos()"),),
        fails=ANGLE_VALUES | {"test_angles_add_up"} | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_clockwise",
        exercise="rotary_angles",
        says="the sine has the wrong sign",
        replace=(("return angle.cos(), angle.sin()", "return angle.cos(), -angle.sin()"),),
        fails=ANGLE_VALUES | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_spread_to_base",
        exercise="rotary_angles",
        says="the exponents are spread from 0 to 1, both included",
        replace=((PAIRS, "exponent = torch.linspace(0, 1, d_head // 2, dtype=dtype, device=positions.device)"),),
        fails=ANGLE_VALUES | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_single_exponent",
        exercise="rotary_angles",
        says="the exponent of pair i is −i/d_head, where −2i/d_head is asked for",
        replace=((PAIRS, "exponent = torch.arange(d_head // 2, dtype=dtype, device=positions.device) / d_head"),),
        fails=ANGLE_VALUES | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_one_based_exponent",
        exercise="rotary_angles",
        says="pairs are counted from 1 in the exponent",
        replace=((PAIRS, PAIRS.replace("arange(0, d_head, 2,", "arange(2, d_head + 2, 2,")),),
        fails=ANGLE_VALUES | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_faster_and_faster",
        exercise="rotary_angles",
        says="the exponent has the wrong sign, so that each pair turns faster than the one before",
        replace=((ANGLE, "angle = positions.to(dtype).unsqueeze(-1) * base**exponent"),),
        fails=ANGLE_VALUES | {"test_angles_add_up"} | ROTARY_VALUES,
    ),
    Mistake(
        id="angles_base_fixed",
        exercise="rotary_angles",
        says="the base is 10000 whatever `base` says",
        replace=((ANGLE, "angle = positions.to(dtype).unsqueeze(-1) * 10000.0**-exponent"),),
        fails=frozenset({"test_angles_use_the_base", "test_rotary_uses_the_base"}),
    ),
    Mistake(
        id="angles_remember_the_base",
        exercise="rotary_angles",
        says="the speeds of the pairs are kept from an earlier call although `base` has changed",
        replace=(
            (
                ANGLE,
                'kept = rotary_angles.__dict__.setdefault("kept", {})\n'
                "    speed = kept.setdefault((d_head, dtype, positions.device), base**-exponent)\n"
                "    angle = positions.to(dtype).unsqueeze(-1) * speed",
            ),
        ),
        fails=frozenset({"test_angles_use_the_base", "test_rotary_uses_the_base"}),
    ),
    Mistake(
        id="angles_repeated",
        exercise="rotary_angles",
        says="each angle is given twice, once for either number of its pair",
        replace=(
            (
                "return angle.cos(), angle.sin()",
                "angle = angle.repeat_interleave(2, dim=-1)\n    return angle.cos(), angle.sin()",
            ),
            (ANGLES_OF_X, f"(one[..., ::2] for one in {ANGLES_OF_X})"),
        ),
        fails=ANGLE_VALUES | {"test_angles_add_up", "test_angles_refuse_an_odd_size"},
    ),
    Mistake(
        id="angles_of_one_axis",
        exercise="rotary_angles",
        says="positions of several axes are flattened",
        replace=((ANGLE, "angle = torch.outer(positions.to(dtype).flatten(), base**-exponent)"),),
        fails=frozenset({"test_angles_follow_the_shape_of_positions"}) | ROTARY_PLACES,
    ),
    Mistake(
        id="angles_of_whole_positions",
        exercise="rotary_angles",
        says="positions are cut to whole numbers",
        replace=((ANGLE, ANGLE.replace("positions.to(dtype)", "positions.long().to(dtype)")),),
        fails=frozenset({"test_angles_take_any_real_position", "test_angles_of_float64_positions_are_float64"}),
    ),
    Mistake(
        id="angles_always_float32",
        exercise="rotary_angles",
        says="angles are float32 even for float64 positions",
        replace=(
            ("dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32", "dtype = torch.float32"),
        ),
        fails=frozenset({"test_angles_of_float64_positions_are_float64", "test_rotary_of_float64_is_float64"}),
    ),
    Mistake(
        id="angles_always_float64",
        exercise="rotary_angles",
        says="angles are float64 whatever the positions are",
        replace=(
            ("dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32", "dtype = torch.float64"),
        ),
        fails=frozenset({"test_angles_are_float32"}),
    ),
    Mistake(
        id="angles_reshape_in_place",
        exercise="rotary_angles",
        says="the positions get their new axis in place",
        replace=((ANGLE, "angle = positions.unsqueeze_(-1).to(dtype) * base**-exponent"),),
        fails=frozenset({"test_angles_leave_the_positions_alone", "test_rotary_leaves_its_inputs_alone"}),
    ),
    Mistake(
        id="angles_on_the_cpu",
        exercise="rotary_angles",
        says="the speeds are made on the CPU wherever the positions are",
        replace=((PAIRS, "exponent = torch.arange(0, d_head, 2, dtype=dtype) / d_head"),),
        fails=frozenset({"test_angles_are_made_where_the_positions_are", "test_rotary_works_on_any_device"}),
    ),
    Mistake(
        id="angles_of_odd_size",
        exercise="rotary_angles",
        says="an odd d_head is accepted",
        replace=(("if d_head % 2:", "if False:"),),
        fails=frozenset({"test_angles_refuse_an_odd_size"}),
    ),
    # apply_rotary
    Mistake(
        id="rotary_pairs_halves",
        exercise="apply_rotary",
        says="number i forms a pair with number i + d_head/2, not with its neighbour",
        replace=(
            (NEIGHBOURS, "a, b = x.chunk(2, dim=-1)"),
            (TURN, "torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).unsqueeze(-1)"),
        ),
        fails=ROTARY_VALUES,
    ),
    Mistake(
        id="rotary_leaves_halves",
        exercise="apply_rotary",
        says="the turned numbers are not put back side by side",
        replace=((TURN, "torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).unsqueeze(-1)"),),
        fails=ROTARY_VALUES,
    ),
    Mistake(
        id="rotary_clockwise",
        exercise="apply_rotary",
        says="pairs turn clockwise",
        replace=((TURN, "torch.stack([a * cos + b * sin, b * cos - a * sin], dim=-1)"),),
        fails=ROTARY_VALUES,
    ),
    Mistake(
        id="rotary_both_minus",
        exercise="apply_rotary",
        says="the second number of a pair is a sin θ − b cos θ",
        replace=((TURN, "torch.stack([a * cos - b * sin, a * sin - b * cos], dim=-1)"),),
        fails=ROTARY_VALUES | ROTARY_LAWS,
    ),
    Mistake(
        id="rotary_both_plus",
        exercise="apply_rotary",
        says="the first number of a pair is a cos θ + b sin θ",
        replace=((TURN, "torch.stack([a * cos + b * sin, a * sin + b * cos], dim=-1)"),),
        fails=ROTARY_VALUES | ROTARY_LAWS,
    ),
    Mistake(
        id="rotary_second_from_first",
        exercise="apply_rotary",
        says="the second number of a pair is computed from the new first one",
        replace=((TURN, "torch.stack([first := a * cos - b * sin, first * sin + b * cos], dim=-1)"),),
        fails=ROTARY_VALUES | ROTARY_LAWS,
    ),
    Mistake(
        id="rotary_ignores_positions",
        exercise="apply_rotary",
        says="tokens are counted 0, 1, 2, … and `positions` is not read",
        replace=(
            (
                ROTARY_DTYPE,
                f"positions = torch.arange(x.shape[-2], device=x.device)\n    {ROTARY_DTYPE}",
            ),
        ),
        fails=ROTARY_VALUES | {"test_rotary_scores_depend_on_the_distance"},
    ),
    Mistake(
        id="rotary_from_one",
        exercise="apply_rotary",
        says="1 is added to each position",
        replace=((ANGLES_OF_X, "rotary_angles(positions.to(dtype) + 1, x.shape[-1], base)"),),
        fails=ROTARY_VALUES,
    ),
    Mistake(
        id="rotary_first_sequence_for_all",
        exercise="apply_rotary",
        says="all sequences get the positions of the first one",
        replace=(
            (
                ANGLES_OF_X,
                "rotary_angles((positions if positions.ndim == 1 else positions[0]).to(dtype), x.shape[-1], base)",
            ),
            ("if positions.ndim == 2:", "if False:"),
        ),
        fails=ROTARY_PLACES,
    ),
    Mistake(
        id="rotary_sequences_over_heads",
        exercise="apply_rotary",
        says="positions of each sequence line up with the heads, not with the batch",
        replace=(("if positions.ndim == 2:", "if False:"),),
        fails=ROTARY_PLACES,
    ),
    Mistake(
        id="rotary_guesses_by_size",
        exercise="apply_rotary",
        says="a single list of positions is taken for one position per sequence when its length is that of the batch",
        replace=(("if positions.ndim == 2:", "if x.ndim > 2 and len(positions) == len(x):"),),
        fails=frozenset({"test_rotary_takes_any_leading_axes"}),
    ),
    Mistake(
        id="rotary_needs_heads",
        exercise="apply_rotary",
        says="positions of each sequence only work when x has four axes",
        replace=((ROOM, "room = (len(positions), 1, *cos.shape[1:])"),),
        fails=frozenset({"test_rotary_takes_positions_of_each_sequence_at_any_rank"}),
    ),
    Mistake(
        id="rotary_four_axes_only",
        exercise="apply_rotary",
        says="x must have exactly four axes",
        replace=((ROTARY_DTYPE, f"batch, heads, length, d_head = x.shape\n    {ROTARY_DTYPE}"),),
        fails=frozenset(
            {"test_rotary_takes_any_leading_axes", "test_rotary_takes_positions_of_each_sequence_at_any_rank"}
        ),
    ),
    Mistake(
        id="rotary_base_forgotten",
        exercise="apply_rotary",
        says="`base` is not handed on to the angles",
        replace=((ANGLES_OF_X, "rotary_angles(positions.to(dtype), x.shape[-1])"),),
        fails=frozenset({"test_rotary_uses_the_base"}),
    ),
    Mistake(
        id="rotary_without_direction",
        exercise="apply_rotary",
        says="negative positions turn like positive ones",
        replace=((ANGLES_OF_X, "rotary_angles(positions.to(dtype).abs(), x.shape[-1], base)"),),
        fails=frozenset({"test_rotary_turns_back_for_negative_positions"}),
    ),
    Mistake(
        id="rotary_upcasts",
        exercise="apply_rotary",
        says="the result keeps the dtype of the angles",
        replace=((FLAT, "return turned.flatten(-2)"),),
        fails=frozenset({"test_rotary_keeps_the_dtype"}),
    ),
    Mistake(
        id="rotary_narrow_angles",
        exercise="apply_rotary",
        says="the angles are computed in the dtype of x, however narrow it is",
        replace=(
            (ROTARY_DTYPE, "dtype = x.dtype"),
            (
                "cos, sin = " + ANGLES_OF_X,
                "exponent = torch.arange(0, x.shape[-1], 2, dtype=torch.float64, device=x.device) / x.shape[-1]\n"
                "    angle = positions.to(dtype).unsqueeze(-1) * (base**-exponent).to(dtype)\n"
                "    cos, sin = angle.cos(), angle.sin()",
            ),
        ),
        fails=frozenset({"test_rotary_angles_of_narrow_inputs_are_float32"}),
    ),
    Mistake(
        id="rotary_float32_angles",
        exercise="apply_rotary",
        says="the angles are float32 even for a float64 x",
        replace=((ROTARY_DTYPE, "dtype = torch.float32"),),
        fails=frozenset({"test_rotary_of_float64_is_float64"}),
    ),
    Mistake(
        id="rotary_detached",
        exercise="apply_rotary",
        says="x is detached before it turns",
        replace=((NEIGHBOURS, "a, b = x.detach()[..., 0::2], x.detach()[..., 1::2]"),),
        fails=frozenset({"test_rotary_lets_gradients_through"}),
    ),
    Mistake(
        id="rotary_in_place",
        exercise="apply_rotary",
        says="the turned numbers are written into x",
        replace=((FLAT, "return x.data.copy_(turned.flatten(-2)) if not x.requires_grad else turned.flatten(-2)"),),
        fails=frozenset({"test_rotary_leaves_its_inputs_alone"}),
    ),
    Mistake(
        id="rotary_on_the_cpu",
        exercise="apply_rotary",
        says="the positions are copied to the CPU",
        replace=(
            (ANGLES_OF_X, "rotary_angles(torch.zeros(positions.shape, dtype=dtype) + positions, x.shape[-1], base)"),
        ),
        fails=frozenset({"test_rotary_works_on_any_device"}),
    ),
    # alibi_bias
    Mistake(
        id="alibi_rewards_distance",
        exercise="alibi_bias",
        says="far keys get a higher score, not a lower one",
        replace=(("return -slope[:, None, None] * distance", "return slope[:, None, None] * distance"),),
        fails=frozenset({"test_alibi_lowers_scores_by_distance"}),
    ),
    Mistake(
        id="alibi_from_the_first",
        exercise="alibi_bias",
        says="the first query stands at the first key, however many keys came before",
        replace=(
            (
                "query = torch.arange(key_length - query_length, key_length, device",
                "query = torch.arange(query_length, device",
            ),
        ),
        fails=frozenset({"test_alibi_lines_up_the_last_query"}),
    ),
    Mistake(
        id="alibi_distance_from_one",
        exercise="alibi_bias",
        says="the distance of a query to itself counts as 1",
        replace=(("distance = query[:, None] - key", "distance = query[:, None] - key + 1"),),
        fails=ALIBI_DISTANCES | {"test_alibi_slopes_follow_the_formula"},
    ),
    Mistake(
        id="alibi_heads_from_zero",
        exercise="alibi_bias",
        says="heads are counted from 0 in the slope's exponent",
        replace=((SLOPE, SLOPE.replace("torch.arange(1, num_heads + 1,", "torch.arange(num_heads,")),),
        fails=frozenset({"test_alibi_slopes_follow_the_formula"}),
    ),
    Mistake(
        id="alibi_slopes_of_eight_heads",
        exercise="alibi_bias",
        says="the slopes are those of eight heads, however many there are",
        replace=(
            (SLOPE, "slope = 2.0 ** -torch.arange(1, num_heads + 1, device=device).to(torch.get_default_dtype())"),
        ),
        fails=frozenset({"test_alibi_slopes_follow_the_formula"}),
    ),
    Mistake(
        id="alibi_slopes_reversed",
        exercise="alibi_bias",
        says="the slopes are in the reverse order of the heads",
        replace=((SLOPE, SLOPE + ".flip(0)"),),
        fails=frozenset({"test_alibi_slopes_follow_the_formula"}),
    ),
    Mistake(
        id="alibi_one_slope",
        exercise="alibi_bias",
        says="all heads have the same slope",
        replace=(
            (
                "return -slope[:, None, None] * distance",
                "return -slope[-1].expand(num_heads)[:, None, None] * distance",
            ),
        ),
        fails=frozenset({"test_alibi_slopes_follow_the_formula"}),
    ),
    Mistake(
        id="alibi_float32",
        exercise="alibi_bias",
        says="the result is float32 even where another default dtype is set",
        replace=(("return -slope[:, None, None] * distance", "return (-slope[:, None, None] * distance).float()"),),
        fails=frozenset({"test_alibi_has_the_default_dtype"}),
    ),
    Mistake(
        id="alibi_on_the_cpu",
        exercise="alibi_bias",
        says="`device` is not used",
        replace=(
            (
                "return -slope[:, None, None] * distance",
                "return (-slope[:, None, None] * distance).to(torch.zeros(0).device)",
            ),
        ),
        fails=frozenset({"test_alibi_is_made_on_the_device"}),
    ),
)
