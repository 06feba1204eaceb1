"""What a model carries along series: where it is kept, whose it is, and when it is right."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest

from detector.series.carried import NO_MEMORY, Carried, memory_layout
from detector.series.eviction import Residency
from detector.series.snapshot import SnapshotError, decode_snapshot, encode_snapshot
from detector.series.store import SeriesStore
from tests.carried.scorer import RememberingScorer
from tests.series.conftest import as_sample

DTYPE = RememberingScorer.state_dtype
LAYOUT = memory_layout(DTYPE, "a" * 64)


class Scored:
    """A store whose windows are scored when it asks for that, and at the end."""

    def __init__(self, spec, residency=None, layout=LAYOUT):
        self.store = SeriesStore(spec, 1024, residency, layout, self.settle)
        self.scores: list[tuple[str, int, float]] = []
        self.batches: list[int] = []

    def settle(self):
        if self.store.pending:
            batch = self.store.take()
            found = RememberingScorer().score(batch, self.store.memory)
            self.scores += zip(batch.series, batch.offsets.tolist(), found.score.tolist(), strict=True)
            self.batches.append(len(batch.series))

    def feed(self, items, first_offset=0):
        for offset, item in enumerate(items, first_offset):
            self.store.add(as_sample(item), offset)
        self.settle()
        return self.scores


def rows(series, first, count, start=0.0):
    return [(series, 10 * (first + row), [start + row, -start]) for row in range(count)]


class TestLayout:
    def test_a_model_and_a_structure_have_a_tag_of_their_own(self):
        tags = {LAYOUT.tag, memory_layout(DTYPE, "b" * 64).tag, memory_layout(np.dtype([("x", "<f4")]), "a" * 64).tag}
        assert [len(tag) for tag in tags] == [16] * 3

    def test_nothing_carried(self):
        assert memory_layout(None, "a" * 64) == NO_MEMORY
        assert (NO_MEMORY.itemsize, NO_MEMORY.tag) == (0, b"")

    def test_objects_are_refused(self):
        with pytest.raises(ValueError, match="holds objects; it must be plain numbers"):
            memory_layout(np.dtype([("x", object)]), "a")


class TestRoom:
    def test_it_grows_and_keeps_what_is_there(self):
        carried = Carried(LAYOUT)
        for slot in range(100):
            carried.open(slot)
            carried.states["rows"][slot] = slot
        assert carried.states["rows"][:100].tolist() == list(range(100))
        assert carried.memory_bytes == 128 * DTYPE.itemsize

    def test_not_past_the_usual_number_before_that_is_needed(self):
        carried = Carried(LAYOUT, usual_slots=20)
        sizes = []
        for slot in range(22):
            carried.open(slot)
            sizes.append(len(carried.states))
        assert sorted(set(sizes)) == [8, 16, 20, 40]

    def test_none_where_nothing_is_carried(self):
        carried = Carried(NO_MEMORY)
        carried.open(1000)
        assert (carried.states, carried.memory_bytes, carried.pack(5)) == (None, 0, b"")

    def test_the_store_counts_it(self, make_spec):
        without, remembering = SeriesStore(make_spec(channels=2)), SeriesStore(make_spec(channels=2), memory=LAYOUT)
        assert remembering.memory_bytes() - without.memory_bytes() == 8 * DTYPE.itemsize


class TestSnapshot:
    @pytest.fixture
    def spec(self, make_spec):
        return make_spec(channels=2)

    def test_a_series_goes_on_with_its_own(self, spec):
        straight, first, second = Scored(spec), Scored(spec), Scored(spec)
        items = rows("a", 0, 10)
        first.feed(items[:6])
        second.store.restore("a", first.store.snapshot("a"))
        second.feed(items[6:], 6)
        assert first.scores + second.scores == straight.feed(items)

    @pytest.mark.parametrize("other", [memory_layout(DTYPE, "b" * 64), NO_MEMORY], ids=["another", "none"])
    def test_another_models_is_not_taken_over(self, spec, other):
        first = Scored(spec)
        first.feed(rows("a", 0, 6))
        second = Scored(spec, layout=other)
        second.store.restore("a", first.store.snapshot("a"))
        second.store.add(as_sample(rows("a", 6, 1)[0]), 6)
        assert second.store.take().steps.tolist() == [0]

    def test_a_series_without_a_window_has_none(self, spec):
        scored = Scored(spec)
        scored.feed(rows("a", 0, 2))
        snapshot = decode_snapshot(scored.store.snapshot("a"), spec)
        assert (snapshot.since, snapshot.memory, snapshot.memory_tag) == (-1, b"", LAYOUT.tag)

    def test_snapshots_from_before_models_remembered_are_read(self, spec):
        scored = Scored(spec)
        scored.feed(rows("a", 0, 6))
        data = scored.store.snapshot("a")
        fields = msgspec.msgpack.decode(zlib.decompress(data[1:]))
        old = b"\x02" + zlib.compress(msgspec.msgpack.encode(fields[:13]), 1)
        fresh = Scored(spec)
        fresh.store.restore("a", old)
        fresh.store.add(as_sample(rows("a", 6, 1)[0]), 6)
        batch = fresh.store.take()
        assert (batch.steps.tolist(), batch.values[0, :, 0].tolist()) == ([0], [4.0, 5.0, 0.0])

    @pytest.mark.parametrize("change", [{"since": -2}, {"since": -1}, {"memory_tag": b""}, {"memory_tag": b"short"},
                                        {"memory": b""}], ids=str)  # fmt: skip
    def test_parts_that_do_not_fit(self, spec, change):
        scored = Scored(spec)
        scored.feed(rows("a", 0, 6))
        snapshot = decode_snapshot(scored.store.snapshot("a"), spec)
        with pytest.raises(SnapshotError, match="its parts do not fit together"):
            decode_snapshot(encode_snapshot(msgspec.structs.replace(snapshot, **change)), spec)

    def test_pending_windows_have_to_be_scored_first(self, spec):
        store = SeriesStore(spec, memory=LAYOUT)
        for offset, item in enumerate(rows("a", 0, 3)):
            store.add(as_sample(item), offset)
        with pytest.raises(RuntimeError, match=r"1 windows are pending: take\(\) and score them first"):
            store.snapshot("a")


class TestMoving:
    def test_windows_are_scored_before_their_series_leave(self, make_spec, tmp_path):
        # a b | c comes, a leaves | a comes back, and b leaves
        items = [*rows("a", 0, 4), *rows("b", 1, 4), *rows("c", 2, 4), *rows("a", 4, 4)]
        spec = make_spec(channels=2)
        free, bound = Scored(spec), Scored(spec, Residency(2, tmp_path))
        assert bound.feed(items) == free.feed(items)
        assert bound.batches == [2 + 2, 2, 4]
        assert bound.store.evictions.evicted == 2

    def test_windows_of_a_slots_former_series_are_scored_before_another_comes_back_to_it(self, make_spec, tmp_path):
        """While x waits in the file, y reports old times, falls behind and is forgotten; x then gets its slot."""
        spec = make_spec(channels=2, forget_after=800)
        items = [
            *rows("x", 20, 5),
            *rows("z", 21, 5, 7.0),
            ("y", 0, [1.0, 1.0]),  # x leaves
            *rows("y", 1, 4, 3.0),
            ("z", 900, [9.0, 9.0]),  # y is forgotten, with windows pending
            *rows("x", 25, 5, 50.0),
        ]
        free, bound = Scored(spec), Scored(spec, Residency(2, tmp_path))
        assert bound.feed(items) == free.feed(items)
        assert bound.store.evictions.reloaded == 1
        assert [reset.series for reset in bound.store.take_resets() if reset.reason == "forgotten"] == ["y"]

    def test_nothing_is_scored_early_where_nothing_is_carried(self, make_spec, tmp_path):
        def unwanted():
            raise AssertionError

        store = SeriesStore(make_spec(channels=2), residency=Residency(1, tmp_path), settle=unwanted)
        for offset, item in enumerate([*rows("a", 0, 4), *rows("b", 1, 4), *rows("a", 4, 4)]):
            store.add(as_sample(item), offset)
        assert len(store.take().series) == 2 + 2 + 4
