"""Each architecture there is, trained by the command, in the worker and in replay: crashed, it tells the same.

Nothing here is about how well a model does: the faults are such that any model sees them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from detector.alerting.events import Event, decode
from detector.cli.common.assemble import open_bundle, stream_context
from detector.cli.replay.from_topics import open_topics
from detector.cli.replay.opened import Range
from detector.replay import Taken
from detector.settings import Settings
from models.architectures import names
from tests.end_to_end.conftest import CHANNELS, START_NS, telemetry
from tests.plugins.made_once import MadeOnce
from tests.support.commands import Command
from tests.worker.support import Cluster, RunningWorker, cluster, make_settings

__all__ = ["cluster"]

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

HOUR_NS = 3600 * 1_000_000_000
TRAINED, STRANGER = ("pump-1", "pump-2"), "pump-3"
PARTITION = {"pump-1": 0, "pump-2": 1, STRANGER: 0}
TRAINING_ROWS = 480
"""Twenty days: the last four, which are held out, show whether there is a rhythm."""
ROWS = 144
"""Whole days, as in training: `telemetry` rolls a channel around the end."""
FAULTS = {"pump-1": [(56, 72), (110, 120)], "pump-2": [(60, 72)], STRANGER: [(58, 72)]}
WARM_UP = 40
CRASHES = ((24, 32), (64, 70))
"""How many rows of each series are committed, and processed without being committed, when the worker crashes."""
LIKENESS = 1e-4
SMALL = ("--epochs", "1", "--window", "8", "--units", "5", "--latent", "3")


@dataclass(frozen=True)
class Case:
    """A bundle to train.

    Attributes:
        name: For people.
        arguments: Of ``detector train``.
        series: That come live.
        parts: Estimates that the score has to compare with in the end; empty: those that are best for the model.
        remembers: Whether more is carried along a series than averages of its scores: a network's state, companions'
            memories, a stranger's measure or a threshold that follows. Such a worker crashes twice, and is compared
            with one that never did; for the others replay is the uninterrupted run.
        surely: Multiple of the calibrated threshold that is taken: one epoch makes a model to which the ordinary is
            remarkable. How rare a score is in a series' own past has an upper limit.
    """

    name: str
    arguments: tuple[str, ...]
    series: tuple[str, ...] = TRAINED
    parts: tuple[str, ...] = ()
    remembers: bool = False
    surely: float = 4.0


STREAMING = ("--architecture", "streaming", "--option", "chunk=32")
WITHOUT_MORE = [Case(name, ("--architecture", name)) for name in names() if name not in ("gru", "streaming")]
CASES = [
    *WITHOUT_MORE,
    Case("gru", ("--architecture", "gru", "--warm-up", str(WARM_UP)), series=(*TRAINED, STRANGER), remembers=True),
    Case("streaming", STREAMING, remembers=True),
    Case("dspot", (*STREAMING, "--adaptive", "dspot", "--threshold", "risk"), remembers=True),
    Case(
        "companions-surprise",
        ("--architecture", "pca", "--score-parts", "local,level,daily?", "--link", "surprise"),
        parts=("local", "level", "daily"),
        remembers=True,
        surely=2.0,
    ),
]


def values_of(series: str) -> np.ndarray:
    """float64[ROWS, channels]: live telemetry with its faults; the stranger's is at a level of its own."""
    found = telemetry(100 + PARTITION[series], ROWS, FAULTS[series])
    return found * 3 if series == STRANGER else found


