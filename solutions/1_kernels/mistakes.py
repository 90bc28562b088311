"""Named mistakes of stage 1, in the order of the exercises.

Sources: public courses and books (the triangular kernel under Epanechnikov's name, weights that sum
to one over the queries), `np.polyfit`, whose `w` are square roots of weights, reports against LOWESS
libraries, and what NumPy makes easy to write and wrong.
"""

from autograder.course.mistakes import mistake

GAUSSIAN = "return np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)"
EPANECHNIKOV = "return 0.75 * np.maximum(1 - u**2, 0)"
TRICUBE = "return 70 / 81 * np.maximum(1 - np.abs(u) ** 3, 0) ** 3"
TABLE = "u = np.abs(query[:, None] - data) / bandwidth"
DENSITY = "return kernel(u).mean(axis=1) / bandwidth"
DISTANCE = "distance = np.linalg.norm(query[:, None] - key, axis=2)"
OTHER_SHARES = "return _normalise_rows(kernel(u))"
LOGARITHMS = "return _normalise_rows(np.exp(logarithm - logarithm.max(axis=1, keepdims=True)))"
EXPONENTIALS = "np.exp(logarithm - logarithm.max(axis=1, keepdims=True))"
AVERAGE = "return kernel_weights(query, key, bandwidth, kernel) @ value"
LINES = "return _fit_lines(query, key, value, weights)"
LINE_WEIGHTS = "weights = kernel_weights(query[:, None], key[:, None], bandwidth, kernel)"
ALL_DISTANCES = "distance = np.abs(x[:, None] - x)  # (n, n), from"
NEIGHBOURS = "k = min(max(math.ceil(fraction * len(x) - 1e-9), 1), len(x))"
WIDTH = "bandwidth = np.sort(distance, axis=1)[:, k - 1, None]"
WINDOW = "u = np.where(bandwidth > 0, distance / np.where(bandwidth > 0, bandwidth, 1), distance > 0)"
KEPT = "fit = np.where(weights.sum(axis=1) > 0, fit, y)"
STOP = "if step == robust_steps or unit == 0:"
BISQUARE = "weights = window * np.maximum(1 - (residual / unit) ** 2, 0) ** 2"
LEFT_OUT = "np.fill_diagonal(distance, np.inf)"
LEFT_OUT_SHARES = "weights = _normalise_rows(np.exp(logarithm - logarithm.max(axis=1, keepdims=True)))"
CHOICE = "return min(bandwidths, key=error)"

