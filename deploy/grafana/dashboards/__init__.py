"""The dashboards, a module or a package each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards import anomalies, model, replay, worker

# By the file that Grafana reads.
DASHBOARDS: Final[Mapping[str, Callable[[], dashboard.Dashboard]]] = MappingProxyType(
    {
        "reconstream-anomalies.json": anomalies.build,
        "reconstream-worker.json": worker.build,
        "reconstream-model.json": model.build,
        "reconstream-replay.json": replay.build,
    }
)
