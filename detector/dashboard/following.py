"""Following a topic live, outside of any group: from a time on, past outages, retention and new partitions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from detector.errors import DetectorError, MissingTopicError, StateMismatchError
from detector.kafka.errors import TransientKafkaError
from detector.kafka.history import History
from detector.records.values import InputPartition, Record

_LOG = structlog.get_logger(__name__)
_PAUSE_SECONDS = 0.25
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
# A partition that was added is found after so many looks for new records.
_LOOKS_BETWEEN_PARTITIONS = 120

LinkState = Literal["connecting", "catching_up", "live", "missing", "lost"]


@dataclass(frozen=True, slots=True)
class Link:
    """How it stands with a topic that is followed.

    Attributes:
        topic: Its name.
        state: ``connecting``: no answer yet. ``catching_up``: there is more to read. ``live``: all was read.
            ``missing``: there is no such topic. ``lost``: the brokers do not answer, or refuse.
        since_ns: Wall time from which on it has been so.
        detail: Why, for people; empty where the state says all.
        behind_records: Records that are still to be read, markers of transactions among them.
        read_once: Whether all was read at some time.
        lost_ranges: How often retention, or a new topic under the name, took records before they were read.
    """

    topic: str
    state: LinkState
    since_ns: int
    detail: str = ""
    behind_records: int = 0
    read_once: bool = False
    lost_ranges: int = 0


class Follower:
    """Reads a topic on a thread of its own and hands its records on.

    Args:
        topic: Name.
        open_history: Connects to the cluster.
        take: Is given records, in the order of each partition.
        since_ms: Record timestamp from which on records count; None: all.
        clock: Wall time, nanoseconds since the epoch.
        changed: Is called when the state of the link has changed.
        needed: Whether it is worth a warning that there is no such topic.
    """

    def __init__(
        self,
        topic: str,
        open_history: Callable[[], History],
        take: Callable[[Sequence[Record]], None],
        since_ms: int | None,
        clock: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
        needed: bool = True,
    ) -> None:
        self._topic, self._open, self._take = topic, open_history, take
        self._since_ms, self._clock, self._changed = since_ms, clock, changed
        self._needed = needed
        self._next: dict[InputPartition, int] = {}
        self._begun = False
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {topic}", daemon=True)
        self._link = Link(topic, "connecting", clock())

    @property
    def link(self) -> Link:
        """How it stands now."""
        return self._link

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_seconds: float = 2.0) -> None:
        """End; a call to a broker that does not answer is not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            history = None
            try:
                history = self._open()
                self._follow(history)
            except StateMismatchError as error:
                self._begin_anew(error)
                continue
            except MissingTopicError as error:
                self._say("missing", str(error))
            except (DetectorError, TransientKafkaError, OSError) as error:
                self._say("lost", str(error) or type(error).__name__)
            except Exception as error:
                # Without this the page would show an old state as if it were the present one.
                _LOG.exception("following a topic failed", topic=self._topic)
                self._say("lost", f"unexpected: {type(error).__name__}; see the log")
            finally:
                if history is not None:
                    history.close()
            self._stop.wait(_RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)])
            self._failures += 1

    def _follow(self, history: History) -> None:
        looks = 0
        partitions: list[InputPartition] = []
        while not self._stop.is_set():
            if looks % _LOOKS_BETWEEN_PARTITIONS == 0:
                partitions = self._partitions(history)
            looks += 1
            ends = history.end_offsets(partitions)
            behind = self._behind(ends)
            if behind:
                self._say("catching_up" if self._link.state != "live" else "live", behind=behind)
                ranges = {partition: (self._next[partition], end) for partition, end in ends.items()}
                for chunk in history.read(ranges):
                    if self._stop.is_set():
                        return
                    if chunk is not None:
                        partition, records = chunk
                        self._take(records)
                        self._next[partition] = records[-1].offset + 1
                        self._say(self._link.state, behind=self._behind(ends))
                # A transaction's markers are no records, but lie behind what was read.
                self._next.update(ends)
            self._say("live")
            self._failures = 0
            self._stop.wait(_PAUSE_SECONDS)

    def _partitions(self, history: History) -> list[InputPartition]:
        """All partitions; it is known from where on each is to be read."""
        found = history.partitions(self._topic)
        new = [partition for partition in found if partition not in self._next]
        if new:
            first = history.first_offsets(new)
            # Of a partition that was added later everything is new.
            if self._since_ms is not None and not self._begun:
                ends = history.end_offsets(new)
                at = history.offsets_at(new, max(0, self._since_ms))
                first = {partition: ends[partition] if (where := at[partition]) is None else where for partition in new}
            self._next.update(first)
        self._begun = True
        return found

    def _behind(self, ends: dict[InputPartition, int]) -> int:
        if any(self._next[partition] > end for partition, end in ends.items()):
            raise StateMismatchError(f"the topic {self._topic!r} was made anew")
        return sum(end - self._next[partition] for partition, end in ends.items())

    def _begin_anew(self, error: StateMismatchError) -> None:
        """What was to be read next is not there any more: go on with the oldest that is."""
        _LOG.warning("records were gone before they were read", topic=self._topic, reason=str(error))
        self._next.clear()
        self._link = replace(self._link, lost_ranges=self._link.lost_ranges + 1)
        self._say("connecting")
        self._stop.wait(_RETRY_SECONDS[0])

    def _say(self, state: LinkState, detail: str = "", behind: int = 0) -> None:
        before = self._link
        if (before.state, before.detail, before.behind_records) == (state, detail, behind):
            return
        since_ns = before.since_ns if before.state == state else self._clock()
        self._link = replace(
            before,
            state=state,
            since_ns=since_ns,
            detail=detail,
            behind_records=behind,
            read_once=before.read_once or state == "live",
        )
        if state != before.state:
            if state == "lost" or (state == "missing" and self._needed):
                _LOG.warning("topic cannot be followed", topic=self._topic, state=state, reason=detail)
            elif before.state == "lost" or (before.state == "missing" and self._needed):
                _LOG.info("topic is followed again", topic=self._topic)
        self._changed()
