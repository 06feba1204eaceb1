"""A worker with a trained model that has watched a topic, and what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.alerting.events import Event, decode
from detector.cli.common.assemble import open_bundle, stream_context
from detector.settings import Settings
from tests.end_to_end.conftest import bundle_dir, published, settings_document
from tests.worker.support import Cluster, RunningWorker, cluster

__all__ = ["bundle_dir", "cluster", "published"]


@dataclass
class Watched:
    """What there is after a worker has watched.

    Attributes:
        settings: Of the worker.
        events: The latest of each incident, in the order of their series.
    """

    cluster: Cluster
    settings: Settings
    events: list[Event]

    def of(self, series: str) -> list[Event]:
        return [event for event in self.events if event.series == series and event.kind == "reconstruction"]


@pytest.fixture
def watched(published: Cluster, bundle_dir: Path) -> Watched:
    """Three pumps with 400 samples each, two faults in the first and one in the second; hourly states every moment."""
    document = settings_document(published, bundle_dir)
    document["worker"]["state"] = {"checkpoint_interval_seconds": 0.2, "max_replay_records": 100}
    settings = Settings.model_validate(document)
    stream = settings.streams[0]
    worker = RunningWorker(
        settings, lambda cluster_id: {stream.topic: stream_context(stream, open_bundle(stream.model), cluster_id)}
    )
    worker.wait_committed(published, {0: 800, 1: 400})
    worker.stop()
    latest: dict[str, Event] = {}
    for record in published.read(settings.topics.events):
        event = decode(record.value)
        latest[event.incident_id] = event
    return Watched(published, settings, sorted(latest.values(), key=lambda event: (event.series, event.started_at)))
