"""The view as one HTML file that needs nothing else: the picture, the figures behind it, and all of it as data."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import numpy as np

from detector.inspection.picture import ROLES
from detector.inspection.view import Layer, View
from detector.pages import assets

_STYLE = """
.inspection > header { display: flex; align-items: start; gap: 1rem; }
.inspection figure {
  margin: 0; padding: .5rem; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius);
  overflow-x: auto;
}
.inspection svg { width: 100%; min-width: 52rem; height: auto; fill: var(--ink); }
.inspection .card.table { margin: 0; padding: 1rem 1.1rem; }
.inspection table { width: auto; }
.inspection td { overflow-wrap: anywhere; }
"""


def page(view: View, picture: bytes) -> str:
    """The page, in the look of all pages of reconstream.

    Args:
        view: What to show.
        picture: SVG.
    """
    svg = _in_colours_of_the_page(picture.decode())
    # "</" could end the script element from within a name.
    data = json.dumps(view.to_dict(), separators=(",", ":")).replace("</", "<\\/")
    title, script = escape(view.title), assets.theme_script()
    policy = f"default-src 'none'; script-src '{assets.fingerprint(script)}'; style-src 'unsafe-inline'; img-src data:"
    remark = f'<div class="note"><strong>{escape(view.kind)}</strong><p>{escape(view.remark)}</p></div>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{assets.style()}{_STYLE}</style><script>{script}</script></head><body>\n"
        f'<main class="inspection"><header><h1>{title}</h1>'
        f'<button type="button" class="theme-toggle">Light or dark</button></header>\n{remark if view.remark else ""}'
        f'<section class="card">{_facts(view)}</section>\n<figure>{svg}</figure>\n'
        f'<section class="card table"><header><h2>Channels, by what they contribute</h2></header>\n{_channels(view)}'
        "</section>\n"
        '<section class="card table"><header><h2>Gates, averaged over the samples and units</h2></header>\n'
        f"{_gates(view)}</section></main>\n"
        f'<script type="application/json" id="inspection">{data}</script>\n</body></html>\n'
    )


def _in_colours_of_the_page(picture: str) -> str:
    """The picture, light or dark as the page is; its text, which has no colour of its own, is as the style says."""
    svg = picture[picture.index("<svg") :]

    def colour(found: re.Match[str]) -> str:
        role = ROLES.get(found[0].lower())
        return found[0] if role is None else f"var(--{role}, {found[0]})"

    def style(found: re.Match[str]) -> str:
        return re.sub(r"#[0-9a-fA-F]{6}\b", colour, found[0])

    return re.sub(r'style="[^"]*"', style, svg)


def _facts(view: View) -> str:
    rows: list[tuple[str, Any]] = [
        ("stream", view.facts["stream"]),
        ("score", f"{view.score[-1]:.6g}, threshold {view.threshold:.6g}"),
        *((name.replace("_", " "), f"{value}") for name, value in view.facts["model"].items() if value is not None),
    ]
    if view.facts.get("event"):
        rows += [(name.replace("_", " "), value) for name, value in view.facts["event"].items()]
    cells = "".join(f"<div><dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd></div>" for name, value in rows)
    return f'<dl class="facts">{cells}</dl>'


def _channels(view: View) -> str:
    total = view.score[-1]
    rows = []
    for number in view.order():
        contribution = float(view.contributions[-1, number])
        share = contribution / total if total > 0 else 0.0
        bar = f'<meter min="0" max="1" value="{max(0.0, min(share, 1.0)):.4f}"></meter>'
        figures = "".join(
            f'<td class="number">{_number(value)}</td>'
            for value in (view.seen[-1, number], view.expected[-1, number], contribution)
        )
        rows.append(f"<tr><td>{escape(view.channels[number])}</td>{figures}<td>{bar} {share:.1%}</td></tr>")
    head = "<tr><th>channel</th><th>seen</th><th>expected</th><th>contribution</th><th>share of the score</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _gates(view: View) -> str:
    rows = "".join(_gate_rows(layer) for layer in view.layers)
    head = (
        "<tr><th>layer</th><th>gate or state</th><th>mean</th><th>below 0.1</th><th>above 0.9</th>"
        "<th>at the last sample</th></tr>"
    )
    return f"<table>{head}{rows}</table>"


def _gate_rows(layer: Layer) -> str:
    rows = []
    for name, values in {**layer.gates, **layer.states}.items():
        known = values[np.isfinite(values).all(axis=1)]
        figures = [
            f"{known.mean():.3f}",
            f"{(known < 0.1).mean():.0%}",
            f"{(known > 0.9).mean():.0%}",
            f"{known[-1].mean():.3f}",
        ]
        cells = "".join(f'<td class="number">{figure}</td>' for figure in figures)
        rows.append(f"<tr><td>{escape(layer.name)}</td><td>{escape(name)}</td>{cells}</tr>")
    return "".join(rows)


def _number(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else "missing"
