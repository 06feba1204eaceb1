"""Bundles: everything that a model needs to score, in one directory, checked before any of it is parsed."""

from models.bundle.copying import copy_bundle
from models.bundle.opening import RUNTIMES, golden_difference, load_keras_model, open_runtime
from models.bundle.reading import Bundle, load_bundle, short_version
from models.bundle.recalibrated import write_recalibrated
from models.bundle.writing import check_target, write_bundle

__all__ = [
    "RUNTIMES",
    "Bundle",
    "check_target",
    "copy_bundle",
    "golden_difference",
    "load_bundle",
    "load_keras_model",
    "open_runtime",
    "short_version",
    "write_bundle",
    "write_recalibrated",
]
