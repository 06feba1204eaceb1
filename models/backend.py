"""The one door to Keras and TensorFlow: opened on demand, quietly, and with a remedy when they are not there."""

from __future__ import annotations

import os
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from models.errors import ModelsError, TrainingError
from models.quiet import without_chatter

BACKEND = "tensorflow"


def load_keras() -> Any:
    """Import Keras on TensorFlow, without TensorFlow's start-up messages.

    Returns:
        The module ``keras``.

    Raises:
        ModelsError: Keras or TensorFlow is not installed, or Keras was set to another backend.
    """
    talk = "TF_CPP_MIN_LOG_LEVEL" in os.environ
    # Both libraries read these when they are imported; a user's own choice of log level stands.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    try:
        # Who asks TensorFlow to talk hears it.
        with nullcontext() if talk else without_chatter():
            import_module(BACKEND)
            keras = import_module("keras")
    except ImportError as error:
        raise ModelsError(
            f"Keras is not usable here ({error}); install it with: pip install 'reconstream[keras-cpu]'"
        ) from error
    if keras.backend.backend() != BACKEND:
        raise ModelsError(
            f"Keras runs on {keras.backend.backend()}, but training and the keras runtime need {BACKEND};"
            f" unset KERAS_BACKEND or set it to {BACKEND}"
        )
    return keras


def load_tensorflow(threads: int | None = None) -> Any:
    """Import TensorFlow as `load_keras` does.

    Args:
        threads: Threads that an operation may use; ``None`` leaves it to TensorFlow. It takes effect only before
            TensorFlow's first operation in the process.

    Returns:
        The module ``tensorflow``.

    Raises:
        TrainingError: another number of threads is in use already.
    """
    load_keras()
    tensorflow = import_module(BACKEND)
    if threads is not None:
        try:
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError as error:
            raise TrainingError(
                "threads can no longer be set: TensorFlow has started in this process with another number of them"
            ) from error
    return tensorflow
