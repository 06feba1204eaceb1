"""ONNX Runtime: starts in a fraction of a second and needs neither Keras nor TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bundle.layout import ONNX
from models.errors import BundleError
from models.runtimes.batches import Float32, Reconstructor

if TYPE_CHECKING:
    from models.bundle import Bundle

_ERRORS_ONLY = 3


def open_onnx(bundle: Bundle, threads: int) -> Reconstructor:
    """Open the ONNX graph of a bundle.

    Raises:
        BundleError: it is no graph that ONNX Runtime understands.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        # From bytes that were just verified: what is parsed is what was checked.
        session = onnxruntime.InferenceSession(bundle.read(ONNX), options, providers=["CPUExecutionProvider"])
    except BundleError:
        raise
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        raise BundleError(f"{bundle.path / ONNX}: ONNX Runtime cannot open it ({error}); train anew") from error
    name = session.get_inputs()[0].name

    def run(windows: Float32) -> Float32:
        return np.asarray(session.run(None, {name: windows})[0], np.float32)

    return run
