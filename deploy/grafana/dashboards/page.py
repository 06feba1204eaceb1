"""A dashboard around its panels: variables, annotations, links, and places on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.addresses import DOCUMENTS, RUNBOOKS
from deploy.grafana.dashboards.colours import ORANGE, PURPLE, SKY, VERMILLION
from deploy.grafana.dashboards.panels import PROMETHEUS, AnyPanel
from deploy.grafana.dashboards.queries import PREFIX, RATE, instances, streams

TAG: Final = "reconstream"
COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is marked across all panels.

    Attributes:
        name: What the switch above the panels says.
        expr: PromQL; where its result is not zero there is a mark.
        title: Template of the mark's heading.
        text: Template of what it says.
        colour: Of the mark.
        enabled: Whether it is shown until somebody switches it off, or on.
    """

    name: str
    expr: str
    title: str
    text: str
    colour: str
    enabled: bool = True


class _PrometheusAnnotation(dashboard.AnnotationQuery):
    """An annotation that Prometheus answers; the library knows fewer fields of it than Grafana reads."""

    def __init__(self, annotation: Annotation) -> None:
        super().__init__(
            name=annotation.name,
            datasource=PROMETHEUS,
            enable=annotation.enabled,
            icon_color=annotation.colour,
            expr=annotation.expr,
        )
        self._templates = {"titleFormat": annotation.title, "textFormat": annotation.text, "step": "60s"}

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self._templates


