"""A dashboard around its panels: links, and places on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.addresses import DOCUMENTS, RUNBOOKS
from deploy.grafana.dashboards.frame import AnyPanel
from deploy.grafana.dashboards.marks import Annotation, PrometheusAnnotation
from deploy.grafana.dashboards.variables import variables

TAG: Final = "reconstream"
COLUMNS: Final = 24


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
    built.annotations.list_val = [PrometheusAnnotation(one) for one in annotations]
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
