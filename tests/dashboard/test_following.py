"""Following a topic: what the reader of a broker goes through, played by hand, and once with a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from detector.broker import LocalBroker
from detector.dashboard.board import Board
from detector.dashboard.following import Follower
from detector.errors import KafkaUnavailableError, MissingTopicError, StateMismatchError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.records.values import InputPartition, PlainRecord, Record
from detector.settings import KafkaSettings
from tests.dashboard.conftest import Topics, event
from tests.support.waiting import until
from tests.worker.support import (
    Cluster,
    RunningWorker,
    cluster,
    make_settings,
    record,
    run_worker,
    series_with_faults,
)

__all__ = ["cluster", "run_worker"]


class Log:
    """A topic, as a history shows it."""

    def __init__(self) -> None:
        self.partitions_: dict[int, list[int]] = {0: []}  # offsets that are there
        self.ends: dict[int, int] = {0: 0}
        self.trouble: Exception | None = None
        self.hiccups = 0
        self.opened = self.looks = self.reads = 0
        self.closed = 0

    def add(self, *offsets: int, partition: int = 0) -> None:
        self.partitions_.setdefault(partition, []).extend(offsets)
        self.ends[partition] = max([self.ends.get(partition, 0), *(offset + 1 for offset in offsets)])

    def open(self) -> Any:
        self.opened += 1
        self._trouble()
        return self

    def _trouble(self) -> None:
        if self.hiccups:
            self.hiccups -= 1
            raise KafkaTimeoutError("no answer, this once")
        if self.trouble is not None:
            raise self.trouble

    def partitions(self, topic: str) -> list[InputPartition]:
        return [InputPartition(topic, number) for number in self.partitions_]

    def first_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        return {one: min(self.partitions_[one.partition], default=self.ends[one.partition]) for one in partitions}

    def end_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        self.looks += 1
        self._trouble()
        return {one: self.ends[one.partition] for one in partitions}

    def offsets_at(self, partitions: Sequence[InputPartition], at: int) -> dict[InputPartition, int | None]:
        return {one: next((n for n in self.partitions_[one.partition] if n * 1000 >= at), None) for one in partitions}

    def read(self, ranges: Mapping[InputPartition, tuple[int, int]]) -> Iterator[Any]:
        self.reads += 1
        for one, (start, stop) in ranges.items():
            there = self.partitions_[one.partition]
            if start < stop and there and start < min(there):
                raise StateMismatchError("a part of the range to read was deleted by retention")
            found = [PlainRecord("events", one.partition, n, n * 1000, None, b"") for n in there if start <= n < stop]
            yield None
            if found:
                yield one, found

    def close(self) -> None:
        self.closed += 1


class Taken:
    def __init__(self) -> None:
        self.places: list[tuple[int, int]] = []

    def __call__(self, records: Sequence[Record]) -> None:
        self.places += [(one.partition, one.offset) for one in records]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.dashboard.following._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("detector.dashboard.following._RETRY_SECONDS", (0.01,))
    monkeypatch.setattr("detector.dashboard.following._LOOKS_BETWEEN_PARTITIONS", 2)


@pytest.fixture
def follow(log: Log, taken: Taken) -> Iterator[Callable[..., Follower]]:
    started: list[Follower] = []

    def start(since_ms: int | None = None) -> Follower:
        found = Follower("events", log.open, taken, since_ms, time.time_ns)
        started.append(found)
        found.start()
        return found

    yield start
    for one in started:
        one.stop()


def test_all_is_read_and_then_what_comes(log: Log, taken: Taken, follow: Callable[..., Follower]) -> None:
    log.add(0, 1, 3)
    found = follow()
    until(lambda: found.link.state == "live")
    assert taken.places == [(0, 0), (0, 1), (0, 3)]
    assert found.link.read_once
    log.ends[0] = 6  # a transaction's marker
    log.add(7)
    until(lambda: len(taken.places) == 4)
    until(lambda: found.link.behind_records == 0)
    log.ends[0] = 10  # another one, behind everything
    looks = log.looks
    until(lambda: log.looks > looks + 2)
    reads, looks = log.reads, log.looks
    until(lambda: log.looks > looks + 5)
    assert log.reads == reads  # what is no record is not asked for again and again
    found.stop()
    assert log.closed == log.opened == 1


def test_only_what_is_written_from_a_time_on_counts(log: Log, taken: Taken, follow: Callable[..., Follower]) -> None:
    log.add(0, 1, 2, 3)
    found = follow(since_ms=2000)
    until(lambda: found.link.state == "live")
    assert taken.places == [(0, 2), (0, 3)]
    log.add(4)
    log.add(0, partition=1)  # a new partition is read from its start
    until(lambda: len(taken.places) == 4)
    assert sorted(taken.places[2:]) == [(0, 4), (1, 0)]


@pytest.mark.parametrize(
    ("trouble", "state", "detail"),
    [
        (MissingTopicError("topic 'events' does not exist on the cluster; check the name"), "missing", "check the"),
        (KafkaUnavailableError("no records of events/0 arrived for 60 s"), "lost", "no records"),
        (KafkaTimeoutError("broker went away"), "lost", "broker went away"),
        (OSError("no route"), "lost", "no route"),
        (ZeroDivisionError("a secret"), "lost", "unexpected: ZeroDivisionError; see the log"),
    ],
)
def test_an_outage_is_told_and_outlasted(
    log: Log, taken: Taken, follow: Callable[..., Follower], trouble: Exception, state: str, detail: str
) -> None:
    log.add(0)
    found = follow()
    until(lambda: found.link.state == "live")
    log.trouble = trouble
    until(lambda: found.link.state == state)
    assert detail in found.link.detail
    assert found.link.read_once
    log.add(1)
    log.trouble = None
    until(lambda: found.link.state == "live")
    assert taken.places == [(0, 0), (0, 1)]


def test_an_outage_after_a_good_time_is_tried_again_as_soon_as_the_first_one(
    log: Log, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.dashboard.following._RETRY_SECONDS", (0.01, 3600.0))
    found = follow()
    for outages in range(1, 4):
        until(lambda: found.link.state == "live")
        log.hiccups = 1
        until(lambda: log.opened == outages + 1)  # noqa: B023 - it is called before the next round


def test_what_retention_took_is_counted_and_the_rest_read(
    log: Log, taken: Taken, follow: Callable[..., Follower]
) -> None:
    log.add(0)
    found = follow()
    until(lambda: found.link.state == "live")
    log.partitions_[0], log.ends[0] = [5, 6], 7
    until(lambda: found.link.state == "live" and len(taken.places) == 3)
    assert taken.places == [(0, 0), (0, 5), (0, 6)]
    assert found.link.lost_ranges == 1


def test_a_topic_that_was_made_anew_is_read_from_its_start(
    log: Log, taken: Taken, follow: Callable[..., Follower]
) -> None:
    log.add(*range(5))
    found = follow()
    until(lambda: found.link.state == "live")
    log.partitions_[0], log.ends[0] = [0], 1
    until(lambda: len(taken.places) == 6 and found.link.state == "live")
    assert (taken.places[-1], found.link.lost_ranges) == ((0, 0), 1)


@pytest.mark.kafka
def test_a_real_topic_that_is_not_there_yet_is_waited_for(broker: LocalBroker, taken: Taken) -> None:
    topics = Topics(broker.bootstrap)
    kafka = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    found = Follower(topics.events, lambda: History(consumer_config(kafka)), taken, None, time.time_ns)
    found.start()
    try:
        until(lambda: found.link.state == "missing")
        from kafka.admin import KafkaAdminClient, NewTopic

        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(topics.events, 2, 1)])
        admin.close()
        topics.tell(event("aa"), event("bb", series="web-2"))
        until(lambda: len(taken.places) == 2 and found.link.state == "live")
    finally:
        found.stop()
        topics.producer.close()


@pytest.mark.kafka
def test_a_live_workers_incident_is_on_the_board_once_it_is_committed(
    cluster: Cluster, run_worker: Callable[..., RunningWorker]
) -> None:
    settings = make_settings(cluster)
    worker = run_worker(settings)
    board = Board(100)
    found = Follower(
        settings.topics.events, lambda: History(consumer_config(settings.kafka)), board.take_events, None, time.time_ns
    )
    found.start()
    try:
        cluster.send("pump-1", series_with_faults(20, [(8, 40)]))
        until(lambda: [one.summary.is_open for one in board.view().incidents] == [True])
        cluster.send("pump-1", [record(second, 0.1) for second in range(20, 30)])
        until(lambda: [one.summary.is_open for one in board.view().incidents] == [False])
        worker.stop()
        (incident,) = board.view().incidents
        assert [told.event for told in incident.told] == cluster.events()
        until(lambda: found.link.state == "live" and found.link.behind_records == 0)
    finally:
        found.stop()
