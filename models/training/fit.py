"""Training from arrays to a model that is ready to be bundled: scaled, fitted, weighed and calibrated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.architectures import find
from models.architectures.architecture import FittingTask
from models.backend import load_tensorflow
from models.bundle.exporting import export_onnx
from models.calibration import Calibration, CalibrationOptions, CountIncidents, HeldOutScores, calibrate
from models.errors import TrainingError
from models.golden import CARRIED_GOLDEN_WINDOWS, GOLDEN_WINDOWS
from models.horizon import Horizon, measure_model, sequence_length, spread_sequences
from models.memory import new_states
from models.offline import places, walk
from models.residuals import ResidualScore, impute, tail_sums
from models.runtimes import Runtime, runtime_of
from models.runtimes.onnx import onnx_graph
from models.scaling import Scaler
from models.spec import ModelSpec
from models.training.health import diagnose
from models.training.history import Progress, TrainingHistory
from models.training.loop import LoopResult, TrainingLoop
from models.training.objective import Objective
from models.training.options import TrainOptions
from models.training.segments import TrainingData, check, cut, fingerprint
from models.training.windows import SeriesWindows, WindowBank, lay_windows

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Everything that a bundle is made of.

    Attributes:
        spec: Shape and architecture.
        model: The Keras model, with its best weights.
        scaler: Fitted on training rows alone.
        residual: Weights from held-out windows.
        calibration: Threshold from held-out windows.
        history: What happened.
        onnx: The model as ONNX; held-out data was scored by it.
        golden: float32[n, window, channels]; inputs on which every runtime must agree with Keras.
        training_data: Which data it was; see `models.training.segments.fingerprint`.
    """

    spec: ModelSpec
    model: Any
    scaler: Scaler
    residual: ResidualScore
    calibration: Calibration
    history: TrainingHistory
    onnx: bytes
    golden: Float32
    training_data: dict[str, object]


