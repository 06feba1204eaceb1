"""Deletes input that no restart may need any more: recovery must do without what its state says it can do without."""

from __future__ import annotations

import contextlib
import threading

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.chaos.observer import Observer

_EVERY_SECONDS = 1.0


class Retention:
    """Deletes everything below `replay_from`, as the control records on the state topic give it; a context manager.

    Args:
        bootstrap: Of the cluster, not through the proxy.
        topic: Input.
        observer: Reads the state; nothing that it has not seen of the input is deleted, or the check could not know it.
    """

    def __init__(self, bootstrap: str, topic: str, observer: Observer) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._observer = observer
        self.deleted_below: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def __enter__(self) -> Retention:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            # A broker that is away is what the run is about; the next round tries again.
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                self._round()

    def _round(self) -> None:
        wanted: dict[TopicPartition, int] = {}
        for partition, control in list(self._observer.controls.items()):
            offset = min(control.replay_from, self._observer.next_offset(self._topic, partition))
            if offset > self.deleted_below.get(partition, 0):
                wanted[TopicPartition(self._topic, partition)] = offset
        if not wanted:
            return
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","), request_timeout_ms=5000)
        try:
            admin.delete_records(wanted, timeout_ms=5000)
        finally:
            admin.close()
        self.deleted_below.update({key.partition: offset for key, offset in wanted.items()})
