"""Panels of courses over time: lines, and bars for what is counted."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import common, dashboard

from deploy.grafana.dashboards.colours import SKY
from deploy.grafana.dashboards.frame import COUNTING_INTERVAL, Levels, described, runbooks
from deploy.grafana.dashboards.queries import Query

_DASHES: Final = {"fill": "dash", "dash": [8, 6]}


def lines(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    *,
    levels: Levels | None = None,
    unknown: str = "unknown",
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    steps: bool = False,
    log: bool = False,
    least: float | None = 0,
    most: float | None = None,
    interval: str | None = None,
    alerts: Sequence[str] = (),
) -> timeseries.Panel:
    """Courses over time.

    Args:
        title: Of the panel.
        description: What it answers, and what to do about it.
        queries: Its queries; results without a colour of their own are shades of one.
        unit: Grafana's name of the unit.
        levels: Drawn as dashed lines.
        unknown: What is shown where nothing is known.
        colours: Colours by what the legend says.
        stacked: Fill the areas and put them on each other.
        steps: Go from value to value in steps, as numbers of things do.
        log: Logarithmic axis.
        least: The axis reaches at least down to this value; None leaves it to the data.
        most: The axis reaches at least up to this value.
        interval: Shortest step of the query.
        alerts: Names of the alerts on what it shows, whose runbooks it links to.
    """
    panel = _courses(title, description, queries, unit, unknown, colours)
    panel.links(runbooks(alerts))
    panel.draw_style(common.GraphDrawStyle.LINE).line_width(2).show_points(common.VisibilityMode.NEVER)
    panel.fill_opacity(45 if stacked else 8 if len(queries) == 1 else 0).span_nulls(False)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER if steps else common.LineInterpolation.LINEAR)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if log:
        panel.scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10))
    elif least is not None:
        panel.axis_soft_min(least)
    if most is not None:
        panel.axis_soft_max(most)
    if levels is not None:
        panel.thresholds(levels.steps(None)).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    if interval is not None:
        panel.interval(interval)
    return panel


def bars(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str = "short",
    *,
    unknown: str = "unknown",
    colours: Mapping[str, str] | None = None,
    interval: str = COUNTING_INTERVAL,
    alerts: Sequence[str] = (),
) -> timeseries.Panel:
    """How often something happened, as stacked bars, one for each step; queries count over ``$__interval``."""
    panel = _courses(title, description, queries, unit, unknown, colours, hide_zeros=True)
    panel.links(runbooks(alerts))
    panel.draw_style(common.GraphDrawStyle.BARS).line_width(0).fill_opacity(85).bar_width_factor(0.8)
    panel.show_points(common.VisibilityMode.NEVER).stacking(
        common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
    )
    return panel.interval(interval).axis_soft_min(0).axis_soft_max(1).decimals(0).max_data_points(200)


def _courses(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    unknown: str,
    colours: Mapping[str, str] | None,
    *,
    hide_zeros: bool = False,
) -> timeseries.Panel:
    panel = described(timeseries.Panel(), title, description, queries, unit, unknown)
    panel.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    panel.tooltip(
        common_builders.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
        .hide_zeros(hide_zeros)
    )
    panel.color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.SHADES).fixed_color(SKY))
    for letter, query in zip(string.ascii_uppercase, queries, strict=False):
        if properties := list(_drawn(query)):
            panel.override_by_query(letter, properties)
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [dashboard.DynamicConfigValue(id_val="color", value=_fixed(colour))])
    return panel


def _drawn(query: Query) -> Iterable[dashboard.DynamicConfigValue]:
    if query.colour is not None:
        yield dashboard.DynamicConfigValue(id_val="color", value=_fixed(query.colour, shades="{{" in query.legend))
    if query.dashed:
        yield dashboard.DynamicConfigValue(id_val="custom.lineStyle", value=_DASHES)
        yield dashboard.DynamicConfigValue(id_val="custom.fillOpacity", value=0)


def _fixed(colour: str, *, shades: bool = False) -> dict[str, Any]:
    return {"mode": "shades" if shades else "fixed", "fixedColor": colour}
