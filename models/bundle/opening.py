"""Opening the model of a bundle: in any runtime it must agree with what Keras made of the golden sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.bundle.layout import KERAS, ONNX
from models.bundle.reading import Bundle
from models.companions import beside
from models.errors import BundleError
from models.golden import TOLERANCE, golden_outputs, joined
from models.runtimes import Runtime, runtime_of
from models.runtimes.batches import KERAS_SIZES, SIZES
from models.runtimes.graph import Graph, check_inputs, check_outputs, shown
from models.runtimes.keras import keras_graph, keras_model
from models.runtimes.onnx import onnx_graph

RUNTIMES = ("onnx", "keras")


def open_runtime(bundle: Bundle, name: str = "onnx", threads: int = 1) -> Runtime:
    """Open a bundle's model, check it against the golden sample, and put beside it what its score looks at besides.

    Args:
        bundle: Verified.
        name: One of `RUNTIMES`. ``onnx`` needs neither Keras nor TensorFlow.
        threads: Threads for one batch; with ``keras`` they belong to the process, whatever this says.

    Raises:
        BundleError: the model cannot be opened, does not fit the manifest, or differs from Keras.
        ModelsError: the runtime is not installed.
        ValueError: no runtime has that name.
    """
    if name not in RUNTIMES:
        raise ValueError(f"there is no runtime {name!r}; choose one of: {', '.join(RUNTIMES)}")
    graph = _open_onnx(bundle, threads) if name == "onnx" else _open_keras(bundle)
    runtime = runtime_of(graph, SIZES if name == "onnx" else KERAS_SIZES, bundle.renewal)
    difference = golden_difference(bundle, runtime)
    if not difference <= TOLERANCE:  # also when it is NaN
        raise BundleError(
            f"{bundle.path}: the {name} runtime differs from Keras by {difference:.2g} on the golden sample,"
            f" more than {TOLERANCE:g}; use the other runtime, or train anew with the libraries that are installed"
        )
    parts = [part.part for part in bundle.rule.parts]
    return beside(runtime, parts, len(bundle.spec.channels), bundle.spec.period_ns)


def golden_difference(bundle: Bundle, runtime: Runtime) -> float:
    """Largest difference of a runtime to Keras on the golden sample, over all that the model gives, in scaled units.

    Raises:
        BundleError: the model gives something else than the manifest says.
    """
    inputs, expected = bundle.golden()
    outputs = golden_outputs(runtime, inputs)
    shapes = {name: tensor.shape[1:] for name, tensor in outputs.items()}
    if shapes != dict(bundle.outputs):
        raise BundleError(
            f"{bundle.path}: the model gives {shown(shapes)}, the manifest says {shown(bundle.outputs)}; train anew"
        )
    return float(np.abs(joined(outputs) - expected).max())


def load_keras_model(bundle: Bundle) -> Any:
    """The Keras model of a bundle, opened as `models.runtimes.keras.keras_model` does.

    Raises:
        BundleError: it holds what no architecture leads to, or Keras cannot open it.
        ModelsError: Keras is not installed.
    """
    return keras_model(bundle.read(KERAS), bundle.path / KERAS)


def _open_onnx(bundle: Bundle, threads: int) -> Graph:
    # From bytes that were just verified: what is parsed is what was checked.
    return onnx_graph(bundle.read(ONNX), bundle.spec, str(bundle.path / ONNX), threads)


def _open_keras(bundle: Bundle) -> Graph:
    graph = keras_graph(load_keras_model(bundle))
    check_inputs(graph.inputs, bundle.spec, str(bundle.path / KERAS))
    check_outputs(graph, bundle.spec, str(bundle.path / KERAS))
    return graph
