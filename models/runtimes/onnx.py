"""ONNX Runtime: starts in a fraction of a second and needs neither Keras nor TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bundle.layout import ONNX
from models.bundle.onnx_graph import check_onnx_file
from models.errors import BundleError
from models.runtimes.batches import Float32, Reconstructor

if TYPE_CHECKING:
    from models.bundle import Bundle

_ERRORS_ONLY = 3


def open_onnx(bundle: Bundle, threads: int) -> Reconstructor:
    """Open the ONNX graph of a bundle.

    Raises:
        BundleError: it refers to other files or to operators that no architecture uses, or ONNX Runtime does not
            understand it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Told, rather than guessed from the content, so that no other format gets around the check.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # From bytes that were just verified: what is parsed is what was checked.
    data = bundle.read(ONNX)
    check_onnx_file(data, bundle.path / ONNX)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        raise BundleError(f"{bundle.path / ONNX}: ONNX Runtime cannot open it ({error}); train anew") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)" or outputs[0].type != inputs[0].type:
        raise BundleError(f"{bundle.path / ONNX}: it is not a model of one float input and output; train anew")
    name = inputs[0].name

    def run(windows: Float32) -> Float32:
        return np.asarray(session.run(None, {name: windows})[0], np.float32)

    return run
