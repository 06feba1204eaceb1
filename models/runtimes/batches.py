"""Batches of fixed sizes, so that a result never depends on what happened to be scored together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from models.runtimes.graph import Float32, Tensors

SIZES: Final = (8, 64, 256, 1024)
"""Batches are padded to the next of these. From two rows on, ONNX Runtime gives each row the same bits in all of them;
one row alone takes another path through matrix multiplication and differs in the last bits."""
KERAS_SIZES: Final = (64, 256, 1024)
"""TensorFlow computes the rows of a batch of 8 by different routines, depending on where they stand in it. From 64 on,
a row has the same bits wherever it stands."""


def in_fixed_batches(
    run: Callable[[Tensors], Tensors], sizes: tuple[int, ...] = SIZES
) -> Callable[[Tensors], dict[str, Float32]]:
    """Wrap a model so that it only ever sees batches of these sizes, which ascend."""

    def run_all(tensors: Tensors) -> dict[str, Float32]:
        total = len(next(iter(tensors.values())))
        whole = next((size for size in sizes if size >= total), None)
        if whole is not None and total:  # the usual case, without a copy of what comes out
            found = run({name: _padded(tensor, whole) for name, tensor in tensors.items()})
            return {name: tensor[:total] for name, tensor in found.items()}
        results: dict[str, Float32] = {}
        done = 0
        # Once also for nothing: the outputs have shapes even then.
        while done < total or not results:
            left = total - done
            size = next((size for size in sizes if size >= left), sizes[-1])
            count = min(left, size)
            found = run({name: _padded(tensor[done : done + count], size) for name, tensor in tensors.items()})
            for name, tensor in found.items():
                if name not in results:
                    results[name] = np.empty((total, *tensor.shape[1:]), np.float32)
                results[name][done : done + count] = tensor[:count]
            done += count
        return results

    return run_all


def _padded(tensor: Float32, size: int) -> Float32:
    missing = size - len(tensor)
    return np.concatenate([tensor, np.zeros((missing, *tensor.shape[1:]), np.float32)]) if missing else tensor
