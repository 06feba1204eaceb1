"""What is in the picture of an incident: the numbers that its lines and bars are drawn from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from bokeh.models import BoxAnnotation, LogScale, PlainText, Span
from pictures_made import DAY_NS, STEP_NS, event, stretch

from detector.alerting.events import ChannelDetail
from detector.alerting.timestamps import format_time, parse_time
from detector.pictures import as_item, incident_picture
from detector.pictures.frame import MS_NS
from detector.stretches.stretch import Course


def sources(picture):
    found = {}
    for model in picture.references():
        if model.__class__.__name__ == "ColumnDataSource" and model.name:
            found.setdefault(model.name, model)
    return found


def panels(picture):
    return [child for child, _, _ in picture.children]


def titles(picture):
    return [panel.title.text.text for panel in panels(picture)]


def test_channels_that_are_blamed_come_first_with_their_share():
    of = stretch()
    picture = incident_picture(event(of), of)
    first, second, *rest = titles(picture)
    assert first == "disk   98%   seen 95, expected 55"
    assert second.startswith("cpu   1%")
    # What adds next to nothing has no panel of its own; the picture of all channels has it.
    assert [title.split("   ")[0] for title in rest] == ["Score", "What every channel adds to the score"]
    cells = sources(picture)["origin"].data
    assert set(cells["channel"]) == {"cpu", "disk", "net"}
    assert cells["channel"][int(np.argmax(cells["shade"]))] == "disk"
    np.testing.assert_allclose(cells["shade"] ** 2, cells["contribution"], rtol=1e-5)


def test_other_channels_are_shown_when_they_are_asked_for():
    of = stretch()
    assert titles(incident_picture(event(of), of, channels=["net"]))[0].startswith("net")


def test_lines_hold_what_was_seen_and_expected_with_offsets():
    of = stretch()
    data = sources(incident_picture(event(of), of))["channel:disk"].data
    np.testing.assert_array_equal(data["time"], of.times_ns / MS_NS)
    np.testing.assert_allclose(data["seen"], of.seen[:, 1], rtol=1e-7)
    np.testing.assert_allclose(data["expected"], of.expected[:, 1], rtol=1e-7)
    np.testing.assert_array_equal(data["offset"], of.offsets)
    np.testing.assert_allclose(data["residual"], of.seen[:, 1] - of.expected[:, 1], rtol=1e-7)


def test_a_missing_sample_and_a_pause_are_gaps():
    of = stretch()
    seen, times = of.seen.copy(), of.times_ns.copy()
    seen[10, 1] = np.nan
    times[20:] += 50 * STEP_NS
    of = replace(of, seen=seen, times_ns=times)
    data = sources(incident_picture(event(of), of))["channel:disk"].data
    assert len(data["time"]) == len(times) + 1
    assert np.isnan(data["seen"][10])
    assert np.isfinite(data["time"][10])
    assert np.isnan(data["time"][20])


def test_the_span_and_the_peak_are_marked_in_every_panel():
    of = stretch()
    told = event(of)
    for panel in panels(incident_picture(told, of))[:-1]:
        (box,) = [one for one in panel.center if isinstance(one, BoxAnnotation)]
        assert (box.left, box.right) == (parse_time(told.started_at) / MS_NS, parse_time(told.ended_at) / MS_NS)
        assert parse_time(told.peak_at) / MS_NS in [one.location for one in panel.center if isinstance(one, Span)]


def test_an_open_incident_lasts_up_to_what_is_known():
    of = stretch()
    told = event(of, event="updated", ended_at=None, closed_at=None, close_reason=None)
    panel = panels(incident_picture(told, of))[0]
    (box,) = [one for one in panel.center if isinstance(one, BoxAnnotation)]
    assert box.right == of.times_ns[-1] / MS_NS


def test_all_panels_move_together():
    of = stretch()
    assert len({id(panel.x_range) for panel in panels(incident_picture(event(of), of))}) == 1


def test_the_same_hours_before_lie_on_the_axis_of_the_incident():
    of = stretch()
    earlier = {
        "last day": Course(of.times_ns - DAY_NS, of.seen - 1),
        "last week": Course(of.times_ns[:5] - 7 * DAY_NS, of.seen[:5]),
    }
    found = sources(incident_picture(event(of), of, earlier))
    np.testing.assert_array_equal(found["course:last day"].data["time"], of.times_ns / MS_NS)
    np.testing.assert_array_equal(found["course:last week"].data["time"], of.times_ns[:5] / MS_NS)


def test_a_course_of_another_name_is_shifted_by_whole_days():
    of = stretch()
    found = sources(incident_picture(event(of), of, {"two days before": Course(of.times_ns - 2 * DAY_NS, of.seen)}))
    np.testing.assert_array_equal(found["course:two days before"].data["time"], of.times_ns / MS_NS)


def test_a_long_stretch_is_thinned_and_keeps_its_extremes():
    of = stretch(50_000)
    seen = of.seen.copy()
    seen[12_345, 1] = 500.0
    of = replace(of, seen=seen)
    data = sources(incident_picture(event(of), of))["channel:disk"].data
    assert len(data["seen"]) < 4000
    assert np.nanmax(data["seen"]) == 500.0
    # Points that were left out make no gap in the line.
    assert np.isfinite(data["time"]).all()


def test_a_score_far_above_the_threshold_is_drawn_on_a_logarithmic_axis():
    of = stretch()
    assert not isinstance(panels(incident_picture(event(of), of))[2].y_scale, LogScale)
    high = replace(of, score=of.score * 1000)
    picture = incident_picture(event(of), high)
    assert isinstance(panels(picture)[2].y_scale, LogScale)
    assert titles(picture)[2].startswith("Score, logarithmic")


def test_a_frozen_channel_is_shown_with_the_value_that_it_keeps():
    of = stretch()
    told = event(of, kind="frozen", channels=(ChannelDetail("net", 48.0, 1.6, 12.5, None),), threshold=30.0)
    (panel,) = panels(incident_picture(told, of))
    assert panel.title.text.text == "net   keeps 12.5 for 48 samples, 30 are usual at most"
    assert 12.5 in [one.location for one in panel.center if isinstance(one, Span)]


def test_silence_is_shown_as_the_pause_after_the_last_samples():
    of = stretch()
    last = int(of.times_ns[-1])
    told = event(
        of, kind="silence", channels=(), started_at=format_time(last), ended_at=None, event="opened",
        updated_at=format_time(last + 40 * STEP_NS), threshold=1500.0, peak_score=12_000.0,
    )  # fmt: skip
    picture = incident_picture(told, of)
    for panel in panels(picture):
        (box,) = [one for one in panel.center if isinstance(one, BoxAnnotation)]
        assert (box.left, box.right) == (last / MS_NS, (last + 40 * STEP_NS) / MS_NS)
        assert panel.x_range.end >= box.right
        assert last / MS_NS + 1_500_000 in [one.location for one in panel.center if isinstance(one, Span)]
    assert titles(picture)[0].endswith("silent for 3 h 20 min, 25 min are usual at most")


def test_without_a_sample_it_says_so():
    none = replace(
        stretch(), times_ns=np.empty(0, np.int64), offsets=np.empty(0, np.int64), seen=np.empty((0, 3)),
        expected=np.empty((0, 3)), contributions=np.empty((0, 3), np.float32), score=np.empty(0), threshold=np.empty(0),
    )  # fmt: skip
    assert "No sample" in incident_picture(event(stretch()), none).title.text.text


def test_one_channel_needs_no_picture_of_all():
    of = stretch(channels=("cpu",))
    told = event(of, channels=(ChannelDetail("cpu", 8.0, 1.0, 95.0, 55.0),))
    assert [title.split("   ")[0] for title in titles(incident_picture(told, of))] == ["cpu", "Score"]


@pytest.mark.parametrize("name", ["$$x^2$$", "</script>", "\\(a\\)"])
def test_names_are_plain_text_and_no_mathematics(name):
    of = stretch(channels=(name, "disk"))
    told = event(of, channels=(ChannelDetail(name, 7.8, 0.975, 95.0, 55.0),))
    picture = incident_picture(told, of)
    assert all(isinstance(panel.title.text, PlainText) for panel in panels(picture))
    assert titles(picture)[0].startswith(name)
    json.dumps(as_item(picture), allow_nan=False)
