"""Stream by stream, and the alerts that fire."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.addresses import incidents, runbook
from deploy.grafana.dashboards.anomalies.common import NO_WORKER, OPEN, OPENED, RATIO
from deploy.grafana.dashboards.colours import KINDS, SEVERITIES
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, lines
from deploy.grafana.dashboards.queries import RANGE, Query, counted, quantile, share_above_threshold, streams, total
from deploy.grafana.dashboards.shared import events_by_step, open_incidents
from deploy.grafana.dashboards.tables import Column, rows

# An alert's state is the time at which it became active, and does not say whether it fires.
_FIRING_FOR: Final = (
    'time() - (max by (alertname, severity, stream, instance) (ALERTS_FOR_STATE{alertname=~"Reconstream.+"} '
    'and ignoring (alertstate) ALERTS{alertname=~"Reconstream.+", alertstate="firing"}))'
)


def streams_section() -> Section:
    """What each stream has, and the alerts."""
    return section(
        "Streams and alerts",
        line(
            8,
            rows(
                "Streams",
                "One row for each stream: what is open, what the time range brought, and how far its scores are from "
                "the threshold. The latest incident is that at the event time of the stream.",
                [
                    Column(
                        "Stream",
                        label="stream",
                        link=(incidents(stream="${__value.raw:percentencode}"), "Incidents, one by one"),
                    ),
                    Column("Open", total(streams(OPEN), "stream"), levels=Levels(warn=1, bad=10)),
                    Column("Opened", counted(streams(OPENED), "stream")),
                    Column(
                        "Latest incident",
                        f"1000 * max by (stream) ({streams('last_incident_timestamp_seconds')})",
                        unit="dateTimeAsIso",
                    ),
                    Column(
                        "Windows above the threshold",
                        share_above_threshold(RATIO, "stream", over=RANGE),
                        unit="percentunit",
                        decimals=2,
                        levels=Levels(warn=0.05, bad=0.2),
                    ),
                    Column(
                        "99% of scores / threshold",
                        quantile(0.99, RATIO, "stream", over=RANGE),
                        decimals=2,
                        levels=Levels(bad=1),
                    ),
                    Column("Series", total(streams("series"), "stream")),
                ],
                sort="Open",
                unknown=NO_WORKER,
            ),
            rows(
                "Alerts that fire",
                "Alerts that fire now, of all jobs, with how long they have been there. A click on the name opens the "
                "runbook. There can only be some where Prometheus evaluates the rules in deploy/prometheus.",
                [
                    Column("Alert", label="alertname", link=(runbook("${__value.raw}"), "Runbook")),
                    Column("Severity", label="severity", colours=SEVERITIES),
                    Column("Stream", label="stream"),
                    Column("Instance", label="instance"),
                    Column(
                        "For",
                        _FIRING_FOR,
                        unit="s",
                        decimals=0,
                    ),
                ],
                sort="For",
                unknown="none fires",
            ),
        ),
        line(
            8,
            lines(
                "Windows above the threshold, by stream",
                "Share of the scored windows that were above the threshold.",
                [Query(share_above_threshold(RATIO, "stream"), "{{stream}}")],
                "percentunit",
                most=0.01,
                unknown="nothing scored",
            ),
            open_incidents(
                "kind",
                "Incidents that are open, by what was found. reconstruction: the model cannot reproduce or predict "
                "the data. silence: the series stopped. frozen: a channel keeps one value. The last two, all at once, "
                "are a collector that stopped or hangs.",
                streams(OPEN),
                KINDS,
                unknown=NO_WORKER,
            ),
            events_by_step(
                "Events on the events topic: incidents that opened, were updated, as they last or get worse, and "
                "closed. More opened than closed over a long time are incidents that pile up.",
                streams("events_total"),
                unknown=NO_WORKER,
            ),
        ),
    )
