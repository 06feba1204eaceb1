"""The view as one HTML file that needs nothing else: the picture, the figures behind it, and all of it as data."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import numpy as np

from detector.alerting.timestamps import format_time
from detector.inspection.view import Layer, View

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1f2937; margin: 1.5rem auto; max-width: 1500px; padding: 0 1rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
th { font-weight: 600; color: #4b5563; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; height: .7em; background: #b91c1c; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; }
"""


def page(view: View, picture: bytes) -> str:
    """The page.

    Args:
        view: What to show.
        picture: SVG.
    """
    svg = picture.decode()
    svg = svg[svg.index("<svg") :]
    # "</" could end the script element from within a name.
    data = json.dumps(view.to_dict(), separators=(",", ":")).replace("</", "<\\/")
    title = f"{view.facts['series']} at {format_time(int(view.times_ns[-1]))}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n{_facts(view)}\n"
        f"<figure>{svg}</figure>\n<h2>Channels, by what they contribute</h2>\n{_channels(view)}\n"
        f"<h2>Gates, averaged over the samples and units</h2>\n{_gates(view)}\n"
        f'<script type="application/json" id="inspection">{data}</script>\n</body></html>\n'
    )


def _facts(view: View) -> str:
    rows: list[tuple[str, Any]] = [
        ("stream", view.facts["stream"]),
        ("score", f"{view.score[-1]:.6g}, threshold {view.threshold:.6g}"),
        *((name, f"{value}") for name, value in view.facts["model"].items() if value is not None),
    ]
    if view.facts.get("event"):
        rows += [(name.replace("_", " "), value) for name, value in view.facts["event"].items()]
    cells = "".join(f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _channels(view: View) -> str:
    total = view.score[-1]
    rows = []
    for number in view.order():
        contribution = float(view.contributions[-1, number])
        share = contribution / total if total > 0 else 0.0
        bar = f'<span class="bar" style="width:{max(0.0, min(share, 1.0)) * 12:.2f}em"></span>'
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
