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
from models.calibration import Calibration, CalibrationOptions, CountIncidents, calibrate
from models.companions import beside
from models.companions.rhythm import MOST_LEFT, left_by
from models.errors import TrainingError
from models.golden import CARRIED_GOLDEN_WINDOWS, GOLDEN_WINDOWS
from models.habits import Habits
from models.horizon import Horizon, measure_model, sequence_length, spread_sequences
from models.imputation import impute
from models.outputs import RECONSTRUCTION
from models.reference import Reference
from models.renewal import Renewal
from models.runtimes import runtime_of
from models.runtimes.onnx import onnx_graph
from models.scaling import DEFAULT_CLIP, Scaler
from models.scores import ScoreOptions, ScoreRule
from models.segments import TrainingData, check, cut, fingerprint
from models.spec import ModelSpec
from models.training.health import diagnose
from models.training.held_out import run_held_out, score_held_out
from models.training.history import Progress, TrainingHistory
from models.training.loop import LoopResult, TrainingLoop
from models.training.misfits import find_misfits
from models.training.objective import Objective
from models.training.options import TrainOptions
from models.training.windows import SeriesWindows, WindowBank, lay_windows

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

DEFAULT_WARM_UP = 256


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Everything that a bundle is made of.

    Attributes:
        spec: Shape and architecture.
        model: The Keras model, with its best weights.
        renewal: When carried memory is given up; None: never, or the model carries none.
        scaler: Fitted on training rows alone.
        rule: The score, fitted to held-out windows.
        calibration: Threshold from held-out windows.
        reference: What inputs and scores were like.
        habits: Cadence of the series, and how long their channels rest.
        history: What happened.
        onnx: The model as ONNX; held-out data was scored by it.
        golden: float32[n, window, channels]; inputs on which every runtime must agree with Keras.
        training_data: Which data it was; see `models.segments.fingerprint`.
        warm_up: Samples on which a series that training never saw is measured before it is judged; 0: it is scaled as
            all together are.
    """

    spec: ModelSpec
    model: Any
    renewal: Renewal | None
    scaler: Scaler
    rule: ScoreRule
    calibration: Calibration
    habits: Habits
    reference: Reference
    history: TrainingHistory
    onnx: bytes
    golden: Float32
    training_data: dict[str, object]
    warm_up: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """A model that training goes on from.

    Attributes:
        model: The Keras model of the same specification.
        scaler: What its inputs were scaled by; weights mean nothing in other units.
    """

    model: Any
    scaler: Scaler


def train(
    data: TrainingData,
    spec: ModelSpec,
    options: TrainOptions | None = None,
    *,
    score: ScoreOptions | None = None,
    calibration: CalibrationOptions | None = None,
    warm_up: int | None = None,
    start: Start | None = None,
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
        score: What the score is made of.
        calibration: How to set the threshold.
        warm_up: See `TrainedModel`; None: `DEFAULT_WARM_UP`, or 0 where there is but one series to learn from, whose
            scale says nothing about how others differ.
        start: Go on from a model rather than from initial weights.
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
    if start is None:
        scaler = Scaler.fit({name: windows.training_values() for name, windows in laid.items()}, options.clip)
    else:
        scaler = start.scaler
    bank = WindowBank(laid, scaler, spec.window)
    held_out = np.concatenate(list(bank.held_out.values()))
    load_tensorflow(options.threads)

    def minimise(objective: Objective, epochs: int | None = None) -> LoopResult:
        planned = epochs or options.epochs_for(bank.train.size)
        return TrainingLoop(objective, planned, options, spec.seed, clock, progress).run()

    architecture = find(spec.architecture)
    built = architecture.build(spec)
    if start is not None and architecture.resumable:
        built.set_weights(start.model.get_weights())
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
    score = score or ScoreOptions()
    companied = beside(runtime, score.wanted, len(spec.channels), spec.period_ns)
    left = run_held_out(companied, scaler, laid, spec.window, options)
    score = score.decided(lambda part: left_by(part, [found.stretch for found in left]), MOST_LEFT)
    rule = ScoreRule.fit([part.stretch for part in left], score)
    scores = score_held_out(rule, left)
    horizons = _horizons(model, laid, scaler, spec, options)
    return TrainedModel(
        spec=spec,
        model=model,
        renewal=renewal,
        scaler=scaler,
        rule=rule,
        calibration=calibrate(scores, calibration, count_incidents),
        habits=Habits.of(data),
        reference=Reference.of(
            [
                scaler.apply(segment.values[None], np.array([scaler.row(name)]))[0]
                for name, windows in laid.items()
                for segment in windows.segments
            ],
            np.concatenate([found.scores for found in scores]),
        ),
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
            findings=diagnose(
                result.epochs, horizons.get(RECONSTRUCTION), None if len(model.inputs) > 1 else spec.window
            ),
            misfits=find_misfits({part.series: found.scores for part, found in zip(left, scores, strict=True)}),
            horizons=horizons,
        ),
        onnx=onnx,
        golden=_golden(bank, held_out, spec, options.clip, carried=runtime.state_dtype is not None),
        training_data=fingerprint(data),
        warm_up=(DEFAULT_WARM_UP if len(laid) > 1 else 0) if warm_up is None else warm_up,
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
    """Half of them real, half noise up to the limits; but no further out than usual, where float32 has few decimals."""
    limit = min(clip, DEFAULT_CLIP)
    half = (CARRIED_GOLDEN_WINDOWS if carried else GOLDEN_WINDOWS) // 2
    real, _ = bank.draw(held_out[np.linspace(0, held_out.size - 1, half).astype(np.int64)])
    noise = np.random.default_rng(spec.seed).normal(scale=limit / 2, size=(half, spec.window, len(spec.channels)))
    golden: Float32 = np.clip(np.concatenate([real, noise.astype(np.float32)]), -limit, limit)
    return golden
