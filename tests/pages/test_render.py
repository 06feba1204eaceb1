"""The shell of a report: one file, complete, and safe whatever the names in it say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from detector.pages import assets
from detector.pages.blocks import (
    Cell,
    Code,
    Empty,
    Facts,
    Fold,
    Note,
    Pair,
    Picture,
    Report,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from detector.pages.packing import pack, unpack
from detector.pages.render import render_report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'"


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, the text of scripts, and all other text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self._script: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs) if tag == "script" else None

    def handle_endtag(self, tag):
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts.append((self._script, data))
        else:
            self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def report(*blocks, title="A report"):
    return Report(title, "What it tells of", [Section("one", "One", blocks)], made="made by a test")


def every_block(text):
    return (
        Tiles([Tile(text, text, text, "critical")]),
        Facts([(text, text), (text, Cell(text, mono=True)), (text, Cell(text, href="#one"))]),
        Table([text], [[Cell(text, share=0.5)], [Cell(text, tone="warning")], [Cell(text, number=True)]], text),
        Text(text),
        Note(text, text, text, "warning"),
        Code(text),
        Empty(text, text),
        Pair([Picture({"name": text}, text), Text(text)]),
        Fold("place", text, [Text(text)], badge=Cell(text, tone="info"), facts=[text]),
    )


def test_whatever_a_name_says_it_is_text():
    page = Reader(render_report(report(*every_block(HOSTILE), title=HOSTILE)))
    assert not page.named("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "".join(page.text).count("<img src=x onerror=alert(2)>") > 20
    executable = [text for attributes, text in page.scripts if "type" not in attributes]
    assert executable == [assets.bokeh_script(), assets.theme_script(), assets.report_script()]
    ((_, data),) = [(attributes, text) for attributes, text in page.scripts if "type" in attributes]
    assert unpack(data) == {"name": HOSTILE}


def test_the_policy_allows_the_scripts_that_are_in_the_page_and_nothing_else():
    page = Reader(render_report(report(Picture({"a": 1}))))
    (policy,) = [one["content"] for one in page.named("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    allowed = set(rules["script-src"].split())
    assert allowed == {f"'{assets.fingerprint(text)}'" for kind, text in page.scripts if "type" not in kind}
    assert "connect-src" not in rules


def test_nothing_in_the_page_is_to_be_fetched():
    page = Reader(render_report(report(*every_block("web-1"))))
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:"))


def test_a_page_without_a_picture_is_small():
    assert len(render_report(report(Text("words")))) < 60_000


def test_an_item_is_data_whatever_text_is_in_it():
    packed = pack({"name": "</script><!--<script>&", "number": 1.5})
    assert not re.search("[<>&]", packed.text)
    assert unpack(packed.text) == {"name": "</script><!--<script>&", "number": 1.5}
    assert pack(packed) is packed


def test_what_pictures_have_in_common_takes_little_room():
    item = {"models": [{"name": f"model {number}", "attributes": {"line_width": 1.5}} for number in range(1000)]}
    assert len(pack(item)) < len(json.dumps(item)) / 5


def test_a_number_that_json_does_not_have_is_refused_rather_than_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"number": float("nan")})


def test_two_places_of_one_name_are_refused():
    folds = [Fold("incident-1", "a", []), Fold("incident-1", "b", [])]
    with pytest.raises(ValueError, match="incident-1"):
        render_report(report(*folds))


def test_each_picture_finds_its_own_data():
    first, second = Picture({"number": 1}), Picture({"number": 2})
    page = Reader(render_report(report(first, Fold("fold", "Fold", [Pair([second])]))))
    order = [attributes["data-item"] for attributes in page.named("div") if "data-item" in attributes]
    data = {kind["id"]: unpack(text) for kind, text in page.scripts if "type" in kind}
    assert [data[name]["number"] for name in order] == [1, 2]


def test_every_role_of_the_light_theme_has_a_colour_in_the_dark_one():
    style = assets.style()
    light, dark = (
        re.search(rf"{re.escape(head)} {{(.*?)\n}}", style, re.S) for head in (":root", ':root[data-theme="dark"]')
    )
    assert light is not None
    assert dark is not None
    names = [set(re.findall(r"(--fig-[a-z]+):", found[1])) for found in (light, dark)]
    assert names[0] == names[1]
    assert len(names[0]) > 15
