"""What the dashboards ask Prometheus for, as Grafana sends it once its variables are filled in.

With it tests run every query of every panel, annotation and variable against a real Prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# The longest first, since some begin as others do. "All" selects whatever is there.
_VARIABLES: Final = {
    "$__rate_interval": "1m",
    "$__interval": "1m",
    "$__range": "1h",
    "$instance": ".+",
    "$stream": ".+",
    "$job": ".+",
}
_LABEL_VALUES: Final = re.compile(r"label_values\((?P<selector>.*), (?P<label>\w+)\)")


@dataclass(frozen=True, slots=True)
class Expression:
    """One query.

    Attributes:
        dashboard: Title of the dashboard.
        place: Title of the panel, or what else asks it: ``annotation Incidents``, ``variable stream``.
        text: PromQL with Grafana's variables in it.
    """

    dashboard: str
    place: str
    text: str

    def filled(self, values: Mapping[str, str] | None = None) -> str:
        """The query as Prometheus gets it.

        Args:
            values: What variables stand for, by their names with the dollar sign; of the others, everything is
                selected, and times are a minute for rates and an hour for the range.
        """
        text = self.text
        for name, value in (_VARIABLES | dict(values or {})).items():
            text = text.replace(name, value)
        return text


def expressions(dashboard: Mapping[str, Any]) -> Iterator[Expression]:
    """All queries of a dashboard, given as the JSON that Grafana reads."""
    title = str(dashboard["title"])
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield Expression(title, str(panel["title"]), str(target["expr"]))
    for annotation in dashboard["annotations"]["list"]:
        yield Expression(title, f"annotation {annotation['name']}", str(annotation["expr"]))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and (found := _LABEL_VALUES.fullmatch(variable["query"]["query"])):
            text = f"group by ({found['label']}) ({found['selector']})"
            yield Expression(title, f"variable {variable['name']}", text)


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The panels that ask for something, those in folded rows among them."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel
