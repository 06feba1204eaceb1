"""*Model*: which models score, and whether they still fit."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.marks import ALERTS, INCIDENTS, MODELS
from deploy.grafana.dashboards.model import overview, shadow, versions
from deploy.grafana.dashboards.page import page


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-model",
        "reconstream: Model",
        "Which models score, and whether they still fit: distribution of scores, drift, versions, and the challenger "
        "beside the champion.",
        (overview.overview(), versions.versions(), shadow.shadow()),
        annotations=(MODELS, INCIDENTS, ALERTS),
        since="now-24h",
        refresh="1m",
    )
