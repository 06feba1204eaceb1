"""The real model, the real broker and the real command: live, restarted, replayed."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from kafka import KafkaConsumer, TopicPartition

from detector.alerting.events import Event, decode
from tests.end_to_end.conftest import (
    CHANNELS,
    FAULTS,
    SERIES,
    START_NS,
    Detector,
    records,
    settings_document,
    telemetry,
)
from tests.support.waiting import until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


class Log:
    """The worker's JSON log, read as it grows."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []

    def wait_for(self, event: str) -> dict[str, Any]:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"the worker ended without {event!r}: {self.lines[-3:]}")


def committed(cluster: Cluster) -> dict[int, int]:
    consumer = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap, group_id=f"{cluster.name}.group", enable_auto_commit=False
    )
    try:
        return {p: consumer.committed(TopicPartition(cluster.input, p)) or 0 for p in (0, 1)}
    finally:
        consumer.close()


def wait_until(reached: Any, worker: subprocess.Popen[str] | None = None, seconds: float = 60) -> None:
    """Until something holds; a worker that ended, or that does not get there, shows what it logged."""

    def told() -> str:
        if worker is None:
            return "what the worker was to do"
        worker.kill()
        return f"status {worker.wait()}: {worker.communicate()[1][-3000:]}"

    def goes_on() -> None:
        assert worker is None or worker.poll() is None, told()

    until(reached, told, seconds=seconds, meanwhile=goes_on)


def by_partition(events: list[Event]) -> list[Event]:
    return [event for p in (0, 1) for event in events if event.source.partition == p]


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    process.send_signal(number)
    _, errors = process.communicate(timeout=40)
    return errors


