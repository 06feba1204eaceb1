"""Pictures of what was found, as figures of Bokeh; nothing here reads or writes anything."""

from __future__ import annotations

from detector.pictures.excerpt import excerpt_picture
from detector.pictures.incident import incident_item, incident_picture
from detector.pictures.item import as_item
from detector.pictures.thresholds import score_histogram, what_if_curve
from detector.pictures.timeline import alerts_per_day, compared, timeline
from detector.pictures.training import gradient_norms, layer_norms, losses

__all__ = [
    "alerts_per_day",
    "as_item",
    "compared",
    "excerpt_picture",
    "gradient_norms",
    "incident_item",
    "incident_picture",
    "layer_norms",
    "losses",
    "score_histogram",
    "timeline",
    "what_if_curve",
]
