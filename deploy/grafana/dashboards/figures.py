"""Panels of one moment or of many values: figures, distributions, states."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, heatmap, stat, statetimeline
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.dashboards.colours import GOOD, SKY
from deploy.grafana.dashboards.frame import COUNTING_INTERVAL, Levels, described, link, runbooks
from deploy.grafana.dashboards.queries import Query


def number(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    levels: Levels | None = None,
    unknown: str = "unknown",
    decimals: int | None = None,
    calm: str = GOOD,
    leads: str | None = None,
    alerts: Sequence[str] = (),
) -> stat.Panel:
    """One figure, or one for each result, large enough for a wall, over its course in the time range.

    Args:
        title: Of the panel.
        description: What it answers, and what to do about it.
        query: Its query.
        unit: Grafana's name of the unit.
        levels: From which value on it is coloured; without, it is coloured as ordinary.
        unknown: What is shown where nothing is known.
        decimals: Places after the point; as many as fit without.
        calm: Colour of values below all levels.
        leads: Where a click on the figure leads, with Grafana's variables in it.
        alerts: Names of the alerts on what it shows, whose runbooks it links to.
    """
    panel = described(stat.Panel(), title, description, [query], unit, unknown)
    panel.links(runbooks(alerts))
    panel.graph_mode(common.BigValueGraphMode.NONE if query.instant else common.BigValueGraphMode.AREA).color_mode(
        common.BigValueColorMode.VALUE
    ).justify_mode(common.BigValueJustifyMode.AUTO)
    panel.text_mode(common.BigValueTextMode.AUTO).reduce_options(
        common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    )
    panel.thresholds((levels or Levels()).steps(calm)).color_scheme(
        dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
    )
    if leads is not None:
        panel.data_links([link("Incidents, one by one", leads)])
    if decimals is not None:
        panel.decimals(decimals)
    return panel


def density(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    unknown: str = "unknown",
    interval: str = COUNTING_INTERVAL,
) -> heatmap.Panel:
    """Where the values of a histogram lie over time: a row for each bucket, the brighter the more."""
    panel = described(heatmap.Panel(), title, description, [query], unit, unknown, PromQueryFormat.HEATMAP)
    panel.calculate(False).cell_gap(0).interval(interval).max_data_points(240)
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Cividis")
        .exponent(0.5)
        .steps(64)
        .reverse(False)
        .fill(SKY)
    )
    panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT).reverse(False))
    panel.cell_values(heatmap.CellValues().unit("short")).show_legend()
    panel.scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LINEAR))
    return panel.mode(common.TooltipDisplayMode.SINGLE).show_y_histogram()


def states(
    title: str,
    description: str,
    query: Query,
    *,
    off: tuple[str, str],
    on: tuple[str, str],
    unknown: str = "unknown",
    leads: str | None = None,
    interval: str | None = None,
) -> statetimeline.Panel:
    """A row for each result, which is either off (zero) or on (anything else): what each is called, and its colour.

    ``leads`` is where a click leads, with Grafana's variables in it.
    """
    panel = described(statetimeline.Panel(), title, description, [query], "short", unknown)
    if interval is not None:
        panel.interval(interval)
    if leads is not None:
        panel.data_links([link("Incidents, one by one", leads)])
    result = dashboard.ValueMappingResult
    return (
        panel.mappings(
            [
                dashboard.ValueMap(options={"0": result(text=off[0], color=off[1], index=0)}),
                dashboard.RangeMap(
                    options=dashboard.DashboardRangeMapOptions(
                        from_val=1, to=None, result=result(text=on[0], color=on[1], index=1)
                    )
                ),
            ]
        )
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
    )


def spread(
    title: str, description: str, query: Query, unit: str = "short", *, unknown: str = "unknown"
) -> bargauge.Panel:
    """How often each bucket of a histogram was met in the time range, as one bar beside the other."""
    panel = described(bargauge.Panel(), title, description, [query], unit, unknown, PromQueryFormat.HEATMAP)
    panel.orientation(common.VizOrientation.VERTICAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    panel.value_mode(common.BarGaugeValueMode.TEXT).show_unfilled(False).min_viz_width(8).min(0)
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.text(common_builders.VizTextDisplayOptions().title_size(12).value_size(12))
    return panel.color_scheme(
        dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(SKY)
    ).decimals(0)
