"""Scores of whole series offline, and of the same rows through the worker's own pipeline: the same bits."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.cli.common.assemble import stream_context
from detector.files.source import FileSource
from detector.files.table import open_table
from detector.replay import EventTimeRange, replay
from detector.settings import StreamSettings
from models.bundle import load_bundle, open_runtime
from models.offline import places, score_series, walk
from models.segments import Segment, cut

pytestmark = pytest.mark.keras
SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS


def series(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Times with gaps, short ones that are filled and long ones, and values with holes, some of them whole rows."""
    random = np.random.default_rng(seed)
    steps = np.arange(rows)
    values = np.stack([np.sin(steps / 5), 5 + 3 * np.cos(steps / 9), np.full(rows, 7.0)], axis=1)
    values[:, :2] += random.normal(scale=0.1, size=(rows, 2))
    values[random.random(values.shape) < 0.05] = np.nan
    values[60:66, :2] = np.nan
    kept = np.ones(rows, np.bool_)
    gaps = np.array([20, 40, 41, 90, 91, 92, *range(120, 140), *range(200, 203)])
    kept[gaps[gaps < rows]] = False
    return (START_NS + steps * SECOND_NS)[kept], values[kept]


class Kept:
    def __init__(self) -> None:
        self.score: dict[tuple[str, int], float] = {}

    def take(self, taken):
        for rows in taken.scores:
            self.score |= dict(
                zip(zip(rows.series, rows.time_ns.tolist(), strict=True), rows.score.tolist(), strict=True)
            )


@pytest.mark.parametrize("kind", ["streaming", "tiny"])
def test_they_have_the_same_bits(kind, request, tmp_path):
    path = request.getfixturevalue(f"{kind}_path")
    data = {"a": series(0, 260), "b": series(1, 110), "never trained on": series(2, 300)}
    columns = defaultdict(list)
    for name, (times, values) in data.items():
        columns["series"] += [name] * len(times)
        columns["timestamp"] += times.tolist()
        for channel, column in zip("xyz", values.T, strict=True):
            columns[channel] += column.tolist()
    columns["timestamp"] = pa.array(columns["timestamp"], pa.timestamp("ns"))
    table = pa.table(dict(columns))
    pq.write_table(table.take(np.argsort(table["timestamp"].to_numpy(), kind="stable")), tmp_path / "data.parquet")
    bundle = load_bundle(path)
    stream = StreamSettings.model_validate(
        {"name": "s", "topic": "file", "model": str(path), "record": {"decoder": "row"}}
    )
    live = Kept()
    context = stream_context(stream, bundle, "", keep_scores=True)
    source = FileSource([open_table(tmp_path / "data.parquet", series_column="series", channels=("x", "y", "z"))])
    replay(source.chunks(), {"data.parquet": context}, EventTimeRange(), [live])

    segments = {
        name: cut(times, values, SECOND_NS, stream.window.max_gap_steps) for name, (times, values) in data.items()
    }
    assert [len(found) for found in segments.values()] == [2, 1, 2]
    chain = bundle.chain(open_runtime(bundle))
    offline = score_series(chain, segments, bundle.spec.window, stream.window.min_coverage)
    found = {}
    for name, parts in offline.items():
        for segment, scores in zip(segments[name], parts, strict=True):
            known = ~np.isnan(scores.score)
            found |= {
                (name, time): score for time, score in zip(segment.times_ns[known], scores.score[known], strict=True)
            }
            np.testing.assert_allclose(scores.contributions.sum(axis=1)[known], scores.score[known], rtol=1e-9)
    assert found == {key: score for key, score in live.score.items() if not np.isnan(score)}
    assert len(found) > 250


def rows(count: int, filled: tuple[int, ...] = ()) -> Segment:
    values = np.arange(count, dtype=float)[:, None]
    real = np.ones(count, np.bool_)
    real[list(filled)] = False
    values[~real] = np.nan
    return Segment(np.arange(count, dtype=np.int64), values, real)


class TestWalk:
    def test_filled_rows_complete_no_window_and_count_as_steps_of_the_next(self):
        found = places([rows(8, filled=(4, 5)), rows(4)], 3)
        assert found.segments.tolist() == [0, 0, 0, 0, 1, 1]
        assert found.ends.tolist() == [2, 3, 6, 7, 2, 3]
        assert found.steps.tolist() == [0, 1, 3, 1, 0, 1]
        assert found.numbers_of(np.array([[0, 3], [1, 2]])).tolist() == [1, 4]

    def test_windows_of_each_series_come_in_order_whatever_the_others(self, monkeypatch):
        monkeypatch.setattr("models.offline.BATCH_WINDOWS", 7)
        data = [[rows(30)], [rows(5), rows(12)], [rows(2)], [rows(9)]]
        numbers = defaultdict(list)
        for batch in walk(data, 3, 0.5):
            assert len(batch.values) <= 9
            for slot, number, window in zip(batch.slots, batch.numbers, batch.values, strict=True):
                numbers[slot].append(number)
                assert np.diff(window[:, 0]).tolist() == [1, 1]
        assert {slot: len(found) for slot, found in numbers.items()} == {0: 28, 1: 13, 3: 7}
        assert all(found == sorted(found) for found in numbers.values())

    def test_it_can_begin_later_and_begins_anew_there(self):
        batches = list(walk([[rows(10)]], 3, 0.5, begin=[5]))
        assert np.concatenate([batch.numbers for batch in batches]).tolist() == [5, 6, 7]
        assert np.concatenate([batch.steps for batch in batches]).tolist() == [0, 1, 1]

    def test_too_little_observed_is_not_usable(self):
        part = rows(6)
        part.values[4] = np.nan
        (batch,) = walk([[part]], 3, 0.5)
        assert batch.usable.tolist() == [True, True, False, True]
