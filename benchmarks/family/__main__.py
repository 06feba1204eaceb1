"""``python -m benchmarks.family``: builds every architecture as ``detector train`` would, and measures its graph."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, TypeVar

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from models.architectures import ARCHITECTURES, build
from models.outputs import WINDOWS
from models.spec import ModelSpec

_T = TypeVar("_T")
_CHANNELS = 8
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """What one architecture costs. Times are of the processor, so that a busy machine matters less.

    Attributes:
        architecture: Its name; everything else of the model has the default.
        window: Samples in a window.
        parameters: Numbers in the model.
        graph_bytes: Of the ONNX file.
        export_seconds: From Keras to that file.
        load_seconds: From the file to a session of ONNX Runtime.
        windows_per_second: On one thread, in batches of 256; the best round. With carried memory a window is a step.
    """

    architecture: str
    window: int
    parameters: int
    graph_bytes: int
    export_seconds: float
    load_seconds: float
    windows_per_second: float


def measure(name: str, rounds: int) -> Cost:
    """Measure an architecture with its initial weights, which do not matter here."""
    import onnxruntime

    from models.formats.exporting import export_onnx

    window = ARCHITECTURES[name].default_window
    channels = tuple(f"c{number}" for number in range(_CHANNELS))
    spec = ModelSpec(channels=channels, architecture=name, window=window, latent=ARCHITECTURES[name].default_latent)
    model = build(spec)
    data, export_seconds = _timed(lambda: export_onnx(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session, load_seconds = _timed(lambda: onnxruntime.InferenceSession(data, options))
    random = np.random.default_rng(0)
    tensors = {
        put.name: random.normal(size=(_BATCH, *((window, _CHANNELS) if put.name == WINDOWS else put.shape[1:]))).astype(
            np.float32
        )
        for put in session.get_inputs()
    }
    session.run(None, tensors)
    fastest = min(_timed(lambda: session.run(None, tensors))[1] for _ in range(rounds))
    return Cost(name, window, model.count_params(), len(data), export_seconds, load_seconds, _BATCH / fastest)


def _timed(run: Callable[[], _T]) -> tuple[_T, float]:
    began = time.process_time()
    result = run()
    return result, max(time.process_time() - began, 1e-9)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Batches of each, of which the fastest counts.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Measure what each architecture costs."""
    costs = [measure(name, rounds) for name in ARCHITECTURES]
    if as_json:
        typer.echo(json.dumps([asdict(cost) for cost in costs], indent=2))
        return
    table = Table("architecture", "window", "weights", "graph", "export", "load", "windows/s", box=SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for cost in costs:
        table.add_row(
            cost.architecture,
            f"{cost.window}",
            f"{cost.parameters:,}",
            f"{cost.graph_bytes / 1000:,.0f} kB",
            f"{cost.export_seconds:.1f} s",
            f"{cost.load_seconds * 1000:.0f} ms",
            f"{cost.windows_per_second:,.0f}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
