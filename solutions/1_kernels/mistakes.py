"""Named mistakes of stage 1, in the order of the exercises.

Sources: public courses and books (the triangular kernel under Epanechnikov's name, weights that sum
to one over the queries), `np.polyfit`, which squares its weights `w`, bug reports of LOWESS
libraries, and errors that are easy to make in NumPy.
"""

from autograder.course.mistakes import mistake

# Texts that mistakes replace or insert.
GAUSSIAN = "return np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)"
EPANECHNIKOV = "return 0.75 * np.maximum(1 - u**2, 0)"
TRICUBE = "return 70 / 81 * np.maximum(1 - np.abs(u) ** 3, 0) ** 3"
DENSITY = "return kernel(u).mean(axis=1) / bandwidth"
DENSITY_DISTANCE = "u = np.abs(query[:, None] - data) / bandwidth"
KERNEL_WEIGHTS = "return _normalise_rows(raw).astype(distance.dtype)"
EXPONENTIALS = "raw = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))"
IS_GAUSSIAN = "if kernel is gaussian:"
DISTANCE = "distance = np.linalg.norm(query[:, None] - key, axis=2)"
WEIGHT_DISTANCE = "u = distance.astype(float) / bandwidth"
AVERAGE = "return kernel_weights(query, key, bandwidth, kernel) @ value"
LINE_FIT = "return _fit_lines(query, key, value, weights)"
LINE_WEIGHTS = "weights = kernel_weights(query[:, None], key[:, None], bandwidth, kernel)"
WINDOW_COUNT = "k = min(max(math.ceil(fraction * len(x) - 1e-9), 1), len(x))"
LOWESS_BANDWIDTH = "bandwidth = np.sort(distance, axis=1)[:, k - 1, None]"
LOWESS_FIT = "fit, _ = _fit_lines(x, x, y, weights)"
LAST_STEP = "if step == robust_steps or unit == 0:"
UNIT = "unit = 6 * np.median(residual)"
BISQUARE = "weights = window * np.maximum(1 - (residual / unit) ** 2, 0) ** 2"
ALL_DISTANCES = "distance = np.abs(x[:, None] - x)  # (n, n), from"
LOWESS_DISTANCE = "u = np.where(bandwidth > 0, distance / np.where(bandwidth > 0, bandwidth, 1), distance > 0)"
FALLBACK = "fit = np.where(weights.sum(axis=1) > 0, fit, y)"
DIAGONAL = "np.fill_diagonal(distance, np.inf)"
LEAVE_ONE_OUT_WEIGHTS = "weights = _normalise_rows(np.exp(logarithm - logarithm.max(axis=1, keepdims=True)))"
BEST_BANDWIDTH = "return min(bandwidths, key=error)"

