from __future__ import annotations

import json
import math

import pytest

from detector.errors import ConfigError, InvalidRecordError
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.values import PlainRecord, TallSample, WideSample
from detector.settings import RecordSettings

STAMP_MS = 1_700_000_000_000
TIME_NS = STAMP_MS * 1_000_000
CHANNELS = ("cpu", "disk", "net.in")


def record(value, key=b"web-1", timestamp=STAMP_MS):
    raw = value if value is None or isinstance(value, bytes | tuple) else json.dumps(value).encode()
    return PlainRecord("telemetry", 0, 7, timestamp, key, raw)


def reader(channels=CHANNELS, decode="json", **settings):
    return RecordReader(RecordSettings(**settings), channels, decoder(decode))


def wide(values, series="web-1", time_ns=TIME_NS):
    return WideSample(series, time_ns, values)


class Same:
    """Equal to the same floats, where NaN equals NaN."""

    def __init__(self, *values):
        self.values = values

    def __eq__(self, other):
        return repr(tuple(other)) == repr(tuple(map(float, self.values)))

    def __repr__(self):
        return repr(self.values)


NAN = math.nan


@pytest.mark.parametrize(
    ("document", "values"),
    [
        ({"cpu": 1.5, "disk": -2.0, "net.in": 3.25}, Same(1.5, -2, 3.25)),
        ({"net.in": 3, "disk": 2, "cpu": 1, "other": {"x": "y"}}, Same(1, 2, 3)),
        ({"cpu": True, "disk": False, "net.in": 10**20}, Same(1, 0, 1e20)),
        ({"cpu": "12.5", "disk": " -3e2 ", "net.in": "0"}, Same(12.5, -300, 0)),
        ({"cpu": None, "disk": "NaN", "net.in": 1}, Same(NAN, NAN, 1)),
        ({"cpu": NAN, "disk": 2, "net.in": 1}, Same(NAN, 2, 1)),
        ({"disk": 2}, Same(NAN, 2, NAN)),
        ({"cpu": None}, Same(NAN, NAN, NAN)),
        # The sum of the channels is infinite though each is finite.
        ({"cpu": 1e308, "disk": 1e308, "net.in": 1e308}, Same(1e308, 1e308, 1e308)),
    ],
)
def test_wide_values(document, values):
    assert reader().read(record(document)) == ("web-1", TIME_NS, values)
    assert all(type(value) is float for value in reader().read(record(document)).values)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "null_value: the record has no value (a tombstone)"),
        (b"[1]", "not_an_object: the value is an array, not an object with fields"),
        (b"null", "not_an_object: the value is null, not an object with fields"),
        (b"3", "not_an_object: the value is 3, not an object with fields"),
        (b'"' + b"x" * 100 + b'"', f"not_an_object: the value is '{'x' * 60}'..., not an object with fields"),
        ({"cpu": "high", "disk": 1}, "not_a_number: cpu is 'high'"),
        ({"cpu": ""}, "not_a_number: cpu is ''"),
        ({"cpu": "1_000"}, "not_a_number: cpu is '1_000'"),
        ({"cpu": "٣"}, "not_a_number: cpu is '٣'"),
        ({"cpu": {"value": 1}}, "not_a_number: cpu is an object"),
        ({"cpu": [1]}, "not_a_number: cpu is an array"),
        ({"cpu": math.inf, "disk": 1, "net.in": 1}, "not_finite: cpu is inf"),
        ({"cpu": "-Infinity"}, "not_finite: cpu is '-Infinity'"),
        ({"cpu": "1e999"}, "not_finite: cpu is '1e999'"),
        ({"cpu": 10**400}, "not_finite: cpu is a number far too large"),
        ({"other": 1}, "no_channels: none of the model's 3 channels is there; expected fields: cpu, disk, net.in"),
        ({}, "no_channels: none of the model's 3 channels is there; expected fields: cpu, disk, net.in"),
        # The name of a channel is no path.
        (
            {"net": {"in": 1}},
            "no_channels: none of the model's 3 channels is there; expected fields: cpu, disk, net.in",
        ),
    ],
)
def test_an_invalid_wide_record_says_why(value, message):
    with pytest.raises(InvalidRecordError) as caught:
        reader().read(record(value))
    assert str(caught.value) == message


def test_one_channel_alone():
    assert reader(("cpu",)).read(record({"cpu": 2})) == wide((2.0,))
    with pytest.raises(InvalidRecordError, match=r"^no_channels"):
        reader(("cpu",)).read(record({"disk": 2}))


def test_channels_at_paths_of_their_own():
    found = reader(channel_fields={"cpu": "load.0.avg", "net.in": "net.in"}).read(
        record({"load": [{"avg": 4}], "disk": "5", "net": {"in": None}})
    )
    assert found == ("web-1", TIME_NS, Same(4, 5, NAN))


def test_renamed_top_level_channels():
    assert reader(("a", "b"), channel_fields={"a": "x"}).read(record({"x": 1, "b": 2, "a": 9})) == wide((1.0, 2.0))


