"""Stage 1 with sorted data and windows that move along the data, as in Cleveland's own program."""

import math

import numpy as np


def gaussian(u):
    return np.exp(-np.multiply(u, u) * 0.5) * (1 / math.sqrt(math.tau))


def epanechnikov(u):
    return 0.75 * np.clip((1 - u) * (1 + u), 0, None)


def tricube(u):
    third = np.fmin(np.abs(u), 1) ** 3
    return (1 - third) * (1 - third) * (1 - third) * (70 / 81)


def kernel_density(query, data, bandwidth, kernel=gaussian):
    bumps = kernel(np.subtract.outer(query, data) / bandwidth)
    return np.sum(bumps, axis=-1) / (bandwidth * bumps.shape[-1])


def kernel_weights(query, key, bandwidth, kernel=gaussian):
    u = np.linalg.norm((query[:, None, :] - key[None, :, :]) / bandwidth, axis=-1)
    nearest = u.min(-1, keepdims=True)
    raw = np.exp(-0.5 * (u - nearest) * (u + nearest)) if kernel is gaussian else kernel(u)
    total = raw.sum(-1, keepdims=True)
    return np.divide(raw, total, out=np.zeros_like(raw), where=total != 0)


def nadaraya_watson(query, key, value, bandwidth, kernel=gaussian):
    weights = kernel_weights(query, key, bandwidth, kernel)
    return (weights[:, :, None] * value[None]).sum(axis=1)


def _smoother_row(q, key, weights):
    """The rows of the smoother matrix: the weight of each value in the prediction and in the slope."""
    total = weights.sum()
    if total == 0:
        return np.zeros_like(weights), np.zeros_like(weights)
    share = weights / total
    mean = share @ key
    spread = share @ (key - mean) ** 2
    reach = np.ptp(key[weights > 0])
    if reach == 0 or spread <= (1e-6 * reach) ** 2:
        return share, np.zeros_like(weights)
    towards = share * (key - mean) / spread
    return share + (q - mean) * towards, towards


def local_linear(query, key, value, bandwidth, kernel=gaussian):
    weights = kernel_weights(query[:, None], key[:, None], bandwidth, kernel)
    rows = [_smoother_row(q, key, row) for q, row in zip(query, weights, strict=True)]
    return np.stack([row @ value for row, _ in rows]), np.stack([row @ value for _, row in rows])


def lowess(x, y, fraction=2 / 3, robust_steps=3):
    n = len(x)
    order = np.argsort(x, kind="stable")
    xs, ys = x[order], y[order]
    k = max(min(math.ceil(fraction * n - 1e-9), n), 1)
    robust = np.ones_like(xs, dtype=np.result_type(xs, ys, np.float32) if xs.dtype.kind == "f" else float)
    fit = robust.copy()
    for step in range(robust_steps + 1):
        left = 0
        for i in range(n):
            while left + k < n and xs[left + k] - xs[i] < xs[i] - xs[left]:
                left += 1
            near = slice(left, left + k)
            radius = max(xs[i] - xs[left], xs[left + k - 1] - xs[i])
            d = np.abs(xs[near] - xs[i])
            weights = robust[near] * ((d == 0) if radius == 0 else tricube(d / radius))
            if weights.sum() > 0:
                fit[i] = _smoother_row(xs[i], xs[near], weights)[0] @ ys[near]
            else:
                fit[i] = ys[i]
        residual = np.abs(ys - fit)
        unit = np.median(residual) * 6
        if step == robust_steps or unit == 0:
            break
        robust = np.square(np.maximum(1 - np.square(residual / unit), 0))
    back = np.empty_like(order)
    back[order] = np.arange(n)
    return fit[back]


def choose_bandwidth(x, y, bandwidths):
    n = len(x)
    distance = np.abs(np.subtract.outer(x, x))
    nearest = np.sort(distance, axis=1)[:, 1:2]  # column 0 is the point's own distance, 0
    best = (np.inf, None)
    for h in bandwidths:
        logs = ((nearest / h) ** 2 - (distance / h) ** 2) / 2
        logs[np.arange(n), np.arange(n)] = -np.inf
        shares = np.exp(logs - np.log(np.exp(logs).sum(axis=1, keepdims=True)))
        error = float(((shares @ y - y) ** 2).sum())
        if error < best[0]:
            best = (error, h)
    return best[1]
