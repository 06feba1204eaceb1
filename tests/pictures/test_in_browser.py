"""Every picture in a real browser, light and dark, wide and narrow: drawn without a complaint, and to be looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pictures_made import DAY_NS, DRAW_ALL, START_NS, STEP_NS, event, incident, stretch

from detector.alerting.events import ChannelDetail
from detector.alerting.timestamps import format_time
from detector.pages.blocks import Fold, Picture, Report, Section, Text
from detector.pages.render import render_report
from detector.pictures import alerts_per_day, as_item, compared, incident_picture, score_histogram, timeline
from detector.stretches.stretch import Course
from tests.support.waiting import until

pytestmark = pytest.mark.watch

HOSTILE = "$$\\frac{1}{0}$$<img src=x onerror=alert(1)>"


def shown(layout):
    return Picture(as_item(layout))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    noise = np.random.default_rng(0)
    of = stretch(300, ("cpu", "disk", "net", HOSTILE))
    seen = of.seen + noise.normal(size=of.seen.shape)
    seen[40:45] = np.nan
    times = of.times_ns.copy()
    times[100:] += 30 * STEP_NS
    of = replace(of, seen=seen, times_ns=times)
    earlier = {name: Course(times - days * DAY_NS, seen - days) for name, days in (("last day", 1), ("last week", 7))}
    blamed = (ChannelDetail("disk", 7.8, 0.9, 95.0, 55.0), ChannelDetail(HOSTILE, 0.2, 0.1, 50.5, 50.0))
    last = int(times[-1])
    silent = event(
        of, kind="silence", channels=(), started_at=format_time(last), ended_at=None, event="opened",
        updated_at=format_time(last + 40 * STEP_NS), threshold=1500.0, peak_score=12_000.0,
    )  # fmt: skip
    frozen = event(of, kind="frozen", channels=(ChannelDetail("net", 48.0, 1.6, 50.0, None),), threshold=30.0)
    unknown = replace(of, seen=np.full_like(seen, np.nan), expected=np.full_like(seen, np.nan), score=of.score * np.nan)
    until = START_NS + 3 * DAY_NS
    incidents = [
        incident(n, series=f"web-{n % 5}", severity=("info", "warning", "critical")[n % 3], duration_seconds=4000.0 * n)
        for n in range(1, 24)
    ] + [incident(30, series=HOSTILE, ended_ns=None, closed_ns=None)]
    sections = [
        Section("timeline", "Timeline", [shown(timeline(incidents, START_NS, until))]),
        Section("alerts", "Alerts", [shown(alerts_per_day(incidents, START_NS, until))]),
        Section("incident", "Incident", [shown(incident_picture(event(of, channels=blamed), of, earlier))]),
        Section("silence", "Silence", [shown(incident_picture(silent, of))]),
        Section("frozen", "Frozen", [shown(incident_picture(frozen, of))]),
        Section("wide", "Far above", [shown(incident_picture(event(of), replace(of, score=of.score * 1000)))]),
        Section("unknown", "Nothing known", [shown(incident_picture(event(of), unknown))]),
        Section("none", "None", [shown(timeline([], START_NS, until)), shown(alerts_per_day([], START_NS, until))]),
        Section("two", "Two models", [shown(compared(incidents, incidents[::2], ("a", "b"), START_NS, until))]),
        Section("scores", "Scores", [shown(score_histogram(noise.gamma(2, 0.4, 9000), 3.0))]),
        Section("places", "Places", [Fold(f"incident-{one.incident_id}", "", [Text("x")]) for one in incidents]),
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("pictures") / "pictures.html"
    path.write_text(render_report(Report("Pictures", "Of every kind", sections)), "utf-8")
    return path


def test_every_picture_is_drawn_light_and_dark_wide_and_narrow(open_page, screenshot, page_file):
    with open_page(page_file, width=1280, height=900) as page:
        page.evaluate(DRAW_ALL)
        assert page.evaluate("window.reconstream.drawn()") == page.locator(".drawing").count() == 11
        screenshot(page, "pictures-light", full_page=True)
        page.click(".theme-toggle")
        screenshot(page, "pictures-dark", full_page=True)
        page.click(".theme-toggle")
        page.set_viewport_size({"width": 380, "height": 800})
        until(
            lambda: page.evaluate(
                "document.querySelector('#incident .drawing > *').getBoundingClientRect().width < 380"
            )
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        screenshot(page, "pictures-phone", full_page=True)


def test_a_tap_on_a_bar_leads_to_the_incident(open_page, page_file):
    with open_page(page_file, width=1280, height=900) as page:
        page.wait_for_selector("#timeline .drawing[data-state=drawn]")
        place = page.evaluate(
            """() => {
                const named = (view) => view.model.title?.text?.text?.includes("incidents of");
                const view = Object.values(window.Bokeh.index).find(named);
                const renderer = [...view.renderer_views.values()].find((one) => one.model.glyph?.marker !== undefined
                    && one.model.data_source.get_length() > 0);
                const data = renderer.model.data_source.data;
                const column = (name) => (data instanceof Map ? data.get(name) : data[name]);
                const box = view.canvas_view.el.getBoundingClientRect();
                return {
                    x: box.x + renderer.coordinates.x_scale.compute(column("peak")[0]),
                    y: box.y + renderer.coordinates.y_scale.compute(view.model.y_range.synthetic(column("row")[0])),
                    incident: column("incident")[0],
                };
            }"""
        )
        page.mouse.click(place["x"], place["y"])
        page.wait_for_selector(f"#incident-{place['incident']}[open]")
        assert page.url.endswith(f"#incident-{place['incident']}")


def test_the_pointer_tells_what_is_there(open_page, screenshot, page_file):
    with open_page(page_file, width=1280, height=900) as page:
        page.evaluate("document.getElementById('incident').scrollIntoView()")
        page.wait_for_selector("#incident .drawing[data-state=drawn]")
        box = page.locator("#incident .drawing").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 130)
        tip = page.locator(".bk-tooltip-content", has_text="residual").first
        tip.wait_for()
        said = tip.inner_text()
        assert all(word in said for word in ("seen", "expected", "contribution", "offset")), said
        screenshot(page, "pictures-hover")
