"""The parts of the way by themselves: decoding and windowing, and scoring against ``model.predict``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.throughput.telemetry import CHANNELS, Shape, records
from detector.cli.common.policies import window_spec
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.scoring.scorer import Scorer
from detector.series.store import SeriesStore
from detector.series.values import WindowBatch
from detector.settings import RecordSettings, WindowSettings
from models.bundle import Bundle, open_runtime
from models.imputation import impute
from models.memory import new_states

PREDICT_ONE, PREDICT_BATCH = "model.predict, 1", "model.predict, 1024"
SCORER_BATCHES = (1024, 256, 64)
STREAMING_SERIES = (1024, 64, 1)
_PREDICT_BATCH_WINDOWS = 1024
_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """A speed, measured in several rounds.

    Attributes:
        per_second: Median of the rounds.
        least: Slowest round.
        most: Fastest round.
    """

    per_second: float
    least: float
    most: float


def scorer_name(windows: int) -> str:
    """Name of the product's scorer at a batch size, in the results."""
    return f"scorer, ONNX Runtime, {windows}"


def streaming_name(series: int) -> str:
    """Name of the same scorer with a model that carries memory along so many series."""
    return f"streaming, {series} series" if series > 1 else "streaming, one series"


def measure_windowing(shape: Shape, bundle: Bundle) -> Rate:
    """Records per second from bytes to gathered windows: decoding, reading, placing, and nothing after it."""
    made = list(records(shape, "benchmark"))
    reader = RecordReader(RecordSettings(), CHANNELS, decoder("json"))
    store = SeriesStore(window_spec(bundle, WindowSettings()), _CAPACITY)
    windows = 0
    started = time.perf_counter()
    for record in made:
        sample = reader.read(record)
        assert sample is not None
        store.add(sample, record.offset)
        if store.pending == _CAPACITY:
            windows += len(store.take().series)
    if store.pending:
        windows += len(store.take().series)
    rate = shape.records / (time.perf_counter() - started)
    if windows != shape.windows(bundle.spec.window):
        raise RuntimeError(f"{windows} windows instead of {shape.windows}")
    return Rate(rate, rate, rate)


def measure_scoring(bundle: Bundle, model: Any, streaming: Bundle, rounds: int, turn_seconds: float) -> dict[str, Rate]:
    """Windows per second of scoring, everybody in turn, so that a busy moment of the machine hits all alike.

    The scorer is given raw windows and does all that the worker has it do: scaling, reconstruction, residual and
    contributions. ``model.predict`` gets windows that are scaled already, and its output is thrown away.

    Args:
        bundle: Of a window model, for the scorer.
        model: The Keras model of the same bundle.
        streaming: Of a model with memory. Its batches are of one size; how many series share them differs, since
            windows of one series depend on each other, and are worked off one after the other.
        rounds: Turns of each.
        turn_seconds: Least length of a turn.
    """
    window = bundle.spec.window
    batch = _batch(_PREDICT_BATCH_WINDOWS, window)
    scorer = Scorer(bundle, open_runtime(bundle, "onnx"))
    rows = np.zeros(_PREDICT_BATCH_WINDOWS, np.intp)
    scaled, _ = impute(bundle.scaler.apply(batch.values, rows))
    contenders: dict[str, tuple[int, Callable[[], object]]] = {
        scorer_name(size): (size, partial(scorer.score, _batch(size, window))) for size in SCORER_BATCHES
    }
    remembering = Scorer(streaming, open_runtime(streaming, "onnx"))
    for series in STREAMING_SERIES:
        going_on = _batch(_PREDICT_BATCH_WINDOWS, streaming.spec.window, series)
        assert remembering.state_dtype is not None
        states = new_states(remembering.state_dtype, series)
        contenders[streaming_name(series)] = (
            _PREDICT_BATCH_WINDOWS, partial(remembering.score, going_on, states),
        )  # fmt: skip
    contenders[PREDICT_BATCH] = (
        _PREDICT_BATCH_WINDOWS,
        lambda: model.predict(scaled, batch_size=_PREDICT_BATCH_WINDOWS, verbose=0),
    )
    contenders[PREDICT_ONE] = (1, lambda: model.predict(scaled[:1], verbose=0))
    return _in_turn(contenders, rounds, turn_seconds)


def _in_turn(
    contenders: Mapping[str, tuple[int, Callable[[], object]]], rounds: int, turn_seconds: float
) -> dict[str, Rate]:
    for _, call in contenders.values():
        call()  # the first call compiles or allocates
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (windows, call) in contenders.items():
            calls, started = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - started) < turn_seconds or not calls:
                call()
                calls += 1
            found[name].append(calls * windows / elapsed)
    return {name: Rate(float(np.median(rates)), min(rates), max(rates)) for name, rates in found.items()}


def _batch(windows: int, length: int, series: int | None = None) -> WindowBatch:
    """Windows of so many series in turn, each of its own without it."""
    random = np.random.default_rng(windows)
    positions = np.arange(windows, dtype=np.int64)
    slots = positions % (series or windows)
    return WindowBatch(
        slots=slots.astype(np.int32),
        series=[f"host-{number:04}" for number in slots],
        time_ns=positions,
        offsets=positions,
        start_offsets=positions,
        values=50 + 10 * random.normal(size=(windows, length, len(CHANNELS))),
        coverage_ok=np.ones(windows, np.bool_),
        steps=np.zeros(windows, np.int64) if series is None else np.ones(windows, np.int64),
    )
