"""Changes that ordinary operation brings, and that no detector should take for faults.

Between the time a model learns from and the time it serves, levels wander, sensors age and cycles come earlier or
later. A score that is lifted by these ranks well on injected faults, and alarms without end in operation: the
Mahalanobis distance is such a one, where some combination of channels hardly varies in training.
"""

from __future__ import annotations

import numpy as np

from models.injection.place import Float64, Place


def wander(place: Place) -> Float64:
    """The level moves a little, slowly, and comes back."""
    course = np.sin(np.linspace(0, np.pi, place.rows))[:, None]
    return place.now + course * place.signs() * place.sizes(0.2, 0.5)


def unrest(place: Place) -> Float64:
    """A little more jitter than usual."""
    scatter = place.draw.normal(size=(place.rows, place.channels.size))
    return place.now + scatter * place.jitter() * place.draw.uniform(0.2, 0.5)


def timing(place: Place) -> Float64:
    """What happens, happens a little earlier or later, in all channels together."""
    most = max(2, place.rows // 8)
    offset = int(place.draw.integers(1, most + 1)) * int(place.draw.choice([-1, 1]))
    return place.moved(offset)
