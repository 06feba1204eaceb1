"""Alarm thresholds from the scores of held-out data."""

from models.calibration.calibrating import calibrate
from models.calibration.held_out import CountIncidents, HeldOutScores
from models.calibration.options import CalibrationOptions
from models.calibration.result import Calibration

__all__ = ["Calibration", "CalibrationOptions", "CountIncidents", "HeldOutScores", "calibrate"]
