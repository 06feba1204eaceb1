"""The report of a replay in a real browser: opened from a file, clicked through, in light, dark and on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reports.conftest import HOSTILE, NAMES, Replayed, replayed

pytestmark = [pytest.mark.watch, pytest.mark.keras]

DRAWN = ".drawing[data-state=drawn]"


@pytest.fixture(scope="module")
def plain(telemetry, made, tmp_path_factory) -> Replayed:
    return replayed(telemetry, made.path, tmp_path_factory.mktemp("plain"))


def visible(page: Any) -> list[str]:
    return page.locator("#found .entry:visible h3").all_inner_texts()


def test_the_whole_and_then_an_incident(open_page, plain, screenshot):
    incidents = plain.document["incidents"]
    assert {incident["kind"] for incident in incidents} >= {"reconstruction", "silence"}
    with open_page(plain.page, width=1400, height=1000) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        assert page.title() == "Replay"
        assert page.locator(".tile .value").first.inner_text() == str(len(incidents))
        assert len(visible(page)) == len(incidents)
        screenshot(page, "replay-report", full_page=True)

        # No picture of an incident is drawn before somebody opens it.
        before = page.evaluate("window.reconstream.drawn()")
        assert page.locator(f"#found {DRAWN}").count() == 0
        page.locator("#found details.fold > summary", has_text="times the threshold").first.click()
        page.wait_for_selector(f"#found details.fold[open] {DRAWN}")
        assert page.evaluate("window.reconstream.drawn()") == before + 1
        page.locator("#incidents").scroll_into_view_if_needed()
        screenshot(page, "replay-report-incident")
        text = page.locator("#found details.fold[open]").first.inner_text()
        assert "detector replay" in text
        assert "Expected" in text


def test_names_from_records_are_text(open_page, plain):
    assert HOSTILE in {incident["series"] for incident in plain.document["incidents"]}
    with open_page(plain.page) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        assert HOSTILE in visible(page)
        entry = page.locator("#found .entry", has_text="document.title").first
        entry.locator("summary").click()
        entry.locator(DRAWN).wait_for()
        assert page.title() == "Replay"
        assert page.locator("img").count() == 0


def test_search_choice_and_order_are_in_the_address(open_page, plain, screenshot):
    with open_page(plain.page) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        everything = visible(page)
        page.keyboard.press("/")
        page.keyboard.type("web-1")
        assert set(visible(page)) == {"web-1"}
        assert page.locator("#found output").inner_text().endswith(f"of {len(everything)}")
        page.keyboard.press("Escape")
        assert visible(page) == everything
        page.keyboard.type("silence")
        assert set(visible(page)) == {NAMES[1]}
        page.keyboard.press("Escape")
        page.select_option("#found select", label="earliest first")
        earliest = visible(page)
        page.select_option("#found select", label="latest first")
        assert visible(page) == earliest[::-1] != earliest
        worst = page.locator("#found input[name=show]").first
        gravest = worst.get_attribute("value")
        worst.uncheck()
        left = visible(page)
        assert 0 < len(left) < len(everything)
        assert page.locator(f"#found .entry:visible summary .badge.{gravest}").count() == 0
        page.keyboard.press("/")
        page.keyboard.type("no such thing")
        assert page.locator("#found .nothing").is_visible()
        page.keyboard.press("Escape")
        # Whoever is sent the address sees the same.
        page.reload()
        page.wait_for_selector(f"#timeline {DRAWN}")
        assert visible(page) == left


def test_a_bar_of_the_timeline_leads_to_its_incident(open_page, plain):
    with open_page(plain.page) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        name = plain.document["incidents"][0]["incident_id"]
        page.evaluate(
            """name => document.dispatchEvent(
                new CustomEvent("reconstream:select", { detail: { values: [name], indices: [0] } }))""",
            name,
        )
        page.wait_for_selector(f"#incident-{name}[open] {DRAWN}")
        assert page.url.endswith(f"#incident-{name}")


@pytest.mark.parametrize(("name", "options"), [
    ("dark", {"scheme": "dark", "width": 1400, "height": 1000}),
    ("phone", {"width": 390, "height": 844}),
])  # fmt: skip
def test_in_the_dark_and_on_a_phone(open_page, plain, screenshot, name, options):
    with open_page(plain.page, **options) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        page.locator("#found details.fold > summary").first.click()
        page.wait_for_selector(f"#found details.fold[open] {DRAWN}")
        screenshot(page, f"replay-report-{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_two_thresholds(open_page, telemetry, made, tmp_path, screenshot):
    found = replayed(telemetry, made.path, tmp_path, "--threshold", 40.0)
    tried = found.document["incidents"]
    with open_page(found.page, width=1400, height=1000) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        page.evaluate("document.querySelector('#differences').scrollIntoView()")
        page.wait_for_selector(f"#differences {DRAWN}")
        tiles = page.locator("#differences .tile .value").all_inner_texts()
        own = sum(incident["kind"] == "reconstruction" for incident in tried)
        assert int(tiles[0]) + int(tiles[1]) == own
        assert int(tiles[2]) > 0
        page.locator("#alone details.fold > summary").first.click()
        page.wait_for_selector(f"#alone details.fold[open] {DRAWN}")
        screenshot(page, "replay-report-thresholds")
        assert "only threshold" in page.locator("#alone summary").first.inner_text()


def test_two_models(open_page, telemetry, made, other_model, tmp_path, screenshot):
    found = replayed(telemetry, made.path, tmp_path, "--shadow", other_model)
    shadow = found.document["shadow"]
    assert shadow["champion_only"]
    with open_page(found.page, width=1400, height=1000) as page:
        page.wait_for_selector(f"#timeline {DRAWN}")
        page.evaluate("document.querySelector('#differences').scrollIntoView()")
        page.wait_for_selector(f"#differences {DRAWN}")
        tiles = page.locator("#differences .tile .value").all_inner_texts()
        assert [int(tile) for tile in tiles[:3]] == [
            shadow["incidents"][name] for name in ("both", "champion_only", "challenger_only")
        ]
        page.locator("#alone details.fold > summary").first.click()
        page.wait_for_selector(f"#alone details.fold[open] {DRAWN}")
        # As either of them saw it.
        assert page.locator("#alone details.fold[open] .drawing").count() == 2
        screenshot(page, "replay-report-models")
