"""The page where something is missing, wrong or too much: real browser, a board that tests fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from detector.alerting.events import Event
from detector.dashboard.drawing import Tell
from detector.dashboard.following import Link
from detector.dashboard.pictures import timeline_picture
from detector.errors import KafkaUnavailableError, StateMismatchError
from detector.pictures import as_item, timeline
from tests.dashboard.conftest import event
from tests.dashboard.site import NOW_NS, Site
from tests.dashboard.test_board import record
from tests.support.waiting import until

pytestmark = pytest.mark.watch

HOUR = 3600 * 10**9
GONE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
# A headless browser calls all of its tabs visible; here a new one is not, until a test says so.
UNSEEN = """Object.defineProperty(document, "visibilityState", {
  get: () => document.documentElement?.dataset.seen ?? "hidden",
})"""


def no_picture(one: Event, tell: Tell) -> Iterator[dict[str, Any]]:
    raise StateMismatchError("retention has deleted the records of this incident")
    yield {}


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    found = open_site()
    found.draw = no_picture
    return found


def test_an_empty_board_says_since_when_it_looks(site: Site, open_page: Any, screenshot: Any) -> None:
    with open_page(site.url) as page:
        expect(page.locator("#empty")).to_contain_text("No incident since 1 Jan 1970 00:00 UTC.")
        expect(page).to_have_title("reconstream")
        screenshot(page, "dashboard-empty")


def test_where_nothing_is_open_the_last_one_is_told(site: Site, open_page: Any, screenshot: Any) -> None:
    written_ms = (NOW_NS - 3 * HOUR) // 1_000_000
    one = event("aa", step="closed", sequence=1, started_ns=NOW_NS - 4 * HOUR)
    site.board.take_events([record(one, written_ms=written_ms)])
    with open_page(site.url) as page:
        expect(page.locator("#empty")).to_have_text("Nothing is open; the last incident closed 3 h ago.")
        expect(page.locator("#list .row")).to_have_count(1)
        screenshot(page, "dashboard-quiet")


def test_an_outage_of_kafka_is_shown_until_it_is_over(site: Site, open_page: Any, screenshot: Any) -> None:
    site.board.take_events([record(event("aa", started_ns=NOW_NS - HOUR))])
    with open_page(site.url) as page:
        expect(page.locator("#connection .text")).to_have_text("Live")
        site.links = [Link("events", "lost", NOW_NS - 60 * 10**9, "localhost:9092 refuses connections")]
        site.board.take_events([])
        expect(page.locator("#notice")).to_contain_text(
            "Kafka cannot be read, for 1 min now: localhost:9092 refuses connections. What is shown is as of then"
        )
        expect(page.locator("#connection .text")).to_have_text("Kafka does not answer")
        screenshot(page, "dashboard-outage")
        site.links = [Link("events", "live", NOW_NS, lost_ranges=1)]
        site.board.take_events([record(b"nonsense")])
        expect(page.locator("#notice")).to_contain_text("1 record of events could not be read")
        expect(page.locator("#notice")).to_contain_text("Records of events were deleted before they were read.")
        site.links = [Link("events", "missing", NOW_NS)]
        site.board.take_events([])
        expect(page.locator("#notice")).to_contain_text("The topic events does not exist yet.")


def test_a_dashboard_that_comes_back_is_found_again(site: Site, open_site: Callable[..., Site], open_page: Any) -> None:
    site.board.take_events([record(event("aa", started_ns=NOW_NS - HOUR))])
    with open_page(site.url, expected=GONE) as page:
        expect(page.locator("#list .row")).to_have_count(1)
        site.close()
        expect(page.locator("#connection")).to_have_attribute("data-state", "offline")
        expect(page.locator("#notice")).to_contain_text("The connection to the dashboard is lost.")
        again = open_site(port=urlsplit(site.url).port)
        again.board.take_events([record(event("bb", series="web-2", started_ns=NOW_NS - HOUR))])
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("#list .series")).to_have_text(["web-2"])
        expect(page.locator("#notice")).to_be_hidden()


def test_an_incident_that_is_open_is_up_to_date_after_the_dashboard_came_back(
    site: Site, open_site: Callable[..., Site], open_page: Any
) -> None:
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    with open_page(f"{site.url}?incident={one.incident_id}", expected=GONE) as page:
        expect(page.locator("#detail .state")).to_contain_text("open for")
        site.close()
        expect(page.locator("#connection")).to_have_attribute("data-state", "offline")
        again = open_site(port=urlsplit(site.url).port)
        again.draw = no_picture
        closed = event("aa", step="closed", sequence=1, started_ns=NOW_NS - HOUR)
        again.board.take_events([record(one), record(closed, 1)])
        expect(page.locator("#detail .state")).to_contain_text("lasted 10 min, quiet again")


class Held:
    """Requests of a page that get no answer yet."""

    def __init__(self, page: Any, pattern: str) -> None:
        self._page, self._pattern = page, pattern
        self._routes: list[Any] = []
        page.route(pattern, self._hold)

    def _hold(self, route: Any) -> None:
        self._routes.append(route)

    def release(self) -> None:
        self._page.unroute(self._pattern, self._hold)
        for route in self._routes:
            route.continue_()


def look_at(page: Any, *, seen: bool) -> None:
    page.evaluate(
        """(seen) => {
          document.documentElement.dataset.seen = seen ? "visible" : "hidden";
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        seen,
    )


