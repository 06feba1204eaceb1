"""What sections of *Model* share."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.queries import recorded, streams

RATIO: Final = streams("score_threshold_ratio_bucket")
RECORDED_RATIO: Final = recorded("stream_le:reconstream_score_threshold_ratio_bucket:rate5m")
NO_WORKER: Final = "no worker"


def worst(metric: str, *by: str) -> str:
    """A gauge at its greatest, of all workers that have it.

    Args:
        metric: Its name, without the prefix.
        by: Labels that it is told apart by.
    """
    return f"max by ({', '.join(by)}) ({streams(metric)})" if by else f"max({streams(metric)})"
