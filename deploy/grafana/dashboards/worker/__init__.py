"""*Worker*: whether the workers keep up, and what with."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.marks import ALERTS, MODELS, REBALANCES, RESTARTS
from deploy.grafana.dashboards.page import page
from deploy.grafana.dashboards.worker import arrivals, group, overview, replays, resources, scoring


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-worker",
        "reconstream: Worker",
        "Whether the workers keep up with their topics, and what with: throughput, lag, latencies, commits, recovery, "
        "memory.",
        (
            overview.overview(),
            arrivals.input(),
            scoring.scoring(),
            group.group(),
            resources.resources(),
            replays.replays(),
        ),
        annotations=(REBALANCES, RESTARTS, MODELS, ALERTS),
        since="now-6h",
    )
