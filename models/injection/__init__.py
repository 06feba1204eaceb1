"""Realistic faults and benign changes, injected into ordinary data: what models are compared by without labels."""

from models.injection.injecting import Change, Injected, inject
from models.injection.kinds import BENIGN, FAULTS, KINDS
from models.injection.precision import Precision, average_precision, precision
from models.injection.trial import Trial, injected_precision

__all__ = [
    "BENIGN",
    "FAULTS",
    "KINDS",
    "Change",
    "Injected",
    "Precision",
    "Trial",
    "average_precision",
    "inject",
    "injected_precision",
    "precision",
]
