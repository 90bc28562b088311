"""Stage 1 with NumPy's least squares, query by query; leave-one-out deletes the points."""

import numpy as np


def gaussian(u):
    u = np.asarray(u)
    return (2 * np.pi) ** -0.5 * np.exp(-0.5 * np.square(u))


def epanechnikov(u):
    u = np.asarray(u)
    out = np.where(np.abs(u) <= 1, 3 / 4 * (1 - u * u), 0)
    return out.astype(np.float32 if u.dtype == np.float32 else np.float64)


def tricube(u):
    v = np.clip(np.abs(u), 0, 1)
    return (1 - v**3) ** 3 * (70 / 81)


def kernel_density(query, data, bandwidth, kernel=gaussian):
    return np.stack([np.mean(kernel((q - data) / bandwidth)) for q in query]) / bandwidth


def kernel_weights(query, key, bandwidth, kernel=gaussian):
    difference = query[:, np.newaxis, :] - key[np.newaxis, :, :]
    scaled = np.sqrt(np.sum(difference**2, axis=-1)) / bandwidth
    if kernel is gaussian:
        log_weights = -0.5 * scaled**2
        log_weights = log_weights - np.max(log_weights, axis=-1, keepdims=True)
        log_weights = log_weights - np.log(np.sum(np.exp(log_weights), axis=-1, keepdims=True))
        return np.exp(log_weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = kernel(scaled)
        return np.nan_to_num(weights / weights.sum(axis=-1, keepdims=True))


def nadaraya_watson(query, key, value, bandwidth, kernel=gaussian):
    return np.einsum("qk,kv->qv", kernel_weights(query, key, bandwidth, kernel), value)


def _weighted_line(q, key, value, weights):
    inside = np.flatnonzero(weights)
    if len(inside) == 0:
        return 0.0, 0.0
    if len(np.unique(key[inside])) == 1:
        return np.average(value[inside], weights=weights[inside]), 0.0
    root = np.sqrt(weights[inside] / weights.max())
    design = np.column_stack([root, root * (key[inside] - q)])
    solution, *_ = np.linalg.lstsq(design, root * value[inside], rcond=None)
    return solution[0], solution[1]


def local_linear(query, key, value, bandwidth, kernel=gaussian):
    weights = kernel_weights(query[:, None], key[:, None], bandwidth, kernel)
    lines = [_weighted_line(q, key, value, row) for q, row in zip(query, weights, strict=True)]
    predictions, slopes = np.transpose(lines)
    return predictions.astype(weights.dtype), slopes.astype(weights.dtype)


def lowess(x, y, fraction=2 / 3, robust_steps=3):
    n = x.size
    k = int(np.clip(np.ceil(fraction * n - 1e-9), 1, n))
    dtype = np.float32 if x.dtype == y.dtype == np.float32 else np.float64
    robust = np.ones(n)

    def smooth():
        fit = np.array(y, dtype=dtype)  # a copy: a point keeps its y where its window has no weight
        for i in range(n):
            distance = np.abs(x - x[i]).astype(float)
            h = np.partition(distance, k - 1)[k - 1]
            if h == 0:
                continue
            weights = tricube(distance / h) * robust
            if weights.any():
                fit[i] = _weighted_line(x[i], x, y, weights)[0]
        return fit

    fit = smooth()
    for _ in range(robust_steps):
        size = np.abs(y - fit)
        median = np.median(size)
        if median == 0:
            return fit
        r = np.minimum(size / (6 * median), 1)
        robust = (1 - r**2) ** 2
        fit = smooth()
    return fit


def choose_bandwidth(x, y, bandwidths):
    def error(h):
        predictions = [
            nadaraya_watson(x[i : i + 1, None], np.delete(x, i)[:, None], np.delete(y, i)[:, None], h)[0, 0]
            for i in range(len(x))
        ]
        return np.mean((np.asarray(predictions) - y) ** 2)

    return bandwidths[int(np.argmin([error(h) for h in bandwidths]))]
