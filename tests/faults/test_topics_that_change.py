"""Topics that are deleted, or deleted and created again, under a running worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient

from detector.errors import StateMismatchError
from tests.worker.support import KEEP, Cluster, RunningWorker, series_with_faults

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