def test_more_tabs_may_be_open_than_a_browser_opens_connections(site: Site, open_page: Any) -> None:
    """It opens six to a server, and a tab that follows changes holds one of them."""
    site.board.take_events([record(event("aa", started_ns=NOW_NS - HOUR))])
    with open_page(site.url) as page:
        page.context.add_init_script(UNSEEN)
        tabs = []
        for _ in range(8):
            tab = page.context.new_page()
            tab.clock.install()
            tab.goto(site.url)
            expect(tab.locator("#list .row")).to_have_count(1)
            with tab.expect_request("**/api/updates?*"):
                look_at(tab, seen=True)
            expect(tab.locator("#connection")).to_have_attribute("data-state", "live")
            look_at(tab, seen=False)
            tabs.append(tab)
        site.board.take_events([record(event("bb", series="web-2", started_ns=NOW_NS - HOUR // 2), 1)])
        expect(page.locator("#list .row")).to_have_count(2)
        expect(tabs[0]).to_have_title("(1) reconstream")
        tabs[0].clock.fast_forward(60_000)
        expect(tabs[0]).to_have_title("(2) reconstream")
        expect(tabs[0].locator("#list .row")).to_have_count(1)
        look_at(tabs[0], seen=True)
        expect(tabs[0].locator("#list .series")).to_have_text(["web-2", "web-1"])


def test_more_of_a_list_that_gives_way_to_another_is_not_asked_for(
    open_site: Callable[..., Site], open_page: Any
) -> None:
    site = open_site()
    site.board.take_events(
        record(event(f"{n:08x}", series=f"web-{n:03}", started_ns=NOW_NS - n * 10**9), n) for n in range(1, 140)
    )
    with open_page(site.url) as page:
        expect(page.locator("#list .row")).to_have_count(100)
        held = Held(page, "**/api/incidents?*series=web-00*")
        with page.expect_request("**/api/incidents?*series=web-00*"):
            page.locator("#filters [name=series]").fill("web-00")
        page.get_by_role("button", name="Show more").click()
        held.release()
        expect(page.locator("#list .row")).to_have_count(9)
        site.board.take_events([record(event("ff", series="web-00x", started_ns=NOW_NS), 200)])
        expect(page.locator("#list .row")).to_have_count(10)


def test_a_timeline_that_comes_late_does_not_replace_a_newer_one(site: Site, open_page: Any) -> None:
    site.board.take_events([record(event("aa", started_ns=NOW_NS - HOUR))])
    site.timeline = lambda found, since, until, known: as_item(
        timeline([one.summary for one in found], since, until, known=known)
    )
    with open_page(site.url) as page:
        expect(page.locator("#timeline .drawing")).to_have_attribute("data-state", "drawn")
        held = Held(page, "**/api/timeline?series=web")
        with page.expect_request("**/api/timeline?series=web"):
            page.goto(f"{site.url}?series=web")
        page.locator("#filters [name=series]").fill("nothing is called so")
        expect(page.locator("#timeline")).to_be_hidden()
        with page.expect_response("**/api/timeline?series=web"):
            held.release()
        page.evaluate("() => new Promise((done) => setTimeout(done))")
        expect(page.locator("#timeline")).to_be_hidden()


def test_many_incidents_come_page_by_page(open_site: Callable[..., Site], open_page: Any) -> None:
    site = open_site(max_incidents=200)
    site.board.take_events(
        record(event(f"{n:08x}", step="closed", sequence=1, series=f"s{n:03}", started_ns=NOW_NS - n * 10**9), n, n)
        for n in range(1, 300)
    )
    with open_page(site.url) as page:
        expect(page.locator("#list .row")).to_have_count(100)
        expect(page.locator("#count")).to_have_text("200 incidents, 100 shown")
        expect(page.locator("#notice")).to_contain_text("99 incidents that closed longest ago are left out")
        page.get_by_role("button", name="Show more").click()
        expect(page.locator("#list .row")).to_have_count(200)
        expect(page.get_by_role("button", name="Show more")).to_be_hidden()
        series = page.locator("#list .series").all_inner_texts()
        assert len(set(series)) == 200


def test_what_falls_behind_the_shown_part_of_a_list_comes_again_in_its_place(site: Site, open_page: Any) -> None:
    opened = [event(f"{n:08x}", series=f"web-{n:03}", started_ns=NOW_NS - n * 10**9) for n in range(1, 141)]
    site.board.take_events(record(one, n) for n, one in enumerate(opened))
    with open_page(site.url) as page:
        expect(page.locator("#list .row")).to_have_count(100)
        over = event(f"{1:08x}", step="closed", sequence=1, series="web-001", started_ns=NOW_NS - 10**9)
        site.board.take_events([record(over, 200)])
        expect(page.locator("#list .row")).to_have_count(99)
        expect(page.locator("#count")).to_have_text("140 incidents, 99 shown")
        # One that stays where it is at the foot stays on show.
        last = {"series": "web-100", "started_ns": NOW_NS - 100 * 10**9}
        site.board.take_events([record(event(f"{100:08x}", step="updated", sequence=1, ratio=5.4, **last), 201)])
        expect(page.locator("#list .row").last.locator(".peak")).to_contain_text("5.4")
        page.get_by_role("button", name="Show more").click()
        expect(page.locator("#list .row")).to_have_count(140)
        assert page.locator("#list .series").all_inner_texts() == [f"web-{n:03}" for n in [*range(2, 141), 1]]
        expect(page.get_by_role("button", name="Show more")).to_be_hidden()


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ("since=36h", None),
        ("since=2026-01-01", "2026-01-01T00:00"),
        ("since=2026-01-01T02:00:00%2B02:00", "2026-01-01T00:00"),
        ("since=2026-01-01T00:00:00.5Z&until=10m", "2026-01-01T00:00"),
    ],
)
def test_another_filter_leaves_the_time_of_an_address_alone(
    site: Site, open_page: Any, times: str, field: str | None
) -> None:
    site.board.take_events([record(event("aa", started_ns=NOW_NS - HOUR))])
    with open_page(f"{site.url}?{times}") as page:
        expect(page.locator("#list .row")).to_have_count(1)
        if field is None:
            expect(page.locator("[name=range] option:checked")).to_have_text("last 36h")
        else:
            expect(page.locator("[name=from]")).to_have_value(field)
        page.locator("[name=severity][value=warning]").check()
        expect(page).to_have_url(re.compile("severity=warning"))
        asked = parse_qs(urlsplit(page.url).query)
        assert {name: asked[name] for name in ("since", "until") if name in asked} == parse_qs(times)


def test_a_verdict_that_is_not_taken_is_told_and_the_note_stays(site: Site, open_page: Any) -> None:
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    site.refuse = KafkaUnavailableError("localhost:9092 refuses connections; is the broker up?")
    with open_page(f"{site.url}?incident={one.incident_id}", expected=("503 (Service Unavailable)",)) as page:
        page.locator("[name=author]").fill("jo")
        page.locator("[name=note]").fill("looking")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".outcome")).to_have_text(
            "Not noted: localhost:9092 refuses connections; is the broker up?"
        )
        expect(page.locator("[name=note]")).to_have_value("looking")
        site.refuse = None
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".outcome")).to_have_text("Noted.")
        expect(page.locator("[name=note]")).to_have_value("")
        assert [(said.author, said.note) for said in site.given] == [("jo", "looking")]


