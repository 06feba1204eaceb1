"""A Keras model as ONNX."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from models.formats.onnx_fusion import fuse_recurrent_loops


def export_onnx(model: Any) -> bytes:
    """Export a Keras model, with a batch axis of any length."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        # Keras asks numpy for a name that is about to change its meaning.
        warnings.simplefilter("ignore", FutureWarning)
        # The exporter wants a model that was called before.
        tensors = [np.zeros((2, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
        model(tensors if len(tensors) > 1 else tensors[0], training=False)
        model.export(str(path), format="onnx", verbose=False)
        return fuse_recurrent_loops(path.read_bytes(), model)