def test_channels_under_an_object():
    nested = reader(("a", "b"), channels_under="data.fields", channel_fields={"b": "deep.b"})
    assert nested.read(record({"data": {"fields": {"a": 1, "deep": {"b": 2}}}})) == wide((1.0, 2.0))
    for document in ({"a": 1}, {"data": {"fields": [1]}}, {"data": None}):
        with pytest.raises(InvalidRecordError) as caught:
            nested.read(record(document))
        assert str(caught.value) == "no_channels: there is no object at data.fields"


@pytest.mark.parametrize(
    ("fields", "document", "series"),
    [
        (("host",), {"host": "a/b%"}, "a/b%"),
        (("id",), {"id": 17}, "17"),
        (("host", "tags.disk"), {"host": "a", "tags": {"disk": "/dev/sda"}}, "a/%2Fdev%2Fsda"),
        (("a", "b"), {"a": "x/y", "b": "z"}, "x%2Fy/z"),
        (("a", "b"), {"a": "x", "b": "y/z"}, "x/y%2Fz"),
        (("a", "b"), {"a": "x%2Fy", "b": 3}, "x%252Fy/3"),
        (("host",), {"host": "ü" * 512}, "ü" * 512),
    ],
)
def test_series_from_fields(fields, document, series):
    found = reader(("cpu",), series_fields=fields).read(record({"cpu": 1, **document}, key=b"\xff"))
    assert found == wide((1.0,), series=series)


@pytest.mark.parametrize(
    ("key", "document", "fields", "message"),
    [
        (None, {}, (), "missing_series: the record has no key; set record.series_fields to name the series"),
        (b"", {}, (), "missing_series: the record has no key; set record.series_fields to name the series"),
        (b"a\xff", {}, (), "not_utf8: byte 1 of the key is not UTF-8"),
        (b"x" * 1025, {}, (), "bad_series: the key has 1025 bytes; at most 1024 name a series"),
        (b"k", {}, ("tags.host",), "missing_series: the series field tags.host is missing"),
        (b"k", {"host": ""}, ("host",), "missing_series: the series field host is empty"),
        (b"k", {"host": None}, ("host",), "missing_series: the series field host is null, not text or a whole number"),
        (b"k", {"host": True}, ("host",), "missing_series: the series field host is true, not text or a whole number"),
        (b"k", {"host": 1.5}, ("host",), "missing_series: the series field host is 1.5, not text or a whole number"),
        (
            b"k",
            {"host": {}},
            ("host",),
            "missing_series: the series field host is an object, not text or a whole number",
        ),
        (b"k", {"a": "x"}, ("a", "b"), "missing_series: the series field b is missing"),
        (b"k", {"host": "ü" * 513}, ("host",), "bad_series: the series name has 1026 bytes; at most 1024 are allowed"),
    ],
)
def test_a_record_without_a_usable_series_says_why(key, document, fields, message):
    with pytest.raises(InvalidRecordError) as caught:
        reader(("cpu",), series_fields=fields).read(record({"cpu": 1, **document}, key=key))
    assert str(caught.value) == message


def test_half_a_surrogate_pair_in_a_series_is_refused_before_it_reaches_kafka():
    value = b'{"host": "a\\ud800", "cpu": NaN}'  # only the second look, taken because of NaN, lets it through
    with pytest.raises(InvalidRecordError) as caught:
        reader(("cpu",), series_fields=("host",)).read(record(value))
    assert str(caught.value) == "not_utf8: the series name 'a\\ud800' is not UTF-8"


def test_the_record_timestamp_is_the_event_time_by_default():
    assert reader(("cpu",)).read(record({"cpu": 1, "time": 5}, timestamp=0)) == wide((1.0,), time_ns=0)


@pytest.mark.parametrize(
    ("timestamp", "settings", "document", "message"),
    [
        (-1, {}, {}, "missing_time: the record has no timestamp; set record.time_field"),
        (
            2**62,
            {},
            {},
            f"bad_time: {2**62} lies outside the years 1970 to 2199; is the unit right?",
        ),
        (STAMP_MS, {"time_field": "meta.time"}, {"time": 1}, "missing_time: the time field meta.time is missing"),
        (STAMP_MS, {"time_field": "time"}, {"time": None}, "missing_time: the time is null"),
        (STAMP_MS, {"time_field": "time"}, {"time": "noon"}, "bad_time: 'noon' is neither a number nor ISO 8601"),
        (
            STAMP_MS,
            {"time_field": "time"},
            {"time": STAMP_MS + 3_600_001},
            f"future_time: the time {STAMP_MS + 3_600_001} is 3600 s ahead of the record's timestamp; "
            "at most 3600 s are allowed (max_future_seconds)",
        ),
    ],
)
def test_a_record_without_a_usable_time_says_why(timestamp, settings, document, message):
    with pytest.raises(InvalidRecordError) as caught:
        reader(("cpu",), **settings).read(record({"cpu": 1, **document}, timestamp=timestamp))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("timestamp", "time_ms"),
    [
        (STAMP_MS, STAMP_MS + 3_600_000),  # exactly as far ahead as allowed
        (STAMP_MS, 1_000_000_000_000),  # history
        (-1, STAMP_MS * 2),  # nothing to compare with
    ],
)
def test_event_times_that_are_not_too_far_ahead(timestamp, time_ms):
    found = reader(("cpu",), time_field="time").read(record({"cpu": 1, "time": time_ms}, timestamp=timestamp))
    assert found == wide((1.0,), time_ns=time_ms * 1_000_000)


