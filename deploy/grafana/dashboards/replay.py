"""*Replay*: history, as ``detector replay --openmetrics`` writes it for a Prometheus, at its own time."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.colours import BAD, FAINT, KINDS, SEVERITIES, SKY, VERMILLION
from deploy.grafana.dashboards.page import Annotation, Section, datasource, labels, line, page, section
from deploy.grafana.dashboards.panels import Levels, density, lines, number, states
from deploy.grafana.dashboards.queries import (
    RANGE,
    Query,
    counted,
    quantile,
    rate,
    replayed,
    share_above_threshold,
)
from deploy.grafana.dashboards.shared import events_by_step, incidents_opened, open_incidents, score_quantiles
from deploy.grafana.dashboards.tables import Column, rows

_RATIO: Final = replayed("score_threshold_ratio_bucket")
_SERIES_RATIO: Final = replayed("series_score_threshold_ratio", 'series=~"$series"')
_SERIES_OPEN: Final = replayed("series_incidents_open", 'series=~"$series"')
_OPEN: Final = replayed("incidents_open")
_OPENED: Final = replayed("anomalies_total")
_NO_REPLAY: Final = "no replay at this time"
# A replay has a value for each of its steps, which may be five minutes long: rates need several of them.
_INTERVAL: Final = "15m"
# Gauges have a value for each step: points are as far apart as the longest usual step at least, and tell the greatest.
_STEP: Final = "5m"
_POINT: Final = "$__interval"
_WORST: Final = 5

INCIDENTS: Final = Annotation(
    "Incidents",
    f"sum by (stream, kind, severity) (increase({_OPENED}[{_INTERVAL}])) > 0",
    "Incident opened",
    "{{stream}}: {{kind}}, {{severity}}",
    VERMILLION,
    enabled=False,
)


def _variables() -> list[Builder[dashboard.VariableModel]]:
    return [
        datasource(),
        labels(
            "instance",
            "Replay",
            "Replays that this Prometheus holds, by the names of their files.",
            "label_values(reconstream_replay_incidents_open, instance)",
            several=False,
        ),
        labels(
            "stream",
            "Stream",
            "Streams of the replay.",
            f"label_values({replayed('incidents_open').partition(', ')[0]}}}, stream)",
        ),
        labels(
            "series",
            "Series",
            "Series of the replay.",
            f"label_values({replayed('series_score_threshold_ratio')}, series)",
        ),
    ]


def _overview() -> Section:
    # Nothing over something is zero where there is a replay, and unknown where there is none.
    none = f"0 * sum(max_over_time({replayed('windows_scored_total')}[{RANGE}]))"
    scored = f"sum(increase({replayed('windows_scored_total')}[{RANGE}]))"
    unscored = f"sum(increase({replayed('windows_unscored_total')}[{RANGE}]))"
    return section(
        None,
        line(
            4,
            number(
                "Incidents",
                "Incidents that opened in the time range, as the replay has it.",
                Query(counted(_OPENED), "incidents", instant=True),
                "short",
                unknown=_NO_REPLAY,
                calm=SKY,
            ),
            number(
                "Series with an incident",
                "Of the selected series, those that had an incident of any kind in the time range.",
                Query(
                    f"count(max by (stream, series) (max_over_time({_SERIES_OPEN}[{RANGE}])) > 0) or {none}",
                    "series",
                    instant=True,
                ),
                "short",
                unknown=_NO_REPLAY,
                calm=SKY,
            ),
            number(
                "Series",
                "Selected series that had a score in the time range.",
                Query(
                    f"count(count by (stream, series) (count_over_time({_SERIES_RATIO}[{RANGE}])))",
                    "series",
                    instant=True,
                ),
                "short",
                unknown=_NO_REPLAY,
                calm=SKY,
            ),
            number(
                "Greatest score over threshold",
                "Of the selected series in the time range: above 1 is anomalous.",
                Query(f"max(max_over_time({_SERIES_RATIO}[{RANGE}]))", "greatest", instant=True),
                "short",
                levels=Levels(warn=1, bad=5),
                unknown=_NO_REPLAY,
                decimals=1,
            ),
            number(
                "Windows above the threshold",
                "Share of the windows of the time range that were above the threshold.",
                Query(share_above_threshold(_RATIO, over=RANGE), "above", instant=True),
                "percentunit",
                levels=Levels(warn=0.05, bad=0.2),
                unknown=_NO_REPLAY,
                decimals=2,
            ),
            number(
                "Windows without a score",
                "Share of the windows of the time range of which too little was observed, or which the model gave no "
                "score.",
                Query(f"{unscored} / ({unscored} + {scored} > 0)", "unscored", instant=True),
                "percentunit",
                levels=Levels(warn=0.1),
                unknown=_NO_REPLAY,
                decimals=1,
            ),
        ),
        line(
            9,
            open_incidents(
                "severity",
                "Incidents that were open, by their severity at that time.",
                _OPEN,
                SEVERITIES,
                over=_POINT,
                interval=_STEP,
                unknown=_NO_REPLAY,
            ),
            incidents_opened(
                "Incidents that opened in each step, by their severity at that moment.",
                _OPENED,
                unknown=_NO_REPLAY,
                interval=_INTERVAL,
            ),
            open_incidents(
                "kind",
                "Incidents that were open, by what was found: reconstruction (by the model), silence, frozen.",
                _OPEN,
                KINDS,
                over=_POINT,
                interval=_STEP,
                unknown=_NO_REPLAY,
            ),
        ),
        line(
            10,
            states(
                "Incidents by series",
                "When each of the selected series had an incident; series that had none are not shown.",
                Query(f"max by (stream, series) (max_over_time({_SERIES_OPEN}[{_POINT}]))", "{{series}} ({{stream}})"),
                off=("quiet", FAINT),
                on=("incident", BAD),
                interval=_STEP,
                unknown="no incident",
            ),
            lines(
                f"The {_WORST} series that were farthest",
                "Greatest score over threshold (the dashed line at 1) in each step, of those selected series that "
                "reached the greatest in the time range.",
                [
                    Query(
                        f"max by (stream, series) (max_over_time({_SERIES_RATIO}[{_POINT}])) and on (stream, series) "
                        f"topk({_WORST}, max by (stream, series) (max_over_time({_SERIES_RATIO}[{RANGE}] @ end())))",
                        "{{series}} ({{stream}})",
                    )
                ],
                "short",
                levels=Levels(bad=1),
                log=True,
                interval=_STEP,
                unknown=_NO_REPLAY,
            ),
        ),
    )


def _scores() -> Section:
    return section(
        "Scores",
        line(
            10,
            density(
                "Scores over the threshold",
                "Where the scores of all windows lay, as multiples of the threshold: what is above 1 is anomalous.",
                Query(rate(_RATIO, "le"), "{{le}}"),
                "short",
                unknown=_NO_REPLAY,
                interval=_INTERVAL,
            ),
            score_quantiles(
                "How far the usual window, and the worst ones, were from the threshold (the dashed line at 1).",
                lambda q: quantile(q, _RATIO),
                unknown=_NO_REPLAY,
                interval=_INTERVAL,
            ),
        ),
        line(
            9,
            rows(
                "Series, the worst first",
                "One row for each selected series: its greatest score over threshold in the time range, and the "
                "number of steps of the replay in which it had an incident.",
                [
                    Column("Stream", label="stream"),
                    Column("Series", label="series"),
                    Column(
                        "Greatest score / threshold",
                        f"max by (stream, series) (max_over_time({_SERIES_RATIO}[{RANGE}]))",
                        decimals=2,
                        levels=Levels(warn=1, bad=5),
                    ),
                    Column(
                        "Steps with an incident", f"sum by (stream, series) (sum_over_time({_SERIES_OPEN}[{RANGE}]))"
                    ),
                ],
                sort="Greatest score / threshold",
                unknown=_NO_REPLAY,
            ),
            events_by_step(
                "Events of the replay: incidents that opened, were updated, as they lasted or got worse, and closed.",
                replayed("events_total"),
                unknown=_NO_REPLAY,
                interval=_INTERVAL,
            ),
        ),
    )


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-replay",
        "reconstream: Replay",
        "History as a replay saw it, at its own time: choose the data source that holds the replay, and the time "
        "range of its data.",
        (_overview(), _scores()),
        annotations=(INCIDENTS,),
        chosen=_variables(),
        since="now-30d",
        refresh="",
    )
