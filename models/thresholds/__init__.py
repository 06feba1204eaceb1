"""Thresholds that follow a series: scores are divided by them, so that one fixed threshold serves all that follows."""

from models.thresholds.spot import Spot

__all__ = ["Spot"]
