"""Pictures that are filled in are those that would be built: each place that depends on the data is bound."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from msgspec import structs
from pictures_made import DAY_NS, STEP_NS, event, stretch

from detector.alerting.events import ChannelDetail
from detector.alerting.timestamps import format_time
from detector.pictures import as_item, incident_item, incident_picture
from detector.pictures.stencil import Places, Stencils
from detector.stretches.stretch import Course


def plain(item: dict[str, Any]) -> Any:
    """The item with its models called by the order in which they come, whatever their ids are."""
    names: dict[str, str] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            # What is as usual is left out where it is not bound.
            told = {key: child for key, child in sorted(node.items()) if (key, child) != ("visible", True)}
            return {key: renamed(child) if key == "id" else walk(child) for key, child in told.items()}
        return [walk(child) for child in node] if isinstance(node, list | tuple) else node

    def renamed(name: str) -> str:
        return names.setdefault(name, f"model {len(names)}")

    return walk(json.loads(json.dumps(item))["doc"]["roots"])


def _another(of, told):
    """The same shape, and nothing else that is equal."""
    late = of.times_ns + 3 * DAY_NS
    moved = replace(
        of, channels=tuple(f"{name}-2" for name in of.channels), times_ns=late, offsets=of.offsets + 9,
        seen=of.seen * 3 + 1, expected=of.expected * 2, contributions=of.contributions * 2, score=of.score * 2,
        threshold=of.threshold * 1.5,
    )  # fmt: skip
    details = tuple(structs.replace(one, channel=f"{one.channel}-2", seen=(one.seen or 0) + 5) for one in told.channels)
    times = {
        name: format_time(int(moved.times_ns[place]))
        for name, place in (("started_at", 20), ("peak_at", 30), ("ended_at", 45), ("closed_at", 50))
    }
    return moved, structs.replace(told, channels=details, peak_score_over_threshold=7.5, threshold=41.0, **times)


def _silent(of):
    last = int(of.times_ns[-1])
    return event(
        of, kind="silence", channels=(), started_at=format_time(last), ended_at=None, event="opened",
        updated_at=format_time(last + 40 * STEP_NS), threshold=1500.0, peak_score=12_000.0,
    )  # fmt: skip


CASES = {
    "reconstruction": lambda of: (of, event(of)),
    "logarithmic": lambda of: (replace(of, score=of.score * 1000), event(of)),
    "frozen": lambda of: (
        of,
        event(of, kind="frozen", channels=(ChannelDetail("net", 48.0, 1.6, 12.5, None),), threshold=30.0),
    ),
    "silence": lambda of: (of, _silent(of)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("days", [(), (1, 7)])
def test_a_picture_that_is_filled_in_is_the_one_that_would_be_built(name, days):
    first, told = CASES[name](stretch())
    incident_item(told, first, _earlier(first, days))
    other, told_of_it = _another(first, told)
    filled = incident_item(told_of_it, other, _earlier(other, days))
    assert plain(filled) == plain(as_item(incident_picture(told_of_it, other, _earlier(other, days))))
    assert plain(filled) != plain(incident_item(told, first, _earlier(first, days)))


def test_many_channels_and_few_share_no_stencil_where_their_pictures_differ():
    few, many = stretch(), stretch(channels=tuple(f"c{number:02}" for number in range(60)))
    for of in (few, many):
        blamed = (ChannelDetail(of.channels[1], 7.8, 0.9, 95.0, 55.0),)
        told = event(of, channels=blamed)
        assert plain(incident_item(told, of)) == plain(as_item(incident_picture(told, of)))


def _earlier(of, days):
    names = {1: "last day", 7: "last week"}
    return {names[day]: Course(of.times_ns - day * DAY_NS, of.seen - day) for day in days}


def _draw(places: Places[list[float]]) -> figure:
    drawn.append(threading.current_thread().name)
    found, source = figure(), ColumnDataSource()
    places.bind(source, "data", lambda data: {"x": np.array(data)})
    found.scatter("x", "x", source=source)
    return found


drawn: list[str] = []


def test_models_are_built_once_for_each_shape_and_few_shapes_are_kept():
    drawn.clear()
    stencils = Stencils(_draw, most=2)
    for shape in ("a", "b", "a", "a", "c", "a", "b"):
        stencils.item([1.0, 2.0], shape)
    assert len(drawn) == 4  # a, b, c, which takes the place of b, and b once more


def test_what_is_not_finite_and_what_names_hold_stays_json():
    of = stretch(channels=("</script>", "disk", "net"))
    of = replace(of, seen=np.full_like(of.seen, np.nan))
    told = event(of, channels=(ChannelDetail("</script>", 7.8, 0.9, None, 55.0),))
    json.dumps(incident_item(told, of), allow_nan=False)
