from __future__ import annotations

import pytest

from detector.settings import StreamSettings
from detector.settings_file import fingerprint


def stream(**sections):
    return StreamSettings.model_validate({"name": "s", "topic": "t", "model": "m", **sections})


def test_it_does_not_depend_on_how_the_settings_are_written():
    plain = fingerprint(stream())
    assert fingerprint(stream(record={}, window={"stride": 1}, incidents={"threshold": None})) == plain
    assert fingerprint(stream(window={"stale_after_seconds": "15m"})) == plain
    assert fingerprint(stream(window={"stale_after_seconds": 900})) == plain
    one = stream(record={"channel_fields": {"a": "x", "b": "y"}})
    other = stream(record={"channel_fields": {"b": "y", "a": "x"}})
    assert fingerprint(one) == fingerprint(other) != plain


def test_it_does_not_depend_on_where_the_stream_runs():
    plain = fingerprint(stream())
    for change in ({"name": "other"}, {"topic": "other"}, {"model": "/elsewhere"}, {"runtime": "keras"}):
        assert fingerprint(stream(**change)) == plain


@pytest.mark.parametrize(
    "change",
    [
        {"record": {"layout": "tall"}},
        {"record": {"series_fields": ["a", "b"]}},
        {"record": {"series_fields": ["b", "a"]}},
        {"record": {"channels_under": "ü"}},
        {"window": {"stride": 2}},
        {"window": {"max_jump_seconds": 604_800.5}},
        {"incidents": {"threshold": 1.0}},
        {"incidents": {"top_channels": 4}},
        {"silence": {"after_seconds": 30}},
        {"frozen": {"margin": 3}},
    ],
)
def test_it_changes_with_every_setting_that_shapes_outcomes(change):
    assert fingerprint(stream(**change)) != fingerprint(stream())
    assert len(fingerprint(stream(**change))) == 64


def test_it_is_the_same_everywhere():
    # Ids of incidents hold this value. When a new setting or default changes it, that belongs in the changelog.
    settings = stream(record={"series_fields": ["ü"]}, window={"max_series": 7}, incidents={"threshold": 0.1})
    assert fingerprint(settings) == "e451070742d91dac88a4829df41e5268dde17fc0a15433df348e445c71dc9ab8"
