"""Topics that are deleted, or deleted and created again, under a running worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient

from detector.errors import StateMismatchError
from tests.worker.support import KEEP, Cluster, RunningWorker, make_settings, series_with_faults

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]


def delete(cluster: Cluster, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        admin.delete_topics([topic])
    finally:
        admin.close()


def test_an_input_topic_that_was_created_again_ends_the_worker(
    cluster: Cluster, run_worker: Start, create_topic: Callable[..., None]
) -> None:
    cluster.send("pump-1", series_with_faults(60, []))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 60})
    delete(cluster, cluster.input)
    create_topic(cluster.input, partitions=2, config=KEEP)
    cluster.send("pump-1", series_with_faults(20, []))
    says = r"stands at offset 60 of .*/0, beyond its end .*deleted and created again.*worker\.group and topics\.state"
    with pytest.raises(StateMismatchError, match=says):
        worker.wait_for(lambda: False, seconds=60)
    worker.parts.close()
    again = run_worker()
    with pytest.raises(StateMismatchError, match=says):
        again.wait_for(lambda: False, seconds=60)


def test_a_state_topic_that_is_gone_ends_the_worker(
    cluster: Cluster, run_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.kafka.history._CALL_TIMEOUT_MS", 3_000)
    cluster.send("pump-1", series_with_faults(30, []))
    worker = run_worker(make_settings(cluster, transaction_timeout_seconds=3))
    worker.wait_committed(cluster, {0: 30})
    delete(cluster, f"{cluster.name}.state")
    cluster.send("pump-1", series_with_faults(60, [])[30:])
    with pytest.raises(
        StateMismatchError, match=r"state' is gone: it was deleted while .* topics\.state to begin anew"
    ):
        worker.wait_for(lambda: False, seconds=75)
    worker.parts.close()
    # A restart creates the topic anew, finds no state for the committed offset, and says so.
    monkeypatch.setattr("detector.worker.recovery.stored._MARKER_PATIENCE_SECONDS", 0.5)
    again = run_worker(make_settings(cluster, transaction_timeout_seconds=3))
    with pytest.raises(StateMismatchError, match=r"committed offset 30 .*it was deleted"):
        again.wait_for(lambda: False, seconds=60)