def train(
    data: TrainingData,
    spec: ModelSpec,
    options: TrainOptions | None = None,
    *,
    calibration: CalibrationOptions | None = None,
    count_incidents: CountIncidents | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainedModel:
    """Train on the beginning of every series, and weigh and calibrate on its end.

    On one kind of machine, with the same libraries and number of threads, the same data and seed give the same weights.

    Args:
        data: By series: int64[rows] times in nanoseconds and float64[rows, channels] values, NaN where missing.
        spec: What to build.
        options: How to train.
        calibration: How to set the threshold.
        count_incidents: Counts incidents as the worker would, for the expected alerts.
        progress: Is told after every step.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: the data does not fit the specification, is too short, or training diverged at once.
        ModelsError: Keras is not installed.
    """
    options, began = options or TrainOptions(), clock()
    check(data, spec.channels)
    laid = _lay(data, spec, options)
    scaler = Scaler.fit({name: windows.training_values() for name, windows in laid.items()}, options.clip)
    bank = WindowBank(laid, scaler, spec.window)
    held_out = np.concatenate(list(bank.held_out.values()))
    load_tensorflow(options.threads)

    def minimise(objective: Objective, epochs: int | None = None) -> LoopResult:
        planned = epochs or options.epochs_for(bank.train.size)
        return TrainingLoop(objective, planned, options, spec.seed, clock, progress).run()

    architecture = find(spec.architecture)
    task = FittingTask(
        spec=spec,
        model=architecture.build(spec),
        series=laid,
        scaler=scaler,
        bank=bank,
        held_out=_spread(held_out, options.max_held_out_windows),
        options=options,
        minimise=minimise,
    )
    model, result = architecture.fit(task)
    onnx = export_onnx(model)
    runtime = runtime_of(onnx_graph(onnx, spec, "the trained model"))
    residual, scores = _score_held_out(runtime, scaler, laid, spec.window, options)
    return TrainedModel(
        spec=spec,
        model=model,
        scaler=scaler,
        residual=residual,
        calibration=calibrate(scores, calibration, count_incidents),
        history=TrainingHistory(
            epochs=result.epochs,
            best_epoch=result.best_epoch,
            stopped=result.stopped,
            message=result.message,
            loss=result.loss,
            val_loss=result.val_loss,
            parameters=int(model.count_params()),
            training_windows=int(bank.train.size),
            held_out_windows=int(held_out.size),
            seconds=clock() - began,
            clipping=str(options.clipping),
            findings=diagnose(result.epochs),
            horizons=_horizons(model, laid, scaler, spec, options),
        ),
        onnx=onnx,
        golden=_golden(bank, held_out, spec, options.clip, carried=runtime.state_dtype is not None),
        training_data=fingerprint(data),
    )


def _lay(data: TrainingData, spec: ModelSpec, options: TrainOptions) -> dict[str, SeriesWindows]:
    laid = {}
    for name, (times_ns, values) in data.items():
        segments = cut(times_ns, values, spec.period_ns, options.max_gap_steps)
        windows = lay_windows(segments, spec.window, options.held_out_share, options.min_coverage)
        if len(windows.train):
            laid[name] = windows
    if not any(len(windows.held_out) for windows in laid.values()):
        longest = max(len(times_ns) for times_ns, _ in data.values())
        # held_out_share of the windows, rounded up, then as many again that overlap them, less one, then one to learn
        # from.
        needed = int(np.ceil(spec.window / (1 - options.held_out_share))) + spec.window
        hint = f" with a period of {spec.period_seconds:g} s" if spec.period_seconds is not None else ""
        raise TrainingError(
            f"no series is long enough: the longest has {longest} rows, and windows of {spec.window} need about"
            f" {needed} in an unbroken stretch{hint}; give more data, a shorter window, or the period that the"
            " data really has"
        )
    return laid


def _spread(starts: Int64, limit: int) -> Int64:
    """At most ``limit`` of them, spread evenly."""
    if starts.size <= limit:
        return starts
    spread: Int64 = starts[np.linspace(0, starts.size - 1, limit).astype(np.int64)]
    return spread


def _score_held_out(
    runtime: Runtime, scaler: Scaler, laid: dict[str, SeriesWindows], window: int, options: TrainOptions
) -> tuple[ResidualScore, list[HeldOutScores]]:
    """Fit the residual's weights to held-out windows, then score these windows with them.

    A model with memory runs through every series from its beginning, as it would live.
    """
    names = [name for name, windows in laid.items() if len(windows.held_out)]
    limit = max(1, options.max_calibration_windows // len(names))
    segments = [laid[name].segments for name in names]
    chosen = [laid[name].held_out[-limit:] for name in names]
    numbers = [places(parts, window).numbers_of(wanted) for parts, wanted in zip(segments, chosen, strict=True)]
    begin = None if runtime.state_dtype is not None else [int(wanted[0]) for wanted in numbers]
    states = None if runtime.state_dtype is None else new_states(runtime.state_dtype, len(names))
    rows = np.array([scaler.row(name) for name in names])
    counts = [np.zeros((len(wanted), scaler.centre.shape[1]), np.int64) for wanted in numbers]
    totals = [np.zeros(count.shape) for count in counts]
    for batch in walk(segments, window, options.min_coverage, begin):
        filled, observed = impute(scaler.apply(batch.values, rows[batch.slots]))
        reconstruction = runtime(filled, batch.memory(states)).reconstruction
        count, total = tail_sums(filled, reconstruction, observed, options.tail)
        for slot in np.unique(batch.slots):
            mine = np.flatnonzero(batch.slots == slot)
            _, here, there = np.intersect1d(batch.numbers[mine], numbers[slot], return_indices=True)
            counts[slot][there], totals[slot][there] = count[mine[here]], total[mine[here]]
    residual = ResidualScore.from_mean_squares(
        sum(total.sum(axis=0) for total in totals) / np.maximum(sum(count.sum(axis=0) for count in counts), 1),
        options.tail,
    )
    scores = []
    for slot, wanted in enumerate(chosen):
        times = np.array([segments[slot][number].times_ns[end] for number, end in wanted])
        scores.append(HeldOutScores(residual.score_sums(counts[slot], totals[slot])[0], times))
    return residual, scores


def _horizons(
    model: Any, laid: dict[str, SeriesWindows], scaler: Scaler, spec: ModelSpec, options: TrainOptions
) -> dict[str, Horizon]:
    """The model's memory horizon on its training data."""
    if not options.horizon_sequences:
        return {}
    carried = len(model.inputs) > 1
    stretches = [
        impute(scaler.apply(segment.values[None], np.array([scaler.row(name)])))[0][0]
        for name, windows in laid.items()
        for segment in windows.segments
        if carried or len(segment.values) >= spec.window
    ]
    length = sequence_length(spec.window, carried)
    return measure_model(model, spread_sequences(stretches, length, options.horizon_sequences))


def _golden(bank: WindowBank, held_out: Int64, spec: ModelSpec, clip: float, *, carried: bool) -> Float32:
    """Half of them real, half noise up to the limits."""
    half = (CARRIED_GOLDEN_WINDOWS if carried else GOLDEN_WINDOWS) // 2
    real, _ = bank.draw(held_out[np.linspace(0, held_out.size - 1, half).astype(np.int64)])
    noise = np.random.default_rng(spec.seed).normal(scale=clip / 2, size=(half, spec.window, len(spec.channels)))
    return np.concatenate([real, np.clip(noise, -clip, clip).astype(np.float32)])
