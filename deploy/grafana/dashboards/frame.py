"""What every panel has: words, a unit, queries, thresholds, links, and what stands where nothing is known."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.dashboards.addresses import runbook
from deploy.grafana.dashboards.colours import BAD, GOOD, WARN
from deploy.grafana.dashboards.queries import Query

PROMETHEUS: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Several of the usual scrape intervals: a count over less may find a single sample, of which nothing can be counted.
COUNTING_INTERVAL: Final = "1m"

AnyPanel = timeseries.Panel | stat.Panel | heatmap.Panel | bargauge.Panel | statetimeline.Panel | table.Panel
_Panel = TypeVar("_Panel", bound=AnyPanel)


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


def runbooks(alerts: Sequence[str]) -> list[Builder[dashboard.DashboardLink]]:
    """Links to the runbooks of alerts, by their names."""
    return [link(f"Runbook: {alert}", runbook(alert)) for alert in alerts]


def link(name: str, url: str) -> Builder[dashboard.DashboardLink]:
    """A link that opens beside the dashboard."""
    return dashboard_builders.DashboardLink(name).type(dashboard.DashboardLinkType.LINK).url(url).target_blank(True)
