"""Whatever rows are packed come back bit by bit, and short decimals take few bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.series.packing import pack_floats, pack_integers, unpack_floats, unpack_integers

shapes = st.tuples(st.integers(0, 12), st.integers(1, 4))
decimals = st.builds(lambda whole, digits: whole / 10**digits, st.integers(-(10**7), 10**7), st.integers(0, 7))
numbers = st.one_of(
    decimals,
    st.just(np.nan),
    st.floats(),
    st.sampled_from([-0.0, 2.0**53, 2.0**53 - 1, 5e-324, 1.7e308, float("inf")]),
)


@settings(max_examples=400, deadline=None)
@given(
    data=st.data(), shape=shapes, elements=st.sampled_from([decimals, st.one_of(decimals, st.just(np.nan)), numbers])
)
def test_floats_come_back_bit_by_bit(data, shape, elements):
    values = data.draw(arrays(np.float64, shape, elements=elements))
    assert unpack_floats(pack_floats(values), shape[1], shape[0]) == values.astype("<f8").tobytes()


@settings(max_examples=300, deadline=None)
@given(values=arrays(np.int64, shapes, elements=st.integers(-(2**62), 2**62)))
def test_integers_come_back(values):
    rows, columns = values.shape
    assert unpack_integers(pack_integers(values), columns, rows) == values.astype("<i8").tobytes()


@pytest.mark.parametrize(("decimals", "most_bytes"), [(0, 600), (1, 600), (3, 1100)])
def test_short_decimals_take_few_bytes(decimals, most_bytes):
    values = np.round(50 + np.random.default_rng(0).normal(0, 1, (63, 8)), decimals)
    assert len(pack_floats(values)) < most_bytes < values.nbytes / 3
    values[5:9, 2] = np.nan
    assert len(pack_floats(values)) < values.nbytes


@settings(max_examples=500, deadline=None)
@given(data=st.one_of(st.binary(max_size=60), st.builds(lambda v: pack_floats(v), arrays(np.float64, (3, 2)))),
       cut=st.integers(0, 60), channels=st.integers(1, 3))  # fmt: skip
def test_damage_is_a_value_error_or_a_few_rows(data, cut, channels):
    for unpack in (unpack_floats, unpack_integers):
        try:
            found = unpack(data[:cut], channels, 4)
        except ValueError:
            continue
        assert len(found) <= max(4 * channels * 8, len(data))
