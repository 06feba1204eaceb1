"""From a window and what a model makes of it to one score, with the share of each channel in it."""

from models.scores.channels import KINDS, PartErrors
from models.scores.options import LINKS, ScoreOptions
from models.scores.rule import ScoreRule
from models.scores.stretch import Stretch

__all__ = ["KINDS", "LINKS", "PartErrors", "ScoreOptions", "ScoreRule", "Stretch"]
