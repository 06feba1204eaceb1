"""Tables: a row for each stream, a column for each thing to know about it."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.dashboards.panels import Levels, described
from deploy.grafana.dashboards.queries import Query


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the query of its numbers, or, without one, a label of the queries.

    Attributes:
        name: Its heading.
        query: PromQL of its numbers, asked for the end of the time range; one result for each row.
        label: The label that it shows.
        unit: Grafana's name of the unit of its numbers.
        decimals: Places after the point.
        levels: From which value on its cells are coloured.
        link: Where a click on a cell leads, with Grafana's variables in it, and what that place is called.
        colours: Colours of texts.
    """

    name: str
    query: str | None = None
    label: str | None = None
    unit: str = "short"
    decimals: int | None = None
    levels: Levels | None = None
    link: tuple[str, str] | None = None
    colours: Mapping[str, str] | None = None


def rows(title: str, description: str, columns: Sequence[Column], *, sort: str, unknown: str = "none") -> table.Panel:
    """A table of the present, with a row for each combination of the labels that are among the columns."""
    asked = [column for column in columns if column.query is not None]
    queries = [Query(column.query or "", column.name, instant=True) for column in asked]
    panel = described(table.Panel(), title, description, queries, "short", unknown, PromQueryFormat.TABLE)
    names = _value_names(asked)
    shown = {names[column.name] if column.query is not None else str(column.label): column.name for column in columns}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(shown)}, "byVariable": False}
        )
    )
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {field: place for place, field in enumerate(shown)},
                "renameByName": shown,
            },
        )
    )
    panel.cell_height(common.TableCellHeight.SM).sort_by([_sorting(sort)]).align(common.FieldTextAlignment.AUTO)
    panel.cell_options(common.TableAutoCellOptions())
    for column in columns:
        if properties := list(_cell(column)):
            panel.override_by_name(column.name, properties)
    return panel


def _value_names(asked: Sequence[Column]) -> dict[str, str]:
    """What Grafana calls the numbers of each query: ``Value`` if there is one, else with its letter."""
    if len(asked) == 1:
        return {asked[0].name: "Value"}
    return {column.name: f"Value #{letter}" for column, letter in zip(asked, string.ascii_uppercase, strict=False)}


def _sorting(name: str) -> common_builders.TableSortByFieldState:
    return common_builders.TableSortByFieldState().display_name(name).desc(True)


def _cell(column: Column) -> Iterable[dashboard.DynamicConfigValue]:
    value = dashboard.DynamicConfigValue
    if column.query is not None:
        yield value(id_val="unit", value=column.unit)
    if column.decimals is not None:
        yield value(id_val="decimals", value=column.decimals)
    if column.levels is not None:
        yield value(id_val="custom.cellOptions", value={"type": "color-text"})
        yield value(id_val="color", value={"mode": "thresholds"})
        yield value(id_val="thresholds", value=column.levels.steps("text").build())
    if column.colours is not None:
        yield value(id_val="custom.cellOptions", value={"type": "color-text"})
        mapped = {
            text: {"color": colour, "index": place} for place, (text, colour) in enumerate(column.colours.items())
        }
        yield value(id_val="mappings", value=[{"type": "value", "options": mapped}])
    if column.link is not None:
        url, name = column.link
        yield value(id_val="links", value=[{"title": name, "url": url, "targetBlank": True}])