def test_telegraf_metrics_are_read_by_configuration():
    value = {
        "name": "cpu",
        "tags": {"host": "web-1", "cpu": "cpu0"},
        "fields": {"usage_idle": 98.1, "usage_user": 1.2, "usage_steal": 0},
        "timestamp": 1_700_000_000,
    }
    telegraf = reader(
        ("usage_user", "usage_idle"),
        series_fields=("tags.host", "tags.cpu"),
        time_field="timestamp",
        channels_under="fields",
    )
    assert telegraf.read(record(value, key=None)) == wide((1.2, 98.1), series="web-1/cpu0")


@pytest.mark.parametrize(
    ("value", "expected"), [("0.25", 0.25), ("9876543210", 9876543210.0), (3, 3.0), (None, NAN), ("NaN", NAN)]
)
def test_a_prometheus_bridge_is_read_by_configuration(value, expected):
    bridge = reader(
        ("node_load1", "up"),
        layout="tall",
        series_fields=("labels.instance",),
        time_field="timestamp",
        channel_name_field="name",
    )
    document = {
        "timestamp": "2023-11-14T22:13:20Z",
        "value": value,
        "name": "up",
        "labels": {"__name__": "up", "instance": "web-1:9100"},
    }
    assert repr(bridge.read(record(document))) == repr(TallSample("web-1:9100", TIME_NS, 1, expected))


def test_tall_records():
    tall = reader(layout="tall")
    assert tall.read(record({"channel": "net.in", "value": "5"})) == TallSample("web-1", TIME_NS, 2, 5.0)
    assert tall.read(record({"channel": "cpu", "value": True})) == TallSample("web-1", TIME_NS, 0, 1.0)


def test_a_tall_record_of_a_channel_that_the_model_does_not_know_is_none_of_our_business():
    assert reader(layout="tall").read(record({"channel": "other", "value": "whatever"}, key=None)) is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"value": 1}, "no_channels: the channel's name, channel, is missing"),
        ({"channel": 5, "value": 1}, "no_channels: the channel's name, channel, is 5, not text"),
        ({"channel": ["cpu"], "value": 1}, "no_channels: the channel's name, channel, is an array, not text"),
        ({"channel": "cpu"}, "no_channels: the value of channel 'cpu', value, is missing"),
        ({"channel": "cpu", "value": "x"}, "not_a_number: value is 'x'"),
        ({"channel": "cpu", "value": "+Inf"}, "not_finite: value is '+Inf'"),
    ],
)
def test_an_invalid_tall_record_says_why(document, message):
    with pytest.raises(InvalidRecordError) as caught:
        reader(layout="tall").read(record(document))
    assert str(caught.value) == message


def test_rows_of_a_file():
    rows = reader(("a", "b"), decode="row")
    assert rows.read(record((5, [1.0, NAN]), key=b"series", timestamp=-1)) == ("series", 5, Same(1, NAN))


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        ((5, [1.0]), b"k", "no_channels: the row has 1 values for 2 channels"),
        ((5, [1.0, math.inf]), b"k", "not_finite: the row holds an infinite value"),
        ((5, [1.0, 2.0]), None, "missing_series: the record has no key; set record.series_fields to name the series"),
        (b"{}", b"k", "not_an_object: the decoder 'row' reads rows of files; set record.decoder for a topic"),
    ],
)
def test_an_invalid_row_says_why(value, key, message):
    with pytest.raises(InvalidRecordError) as caught:
        reader(("a", "b"), decode="row").read(record(value, key=key))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("channels", "settings", "message"),
    [
        (
            ("cpu",),
            {"channel_fields": {"cpus": "x"}},
            "channel_fields names 'cpus', which the model does not have; its channels are cpu",
        ),
        (("cpu", "cpu"), {}, "a stream needs channels with distinct names, not ['cpu', 'cpu']"),
        ((), {}, "a stream needs channels with distinct names, not []"),
        (
            ("cpu",),
            {"time_field": "a..b"},
            "the path 'a..b' has an empty name; write names separated by single dots",
        ),
    ],
)
def test_settings_that_do_not_fit_say_why(channels, settings, message):
    with pytest.raises(ConfigError) as caught:
        reader(channels, **settings)
    assert str(caught.value) == message
