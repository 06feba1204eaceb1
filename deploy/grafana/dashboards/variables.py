"""What a viewer chooses on top of a dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.frame import PROMETHEUS
from deploy.grafana.dashboards.queries import PREFIX, instances


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
