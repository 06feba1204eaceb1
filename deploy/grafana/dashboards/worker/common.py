"""What sections of *Worker* share."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BLUE, ORANGE, SKY
from deploy.grafana.dashboards.queries import Query, quantile

NO_WORKER: Final = "no worker"
NO_RULES: Final = "no recording rules"
_QUANTILES: Final = ((0.99, "99%", ORANGE), (0.9, "90%", SKY), (0.5, "median", BLUE))


def quantiles(selector: str) -> list[Query]:
    """Queries for the usual quantiles of a histogram.

    Args:
        selector: Of its buckets.
    """
    return [Query(quantile(q, selector), name, colour) for q, name, colour in _QUANTILES]
