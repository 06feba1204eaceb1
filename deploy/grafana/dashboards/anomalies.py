"""*Anomalies*: what is wrong with what is watched."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.addresses import incidents, runbook
from deploy.grafana.dashboards.colours import BAD, BLUE, FAINT, KINDS, ORANGE, SEVERITIES, SKY
from deploy.grafana.dashboards.page import (
    ALERTS,
    INCIDENTS,
    MODELS,
    Section,
    incident_page,
    line,
    page,
    section,
    variables,
)
from deploy.grafana.dashboards.panels import Levels, bars, density, lines, number, states
from deploy.grafana.dashboards.queries import (
    RANGE,
    RATE,
    Query,
    counted,
    most,
    quantile,
    rate,
    share_above_threshold,
    streams,
    total,
)
from deploy.grafana.dashboards.tables import Column, rows

_OPEN: Final = "incidents_open"
_OPENED: Final = "anomalies_total"
_RATIO: Final = streams("score_threshold_ratio_bucket")
# An alert's state is the time at which it became active, and does not say whether it fires.
_FIRING_FOR: Final = (
    'time() - (max by (alertname, severity, stream, instance) (ALERTS_FOR_STATE{alertname=~"Reconstream.+"} '
    'and ignoring (alertstate) ALERTS{alertname=~"Reconstream.+", alertstate="firing"}))'
)
_NO_WORKER: Final = "no worker"
_NONE_LISTED: Final = "no series is listed in streams[].metrics.series"


def _overview() -> Section:
    return section(
        None,
        line(
            4,
            number(
                "Open incidents",
                "Incidents that are open now, of all kinds. Each is one fault of one series, however many of its "
                "samples are anomalous. `detector dashboard` and the events topic say which series they are.",
                Query(total(streams(_OPEN)), "open"),
                "short",
                levels=Levels(warn=1, bad=10),
                unknown=_NO_WORKER,
                alerts=("ReconstreamAnomalyOpen",),
                leads=incidents(status="open"),
            ),
            number(
                "Open and critical",
                "Incidents that are open and have become critical: their score was many times the threshold, or they "
                "have lasted for many times what is allowed.",
                Query(total(streams(_OPEN, 'severity="critical"')), "critical"),
                "short",
                levels=Levels(bad=1),
                unknown=_NO_WORKER,
                alerts=("ReconstreamAnomalyOpen", "ReconstreamIncidentStorm"),
                leads=incidents(status="open", severity="critical"),
            ),
            number(
                "Silent series",
                "Series that have stopped while others of their partition go on.",
                Query(total(streams(_OPEN, 'kind="silence"')), "silent"),
                "short",
                levels=Levels(warn=1),
                unknown=_NO_WORKER,
                alerts=("ReconstreamSeriesSilent",),
                leads=incidents(status="open", kind="silence"),
            ),
            number(
                "Frozen series",
                "Series with a channel that has kept one value for longer than it ever did in training.",
                Query(total(streams(_OPEN, 'kind="frozen"')), "frozen"),
                "short",
                levels=Levels(warn=1),
                unknown=_NO_WORKER,
                alerts=("ReconstreamChannelsFrozen",),
                leads=incidents(status="open", kind="frozen"),
            ),
            number(
                "Opened in this time",
                "Incidents that opened in the time range. Divided by its days, this is what to compare with the alert "
                "budget of the model.",
                Query(counted(streams(_OPENED)), "opened", instant=True),
                "short",
                unknown=_NO_WORKER,
                calm=SKY,
                leads=incidents(since="${__from:date:iso}", until="${__to:date:iso}"),
            ),
            number(
                "Windows above the threshold",
                "Share of the windows scored in the last minutes that were above the threshold. It is well below 1% "
                "where all is well; a share that stays high says that the model no longer fits: see the dashboard "
                "*Model*.",
                Query(share_above_threshold(_RATIO), "above"),
                "percentunit",
                levels=Levels(warn=0.05, bad=0.2),
                unknown="nothing scored",
                decimals=1,
                alerts=("ReconstreamThresholdExceededOften",),
            ),
        ),
        line(
            9,
            lines(
                "Open incidents by severity",
                "Incidents that are open, by their present severity. Many at once usually have one cause upstream: a "
                "deployment, a changed unit, a broken collector.",
                [Query(most(streams(_OPEN), "severity"), "{{severity}}")],
                "short",
                colours=SEVERITIES,
                stacked=True,
                steps=True,
                most=1,
                unknown=_NO_WORKER,
            ),
            lines(
                "Open incidents by stream",
                "Incidents that are open, of all kinds, by stream.",
                [Query(most(streams(_OPEN), "stream"), "{{stream}}")],
                "short",
                steps=True,
                most=1,
                unknown=_NO_WORKER,
                alerts=("ReconstreamIncidentStorm",),
            ),
            bars(
                "Incidents opened, by severity",
                "Incidents that opened in each step, by their severity at that moment. It can rise later: the panel "
                "*Open incidents by severity* shows what they are now.",
                [Query(counted(streams(_OPENED), "severity", over="$__interval"), "{{severity}}")],
                colours=SEVERITIES,
                unknown=_NO_WORKER,
            ),
        ),
        line(
            10,
            density(
                "Scores over the threshold",
                "Where the scores of all windows lie, as multiples of the threshold: what is above 1 is anomalous. A "
                "band that moves up as a whole is drift, or a model that does not fit; single cells above 1 are "
                "faults.",
                Query(rate(_RATIO, "le"), "{{le}}"),
                "short",
                unknown="nothing scored",
            ),
            lines(
                "Score over threshold, quantiles",
                "How far the usual window, and the worst ones, are from the threshold (the dashed line at 1). The "
                "distance of the 99% quantile is the room that there is before false alarms begin.",
                [
                    Query(quantile(0.999, _RATIO), "99.9%", BAD),
                    Query(quantile(0.99, _RATIO), "99%", ORANGE),
                    Query(quantile(0.9, _RATIO), "90%", SKY),
                    Query(quantile(0.5, _RATIO), "median", BLUE),
                ],
                "short",
                levels=Levels(bad=1),
                log=True,
                unknown="nothing scored",
            ),
        ),
    )


def _streams() -> Section:
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
                    Column("Open", total(streams(_OPEN), "stream"), levels=Levels(warn=1, bad=10)),
                    Column("Opened", counted(streams(_OPENED), "stream")),
                    Column(
                        "Latest incident",
                        f"1000 * max by (stream) ({streams('last_incident_timestamp_seconds')})",
                        unit="dateTimeAsIso",
                    ),
                    Column(
                        "Windows above the threshold",
                        share_above_threshold(_RATIO, "stream", over=RANGE),
                        unit="percentunit",
                        decimals=2,
                        levels=Levels(warn=0.05, bad=0.2),
                    ),
                    Column(
                        "99% of scores / threshold",
                        quantile(0.99, _RATIO, "stream", over=RANGE),
                        decimals=2,
                        levels=Levels(bad=1),
                    ),
                    Column("Series", total(streams("series"), "stream")),
                ],
                sort="Open",
                unknown=_NO_WORKER,
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
                [Query(share_above_threshold(_RATIO, "stream"), "{{stream}}")],
                "percentunit",
                most=0.01,
                unknown="nothing scored",
            ),
            lines(
                "Open incidents by kind",
                "Incidents that are open, by what was found. reconstruction: the model cannot reproduce or predict "
                "the data. silence: the series stopped. frozen: a channel keeps one value. The last two, all at once, "
                "are a collector that stopped or hangs.",
                [Query(most(streams(_OPEN), "kind"), "{{kind}}")],
                "short",
                colours=KINDS,
                stacked=True,
                steps=True,
                most=1,
                unknown=_NO_WORKER,
            ),
            bars(
                "Events by step",
                "Events on the events topic: incidents that opened, were updated, as they last or get worse, and "
                "closed. More opened than closed over a long time are incidents that pile up.",
                [Query(counted(streams("events_total"), "event", over="$__interval"), "{{event}}")],
                colours={"opened": BAD, "updated": ORANGE, "closed": SKY},
                unknown=_NO_WORKER,
            ),
        ),
    )


def _series() -> Section:
    return section(
        "Series that are listed in streams[].metrics.series",
        line(
            9,
            states(
                "Incidents of listed series",
                "When each listed series had an incident of any kind.",
                Query(
                    f"max by (stream, series) (max_over_time({streams('series_incidents_open')}[{RATE}]))",
                    "{{series}} ({{stream}})",
                ),
                off=("quiet", FAINT),
                on=("incident", BAD),
                unknown=_NONE_LISTED,
                leads=incidents(
                    series="${__field.labels.series:percentencode}", stream="${__field.labels.stream:percentencode}"
                ),
            ),
            lines(
                "Score over threshold of listed series",
                "Greatest score of each listed series over the threshold (the dashed line at 1).",
                [
                    Query(
                        f"max by (stream, series) (max_over_time({streams('series_score_threshold_ratio')}[{RATE}]))",
                        "{{series}} ({{stream}})",
                    )
                ],
                "short",
                levels=Levels(bad=1),
                log=True,
                unknown=_NONE_LISTED,
            ),
            lines(
                "Series by state",
                "All series, listed or not. warming_up: the window is not full yet, nothing is scored. live: watched. "
                "stale: nothing has come for a while, and it is forgotten before long.",
                [Query(total(streams("series"), "state"), "{{state}}")],
                "short",
                colours={"live": SKY, "warming_up": BLUE, "stale": ORANGE},
                stacked=True,
                steps=True,
                unknown=_NO_WORKER,
            ),
        ),
    )


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-anomalies",
        "reconstream: Anomalies",
        "What is wrong with what is watched: incidents that are open, how many there were, and how close scores are "
        "to the threshold.",
        (_overview(), _streams(), _series()),
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
