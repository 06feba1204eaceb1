"""Incidents over time: which bars there are, and where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures_made import DAY_NS, START_NS, incident

from detector.pictures import alerts_per_day, compared, timeline
from detector.pictures.frame import MS_NS
from detector.pictures.names import short_names
from detector.pictures.timeline import MOST_ROWS

HOUR_NS = 3600 * 10**9


def bars(picture):
    """By severity: the source of its bars."""
    found = {}
    for renderer in picture.renderers:
        data = renderer.data_source.data
        if len(data["severity"]):
            found[data["severity"][0]] = data
    return found


def test_a_bar_for_each_incident_by_severity():
    incidents = [incident(1), incident(2, severity="critical"), incident(3)]
    found = bars(timeline(incidents, START_NS, START_NS + DAY_NS))
    assert found["warning"]["incident"] == [incident(1).incident_id, incident(3).incident_id]
    assert found["critical"]["series"] == ["web-2"]
    np.testing.assert_array_equal(found["critical"]["start"], [incident(2).started_ns / MS_NS])
    np.testing.assert_array_equal(found["critical"]["end"], [incident(2).ended_ns / MS_NS])
    assert found["critical"]["blames"] == ["cpu 50%"]
    assert found["critical"]["lasted"] == ["30 min"]


def test_the_title_says_when_there_are_more_than_these():
    incidents = [incident(1), incident(2)]
    assert timeline(incidents, START_NS, START_NS + DAY_NS, known=2).title.text.text == "2 incidents of 2 series"
    latest = timeline(incidents, START_NS, START_NS + DAY_NS, known=1234)
    assert latest.title.text.text == "2 of 1,234 incidents, 2 series"


def test_the_gravest_series_is_at_the_top():
    incidents = [incident(1), incident(2, severity="critical", peak_ratio=6.0), incident(3, peak_ratio=4.0)]
    picture = timeline(incidents, START_NS, START_NS + DAY_NS)
    assert list(reversed(picture.y_range.factors)) == ["web-2", "web-3", "web-1"]


def test_an_open_incident_lasts_to_the_right_edge():
    until = START_NS + DAY_NS
    found = bars(timeline([incident(1, ended_ns=None, closed_ns=None)], START_NS, until))
    assert found["warning"]["end"].tolist() == [until / MS_NS]
    assert found["warning"]["lasted"] == ["30 min, still open"]


def test_series_of_two_streams_are_told_apart():
    incidents = [incident(1, series="a"), incident(2, series="a", stream="pumps")]
    picture = timeline(incidents, START_NS, START_NS + DAY_NS)
    assert set(picture.y_range.factors) == {"servers / a", "pumps / a"}


def test_too_many_series_share_the_last_row():
    picture = timeline([incident(number) for number in range(MOST_ROWS + 20)], START_NS, START_NS + 9 * DAY_NS)
    assert len(picture.y_range.factors) == MOST_ROWS + 1
    assert picture.y_range.factors[0] == "20 other series"
    assert picture.title.text.text == f"{MOST_ROWS + 20} incidents of {MOST_ROWS + 20} series"
    assert bars(picture)["warning"]["row"].count("20 other series") == 20


def test_what_is_picked_is_told_by_id():
    picture = timeline([incident(1)], START_NS, START_NS + DAY_NS)
    assert all("selects:incident" in renderer.data_source.tags for renderer in picture.renderers)


def test_no_incident_is_a_picture_too():
    picture = timeline([], START_NS, START_NS)
    assert picture.title.text.text == "No incident in this time"


@pytest.mark.parametrize(("days", "unit_ns", "name"), [(10, DAY_NS, "day"), (2, HOUR_NS, "hour")])
def test_alerts_are_counted_when_they_opened(days, unit_ns, name):
    incidents = [incident(1), incident(1, severity="critical"), incident(30)]
    picture = alerts_per_day(incidents, START_NS, START_NS + days * DAY_NS)
    assert picture.title.text.text.endswith(name)
    data = picture.renderers[0].data_source.data
    counted = dict(
        zip((data["begin"] * MS_NS / unit_ns).round().astype(int).tolist(), data["total"].tolist(), strict=True)
    )
    expected = {}
    for one in incidents:
        expected[one.opened_ns // unit_ns] = expected.get(one.opened_ns // unit_ns, 0) + 1
    assert {place: count for place, count in counted.items() if count} == expected
    assert data["critical"].sum() == 1
    assert len(data["total"]) >= days * DAY_NS // unit_ns


def test_two_models_have_the_same_rows_over_the_same_time():
    grid = compared([incident(1), incident(2)], [incident(2)], ("champion", "challenger"), START_NS, START_NS + DAY_NS)
    first, second = (child for child, _, _ in grid.children)
    assert first.y_range.factors == second.y_range.factors
    assert first.x_range is second.x_range
    assert second.title.text.text == "challenger   1 incident of 1 series"


def test_long_names_leave_room_for_the_bars():
    long = "a-very-long-name-of-a-series-in-europe-west-"
    incidents = [incident(1, series=f"{long}1"), incident(2, series=f"{long}1", stream="b"), incident(3)]
    picture = timeline(incidents, START_NS, START_NS + DAY_NS)
    assert all(len(name) <= 20 for name in picture.y_range.factors)
    assert len(set(picture.y_range.factors)) == 3
    assert f"{long}1" in bars(picture)["warning"]["series"]


def test_names_that_are_cut_to_the_same_stay_apart():
    assert short_names(["x" * 40, "x" * 41, "short"]) == {
        "x" * 40: "…xxxxxxxxxxxxxxxx",
        "x" * 41: "xxxxxxxx…xxxxxxx 2",
        "short": "short",
    }


def test_names_that_are_alike_at_both_ends_keep_what_they_differ_by():
    groups = [f"sensor.group-{number}.temperature.celsius.mean" for number in (1, 11, 2)]
    assert list(short_names(groups).values()) == ["sensor.group-1…", "sensor.group-11…", "sensor.group-2…"]
    deep = [f"plant-of-the-north/line-{number}/temperature.celsius" for number in (1, 2)]
    assert list(short_names(deep).values()) == ["…the-north/line-1…", "…the-north/line-2…"]


def test_names_whose_difference_is_long_are_numbered():
    names = [f"beginning-{letter * 30}-the-end" for letter in "ab"]
    assert list(short_names(names).values()) == ["beginning…-the-end", "beginnin…the-end 2"]


@given(st.lists(st.text("ab-.", max_size=40), unique=True, max_size=12))
def test_no_two_rows_have_one_name(names):
    found = short_names(names)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    assert all(len(short) <= 21 for short in found.values())


def test_only_severities_that_there_are_stand_in_the_legend():
    picture = timeline([incident(1, severity="critical")], START_NS, START_NS + DAY_NS)
    assert [item.label.value for item in picture.legend[0].items] == ["critical"]
