"""Whatever a worker went through, it told what the walk through its past tells, and knows what that knows.

Random histories of commits, crashes, changes of the model and back, and changes of settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import StateMismatchError
from detector.lived.log import read_log
from detector.lived.walk import Passage
from detector.pipeline.context import StreamContext
from detector.records.values import WideSample
from detector.state import Epoch, decode_series, parse_key
from tests.carried.paper import (
    EPOCHS,
    INPUT,
    SETTINGS,
    STATE,
    PaperWorker,
    Told,
    Topics,
    context_of,
    state_findings,
    told,
    walk,
)
from tests.carried.scorer import RememberingScorer
from tests.worker.support import START_MS, MagnitudeScorer, record

SERIES = ("p", "q", "r")


def context(model: str, threshold: float) -> StreamContext:
    """Models a and b remember, c does not, and d remembers longer windows."""
    scorer = MagnitudeScorer() if model == "c" else RememberingScorer(1.5 if model == "b" else 1.0)
    length = 5 if model == "d" else 3
    return context_of(scorer, model, threshold, claims_alone=2, claims_shared=2, length=length)


def resolve(epoch: Epoch) -> StreamContext:
    return context(epoch.model[0], float(epoch.fingerprint))


def write(topics: Topics, runs: Sequence[tuple[str, int, float, int]]) -> None:
    """Runs of records of a series at a level, with a step in time behind each."""
    second = 0
    for series, length, level, step in runs:
        for index in range(length):
            # No two values are the same, so that a row too many or too few shows.
            timestamp, value = record(second + index, level + 0.001 * (len(topics.logs[INPUT]) % 97))
            topics.append(INPUT, series.encode(), value, timestamp)
        second += length if step == 1 else 0
        second += 0 if step == 1 else step


runs = st.lists(
    st.tuples(
        st.sampled_from(SERIES),
        st.integers(1, 7),
        st.sampled_from([0.1, 0.1, 0.4, 2.0, 5.0]),
        st.sampled_from([0, 1, 1, 1, 4, 30, 70]),
    ),
    min_size=4,
    max_size=40,
)


@dataclass(frozen=True)
class Do:
    """Process so many records, maybe commit, maybe start anew, maybe with something else."""

    records: int
    commit: bool
    restart: bool
    model: str
    threshold: float


lives = st.lists(
    st.builds(
        Do,
        records=st.integers(0, 25),
        commit=st.sampled_from([True, True, False]),
        restart=st.booleans(),
        model=st.sampled_from("aaabbc"),
        threshold=st.sampled_from([1.0, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=12,
)


def live(topics: Topics, life: Sequence[Do], **worker: Any) -> PaperWorker:
    """Live that life, then process and commit what is left, and a record more, so that no epoch is empty."""
    found = PaperWorker(topics, **worker)
    now = context(life[0].model, life[0].threshold)
    found.start(now)
    for do in life:
        found.process(do.records)
        if do.commit:
            found.commit()
        if do.restart:
            found.start(context(do.model, do.threshold))
    topics.append(INPUT, b"p", *reversed(record(10_000, 0.1)))
    found.process(10**6)
    found.commit()
    return found


def test_a_checkpoint_of_an_epoch_without_records_is_not_its_successors() -> None:
    """Model a was in force between two restarts and saw no record; b carries something else along its series."""
    topics = Topics()
    write(topics, [quiet("p", 4)])
    life = [Do(1, True, True, "a", 1.0), Do(0, True, True, "b", 1.0)]
    worker = live(topics, [replace(life[0], model="b", restart=False), *life], checkpoint_every_commit=True)
    assert [(epoch.model[0], epoch.from_offset) for epoch in epochs(topics)] == [("b", 0), ("b", 2)]
    for first in range(worker.next_offset):
        assert walked(walk(topics, resolve, first), first) == since(first, told(worker.committed))


def since(first: int, what: Told) -> Told:
    events, scores = what
    return [e for e in events if e.source.last_offset >= first], [s for s in scores if s[1] >= first]


def walked(passages: Iterable[Passage], first: int = 0) -> Told:
    return since(first, told([passage.outcome for passage in passages]))


def assert_as_lived(worker: PaperWorker) -> None:
    passages = list(walk(worker.topics, resolve))
    assert walked(passages) == told(worker.committed)
    lived, live = passages[-1].pipeline, worker.pipeline
    assert sorted(lived.store) == sorted(live.store)
    for series in SERIES:
        one, other = (pipeline.state_of(series, worker.next_offset) for pipeline in (lived, live))
        assert one.windows == other.windows


@settings(max_examples=100, deadline=None)
@given(records=runs, life=lives, checkpoints=st.booleans(), share=st.floats(0, 1))
def test_the_walk_agrees_with_the_worker(
    records: Sequence[tuple[str, int, float, int]], life: Sequence[Do], checkpoints: bool, share: float
) -> None:
    topics = Topics()
    write(topics, records)
    worker = live(topics, life, checkpoint_every_commit=checkpoints)
    assert_as_lived(worker)
    assert state_findings(topics, resolve) == []
    first = int(share * worker.next_offset)
    assert walked(walk(topics, resolve, first), first) == since(first, told(worker.committed))


def quiet(series: str, length: int, step: int = 0) -> tuple[str, int, float, int]:
    return series, length, 0.1, step


def test_other_settings_leave_what_is_remembered_as_it_is() -> None:
    """Records that no snapshot holds are read by the model again, though nobody judges them."""
    topics, straight = Topics(), Topics()
    for written in (topics, straight):
        write(written, [("p", 40, 1.0, 1)])
    worker = live(topics, [Do(20, True, True, "a", 2.0), Do(5, True, True, "a", 1.0)])
    assert_as_lived(worker)
    assert [epoch.memory_from for epoch in epochs(topics)] == [0, 0]
    assert told(worker.committed)[1] == told(live(straight, [Do(0, False, False, "a", 1.0)]).committed)[1]


def test_a_silent_series_does_not_bring_back_what_an_earlier_reign_of_its_model_remembered() -> None:
    """p has a snapshot from the first reign of a, and no record under b."""
    topics = Topics()
    write(topics, [("p", 12, 5.0, 0), quiet("q", 40, 1), quiet("r", 100, 1), ("p", 4, 0.1, 1)])
    reigns = [Do(10, True, False, "a", 1.0)] * 9 + [Do(10, True, True, "b", 1.0), Do(10, True, False, "b", 1.0)]
    worker = live(topics, [*reigns, Do(10, True, True, "a", 1.0)])
    assert [epoch.memory_from for epoch in epochs(topics)] == [0, 100, 120]
    assert 50 < snapshots(topics)["p"][0] < 100
    assert_as_lived(worker)


def test_another_model_before_the_first_record_begins_with_nothing() -> None:
    topics = Topics()
    write(topics, [quiet("p", 10)])
    worker = live(topics, [Do(0, True, False, "a", 1.0), Do(0, True, True, "b", 1.0)])
    assert [(epoch.model[0], epoch.windows) for epoch in epochs(topics)] == [("b", "empty")]
    passages = list(walk(topics, resolve, 5))
    assert all(passage.certainty.known for passage in passages)
    assert walked(passages, 5) == since(5, told(worker.committed))


@pytest.mark.parametrize("model", ["a", "c"])
def test_windows_of_another_shape_are_rebuilt_though_no_series_has_a_snapshot_yet(model: str) -> None:
    """And once more from the same offset under another model, which carries on what was rebuilt."""
    topics = Topics()
    write(topics, [quiet("p", 20, 1), quiet("q", 20, 1), ("p", 6, 4.0, 0), ("q", 20, 4.0, 1)])
    worker = live(topics, [Do(45, True, True, "d", 1.0), Do(0, True, True, model, 1.0), Do(0, True, True, "b", 1.0)])
    assert all(min(offsets) > 45 for offsets in snapshots(topics).values())
    found = [(epoch.model[0], epoch.from_offset, epoch.windows, epoch.windows_from) for epoch in epochs(topics)]
    assert found == [("d", 0, "empty", 0), ("b", 45, "rebuilt", 0)]
    assert_as_lived(worker)


def test_the_walk_begins_at_a_checkpoint_as_the_worker_went_on() -> None:
    topics = Topics()
    write(topics, [("p", 9, 0.1, 0), ("q", 30, 0.4, 1), ("p", 25, 3.0, 1), ("q", 30, 5.0, 1), ("p", 30, 0.1, 1)])
    life = [Do(10, True, False, "a", 1.0)] * 4 + [Do(10, True, True, "b", 1.0), Do(7, False, True, "b", 1.0)] * 3
    worker = live(topics, life, checkpoint_every_commit=True)
    for first in (15, 30, 41, 77, 100, 123):
        passages = list(walk(topics, resolve, first))
        assert passages[0].stage.entry == "checkpoint"
        assert walked(passages, first) == since(first, told(worker.committed))
        assert all(passage.certainty.known for passage in passages)


class OtherRelease(RememberingScorer):
    """The same model; what it carries has another structure."""

    state_dtype = np.dtype([*RememberingScorer.state_dtype.descr, ("more", "<f4")])


def test_under_a_release_that_carries_something_else_series_begin_anew() -> None:
    topics = Topics()
    write(topics, [quiet("p", 60, 1)])
    worker = PaperWorker(topics)
    worker.start(context("a", 1.0))
    for _ in range(55):
        worker.process(1)
        worker.commit()
    restored = worker.start(context_of(OtherRelease(), "a"))
    assert restored.epoch is not None
    assert (restored.epoch.windows, restored.epoch.memory_from, restored.memory_from) == ("carried", 55, 55)
    worker.pipeline.store.add(WideSample("p", (START_MS + 55_000) * 10**6, [0.1, 0.0]), 55)
    assert worker.pipeline.store.take().steps.tolist() == [0]


def test_a_checkpoint_of_what_another_release_carried_is_said_to_be_one() -> None:
    topics = Topics()
    write(topics, [quiet("p", 40, 1)])
    live(topics, [Do(10, True, False, "a", 1.0)] * 4, checkpoint_every_commit=True)
    message = (
        r"the checkpoint of none\.input/0 at offset 30 holds what another release carried along its series; use the "
        r"release that wrote it, or begin behind the worker's restart with this one"
    )
    with pytest.raises(StateMismatchError, match=message):
        list(walk(topics, lambda _: context_of(OtherRelease(), "a"), 35))


def test_a_look_back_does_not_tell_what_is_remembered_until_a_gap() -> None:
    topics = Topics()
    write(topics, [quiet("p", 40, 1), quiet("q", 40, 50), quiet("p", 10, 1), quiet("q", 10, 1)])
    worker = live(topics, [Do(0, False, False, "a", 1.0)])
    exact = {(series, offset): score for series, offset, score in told(worker.committed)[1]}
    held, wrong = set(), set()
    for passage in walk(topics, resolve, 20, look_back=15, retained=5):
        for series, offset, score in told([passage.outcome])[1]:
            if passage.certainty.holds(series, offset):
                held.add((series, offset))
                assert exact[series, offset] == score
            elif offset < 40:
                wrong.add(exact[series, offset] != score)
    # Of p what comes before the gap is uncertain, and rightly so; q begins within what is read, which nobody knows.
    assert wrong == {True}
    assert {series for series, _ in held} == {"p", "q"}
    assert min(offset for _, offset in held) > 80


def snapshots(topics: Topics) -> dict[str, list[int]]:
    """Offsets at which each series was written to the state topic."""
    found: dict[str, list[int]] = {}
    for item in topics.logs[STATE]:
        _, series = parse_key(item.key or b"")
        if series is not None and item.value:
            found.setdefault(series, []).append(decode_series(item.value).next_offset)
    return found


def epochs(topics: Topics) -> list[Epoch]:
    return list(read_log(topics, EPOCHS.topic, INPUT, SETTINGS.streams[0].name).epochs)  # type: ignore[arg-type]
