"""A restart soon after another model took over: its records are judged by it, those before it by nobody again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.pipeline.context import StreamContext
from tests.worker.support import Cluster, RunningWorker, make_context, make_settings, series_with_faults

pytestmark = pytest.mark.kafka


def run(cluster: Cluster, model: str, threshold: float, length: int | None, max_replay_records: int) -> RunningWorker:
    settings = make_settings(cluster, state={"max_replay_records": max_replay_records})

    def contexts(cluster_id: str) -> dict[str, StreamContext]:
        made = make_context(settings, cluster_id, threshold=threshold, quiet_score=0.8 * threshold)
        spec = made.spec if length is None else replace(made.spec, length=length)
        return {cluster.input: replace(made, spec=spec, identity=replace(made.identity, model=model * 64))}

    return RunningWorker(settings, contexts)


@pytest.mark.parametrize(
    ("length", "max_replay_records", "windows"),
    [(None, 1000, ["empty", "carried"]), (5, 100, ["empty", "rebuilt"])],
    ids=["same-shape", "other-shape"],
)
def test_an_incident_that_only_the_new_model_sees_is_told_though_it_restarts(
    cluster: Cluster, length: int | None, max_replay_records: int, windows: list[str]
) -> None:
    """With other windows, snapshots of the old shape stay behind of series that are not heard of any more."""
    cluster.send("silent", series_with_faults(5, []))
    items = series_with_faults(260, [(230, 250)])
    # The first model does not mind the fault; the second takes over in the middle of it.
    for model, threshold, shape, start, stop in (
        ("0", 10.0, None, 0, 240), ("1", 1.0, length, 240, 241), ("1", 1.0, length, 241, 260),
    ):  # fmt: skip
        cluster.send("pump-1", items[start:stop])
        worker = run(cluster, model, threshold, shape, max_replay_records)
        try:
            worker.wait_committed(cluster, {0: stop + 5})
        finally:
            worker.stop()
    events = [(event.event, event.source.opened_offset) for event in cluster.events()]
    assert events == [("opened", 246), ("closed", 246)]
    assert [epoch.windows for epoch in cluster.epochs() if epoch.partition == 0] == windows
