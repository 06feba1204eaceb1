"""*Anomalies*: what is wrong with what is watched; a module for each section."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.addresses import incidents
from deploy.grafana.dashboards.anomalies.overview import overview_section
from deploy.grafana.dashboards.anomalies.series import series_section
from deploy.grafana.dashboards.anomalies.streams import streams_section
from deploy.grafana.dashboards.page import ALERTS, INCIDENTS, MODELS, incident_page, page, variables


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-anomalies",
        "reconstream: Anomalies",
        "What is wrong with what is watched: incidents that are open, how many there were, and how close scores are "
        "to the threshold.",
        (overview_section(), streams_section(), series_section()),
        annotations=(INCIDENTS, MODELS, ALERTS),
        chosen=[*variables(), incident_page()],
        links=[
            builders.DashboardLink("Incidents, one by one")
            .type(dashboard.DashboardLinkType.LINK)
            .icon("external link")
            .tooltip("The page of detector dashboard: which series, and what happened, in pictures")
            .url(incidents())
            .target_blank(True)
        ],
        since="now-24h",
    )
