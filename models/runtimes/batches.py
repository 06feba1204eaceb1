"""Batches of fixed sizes, so that a result never depends on what happened to be scored together."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

SIZES: Final = (8, 64, 256, 1024)
"""Batches are padded to the next of these. From two rows on, ONNX Runtime gives each row the same bits in all of them;
one row alone takes another path through matrix multiplication and differs in the last bits."""
KERAS_SIZES: Final = (64, 256, 1024)
"""TensorFlow computes the rows of a batch of 8 by different routines, depending on where they stand in it. From 64 on,
a row has the same bits wherever it stands."""


class Reconstructor(Protocol):
    """Runs a model: float32[n, window, channels] to its reconstruction, of the same shape."""

    def __call__(self, windows: Float32) -> Float32: ...  # noqa: D102


def in_fixed_batches(run: Reconstructor, sizes: tuple[int, ...] = SIZES) -> Reconstructor:
    """Wrap a model so that it only ever sees batches of these sizes, which ascend."""

    def reconstruct(windows: Float32) -> Float32:
        result = np.empty_like(windows)
        done = 0
        while done < len(windows):
            left = len(windows) - done
            size = next((size for size in sizes if size >= left), sizes[-1])
            count = min(left, size)
            batch = windows[done : done + count]
            if count < size:
                batch = np.concatenate([batch, np.zeros((size - count, *windows.shape[1:]), np.float32)])
            result[done : done + count] = run(batch)[:count]
            done += count
        return result

    return reconstruct
