"""Panels in the style of this house: one function for each question that a panel can answer."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.dashboards.addresses import runbook
from deploy.grafana.dashboards.colours import BAD, GOOD, SKY, WARN
from deploy.grafana.dashboards.queries import Query

PROMETHEUS: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Several of the usual scrape intervals: a count over less may find a single sample, of which nothing can be counted.
COUNTING_INTERVAL: Final = "1m"

AnyPanel = timeseries.Panel | stat.Panel | heatmap.Panel | bargauge.Panel | statetimeline.Panel | table.Panel
_Panel = TypeVar("_Panel", bound=AnyPanel)
_DASHES: Final = {"fill": "dash", "dash": [8, 6]}


@dataclass(frozen=True, slots=True)
class Levels:
    """From which values on something is fine, deserves a look, or is bad.

    More is worse as a rule. Where more is better, ``good`` is given: what is below ``warn`` is bad then.
    """

    warn: float | None = None
    bad: float | None = None
    good: float | None = None

    def steps(self, base: str | None) -> dashboard_builders.ThresholdsConfig:
        """The thresholds as Grafana has them.

        Args:
            base: Colour of what is below all levels; what is bad, where ``good`` is given.
        """
        levels = [(self.warn, WARN), (self.bad, BAD), (self.good, GOOD)]
        steps = [dashboard.Threshold(value=None, color=BAD if self.good is not None else base or "transparent")]
        steps += [dashboard.Threshold(value=value, color=colour) for value, colour in levels if value is not None]
        return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


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
    history: bool = True,
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
        history: Show the course behind the figure; a query at the end of the time range has none.
        leads: Where a click on the figure leads, with Grafana's variables in it.
        alerts: Names of the alerts on what it shows, whose runbooks it links to.
    """
    panel = described(stat.Panel(), title, description, [query], unit, unknown)
    panel.links(_runbooks(alerts))
    panel.graph_mode(
        common.BigValueGraphMode.AREA if history and not query.instant else common.BigValueGraphMode.NONE
    ).color_mode(common.BigValueColorMode.VALUE).justify_mode(common.BigValueJustifyMode.AUTO)
    panel.text_mode(common.BigValueTextMode.AUTO).reduce_options(
        common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    )
    panel.thresholds((levels or Levels()).steps(calm)).color_scheme(
        dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
    )
    if leads is not None:
        panel.data_links([_link("Incidents, one by one", leads)])
    if decimals is not None:
        panel.decimals(decimals)
    return panel


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
    panel.links(_runbooks(alerts))
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
    panel.links(_runbooks(alerts))
    panel.draw_style(common.GraphDrawStyle.BARS).line_width(0).fill_opacity(85).bar_width_factor(0.8)
    panel.show_points(common.VisibilityMode.NEVER).stacking(
        common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
    )
    return panel.interval(interval).axis_soft_min(0).axis_soft_max(1).decimals(0).max_data_points(200)


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
        panel.data_links([_link("Incidents, one by one", leads)])
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


def _runbooks(alerts: Sequence[str]) -> list[Builder[dashboard.DashboardLink]]:
    return [_link(f"Runbook: {alert}", runbook(alert)) for alert in alerts]


def _link(name: str, url: str) -> Builder[dashboard.DashboardLink]:
    return dashboard_builders.DashboardLink(name).type(dashboard.DashboardLinkType.LINK).url(url).target_blank(True)


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


def described(
    panel: _Panel,
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    unknown: str,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> _Panel:
    """A panel of any kind with what each of them has: words, unit, queries, and what stands where nothing is known."""
    if any(":reconstream_" in query.expr and "$instance" not in query.expr for query in queries):
        description += " From recording rules, for all instances."
    panel.title(title).description(description).datasource(PROMETHEUS).unit(unit).no_value(unknown)
    for letter, query in zip(string.ascii_uppercase, queries, strict=False):
        target = prometheus_builders.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter)
        target.datasource(PROMETHEUS).format(form)
        panel.with_target(target.instant() if query.instant else target.range())
    return panel
