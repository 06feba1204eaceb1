"""What is open, how many there were, and how close scores are."""

from __future__ import annotations

from deploy.grafana.dashboards.addresses import incidents
from deploy.grafana.dashboards.anomalies.common import NO_WORKER, OPEN, OPENED, RATIO
from deploy.grafana.dashboards.colours import SEVERITIES, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, density, lines, number
from deploy.grafana.dashboards.queries import (
    Query,
    counted,
    most,
    quantile,
    rate,
    share_above_threshold,
    streams,
    total,
)
from deploy.grafana.dashboards.shared import incidents_opened, open_incidents, score_quantiles


def overview_section() -> Section:
    """What stands above all else."""
    return section(
        None,
        line(
            4,
            number(
                "Open incidents",
                "Incidents that are open now, of all kinds. Each is one fault of one series, however many of its "
                "samples are anomalous. `detector dashboard` and the events topic say which series they are.",
                Query(total(streams(OPEN)), "open"),
                "short",
                levels=Levels(warn=1, bad=10),
                unknown=NO_WORKER,
                alerts=("ReconstreamAnomalyOpen",),
                leads=incidents(status="open"),
            ),
            number(
                "Open and critical",
                "Incidents that are open and have become critical: their score was many times the threshold, or they "
                "have lasted for many times what is allowed.",
                Query(total(streams(OPEN, 'severity="critical"')), "critical"),
                "short",
                levels=Levels(bad=1),
                unknown=NO_WORKER,
                alerts=("ReconstreamAnomalyOpen", "ReconstreamIncidentStorm"),
                leads=incidents(status="open", severity="critical"),
            ),
            number(
                "Silent series",
                "Series that have stopped while others of their partition go on.",
                Query(total(streams(OPEN, 'kind="silence"')), "silent"),
                "short",
                levels=Levels(warn=1),
                unknown=NO_WORKER,
                alerts=("ReconstreamSeriesSilent",),
                leads=incidents(status="open", kind="silence"),
            ),
            number(
                "Frozen series",
                "Series with a channel that has kept one value for longer than it ever did in training.",
                Query(total(streams(OPEN, 'kind="frozen"')), "frozen"),
                "short",
                levels=Levels(warn=1),
                unknown=NO_WORKER,
                alerts=("ReconstreamChannelsFrozen",),
                leads=incidents(status="open", kind="frozen"),
            ),
            number(
                "Opened in this time",
                "Incidents that opened in the time range. Divided by its days, this is what to compare with the alert "
                "budget of the model.",
                Query(counted(streams(OPENED)), "opened", instant=True),
                "short",
                unknown=NO_WORKER,
                calm=SKY,
                leads=incidents(since="${__from:date:iso}", until="${__to:date:iso}"),
            ),
            number(
                "Windows above the threshold",
                "Share of the windows scored in the last minutes that were above the threshold. It is well below 1% "
                "where all is well; a share that stays high says that the model no longer fits: see the dashboard "
                "*Model*.",
                Query(share_above_threshold(RATIO), "above"),
                "percentunit",
                levels=Levels(warn=0.05, bad=0.2),
                unknown="nothing scored",
                decimals=1,
                alerts=("ReconstreamThresholdExceededOften",),
            ),
        ),
        line(
            9,
            open_incidents(
                "severity",
                "Incidents that are open, by their present severity. Many at once usually have one cause upstream: a "
                "deployment, a changed unit, a broken collector.",
                streams(OPEN),
                SEVERITIES,
                unknown=NO_WORKER,
            ),
            lines(
                "Open incidents by stream",
                "Incidents that are open, of all kinds, by stream.",
                [Query(most(streams(OPEN), "stream"), "{{stream}}")],
                "short",
                steps=True,
                most=1,
                unknown=NO_WORKER,
                alerts=("ReconstreamIncidentStorm",),
            ),
            incidents_opened(
                "Incidents that opened in each step, by their severity at that moment. It can rise later: the panel "
                "*Open incidents by severity* shows what they are now.",
                streams(OPENED),
                unknown=NO_WORKER,
            ),
        ),
        line(
            10,
            density(
                "Scores over the threshold",
                "Where the scores of all windows lie, as multiples of the threshold: what is above 1 is anomalous. A "
                "band that moves up as a whole is drift, or a model that does not fit; single cells above 1 are "
                "faults.",
                Query(rate(RATIO, "le"), "{{le}}"),
                "short",
                unknown="nothing scored",
            ),
            score_quantiles(
                "How far the usual window, and the worst ones, are from the threshold (the dashed line at 1). The "
                "distance of the 99% quantile is the room that there is before false alarms begin.",
                lambda q: quantile(q, RATIO),
                unknown="nothing scored",
            ),
        ),
    )
