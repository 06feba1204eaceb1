"""From a report to one HTML file that needs nothing else: style, scripts and data are all within."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detector.pages import assets
from detector.pages.blocks import Block, Finder, Fold, Pair, Picture, Report
from detector.pages.packing import pack


def render_report(report: Report) -> str:
    """The page, as HTML.

    Its content security policy allows the scripts that it was written with and nothing else: neither a request nor a
    script that somebody slipped into the name of a series.

    Raises:
        ValueError: two sections or folds have one name.
    """
    names = [section.name for section in report.sections]
    names += [block.name for block in _all_blocks(report) if isinstance(block, Fold | Finder)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"places of one name: {', '.join(sorted(twice))}")
    pictures = [block for block in _all_blocks(report) if isinstance(block, Picture)]
    numbers = {id(picture): number for number, picture in enumerate(pictures)}
    scripts = [assets.theme_script(), assets.report_script()]
    if pictures:
        scripts.insert(0, assets.bokeh_script())
    if any(isinstance(block, Finder) for block in _all_blocks(report)):
        scripts.append(assets.finder_script())
    allowed = " ".join(f"'{assets.fingerprint(script)}'" for script in scripts)
    # Bokeh writes style elements into the shadow roots of its pictures.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            policy=policy,
            style=Markup(assets.style()),  # noqa: S704 - our own files, not the user's data
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            favicon=Markup(assets.favicon()),  # noqa: S704
            favicon_address=assets.favicon_address(),
            item_name=lambda picture: f"item-{numbers[id(picture)]}",
            items=[(f"item-{number}", pack(picture.item).text) for number, picture in enumerate(pictures)],
            has_folds=any(isinstance(block, Fold) for block in _all_blocks(report)),
        )
    )


@cache
def environment() -> Environment:
    """Templates of this package; whatever is put into them is escaped."""
    return Environment(
        loader=PackageLoader("detector.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _all_blocks(report: Report) -> Iterator[Block]:
    for section in report.sections:
        yield from _within(section.blocks)


def _within(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold | Pair):
            yield from _within(block.blocks)
        elif isinstance(block, Finder):
            yield from _within([entry.fold for entry in block.entries])
