"""Keras itself: the reference that every other runtime is checked against."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.backend import load_keras, load_tensorflow
from models.bundle.keras_archive import check_keras_file
from models.bundle.layout import KERAS
from models.errors import BundleError
from models.runtimes.batches import Float32, Reconstructor

if TYPE_CHECKING:
    from models.bundle import Bundle


def open_keras(bundle: Bundle, threads: int) -> Reconstructor:
    """Open the Keras model of a bundle, once it is known to name nothing but what the architectures use.

    Safe mode, in which Keras refuses lambdas, is the second line of defence.

    Raises:
        BundleError: it holds anything else, Keras cannot open it, or it does not fit the bundle.
        ModelsError: Keras is not installed.
    """
    del threads  # TensorFlow's threads belong to the process
    keras = load_keras()
    tensorflow = load_tensorflow()
    data = bundle.read(KERAS)
    check_keras_file(data, bundle.path / KERAS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / KERAS
        path.write_bytes(data)
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its parts raise
            raise BundleError(f"{bundle.path / KERAS}: Keras cannot open it ({error}); train anew") from error
    shape = (None, bundle.spec.window, len(bundle.spec.channels))
    if tuple(model.input_shape) != shape or tuple(model.output_shape) != shape:
        raise BundleError(
            f"{bundle.path / KERAS}: the model maps {model.input_shape} to {model.output_shape}, the manifest says"
            f" {shape}; train anew"
        )
    call = tensorflow.function(lambda windows: model(windows, training=False), reduce_retracing=True)

    def run(windows: Float32) -> Float32:
        return np.asarray(call(tensorflow.constant(windows)), np.float32)

    return run
