"""What is known of an incident before a model is asked: what was seen, and of the scores what the event tells."""

from __future__ import annotations

import numpy as np

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.stretches.samples import Samples, as_stretch
from detector.stretches.stretch import Stretch


def glimpse(event: Event, samples: Samples, channels: tuple[str, ...], model: str) -> Stretch:
    """The samples as a stretch, where only the one at the peak has a score.

    Args:
        event: Of the incident.
        samples: At least one, without scores.
        channels: In the model's order.
        model: Short version of the bundle.
    """
    samples = samples.copy()
    samples["threshold"] = event.threshold if event.kind == "reconstruction" else np.nan
    at_peak = np.flatnonzero(samples["time_ns"] == parse_time(event.peak_at))
    if event.kind == "reconstruction" and len(at_peak):
        samples["score"][at_peak[0]] = event.peak_score
        for detail in event.channels:
            if detail.channel in channels:
                index = channels.index(detail.channel)
                samples["contributions"][at_peak[0], index] = detail.contribution
                samples["expected"][at_peak[0], index] = np.nan if detail.expected is None else detail.expected
    return as_stretch(
        samples,
        stream=event.stream,
        series=event.series,
        channels=channels,
        model=model,
        begun="from what was seen alone",
    )
