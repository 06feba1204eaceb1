"""The metrics of a replay: what ``detector run`` exports, under a prefix of their own, so that the two never mix.

Where a live metric tells the same, the name behind the prefix and the labels are the live one's. With the live prefix,
in a Prometheus of its own, a replay is shown by what was made for workers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Literal

from detector.alerting.events import EVENT_NAMES, KINDS
from detector.alerting.policy import SEVERITIES
from detector.observability.factory import PREFIX

REPLAY_PREFIX: Final = f"{PREFIX}replay_"

# On all samples, as if Prometheus had scraped a job of that name.
JOB: Final = "reconstream-replay"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    Attributes:
        stem: Name without prefix, and without the ``_total`` of a counter.
        kind: Its OpenMetrics type.
        labels: Names, in order.
        unit: The last part of the name, or nothing.
        documentation: For ``# HELP`` and the documentation.
        born: Label values behind ``stream`` that are there from the beginning, at zero.
    """

    stem: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    documentation: str
    unit: str = ""
    born: tuple[tuple[str, ...], ...] = ()

    def sample(self, prefix: str) -> str:
        """What a user asks Prometheus for."""
        return f"{prefix}{self.stem}_total" if self.kind == "counter" else f"{prefix}{self.stem}"


SERIES_RATIO: Final = Family(
    "series_score_threshold_ratio", "gauge", ("stream", "series"),
    "Greatest score over threshold of the series within the step that ends here; above 1 is anomalous.", "ratio",
)  # fmt: skip
SERIES_OPEN: Final = Family(
    "series_incidents_open", "gauge", ("stream", "series", "kind", "severity"),
    "Incidents of the series that were open within the step that ends here; 0 once behind each, absent otherwise.",
)  # fmt: skip
OPEN: Final = Family(
    "incidents_open", "gauge", ("stream", "kind", "severity"),
    "Incidents of the stream that were open within the step that ends here.",
    born=tuple(itertools.product(KINDS, SEVERITIES)),
)  # fmt: skip
ANOMALIES: Final = Family(
    "anomalies", "counter", ("stream", "kind", "severity"),
    "Incidents opened, by kind and their severity at that moment.",
    born=tuple(itertools.product(KINDS, SEVERITIES)),
)  # fmt: skip
EVENTS: Final = Family(
    "events", "counter", ("stream", "event", "severity"),
    "Events, by event (opened, updated, closed) and severity.",
    born=tuple(itertools.product(EVENT_NAMES, SEVERITIES)),
)  # fmt: skip
SCORED: Final = Family("windows_scored", "counter", ("stream",), "Windows that got a score.", born=((),))
UNSCORED: Final = Family(
    "windows_unscored", "counter", ("stream", "reason"),
    "Windows without a score, since too little of them was observed or the score is unknown.",
    born=(("coverage",),),
)  # fmt: skip
RATIO: Final = Family(
    "score_threshold_ratio", "histogram", ("stream",),
    "Score over threshold of every scored window, with the buckets of the live metric.", "ratio",
)  # fmt: skip

FAMILIES: Final = (SERIES_RATIO, SERIES_OPEN, OPEN, ANOMALIES, EVENTS, SCORED, UNSCORED, RATIO)
