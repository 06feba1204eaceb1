"""A topic's history as arrays: what enters them, in which order, and what is found out about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.values import InputPartition, PlainRecord
from detector.settings import RecordSettings
from detector.training_data import collect, discover_channels, median_period_seconds, places_of_numbers

SECOND_NS = 1_000_000_000
CHANNELS = ("a", "b")
NAN = float("nan")


def records(*items: tuple[float, object], series: str = "s", partition: int = 0, first: int = 0) -> list[PlainRecord]:
    """``(seconds, value)``; bytes go as they are, anything else as JSON."""
    return [
        PlainRecord(
            "t", partition, first + index, round(seconds * 1000), series.encode(),
            value if value is None or isinstance(value, bytes) else json.dumps(value).encode(),
        )
        for index, (seconds, value) in enumerate(items)
    ]  # fmt: skip


def chunk(found: Sequence[PlainRecord]) -> tuple[InputPartition, Sequence[PlainRecord]]:
    return InputPartition("t", found[0].partition), found


def reader(**settings: Any) -> RecordReader:
    return RecordReader(RecordSettings(**settings), CHANNELS, decoder("json"))


def rows(data: tuple[np.ndarray, np.ndarray]) -> list[tuple[float, list[float]]]:
    """``(seconds, values)``; NaN as None so that rows compare equal."""
    times, values = data
    assert times.dtype == np.int64
    assert values.dtype == np.float64
    assert values.shape == (len(times), len(CHANNELS))
    return [
        (time_ns / SECOND_NS, [None if np.isnan(value) else value for value in row])
        for time_ns, row in zip(times.tolist(), values.tolist(), strict=True)
    ]


class TestWide:
    def test_rows_of_every_series_in_order_of_time(self):
        chunks = [
            chunk(records((1, {"a": 1, "b": 2}), (2, {"a": 3, "b": 4}), series="one")),
            chunk(records((1, {"a": 5, "b": 6}), series="two", partition=1)),
            chunk(records((3, {"a": 7, "b": 8}), series="one", first=2)),
        ]
        found = collect(chunks, reader(), 2)
        assert list(found.data) == ["one", "two"]
        assert rows(found.data["one"]) == [(1, [1, 2]), (2, [3, 4]), (3, [7, 8])]
        assert rows(found.data["two"]) == [(1, [5, 6])]
        assert (found.records, found.rejected) == (4, {})

    def test_a_missing_channel_is_nan(self):
        found = collect([chunk(records((1, {"a": 1}), (2, {"a": None, "b": 4})))], reader(), 2)
        assert rows(found.data["s"]) == [(1, [1, None]), (2, [None, 4])]

    def test_late_and_repeated_samples_are_dropped(self):
        found = collect([chunk(records(*((t, {"a": i, "b": 0}) for i, t in enumerate([1, 3, 2, 3, 4]))))], reader(), 2)
        assert rows(found.data["s"]) == [(1, [0, 0]), (3, [1, 0]), (4, [4, 0])]
        assert (found.records, found.rejected) == (5, {})

    def test_steps_of_any_length_stay_one_series(self):
        year = 365 * 86_400
        found = collect([chunk(records((1, {"a": 1}), (1 + year, {"a": 2}), (2 + 3 * year, {"a": 3})))], reader(), 2)
        assert [seconds for seconds, _ in rows(found.data["s"])] == [1, 1 + year, 2 + 3 * year]

    def test_a_range_keeps_its_first_and_leaves_out_its_end(self):
        given = [chunk(records(*((t, {"a": t, "b": 0}) for t in range(1, 7))))]
        found = collect(given, reader(), 2, since_ns=2 * SECOND_NS, until_ns=5 * SECOND_NS)
        assert rows(found.data["s"]) == [(2, [2, 0]), (3, [3, 0]), (4, [4, 0])]
        assert found.records == 6

    @pytest.mark.parametrize(
        ("borders", "kept"), [({"since_ns": 3 * SECOND_NS}, [3, 4]), ({"until_ns": 3 * SECOND_NS}, [1, 2])]
    )
    def test_one_border_alone(self, borders, kept):
        given = [chunk(records(*((t, {"a": t}) for t in range(1, 5))))]
        assert [seconds for seconds, _ in rows(collect(given, reader(), 2, **borders).data["s"])] == kept

    def test_a_series_without_a_row_in_range_is_left_out(self):
        given = [chunk(records((1, {"a": 1}), series="old")), chunk(records((9, {"a": 1}), series="new", partition=1))]
        assert list(collect(given, reader(), 2, since_ns=5 * SECOND_NS).data) == ["new"]

    def test_invalid_records_are_counted_by_reason_and_the_rest_is_read(self):
        given = records(
            (1, {"a": 1, "b": 1}), (2, b"{"), (3, None), (4, {"c": 1}), (5, b"\xff"), (6, [1]), (7, b"}"),
            (8, {"a": 2, "b": 2}),
        )  # fmt: skip
        found = collect([chunk(given)], reader(), 2)
        assert rows(found.data["s"]) == [(1, [1, 1]), (8, [2, 2])]
        assert found.rejected == {
            "not_json": 2, "null_value": 1, "no_channels": 1, "not_utf8": 1, "not_an_object": 1,
        }  # fmt: skip
        assert found.records == 8

    def test_a_series_that_moved_to_another_partition_is_put_in_order_of_time(self):
        given = [
            chunk(records((5, {"a": 5}), (6, {"a": 6}), partition=1)),
            chunk(records((1, {"a": 1}), (2, {"a": 2}), partition=0)),
        ]
        assert [seconds for seconds, _ in rows(collect(given, reader(), 2).data["s"])] == [1, 2, 5, 6]

    def test_more_rows_than_are_held_at_once(self):
        given = [chunk(records(*((t, {"a": t, "b": -t}) for t in range(1, 2501))))]
        times, values = collect(given, reader(), 2).data["s"]
        assert times.tolist() == [t * SECOND_NS for t in range(1, 2501)]
        assert values.tolist() == [[t, -t] for t in range(1, 2501)]

    def test_progress_is_told_of_chunks_and_of_waiting(self):
        told: list[int] = []
        given = [chunk(records((1, {"a": 1}), (2, {"a": 1}))), None, chunk(records((3, b"{"), first=2))]
        found = collect(given, reader(), 2, progress=told.append)
        assert told == [2, 0, 1]
        assert found.records == 3

    def test_nothing_gives_nothing(self):
        found = collect([None], reader(), 2)
        assert (found.data, found.records, found.rejected) == ({}, 0, {})


class TestTall:
    def test_channels_of_one_time_become_a_row(self):
        given = records(
            (1, {"channel": "a", "value": 1}), (1, {"channel": "b", "value": 2}),
            (2, {"channel": "b", "value": 4}), (2, {"channel": "a", "value": 3}),
        )  # fmt: skip
        assert rows(collect([chunk(given)], reader(layout="tall"), 2).data["s"]) == [(1, [1, 2]), (2, [3, 4])]

    def test_a_row_is_closed_incomplete_when_the_next_time_comes(self):
        given = records(
            (1, {"channel": "a", "value": 1}),
            (2, {"channel": "a", "value": 3}), (2, {"channel": "b", "value": 4}),
            (1, {"channel": "b", "value": 9}),
        )  # fmt: skip
        assert rows(collect([chunk(given)], reader(layout="tall"), 2).data["s"]) == [(1, [1, None]), (2, [3, 4])]

    def test_other_channels_are_ignored_and_not_rejected(self):
        given = records(
            (1, {"channel": "a", "value": 1}), (1, {"channel": "z", "value": 7}), (1, {"channel": "b", "value": 2}),
            (2, {"channel": "a"}),
        )  # fmt: skip
        found = collect([chunk(given)], reader(layout="tall"), 2)
        assert rows(found.data["s"]) == [(1, [1, 2])]
        assert (found.records, found.rejected) == (4, {"no_channels": 1})

    def test_series_are_assembled_apart(self):
        given = [
            *records((1, {"channel": "a", "value": 1}), series="one"),
            *records((1, {"channel": "a", "value": 2}), series="two", first=1),
            *records((1, {"channel": "b", "value": 3}), series="one", first=2),
            *records((1, {"channel": "b", "value": 4}), series="two", first=3),
        ]
        found = collect([chunk(given)], reader(layout="tall"), 2)
        assert (rows(found.data["one"]), rows(found.data["two"])) == ([(1, [1, 3])], [(1, [2, 4])])


class TestDiscovery:
    @staticmethod
    def discover(values: Sequence[object], **settings: Any) -> tuple[str, ...]:
        given = records(*((1, value) for value in values))
        return discover_channels(given, RecordSettings(**settings), decoder("json"))

    def test_numbers_of_wide_records_sorted(self):
        first = {"z": 1, "a": 2.5, "host": "h1", "on": True, "none": None, "tags": {"x": 1}, "list": [1]}
        assert self.discover([first, {"m": 3}]) == ("a", "m", "z")

    def test_fields_that_name_series_and_time_are_none(self):
        values = [{"id": 7, "meta": {"n": 1}, "ts": 1_700_000_000, "a": 1}]
        assert self.discover(values, series_fields=("id", "meta.n"), time_field="ts") == ("a",)

    def test_below_an_object(self):
        values = [{"n": 1, "fields": {"b": 2, "a": 1, "name": "x"}}, {"fields": 3}, {"other": {"c": 1}}]
        assert self.discover(values, channels_under="fields") == ("a", "b")

    def test_below_an_object_a_field_may_be_called_as_the_time_outside(self):
        assert self.discover([{"ts": 1, "fields": {"ts": 2}}], channels_under="fields", time_field="ts") == ("ts",)

    def test_names_in_tall_records(self):
        values = [
            {"metric": {"name": "cpu"}, "value": 1}, {"metric": {"name": "mem"}, "value": "high"},
            {"metric": {"name": 5}, "value": 1}, {"value": 1},
        ]  # fmt: skip
        assert self.discover(values, layout="tall", channel_name_field="metric.name") == ("cpu", "mem")

    def test_records_that_cannot_be_read_are_passed_over(self):
        assert self.discover([b"{", None, [1, 2], 5, b"\xff", {"a": 1}]) == ("a",)

    def test_nothing_is_found_in_nothing(self):
        assert self.discover([{"host": "h1"}]) == ()
        assert self.discover([{"value": 1}], layout="tall") == ()


class TestPeriod:
    @staticmethod
    def period(*series: Sequence[float]) -> float | None:
        return median_period_seconds(
            {
                str(index): (
                    np.array([round(seconds * SECOND_NS) for seconds in times], np.int64), np.zeros((len(times), 1)),
                )
                for index, times in enumerate(series)
            }
        )  # fmt: skip

    def test_a_regular_series(self):
        assert self.period([0, 300, 600, 900]) == 300.0

    def test_gaps_of_whole_steps_do_not_disturb_it(self):
        assert self.period([0, 10, 20, 60, 70, 80, 110, 120]) == 10.0

    def test_a_little_jitter_does_not_either(self):
        assert self.period([0, 10, 20.5, 30, 40, 50.2, 60.2]) == 10.0

    def test_all_series_are_looked_at_together(self):
        assert self.period([0, 10, 20], [3, 13, 23, 33], [5]) == 10.0

    def test_one_step_in_ten_may_be_odd_and_no_more(self):
        regular = [10.0 * index for index in range(10)]
        assert self.period([*regular, 95]) == 10.0
        assert self.period([*regular, 95, 99.5]) is None

    def test_steps_of_no_common_length_have_no_period(self):
        assert self.period([0, 1, 2.5, 6, 7.3, 11, 14.6]) is None

    def test_repeated_times_are_no_steps(self):
        assert self.period([0, 0, 10, 10, 10, 20]) == 10.0

    @pytest.mark.parametrize("series", [[], [[]], [[5]], [[5], [7]], [[5, 5, 5]]])
    def test_without_two_times_there_is_none(self, series):
        assert self.period(*series) is None


def test_where_numbers_are_is_found_within_records() -> None:
    found = records(
        (0, {"at": "2026-01-01", "asset": {"id": 7}, "data": {"oil.temp": {"mean": 1.0, "max": 2.0}, "ok": True}}),
        (1, b"no json"),
    )
    assert places_of_numbers(found, decoder("json")) == [r"data.oil\.temp", "asset"]
