"""From arrays to a trained, weighed and calibrated model."""

from models.fitting.clipping import Clipping
from models.fitting.options import TrainOptions
from models.training.start import Start
from models.training.trained import TrainedModel
from models.training.training import train

__all__ = ["Clipping", "Start", "TrainOptions", "TrainedModel", "train"]
