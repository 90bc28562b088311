"""Stage 1 with PyTorch: inputs and results are arrays, the computation uses tensors."""

import math

import numpy as np
import torch


def _tensor(array):
    tensor = torch.tensor(np.asarray(array))
    return tensor if tensor.is_floating_point() else tensor.double()


def gaussian(u):
    u = _tensor(u)
    return torch.exp(torch.distributions.Normal(0.0, 1.0).log_prob(u)).to(u.dtype).numpy()


def epanechnikov(u):
    return (3 * torch.relu(1 - _tensor(u).square()) / 4).numpy()


def tricube(u):
    return (torch.clamp(1 - _tensor(u).abs().pow(3), min=0).pow(3) * 70 / 81).numpy()


def kernel_density(query, data, bandwidth, kernel=gaussian):
    u = (_tensor(query).unsqueeze(1) - _tensor(data).unsqueeze(0)) / bandwidth
    return (_tensor(kernel(u.numpy())) / bandwidth).mean(dim=1).numpy()


def _is_gaussian(kernel):
    """By its values: where this function stands in for a student's, `kernel` may be the student's Gaussian."""
    u = np.array([0.0, 0.5, 2.5])
    return kernel is gaussian or np.allclose(kernel(u), gaussian(u), rtol=1e-6)


def _weights(query, key, bandwidth, kernel):
    u = torch.linalg.vector_norm(query[:, None] - key[None], dim=-1) / bandwidth
    if _is_gaussian(kernel):
        return torch.softmax(-0.5 * u.square(), dim=-1)
    return _rows_to_one(_tensor(kernel(u.numpy())))


def _rows_to_one(weights):
    total = weights.sum(dim=-1, keepdim=True)
    return weights / torch.where(total > 0, total, torch.ones_like(total))


def kernel_weights(query, key, bandwidth, kernel=gaussian):
    return _weights(_tensor(query), _tensor(key), bandwidth, kernel).numpy()


def nadaraya_watson(query, key, value, bandwidth, kernel=gaussian):
    weights = _weights(_tensor(query), _tensor(key), bandwidth, kernel)
    return torch.matmul(weights, _tensor(value).to(weights.dtype)).numpy()


def _lines(query, key, value, weights):
    """Lines through the weighted means; each row of `weights` sums to one or zero."""
    offset = key - key.mean()
    x_mean, y_mean = weights @ offset, weights @ value
    variance = weights @ offset.square() - x_mean.square()
    covariance = weights @ (offset * value) - x_mean * y_mean
    rounding = 64 * torch.finfo(weights.dtype).eps * offset.square().max()
    determined = variance > rounding
    slope = torch.where(determined, covariance / torch.where(determined, variance, 1.0), 0.0)
    return y_mean + slope * (query - key.mean() - x_mean), slope


def local_linear(query, key, value, bandwidth, kernel=gaussian):
    query, key, value = _tensor(query), _tensor(key), _tensor(value)
    weights = _weights(query[:, None], key[:, None], bandwidth, kernel)
    prediction, slope = _lines(query, key, value, weights)
    empty = weights.sum(dim=-1) == 0
    return prediction.masked_fill(empty, 0.0).numpy(), slope.masked_fill(empty, 0.0).numpy()


def lowess(x, y, fraction=2 / 3, robust_steps=3):
    x, y = _tensor(x), _tensor(y)
    n = len(x)
    k = min(max(math.ceil(fraction * n - 1e-9), 1), n)
    distance = (x[:, None] - x).abs()
    bandwidth = distance.kthvalue(k, dim=1, keepdim=True).values
    window = torch.clamp(1 - (distance / bandwidth.clamp(min=torch.finfo(x.dtype).tiny)).pow(3), min=0).pow(3)
    robust = torch.ones_like(y)
    steps_left = robust_steps
    while True:
        weights = _rows_to_one(window * robust)
        fit, _ = _lines(x, x, y, weights)
        fit = torch.where(weights.sum(dim=1) == 0, y, fit)
        residual = (y - fit).abs()
        median = torch.quantile(residual, 0.5)
        if steps_left == 0 or median == 0:
            return fit.numpy()
        robust = (1 - (residual / (6 * median)).clamp(max=1).square()).square()
        steps_left -= 1


def choose_bandwidth(x, y, bandwidths):
    x, y = _tensor(x).double(), _tensor(y).double()
    square = (x[:, None] - x).square()
    errors = []
    for bandwidth in bandwidths:
        logits = (-square / (2 * float(bandwidth) ** 2)).fill_diagonal_(-math.inf)
        errors.append(torch.nn.functional.mse_loss(torch.softmax(logits, dim=1) @ y, y).item())
    return bandwidths[errors.index(min(errors))]
