"""Training from arrays to a model that is ready to be bundled: scaled, fitted, weighed and calibrated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.architectures import find
from models.backend import load_tensorflow
from models.calibration import CalibrationOptions, CountIncidents, HeldOutScores, calibrate
from models.chain import Chain
from models.companions import beside
from models.companions.rhythm import MOST_LEFT, left_by
from models.fitting.options import TrainOptions
from models.fitting.record import Progress
from models.fitting.windows import SeriesWindows
from models.golden import CARRIED_GOLDEN_WINDOWS, GOLDEN_WINDOWS
from models.habits import Habits
from models.horizon import Horizon, measure_model, sequence_length, spread_sequences
from models.imputation import impute
from models.outputs import RECONSTRUCTION
from models.reference import Reference
from models.scaling import DEFAULT_CLIP, Scaler
from models.scores import ScoreOptions, ScoreRule
from models.segments import TrainingData, check, fingerprint
from models.spec import ModelSpec
from models.training.fit import fit
from models.training.health import diagnose
from models.training.held_out import HeldOut, score_held_out
from models.training.held_out_view import view_held_out
from models.training.history import TrainingHistory
from models.training.misfits import find_misfits
from models.training.once import FittedOnce
from models.training.start import Start
from models.training.trained import TrainedModel
from models.training.unexplained import unexplained
from models.variation import Track

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DEFAULT_WARM_UP = 256


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
    """Train on the beginning of every series, and weigh and calibrate on its end; or, with folds, all on all of it.

    On one kind of machine, with the same libraries and number of threads, the same data and seed give the same weights.

    Args:
        data: By series: int64[rows] times in nanoseconds and float64[rows, channels] values, NaN where missing.
        spec: What to build.
        options: How to train.
        score: What the score is made of; the architecture's own parts where it names none.
        calibration: How to set the threshold.
        warm_up: See `TrainedModel`; None: `DEFAULT_WARM_UP`, or 0 where there is but one series to learn from, whose
            scale says nothing about how others differ.
        start: Go on from a model of the same shape, in its scale, rather than from initial weights.
        count_incidents: Counts incidents as the worker would, for the expected alerts.
        progress: Is told after every step.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: the data does not fit the specification, is too short, or training diverged at once.
        ModelsError: Keras is not installed.
    """
    options, began = options or TrainOptions(), clock()
    check(data, spec.channels)
    load_tensorflow(options.threads)
    score = score or ScoreOptions()
    score = replace(score, parts=score.parts or find(spec.architecture).default_parts)
    fitted, left = fit(data, spec, options, score.wanted, start=start, progress=progress, clock=clock)
    scaler, model, result = fitted.scaler, fitted.model, fitted.result
    score = score.decided(lambda part: left_by(part, [found.stretch for found in left]), MOST_LEFT)
    rule = ScoreRule.fit([part.stretch for part in left], spec.window, score)
    scores = score_held_out(rule, left)
    horizons = _horizons(model, fitted.laid, scaler, spec, options)
    calibrated = calibrate(scores, calibration, count_incidents)
    if warm_up is None:
        warm_up = DEFAULT_WARM_UP if len(fitted.laid) > 1 else 0
    runtime = beside(fitted.runtime, rule.options.parts, len(spec.channels), spec.period_ns)
    carried = Chain(scaler, runtime, rule, calibrated.spot, warm_up).state_dtype
    return TrainedModel(
        spec=spec,
        model=model,
        renewal=fitted.renewal,
        scaler=scaler,
        rule=rule,
        calibration=calibrated,
        habits=Habits.of(data),
        reference=Reference.of(
            [
                Track(name, segment.times_ns, scaler.apply(segment.values[None], np.array([scaler.row(name)]))[0])
                for name, windows in fitted.laid.items()
                for segment in windows.segments
            ],
            [
                Track(part.series, found.times_ns, found.scores[:, None])
                for part, found in zip(left, scores, strict=True)
            ],
        ),
        history=TrainingHistory(
            epochs=result.epochs,
            best_epoch=result.best_epoch,
            stopped=result.stopped,
            message=result.message,
            loss=result.loss,
            val_loss=result.val_loss,
            parameters=int(model.count_params()),
            training_windows=int(fitted.bank.train.size),
            held_out_windows=sum(found.times_ns.size for found in left) if options.folds else int(fitted.held_out.size),
            seconds=clock() - began,
            clipping=str(options.clipping),
            findings=diagnose(
                result.epochs, horizons.get(RECONSTRUCTION), None if len(model.inputs) > 1 else spec.window
            ),
            misfits=find_misfits(_by_series(left, scores)),
            horizons=horizons,
            carried_bytes=0 if carried is None else carried.itemsize,
            unexplained=unexplained([found.stretch for found in left]),
        ),
        onnx=fitted.onnx,
        golden=_golden(fitted, options.clip),
        training_data=fingerprint(data),
        held_out=view_held_out(rule, left, scores),
        warm_up=warm_up,
    )


def _by_series(left: Sequence[HeldOut], scores: Sequence[HeldOutScores]) -> dict[str, Float64]:
    found: dict[str, list[Float64]] = {}
    for part, of_part in zip(left, scores, strict=True):
        found.setdefault(part.series, []).append(of_part.scores)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _horizons(
    model: Any, laid: Mapping[str, SeriesWindows], scaler: Scaler, spec: ModelSpec, options: TrainOptions
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


def _golden(fitted: FittedOnce, clip: float) -> Float32:
    """Half of them real, half noise up to the limits; but no further out than usual, where float32 has few decimals."""
    spec, held_out, limit = fitted.spec, fitted.held_out, min(clip, DEFAULT_CLIP)
    half = (GOLDEN_WINDOWS if fitted.runtime.state_dtype is None else CARRIED_GOLDEN_WINDOWS) // 2
    real, _ = fitted.bank.draw(held_out[np.linspace(0, held_out.size - 1, half).astype(np.int64)])
    noise = np.random.default_rng(spec.seed).normal(scale=limit / 2, size=(half, spec.window, len(spec.channels)))
    golden: Float32 = np.clip(np.concatenate([real, noise.astype(np.float32)]), -limit, limit)
    return golden
