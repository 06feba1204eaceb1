"""The tasks of ``benchmarks.memory`` are what they say; what cells learn of them is for the benchmark to show."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.memory import adding, holding


def test_the_sum_of_the_two_marked_numbers_is_asked_for_and_chance_is_what_is_said():
    sequences, sums = adding.draw(np.random.default_rng(0), 20_000, 20)
    numbers, marks = sequences[:, :, 0], sequences[:, :, 1]
    assert (marks[:, :10].sum(axis=1) == 1).all()
    assert (marks[:, 10:].sum(axis=1) == 1).all()
    np.testing.assert_allclose((numbers * marks).sum(axis=1), sums[:, 0])
    assert np.mean((sums - 1) ** 2) == pytest.approx(adding.CHANCE, rel=0.02)


def test_the_last_symbol_is_asked_for_across_chunks():
    source = holding.Source(np.random.default_rng(0), 8)
    chunks = [source.take(50) for _ in range(60)]
    rows, held = (np.concatenate(parts, axis=1) for parts in zip(*chunks, strict=True))
    for lane in range(8):
        pulses, symbols = np.nonzero(rows[lane, :, : holding.SYMBOLS])
        assert (held[lane, : pulses[0]] == -1).all()
        for start, stop, symbol in zip(pulses, [*pulses[1:], rows.shape[1]], symbols, strict=True):
            assert (held[lane, start:stop] == symbol).all()
        # Some are to be held far beyond a chunk.
        assert np.diff(pulses).max() > 2 * 50