INCIDENTS: Final = Annotation(
    "Incidents",
    f"sum by (stream, kind, severity) (increase({streams('anomalies_total')}[{RATE}])) > 0",
    "Incident opened",
    "{{stream}}: {{kind}}, {{severity}}",
    VERMILLION,
)
MODELS: Final = Annotation(
    "Model changes",
    # An hour, so that a worker that restarts with the model it had is no change.
    f"max by (stream, version, model) ({streams('model_info')}) unless "
    f"max by (stream, version, model) (max_over_time({streams('model_info')}[1h] offset {RATE}))",
    "Model {{version}}",
    "{{stream}} is scored by {{model}}, version {{version}}, from here on",
    PURPLE,
)
REBALANCES: Final = Annotation(
    "Rebalances",
    f"sum by (instance) (increase({instances('rebalances_total')}[{RATE}])) > 0",
    "Rebalance",
    "{{instance}} was given other partitions",
    SKY,
)
ALERTS: Final = Annotation(
    "Alerts",
    'ALERTS{alertname=~"Reconstream.+", alertstate="firing"}',
    "{{alertname}}",
    "{{severity}} {{stream}} {{instance}}",
    ORANGE,
    enabled=False,
)
RESTARTS: Final = Annotation(
    "Restarts",
    f"changes({instances('process_start_time_seconds')}[{RATE}]) > 0",
    "Restart",
    "{{instance}} was started anew",
    PURPLE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """Panels beside each other, all of one size, as many as can share the grid's 24 columns equally."""

    height: int
    panels: tuple[AnyPanel, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of panels under one heading; the first of a dashboard has none."""

    title: str | None
    lines: tuple[Line, ...]


def line(height: int, *panels: AnyPanel) -> Line:
    """A line of panels; a unit of height is about 38 pixels."""
    return Line(height, panels)


def section(title: str | None, *lines: Line) -> Section:
    """A section of lines."""
    return Section(title, lines)


def variables() -> list[Builder[dashboard.VariableModel]]:
    """Those of the dashboards of workers: where the data is, and what of it is looked at."""
    # All of them from a metric that a replay has as well, so that one with live names can be looked at.
    return [
        datasource(),
        labels(
            "job",
            "Job",
            "Installations, by the name of the scrape job.",
            f"label_values({PREFIX}incidents_open, job)",
        ),
        labels(
            "instance",
            "Instance",
            "Workers, by the address at which Prometheus scrapes them.",
            f'label_values({PREFIX}incidents_open{{job=~"$job"}}, instance)',
        ),
        labels(
            "stream",
            "Stream",
            "Streams, by their names in the workers' settings.",
            f"label_values({instances('incidents_open')}, stream)",
        ),
    ]


def labels(name: str, label: str, description: str, query: str, *, several: bool = True) -> builders.QueryVariable:
    """A variable whose choices are the values of a label.

    Args:
        name: By which queries know it.
        label: What stands beside it.
        description: What is chosen with it.
        query: ``label_values(...)``.
        several: Whether more than one may be chosen; all are, until somebody chooses. Otherwise it is the first.
    """
    variable = (
        builders.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": name, "qryType": 1})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        everything = dashboard.VariableOption(text="All", value="$__all", selected=True)
        variable.all_value(".+").current(everything)
    return variable


def incident_page() -> builders.TextBoxVariable:
    """Where ``detector dashboard`` is served, for links to incidents one by one."""
    address = "http://localhost:9465"
    return (
        builders.TextBoxVariable("incidents")
        .label("Incident page")
        .description("Where your browser finds detector dashboard; links to incidents lead there.")
        .default_value(address)
        .current(dashboard.VariableOption(text=address, value=address, selected=True))
    )


def datasource() -> builders.DatasourceVariable:
    """The Prometheus to ask; Grafana takes its default one unless another is chosen."""
    return (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the workers, or one that holds a replay.")
        .type("prometheus")
        .current(dashboard.VariableOption(text="default", value="default", selected=True))
    )


def page(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    annotations: Sequence[Annotation],
    chosen: Sequence[Builder[dashboard.VariableModel]] | None = None,
    links: Sequence[Builder[dashboard.DashboardLink]] = (),
    since: str,
    refresh: str = "30s",
) -> dashboard.Dashboard:
    """A whole dashboard.

    Args:
        uid: By which Grafana and links know it; it stays.
        title: Its name.
        description: What it is for.
        sections: Its panels, which are numbered and placed in this order.
        annotations: What is marked across the panels.
        chosen: Its variables; without, those of the dashboards of workers.
        links: Its own, beside those that every dashboard has.
        since: Where the time range begins that is shown first, such as ``now-6h``.
        refresh: How often it is drawn anew.

    Raises:
        ValueError: the panels of a line cannot share the grid's columns equally.
    """
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .time(since, "now")
        .refresh(refresh)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables(list(variables() if chosen is None else chosen))
        .links([*links, *_links()])
    )
    _place(builder, sections)
    built = builder.build()
    built.annotations.list_val = [_PrometheusAnnotation(one) for one in annotations]
    return built


def _links() -> list[Builder[dashboard.DashboardLink]]:
    return [
        builders.DashboardLink("reconstream")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .tooltip("The other dashboards, with the same time range and selection")
        .include_vars(True)
        .keep_time(True),
        builders.DashboardLink("Runbooks")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("bolt")
        .tooltip("What each alert means, what to look at, what to do")
        .url(f"{RUNBOOKS}/README.md")
        .target_blank(True),
        builders.DashboardLink("What the panels say")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("doc")
        .tooltip("Documentation of the dashboards")
        .url(f"{DOCUMENTS}/dashboards.md")
        .target_blank(True),
    ]


def _place(builder: builders.Dashboard, sections: Sequence[Section]) -> None:
    identifier = top = 0
    for part in sections:
        if part.title is not None:
            identifier += 1
            heading = builders.Row(part.title).id(identifier)
            builder.with_row(heading.grid_pos(dashboard.GridPos(x=0, y=top, w=COLUMNS, h=1)))
            top += 1
        for row in part.lines:
            width, rest = divmod(COLUMNS, len(row.panels))
            if rest:
                raise ValueError(f"section {part.title!r}: {len(row.panels)} panels cannot share {COLUMNS} columns")
            for place, panel in enumerate(row.panels):
                identifier += 1
                panel.id(identifier).grid_pos(dashboard.GridPos(x=place * width, y=top, w=width, h=row.height))
                builder.with_panel(panel)
            top += row.height
