"""``detector repartition`` as people run it, against the real broker."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from detector.broker import LocalBroker
from detector.kafka import copying, merging
from tests.support.commands import Command, Ended
from tests.worker.support import Cluster

pytestmark = pytest.mark.kafka
START_MS = 1_600_000_000_000
Run = Callable[..., Ended]


@pytest.fixture
def run(command: Command, broker: LocalBroker, topic_name: str) -> Run:
    """Runs the command from the test's source to its target: exit code, standard output, standard error."""

    def run_it(*arguments: object, source: str = "", target: str = "") -> Ended:
        names = [source or f"{topic_name}.input", target or f"{topic_name}.keyed"]
        return command("repartition", *names, *arguments, "--bootstrap-server", broker.bootstrap)

    return run_it


@pytest.fixture
def spread(broker: LocalBroker, topic_name: str, create_topic: Any) -> Cluster:
    """A topic of three partitions over which series are spread without a system."""
    found = Cluster(broker.bootstrap, topic_name)
    create_topic(found.input, partitions=3, config={"retention.ms": "-1"})
    return found


def fill(cluster: Cluster, count: int, first: int = 0, key: bool = True) -> list[tuple[str, int, bytes]]:
    """Records (series, timestamp, value) in the order of their timestamps, each in a random partition."""
    rng = random.Random(first)
    sent = []
    for number in range(first, first + count):
        series = f"pump-{rng.randrange(20)}"
        value = json.dumps({"pump": series, "number": number, "fill": "x" * rng.randrange(200)}).encode()
        cluster.producer.send(
            cluster.input, key=series.encode() if key else None, value=value, partition=rng.randrange(3),
            timestamp_ms=START_MS + number, headers=[("number", str(number).encode())],
        )  # fmt: skip
        sent.append((series, START_MS + number, value))
    cluster.producer.flush()
    return sent


def copied(cluster: Cluster) -> dict[str, list[tuple[int, bytes]]]:
    """Series -> (timestamp, value) in the target's order; each series must be in one partition, the default one."""
    default = cluster.producer.config["partitioner"]
    found: dict[str, list[tuple[int, bytes]]] = {}
    places: dict[str, set[int]] = {}
    for record in cluster.read(f"{cluster.name}.keyed"):
        series = record.key.decode()
        found.setdefault(series, []).append((record.timestamp, record.value))
        places.setdefault(series, set()).add(record.partition)
        assert record.headers == [("number", str(json.loads(record.value)["number"]).encode())]
    metadata = cluster.producer._metadata
    for series, numbers in places.items():
        key = series.encode()
        assert numbers == {default.partition(f"{cluster.name}.keyed", key, key, None, None, metadata)}, series
    return found


def by_series(sent: list[tuple[str, int, bytes]]) -> dict[str, list[tuple[int, bytes]]]:
    found: dict[str, list[tuple[int, bytes]]] = {}
    for series, timestamp, value in sent:
        found.setdefault(series, []).append((timestamp, value))
    return found


def know_target(cluster: Cluster) -> None:
    cluster.producer.partitions_for(f"{cluster.name}.keyed")


