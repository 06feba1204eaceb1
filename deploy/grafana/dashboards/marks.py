"""What is marked across all panels: incidents, changes of model, and what happens to workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.colours import ORANGE, PURPLE, SKY, VERMILLION
from deploy.grafana.dashboards.frame import PROMETHEUS
from deploy.grafana.dashboards.queries import RATE, instances, streams


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


class PrometheusAnnotation(dashboard.AnnotationQuery):
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
        """What Grafana reads."""
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
