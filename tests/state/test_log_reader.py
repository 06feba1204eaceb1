"""A log of epochs that grows is read on from where it was read to, and tells what one that is read anew does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detector.lived.log import LogReader, read_log
from detector.records.values import InputPartition, PlainRecord
from detector.state import STATE_VERSION, Checkpoint, CheckpointPart, Control, Epoch
from detector.state.checkpoints import CHECKPOINT_VERSION, encode_checkpoint, encode_part
from detector.state.epochs import EPOCH_VERSION, encode_epoch
from detector.state.keys import epoch_key

INPUT, EPOCHS = InputPartition("input", 0), InputPartition("epochs", 0)


class History:
    """The epochs topic, and what was asked of it."""

    def __init__(self) -> None:
        self.log: list[PlainRecord] = []
        self.first = 0
        self.read_records = 0

    def append(self, kind: Any, offset: int, value: bytes) -> None:
        key = epoch_key(kind, "s", 0, offset)
        self.log.append(PlainRecord("epochs", 0, self.first + len(self.log), 0, key, value))

    def delete(self, count: int) -> None:
        """As retention does."""
        self.log, self.first = self.log[count:], self.first + count

    def partitions(self, topic: str) -> list[InputPartition]:
        return [EPOCHS]

    def first_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        return {EPOCHS: self.first}

    def end_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        return {EPOCHS: self.first + len(self.log)}

    def read(self, ranges: Mapping[InputPartition, tuple[int, int]]) -> Iterator[Any]:
        start, stop = ranges[EPOCHS]
        found = [record for record in self.log if start <= record.offset < stop]
        self.read_records += len(found)
        yield EPOCHS, found

    def epoch(self, offset: int) -> None:
        self.append(
            "e", offset,
            encode_epoch(
                Epoch(
                    version=EPOCH_VERSION, stream="s", topic="input", partition=0, from_offset=offset, model="m",
                    model_version="v", fingerprint="f", windows="empty" if not offset else "carried",
                )
            ),
        )  # fmt: skip

    def checkpoint(self, begun: int, at: int) -> None:
        for _ in range(2):
            self.append("p", begun, encode_part(CheckpointPart(CHECKPOINT_VERSION, begun, [])))
        control = Control(STATE_VERSION, at, begun, None, "m", "f", 0, 1)
        self.append("k", begun, encode_checkpoint(Checkpoint(CHECKPOINT_VERSION, "s", "input", 0, begun, 2, control)))


def test_it_reads_on():
    history: Any = History()
    reader = LogReader(history, "epochs", INPUT, "s")
    assert not reader.read().epochs
    for step in range(5):
        history.epoch(100 * step)
        history.checkpoint(100 * step + 10, 100 * step + 20)
        before = history.read_records
        assert reader.read() == read_log(history, "epochs", INPUT, "s")
        # Four records are new, and reading anew reads all.
        assert history.read_records - before == 4 + len(history.log)
    assert len(reader.read().epochs) == len(reader.read().checkpoints) == 5


def test_checkpoints_that_retention_took_are_not_offered():
    history: Any = History()
    reader = LogReader(history, "epochs", INPUT, "s")
    for step in range(3):
        history.epoch(100 * step)
        history.checkpoint(100 * step + 10, 100 * step + 20)
    assert [place.next_offset for place in reader.read().checkpoints] == [20, 120, 220]
    history.delete(6)  # the first checkpoint, and a part of the second
    assert [place.next_offset for place in reader.read().checkpoints] == [220]


def test_a_topic_that_was_made_anew_is_read_anew():
    history: Any = History()
    reader = LogReader(history, "epochs", INPUT, "s")
    for step in range(3):
        history.epoch(100 * step)
    assert len(reader.read().epochs) == 3
    history.log.clear()
    history.epoch(7)
    assert [epoch.from_offset for epoch in reader.read().epochs] == [7]
