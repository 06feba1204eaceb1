"""How scores over their threshold are asked for, alike on every dashboard."""

from __future__ import annotations

from collections.abc import Callable

from deploy.grafana.dashboards.colours import BAD, BLUE, ORANGE, SKY
from deploy.grafana.dashboards.queries import Query


def score_quantiles(ask: Callable[[float], str]) -> list[Query]:
    """The quantiles that say how far the usual window, and the worst ones, are from the threshold.

    Args:
        ask: PromQL of a quantile, between 0 and 1.
    """
    return [
        Query(ask(0.999), "99.9%", BAD),
        Query(ask(0.99), "99%", ORANGE),
        Query(ask(0.9), "90%", SKY),
        Query(ask(0.5), "median", BLUE),
    ]
