"""Fitting a model to series, and what it leaves of what was held out: their end, or each part of them in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from models.errors import SpecError, TrainingError
from models.fitting.options import TrainOptions
from models.fitting.record import Progress
from models.fitting.windows import SeriesWindows, lay_windows
from models.scaling import Scaler
from models.segments import TrainingData, cut
from models.spec import ModelSpec
from models.training.folds import lay_folds, lay_whole
from models.training.held_out import HeldOut
from models.training.once import FittedOnce, fit_once
from models.training.start import Start


def fit(
    data: TrainingData,
    spec: ModelSpec,
    options: TrainOptions,
    wanted: Collection[str],
    *,
    start: Start | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[FittedOnce, list[HeldOut]]:
    """Fit a model, and run it over what was held out, whatever it is to be judged by.

    Args:
        data: See `models.training.train`.
        spec: Likewise.
        options: Likewise.
        wanted: Estimates that a score is to look at.
        start: Likewise.
        progress: Likewise.
        clock: Likewise.

    Raises:
        TrainingError: see `models.training.train`.
        SpecError: there are folds and a model to go on from, or one that is of another shape.
    """
    if start is not None:
        start.check(spec)
    if options.folds:
        if start is not None:
            raise SpecError("folds are for a training from the beginning: a model to go on from has seen all parts")
        return _in_turns(data, spec, options, wanted, progress, clock)
    laid = _lay(data, spec, options)
    scaler = start.scaler if start is not None else _scaler(laid, options)
    weights = None if start is None else start.model.get_weights()
    fitted = fit_once(laid, scaler, spec, options, weights=weights, progress=progress, clock=clock)
    return fitted, fitted.left(wanted, options)


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


def _scaler(laid: Mapping[str, SeriesWindows], options: TrainOptions) -> Scaler:
    return Scaler.fit({name: windows.training_values() for name, windows in laid.items()}, options.clip)


def _in_turns(
    data: TrainingData,
    spec: ModelSpec,
    options: TrainOptions,
    wanted: Collection[str],
    progress: Progress | None,
    clock: Callable[[], float],
) -> tuple[FittedOnce, list[HeldOut]]:
    """Fit to all of the data; and what models that learned from all parts but one leave of that one."""
    whole = _lay(data, spec, options)
    parts = {
        name: lay_folds(windows.segments, spec.window, options.folds, options.min_coverage)
        for name, windows in whole.items()
    }
    left: list[HeldOut] = []
    epochs: list[int] = []
    for fold in range(options.folds):
        laid = {name: turns[fold] for name, turns in parts.items() if len(turns[fold].train)}
        if any(len(windows.held_out) for windows in laid.values()):
            fitted = fit_once(laid, _scaler(laid, options), spec, options, progress=progress, clock=clock)
            left += fitted.left(wanted, options)
            epochs.append(fitted.result.best_epoch)
    if not left:
        raise TrainingError(
            f"no series is long enough for {options.folds} folds of windows of {spec.window}; give more data, a"
            " shorter window or fewer folds"
        )
    whole = {
        name: lay_whole(windows.segments, spec.window, options.held_out_share, options.min_coverage)
        for name, windows in whole.items()
    }
    values = {name: np.concatenate([part.values for part in windows.segments]) for name, windows in whole.items()}
    # Nothing is kept from the last model that could tell it when to stop; the others tell it, on the whole.
    usual = int(np.median(epochs))
    final = replace(options, epochs=usual) if usual else options
    scaler = Scaler.fit(values, options.clip)
    return fit_once(whole, scaler, spec, final, progress=progress, clock=clock), left
