"""The page in a real browser, over a real broker and the events of a real model: what people see and do."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from detector.feedback.verdicts import decode_verdict
from tests.dashboard.conftest import HOSTILE, HOUR_NS, Served, event
from tests.support.commands import Command
from tests.worker.support import Cluster

expect.set_options(timeout=30_000)
pytestmark = [pytest.mark.watch, pytest.mark.kafka, pytest.mark.keras]


def series_of(page: Page) -> list[str]:
    return page.locator("#list .series").all_inner_texts()


def ready(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#list .row").first).to_be_visible()


def painted(page: Page, within: str) -> int:
    """How many colours there are on the canvases within an element; Bokeh's shadow roots are looked into."""
    return page.evaluate(
        """(selector) => {
          const found = [];
          const walk = (node) => {
            for (const each of node.querySelectorAll("*")) {
              if (each.tagName === "CANVAS") found.push(each);
              if (each.shadowRoot) walk(each.shadowRoot);
            }
          };
          walk(document.querySelector(selector));
          const colours = new Set();
          for (const canvas of found) {
            if (!canvas.width || !canvas.height) continue;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            for (let at = 0; at < data.length; at += 4) if (data[at + 3]) colours.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
          }
          return colours.size;
        }""",  # noqa: E501 - one line of JavaScript
        within,
    )


