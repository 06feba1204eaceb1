"""The series that are listed for metrics of their own."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.addresses import incidents
from deploy.grafana.dashboards.anomalies.common import NO_WORKER
from deploy.grafana.dashboards.colours import BAD, BLUE, FAINT, ORANGE, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, lines, states
from deploy.grafana.dashboards.queries import RATE, Query, streams, total

_NONE_LISTED: Final = "no series is listed in streams[].metrics.series"


def series_section() -> Section:
    """The series that are listed."""
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
                unknown=NO_WORKER,
            ),
        ),
    )
