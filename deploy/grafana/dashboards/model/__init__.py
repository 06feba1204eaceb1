"""*Model*: which models score, and whether they still fit; a module for each section."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.model.overview import overview_section
from deploy.grafana.dashboards.model.shadow import shadow_section
from deploy.grafana.dashboards.model.versions import versions_section
from deploy.grafana.dashboards.page import ALERTS, INCIDENTS, MODELS, page


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-model",
        "reconstream: Model",
        "Which models score, and whether they still fit: distribution of scores, drift, versions, and the challenger "
        "beside the champion.",
        (overview_section(), versions_section(), shadow_section()),
        annotations=(MODELS, INCIDENTS, ALERTS),
        since="now-24h",
        refresh="1m",
    )
