"""``detector inspect`` on files, as people type it: what is found and written, and what it says when it cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CHANNELS, WINDOW

pytestmark = pytest.mark.keras
ROWS = 60


@pytest.fixture(scope="module")
def values():
    """A walk with a jump at row 40."""
    found = np.cumsum(np.random.default_rng(8).normal(size=(ROWS, len(CHANNELS))), axis=0)
    found[40:43, 0] += 50.0
    return found.round(4)


@pytest.fixture(scope="module")
def data(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "web.csv"
    rows = [f"{300 * number}," + ",".join(map(str, row)) + "\n" for number, row in enumerate(values.tolist())]
    path.write_text("timestamp," + ",".join(CHANNELS) + "\n" + "".join(rows))
    return path


def test_the_highest_score_is_opened_up(command, made, data, values, tmp_path):
    written = [tmp_path / f"window.{kind}" for kind in ("png", "html", "json")]
    ended = command("inspect", data, "--model", made.path, *(part for path in written for part in ("--out", path)))
    assert ended.code == 0, ended.err
    scores = tmp_path / "scores.jsonl"
    assert command("replay", data, "--model", made.path, "--scores", scores).code == 0
    highest = max((json.loads(line) for line in scores.read_text().splitlines()), key=lambda row: row["score"])

    view = json.loads(written[-1].read_text())
    last = [int(time[14:16]) * 60 + int(time[11:13]) * 3600 for time in view["times"]]
    assert last == list(range(last[0], last[0] + WINDOW * 300, 300))
    assert view["score"][-1] == pytest.approx(highest["score"], rel=1e-5)
    row = last[-1] // 300
    assert 40 <= row < 50
    for number, channel in enumerate(view["channels"]):
        assert channel["channel"] == CHANNELS[number]
        assert channel["seen"] == values[row + 1 - WINDOW : row + 1, number].tolist()
        assert channel["reconstruction"][-1] == channel["expected"][-1]
    total = sum(channel["contribution"][-1] for channel in view["channels"])
    assert total == pytest.approx(view["score"][-1], rel=1e-4)
    assert [layer["layer"] for layer in view["layers"]] == ["encoder", "decoder"]
    for layer in view["layers"]:
        assert set(layer["gates"]) == {"input", "forget", "candidate", "output"}
        assert np.shape(layer["gates"]["forget"]) == np.shape(layer["states"]["cell"]) == (WINDOW, 4)
    assert view["runtime_difference"] < 1e-4
    assert "web at 1970-01-01T" in ended.out
    assert "encoder (lstm, forward): mean gates input" in ended.out

    assert written[0].read_bytes().startswith(b"\x89PNG")
    html = written[1].read_text()
    assert json.loads(re.search(r'id="inspection">(.*?)</script>', html, re.S)[1]) == view
    assert "input gate" in html
    assert not re.search(r'src=|<link|@import|href="http', html)  # it needs nothing else


@pytest.mark.parametrize(("at", "noted"), [("1970-01-01T02:30:00Z", False), ("1970-01-01T02:32:00Z", True)])
def test_a_time_without_a_sample_is_noted(command, made, data, at, noted):
    ended = command("inspect", data, "--model", made.path, "--at", at, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["times"][-1] == "1970-01-01T02:30:00.000Z"
    assert ("no scored sample at 1970-01-01T02:32:00.000Z; this is the last one before" in ended.err) is noted


def test_an_event_is_found_by_the_beginning_of_its_id(command, made, data, tmp_path):
    events = tmp_path / "events.jsonl"
    assert command("replay", data, "--model", made.path, "--threshold", "1.5", "--events", events).code == 0
    event = json.loads(events.read_text().splitlines()[-1])
    for wanted in (event["event_id"], event["incident_id"][:12]):
        ended = command("inspect", data, "--model", made.path, "--events", events, "--event", wanted, "--json")
        assert ended.code == 0, ended.err
        view = json.loads(ended.out)
        assert view["times"][-1] == event["peak_at"]
        assert view["score"][-1] == pytest.approx(event["peak_score"], rel=1e-5)
        assert view["event"]["incident_id"] == event["incident_id"]
        told = {detail["channel"]: detail for detail in event["channels"]}
        for channel in view["channels"]:
            assert channel["contribution"][-1] == pytest.approx(told[channel["channel"]]["contribution"], rel=1e-4)
            assert channel["expected"][-1] == pytest.approx(told[channel["channel"]]["expected"], rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "title", "remark"),
    [
        ("silence", "web before it fell silent, at 1970-01-01T02:30:00.000Z", "no sample came for 12,000 s"),
        ("frozen", "web with a frozen channel, at 1970-01-01T03:00:00.000Z", "kept one value for 12,000 samples"),
    ],
)
def test_an_event_that_is_no_finding_of_the_model_says_what_it_is(command, made, data, tmp_path, kind, title, remark):
    events, page = tmp_path / "events.jsonl", tmp_path / "view.html"
    assert command("replay", data, "--model", made.path, "--threshold", "1.5", "--events", events).code == 0
    event = json.loads(events.read_text().splitlines()[-1])
    event |= {"kind": kind, "peak_score": 12_000.0, "started_at": "1970-01-01T02:30:00.000Z"}
    # Of silence the peak lies where no sample is.
    event["peak_at"] = "1970-01-02T00:00:00.000Z" if kind == "silence" else "1970-01-01T03:00:00.000Z"
    events.write_text(json.dumps(event) + "\n")
    wanted = ("--events", events, "--event", event["event_id"], "--out", page)
    ended = command("inspect", data, "--model", made.path, *wanted)
    assert ended.code == 0, ended.err
    assert title in ended.out
    assert f"{kind}: The event tells of" in ended.out
    html = page.read_text()
    assert f"<title>{title}</title>" in html
    assert remark in html
    assert title in html[html.index("<svg") :]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--event", "abc", "--series", "web"], "--event says what to look at; leave out --series"),
        (["--event", "0123456789"], "give -c detector.yaml to find the event in its topic, or --events FILE.jsonl"),
        (["--event", "012345", "--events", "EMPTY"], "events.jsonl holds no event or incident 012345"),
        (["--event", "012", "--events", "EMPTY"], "'012' is too short; give at least 6 characters"),
        (["--event", "012345", "--events", "BROKEN"], "broken.jsonl, line 1: not an event"),
        (["--event", "012345", "--events", "NOWHERE"], "nowhere.jsonl: cannot be read: No such file"),
        (["--at", "1970-01-01T01:00:00Z", "--since", "1d"], "--at names a sample; --since and --until belong to a"),
        (
            ["--at", "1969-01-01"],
            "within a window before it. It has samples from 1970-01-01T00:35:00.000Z to 1970-01-01T",
        ),
        (["--at", "2030-01-01"], "no scored sample at 2030-01-01T00:00:00.000Z, nor within a window before it. It has"),
        (["--series-column", "cpu"], "say what to look at: --event, or --series with or without --at"),
        (["--until", "1969-01-01"], "series 'web' has no score in that range"),
        (["--out", "picture.gif"], "picture.gif should end in one of .png, .svg, .html, .json"),
        (["--topic", "t"], "files are read without a cluster"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(command, made, data, tmp_path, arguments, message):
    places = {name: tmp_path / f"{name.lower()}.jsonl" for name in ("EMPTY", "BROKEN", "NOWHERE")}
    places["EMPTY"] = tmp_path / "events.jsonl"
    places["EMPTY"].write_text("\n")
    places["BROKEN"].write_text("{}\n")
    ended = command("inspect", data, "--model", made.path, *(places.get(argument, argument) for argument in arguments))
    assert ended.code == 2
    assert message in ended.err


def test_a_series_that_fills_no_window_has_no_samples_to_name(command, made, data, tmp_path):
    (tmp_path / "web.csv").write_text("".join(data.read_text().splitlines(keepends=True)[:4]))
    ended = command("inspect", tmp_path / "web.csv", "--model", made.path, "--at", "1970-01-01T00:05:00Z")
    assert ended.code == 2
    assert "nor at any other time; look at the name of the series, and whether it fills a window" in ended.err


def test_an_id_that_several_begin_with_is_refused():
    from detector.cli.inspect.target import find_event
    from detector.errors import ConfigError

    class Fake:
        def __init__(self, event_id: str, incident_id: str, sequence: int) -> None:
            self.event_id, self.incident_id, self.sequence = event_id, incident_id, sequence

    first, second = Fake("aaaaaa11", "cccccccc", 0), Fake("aaaaaa22", "cccccccc", 1)
    with pytest.raises(ConfigError, match="2 events or incidents of here begin with aaaaaa; give more of it"):
        find_event([first, second], "aaaaaa", "here")  # type: ignore[list-item]
    assert find_event([second, first], "cccccc", "here") is second  # type: ignore[list-item,comparison-overlap]


def test_without_matplotlib_pictures_say_what_to_install(
    command, made, data, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    import sys

    for name in [name for name in sys.modules if name.startswith("matplotlib") or name.endswith("inspection.picture")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = command("inspect", data, "--model", made.path, "--out", tmp_path / "window.png")
    assert ended.code == 2
    assert "pip install 'reconstream[plot]'" in ended.err
    assert not Path(tmp_path / "window.png").exists()


@pytest.mark.watch
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (380, "dark")])
def test_the_page_opens_without_a_complaint(command, made, data, tmp_path, open_page, screenshot, width, scheme):
    path = tmp_path / "view.html"
    assert command("inspect", data, "--model", made.path, "--out", path).code == 0
    with open_page(path, width=width, height=900, scheme=scheme) as page:
        assert page.locator("h1").inner_text().startswith("web at 1970-01-01T")
        picture = page.locator("svg").first
        assert picture.is_visible()
        # The picture is on the ground of the page, and what is written in it stands out.
        ground, ink = (
            ("rgb(255, 255, 255)", "rgb(23, 27, 33)")
            if scheme == "light"
            else ("rgb(22, 27, 34)", "rgb(233, 236, 241)")
        )
        assert picture.locator("#patch_1 path").evaluate("one => getComputedStyle(one).fill") == ground
        assert picture.locator("#text_1").first.evaluate("one => getComputedStyle(one).fill") == ink
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"inspect-{scheme}", full_page=True)
