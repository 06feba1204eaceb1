"""What the loop shows of itself between cycles: health, gauges and lag."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from detector.kafka.errors import TransientKafkaError
from detector.observability.health import Health
from detector.records.values import InputPartition
from detector.worker.end_trail import EndTrail
from detector.worker.instruments import Instruments
from detector.worker.live_partition import LivePartition
from detector.worker.placement import Placement

_log = structlog.get_logger(__name__)
_REPORT_EVERY_SECONDS = 1.0
_LAG_EVERY_SECONDS = 5.0

Ends = Callable[[Sequence[InputPartition]], Mapping[InputPartition, int]]


class Reporter:
    """Brings health up to date in every cycle, gauges every second, and lag every five.

    Args:
        streams: Names, so that one without a partition shows zeros.
        instruments: Told of everything that is counted.
        health: Told of progress and readiness.
        placement: Which series are in several partitions.
        ends: Last stable offset of partitions; asks the brokers.
        monotonic: Clock for intervals.
    """

    def __init__(
        self,
        streams: Iterable[str],
        instruments: Instruments,
        health: Health,
        placement: Placement,
        ends: Ends,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = tuple(streams)
        self._instruments = instruments
        self._health = health
        self._placement = placement
        self._ends = ends
        self._monotonic = monotonic
        self._trails: dict[InputPartition, EndTrail] = {}
        self._last_report = monotonic() - _REPORT_EVERY_SECONDS
        self._last_lag = monotonic() - _LAG_EVERY_SECONDS

    def report(self, live: Mapping[InputPartition, LivePartition], restoring: int, was_assigned: bool) -> None:
        """A cycle is over.

        Args:
            live: Partitions that are being processed.
            restoring: Partitions on their way.
            was_assigned: Whether the group has ever given this worker an assignment.
        """
        self._health.loop_progress()
        if restoring:
            self._health.set_not_ready("assignment", f"{restoring} partitions are being restored")
        elif not live and not was_assigned:
            self._health.set_not_ready("assignment", "the group has not assigned anything yet")
        else:
            self._health.set_ready("assignment")
        now = self._monotonic()
        if now - self._last_report >= _REPORT_EVERY_SECONDS:
            self._last_report = now
            self._gauges(live, restoring)
        if now - self._last_lag >= _LAG_EVERY_SECONDS:
            self._last_lag = now
            self._lag(live)

    def _gauges(self, live: Mapping[InputPartition, LivePartition], restoring: int) -> None:
        self._instruments.assigned(len(live), restoring)
        for stream in self._streams:
            pipelines = [partition.pipeline for partition in live.values() if partition.context.name == stream]
            self._instruments.observe(stream, pipelines)
            if not pipelines and not restoring:
                self._instruments.rests(stream)
            self._instruments.spread(stream, self._placement.several(stream))

    def _lag(self, live: Mapping[InputPartition, LivePartition]) -> None:
        try:
            ends = self._ends(list(live))
        except TransientKafkaError as error:
            _log.debug("lag is unknown", error=str(error))
            return
        now = self._monotonic()
        self._trails = {partition: self._trails.get(partition) or EndTrail() for partition in live}
        for partition, at in live.items():
            if partition not in ends:
                continue
            end, position = ends[partition], at.next_offset if at.committed is None else at.committed
            trail = self._trails[partition]
            trail.note(end, now)
            behind = trail.seconds_behind(position, now)
            self._instruments.lag(at.context.name, partition, max(0, end - position), behind)
