"""Whether what was recomputed is what the event says, for people."""

from __future__ import annotations

import numpy as np

from detector.alerting.events import Event
from detector.alerting.evidence import bounded
from detector.alerting.timestamps import parse_time
from detector.stretches.samples import Samples

LIKENESS = 1e-4
"""Relative difference of two scores that other arithmetic explains: another runtime, processor or library."""


def agreement(event: Event, samples: Samples, same_model: bool, *, from_look_back: bool) -> str:
    """Compare the score at the event's peak with the one that the event tells.

    Args:
        event: Of any kind; only scores of a model can be compared.
        samples: That were recomputed.
        same_model: Whether by the event's model.
        from_look_back: Whether something before the first record was not known.
    """
    if event.kind != "reconstruction":
        return ""
    at_peak = samples["score"][samples["time_ns"] == parse_time(event.peak_at)]
    if not len(at_peak):
        return f"the sample of the event's peak, at {event.peak_at}, is not among what could be read"
    found, said = bounded(float(at_peak[0])), event.peak_score
    if found == said:
        return "the score at the peak is that of the event, to the last bit"
    if np.isclose(found, said, rtol=LIKENESS, atol=0.0):
        return f"the score at the peak, {found:.6g}, is that of the event up to rounding"
    if not same_model:
        why = "another model made the event"
    elif from_look_back:
        why = "what was before the first record that was read is not known"
    else:
        why = "run detector audit: nothing that is known explains it"
    said_of = "unknown" if np.isnan(found) else f"{found:.6g}"
    return f"the score at the peak is {said_of}, and {said:.6g} in the event: {why}"
