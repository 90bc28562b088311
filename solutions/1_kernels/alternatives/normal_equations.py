"""Stage 1 with sums of powers: squared distances by the binomial formula, lines by Cramer's rule."""

import numpy as np


def _floating(array):
    array = np.asarray(array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def gaussian(u):
    u = _floating(u)
    constant = u.dtype.type(np.sqrt(2.0 * np.pi))
    return np.exp(-u * u / 2) / constant


def epanechnikov(u):
    u = _floating(u)
    out = np.zeros_like(u)
    inside = np.abs(u) < 1
    out[inside] = 0.75 * (1 - u[inside] ** 2)
    return out


def tricube(u):
    u = _floating(u)
    out = np.zeros_like(u)
    inside = np.abs(u) < 1
    out[inside] = 70 / 81 * (1 - np.abs(u[inside] ** 3)) ** 3
    return out


def kernel_density(query, data, bandwidth, kernel=gaussian):
    query, data = _floating(query), _floating(data)
    density = np.zeros_like(query)
    for x in data:
        density += kernel((query - x) / bandwidth)
    return density / (data.size * bandwidth)


def kernel_weights(query, key, bandwidth, kernel=gaussian):
    query, key = _floating(query), _floating(key)
    square = (query**2).sum(1)[:, None] + (key**2).sum(1)[None, :] - 2 * query @ key.T
    square = np.maximum(square, 0)
    if kernel is gaussian:
        nearest = square.min(axis=1, keepdims=True)
        weights = np.exp(-(square - nearest) / bandwidth / bandwidth / 2)
    else:
        weights = kernel(np.sqrt(square) / bandwidth)
    total = weights.sum(axis=1)
    full = total > 0
    out = np.zeros_like(weights)
    out[full] = weights[full] / total[full, None]
    return out


def nadaraya_watson(query, key, value, bandwidth, kernel=gaussian):
    query, key, value = _floating(query), _floating(key), _floating(value)
    return np.dot(kernel_weights(query, key, bandwidth, kernel), value)


def _cramer(query, key, value, weights):
    centred = key[None, :] - query[:, None]
    s0 = weights.sum(1)
    s1 = (weights * centred).sum(1)
    s2 = (weights * centred**2).sum(1)
    t0 = (weights * value).sum(1)
    t1 = (weights * centred * value).sum(1)
    determinant = s0 * s2 - s1**2
    scale = np.where(s0 * s2 > 0, s0 * s2, 1)
    determined = determinant > 1e3 * np.finfo(weights.dtype).eps * scale
    safe = np.where(determined, determinant, 1)
    mean = t0 / np.where(s0 > 0, s0, 1)
    level = np.where(determined, (s2 * t0 - s1 * t1) / safe, mean)
    slope = np.where(determined, (s0 * t1 - s1 * t0) / safe, 0)
    return level, slope


def local_linear(query, key, value, bandwidth, kernel=gaussian):
    query, key, value = _floating(query), _floating(key), _floating(value)
    weights = kernel_weights(query[:, None], key[:, None], bandwidth, kernel)
    level, slope = _cramer(query, key, value, weights)
    # A window with a single position is handled exactly: rounding errors dominate its sums.
    for i, row in enumerate(weights):
        if len(set(key[row > 0])) == 1:
            level[i], slope[i] = row @ value, 0
    return level, slope


def lowess(x, y, fraction=2 / 3, robust_steps=3):
    x, y = _floating(x), _floating(y)
    n = len(x)
    k = int(min(n, max(1, np.ceil(fraction * n - 1e-9))))
    gap = np.abs(np.subtract.outer(x, x))
    h = np.partition(gap, k - 1, axis=1)[:, [k - 1]]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        u = np.where(gap == 0, 0, gap / h).astype(x.dtype)
    base = tricube(u)
    robust = np.ones_like(y)
    for remaining in range(robust_steps, -1, -1):
        weights = base * robust
        level, _ = _cramer(x, x, y, weights)
        for i, row in enumerate(weights):
            support = row > 0
            if not support.any():
                level[i] = y[i]
            elif np.all(x[support] == x[support][0]):
                level[i] = (row[support] * y[support]).sum() / row[support].sum()
        if remaining == 0:
            break
        residual = y - level
        scale = np.median(np.abs(residual))
        if scale <= 1e-12 * np.mean(np.abs(residual)):
            break
        robust = np.where(np.abs(residual) < 6 * scale, (1 - (residual / (6 * scale)) ** 2) ** 2, 0).astype(y.dtype)
    return level


def choose_bandwidth(x, y, bandwidths):
    x, y = _floating(x), _floating(y)
    square = np.subtract.outer(x, x) ** 2
    off = ~np.eye(len(x), dtype=bool)
    others = square[off].reshape(len(x), -1)
    values = np.broadcast_to(y, square.shape)[off].reshape(len(x), -1)
    errors = []
    for bandwidth in bandwidths:
        weights = np.exp((others.min(1, keepdims=True) - others) / (2 * bandwidth**2))
        errors.append(np.sum((y - (weights * values).sum(1) / weights.sum(1)) ** 2))
    order = sorted(range(len(errors)), key=lambda i: errors[i])
    return bandwidths[order[0]]
