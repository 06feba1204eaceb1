"""ONNX Runtime: starts in a fraction of a second and needs neither Keras nor TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from models.errors import BundleError
from models.formats.onnx_graph import check_onnx_file
from models.outputs import RECONSTRUCTION
from models.runtimes.graph import Float32, Graph, Tensors, check_inputs, check_outputs
from models.spec import ModelSpec

_ERRORS_ONLY = 3


def onnx_graph(data: bytes, spec: ModelSpec, source: str, threads: int = 1) -> Graph:
    """Open an ONNX file.

    Args:
        data: Of the file.
        spec: What it should be a model of.
        source: Its name, for messages.
        threads: Threads for one batch.

    Raises:
        BundleError: it refers to other files or to operators that no architecture uses, ONNX Runtime does not
            understand it, or it is a model of another shape.
    """
    _without_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Told, rather than guessed from the content, so that no other format gets around the check.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    check_onnx_file(data, source)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        raise BundleError(f"{source}: ONNX Runtime cannot open it ({error}); train anew") from error
    inputs = _inputs(session, source)
    check_inputs(inputs, spec, source)
    # The file need not say the shapes of its outputs; two rows do.
    try:
        found = _run(session, {name: np.zeros((2, *shape), np.float32) for name, shape in inputs.items()})
    except Exception as error:
        raise BundleError(f"{source}: ONNX Runtime cannot run it ({error}); train anew") from error
    outputs = {name: tuple(tensor.shape[1:]) for name, tensor in found.items()}
    graph = Graph(inputs, outputs, lambda tensors: _run(session, tensors))
    check_outputs(graph, spec, source)
    return graph


def _inputs(session: Any, source: str) -> dict[str, tuple[int, ...]]:
    if any(tensor.type != "tensor(float)" for tensor in (*session.get_inputs(), *session.get_outputs())):
        raise BundleError(f"{source}: it is not a model of float inputs and outputs; train anew")
    return {tensor.name: tuple(tensor.shape[1:]) for tensor in session.get_inputs()}


def _run(session: Any, tensors: Tensors) -> dict[str, Float32]:
    outputs = session.get_outputs()
    found = session.run(None, dict(tensors))
    if len(outputs) == 1:  # the exporter then keeps the name of the layer
        return {RECONSTRUCTION: found[0]}
    return {output.name: tensor for output, tensor in zip(outputs, found, strict=True)}


def _without_telemetry() -> None:
    """Before its first import: ONNX Runtime 1.32 reports to its makers of its own accord, on Linux too.

    Its function ``disable_telemetry_events`` comes too late: by then a device id lies in the user's cache.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