def test_every_series_comes_to_be_in_one_partition_in_order(
    spread: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_BUFFER_RECORDS", 100)  # so that partitions wait for each other
    sent = fill(spread, 3000)
    code, out, _ = run("--partitions", 5)
    assert code == 0
    assert out == f"copied 3,000 records from '{spread.input}' to '{spread.name}.keyed', into 5 of its 5 partitions\n"
    know_target(spread)
    assert copied(spread) == by_series(sent)


def test_a_second_run_copies_what_has_come_since(spread: Cluster, run: Run) -> None:
    sent = fill(spread, 200)
    assert run()[0] == 0
    assert "copied 0 records since the earlier run" in run()[1]
    sent += fill(spread, 100, first=200)
    assert "copied 100 records since the earlier run" in run()[1]
    know_target(spread)
    assert copied(spread) == by_series(sent)


@pytest.mark.parametrize("committed", [True, False], ids=["after-the-commit", "before-the-commit"])
def test_a_run_that_broke_off_goes_on_without_loss_or_repetition(
    spread: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    monkeypatch.setattr("detector.repartition._BATCH_RECORDS", 70)
    sent = fill(spread, 500)
    calls = []

    class Breaking(KafkaProducer):  # type: ignore[misc]
        def commit_transaction(self) -> None:
            calls.append(1)
            if len(calls) == 4 and not committed:
                raise KafkaTimeoutError("gone")
            super().commit_transaction()
            if len(calls) == 4:
                raise KafkaTimeoutError("gone")

    monkeypatch.setattr(copying.CopyWriter.__init__, "__defaults__", (Breaking,))
    code, _, err = run()
    assert code == 3
    assert "run this again: it goes on where it stopped, without repeating a record" in " ".join(err.split())
    # The first transaction holds no records but the start.
    done = sum(map(len, copied_anyhow(spread).values()))
    assert done == (210 if committed else 140)
    code, out, _ = run()
    assert code == 0
    assert f"copied {500 - done} records since the earlier run" in out
    know_target(spread)
    assert copied(spread) == by_series(sent)


def copied_anyhow(cluster: Cluster) -> dict[str, list[tuple[int, bytes]]]:
    know_target(cluster)
    return copied(cluster)


def test_records_without_a_series_stop_the_copy_or_go_to_a_topic_of_their_own(spread: Cluster, run: Run) -> None:
    sent = fill(spread, 50)
    spread.producer.send(spread.input, value=b"no key", partition=1, timestamp_ms=START_MS + 50, headers=[("h", b"1")])
    spread.producer.send(spread.input, key=b"\xff", value=None, partition=2, timestamp_ms=START_MS + 51)
    spread.producer.flush()
    sent += fill(spread, 50, first=52)
    code, _, err = run()
    message = " ".join(err.split())
    assert code == 2
    assert "has no series that can be read (missing_series: the record has no key" in message
    assert "add --rejects TOPIC and run this again: it goes on there" in message
    code, out, _ = run("--rejects", f"{spread.name}.odd")
    assert code == 0
    assert (
        out.splitlines()[1] == f"2 records without a series went to '{spread.name}.odd': missing_series 1, not_utf8 1"
    )
    know_target(spread)
    assert copied(spread) == by_series(sent)
    one, two = spread.read(f"{spread.name}.odd")
    assert (one.partition, one.key, one.value, one.timestamp) == (1, None, b"no key", START_MS + 50)
    assert (two.partition, two.key, two.value, two.timestamp) == (2, b"\xff", None, START_MS + 51)
    assert dict(one.headers)["original.h"] == b"1"
    assert dict(one.headers)["reconstream-reason"] == b"missing_series"


def test_series_are_named_by_fields_of_the_value(spread: Cluster, run: Run, tmp_path: Path) -> None:
    sent = fill(spread, 100, key=False)
    assert run("--series-field", "pump")[0] == 0
    know_target(spread)
    assert copied(spread) == by_series(sent)
    config = tmp_path / "detector.yaml"
    config.write_text(
        f"streams:\n  - name: pumps\n    topic: {spread.input}\n    model: m\n    record: {{series_fields: [pump]}}\n"
    )
    code, out, _ = run("-c", config)
    assert code == 0
    assert "copied 0 records since the earlier run" in out
    other = config.read_text().replace("[pump]", "[number]")
    config.write_text(other)
    code, _, err = run("-c", config)
    assert code == 7
    assert "with other series fields, or one of the topics was created anew" in " ".join(err.split())


def test_a_target_with_records_of_others_is_refused_without_append(
    spread: Cluster, run: Run, create_topic: Any
) -> None:
    sent = fill(spread, 20)
    create_topic(f"{spread.name}.keyed", partitions=2, config={"retention.ms": "-1"})
    spread.producer.send(f"{spread.name}.keyed", key=b"x", value=b'{"number": 0}', headers=[("number", b"0")])
    spread.producer.flush()
    code, _, err = run()
    assert code == 2
    assert (
        "holds records already, and not of an earlier run of this copy; name a new topic, or add --append"
        in " ".join(err.split())
    )
    assert run("--append")[0] == 0
    found = copied_anyhow(spread)
    assert found.pop("x")
    assert found == by_series(sent)


def test_a_target_that_would_delete_the_copy_is_refused(spread: Cluster, run: Run, create_topic: Any) -> None:
    fill(spread, 5)
    create_topic(f"{spread.name}.keyed", partitions=2)
    code, _, err = run()
    assert code == 3
    assert "the broker would delete them at once. Name a new TARGET" in " ".join(err.split())


def test_a_target_that_was_created_anew_is_not_taken_for_the_old_one(
    spread: Cluster, run: Run, broker: LocalBroker
) -> None:
    fill(spread, 20)
    assert run()[0] == 0
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_topics([f"{spread.name}.keyed"])
    admin.close()
    code, _, err = run()
    assert code == 7
    assert f"the consumer group 'reconstream-repartition.{spread.input}.{spread.name}.keyed'" in " ".join(err.split())


def test_wrong_use_says_what_to_change(spread: Cluster, run: Run, tmp_path: Path) -> None:
    def message(code: int, *arguments: object, **names: str) -> str:
        found, _, err = run(*arguments, **names)
        assert found == code, err
        return " ".join(err.split())

    assert "must be different topics" in message(2, target=spread.input)
    assert "must be different topics" in message(2, "--rejects", spread.input)
    assert "the topic 'nowhere' does not exist; check the name" in message(3, source="nowhere")
    assert "add -c detector.yaml" in message(2, "--stream", "pumps")
    config = tmp_path / "detector.yaml"
    config.write_text("streams:\n  - name: pumps\n    topic: other\n    model: m\n")
    assert "reads the topic" in message(2, "-c", config)
    assert "has no stream 'x'; it has pumps" in message(2, "-c", config, "--stream", "x")
    fill(spread, 5)
    assert run("-c", config, "--stream", "pumps")[0] == 0
    assert "exists with 3 partitions, not 4; leave --partitions out" in message(3, "--partitions", 4)


def test_large_records_are_copied_whole(spread: Cluster, run: Run, create_topic: Any, broker: LocalBroker) -> None:
    wide = f"{spread.name}.wide"
    create_topic(wide, partitions=2, config={"retention.ms": "-1", "max.message.bytes": "6000000"})
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=6_000_000)
    values = [bytes([65 + number]) * 5_900_000 for number in range(5)]
    for number, value in enumerate(values):
        producer.send(wide, key=b"pump", value=value, partition=number % 2, timestamp_ms=START_MS + number)
    producer.send(wide, value=values[0], partition=0, timestamp_ms=START_MS + 9)
    producer.flush()
    producer.close()
    assert run("--rejects", f"{spread.name}.odd", source=wide)[0] == 0
    assert [record.value for record in spread.read(f"{spread.name}.keyed")] == values
    assert [record.value for record in spread.read(f"{spread.name}.odd")] == values[:1]
    assert spread.producer.partitions_for(f"{spread.name}.keyed") == {0, 1}
