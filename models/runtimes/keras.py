"""Keras itself: the reference that every other runtime is checked against."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from models.backend import load_keras, load_tensorflow
from models.errors import BundleError
from models.formats.keras_archive import check_keras_file
from models.outputs import RECONSTRUCTION
from models.runtimes.graph import Float32, Graph, Tensors


def keras_model(data: bytes, source: Path) -> Any:
    """Open a Keras model, once it is known to name nothing but what the architectures use.

    Safe mode, in which Keras refuses lambdas, is the second line of defence.

    Args:
        data: Of the file.
        source: Its name, for messages.

    Raises:
        BundleError: it holds anything else, or Keras cannot open it.
        ModelsError: Keras is not installed.
    """
    keras = load_keras()
    check_keras_file(data, source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"  # Keras goes by the ending
        path.write_bytes(data)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its parts raise
            raise BundleError(f"{source}: Keras cannot open it ({error}); train anew") from error


def keras_graph(model: Any) -> Graph:
    """A Keras model as a function of named tensors."""
    tensorflow = load_tensorflow()
    single = not isinstance(model.output, dict)
    outputs = {RECONSTRUCTION: model.output} if single else model.output
    names = [tensor.name for tensor in model.inputs]

    # With an open batch axis from the start: a graph that was made for one batch size is optimised in another way, and
    # computes other last bits, than the graph for any size that follows it.
    shapes = [tensorflow.TensorSpec([None, *tensor.shape[1:]], tensorflow.float32) for tensor in model.inputs]

    @tensorflow.function(input_signature=shapes)  # type: ignore[untyped-decorator]
    def call(*tensors: Any) -> Any:
        found = model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)
        return {RECONSTRUCTION: found} if single else found

    def run(tensors: Tensors) -> dict[str, Float32]:
        found = call(*(tensorflow.constant(tensors[name]) for name in names))
        return {name: np.asarray(tensor, np.float32) for name, tensor in found.items()}

    return Graph(
        inputs={tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs},
        outputs={name: tuple(tensor.shape[1:]) for name, tensor in outputs.items()},
        run=run,
    )