def send_slowly(cluster: Cluster) -> threading.Thread:
    """All series, interleaved in time, over a few seconds: the worker can be stopped in the middle of a batch."""

    def send() -> None:
        for rows in zip(*(records(series) for series in SERIES), strict=True):
            for series, (timestamp, value) in zip(SERIES, rows, strict=True):
                partition = int(series == "pump-2")
                cluster.producer.send(
                    cluster.input, key=series.encode(), value=value, timestamp_ms=timestamp, partition=partition
                )
            time.sleep(0.01)
        cluster.producer.flush()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def test_live_restarted_and_replayed_agree(cluster: Cluster, detector: Detector, config: Path, tmp_path: Path) -> None:
    first = detector.start("run", "-c", config)
    Log(first).wait_for("live")
    sending = send_slowly(cluster)
    wait_until(lambda: committed(cluster)[0] >= 20, first)
    stop(first)  # while records keep coming
    assert first.returncode == 0
    half = committed(cluster)
    sending.join(60)
    assert 0 < half[0] < 800

    second = detector.start("run", "-c", config)
    wait_until(lambda: committed(cluster) == {0: 800, 1: 400}, second)
    assert "Traceback" not in stop(second)
    assert second.returncode == 0
    live = cluster.events()
    assert len(live) > 0
    assert {event.series for event in live} >= {series for series, faults in FAULTS.items() if faults}

    before = committed(cluster)
    result = detector.run("replay", "-c", config, "--events", tmp_path / "events.jsonl", "--json")
    assert result.returncode == 0, result.stderr
    replayed = [decode(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert by_partition(replayed) == live
    summary = json.loads(result.stdout)
    assert (summary["records"], summary["series"], summary["events"]) == (1200, 3, len(live))
    assert committed(cluster) == before


def test_the_fault_is_blamed_on_its_channel_in_its_own_unit(
    published: Cluster, detector: Detector, config: Path
) -> None:
    result = detector.here("replay", "-c", config, "--json")
    incidents = json.loads(result.stdout)["incidents"]
    first = next(incident for incident in incidents if incident["series"] == "pump-1")
    assert first["channels"][0][0] == "flow"
    assert first["offsets"][0] < first["offsets"][1]


def test_scores_have_the_same_bits_whatever_the_batches(
    published: Cluster, detector: Detector, bundle_dir: Path, tmp_path: Path
) -> None:
    tables = []
    for number, size in enumerate((7, 50, 5000)):
        document = settings_document(published, bundle_dir)
        document["worker"]["max_poll_records"] = size
        path = tmp_path / f"batches-{number}.yaml"
        path.write_text(json.dumps(document))
        scores = tmp_path / f"scores-{number}.parquet"
        result = detector.here("replay", "-c", path, "--scores", scores)
        assert result.returncode == 0, result.stderr
        tables.append(pq.read_table(scores).sort_by([("partition", "ascending"), ("offset", "ascending")]))
    assert tables[0].num_rows == 1200 - 3 * 15
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_a_topic_and_a_file_of_the_same_rows_score_alike(
    published: Cluster, detector: Detector, config: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    import pyarrow as pa

    values = telemetry(101, 400, FAULTS["pump-2"])
    times = START_NS + np.arange(400, dtype=np.int64) * 10_000_000_000
    columns = {"timestamp": pa.array(times, pa.timestamp("ns")), **dict(zip(CHANNELS, values.T, strict=True))}
    pq.write_table(pa.table(columns), tmp_path / "pump-2.parquet")
    for arguments, name in (((tmp_path / "pump-2.parquet", "--model", bundle_dir), "file"), (("-c", config), "topic")):
        result = detector.here("replay", *arguments, "--scores", tmp_path / f"{name}.parquet")
        assert result.returncode == 0, result.stderr
    file = pq.read_table(tmp_path / "file.parquet")
    topic = pq.read_table(tmp_path / "topic.parquet", filters=[("series", "=", "pump-2")])
    assert file["score"].to_pylist() == topic["score"].to_pylist()


def test_a_time_range_gives_the_events_of_that_time(published: Cluster, detector: Detector, config: Path) -> None:
    whole = json.loads(detector.here("replay", "-c", config, "--json").stdout)
    since = "2023-11-14T22:53:20.000Z"  # row 240 of 400
    part = json.loads(detector.here("replay", "-c", config, "--json", "--since", since, "--look-back", "2h").stdout)
    later = [i for i in whole["incidents"] if i["opened_at"] >= since]
    assert [i["incident_id"] for i in part["incidents"] if i["opened_at"] >= since] == [i["incident_id"] for i in later]
    assert later
    assert part["first_time"] >= since


def test_an_offset_range_gives_the_events_of_these_records(
    published: Cluster, detector: Detector, config: Path
) -> None:
    whole = json.loads(detector.here("replay", "-c", config, "--json").stdout)["incidents"]
    part = json.loads(
        detector.here("replay", "-c", config, "--json", "--from-offset", "450", "--to-offset", "700").stdout
    )
    # Incidents that touch the range keep the ids that the whole topic gives them.
    inside = {
        i["incident_id"] for i in whole if i["partition"] == 0 and i["offsets"][1] >= 450 and i["offsets"][0] < 700
    }
    assert inside
    assert {i["incident_id"] for i in part["incidents"]} == inside
    assert part["windows_scored"] == 250


def test_the_endpoints_tell_how_the_worker_is(published: Cluster, detector: Detector, config: Path) -> None:
    worker = detector.start("run", "-c", config)
    started = Log(worker).wait_for("started")
    base = started["metrics"].removesuffix("/metrics")
    wait_until(lambda: committed(published) == {0: 800, 1: 400}, worker)

    def ready() -> bool:
        try:
            return urllib.request.urlopen(f"{base}/readyz", timeout=5).status == 200  # noqa: S310
        except urllib.error.HTTPError:
            return False

    wait_until(ready)
    assert urllib.request.urlopen(f"{base}/healthz", timeout=5).status == 200  # noqa: S310
    text = urllib.request.urlopen(f"{base}/metrics", timeout=5).read().decode()  # noqa: S310
    assert 'reconstream_records_consumed_total{stream="pumps"} 1200.0' in text
    assert "pump-1" not in text  # series are never labels
    assert "Traceback" not in stop(worker, signal.SIGINT)
    assert worker.returncode == 0


def test_a_worker_without_tensorflow_scores_the_same(
    published: Cluster, config: Path, slim_python: Path, slim_env: dict[str, str], detector: Detector, tmp_path: Path
) -> None:
    slim = Detector(tmp_path, slim_python, dict(slim_env), detector.started)
    missing = subprocess.run(
        [slim_python, "-c", "import keras"], cwd=tmp_path, env=slim_env, capture_output=True, check=False
    )
    assert missing.returncode == 1
    worker = slim.start("run", "-c", config)
    wait_until(lambda: committed(published) == {0: 800, 1: 400}, worker)
    errors = stop(worker)
    assert worker.returncode == 0, errors
    live = published.events()
    assert live
    result = detector.here("replay", "-c", config, "--events", tmp_path / "events.jsonl")
    assert result.returncode == 0, result.stderr
    assert by_partition([decode(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]) == live


def test_keras_and_onnx_runtimes_agree(published: Cluster, detector: Detector, config: Path, tmp_path: Path) -> None:
    found = {}
    for runtime in ("onnx", "keras"):
        result = detector.here(
            "replay", "-c", config, "--runtime", runtime, "--scores", tmp_path / f"{runtime}.parquet"
        )
        assert result.returncode == 0, result.stderr
        table = pq.read_table(tmp_path / f"{runtime}.parquet").sort_by(
            [("partition", "ascending"), ("offset", "ascending")]
        )
        found[runtime] = table["score"].to_numpy()
    # The golden sample is checked to 1e-4 on scaled values; a score is a weighted mean of their squares.
    np.testing.assert_allclose(found["onnx"], found["keras"], rtol=1e-3, atol=1e-4)


def test_training_straight_from_a_topic_gives_a_bundle_that_runs(
    published: Cluster, detector: Detector, tmp_path: Path
) -> None:
    result = detector.run(
        "train", "--topic", published.input, "--bootstrap-server", published.bootstrap, "--out", tmp_path / "trained",
        "--epochs", "1", "--window", "8", "--units", "4", "--json", timeout=150,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["spec"]["architecture"] == "streaming"  # the default: what a new user gets has to run
    assert report["spec"]["channels"] == sorted(CHANNELS)
    assert report["spec"]["period_seconds"] == 10
    assert sorted(report["training_data"]["series"]) == ["pump-1", "pump-2", "pump-3"]
    epoch = report["history"]["epochs"][0]
    assert epoch["clipped_norm"]["max"] <= 1.0 + 1e-6 <= epoch["gradient_norm"]["max"] + 1
    again = detector.here(
        "replay",
        "--topic",
        published.input,
        "--bootstrap-server",
        published.bootstrap,
        "--model",
        tmp_path / "trained",
        "--json",
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["windows_scored"] == 1200 - 3 * 7


def test_an_event_of_the_topic_is_opened_up(
    published: Cluster, detector: Detector, config: Path, tmp_path: Path
) -> None:
    events = f"{published.name}.events"
    result = detector.here("replay", "-c", config, "--events", tmp_path / "e.jsonl", "--events-topic", events)
    assert result.returncode == 0, result.stderr
    found = [decode(line) for line in (tmp_path / "e.jsonl").read_bytes().splitlines()]
    event = next(event for event in found if event.sequence and event.kind == "reconstruction")
    result = detector.here("inspect", "-c", config, "--event", event.event_id, "--json", "--out", tmp_path / "a.png")
    assert result.returncode == 0, result.stderr
    view = json.loads(result.stdout)
    assert (view["series"], view["times"][-1]) == (event.series, event.peak_at)
    assert view["score"][-1] == pytest.approx(event.peak_score, rel=1e-5)
    assert (tmp_path / "a.png").stat().st_size > 10_000
