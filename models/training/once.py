"""One fit of a model to series that are laid out, as training does it once, or once for every part that is held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.architectures import find
from models.companions import beside
from models.fitting.loop import LoopResult, TrainingLoop
from models.fitting.objective import Objective
from models.fitting.options import TrainOptions
from models.fitting.record import Progress
from models.fitting.task import FittingTask
from models.fitting.windows import SeriesWindows, WindowBank
from models.formats.exporting import export_onnx
from models.renewal import Renewal
from models.runtimes import Runtime, runtime_of
from models.runtimes.onnx import onnx_graph
from models.scaling import Scaler
from models.spec import ModelSpec
from models.training.held_out import HeldOut, run_held_out

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FittedOnce:
    """A fitted model, and what it was fitted to.

    Attributes:
        spec: What it was built from.
        laid: The series.
        scaler: Of its inputs.
        bank: Their windows.
        held_out: int64[n]; where the held-out windows start in the bank.
        model: The Keras model, with its best weights.
        result: What the fit did.
        renewal: When carried memory is given up; None: never, or the model carries none.
        onnx: The model as ONNX.
        runtime: Runs it.
    """

    spec: ModelSpec
    laid: Mapping[str, SeriesWindows]
    scaler: Scaler
    bank: WindowBank
    held_out: Int64
    model: Any
    result: LoopResult
    renewal: Renewal | None
    onnx: bytes
    runtime: Runtime

    def left(self, parts: Collection[str], options: TrainOptions) -> list[HeldOut]:
        """What it leaves of the held-out windows.

        Args:
            parts: Names of the estimates that will be scored: companions among them run beside the model.
            options: How many windows are looked at.
        """
        companied = beside(self.runtime, parts, len(self.spec.channels), self.spec.period_ns)
        return run_held_out(companied, self.scaler, self.laid, self.spec.window, options)


def fit_once(
    laid: Mapping[str, SeriesWindows],
    scaler: Scaler,
    spec: ModelSpec,
    options: TrainOptions,
    *,
    weights: list[Any] | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FittedOnce:
    """Build and fit a model.

    Args:
        laid: The series; at least one has held-out windows.
        scaler: Of their values.
        spec: What to build.
        options: How to train.
        weights: What to begin with; None: weights that depend on the seed alone.
        progress: Is told after every step.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: training diverged at once.
    """
    bank = WindowBank(laid, scaler, spec.window)
    held_out = np.concatenate(list(bank.held_out.values()))

    def minimise(objective: Objective, epochs: int | None = None) -> LoopResult:
        planned = epochs or options.epochs_for(bank.train.size)
        return TrainingLoop(objective, planned, options, spec.seed, clock, progress).run()

    architecture = find(spec.architecture)
    built = architecture.build(spec)
    if weights is not None:
        built.set_weights(weights)
    task = FittingTask(
        spec=spec,
        model=built,
        series=laid,
        scaler=scaler,
        bank=bank,
        held_out=_spread(held_out, options.max_held_out_windows),
        options=options,
        minimise=minimise,
    )
    model, result, renewal = architecture.fit(task)
    onnx = export_onnx(model)
    runtime = runtime_of(onnx_graph(onnx, spec, "the trained model"), renewal=renewal)
    return FittedOnce(spec, laid, scaler, bank, held_out, model, result, renewal, onnx, runtime)


def _spread(starts: Int64, limit: int) -> Int64:
    """At most ``limit`` of them, spread evenly."""
    if starts.size <= limit:
        return starts
    spread: Int64 = starts[np.linspace(0, starts.size - 1, limit).astype(np.int64)]
    return spread