MISTAKES = {
    "gaussian": (
        mistake("gaussian_has_no_constant", "the constant 1/√(2π) is missing", GAUSSIAN, "return np.exp(-(u**2) / 2)"),
        mistake(
            "gaussian_has_no_half", "the Gaussian's exponent is not halved", GAUSSIAN, GAUSSIAN.replace(" / 2", "")
        ),
        mistake(
            "gaussian_is_cut_off",
            "u is clipped to ±8, so values far out are too large",
            GAUSSIAN,
            GAUSSIAN.replace("u**2", "np.clip(u, -8, 8) ** 2"),
        ),
        mistake(
            "gaussian_has_one_side",
            "negative u give 0",
            GAUSSIAN,
            "return (u >= 0) * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)",
        ),
        mistake(
            "gaussian_is_made_wide",
            "a float64 NumPy scalar turns a float32 result into float64",
            GAUSSIAN,
            "return np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)",
        ),
        mistake(
            "gaussian_takes_rows_only",
            "a loop over the first axis assumes that each element is a scalar",
            GAUSSIAN,
            "return np.array([math.exp(-(one**2) / 2) for one in u]) / math.sqrt(2 * math.pi)",
        ),
        mistake(
            "gaussian_squares_in_place",
            "u is squared in place",
            GAUSSIAN,
            "u *= u\n    return np.exp(-u / 2) / math.sqrt(2 * math.pi)",
        ),
    ),
    "epanechnikov": (
        mistake(
            "epanechnikov_is_triangular",
            "the kernel is max(0, 1 - |u|), the triangular kernel",
            EPANECHNIKOV,
            "return np.maximum(1.0 - np.abs(u), 0)",
        ),
        mistake(
            "epanechnikov_is_not_cut_off", "the parabola is not cut off at 0", EPANECHNIKOV, "return 0.75 * (1 - u**2)"
        ),
        mistake(
            "epanechnikov_has_one_side",
            "the parabola is cut off above u = 1 but not below u = -1",
            EPANECHNIKOV,
            "return 0.75 * np.where(u <= 1, 1 - u**2, 0)",
        ),
        mistake(
            "epanechnikov_has_no_constant",
            "the factor 3/4 is missing",
            EPANECHNIKOV,
            "return 1.0 * np.maximum(1 - u**2, 0)",
        ),
        mistake(
            "epanechnikov_truncates_whole_numbers",
            "the result takes the dtype of u, so an integer u truncates it",
            EPANECHNIKOV,
            "out = np.zeros_like(u)\n    out[...] = 0.75 * np.maximum(1 - u**2, 0)\n    return out",
        ),
        mistake(
            "epanechnikov_asks_if_of_an_array",
            "an `if` tests the whole array instead of each element",
            EPANECHNIKOV,
            "return 0.75 * (1 - u**2) if abs(u) < 1 else 0.0",
        ),
        mistake(
            "epanechnikov_clips_in_place",
            "u is clipped in place",
            EPANECHNIKOV,
            "u[np.abs(u) > 1] = 1\n    return 0.75 * (1 - u**2)",
        ),
    ),
    "tricube": (
        mistake(
            "tricube_squares_the_distance",
            "|u| is squared instead of cubed",
            TRICUBE,
            "return 70 / 81 * np.maximum(1 - np.abs(u) ** 2, 0) ** 3",
        ),
        mistake(
            "tricube_is_cubed_once", "the difference 1 - |u|³ is not cubed", TRICUBE, TRICUBE.replace("0) ** 3", "0)")
        ),
        mistake(
            "tricube_keeps_the_sign",
            "u is cubed instead of |u|",
            TRICUBE,
            "return 70 / 81 * np.maximum(1 - u**3, 0) ** 3",
        ),
        mistake(
            "tricube_has_no_constant",
            "the factor 70/81 is missing",
            TRICUBE,
            "return np.maximum(1.0 - np.abs(u) ** 3, 0) ** 3",
        ),
        mistake(
            "tricube_needs_an_axis",
            "a loop over the first axis fails for a scalar, which has no length",
            TRICUBE,
            (
                "out = np.zeros_like(u * 1.0)\n"
                "    for i in range(len(u)):\n"
                "        out[i] = 70 / 81 * np.maximum(1 - np.abs(u[i]) ** 3, 0) ** 3\n"
                "    return out"
            ),
        ),
        mistake(
            "tricube_is_made_wide",
            "the result is stored in an array from `np.zeros`, which is float64",
            TRICUBE,
            "out = np.zeros(u.shape)\n    out[...] = 70 / 81 * np.maximum(1 - np.abs(u) ** 3, 0) ** 3\n    return out",
        ),
        mistake(
            "tricube_clips_in_place",
            "u is overwritten with |u|",
            TRICUBE,
            "np.abs(u, out=u)\n    return 70 / 81 * np.maximum(1 - u**3, 0) ** 3",
        ),
    ),
    "kernel_density": (
        mistake(
            "kernel_density_forgets_the_bandwidth",
            "the density is not divided by the bandwidth",
            DENSITY,
            "return kernel(u).mean(axis=1)",
        ),
        mistake(
            "kernel_density_divides_by_the_queries",
            "the sum is divided by the number of queries instead of data points",
            DENSITY,
            "return kernel(u).sum(axis=1) / (len(query) * bandwidth)",
        ),
        mistake(
            "kernel_density_multiplies_by_the_bandwidth",
            "the distances to the data are multiplied by the bandwidth instead of divided",
            DENSITY_DISTANCE,
            "u = np.abs(query[:, None] - data) * bandwidth",
        ),
        mistake(
            "kernel_density_averages_over_the_queries",
            "the mean is taken over the queries, not over the data points",
            DENSITY,
            "return kernel(u).mean(axis=0) / bandwidth",
        ),
        mistake(
            "kernel_density_drops_repeated_data",
            "equal data points count only once",
            DENSITY_DISTANCE,
            DENSITY_DISTANCE.replace("data)", "np.unique(data))"),
        ),
        mistake(
            "kernel_density_ignores_the_kernel",
            "the density always uses the Gaussian kernel, whatever `kernel` is",
            DENSITY,
            "return gaussian(u).mean(axis=1) / bandwidth",
        ),
        mistake(
            "kernel_density_has_another_default",
            "the default kernel is not the Gaussian",
            "data: Array, bandwidth: float, kernel: Kernel = gaussian",
            "data: Array, bandwidth: float, kernel=tricube",
        ),
        mistake(
            "kernel_density_is_made_wide",
            "the kernel values are added to an array from `np.zeros`, which is float64",
            DENSITY,
            "return np.zeros(len(query)) + kernel(u).mean(axis=1) / bandwidth",
        ),
        mistake(
            "kernel_density_shifts_in_place",
            "query and data are shifted in place",
            DENSITY_DISTANCE,
            f"shift = data.min()\n    query -= shift\n    data -= shift\n    {DENSITY_DISTANCE}",
        ),
    ),
    "kernel_weights": (
        mistake(
            "kernel_weights_sum_over_the_queries",
            "the weights sum to one over the queries, not over the keys",
            KERNEL_WEIGHTS,
            "return (raw / raw.sum(axis=0, keepdims=True)).astype(distance.dtype)",
        ),
        mistake(
            "kernel_weights_sum_over_everything",
            "all weights together sum to one, instead of each row",
            KERNEL_WEIGHTS,
            "return (raw / raw.sum()).astype(distance.dtype)",
        ),
        mistake(
            "kernel_weights_divide_zero_by_zero",
            "a row of zeros is divided by its sum, which is 0",
            KERNEL_WEIGHTS,
            "return (raw / raw.sum(axis=1, keepdims=True)).astype(distance.dtype)",
        ),
        mistake(
            "kernel_weights_add_to_the_divisor",
            "a small constant is added to the sum that divides each row",
            KERNEL_WEIGHTS,
            "return (raw / (raw.sum(axis=1, keepdims=True) + 1e-8)).astype(distance.dtype)",
        ),
        mistake(
            "kernel_weights_underflow",
            "the exponentials underflow to 0 for every key of a distant query",
            IS_GAUSSIAN,
            "if False:",
        ),
        mistake(
            "kernel_weights_shift_by_the_largest_of_all",
            "the global maximum of the exponents is subtracted, not the maximum of each row",
            EXPONENTIALS,
            "raw = np.exp(logarithm - logarithm.max())",
        ),
        mistake(
            "kernel_weights_clamp_the_exponents",
            "the exponents are clipped, so distant keys have too much weight",
            EXPONENTIALS,
            "raw = np.exp(np.maximum(logarithm - logarithm.max(axis=1, keepdims=True), -15))",
        ),
        mistake(
            "kernel_weights_round_the_distances",
            "the distances are computed in float32",
            WEIGHT_DISTANCE,
            "u = distance.astype(np.float32).astype(float) / bandwidth",
        ),
        mistake(
            "kernel_weights_have_no_half", "the exponent of the weights is not halved", "= -(u**2) / 2", "= -(u**2)"
        ),
        mistake(
            "kernel_weights_add_the_coordinates_up",
            "the distance is the sum of absolute differences, not the Euclidean distance",
            DISTANCE,
            "distance = np.abs(query[:, None] - key).sum(axis=2) * 1.0",
        ),
        mistake(
            "kernel_weights_take_the_squared_distance",
            "the kernel gets the squared distance instead of the distance",
            WEIGHT_DISTANCE,
            "u = distance.astype(float) ** 2 / bandwidth",
        ),
        mistake(
            "kernel_weights_multiply_by_the_bandwidth",
            "the distances to the keys are multiplied by the bandwidth instead of divided",
            WEIGHT_DISTANCE,
            "u = distance.astype(float) * bandwidth",
        ),
        mistake(
            "kernel_weights_ignore_the_kernel",
            "the weights always use the Gaussian kernel, whatever `kernel` is",
            IS_GAUSSIAN,
            "if True:",
        ),
        mistake(
            "kernel_weights_of_sixteen_keys",
            "only the sixteen largest weights of a row are kept",
            KERNEL_WEIGHTS,
            (
                "raw = np.where(raw >= np.sort(raw, axis=1)[:, -16:][:, :1], raw, 0)\n"
                "    return _normalise_rows(raw).astype(distance.dtype)"
            ),
        ),
        mistake(
            "kernel_weights_count_equal_keys_once",
            "keys at equal positions count only once",
            KERNEL_WEIGHTS,
            (
                "first = [(key[:i] == key[i]).all(axis=1).sum() == 0 for i in range(len(key))]\n"
                "    return _normalise_rows(raw * first).astype(distance.dtype)"
            ),
        ),
        mistake(
            "kernel_weights_are_made_wide",
            "float32 inputs give weights in float64",
            KERNEL_WEIGHTS,
            "return _normalise_rows(raw)",
        ),
        mistake(
            "kernel_weights_truncate_whole_numbers",
            "the weights take the dtype of the queries, so integer queries truncate them",
            KERNEL_WEIGHTS,
            "return _normalise_rows(raw).astype(query.dtype)",
        ),
        mistake(
            "kernel_weights_scale_in_place",
            "query and key are divided by the bandwidth in place",
            DISTANCE,
            f"if query.dtype.kind == 'f':\n        query /= bandwidth\n        key /= bandwidth\n    {DISTANCE}",
            WEIGHT_DISTANCE,
            "u = distance.astype(float) / (1.0 if query.dtype.kind == 'f' else bandwidth)",
        ),
    ),
    "nadaraya_watson": (
        mistake(
            "nadaraya_watson_forgets_the_kernel",
            "`nadaraya_watson` does not pass `kernel` on to the weights",
            AVERAGE,
            AVERAGE.replace(", kernel", ""),
        ),
        mistake(
            "nadaraya_watson_averages_without_weights",
            "all values in the window have equal weight in the average",
            AVERAGE,
            (
                "weights = kernel_weights(query, key, bandwidth, kernel)\n"
                "    return _normalise_rows((weights > 0).astype(weights.dtype)) @ value"
            ),
        ),
        mistake(
            "nadaraya_watson_divides_zero_by_zero",
            "the average divides by the sum of the kernel even where that sum is 0",
            AVERAGE,
            (
                "raw = kernel(np.linalg.norm(query[:, None] - key, axis=2) / bandwidth)\n"
                "    return raw @ value / raw.sum(axis=1, keepdims=True)"
            ),
        ),
        mistake(
            "nadaraya_watson_truncates_whole_numbers",
            "the averages take the dtype of the values, so integer values truncate them",
            AVERAGE,
            "return (kernel_weights(query, key, bandwidth, kernel) @ value).astype(value.dtype)",
        ),
        mistake(
            "nadaraya_watson_centres_in_place",
            "the values are centred in place",
            AVERAGE,
            (
                "mean = value.mean(axis=0)\n"
                "    value[...] = value - mean\n"
                "    weights = kernel_weights(query, key, bandwidth, kernel)\n"
                "    return weights @ value + mean * weights.sum(axis=1, keepdims=True)"
            ),
        ),
    ),
    "local_linear": (
        mistake(
            "local_linear_squares_the_weights",
            "the line around a query is fitted with squared weights",
            LINE_FIT,
            "return _fit_lines(query, key, value, weights**2)",
        ),
        mistake(
            "local_linear_is_the_weighted_mean",
            "the prediction is the weighted mean, without the slope",
            LINE_FIT,
            "return weights @ value, _fit_lines(query, key, value, weights)[1]",
        ),
        mistake(
            "local_linear_is_read_off_at_zero",
            "the line is evaluated at 0, not at the query",
            LINE_FIT,
            "prediction, slope = _fit_lines(query, key, value, weights)\n    return prediction - slope * query, slope",
        ),
        mistake(
            "local_linear_swaps_the_results",
            "the slope is returned first and the prediction second",
            LINE_FIT,
            LINE_FIT + "[::-1]",
        ),
        mistake(
            "local_linear_ignores_the_weights",
            "all keys in the window have equal weight in the line fit",
            LINE_FIT,
            "return _fit_lines(query, key, value, (weights > 0) * weights.dtype.type(1))",
        ),
        mistake(
            "local_linear_has_no_fallback",
            "the slope divides by the weighted variance of the keys even where it is 0",
            LINE_FIT,
            (
                "offset = key - (weights @ key)[:, None]\n"
                "    slope = (weights * offset) @ value / (weights * offset**2).sum(axis=1)\n"
                "    return weights @ value + slope * (query - weights @ key), slope"
            ),
        ),
        mistake(
            "local_linear_needs_three_keys",
            "two keys in a window give their weighted mean instead of a line",
            LINE_FIT,
            (
                "prediction, slope = _fit_lines(query, key, value, weights)\n"
                "    few = (weights > 0).sum(axis=1) < 3\n"
                "    return np.where(few, weights @ value, prediction), np.where(few, 0, slope).astype(slope.dtype)"
            ),
        ),
        mistake(
            "local_linear_adds_to_the_divisor",
            "a small constant is added to the weighted variance of the keys",
            LINE_FIT,
            (
                "away = key - (weights @ key)[:, None]\n"
                "    slope = (weights * away) @ value / ((weights * away**2).sum(axis=1) + 1e-8)\n"
                "    return weights @ value + slope * (query - weights @ key), slope"
            ),
        ),
        mistake(
            "local_linear_forgets_the_kernel",
            "`local_linear` does not pass `kernel` on to the weights",
            LINE_WEIGHTS,
            LINE_WEIGHTS.replace(", kernel", ""),
        ),
        mistake(
            "local_linear_truncates_whole_numbers",
            "the results take the dtype of the queries, so integer queries truncate them",
            LINE_FIT,
            (
                "prediction, slope = _fit_lines(query, key, value, weights)\n"
                "    return prediction.astype(query.dtype), slope.astype(query.dtype)"
            ),
        ),
        mistake(
            "local_linear_shifts_in_place",
            "query and key are shifted in place",
            LINE_WEIGHTS,
            "shift = key[0].copy()\n    key -= shift\n    query -= shift\n    " + LINE_WEIGHTS,
        ),
    ),
    "lowess": (
        mistake(
            "lowess_rounds_down",
            "the number of points in a window is rounded down",
            WINDOW_COUNT,
            "k = min(max(int(fraction * len(x) + 1e-9), 1), len(x))",
        ),
        mistake(
            "lowess_rounds_up_rounding_errors",
            "a rounding error makes the ceiling of fraction · n one too large",
            WINDOW_COUNT,
            WINDOW_COUNT.replace(" - 1e-9", ""),
        ),
        mistake(
            "lowess_does_not_clip",
            "the number of points in a window is not clipped to 1 … n",
            WINDOW_COUNT,
            "k = math.ceil(fraction * len(x) - 1e-9)",
        ),
        mistake(
            "lowess_does_not_count_the_point_itself",
            "the k nearest points do not include the point itself",
            LOWESS_BANDWIDTH,
            LOWESS_BANDWIDTH.replace("k - 1", "min(k, len(x) - 1)"),
        ),
        mistake(
            "lowess_has_one_bandwidth_for_all",
            "all windows have the same bandwidth, a fraction of the range of x",
            LOWESS_BANDWIDTH,
            "bandwidth = np.full((len(x), 1), fraction * np.ptp(x)).astype(distance.dtype)",
        ),
        mistake(
            "lowess_fits_a_mean",
            "each window is fitted by a weighted mean instead of a line",
            LOWESS_FIT,
            "fit = _normalise_rows(weights) @ y",
        ),
        mistake("lowess_is_not_robust", "the robust steps are left out", LAST_STEP, "if True:"),
        mistake(
            "lowess_makes_one_step_too_few",
            "the first fit counts as one of the robust steps",
            "for step in range(robust_steps + 1):",
            "for step in range(max(robust_steps, 1)):",
        ),
        mistake(
            "lowess_has_no_six",
            "the scale of the residuals is their median without the factor 6",
            UNIT,
            "unit = np.median(residual)",
        ),
        mistake(
            "lowess_takes_the_mean_residual",
            "the scale of the residuals is their mean instead of their median",
            UNIT,
            "unit = 6 * np.mean(residual)",
        ),
        mistake(
            "lowess_takes_signed_residuals",
            "the median is taken of signed residuals, not of absolute residuals",
            "residual = np.abs(y - fit)",
            "residual = y - fit",
        ),
        mistake(
            "lowess_squares_once",
            "the bisquare weight 1 - r² is not squared",
            BISQUARE,
            BISQUARE.replace("0) ** 2", "0)"),
        ),
        mistake(
            "lowess_multiplies_all_robust_weights",
            "the robust weights of all steps are multiplied together",
            BISQUARE,
            BISQUARE.replace("window", "weights"),
        ),
        mistake(
            "lowess_forgets_the_window",
            "the robust steps leave out the tricube weights of the window",
            BISQUARE,
            BISQUARE.replace("window", "np.ones_like(window)"),
        ),
        mistake(
            "lowess_goes_on_at_a_median_of_zero",
            "the fit changes although the median residual is 0",
            LAST_STEP,
            "unit += 1e-12\n        if step == robust_steps:",
        ),
        mistake(
            "lowess_fits_in_float32",
            "the LOWESS lines are fitted in float32",
            LOWESS_FIT,
            "fit, _ = _fit_lines(*(array.astype(np.float32) for array in (x, x, y, weights)))",
        ),
        mistake(
            "lowess_squares_the_weights",
            "the LOWESS lines are fitted with squared weights",
            LOWESS_FIT,
            "fit, _ = _fit_lines(x, x, y, weights**2)",
        ),
        mistake(
            "lowess_returns_the_sorted_order",
            "the fit is returned in sorted order, not in the order of x",
            ALL_DISTANCES,
            f"x, y = x[np.argsort(x)], y[np.argsort(x)]\n    {ALL_DISTANCES}",
        ),
        mistake(
            "lowess_counts_positions",
            "points at equal positions count only once among the k nearest",
            LOWESS_BANDWIDTH,
            (
                "places = np.unique(x)\n"
                "    bandwidth = np.sort(np.abs(x[:, None] - places), axis=1)[:, min(k, len(places)) - 1, None]"
            ),
            must_fail=["test_lowess_takes_equal_positions"],
        ),
        mistake(
            "lowess_divides_by_a_width_of_zero",
            "distances are divided by a bandwidth of 0",
            LOWESS_DISTANCE,
            "u = distance / bandwidth",
            FALLBACK,
            "fit = np.where(weights.sum(axis=1) == 0, y, fit)",
        ),
        mistake(
            "lowess_is_zero_without_weights", "the fit is 0 if all weights of a window are 0", FALLBACK, "fit = fit * 1"
        ),
        mistake(
            "lowess_does_not_cut_off_outliers",
            "points whose residual is above the scale keep a weight",
            BISQUARE,
            BISQUARE.replace("np.maximum(1 - (residual / unit) ** 2, 0)", "(1 - (residual / unit) ** 2)"),
        ),
        mistake(
            "lowess_has_another_fraction",
            "the default fraction is 1/2 instead of 2/3",
            "fraction: float = 2 / 3",
            "fraction: float = 1 / 2",
        ),
        mistake("lowess_has_other_defaults", "the default is 1 robust step instead of 3", ": int = 3", ": int = 1"),
        mistake(
            "lowess_truncates_whole_numbers",
            "the fit takes the dtype of y, so an integer y truncates it",
            FALLBACK,
            f"{FALLBACK}.astype(y.dtype)",
        ),
        mistake(
            "lowess_sorts_in_place",
            "x is sorted in place without reordering y",
            ALL_DISTANCES,
            f"x.sort()\n    {ALL_DISTANCES}",
        ),
    ),
    "choose_bandwidth": (
        mistake(
            "choose_bandwidth_leaves_nothing_out", "each point contributes to its own prediction", DIAGONAL, "pass"
        ),
        mistake(
            "choose_bandwidth_leaves_out_the_position",
            "all points at the same position are left out, not only the point itself",
            DIAGONAL,
            "distance[distance == 0] = np.inf",
        ),
        mistake(
            "choose_bandwidth_takes_floats_only",
            "infinity is stored in an array of integers if x holds integers",
            "np.abs(x[:, None] - x).astype(float)",
            "np.abs(x[:, None] - x)",
        ),
        mistake(
            "choose_bandwidth_leaves_out_too_late",
            "each point is left out only after the weights are normalised",
            DIAGONAL,
            "pass",
            LEAVE_ONE_OUT_WEIGHTS,
            f"{LEAVE_ONE_OUT_WEIGHTS}\n        np.fill_diagonal(weights, 0)",
        ),
        mistake(
            "choose_bandwidth_has_no_half", "the squared distance is not halved in the exponent", "** 2) / 2", "** 2)"
        ),
        mistake(
            "choose_bandwidth_takes_absolute_errors",
            "the absolute errors are summed instead of the squared errors",
            "np.sum((y - weights @ y) ** 2)",
            "np.sum(np.abs(y - weights @ y))",
        ),
        mistake(
            "choose_bandwidth_returns_the_place",
            "the index of the best bandwidth is returned instead of the bandwidth",
            BEST_BANDWIDTH,
            "return int(np.argmin([error(bandwidth) for bandwidth in bandwidths]))",
        ),
        mistake(
            "choose_bandwidth_takes_the_last_on_ties",
            "the last of equally good bandwidths is returned",
            BEST_BANDWIDTH,
            "return min(list(bandwidths)[::-1], key=error)",
        ),
        mistake(
            "choose_bandwidth_stops_at_the_first_rise",
            "the search stops at the first bandwidth whose error is larger than the one before",
            BEST_BANDWIDTH,
            (
                "errors = [error(bandwidth) for bandwidth in bandwidths]\n"
                "    rises = [i for i in range(1, len(errors)) if errors[i] > errors[i - 1]]\n"
                "    return bandwidths[rises[0] - 1 if rises else int(np.argmin(errors))]"
            ),
        ),
        mistake(
            "choose_bandwidth_needs_three_points",
            "two points are too few, and the result is None",
            BEST_BANDWIDTH,
            "return min(bandwidths, key=error) if len(x) > 2 else None",
        ),
        mistake(
            "choose_bandwidth_takes_lists_only",
            "an array of bandwidths is used as a truth value",
            BEST_BANDWIDTH,
            "return min(bandwidths or [1.0], key=error)",
        ),
        mistake(
            "choose_bandwidth_underflows",
            "the exponentials underflow to 0 for every other point at a small bandwidth",
            LEAVE_ONE_OUT_WEIGHTS,
            "weights = _normalise_rows(np.exp(logarithm))",
        ),
        mistake(
            "choose_bandwidth_divides_zero_by_zero",
            "the weights of a tiny bandwidth are 0/0, which makes its error NaN",
            LEAVE_ONE_OUT_WEIGHTS,
            "weights = np.exp(logarithm) / np.exp(logarithm).sum(axis=1, keepdims=True)",
        ),
        mistake(
            "choose_bandwidth_centres_in_place",
            "y is centred in place",
            DIAGONAL,
            DIAGONAL + "\n    y -= y.mean().astype(y.dtype)",
        ),
    ),
}