def write_training(path: Path) -> None:
    lines = [",".join(["time", "series", *CHANNELS])]
    for number, series in enumerate(TRAINED):
        for step, row in enumerate(telemetry(number, TRAINING_ROWS).tolist()):
            seconds = (START_NS - (TRAINING_ROWS - step) * HOUR_NS) // 1_000_000_000
            lines.append(",".join([str(seconds), series, *(f"{value:.6f}" for value in row)]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def train(tmp_path: Path, made_once: MadeOnce, command: Command) -> Callable[[Case], Path]:
    """Trains by the command, in this process, and tells where the bundle is."""

    def run(case: Case) -> Path:
        data, bundle = made_once("every-architecture.csv", write_training), tmp_path / "bundle"
        ended = command("train", data, "--series-column", "series", "--out", bundle, *SMALL, *case.arguments)
        assert ended.code == 0, ended.err
        return bundle

    return run


def settings_for(cluster: Cluster, bundle: Path, surely: float, output: str = "crashed") -> Settings:
    """A worker with outputs of its own. One series a partition may be in memory: the others' is packed away."""
    made = make_settings(cluster, group=f"{cluster.name}.{output}", state={"max_resident_series": 1})
    kinds = ("events", "dead_letters", "state", "epochs")
    topics = made.topics.model_copy(update={kind: f"{cluster.name}.{output}.{kind}" for kind in kinds})
    stream = made.streams[0]
    window = stream.window.model_copy(update={"stale_after_seconds": 6 * 3600.0})
    threshold = surely * open_bundle(bundle).calibration.threshold
    incidents = stream.incidents.model_copy(update={"threshold": threshold})
    stream = stream.model_copy(update={"model": bundle, "window": window, "incidents": incidents})
    return made.model_copy(update={"topics": topics, "streams": (stream,)})


def events_of(cluster: Cluster, settings: Settings) -> list[Event]:
    return [decode(record.value) for record in cluster.read(settings.topics.events)]


class Stand:
    """Sends rows of all series, as they would arrive, and runs workers over them."""

    def __init__(self, cluster: Cluster, case: Case) -> None:
        self.cluster = cluster
        self.sent = 0
        self.running: list[RunningWorker] = []
        self._values = {series: values_of(series).tolist() for series in case.series}

    def send(self, upto: int) -> None:
        for row in range(self.sent, upto):
            for series, values in self._values.items():
                document = json.dumps(dict(zip(CHANNELS, values[row], strict=True))).encode()
                self.cluster.producer.send(
                    self.cluster.input, key=series.encode(), value=document, partition=PARTITION[series],
                    timestamp_ms=(START_NS + row * HOUR_NS) // 1_000_000,
                )  # fmt: skip
        self.cluster.producer.flush()
        self.sent = upto

    def start(self, settings: Settings) -> RunningWorker:
        stream = settings.streams[0]
        bundle = open_bundle(stream.model)
        found = RunningWorker(settings, lambda cluster_id: {stream.topic: stream_context(stream, bundle, cluster_id)})
        self.running.append(found)
        return found

    def wait_committed(self, worker: RunningWorker) -> None:
        offsets = {p: self.sent * sum(PARTITION[series] == p for series in self._values) for p in (0, 1)}
        worker.wait_committed(self.cluster, offsets)

    def crash(self, worker: RunningWorker, upto: int) -> None:
        """Let the worker process rows up to there, which it never commits."""
        consumed = worker.value("records_consumed_total", stream="pumps")
        more = (upto - self.sent) * len(self._values)
        worker.worker.commit = lambda membership: None  # type: ignore[assignment,method-assign,return-value]
        self.send(upto)
        worker.wait_for(lambda: worker.value("records_consumed_total", stream="pumps") >= consumed + more)
        worker.abandon()

    def close(self) -> None:
        for worker in self.running:
            worker.stop_asked.set()
        for worker in self.running:
            worker._thread.join(60)
            worker.parts.close()


@pytest.fixture
def stand(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Stand]:
    found = Stand(cluster, request.getfixturevalue("case"))
    yield found
    found.close()


@dataclass
class Kept:
    """Score of every window, by series and event time."""

    scores: dict[tuple[str, int], float] = field(default_factory=dict)

    def take(self, taken: Taken) -> None:
        for rows in taken.scores:
            keys = zip(rows.series, rows.time_ns.tolist(), strict=True)
            self.scores.update(zip(keys, rows.score.tolist(), strict=True))


def replayed(settings: Settings, runtime: str = "onnx") -> tuple[list[Event], Kept]:
    """What ``detector replay -c`` makes of the topic: events in the order of the worker's topic, and scores."""
    stream = settings.streams[0].model_copy(update={"runtime": runtime})
    opened = open_topics(settings.model_copy(update={"streams": (stream,)}), Range())
    try:
        kept = Kept()
        result = opened.run([kept], lambda _: None)
    finally:
        opened.close()
    return sorted(result.events, key=lambda event: event.source.partition), kept


def open_incidents(events: Sequence[Event]) -> set[str]:
    """Series with an incident of the model that has not been closed."""
    last = {event.incident_id: event for event in events if event.kind == "reconstruction"}
    return {event.series for event in last.values() if event.event != "closed"}


def rows_opened(events: Sequence[Event], case: Case) -> dict[str, list[int]]:
    """By series the rows at which incidents of the model opened."""
    found: dict[str, list[int]] = {series: [] for series in case.series}
    for event in events:
        if event.event == "opened" and event.kind == "reconstruction":
            together = sum(PARTITION[series] == event.source.partition for series in case.series)
            found[event.series].append(event.source.opened_offset // together)
    return found


def told(event: Event) -> tuple[str, str, str]:
    """What of an event does not depend on the last digits of scores."""
    return event.incident_id, event.event, event.updated_at


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_after_crashes_it_tells_what_an_uninterrupted_run_tells(
    case: Case, train: Callable[[Case], Path], stand: Stand, cluster: Cluster
) -> None:
    bundle = train(case)
    manifest = open_bundle(bundle)
    assert manifest.spec.architecture in case.arguments
    if case.parts:
        assert tuple(part.part for part in manifest.rule.parts) == case.parts

    settings = settings_for(cluster, bundle, case.surely)
    undisturbed = settings_for(cluster, bundle, case.surely, "undisturbed")
    beside = [stand.start(undisturbed)] if case.remembers else []
    for committed, lost in CRASHES if case.remembers else CRASHES[-1:]:
        worker = stand.start(settings)
        stand.wait_committed(worker)
        stand.send(committed)
        stand.wait_committed(worker)
        stand.crash(worker, lost)
    # The last crash comes upon open incidents.
    assert open_incidents(events_of(cluster, settings)) == set(case.series)
    worker = stand.start(settings)
    stand.send(ROWS)
    for running in (worker, *beside):
        stand.wait_committed(running)
        running.stop()
    live = events_of(cluster, settings)
    for series, rows in rows_opened(live, case).items():
        first = FAULTS[series][0]
        assert first[0] <= rows[0] < first[1], (series, rows)

    if beside:
        assert live == events_of(cluster, undisturbed)
    events, kept = replayed(settings)
    assert live == events
    if case.name not in names():
        return  # the model is one of those that have been compared
    of_keras, kept_by_keras = replayed(settings, "keras")
    assert [told(event) for event in of_keras] == [told(event) for event in live]
    assert [e.peak_score for e in of_keras] == pytest.approx([e.peak_score for e in live], rel=LIKENESS)
    assert kept_by_keras.scores.keys() == kept.scores.keys()
    np.testing.assert_allclose(
        list(kept_by_keras.scores.values()), list(kept.scores.values()), rtol=LIKENESS, atol=LIKENESS
    )
