"""Chunks of training data: every row once, in order, and none that is held out."""

from __future__ import annotations

import numpy as np
import pytest

from models.fitting.chunks import ChunkBank, fill_forward
from models.fitting.windows import SeriesWindows, lay_windows
from models.imputation import impute
from models.scaling import Scaler
from models.segments import Segment

WINDOW, CHUNK = 4, 10


def segment(rows: int, first: float) -> Segment:
    """One channel that counts up, so that a value tells its row."""
    values = first + np.arange(rows, dtype=float)[:, None]
    return Segment(np.arange(rows, dtype=np.int64), values, np.ones(rows, np.bool_))


def bank_of(*segments: Segment, held_out_share: float = 0.2, lanes: int = 3, chunk: int = CHUNK):
    laid = lay_windows(segments, WINDOW, held_out_share, 0.5)
    scaler = Scaler(("s",), np.zeros((2, 1)), np.ones((2, 1)), clip=1e9)
    return ChunkBank({"s": laid}, scaler, WINDOW, chunk, lanes), laid


def ends(laid: SeriesWindows, part: str) -> set[float]:
    return {float(laid.segments[number].values[end, 0]) for number, end in getattr(laid, part)}


class Lane:
    """Follows what one lane reads."""

    def __init__(self) -> None:
        self.last: float | None = None

    def follow(self, read, fresh):
        if not fresh:
            assert self.last is not None
            assert read[0] == self.last + 1
        self.last = read[-1]


@pytest.mark.parametrize("lanes", [1, 3, 50])
@pytest.mark.parametrize("seed", range(3))
def test_a_pass_reads_training_rows_once_in_order_and_never_one_that_is_held_out(lanes, seed):
    bank, laid = bank_of(segment(100, 1000), segment(70, 5000), segment(9, 8000), lanes=lanes)
    counted: list[float] = []
    following = [Lane() for _ in range(bank.lanes)]
    for chunks in bank.train(bank.schedule(np.random.default_rng(seed))):
        assert chunks.rows.shape == (bank.lanes, WINDOW - 1 + chunks.counted.shape[1] + 1, 1)
        seen = chunks.rows[chunks.observed[..., 0]][:, 0]
        assert not set(seen.tolist()) & ends(laid, "held_out")
        for lane, state in enumerate(following):
            read = chunks.rows[lane, WINDOW - 1 : -1, 0]
            there = read > 0
            if there.any():
                state.follow(read[there], chunks.fresh[lane])
            counted += read[chunks.counted[lane]].tolist()
    assert len(counted) == len(set(counted))
    # Where a memory begins, a window is read before the loss is taken; the random phase leaves out up to a chunk more.
    assert set(counted) <= ends(laid, "train")
    lost = len(ends(laid, "train")) - len(counted)
    assert lost <= 2 * CHUNK + (WINDOW - 1) * 12


def test_the_loss_is_taken_once_the_memory_has_read_a_window():
    bank, _ = bank_of(segment(60, 1000), held_out_share=0.5, lanes=1)
    (chunks, *_) = bank.train(bank.schedule(np.random.default_rng(0)))
    assert chunks.fresh.tolist() == [True]
    assert chunks.counted[0].tolist() == [False] * (WINDOW - 1) + [True] * (CHUNK - WINDOW + 1)


def test_windows_and_the_row_after_them_are_drawn_with_a_chunk():
    bank, _ = bank_of(segment(60, 1000), held_out_share=0.5, lanes=1)
    (first, second, *_) = bank.train(bank.schedule(np.random.default_rng(0)))
    rows = second.rows[0, :, 0]
    assert (np.diff(rows) == 1).all()
    assert rows[WINDOW - 1] == first.rows[0, -1, 0]


def test_held_out_pieces_count_each_held_out_window_once_behind_a_chunk_of_warm_up():
    bank, laid = bank_of(segment(200, 1000), segment(45, 5000))
    counted = []
    for chunks in bank.held_out(most_chunks=100, batch=2):
        assert chunks.fresh.all()
        for lane in range(len(chunks.rows)):
            places = np.flatnonzero(chunks.counted[lane])
            assert not places.size or places[0] >= min(CHUNK, 3)
            counted += chunks.rows[lane, WINDOW - 1 : -1, 0][places].tolist()
    assert sorted(counted) == sorted(ends(laid, "held_out"))


def test_held_out_pieces_are_spread_when_there_are_many():
    bank, _ = bank_of(segment(1000, 1000))
    assert sum(len(chunks.rows) for chunks in bank.held_out(most_chunks=5, batch=2)) == 5


def test_rows_are_filled_as_the_last_row_of_a_live_window_is():
    scaled = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    scaled[np.random.default_rng(1).random(scaled.shape) < 0.6] = np.nan
    filled, observed = fill_forward(scaled, WINDOW)
    assert (observed == ~np.isnan(scaled)).all()
    for end in range(WINDOW - 1, 40):
        live, _ = impute(scaled[None, end + 1 - WINDOW : end + 1])
        assert (live[0, -1] == filled[end]).all()
