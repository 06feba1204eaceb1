"""From arrays to a trained, weighed and calibrated model."""

from models.fitting.clipping import Clipping
from models.fitting.options import TrainOptions
from models.training.fit import train
from models.training.start import Start
from models.training.trained import TrainedModel

__all__ = ["Clipping", "Start", "TrainOptions", "TrainedModel", "train"]