def test_what_is_open_comes_first_and_the_strip_sums_it_up(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(served.url, width=1440, height=1000) as page:
        ready(page)
        states = page.locator("#list > li").evaluate_all("items => items.map((item) => item.classList[0])")
        assert states == sorted(states, key=lambda state: state != "open")
        assert "open" in states
        assert "closed" in states
        first = page.locator("#list .row").first
        expect(first).to_contain_text("cache-7")
        expect(first).to_contain_text("silence")
        expect(first).to_contain_text(re.compile(r"open for 1\d min"))
        expect(page.locator("#summary .count.critical b")).to_have_text("1")
        expect(page).to_have_title("(4) reconstream")
        expect(page.locator("#timeline .drawing")).to_have_attribute("data-state", "drawn")
        assert painted(page, "#timeline") > 3
        screenshot(page, "dashboard-list")


def test_filters_are_in_the_address_and_back_goes_back(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(served.url) as page:
        ready(page)
        every = len(series_of(page))
        page.locator("[name=severity][value=critical]").check()
        expect(page).to_have_url(re.compile(r"\?severity=critical$"))
        expect(page.locator("#list .row .severity .word").filter(has_not_text="critical")).to_have_count(0)
        page.keyboard.press("/")
        page.keyboard.type("DB")
        expect(page).to_have_url(re.compile(r"series=DB"))
        expect(page.locator("#list .row")).to_have_count(1)
        assert series_of(page) == ["db-2"]
        screenshot(page, "dashboard-filtered")
        page.keyboard.type("nothing")
        expect(page.locator("#empty")).to_have_text("No incident matches these filters.")
        page.get_by_role("button", name="Clear filters").click()
        expect(page.locator("#list .row")).to_have_count(every)
        page.go_back()
        expect(page.locator("#empty")).to_be_visible()
        expect(page.locator("[name=series]")).to_have_value("DBnothing")
        page.locator("[name=series]").fill("")
        expect(page).to_have_url(re.compile(r"\?severity=critical$"))
        # The address alone says it all, to a colleague too.
        address = page.url
    with open_page(f"{address}&sort=oldest&kind=reconstruction&since=90d") as page:
        ready(page)
        expect(page.locator("[name=severity][value=critical]")).to_be_checked()
        expect(page.locator("[name=sort]")).to_have_value("oldest")
        expect(page.locator("[name=range] option:checked")).to_have_text("last 90d")
        assert series_of(page) == ["edge-11", "web-1", "db-2"]


def test_a_click_on_the_timeline_opens_the_incident(served: Served, open_page: Any) -> None:
    with open_page(f"{served.url}?series=edge-11") as page:
        ready(page)
        expect(page.locator("#timeline .drawing")).to_have_attribute("data-state", "drawn")
        # The only bar fills the picture, whose last third is the axis.
        box = page.locator("#timeline .drawing").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 52)
        expect(page.locator("#detail h2")).to_have_text("edge-11")
        assert f"incident={'b6'.ljust(32, '0')}" in page.url


def test_a_wrong_filter_in_the_address_is_said(served: Served, open_page: Any) -> None:
    with open_page(f"{served.url}?severity=grave", expected=("400 (Bad Request)",)) as page:
        expect(page.locator("#empty")).to_contain_text("severity: there is no 'grave'; choose of critical, warning")


def test_an_incident_shows_its_picture_facts_and_commands(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(f"{served.url}?stream=pumps&sort=score&kind=reconstruction", width=1600, height=1300) as page:
        ready(page)
        page.locator("#list .row").first.click()
        detail = page.locator("#detail")
        expect(detail.locator("h2")).to_have_text(page.locator("#list .series").first.inner_text())
        expect(page).to_have_url(re.compile(r"&incident=[0-9a-f]{32}$"))
        expect(detail.locator(".pictures .drawing")).to_have_attribute("data-state", "drawn")
        expect(detail.locator(".pictures .progress")).to_contain_text("The score at the peak")
        assert painted(page, "#detail .pictures") > 5
        for text in ("Channels that stand out", "offsets", "partition", "The same series", "opened", "closed"):
            expect(detail).to_contain_text(text)
        expect(detail.locator(".command pre").first).to_contain_text(
            re.compile(r"detector replay -c \S+ --stream pumps --from-offset \d+ --to-offset \d+")
        )
        screenshot(page, "dashboard-incident")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        detail.locator(".command button").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == detail.locator(".command pre").first.inner_text()
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator("#list")).to_have_css("background-color", "rgb(22, 27, 34)")
        detail.evaluate("(detail) => detail.scrollTo(0, 0)")
        screenshot(page, "dashboard-incident-dark")
        address = page.url
        neighbour = detail.locator(".near a").first
        neighbour.click()
        expect(page).not_to_have_url(address)
        page.keyboard.press("Escape")
        expect(detail).to_be_hidden()
        expect(page).to_have_url(re.compile(r"\?stream=pumps&kind=reconstruction&sort=score&theme=dark$"))


def test_an_incident_without_records_says_why_there_is_no_picture(served: Served, open_page: Any) -> None:
    with open_page(f"{served.url}?incident={'b1'.ljust(32, '0')}") as page:
        expect(page.locator("#detail h2")).to_have_text("web-1")
        expect(page.locator(".pictures .progress")).to_contain_text(
            "There is no picture: the configuration has no stream 'servers', of which the event is; it has pumps"
        )
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
    with open_page(f"{served.url}?incident=ff", expected=("404 (Not Found)",)) as page:
        expect(page.locator("#detail")).to_contain_text("there is no incident ff on the board")


def test_everything_can_be_done_by_keys(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(served.url) as page:
        ready(page)
        ids = page.locator("#list .row").evaluate_all("rows => rows.map((row) => row.dataset.incident)")
        focused = "document.activeElement.dataset.incident"
        page.keyboard.press("j")
        assert page.evaluate(focused) == ids[0]
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == ids[1]
        page.keyboard.press("k")
        page.keyboard.press("k")
        assert page.evaluate(focused) == ids[0]
        page.keyboard.press("Enter")
        expect(page.locator("#detail h2")).to_have_text("cache-7")
        page.keyboard.press("j")
        expect(page.locator("#detail h2")).to_have_text("db-2")
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()
        assert page.evaluate(focused) == ids[1]
        page.keyboard.press("o")
        expect(page).to_have_url(re.compile("status=open"))
        expect(page.locator("#list > li.closed")).to_have_count(0)
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        screenshot(page, "dashboard-keys")
        page.keyboard.press("Escape")
        expect(page.locator("#keys")).to_be_hidden()


def fresh(name: str, **about: Any) -> Any:
    return event(f"f{uuid.uuid4().hex[:8]}", series=name, started_ns=time.time_ns() - HOUR_NS, **about)


def test_new_incidents_slide_in_without_taking_focus_or_scroll(served: Served, open_page: Any) -> None:
    with open_page(f"{served.url}?sort=newest", height=500) as page:
        ready(page)
        row = page.locator("#list .row").nth(6)
        row.focus()
        focused = page.evaluate("document.activeElement.dataset.incident")
        top = row.evaluate("(row) => row.getBoundingClientRect().top")
        one = event(
            "fa", series="live-1", severity="critical", started_ns=time.time_ns() - 10**9, lasted_seconds=0.0, ratio=6.0
        )
        served.topics.tell(one)
        expect(page.locator("#list .series").first).to_have_text("live-1")
        expect(page.locator("#announce")).to_have_text("New critical incident: live-1")
        assert page.evaluate("document.activeElement.dataset.incident") == focused
        after = page.locator(f'[data-incident="{focused}"]').evaluate("(row) => row.getBoundingClientRect().top")
        assert abs(after - top) < 2
        closed = event("fa", series="live-1", step="closed", sequence=1, started_ns=time.time_ns(), lasted_seconds=3)
        served.topics.tell(closed)
        expect(page.locator("#list li.closed .series", has_text="live-1")).to_be_visible()


def test_acknowledging_and_judging_reach_the_topic_and_everyone_who_looks(
    served: Served, open_page: Any, screenshot: Any, command: Command
) -> None:

    one = fresh("judged-1")
    served.topics.tell(one)
    with open_page(f"{served.url}?series=judged-1") as page, open_page(f"{served.url}?series=judged-1") as other:
        ready(page)
        ready(other)
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator(".outcome")).to_contain_text("Say who you are first")
        expect(page.locator("[name=author]")).to_be_focused()
        page.keyboard.type("jo")
        page.locator("[name=note]").fill("<b>looking</b>")
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        expect(page.locator(".judge .stands")).to_contain_text("jo")
        expect(page.locator(".judge .stands")).to_contain_text("<b>looking</b>")
        expect(page.locator("#list .badge")).to_have_text("acknowledged")
        expect(other.locator("#list .badge")).to_have_text("acknowledged")
        # Still there, so that a second click on it meets no other button.
        expect(page.get_by_role("button", name="Acknowledge")).to_be_disabled()
        page.get_by_role("button", name="False alarm").click()
        expect(page.locator(".outcome")).to_contain_text("It takes effect with the next detector recalibrate")
        expect(other.locator("#list .badge")).to_have_text("false alarm")
        expect(page.locator(".judge .stands .badge")).to_have_count(2)
        screenshot(page, "dashboard-judged")
    cluster = Cluster(served.topics.bootstrap, served.topics.name)
    said = [decode_verdict(found.value) for found in cluster.read(served.topics.feedback)]
    mine = [(v.verdict, v.author, v.note) for v in said if v.subject_id == one.incident_id]
    assert mine == [("acknowledged", "jo", "<b>looking</b>"), ("false_alarm", "jo", "")]
    listed = [json.loads(line) for line in command("feedback", "list", "-c", served.config, "--json").out.splitlines()]
    assert [v["verdict"] for v in listed if v["subject_id"] == one.incident_id] == ["false_alarm"]


def test_a_false_alarm_marked_in_the_page_recalibrates(
    served: Served, open_page: Any, bundle_dir: Any, command: Command
) -> None:

    with open_page(f"{served.url}?stream=pumps&kind=reconstruction&sort=score") as page:
        ready(page)
        page.locator("#list .row").last.click()
        page.locator("[name=author]").fill("jo")
        page.get_by_role("button", name="False alarm").click()
        expect(page.locator(".judge .stands .badge")).to_have_text("false alarm")
        marked = page.locator("#list .row").last.get_attribute("data-incident")
    ended = command("recalibrate", bundle_dir, "-c", served.config, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [(v["subject_id"], v["outcome"]) for v in found["verdicts"]] == [(marked, "mended")]
    assert found["threshold_after"] > found["threshold_before"]


def test_names_from_topics_are_text_and_nothing_else(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(f"{served.url}?series=onerror") as page:
        ready(page)
        assert series_of(page) == [HOSTILE]
        page.locator("#list .row").click()
        expect(page.locator("#detail h2")).to_have_text(HOSTILE)
        expect(page.locator("#detail td").first).to_have_text(HOSTILE)
        page.locator("[name=author]").fill('"><script>document.title="taken"</script>')
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator(".judge .stands")).to_contain_text('"><script>')
        assert page.locator("main img, main script").count() == 0
        expect(page).to_have_title(re.compile(r"^\(\d+\) reconstream$"))
        screenshot(page, "dashboard-hostile")


def test_on_a_phone_nothing_is_cut_off(served: Served, open_page: Any, screenshot: Any) -> None:
    with open_page(served.url, width=360, height=740, has_touch=True, is_mobile=True) as page:
        ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        screenshot(page, "dashboard-phone")
        page.get_by_role("button", name="Filters", exact=True).click()
        page.locator("[name=stream]").select_option("pumps")
        expect(page.locator("#list .row .sub").filter(has_text="servers")).to_have_count(0)
        page.locator("#list .row").first.click()
        detail = page.locator("#detail")
        expect(detail.locator(".pictures .drawing")).to_have_attribute("data-state", "drawn")
        assert detail.bounding_box()["width"] == 360  # type: ignore[index]
        assert page.evaluate("document.querySelector('#detail').scrollWidth") <= 360
        screenshot(page, "dashboard-phone-incident")
        detail.get_by_role("button", name="Close").click()
        expect(detail).to_be_hidden()
