"""From arrays to a trained, weighed and calibrated model."""

from models.training.clipping import Clipping
from models.training.fit import Start, TrainedModel, train
from models.training.options import TrainOptions

__all__ = ["Clipping", "Start", "TrainOptions", "TrainedModel", "train"]