def test_what_is_typed_outlasts_news_of_the_incident(site: Site, open_page: Any) -> None:
    one = event("aa", started_ns=NOW_NS - HOUR, severity="warning")
    site.board.take_events([record(one)])
    with open_page(f"{site.url}?incident={one.incident_id}") as page:
        expect(page.locator(".pictures .progress")).to_contain_text("retention has deleted the records")
        page.locator("[name=note]").fill("half a sen")
        news = event("aa", step="updated", sequence=1, started_ns=NOW_NS - HOUR, severity="critical", ratio=9.0)
        site.board.take_events([record(news, 1)])
        expect(page.locator("#detail .state")).to_contain_text(re.compile(r"critical anomaly .* peak 9\.0"))
        expect(page.locator("[name=note]")).to_have_value("half a sen")
        expect(page.locator("[name=note]")).to_be_focused()


def test_a_dashboard_that_only_shows_has_no_buttons_to_judge(open_site: Callable[..., Site], open_page: Any) -> None:
    site = open_site(read_only=True)
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    site.draw = no_picture
    with open_page(f"{site.url}?incident={one.incident_id}") as page:
        expect(page.locator(".judge")).to_have_text("Nobody looks after it yet.")
        page.keyboard.press("a")
        expect(page.locator(".judge button")).to_have_count(0)
    assert site.given == []


