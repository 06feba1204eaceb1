"""A report in a real browser: pictures, light and dark, folds, a phone, paper."""

from __future__ import annotations

import numpy as np
import pytest
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from detector.pages.blocks import Cell, Entry, Finder, Fold, Picture, Report, Section, Table, Text, Tile, Tiles
from detector.pages.render import render_report
from detector.pictures import as_item
from tests.support.waiting import until

pytestmark = pytest.mark.watch


def picture():
    found = figure(height=200, sizing_mode="stretch_width", toolbar_location=None)
    source = ColumnDataSource({"x": np.arange(9.0), "y": np.arange(9.0) ** 2, "id": [f"id-{n}" for n in range(9)]})
    source.tags = ["selects:id"]
    found.line("x", "y", source=source, tags=["role:seen"])
    return Picture(as_item(found), "squares", "s")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    sections = [
        Section("summary", "Summary", [Tiles([Tile("incidents", "3", "1 critical", "critical")])], plain=True),
        Section("pictures", "Pictures", [picture()], lead="What was seen."),
        *(Section(f"filler-{n}", f"Filler {n}", [Text("words " * 900)]) for n in range(3)),
        Section(
            "folds",
            "Folds",
            [
                Fold("incident-a", "web-1", [picture()], badge=Cell("critical", tone="critical")),
                Fold("incident-id-3", "web-2", [Table(["a"], [["b"]])]),
            ],
        ),
    ]
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(render_report(Report("Report <1>", "Of a test", sections)), "utf-8")
    return path


def line_colour(page):
    return page.evaluate(
        """() => {
            const [view] = Object.values(window.Bokeh.index);
            const [renderer] = view.model.renderers;
            return renderer.glyph.line_color.value ?? renderer.glyph.line_color;
        }"""
    )


def test_pictures_are_drawn_when_they_are_near(open_page, page_file, screenshot):
    with open_page(page_file) as page:
        page.wait_for_selector(".drawing[data-state=drawn]")
        assert page.evaluate("window.reconstream.drawn()") == 1
        screenshot(page, "pages-shell-light")
        page.click("text=web-1")
        until(lambda: page.evaluate("window.reconstream.drawn() === 2"))


def test_the_reader_changes_to_dark_and_pictures_follow(open_page, page_file, screenshot):
    with open_page(page_file) as page:
        page.wait_for_selector(".drawing[data-state=drawn]")
        background = "window.getComputedStyle(document.body).backgroundColor"
        light, line = page.evaluate(background), line_colour(page)
        page.click(".theme-toggle")
        assert page.evaluate(background) != light
        assert line_colour(page) != line
        assert "theme=dark" in page.url
        screenshot(page, "pages-shell-dark")
        page.reload()
        page.wait_for_selector(".drawing[data-state=drawn]")
        assert page.evaluate("window.reconstream.theme()") == "dark"
        assert line_colour(page) != line
        page.click(".theme-toggle")
        assert (page.evaluate(background), line_colour(page)) == (light, line)


def test_the_theme_is_that_of_the_system_until_somebody_chooses(open_page, page_file):
    with open_page(page_file, scheme="dark") as page:
        assert page.evaluate("window.reconstream.theme()") == "dark"
        page.emulate_media(color_scheme="light")
        until(lambda: page.evaluate("window.reconstream.theme() === 'light'"))


def test_an_address_leads_into_a_fold(open_page, page_file):
    with open_page(f"{page_file.as_uri()}#incident-a") as page:
        page.wait_for_selector("#incident-a[open] .drawing[data-state=drawn]")
        assert page.evaluate("document.getElementById('incident-a').getBoundingClientRect().top") < 500
        page.click("button[data-folds=open]")
        assert page.locator("details.fold[open]").count() == 2
        page.click("button[data-folds=shut]")
        assert page.locator("details.fold[open]").count() == 0


def test_an_address_that_cannot_be_decoded_breaks_nothing(open_page, tmp_path):
    def finder(name):
        entries = [Entry(Fold(f"{name}-{n}", f"web-{n}", [Text("words")]), f"web-{n}", "", (n,)) for n in range(2)]
        return Finder(name, entries, [], ["by number"], "series", "incident", "incidents")

    path = tmp_path / "report.html"
    sections = [Section(f"about-{name}", name, [finder(name)]) for name in ("first", "second")]
    path.write_text(render_report(Report("Report", "Of a test", sections)), "utf-8")
    with open_page(f"{path.as_uri()}#%") as page:
        for name in ("first", "second"):
            assert page.locator(f"#{name}.finder output").inner_text() == "2 incidents"


def test_what_is_picked_in_a_picture_opens_its_place(open_page, page_file):
    with open_page(page_file) as page:
        page.wait_for_selector(".drawing[data-state=drawn]")
        page.evaluate(
            """() => {
                const [view] = Object.values(window.Bokeh.index);
                view.model.renderers[0].data_source.selected.indices = [3];
            }"""
        )
        page.wait_for_selector("#incident-id-3[open]")


def test_the_navigation_says_where_one_is(open_page, page_file):
    with open_page(page_file) as page:
        current = page.locator(".top nav a[aria-current]")
        assert current.inner_text() == "Summary"
        page.click(".top nav >> text=Filler 1")
        until(lambda: page.evaluate("document.querySelector('.top nav a[aria-current]').textContent === 'Filler 1'"))


@pytest.mark.parametrize("width", [360, 390, 820])
def test_nothing_is_wider_than_the_screen(open_page, page_file, screenshot, width):
    with open_page(page_file, width=width, height=800, has_touch=True, is_mobile=True) as page:
        page.wait_for_selector(".drawing[data-state=drawn]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"pages-shell-{width}")


def test_on_paper_every_picture_is_there_and_light(open_page, page_file):
    with open_page(page_file, scheme="dark") as page:
        page.wait_for_selector(".drawing[data-state=drawn]")
        page.click("button[data-folds=open]")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        until(lambda: page.evaluate("document.querySelectorAll('.drawing[data-state=drawn]').length === 2"))
        assert page.evaluate("window.reconstream.theme()") == "light"
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("window.reconstream.theme()") == "dark"
