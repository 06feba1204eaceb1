"""Memory horizons of bundles: as training measured them, or measured anew on given data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.cli.common.series_data import from_files
from detector.errors import BundleError, ConfigError
from models.bundle import Bundle, load_keras_model
from models.errors import BundleError as DamagedBundleError
from models.errors import ModelsError
from models.horizon import Horizon, measure_model, sequence_length, spread_sequences
from models.imputation import impute
from models.segments import cut


def stored_horizons(bundle: Bundle) -> dict[str, Horizon]:
    """By part of the output, what training measured.

    Raises:
        BundleError: the history is damaged.
        ConfigError: training did not measure it.
    """
    try:
        found = bundle.history().get("horizons")
        horizons = {part: Horizon.from_dict(each) for part, each in found.items()} if isinstance(found, dict) else {}
    except ModelsError as error:
        raise BundleError(str(error)) from error
    if not horizons:
        raise ConfigError(f"the training of {bundle.path} did not measure its memory; give a file to do so, --data")
    return horizons


def measured_horizons(
    bundle: Bundle,
    files: Sequence[Path],
    time_column: str | None,
    series_column: str | None,
    series: str | None,
    sequences: int,
) -> dict[str, Horizon]:
    """By part of the output, measured on files.

    Raises:
        BundleError: the model does not open.
        ConfigError: Keras is not installed, or a file does not fit.
    """
    data, _ = from_files(list(files), time_column, series_column, series, bundle.spec.channels)
    spec = bundle.spec
    stretches = [
        impute(bundle.scaler.apply(segment.values[None], np.array([bundle.scaler.row(name)])))[0][0]
        for name, (times_ns, values) in data.items()
        for segment in cut(times_ns, values, spec.period_ns, max_gap_steps=5)
    ]
    longest = max((len(stretch) for stretch in stretches), default=0)
    if longest < spec.window:
        raise ConfigError(
            f"the longest unbroken stretch of the data has {longest} rows, and a window of {bundle.path} {spec.window};"
            " give more data"
        )
    try:
        model = load_keras_model(bundle)
    except DamagedBundleError as error:
        raise BundleError(str(error)) from error
    except ModelsError as error:
        raise ConfigError(str(error)) from error
    length = sequence_length(spec.window, carried=len(model.inputs) > 1)
    return measure_model(model, spread_sequences(stretches, length, sequences))
