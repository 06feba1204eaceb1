"""*Worker*: whether the workers keep up, and what with; a module for each section."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.page import ALERTS, MODELS, REBALANCES, RESTARTS, page
from deploy.grafana.dashboards.worker.group import group_section
from deploy.grafana.dashboards.worker.input import input_section
from deploy.grafana.dashboards.worker.overview import overview_section
from deploy.grafana.dashboards.worker.replays import replays_section
from deploy.grafana.dashboards.worker.resources import resources_section
from deploy.grafana.dashboards.worker.scoring import scoring_section


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-worker",
        "reconstream: Worker",
        "Whether the workers keep up with their topics, and what with: throughput, lag, latencies, commits, recovery, "
        "memory.",
        (
            overview_section(),
            input_section(),
            scoring_section(),
            group_section(),
            resources_section(),
            replays_section(),
        ),
        annotations=(REBALANCES, RESTARTS, MODELS, ALERTS),
        since="now-6h",
    )
