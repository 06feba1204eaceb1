"""A worker without a broker: topics are lists, a commit appends to them, a crash forgets everything else.

Pipeline, snapshots, checkpoints, recovery, epochs and the walk through the past are the real ones, so that many
histories of commits, crashes, models and settings can be tried in a short time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detector.audit.states import StateCheck
from detector.lived.log import load_checkpoint, read_log
from detector.lived.plan import make_plan
from detector.lived.walk import Passage, Walk
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, PlainRecord
from detector.restoring.state_reading import StoredState, read_state
from detector.state import Epoch
from detector.worker.checkpointing import CheckpointPolicy, CheckpointWriter
from detector.worker.live_partition import LivePartition
from detector.worker.recovery.values import RecoveryPolicy, Restored
from detector.worker.recovery.ways import Recovery
from detector.worker.snapshots import state_outputs
from tests.worker.support import Nowhere, make_context, make_settings

SETTINGS = make_settings(Nowhere("localhost:1", "none"))
INPUT = InputPartition(SETTINGS.streams[0].topic, 0)
STATE, EPOCHS = InputPartition(SETTINGS.topics.state, 0), InputPartition(SETTINGS.topics.epochs, 0)


def context_of(scorer: Any, model: str, threshold: float = 1.0, **changes: Any) -> StreamContext:
    """A stream under a model and a threshold, which is all there is of settings."""
    made = make_context(SETTINGS, "cluster", scorer, threshold=threshold, quiet_score=0.8 * threshold)
    spec = replace(made.spec, forget_after_ns=60 * 10**9, max_jump_ns=200 * 10**9, **changes)
    identity = replace(made.identity, model=model * 64, fingerprint=f"{threshold:064}")
    return replace(made, spec=spec, identity=identity)


@dataclass
class Topics:
    """Stands in for `History`, and for the offsets of the group."""

    logs: dict[InputPartition, list[PlainRecord]] = field(default_factory=lambda: {INPUT: [], STATE: [], EPOCHS: []})
    offset: int | None = None

    def append(self, where: InputPartition, key: bytes | None, value: Any, timestamp: int = 0) -> None:
        log = self.logs[where]
        log.append(PlainRecord(*where, len(log), timestamp, key, value))

    def partitions(self, topic: str) -> list[InputPartition]:
        return [where for where in self.logs if where.topic == topic]

    def first_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        return {where: len(self.logs[where]) for where in partitions}

    def read(self, ranges: Mapping[InputPartition, tuple[int, int]]) -> Iterator[Any]:
        for where, (start, stop) in ranges.items():
            for first in range(start, stop, 7):  # a piece at a time, so that ranges are cut where they do not begin
                yield where, self.logs[where][first : min(first + 7, stop)]

    def committed(self, partition: InputPartition) -> int | None:
        return self.offset

    def range(self, partition: InputPartition) -> tuple[int, int]:
        return 0, len(self.logs[partition])


Told = tuple[list[Any], list[tuple[str, int, bytes]]]


def told(outcomes: Sequence[Outcome]) -> Told:
    """Events, and scores with the offsets of their records, bit by bit."""
    events = [event for outcome in outcomes for _, event in outcome.events]
    scores = [
        (series, offset, score.tobytes())
        for outcome in outcomes
        for rows in outcome.scores
        for series, offset, score in zip(rows.series, rows.offset.tolist(), rows.score, strict=True)
    ]
    return events, scores


class PaperWorker:
    """One partition, under one context after the other."""

    def __init__(self, topics: Topics, max_replay_records: int = 100, checkpoint_every_commit: bool = False) -> None:
        self.topics = topics
        self.committed: list[Outcome] = []
        self._state = SETTINGS.worker.state.model_copy(
            update={"max_replay_records": max_replay_records, "snapshot_bytes_per_commit": 300}
        )
        self._policy = CheckpointPolicy(EPOCHS.topic, 1 if checkpoint_every_commit else 10**15, 400)
        self._now_ms = 10**12
        self._live: LivePartition | None = None

    @property
    def pipeline(self) -> PartitionPipeline:
        assert self._live is not None
        return self._live.pipeline

    @property
    def next_offset(self) -> int:
        assert self._live is not None
        return self._live.next_offset

    def start(self, context: StreamContext) -> Restored:
        """As a start after a crash, or SIGHUP: everything comes from the topics."""
        policy = RecoveryPolicy(STATE.topic, max_replay_records=self._state.max_replay_records)
        recovery = Recovery(self.topics, self.topics, policy, {INPUT.topic: 1})  # type: ignore[arg-type]
        *_, restored = recovery.restore(INPUT, context)
        assert isinstance(restored, Restored)
        checkpoint = CheckpointWriter(
            self._policy, context.name, INPUT, restored.checkpointed_ms, lambda: self._now_ms
        )  # fmt: skip
        self._live = LivePartition(
            context, restored.pipeline, restored.next_offset, restored.committed, restored.epoch_from, restored.epoch,
            checkpoint, restored.began_partitions, restored.judged_from, restored.memory_from, set(restored.obsolete),
        )  # fmt: skip
        return restored

    def process(self, count: int) -> None:
        live = self._live
        assert live is not None
        records = self.topics.logs[INPUT][live.next_offset : live.next_offset + count]
        if records:
            outcome = live.pipeline.process(records)
            live.outcomes.append(outcome)
            live.touched |= outcome.touched
            live.next_offset = records[-1].offset + 1

    def commit(self) -> None:
        live = self._live
        assert live is not None
        self._now_ms += 10
        for output in state_outputs(INPUT, live, SETTINGS.topics, self._state, 1):
            self.topics.append(InputPartition(output.topic, 0), output.key, output.value)
        self.topics.offset = live.committed = live.next_offset
        self.committed += live.outcomes
        live.outcomes = []


def stored_state(topics: Topics) -> StoredState:
    """What the state topic holds."""
    stored = StoredState()
    for _ in read_state(topics, STATE.topic, 0, SETTINGS.streams[0].name, stored):  # type: ignore[arg-type]
        pass
    return stored


def state_findings(topics: Topics, resolve: Callable[[Epoch], StreamContext]) -> list[tuple[Any, ...]]:
    """What the audit has to say about the state topic."""
    found: list[tuple[Any, ...]] = []
    stored = stored_state(topics)
    assert stored.control is not None
    log = read_log(topics, EPOCHS.topic, INPUT, SETTINGS.streams[0].name)  # type: ignore[arg-type]
    begins = frozenset(epoch.from_offset for epoch in log.epochs)
    check = StateCheck(stored.control, stored.raw.items(), lambda *said: found.append(said), begins=begins)
    for passage in walk(topics, resolve, stops=check.stops()):
        check.compare(passage.pipeline, passage.context.spec, passage.reached, passage.certainty)
    assert check.compared or not len(stored.raw)
    return found


def walk(
    topics: Topics,
    resolve: Callable[[Epoch], StreamContext],
    first: int = 0,
    look_back: int = 0,
    retained: int = 0,
    stops: Sequence[int] = (),
) -> Iterator[Passage]:  # fmt: skip
    """The past up to what is committed, from an offset on, as replay and audit see it."""
    log = read_log(topics, EPOCHS.topic, INPUT, SETTINGS.streams[0].name)  # type: ignore[arg-type]
    plan = make_plan(log, first, topics.offset or 0, retained, look_back, lambda epoch: None)
    assert plan.holes == ()
    found = Walk(
        INPUT,
        plan.stages,
        lambda start, stop: (chunk[1] for chunk in topics.read({INPUT: (start, stop)})),
        resolve,
        lambda place: load_checkpoint(topics, EPOCHS.topic, INPUT, place),  # type: ignore[arg-type]
        keep_scores=True,
    )
    yield from (passage for passage in found.passages(stops) if passage is not None)
