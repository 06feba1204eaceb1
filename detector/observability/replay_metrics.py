"""The metrics of a replay: what ``detector run`` exports, under a prefix of their own, so that the two never mix.

Where a live metric tells the same, the name behind the prefix and the labels are the live one's; a dashboard that lets
its reader choose the prefix shows both.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Literal

from detector.observability.factory import PREFIX
from detector.observability.metrics import EVENT_KINDS, INCIDENT_KINDS, SEVERITIES

REPLAY_PREFIX: Final = f"{PREFIX}replay_"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    Attributes:
        name: Without the ``_total`` of a counter.
        kind: Its OpenMetrics type.
        labels: Names, in order.
        unit: The last part of the name, or nothing.
        documentation: For ``# HELP`` and the documentation.
        born: Label values behind ``stream`` that are there from the beginning, at zero.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    documentation: str
    unit: str = ""
    born: tuple[tuple[str, ...], ...] = ()

    @property
    def sample(self) -> str:
        """What a user asks Prometheus for."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


SERIES_RATIO: Final = Family(
    f"{REPLAY_PREFIX}series_score_threshold_ratio", "gauge", ("stream", "series"),
    "Greatest score over threshold of the series within the step that ends here; above 1 is anomalous.", "ratio",
)  # fmt: skip
SERIES_OPEN: Final = Family(
    f"{REPLAY_PREFIX}series_incidents_open", "gauge", ("stream", "series", "kind", "severity"),
    "Incidents of the series that were open within the step that ends here; 0 once behind each, absent otherwise.",
)  # fmt: skip
OPEN: Final = Family(
    f"{REPLAY_PREFIX}incidents_open", "gauge", ("stream", "kind", "severity"),
    "Incidents of the stream that were open within the step that ends here.",
    born=tuple(itertools.product(INCIDENT_KINDS, SEVERITIES)),
)  # fmt: skip
ANOMALIES: Final = Family(
    f"{REPLAY_PREFIX}anomalies", "counter", ("stream", "kind", "severity"),
    "Incidents opened, by kind and their severity at that moment.",
    born=tuple(itertools.product(INCIDENT_KINDS, SEVERITIES)),
)  # fmt: skip
EVENTS: Final = Family(
    f"{REPLAY_PREFIX}events", "counter", ("stream", "event", "severity"),
    "Events, by event (opened, updated, closed) and severity.",
    born=tuple(itertools.product(EVENT_KINDS, SEVERITIES)),
)  # fmt: skip
SCORED: Final = Family(
    f"{REPLAY_PREFIX}windows_scored", "counter", ("stream",), "Windows that got a score.", born=((),)
)
UNSCORED: Final = Family(
    f"{REPLAY_PREFIX}windows_unscored", "counter", ("stream",), "Windows without a score.", born=((),)
)
RATIO: Final = Family(
    f"{REPLAY_PREFIX}score_threshold_ratio", "histogram", ("stream",),
    "Score over threshold of every scored window, with the buckets of the live metric.", "ratio",
)  # fmt: skip

FAMILIES: Final = (SERIES_RATIO, SERIES_OPEN, OPEN, ANOMALIES, EVENTS, SCORED, UNSCORED, RATIO)
