"""Panels that more than one dashboard has: the same question, asked of workers or of a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.builders import timeseries

from deploy.grafana.dashboards.colours import BAD, BLUE, ORANGE, SEVERITIES, SKY
from deploy.grafana.dashboards.panels import COUNTING_INTERVAL, Levels, bars, lines
from deploy.grafana.dashboards.queries import RATE, Query, counted, most

_QUANTILES: Final = ((0.999, "99.9%", BAD), (0.99, "99%", ORANGE), (0.9, "90%", SKY), (0.5, "median", BLUE))
_STEPS: Final = {"opened": BAD, "updated": ORANGE, "closed": SKY}


def open_incidents(
    label: str,
    description: str,
    selector: str,
    colours: Mapping[str, str],
    *,
    unknown: str,
    over: str = RATE,
    interval: str | None = None,
) -> timeseries.Panel:
    """Incidents that are open at each time, stacked by a label.

    Args:
        label: Such as ``severity``.
        description: What it tells.
        selector: Of the gauge of open incidents.
        colours: By the label's values.
        unknown: Said where there is no value.
        over: Time of which a point tells the greatest.
        interval: Least distance of points; None: as the data source has it.
    """
    return lines(
        f"Open incidents by {label}",
        description,
        [Query(most(selector, label, over=over), f"{{{{{label}}}}}")],
        "short",
        colours=colours,
        stacked=True,
        steps=True,
        most=1,
        interval=interval,
        unknown=unknown,
    )


def incidents_opened(
    description: str, selector: str, *, unknown: str, interval: str = COUNTING_INTERVAL
) -> timeseries.Panel:
    """Incidents that opened in each step, by severity.

    Args:
        description: What it tells.
        selector: Of the counter of incidents.
        unknown: Said where there is no value.
        interval: Least length of a step.
    """
    return bars(
        "Incidents opened, by severity",
        description,
        [Query(counted(selector, "severity", over="$__interval"), "{{severity}}")],
        colours=SEVERITIES,
        unknown=unknown,
        interval=interval,
    )


def events_by_step(
    description: str, selector: str, *, unknown: str, interval: str = COUNTING_INTERVAL
) -> timeseries.Panel:
    """Events by what they say of an incident: that it opened, was updated, or closed.

    Args:
        description: What it tells.
        selector: Of the counter of events.
        unknown: Said where there is no value.
        interval: Least length of a bar.
    """
    return bars(
        "Events by step",
        description,
        [Query(counted(selector, "event", over="$__interval"), "{{event}}")],
        colours=_STEPS,
        unknown=unknown,
        interval=interval,
    )


def score_quantiles(
    description: str, of: Callable[[float], str], *, unknown: str, interval: str | None = None
) -> timeseries.Panel:
    """How far the usual window, and the worst ones, are from the threshold.

    Args:
        description: What it tells.
        of: Expression of a quantile of the scores over their threshold.
        unknown: Said where there is no value.
        interval: Least distance of points; None: as the data source has it.
    """
    return lines(
        "Score over threshold, quantiles",
        description,
        [Query(of(q), name, colour) for q, name, colour in _QUANTILES],
        "short",
        levels=Levels(bad=1),
        log=True,
        interval=interval,
        unknown=unknown,
    )
