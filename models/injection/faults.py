"""Faults as they occur in machines and sensors, each a small change to ordinary rows.

After Goswami, Challu, Callot, Minorics and Kan, "Unsupervised Model Selection for Time-series Anomaly Detection" (ICLR
2023), who choose detectors by synthetic anomalies. Each takes a `Place` and returns float64[rows, k]: what those rows
and channels are instead. Sizes are drawn relative to the channel's own spread.
"""

from __future__ import annotations

import numpy as np

from models.injection.place import Bool, Float64, Place

RESTLESS = 0.7
"""Where the jitter is more than this share of the deviation, a channel is mere noise and has no course to change."""


def spike(place: Place) -> Float64:
    """A few rows far off, all to one side."""
    return place.now + place.signs() * place.sizes(3, 8)


def shift(place: Place) -> Float64:
    """The level is another for a while."""
    return place.now + place.signs() * place.sizes(1, 4)


def drift(place: Place) -> Float64:
    """The level moves away steadily."""
    return place.now + np.linspace(0, 1, place.rows)[:, None] * place.signs() * place.sizes(1.5, 5)


def freeze(place: Place) -> Float64:
    """The last reading is repeated."""
    return np.repeat(place.values[None, place.start - 1, place.channels], place.rows, axis=0)


def noise(place: Place) -> Float64:
    """Readings scatter."""
    return place.now + place.draw.normal(size=(place.rows, place.channels.size)) * place.sizes(0.7, 2)


def correlation(place: Place) -> Float64:
    """Some channels do what they do at other times, and no longer fit the rest."""
    # Wholly before these rows, or wholly after them.
    choices = [*range(-place.start, 1 - place.rows), *range(place.rows, len(place.values) - place.stop + 1)]
    if not choices:
        return place.now
    return place.moved(int(place.draw.choice(choices)))


def flatten(place: Place) -> Float64:
    """The rhythm is lost; level and jitter stay."""
    scatter = place.draw.normal(size=(place.rows, place.channels.size)) * place.jitter()
    return np.where(_has_course(place), place.level() + scatter, place.now)


def slower(place: Place) -> Float64:
    """The same course, but slower."""
    return _at_pace(place, place.draw.uniform(0.3, 0.7))


def faster(place: Place) -> Float64:
    """The same course, but faster."""
    return _at_pace(place, place.draw.uniform(1.6, 3))


def dropout(place: Place) -> Float64:
    """Readings fall to nothing now and then: to 0, or to the lowest value where that is below 0."""
    lost = np.zeros(place.rows, np.bool_)
    for begin in place.draw.integers(place.rows, size=max(1, place.rows // 12)).tolist():
        lost[begin : begin + int(place.draw.integers(1, 5))] = True
    known = np.where(np.isnan(place.values[:, place.channels]), np.inf, place.values[:, place.channels])
    lowest: Float64 = np.minimum(known.min(axis=0), 0.0)
    return np.where(lost[:, None], lowest, place.now)


def saturation(place: Place) -> Float64:
    """Readings end at a limit that they usually pass."""
    share = place.draw.uniform(0.15, 0.4)
    known = place.values[:, place.channels]
    low, high = np.nanquantile(known, [share, 1 - share], axis=0)
    found: Float64 = np.where(place.signs() > 0, np.minimum(place.now, high), np.maximum(place.now, low))
    return found


def _has_course(place: Place) -> Bool:
    found: Bool = place.jitter() < RESTLESS * place.deviation()
    return found


def _at_pace(place: Place, pace: float) -> Float64:
    """Read at another pace, from the first row on; turning back at the end of the series."""
    at = place.start + np.arange(place.rows) * pace
    last = len(place.values) - 1
    at = np.clip(np.where(at > last, 2 * last - at, at), 0, last)
    below = np.floor(at).astype(np.int64)
    part = (at - below)[:, None]
    found = place.values[below[:, None], place.channels] * (1 - part)
    found = found + place.values[np.minimum(below + 1, last)[:, None], place.channels] * part
    return np.where(_has_course(place), place.softly(found), place.now)
