"""Linear models fitted in closed form: an autoregression, and principal components of a lagged embedding.

Both work on a covariance in float64, gathered piece by piece, so that memory does not grow with the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from models.fitting.windows import WindowBank

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_PIECE = 4096
_WINDOWS = 1024


def fit_autoregression(rows: Float32, ridge: float) -> tuple[Float64, Float64]:
    """Ridge regression of a row on those before it.

    Args:
        rows: float32[n, lags + 1, channels]; the last of each is predicted from the others.
        ridge: Added to the diagonal of the predictors' covariance, whose variances are about 1.

    Returns:
        float64[lags * channels, channels] and float64[channels]: weights, for rows oldest first, and intercepts.
    """
    inputs = (rows.shape[1] - 1) * rows.shape[2]
    mean, covariance = _moments(rows.reshape(len(rows), -1))
    predictors = covariance[:inputs, :inputs] + ridge * np.eye(inputs)
    weights = np.linalg.solve(predictors, covariance[:inputs, inputs:]).astype(np.float64)
    intercepts: Float64 = mean[inputs:] - mean[:inputs] @ weights
    return weights, intercepts


def fit_components(rows: Float32, most: int, variance: float) -> tuple[Float64, Float64]:
    """Principal components of flattened rows.

    Args:
        rows: float32[n, inputs].
        most: Components at most.
        variance: Share of the variance that is enough; what is left is the residual.

    Returns:
        float64[inputs, most], orthonormal columns by falling variance, zero beyond those that are needed; and
        float64[inputs], the mean.
    """
    values, vectors, mean = principal_components(rows)
    total = float(values.sum())
    enough = int(np.searchsorted(np.cumsum(values), variance * total)) + 1 if total > 0 else 0
    kept = np.zeros((rows.shape[1], most))
    count = min(enough, most)
    kept[:, :count] = vectors[:, :count]
    return kept, mean


def principal_components(rows: Float32) -> tuple[Float64, Float64, Float64]:
    """All principal components of flattened rows.

    Args:
        rows: float32[n, inputs].

    Returns:
        float64[inputs], the variances, falling; float64[inputs, inputs], the directions in its columns; and
        float64[inputs], the mean.
    """
    mean, covariance = _moments(rows)
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1], mean


def set_dense(model: Any, layer: str, kernel: Float64, bias: Float64) -> None:
    """Give a ``Dense`` layer its weights."""
    model.get_layer(layer).set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def mean_square(model: Any, bank: WindowBank, starts: Int64) -> float:
    """What a model leaves of windows, per value that was observed.

    Args:
        model: From float32[n, window, channels] to the same.
        bank: Of the windows.
        starts: int64[n]; where they start in it.
    """
    total = count = 0.0
    for begin in range(0, starts.size, _WINDOWS):
        windows, observed = bank.draw(starts[begin : begin + _WINDOWS])
        squares = np.square(np.asarray(model(windows), np.float64) - windows)
        total, count = total + float(squares[observed].sum()), count + float(observed.sum())
    return total / max(count, 1.0)


def _moments(rows: Float32) -> tuple[Float64, Float64]:
    """Mean and covariance, of float32[n, inputs]."""
    mean: Float64 = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for piece in _pieces(rows):
        centred = piece - mean
        covariance += centred.T @ centred
    return mean, covariance / max(len(rows), 1)


def _pieces(rows: Float32) -> Iterator[Float64]:
    for begin in range(0, len(rows), _PIECE):
        yield rows[begin : begin + _PIECE].astype(np.float64)
