"""An incident's stretch, recomputed from the topics, is what the worker saw; and where it cannot be, that is said."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from msgspec import structs

from detector.alerting.events import decode
from detector.alerting.timestamps import parse_time
from detector.cli.common.assemble import open_bundle
from detector.cli.common.stretch_reader import StretchReader
from detector.cli.replay.from_topics import open_topics
from detector.cli.replay.opened import Range, Watching
from detector.errors import ConfigError, KafkaUnavailableError, StateMismatchError
from detector.settings import Settings
from detector.stretches.recorder import Recorder
from detector.stretches.stretch import Stretch
from tests.end_to_end.conftest import FAULTS, PERIOD_SECONDS, START_NS, records, settings_document, telemetry
from tests.stretches.conftest import Watched
from tests.support.commands import status_of
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]
PERIOD_NS = PERIOD_SECONDS * 1_000_000_000
TO_THE_LAST_BIT = "the score at the peak is that of the event, to the last bit"


def rows(times_ns: np.ndarray) -> np.ndarray:
    return (times_ns - START_NS) // PERIOD_NS


def same(one: Stretch, other: Stretch, but: tuple[str, ...] = ()) -> None:
    for field in fields(Stretch):
        if field.name not in but:
            left, right = getattr(one, field.name), getattr(other, field.name)
            if isinstance(left, np.ndarray):
                assert np.array_equal(left, right, equal_nan=True), field.name
            else:
                assert left == right, field.name


def test_it_is_what_the_worker_saw(watched: Watched):
    recorder = Recorder()
    opened = open_topics(watched.settings, Range(), watching=Watching(recorder.watch))
    try:
        opened.run([recorder], lambda _: None)
    finally:
        opened.close()
    reader = StretchReader(watched.settings)
    try:
        assert {event.series for event in watched.events} >= {"pump-1", "pump-2"}
        for event in watched.events:
            found, replayed = reader.stretch(event), recorder.stretch(event.incident_id, {})
            assert replayed is not None
            assert found.agreement == (TO_THE_LAST_BIT if event.kind == "reconstruction" else "")
            # The replay begins at the beginning, the reader at the nearest checkpoint: to the bit the same.
            same(found, replayed, but=("begun", "agreement"))
            assert found.begun.startswith(("from the checkpoint at offset ", "from the beginning, offset 0"))
        late = watched.of("pump-1")[-1]
        assert reader.stretch(late).begun.startswith("from the checkpoint at offset ")

        # Seen is what was published, and expected is what the event says of the peak.
        event = watched.of("pump-2")[0]
        found = reader.stretch(event)
        values = telemetry(101, 400, FAULTS["pump-2"])
        assert np.allclose(found.seen, values[rows(found.times_ns)])
        peak = found.times_ns == parse_time(event.peak_at)
        for detail in event.channels:
            channel = found.channels.index(detail.channel)
            assert found.expected[peak, channel] == detail.expected
            assert found.contributions[peak, channel] == np.float32(detail.contribution)
        assert (found.threshold == event.threshold).all()
        started = rows(np.array([parse_time(event.started_at)]))[0]
        assert rows(found.times_ns)[0] == started - 64

        # What is known before the model is asked: the same samples, and of the scores what the event says.
        glimpse = reader.glimpse(event)
        assert glimpse is not None
        together, mine, its = np.intersect1d(found.times_ns, glimpse.times_ns, return_indices=True)
        assert len(together) >= len(found.times_ns) - 1
        assert np.array_equal(found.seen[mine], glimpse.seen[its], equal_nan=True)
        assert np.array_equal(found.offsets[mine], glimpse.offsets[its])
        (known,) = np.flatnonzero(np.isfinite(glimpse.score))
        assert (glimpse.times_ns[known], glimpse.score[known]) == (parse_time(event.peak_at), event.peak_score)
        for detail in event.channels:
            assert glimpse.expected[known, glimpse.channels.index(detail.channel)] == detail.expected

        # The same series some time before, to be laid beside it.
        course = reader.earlier(event, 60 * PERIOD_SECONDS, (int(found.times_ns[0]), int(found.times_ns[-1])))
        assert np.array_equal(rows(course.times_ns), np.arange(started - 124, rows(found.times_ns)[-1] - 59))
        assert np.allclose(course.seen, values[rows(course.times_ns)])
        assert np.array_equal(reader.earlier(event, 60 * PERIOD_SECONDS).seen[:100], course.seen[:100])
        assert reader.earlier(event, 7 * 86_400).seen.shape == (0, 3)
    finally:
        reader.close()


def test_not_every_model_that_ever_was_stays_open(watched: Watched, monkeypatch: pytest.MonkeyPatch):
    """A dashboard runs for months, with a new model every night."""
    opened = []

    def counted(*arguments: Any) -> Any:
        opened.append(arguments)
        return open_bundle(*arguments)

    monkeypatch.setattr("detector.cli.common.stretch_reader.open_bundle", counted)
    event = watched.of("pump-2")[0]
    for most, expected in ((64, 1), (2, 3)):
        monkeypatch.setattr("detector.cli.common.stretch_reader._MOST_MODELS", most)
        opened.clear()
        reader = StretchReader(watched.settings)
        try:
            for _ in range(3):
                assert reader.stretch(event).agreement == TO_THE_LAST_BIT
        finally:
            reader.close()
        assert len(opened) == expected


def test_where_it_cannot_be_what_it_was_it_says_why(watched: Watched):
    event = watched.of("pump-1")[-1]
    gone = structs.replace(event, model=structs.replace(event.model, digest="0" * 64, version="old-1"))
    topics = watched.settings.topics.model_copy(update={"epochs": f"{watched.cluster.name}.never"})
    for settings, what, expected in (
        (watched.settings, gone, "that of the event, old-1 (000000000000), is not at hand any more"),
        (watched.settings.model_copy(update={"topics": topics}), event, "the epochs topic does not tell which model"),
    ):
        reader = StretchReader(settings)
        try:
            found = reader.stretch(what)
        finally:
            reader.close()
        assert expected in found.begun
        assert found.begun.startswith("from a look-back from offset ")
        # This model remembers nothing, so that a look-back of a window does as well as everything.
        assert found.agreement == TO_THE_LAST_BIT
    changed = structs.replace(gone, peak_score=event.peak_score * 1.001)
    reader = StretchReader(watched.settings)
    try:
        assert reader.stretch(changed).agreement.endswith("in the event: another model made the event")
        rounded = structs.replace(event, peak_score=event.peak_score * (1 + 1e-6))
        assert reader.stretch(rounded).agreement.endswith("is that of the event up to rounding")
        wrong = structs.replace(event, peak_score=event.peak_score * 2)
        assert "run detector audit" in reader.stretch(wrong).agreement
        silent = structs.replace(event, kind="silence")
        assert reader.stretch(silent).agreement == ""
    finally:
        reader.close()


def test_what_is_gone(watched: Watched):
    event = watched.of("pump-1")[0]
    source: Any = event.source
    reader = StretchReader(watched.settings)

    def refused(kind: type[Exception], **changes: Any) -> str:
        with pytest.raises(kind) as caught:
            reader.stretch(structs.replace(event, **changes))
        return str(caught.value)

    try:
        assert "the configuration has no stream 'fans', of which the event is; it has pumps" in refused(
            ConfigError, stream="fans"
        )
        assert "its records are not here" in refused(
            StateMismatchError, source=structs.replace(source, cluster="another")
        )
        assert "does not exist on the cluster" in refused(
            KafkaUnavailableError, source=structs.replace(source, topic=f"{watched.cluster.name}.gone")
        )
        assert "there is no partition" in refused(StateMismatchError, source=structs.replace(source, partition=7))
        assert "the topic was made anew" in refused(
            StateMismatchError, source=structs.replace(source, last_offset=5000)
        )
        assert "has no sample around" in refused(StateMismatchError, series="pump-9")
        assert reader.glimpse(structs.replace(event, series="pump-9")) is None
        admin = KafkaAdminClient(bootstrap_servers=watched.cluster.bootstrap)
        try:
            admin.delete_records({TopicPartition(watched.cluster.input, 0): source.opened_offset + 10})
        finally:
            admin.close()
        assert (
            f"retention has deleted the records of this incident: it opened at offset {source.opened_offset} of "
            f"{watched.cluster.input}/0, and the oldest record left is at {source.opened_offset + 10}"
        ) in refused(StateMismatchError)
        # What is left of the topic still tells of later incidents.
        assert reader.stretch(watched.of("pump-1")[-1]).agreement == TO_THE_LAST_BIT
    finally:
        reader.close()


def test_what_was_published_long_after_its_time_is_seen(cluster: Cluster, bundle_dir: Path, tmp_path: Path):
    """The event time is a field, and records are stamped with the time at which the history was loaded."""
    for time_ms, value in records("pump-1"):
        document = {**json.loads(value), "at": time_ms}
        cluster.producer.send(cluster.input, key=b"pump-1", value=json.dumps(document).encode(), partition=0)
    cluster.producer.flush()
    document = settings_document(cluster, bundle_dir)
    document["streams"][0]["record"] = {"time_field": "at", "time_unit": "ms"}
    config, told = tmp_path / "detector.yaml", tmp_path / "events.jsonl"
    config.write_text(json.dumps(document))
    assert status_of("replay", "-c", str(config), "--events", str(told)) == 0
    event = [decode(line) for line in told.read_bytes().splitlines()][-1]
    reader = StretchReader(Settings.model_validate(document))
    try:
        glimpse = reader.glimpse(event)
        assert glimpse is not None
        opened = glimpse.offsets.tolist().index(event.source.opened_offset)
        assert glimpse.times_ns[opened] == parse_time(event.opened_at)
        course = reader.earlier(event, 60 * PERIOD_SECONDS)
        assert len(course.times_ns)
        assert course.times_ns[-1] < glimpse.times_ns[-1]
    finally:
        reader.close()


def test_a_report_of_what_was_lived(watched: Watched, tmp_path):
    """From a checkpoint in mid-stream on, with the model that was in force; the page says what it began with."""
    config, page = tmp_path / "detector.yaml", tmp_path / "report.html"
    document = watched.settings.model_dump(mode="json", exclude_defaults=True)
    config.write_text(json.dumps(document))
    late = watched.of("pump-1")[-1]
    first = late.source.first_offset - 40
    given = ["replay", "-c", config, "--as-lived", "--from-offset", first, "--report", page]
    assert status_of(*given) == 0
    text = page.read_text()
    assert f'id="incident-{late.incident_id}"' in text
    assert f"{watched.cluster.input}/0" in text
    assert "from the checkpoint at offset" in text
    assert f"detector replay --as-lived -c {config} --since" in text
    assert "Replay of pumps" in text
    earlier = watched.of("pump-1")[0]
    assert f'id="incident-{earlier.incident_id}"' not in text
