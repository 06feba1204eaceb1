"""What several sections ask or say alike."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BLUE, ORANGE, PURPLE
from deploy.grafana.dashboards.queries import (
    recorded,
    streams,
)

RATIO: Final = streams("score_threshold_ratio_bucket")
RECORDED_RATIO: Final = recorded("stream_le:reconstream_score_threshold_ratio_bucket:rate5m")
SHADOW_RATIO: Final = streams("shadow_score_threshold_ratio_bucket")
# With the labels of the model, so that it stands in its row.
IN_FORCE: Final = (
    f"max by (stream, version, model, runtime) ({streams('model_info')}) "
    f"* on (stream) group_left () max by (stream) ({streams('score_threshold')})"
)
NO_WORKER: Final = "no worker"
NO_CHALLENGER: Final = "no challenger"
NOT_MEASURED: Final = "not measured yet"
VERDICTS: Final = {"both": BLUE, "champion_only": ORANGE, "challenger_only": PURPLE}


def worst(metric: str, *by: str) -> str:
    """Of the worker for which it is greatest, since each tells of its partitions only."""
    return f"max by ({', '.join(by)}) ({streams(metric)})" if by else f"max({streams(metric)})"
