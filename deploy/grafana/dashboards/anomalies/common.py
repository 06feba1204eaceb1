"""What sections of *Anomalies* share."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.queries import streams

OPEN: Final = "incidents_open"
OPENED: Final = "anomalies_total"
RATIO: Final = streams("score_threshold_ratio_bucket")
NO_WORKER: Final = "no worker"
