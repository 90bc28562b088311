"""Stage 1 point by point: loops over Python floats, converted to arrays at the end."""

import math

import numpy as np


def _elementwise(function, u):
    u = np.asarray(u)
    dtype = u.dtype if u.dtype.kind == "f" else float
    return np.array([function(float(element)) for element in u.flat], dtype=dtype).reshape(u.shape)


def gaussian(u):
    return _elementwise(lambda x: math.exp(-0.5 * x * x) * 0.3989422804014327, u)


def epanechnikov(u):
    return _elementwise(lambda x: 0.75 * (1.0 - x * x) if -1.0 < x < 1.0 else 0.0, u)


def tricube(u):
    def profile(x):
        x = abs(x)
        return 70.0 / 81.0 * (1.0 - x * x * x) ** 3 if x < 1.0 else 0.0

    return _elementwise(profile, u)


def _float_type(*arrays):
    return np.result_type(*arrays, np.float32) if all(a.dtype == np.float32 for a in arrays) else np.float64


def kernel_density(query, data, bandwidth, kernel=gaussian):
    density = []
    for q in query:
        total = 0.0
        for x in data:
            total += float(kernel((q - x) / bandwidth))
        density.append(total / (len(data) * bandwidth))
    return np.array(density, dtype=_float_type(query, data))


def kernel_weights(query, key, bandwidth, kernel=gaussian):
    rows = []
    for q in query:
        distances = [math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(q, k, strict=True))) for k in key]
        if kernel is gaussian:
            nearest = min(distances)
            # (d² - m²) / 2h², factored so that it is accurate where d and m are almost equal
            row = [math.exp(-(d - nearest) / bandwidth * ((d + nearest) / bandwidth) / 2) for d in distances]
        else:
            row = [float(kernel(np.float64(d / bandwidth))) for d in distances]
        total = sum(row)
        rows.append([w / total if total > 0 else 0.0 for w in row])
    return np.array(rows, dtype=_float_type(query, key))


def nadaraya_watson(query, key, value, bandwidth, kernel=gaussian):
    weights = kernel_weights(query, key, bandwidth, kernel)
    out = np.zeros((len(query), value.shape[1]), dtype=_float_type(query, key, value))
    for i in range(len(query)):
        for j in range(len(key)):
            for c in range(value.shape[1]):
                out[i, c] += weights[i, j] * value[j, c]
    return out


def _line(q, key, value, weights):
    """Prediction and slope; the prediction is None if all weights are 0."""
    support = [(w, float(k), float(v)) for w, k, v in zip(weights, key, value, strict=True) if w > 0]
    if not support:
        return None, 0.0
    total = sum(w for w, _, _ in support)
    mean = sum(w * v for w, _, v in support) / total
    if len({k for _, k, _ in support}) == 1:
        return mean, 0.0
    centre = sum(w * k for w, k, _ in support) / total
    sxx = sum(w * (k - centre) ** 2 for w, k, _ in support)
    sxy = sum(w * (k - centre) * (v - mean) for w, k, v in support)
    if sxx < 1e-14 * (1 + centre * centre) * total:
        return mean, 0.0
    return mean + sxy / sxx * (float(q) - centre), sxy / sxx


def local_linear(query, key, value, bandwidth, kernel=gaussian):
    weights = kernel_weights(query.reshape(-1, 1), key.reshape(-1, 1), bandwidth, kernel)
    lines = [_line(q, key, value, row) for q, row in zip(query, weights.tolist(), strict=True)]
    dtype = _float_type(query, key, value)
    return np.array([p or 0.0 for p, _ in lines], dtype=dtype), np.array([s for _, s in lines], dtype=dtype)


def lowess(x, y, fraction=2 / 3, robust_steps=3):
    n = len(x)
    k = max(1, min(n, math.ceil(fraction * n - 1e-9)))
    robust = [1.0] * n
    fit = [0.0] * n
    for step in range(robust_steps + 1):
        for i in range(n):
            distances = [abs(float(x[j]) - float(x[i])) for j in range(n)]
            h = sorted(distances)[k - 1]
            weights = []
            for j in range(n):
                if h > 0:
                    weights.append(robust[j] * max(0.0, 1 - (distances[j] / h) ** 3) ** 3)
                else:
                    weights.append(robust[j] if distances[j] == 0 else 0.0)
            prediction, _ = _line(x[i], x, y, weights)
            fit[i] = float(y[i]) if prediction is None else prediction
        if step == robust_steps:
            break
        residuals = [abs(float(y[i]) - fit[i]) for i in range(n)]
        ordered = sorted(residuals)
        median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
        if median == 0:
            break
        robust = [(1 - (r / (6 * median)) ** 2) ** 2 if r < 6 * median else 0.0 for r in residuals]
    return np.array(fit, dtype=_float_type(x, y))


def choose_bandwidth(x, y, bandwidths):
    best, least = None, math.inf
    for h in bandwidths:
        error = 0.0
        for i in range(len(x)):
            rest = [j for j in range(len(x)) if j != i]
            prediction = nadaraya_watson(x[[i]][:, None], x[rest][:, None], y[rest][:, None], h)
            error += (float(y[i]) - float(prediction[0, 0])) ** 2
        if error < least:
            best, least = h, error
    return best
