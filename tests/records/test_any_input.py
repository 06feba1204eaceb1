"""Whatever the bytes: a sample with sound values, or InvalidRecordError; never another exception."""

from __future__ import annotations

import json
import math

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.errors import InvalidRecordError
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.times import END_NS
from detector.records.values import PlainRecord, TallSample, WideSample
from detector.settings import RecordSettings

REASONS = {
    *("null_value", "not_utf8", "not_json", "not_an_object", "missing_series", "bad_series", "missing_time"),
    *("bad_time", "future_time", "not_a_number", "not_finite", "no_channels"),
}
CHANNELS = ("a", "b")
READERS = [
    RecordReader(layout, CHANNELS, decoder("json"))
    for layout in (
        RecordSettings(),
        RecordSettings(series_fields=("s", "t.0"), time_field="time", channel_fields={"a": "a.0.x"}),
        RecordSettings(time_field="time", time_unit="ms", channels_under="f"),
        RecordSettings(time_field="time", time_unit="iso8601"),
        RecordSettings(layout="tall", series_fields=("s",), time_field="time", channel_name_field="c", value_field="f"),
    )
]

NUMBERS = (
    st.integers() | st.floats() | st.sampled_from([10**30, 10**400, 1e308, -0.0, 1_700_000_000, 1_700_000_000_000])
)
TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        "HUGE",
        "NaN",
        "-inf",
        "1e999",
        "0x10",
        "1_0",
        "\ud800",
        "2026-01-02T03:04:05Z",
        "9999-99-99",
        "1" * 5000,
        "a",
        "b",
    ]
)
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcfsxt0"), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c", "f", "s", "t", "time", ""]), VALUES, max_size=8)


def dumped(document):
    """As Python producers write it: bare NaN, lone surrogates escaped, and integers longer than Python itself reads."""
    return json.dumps(document).replace('"HUGE"', "-" + "9" * 5000).encode()


BYTES = (
    st.binary(max_size=40)
    | DOCUMENTS.map(dumped)
    | VALUES.map(dumped)
    # Damaged on the way: cut short, or a byte replaced.
    | st.builds(lambda data, cut: data[:cut], DOCUMENTS.map(dumped), st.integers(0, 60))
    | st.builds(
        lambda data, at, byte: data[:at] + byte + data[at + 1 :],
        DOCUMENTS.map(dumped),
        st.integers(0, 60),
        st.binary(max_size=1),
    )
)


def outcome(reader, record):
    try:
        return reader.read(record), None
    except InvalidRecordError as error:
        return None, error


@settings(max_examples=400, deadline=None)
@given(value=st.none() | BYTES, key=st.none() | st.binary(max_size=6), timestamp=st.integers(-1, 2**63 - 1))
@example(value=b'{"a":' * 100_000, key=b"k", timestamp=0)
@example(value=b'{"a": NaN, "b": ' + b"[" * 100_000, key=b"k", timestamp=0)
@example(value=b'{"a": NaN, "b": ' + b"9" * 5000 + b"}", key=b"k", timestamp=0)
@example(value=b'{"a": 1, "a": 2, "b": ' + b"9" * 400 + b"}", key=b"k", timestamp=0)
def test_any_bytes_give_a_sample_or_a_reason(value, key, timestamp):
    for reader in READERS:
        sample, refusal = outcome(reader, PlainRecord("t", 0, 0, timestamp, key, value))
        if refusal is not None:
            assert refusal.reason in REASONS
            assert len(refusal.detail) < 300
            assert refusal.detail.encode()
        if sample is None:
            continue
        assert sample.series
        assert len(sample.series.encode()) <= 1024
        assert 0 <= sample.time_ns < END_NS
        values = sample.values if isinstance(sample, WideSample) else (sample.value,)
        assert len(values) == (2 if isinstance(sample, WideSample) else 1)
        assert all(type(number) is float and not math.isinf(number) for number in values)
        assert isinstance(sample, WideSample) or (type(sample) is TallSample and sample.channel in (0, 1))
