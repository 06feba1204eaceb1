"""What an inspection found, in a few lines for people, and its files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Console
from rich.markup import escape

from detector.files.whole import WholeFile
from detector.inspection.view import View

_MOST_CHANNELS = 5


def write_view(view: View, path: Path) -> None:
    """Write a view in the format that the suffix names.

    Raises:
        ConfigError: the file cannot be written.
        ModuleNotFoundError: a picture is wanted, and matplotlib is not installed.
    """
    kind = path.suffix.lower()
    if kind == ".json":
        data = json.dumps(view.to_dict()).encode()
    elif kind == ".html":
        from detector.inspection.page import page
        from detector.inspection.picture import render

        data = page(view, render(view, "svg")).encode()
    else:
        from detector.inspection.picture import render

        data = render(view, "png" if kind == ".png" else "svg")
    with WholeFile(path) as file:
        file.write(data)


def print_view(view: View, written: Sequence[Path], stream: TextIO) -> None:
    """The sample, the channels to blame, and what each layer's gates did."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    score, model = view.score[-1], view.facts["model"]
    console.print(
        f"[bold]{escape(view.title)}[/]: score [bold]{score:.4g}[/],"
        f" {score / view.threshold:.3g} times the threshold ({model['architecture']} {model['version']},"
        f" {len(view.times_ns)} samples)"
    )
    if view.remark:
        console.print(f"  [yellow]{escape(view.kind)}[/]: {escape(view.remark)}")
    for number in view.order()[:_MOST_CHANNELS]:
        share = view.contributions[-1, number] / score if score > 0 else 0.0
        console.print(
            f"  {escape(view.channels[number]):<24} {share:>6.1%} of the score; seen {view.seen[-1, number]:.6g},"
            f" expected {view.expected[-1, number]:.6g}"
        )
    for layer in view.layers:
        means = ", ".join(f"{name} {np.nanmean(values):.2f}" for name, values in layer.gates.items())
        hidden = layer.states["hidden"]
        console.print(
            f"  {escape(layer.name)} ({layer.cell}, {layer.direction}): {'mean gates ' + means + '; ' if means else ''}"
            f"hidden state moves by {np.nanmean(np.abs(np.diff(hidden, axis=0))):.3f} a sample"
        )
    console.print(f"  the Keras model differs from the runtime by {view.facts['runtime_difference']:.1e}")
    if written:
        console.print("written " + ", ".join(escape(str(path)) for path in written))
