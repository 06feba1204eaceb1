"""From arrays to a trained, weighed and calibrated model."""

from models.training.clipping import Clipping
from models.training.fit import TrainedModel, train
from models.training.options import TrainOptions
from models.training.start import Start

__all__ = ["Clipping", "Start", "TrainOptions", "TrainedModel", "train"]
