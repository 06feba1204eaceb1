"""Ways to run a model; each must agree with what Keras made of the bundle's golden sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.errors import BundleError
from models.runtimes.batches import KERAS_SIZES, SIZES, Reconstructor, in_fixed_batches

if TYPE_CHECKING:
    from models.bundle import Bundle

__all__ = ["RUNTIMES", "TOLERANCE", "Reconstructor", "open_runtime"]

RUNTIMES = ("onnx", "keras")
TOLERANCE = 1e-4
"""Greatest difference to Keras in scaled units, whose range is about 20; sums in another order differ by less."""


def open_runtime(bundle: Bundle, name: str = "onnx", threads: int = 1) -> Reconstructor:
    """Open a bundle's model and check it against the golden sample.

    Args:
        bundle: Verified.
        name: One of `RUNTIMES`. ``onnx`` needs neither Keras nor TensorFlow.
        threads: Threads for one batch.

    Returns:
        A function from float32[n, window, channels] to float32[n, window, channels], n >= 0. A window's reconstruction
        has the same bits whatever else is in the batch.

    Raises:
        BundleError: the model cannot be opened, or differs from Keras.
        ModelsError: the runtime is not installed.
        ValueError: no runtime has that name.
    """
    if name == "onnx":
        from models.runtimes.onnx import open_onnx as open_model
    elif name == "keras":
        from models.runtimes.keras import open_keras as open_model
    else:
        raise ValueError(f"there is no runtime {name!r}; choose one of: {', '.join(RUNTIMES)}")
    reconstruct = in_fixed_batches(open_model(bundle, threads), KERAS_SIZES if name == "keras" else SIZES)
    inputs, expected = bundle.golden()
    found = reconstruct(inputs)
    if found.shape != expected.shape:
        raise BundleError(
            f"{bundle.path}: the {name} runtime gives {list(found.shape)} for {list(expected.shape)}; train anew"
        )
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # also when it is NaN
        raise BundleError(
            f"{bundle.path}: the {name} runtime differs from Keras by {difference:.2g} on the golden sample,"
            f" more than {TOLERANCE:g}; use the other runtime, or train anew with the libraries that are installed"
        )
    return reconstruct