def test_behind_a_login_the_name_is_filled_in(open_site: Callable[..., Site], open_page: Any) -> None:
    site = open_site(auth={"username": "jo", "password": "s3cret"})
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    site.draw = no_picture
    login = {"username": "jo", "password": "s3cret"}
    with open_page(f"{site.url}?incident={one.incident_id}", http_credentials=login) as page:
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("[name=author]")).to_have_value("jo")
        page.keyboard.press("c")
        expect(page.locator(".outcome")).to_contain_text("Noted.")
    assert [(said.verdict, said.author) for said in site.given] == [("confirmed", "jo")]


def test_an_answer_that_is_not_the_dashboards_is_said(site: Site, open_page: Any) -> None:
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    with open_page(site.url) as page:
        page.route("**/picture", lambda route: route.fulfill(body="<h1>Log in to the proxy</h1>"))
        page.locator("#list .row").click()
        expect(page.locator(".pictures .progress")).to_contain_text(
            "There is no picture: the answer is not the dashboard's, or was cut short"
        )
        page.unroute("**/picture")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".pictures .progress")).to_contain_text("retention has deleted the records")


def test_news_while_a_picture_is_on_its_way_asks_for_another(site: Site, open_page: Any) -> None:
    """A picture is some hundred kilobytes: the head of an answer is there before its body."""
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    with open_page(site.url) as page:
        page.evaluate(
            """() => {
              const real = window.fetch;
              const marks = document.documentElement.dataset;
              window.fetch = async (path, options) => {
                if (marks.asked || !String(path).endsWith("/picture")) return real(path, options);
                marks.asked = "yes";
                const body = new ReadableStream({
                  start: (answer) => options.signal.addEventListener("abort", () => {
                    marks.abandoned = "yes";
                    answer.error(options.signal.reason);
                  }),
                });
                return new Response(body, { status: 200 });
              };
            }"""
        )
        page.locator("#list .row").click()
        expect(page.locator("html")).to_have_attribute("data-asked", "yes")
        site.board.take_events([record(event("aa", step="updated", sequence=1, started_ns=NOW_NS - HOUR), 1)])
        expect(page.locator("html")).to_have_attribute("data-abandoned", "yes")
        expect(page.locator(".pictures .progress")).to_contain_text("retention has deleted the records")


def test_how_far_the_timeline_goes_back_is_a_click_and_in_the_address(
    site: Site, open_page: Any, screenshot: Any
) -> None:
    site.timeline = timeline_picture
    weeks = [record(event(f"a{n}", started_ns=NOW_NS - n * 20 * 24 * HOUR, step="closed"), n) for n in range(1, 4)]
    site.board.take_events(weeks)

    def titled(page: Any, words: str) -> None:
        title = (
            "words => Object.values(window.Bokeh?.index ?? {}).some((view) => view.model.title?.text?.text === words)"
        )
        until(lambda: page.evaluate(title, words), words)

    with open_page(site.url) as page:
        titled(page, "1 of 3 incidents, 1 series")
        page.locator("#timeline .reach").get_by_label("Month").check()
        titled(page, "2 of 3 incidents, 1 series")
        page.locator("#timeline .reach").get_by_label("All").check()
        titled(page, "3 incidents of 1 series")
        expect(page).to_have_url(re.compile(r"\?reach=all$"))
        screenshot(page, "dashboard-timeline-all")
        page.locator("select[name=range]").select_option("24h")
        expect(page.locator("#timeline .reach")).to_be_hidden()
        expect(page).to_have_url(re.compile(r"\?since=24h&reach=all$"))
        page.reload()
        page.get_by_role("button", name="Clear filters").click()
        titled(page, "3 incidents of 1 series")
        expect(page.locator("#timeline .reach").get_by_label("All")).to_be_checked()


def test_what_was_seen_stays_where_what_was_expected_cannot_be_told(site: Site, open_page: Any) -> None:
    one = event("aa", started_ns=NOW_NS - HOUR)
    site.board.take_events([record(one)])
    item = timeline_picture(site.board.view().incidents, NOW_NS - HOUR, NOW_NS, 1)

    def draw(_: Event, tell: Tell) -> Iterator[dict[str, Any]]:
        tell("reading")
        yield {"item": item, "model": "", "begun": "", "agreement": "", "earlier": []}
        raise StateMismatchError("the bundle is damaged")

    site.draw = draw
    with open_page(site.url) as page:
        page.locator("#list .row").click()
        expect(page.locator(".pictures .progress")).to_contain_text(
            "What was expected cannot be told: the bundle is damaged"
        )
        expect(page.locator(".pictures .drawing")).to_have_attribute("data-state", "drawn")
