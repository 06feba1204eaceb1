"""Partitions that wait to be restored: one after the other, a slice of time between polls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog

from detector.errors import KafkaUnavailableError, StateMismatchError
from detector.kafka.errors import TransientKafkaError
from detector.kafka.membership import Membership
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.worker.instruments import Instruments
from detector.worker.recovery.values import Restored, Steps
from detector.worker.recovery.ways import Recovery

_log = structlog.get_logger(__name__)
_SLICE_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_LOG_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class _UnderWay:
    """The partition that is being restored.

    Attributes:
        started: Monotonic seconds.
        log_at: When to say how far it is, monotonic seconds.
    """

    partition: InputPartition
    steps: Steps
    started: float
    log_at: float


class Restorations:
    """A queue of partitions, of which the first is being restored.

    Args:
        recovery: Does it, in steps.
        contexts: Stream by input topic, as it is when a restoration begins.
        instruments: Told of progress.
        is_member: Asks the group whether it still counts this worker in.
        monotonic: Clock for intervals.
    """

    def __init__(
        self,
        recovery: Recovery,
        contexts: Mapping[str, StreamContext],
        instruments: Instruments,
        is_member: Callable[[Membership], bool] = bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recovery = recovery
        self._contexts = contexts
        self._instruments = instruments
        self._is_member = is_member
        self._monotonic = monotonic
        self._waiting: deque[InputPartition] = deque()
        self._now: _UnderWay | None = None
        self._retry_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + (self._now is not None)

    def __iter__(self) -> Iterator[InputPartition]:
        if self._now is not None:
            yield self._now.partition
        yield from self._waiting

    @property
    def is_due(self) -> bool:
        """Whether `advance` has something to do now."""
        return self._now is not None or (bool(self._waiting) and self._monotonic() >= self._retry_at)

    def add(self, partition: InputPartition) -> None:
        """Put a partition at the end of the queue."""
        self._waiting.append(partition)

    def discard(self, partition: InputPartition) -> None:
        """Take a partition out, wherever it is; what was read of it is lost. Unknown ones are ignored."""
        if partition in self._waiting:
            self._waiting.remove(partition)
        if self._now is not None and self._now.partition == partition:
            self._now = None

    def advance(self, membership: Membership) -> tuple[InputPartition, Restored, float] | None:
        """Spend a slice of time, then let the caller poll again.

        Returns:
            A partition that is restored, its state, and the seconds that it took; mostly None.

        Raises:
            StateMismatchError: state, offsets and input contradict each other.
        """
        if not self.is_due:
            return None
        now = self._now = self._now or self._begin(self._waiting.popleft())
        until = self._monotonic() + _SLICE_SECONDS
        try:
            for step in now.steps:
                if isinstance(step, Restored):
                    self._now = None
                    seconds = self._monotonic() - now.started
                    self._instruments.restored(self._contexts[now.partition.topic].name, step.records, seconds)
                    return now.partition, step, seconds
                self._tell(now, step)
                if self._monotonic() > until:
                    return None
        except (TransientKafkaError, KafkaUnavailableError) as error:
            self._try_again(now.partition, error)
        except StateMismatchError as error:
            if not self._was_given_up(membership):
                raise
            self._try_again(now.partition, error)
        return None

    def _begin(self, partition: InputPartition) -> _UnderWay:
        _log.info("restoring", topic=partition.topic, partition=partition.partition)
        started = self._monotonic()
        steps = self._recovery.restore(partition, self._contexts[partition.topic])
        return _UnderWay(partition, steps, started, started + _LOG_EVERY_SECONDS)

    def _try_again(self, partition: InputPartition, error: Exception) -> None:
        _log.warning("restoring failed, trying again", partition=partition.partition, error=str(error))
        self._instruments.restore_failed(self._contexts[partition.topic].name)
        self._now = None
        self._waiting.appendleft(partition)
        self._retry_at = self._monotonic() + _RETRY_SECONDS

    def _was_given_up(self, membership: Membership) -> bool:
        """Whether the group has given this worker up, so that others may be moving offsets and state.

        The next polls will say so; what looks like a contradiction is then none of its business.
        """
        try:
            return not self._is_member(membership)
        except KafkaUnavailableError:
            return True  # and then it will be asked again
        except TransientKafkaError as error:
            return bool(error.retriable)  # without the right to ask, what was found stands

    def _tell(self, now: _UnderWay, step: Progress) -> None:
        self._instruments.restoring(max(0, step.total - step.done))
        if self._monotonic() < now.log_at:
            return
        now.log_at = self._monotonic() + _LOG_EVERY_SECONDS
        _log.info(
            "still restoring",
            topic=now.partition.topic,
            partition=now.partition.partition,
            records=step.done,
            of=step.total,
            seconds=round(self._monotonic() - now.started, 1),
        )
