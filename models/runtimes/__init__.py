"""Ways to run a model; to the rest of the program they are one."""

from __future__ import annotations

from models.renewal import Renewal
from models.runtimes.batches import SIZES
from models.runtimes.carried import CarriedRuntime
from models.runtimes.graph import Graph
from models.runtimes.protocol import Runtime
from models.runtimes.windowed import WindowRuntime

__all__ = ["Runtime", "runtime_of"]


def runtime_of(graph: Graph, sizes: tuple[int, ...] = SIZES, renewal: Renewal | None = None) -> Runtime:
    """Run a model that was opened.

    Args:
        graph: The model.
        sizes: Of the batches that it may see, ascending.
        renewal: When carried memory is given up; None: never.
    """
    return CarriedRuntime(graph, sizes, renewal) if graph.state_widths else WindowRuntime(graph, sizes)