MISTAKES = {
    "gaussian": (
        mistake(
            "gaussian_has_no_constant",
            "the Gaussian kernel is not divided by √(2π)",
            GAUSSIAN,
            "return np.exp(-(u**2) / 2)",
        ),
        mistake(
            "gaussian_has_no_half",
            "u² is not halved in the Gaussian's exponent",
            GAUSSIAN,
            "return np.exp(-(u**2)) / math.sqrt(2 * math.pi)",
        ),
        mistake(
            "gaussian_is_made_wide",
            "float32 is divided by a NumPy scalar, which is float64",
            GAUSSIAN,
            "return np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)",
        ),
        mistake(
            "gaussian_takes_rows_only",
            "a loop over the first axis takes each element for a number",
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
            "the kernel is max(0, 1 - |u|): the triangular one",
            EPANECHNIKOV,
            "return np.maximum(1.0 - np.abs(u), 0)",
        ),
        mistake(
            "epanechnikov_is_not_cut_off", "the parabola goes on below 0", EPANECHNIKOV, "return 0.75 * (1 - u**2)"
        ),
        mistake(
            "epanechnikov_has_one_side",
            "the parabola is cut off where u is above 1, but not below -1",
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
            "the result is written into an array of whole numbers",
            EPANECHNIKOV,
            "out = np.zeros_like(u)\n    out[...] = 0.75 * np.maximum(1 - u**2, 0)\n    return out",
        ),
        mistake(
            "epanechnikov_asks_if_of_an_array",
            "`if` is asked of a whole array",
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
            "|u| is squared where it should be cubed",
            TRICUBE,
            "return 70 / 81 * np.maximum(1 - np.abs(u) ** 2, 0) ** 3",
        ),
        mistake(
            "tricube_is_cubed_once",
            "the difference 1 - |u|³ is not cubed",
            TRICUBE,
            "return 70 / 81 * np.maximum(1 - np.abs(u) ** 3, 0)",
        ),
        mistake(
            "tricube_keeps_the_sign",
            "u is cubed with its sign",
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
            "a loop over the first axis asks for its length, and a single number has none",
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
            "the result is written into an array made by np.zeros, which is float64",
            TRICUBE,
            "out = np.zeros(u.shape)\n    out[...] = 70 / 81 * np.maximum(1 - np.abs(u) ** 3, 0) ** 3\n    return out",
        ),
        mistake(
            "tricube_clips_in_place",
            "|u| is written over u",
            TRICUBE,
            "np.abs(u, out=u)\n    return 70 / 81 * np.maximum(1 - u**3, 0) ** 3",
        ),
    ),
    "kernel_density": (
        mistake(
            "kernel_density_forgets_the_bandwidth",
            "the bumps are not divided by the bandwidth",
            DENSITY,
            "return kernel(u).mean(axis=1)",
        ),
        mistake(
            "kernel_density_divides_by_the_queries",
            "the sum is divided by the number of queries, not of data points",
            DENSITY,
            "return kernel(u).sum(axis=1) / (len(query) * bandwidth)",
        ),
        mistake(
            "kernel_density_multiplies_by_the_bandwidth",
            "distances are multiplied by the bandwidth, not divided by it",
            TABLE,
            "u = np.abs(query[:, None] - data) * bandwidth",
        ),
        mistake(
            "kernel_density_averages_over_the_queries",
            "the mean runs over the queries, not over the data",
            DENSITY,
            "return kernel(u).mean(axis=0) / bandwidth",
        ),
        mistake(
            "kernel_density_ignores_the_kernel",
            "the Gaussian kernel is used whatever `kernel` is",
            DENSITY,
            "return gaussian(u).mean(axis=1) / bandwidth",
        ),
        mistake(
            "kernel_density_has_another_default",
            "another kernel than the Gaussian is the default",
            "data: Array, bandwidth: float, kernel: Kernel = gaussian",
            "data: Array, bandwidth: float, kernel=tricube",
        ),
        mistake(
            "kernel_density_is_made_wide",
            "the bumps are added up in an array made by np.zeros, which is float64",
            DENSITY,
            "return np.zeros(len(query)) + kernel(u).mean(axis=1) / bandwidth",
        ),
        mistake(
            "kernel_density_shifts_in_place",
            "query and data are shifted in place",
            TABLE,
            f"shift = data.min()\n    query -= shift\n    data -= shift\n    {TABLE}",
        ),
    ),
    "kernel_weights": (
        mistake(
            "kernel_weights_sum_over_the_queries",
            "weights sum to one over the queries, not over the keys",
            OTHER_SHARES,
            "raw = kernel(u)\n        return raw / raw.sum(axis=0, keepdims=True)",
            LOGARITHMS,
            f"raw = {EXPONENTIALS}\n    return raw / raw.sum(axis=0, keepdims=True)",
        ),
        mistake(
            "kernel_weights_sum_over_everything",
            "all weights together sum to one",
            OTHER_SHARES,
            "raw = kernel(u)\n        return raw / raw.sum()",
            LOGARITHMS,
            f"raw = {EXPONENTIALS}\n    return raw / raw.sum()",
        ),
        mistake(
            "kernel_weights_divide_zero_by_zero",
            "a row without weight is divided by its sum: 0/0",
            OTHER_SHARES,
            "raw = kernel(u)\n        return raw / raw.sum(axis=1, keepdims=True)",
            LOGARITHMS,
            f"raw = {EXPONENTIALS}\n    return raw / raw.sum(axis=1, keepdims=True)",
        ),
        mistake(
            "kernel_weights_add_to_the_divisor",
            "a small number is added to the sum that a row is divided by",
            OTHER_SHARES,
            "raw = kernel(u)\n        return raw / (raw.sum(axis=1, keepdims=True) + 1e-8)",
            LOGARITHMS,
            f"raw = {EXPONENTIALS}\n    return raw / (raw.sum(axis=1, keepdims=True) + 1e-8)",
        ),
        mistake(
            "kernel_weights_underflow",
            "the exponentials are taken without logarithms: far away they are all 0",
            "if kernel is not gaussian:",
            "if True:",
        ),
        mistake(
            "kernel_weights_shift_by_the_largest_of_all",
            "the largest exponent of all is subtracted, not the row's own",
            LOGARITHMS,
            "return _normalise_rows(np.exp(logarithm - logarithm.max()))",
        ),
        mistake("kernel_weights_have_no_half", "u² is not halved in the exponent", "= -(u**2) / 2", "= -(u**2)"),
        mistake(
            "kernel_weights_add_the_coordinates_up",
            "the distance is the sum of differences, not Euclid's",
            DISTANCE,
            "distance = np.abs(query[:, None] - key).sum(axis=2)",
        ),
        mistake(
            "kernel_weights_take_the_squared_distance",
            "the squared distance goes into the kernel",
            "u = distance / bandwidth",
            "u = distance**2 / bandwidth",
        ),
        mistake(
            "kernel_weights_multiply_by_the_bandwidth",
            "distances are multiplied by the bandwidth, not divided by it",
            "u = distance / bandwidth",
            "u = distance * bandwidth",
        ),
        mistake(
            "kernel_weights_ignore_the_kernel",
            "the Gaussian kernel is used whatever `kernel` is",
            "if kernel is not gaussian:",
            "if False:",
        ),
        mistake(
            "kernel_weights_are_made_wide",
            "the weights are written into an array made by np.zeros, which is float64",
            OTHER_SHARES,
            "out = np.zeros(u.shape)\n        out[...] = _normalise_rows(kernel(u))\n        return out",
            LOGARITHMS,
            f"out = np.zeros(u.shape)\n    out[...] = _normalise_rows({EXPONENTIALS})\n    return out",
        ),
        mistake(
            "kernel_weights_scale_in_place",
            "query and key are divided by the bandwidth in place",
            DISTANCE,
            f"query /= bandwidth\n    key /= bandwidth\n    {DISTANCE}",
            "u = distance / bandwidth",
            "u = distance",
        ),
    ),
    "nadaraya_watson": (
        mistake(
            "nadaraya_watson_forgets_the_kernel",
            "`kernel` is not passed on to the weights",
            AVERAGE,
            "return kernel_weights(query, key, bandwidth) @ value",
        ),
        mistake(
            "nadaraya_watson_averages_without_weights",
            "every value in the window counts the same",
            AVERAGE,
            (
                "weights = kernel_weights(query, key, bandwidth, kernel)\n"
                "    return _normalise_rows((weights > 0).astype(weights.dtype)) @ value"
            ),
        ),
        mistake(
            "nadaraya_watson_divides_zero_by_zero",
            "the kernel is summed up again without care for sums of 0",
            AVERAGE,
            (
                "raw = kernel(np.linalg.norm(query[:, None] - key, axis=2) / bandwidth)\n"
                "    return raw @ value / raw.sum(axis=1, keepdims=True)"
            ),
        ),
        mistake(
            "nadaraya_watson_truncates_whole_numbers",
            "the averages are written into an array of the values' dtype",
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
            "the weights multiply both sides of the equations: they count twice",
            LINES,
            "return _fit_lines(query, key, value, weights**2)",
        ),
        mistake(
            "local_linear_is_the_weighted_mean",
            "the prediction is the weighted mean, without the slope",
            LINES,
            "return weights @ value, _fit_lines(query, key, value, weights)[1]",
        ),
        mistake(
            "local_linear_is_read_off_at_zero",
            "the line is read off at 0, not at the query",
            LINES,
            "prediction, slope = _fit_lines(query, key, value, weights)\n    return prediction - slope * query, slope",
        ),
        mistake(
            "local_linear_swaps_the_results",
            "the slope stands first, the prediction second",
            LINES,
            "return _fit_lines(query, key, value, weights)[::-1]",
        ),
        mistake(
            "local_linear_ignores_the_weights",
            "every key in the window counts the same",
            LINES,
            "return _fit_lines(query, key, value, (weights > 0) * weights.dtype.type(1))",
        ),
        mistake(
            "local_linear_has_no_fallback",
            "a spread of 0 is divided by",
            LINES,
            (
                "offset = key - (weights @ key)[:, None]\n"
                "    slope = (weights * offset) @ value / (weights * offset**2).sum(axis=1)\n"
                "    return weights @ value + slope * (query - weights @ key), slope"
            ),
        ),
        mistake(
            "local_linear_forgets_the_kernel",
            "`kernel` is not passed on to the weights",
            LINE_WEIGHTS,
            "weights = kernel_weights(query[:, None], key[:, None], bandwidth)",
        ),
        mistake(
            "local_linear_truncates_whole_numbers",
            "the results are written into arrays of the queries' dtype",
            LINES,
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
            NEIGHBOURS,
            "k = min(max(int(fraction * len(x) + 1e-9), 1), len(x))",
        ),
        mistake(
            "lowess_rounds_up_rounding_errors",
            "the ceiling is taken of a product that is a rounding error too large",
            NEIGHBOURS,
            "k = min(max(math.ceil(fraction * len(x)), 1), len(x))",
        ),
        mistake(
            "lowess_does_not_clip",
            "the number of points in a window is not clipped to 1 … n",
            NEIGHBOURS,
            "k = math.ceil(fraction * len(x) - 1e-9)",
        ),
        mistake(
            "lowess_does_not_count_the_point_itself",
            "the k nearest points are counted without the point itself",
            WIDTH,
            "bandwidth = np.sort(distance, axis=1)[:, min(k, len(x) - 1), None]",
        ),
        mistake(
            "lowess_has_one_bandwidth_for_all",
            "every window has the same width, a fraction of the whole range",
            WIDTH,
            "bandwidth = np.full((len(x), 1), fraction * np.ptp(x)).astype(distance.dtype)",
        ),
        mistake(
            "lowess_fits_a_mean",
            "a weighted mean is fitted in each window, not a line",
            "fit, _ = _fit_lines(x, x, y, weights)",
            "fit = _normalise_rows(weights) @ y",
        ),
        mistake("lowess_is_not_robust", "the robust steps are left out", STOP, "if True:"),
        mistake(
            "lowess_makes_one_step_too_few",
            "the first fit is counted as a robust step",
            "for step in range(robust_steps + 1):",
            "for step in range(max(robust_steps, 1)):",
        ),
        mistake(
            "lowess_has_no_six",
            "residuals are measured in units of the median, not of six times the median",
            "unit = 6 * np.median(residual)",
            "unit = np.median(residual)",
        ),
        mistake(
            "lowess_takes_the_mean_residual",
            "residuals are measured by their mean, not by their median",
            "unit = 6 * np.median(residual)",
            "unit = 6 * np.mean(residual)",
        ),
        mistake(
            "lowess_takes_signed_residuals",
            "the median is taken of residuals with their sign",
            "residual = np.abs(y - fit)",
            "residual = y - fit",
        ),
        mistake(
            "lowess_squares_once",
            "the robust weight is 1 - r², not its square",
            BISQUARE,
            "weights = window * np.maximum(1 - (residual / unit) ** 2, 0)",
        ),
        mistake(
            "lowess_multiplies_all_robust_weights",
            "the robust weights of all steps are multiplied",
            BISQUARE,
            "weights = weights * np.maximum(1 - (residual / unit) ** 2, 0) ** 2",
        ),
        mistake(
            "lowess_forgets_the_window",
            "in robust steps the weights of the window are left out",
            BISQUARE,
            "weights = np.ones_like(window) * np.maximum(1 - (residual / unit) ** 2, 0) ** 2",
        ),
        mistake(
            "lowess_goes_on_at_a_median_of_zero",
            "the fit is changed although the median residual is 0",
            STOP,
            "unit += 1e-12\n        if step == robust_steps:",
        ),
        mistake(
            "lowess_squares_the_weights",
            "the weights multiply both sides of the equations: they count twice",
            "fit, _ = _fit_lines(x, x, y, weights)",
            "fit, _ = _fit_lines(x, x, y, weights**2)",
        ),
        mistake(
            "lowess_returns_the_sorted_order",
            "the fit is returned in the order of sorted x",
            ALL_DISTANCES,
            f"x, y = x[np.argsort(x)], y[np.argsort(x)]\n    {ALL_DISTANCES}",
        ),
        mistake(
            "lowess_counts_positions",
            "equal positions are counted once when the nearest points are counted",
            WIDTH,
            (
                "places = np.unique(x)\n"
                "    bandwidth = np.sort(np.abs(x[:, None] - places), axis=1)[:, min(k, len(places)) - 1, None]"
            ),
        ),
        mistake(
            "lowess_divides_by_a_width_of_zero",
            "distances are divided by a bandwidth of 0",
            WINDOW,
            "u = distance / bandwidth",
            KEPT,
            "fit = np.where(weights.sum(axis=1) == 0, y, fit)",
        ),
        mistake(
            "lowess_is_zero_without_weights", "the fit is 0 where all weights of a window vanish", KEPT, "fit = fit * 1"
        ),
        mistake("lowess_has_other_defaults", "by default only one robust step is made", ": int = 3", ": int = 1"),
        mistake(
            "lowess_truncates_whole_numbers",
            "the fit is written into an array of the dtype of y",
            KEPT,
            f"{KEPT}.astype(y.dtype)",
        ),
        mistake(
            "lowess_sorts_in_place",
            "x is sorted in place, and y is not",
            ALL_DISTANCES,
            f"x.sort()\n    {ALL_DISTANCES}",
        ),
    ),
    "choose_bandwidth": (
        mistake("choose_bandwidth_leaves_nothing_out", "every point helps to predict itself", LEFT_OUT, "pass"),
        mistake(
            "choose_bandwidth_leaves_out_too_late",
            "a point is left out after the weights were made to sum to one",
            LEFT_OUT,
            "pass",
            LEFT_OUT_SHARES,
            f"{LEFT_OUT_SHARES}\n        np.fill_diagonal(weights, 0)",
        ),
        mistake(
            "choose_bandwidth_has_no_half", "the squared distance is not halved in the exponent", "** 2) / 2", "** 2)"
        ),
        mistake(
            "choose_bandwidth_takes_absolute_errors",
            "absolute errors are added up, not squared ones",
            "np.sum((y - weights @ y) ** 2)",
            "np.sum(np.abs(y - weights @ y))",
        ),
        mistake(
            "choose_bandwidth_returns_the_place",
            "the place of the best candidate is returned, not the candidate",
            CHOICE,
            "return int(np.argmin([error(bandwidth) for bandwidth in bandwidths]))",
        ),
        mistake(
            "choose_bandwidth_takes_the_last_on_ties",
            "the last of equally good candidates is taken",
            CHOICE,
            "return min(list(bandwidths)[::-1], key=error)",
        ),
        mistake(
            "choose_bandwidth_takes_lists_only",
            "an array of candidates is asked whether it is true",
            CHOICE,
            "return min(bandwidths or [1.0], key=error)",
        ),
        mistake(
            "choose_bandwidth_underflows",
            "the exponentials are taken without logarithms: far away they are all 0",
            LEFT_OUT_SHARES,
            "weights = _normalise_rows(np.exp(logarithm))",
        ),
        mistake(
            "choose_bandwidth_divides_zero_by_zero",
            "a tiny bandwidth gives 0/0, and NaN is taken for the least error",
            LEFT_OUT_SHARES,
            "weights = np.exp(logarithm) / np.exp(logarithm).sum(axis=1, keepdims=True)",
        ),
        mistake(
            "choose_bandwidth_centres_in_place", "y is centred in place", LEFT_OUT, LEFT_OUT + "\n    y -= y.mean()"
        ),
    ),
}
