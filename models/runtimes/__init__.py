"""Ways to run a model; each must agree with what Keras made of the bundle's golden sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.companions import beside
from models.errors import BundleError
from models.golden import golden_outputs, joined
from models.renewal import Renewal
from models.runtimes.batches import KERAS_SIZES, SIZES
from models.runtimes.carried import CarriedRuntime
from models.runtimes.graph import Graph, shown
from models.runtimes.protocol import Runtime
from models.runtimes.windowed import WindowRuntime

if TYPE_CHECKING:
    from models.bundle import Bundle

__all__ = ["RUNTIMES", "TOLERANCE", "Runtime", "golden_difference", "open_runtime", "runtime_of"]

RUNTIMES = ("onnx", "keras")
TOLERANCE = 1e-4
"""Greatest difference to Keras in scaled units, whose range is about 20; sums in another order differ by less."""


def open_runtime(bundle: Bundle, name: str = "onnx", threads: int = 1) -> Runtime:
    """Open a bundle's model, check it against the golden sample, and put beside it what its score looks at besides.

    Args:
        bundle: Verified.
        name: One of `RUNTIMES`. ``onnx`` needs neither Keras nor TensorFlow.
        threads: Threads for one batch.

    Raises:
        BundleError: the model cannot be opened, does not fit the manifest, or differs from Keras.
        ModelsError: the runtime is not installed.
        ValueError: no runtime has that name.
    """
    if name == "onnx":
        from models.runtimes.onnx import open_onnx as open_model
    elif name == "keras":
        from models.runtimes.keras import open_keras as open_model
    else:
        raise ValueError(f"there is no runtime {name!r}; choose one of: {', '.join(RUNTIMES)}")
    graph = open_model(bundle, threads)
    runtime = runtime_of(graph, KERAS_SIZES if name == "keras" else SIZES, bundle.renewal)
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


def runtime_of(graph: Graph, sizes: tuple[int, ...] = SIZES, renewal: Renewal | None = None) -> Runtime:
    """Run a model that was opened.

    Args:
        graph: The model.
        sizes: Of the batches that it may see, ascending.
        renewal: When carried memory is given up; None: never.
    """
    return CarriedRuntime(graph, sizes, renewal) if graph.state_widths else WindowRuntime(graph, sizes)
