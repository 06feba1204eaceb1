"""The view as a picture: channels and their reconstruction on the left, gates and states beside them, one time axis."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from detector.alerting.timestamps import format_time
from detector.inspection.view import Layer, View

Float64 = npt.NDArray[np.float64]
Panel: TypeAlias = tuple[str, Float64, str | Colormap, float, float]
"""Name, values, colours and their range."""

MOST_CHANNELS = 6
"""Channels drawn as lines; all are in the picture of contributions."""
_SEEN, _REBUILT, _EXPECTED, _ALERT = "#1f2937", "#d97706", "#0f766e", "#b91c1c"
ROLES: Mapping[str, str] = {
    "#ffffff": "surface", "#000000": "fig-frame", _SEEN: "fig-seen", _REBUILT: "fig-second", _EXPECTED: "fig-expected",
    _ALERT: "fig-threshold",
}  # fmt: skip
"""Which colour of a page each colour of the picture is, by the name of its CSS variable."""
# Little is transparent rather than white, so that the ground may be dark.
_CONTRIBUTION = LinearSegmentedColormap.from_list("contribution", [(0.87, 0.28, 0.22, 0.0), (0.87, 0.28, 0.22, 1.0)])
_SWING = LinearSegmentedColormap.from_list(
    "swing", [(0.2, 0.47, 0.8, 1.0), (0.2, 0.47, 0.8, 0.0), (0.87, 0.28, 0.22, 0.0), (0.87, 0.28, 0.22, 1.0)]
)
_NAMES = {
    "input": "input gate", "forget": "forget gate", "output": "output gate", "update": "update gate",
    "reset": "reset gate", "hidden": "hidden state", "cell": "cell state",
}  # fmt: skip
_ROW_INCHES, _LINES_INCHES, _LAYER_INCHES = 1.35, 6.6, 4.6
_DAY_NS = 86_400 * 10**9
_LABEL_SHARE = 0.15
"""Of the time axis; what a label above a panel takes up."""


def draw(view: View) -> Figure:
    """Draw it.

    Returns:
        A figure; no window is opened, and no state of matplotlib is touched.
    """
    shown = view.order()[:MOST_CHANNELS]
    panels = [_panels(layer) for layer in view.layers]
    left_rows = len(shown) + 2
    rows = max(left_rows, *(len(each) for each in panels), 4)
    figure = Figure(
        figsize=(_LINES_INCHES + _LAYER_INCHES * max(1, len(panels)), 1.2 + _ROW_INCHES * rows), layout="constrained"
    )
    FigureCanvasAgg(figure)
    figure.suptitle(_title(view), fontsize=12, x=0.01, ha="left")
    parts = figure.subfigures(
        1, 1 + len(panels), width_ratios=[_LINES_INCHES, *[_LAYER_INCHES] * len(panels)], squeeze=False
    )[0]
    _draw_lines(parts[0], view, shown)
    for part, layer, layer_panels in zip(parts[1:], view.layers, panels, strict=True):
        _draw_layer(part, view, layer, layer_panels)
    return figure


def render(view: View, kind: Literal["png", "svg"], dpi: int = 110) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    # Without a date in it, equal views give equal bytes.
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None}
    draw(view).savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _draw_lines(part: Any, view: View, shown: Sequence[int]) -> None:
    """Score, channels and contributions, one below the other."""
    heights = [1.0, *[1.0] * len(shown), max(1.0, min(2.4, 0.2 * len(view.channels)))]
    axes = part.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    score = axes[0]
    index = np.arange(len(view.times_ns))
    score.plot(index, view.score, color=_SEEN, linewidth=1.2, marker=".", markersize=3)
    score.axhline(view.threshold, color=_ALERT, linewidth=0.9, linestyle="--")
    score.annotate(
        f"threshold {view.threshold:.3g}", (0, view.threshold), xycoords=("axes fraction", "data"), xytext=(3, 2),
        textcoords="offset points", fontsize=7, color=_ALERT,
    )  # fmt: skip
    score.set_ylabel("score", fontsize=8)
    for axis, number in zip(axes[1:-1], shown, strict=True):
        axis.plot(index, view.seen[:, number], color=_SEEN, linewidth=1.2, label="seen")
        axis.plot(
            index, view.reconstruction[:, number], color=_REBUILT, linewidth=1.2, label="rebuilt from this window"
        )
        axis.plot(
            index, view.expected[:, number], color=_EXPECTED, linewidth=0.9, linestyle=":", label="expected as it came"
        )
        share = view.contributions[-1, number] / view.score[-1] if view.score[-1] > 0 else np.nan
        axis.set_title(
            f"{view.channels[number]}" + ("" if np.isnan(share) else f"   {share:.0%} of the score"),
            fontsize=8,
            loc="left",
            pad=2,
        )
    if len(axes) > 2:
        # Above the axes, where it hides no line; titles are on the left.
        axes[1].legend(
            fontsize=6.5, loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=3, frameon=False, borderaxespad=0
        )
    last = axes[-1]
    ranked = view.order()
    image = _heatmap(last, view.contributions[:, ranked].T, _CONTRIBUTION, 0.0, None)
    last.set_title("contribution of each channel", fontsize=8, loc="left", pad=2)
    if len(ranked) <= 40:
        last.set_yticks(range(len(ranked)), [_short(view.channels[number]) for number in ranked], fontsize=6)
    else:
        last.set_ylabel("channels, greatest first", fontsize=7)
    part.colorbar(image, ax=list(axes), location="bottom", shrink=0.4, aspect=40, pad=0.01).ax.tick_params(labelsize=6)
    _finish(axes, view)


def _draw_layer(
    part: Any, view: View, layer: Layer, panels: Sequence[tuple[str, Float64, str | Colormap, float, float]]
) -> None:
    """A layer's heatmaps, its units in the order of when they are most active."""
    axes = part.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    order = _unit_order(layer)
    for axis, (name, values, colours, low, high) in zip(axes, panels, strict=True):
        image = _heatmap(axis, values[:, order].T, colours, low, high)
        axis.set_title(name, fontsize=8, loc="left", pad=2)
        axis.set_ylabel("unit", fontsize=7)
        axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        cut_off = bool((np.abs(values) > max(high, -low)).any())
        bar = part.colorbar(image, ax=axis, pad=0.01, aspect=12, extend="both" if cut_off else "neither")
        bar.ax.tick_params(labelsize=6)
    backward = ", backward in time" if layer.direction == "backward" else ""
    part.suptitle(f"{layer.name} ({layer.cell}{backward})", fontsize=10)
    _finish(axes, view)


def _panels(layer: Layer) -> list[Panel]:
    """Name, values, colours and their range, from top to bottom."""
    found: list[Panel] = [
        (_NAMES[name], values, "viridis", 0.0, 1.0) for name, values in layer.gates.items() if name in _NAMES
    ]
    for name in ("cell", "hidden"):
        if name in layer.states:
            values = layer.states[name]
            # A few cells may count far beyond the others, which would all look alike beside them.
            reach = 1.0 if name == "hidden" else max(float(np.nanquantile(np.abs(values), 0.98)), 1e-6)
            found.append((_NAMES[name], values, _SWING, -reach, reach))
    return found


def _unit_order(layer: Layer) -> list[int]:
    """Units by how much their hidden state follows the main course of all of them: neighbours behave alike."""
    hidden = np.nan_to_num(layer.states["hidden"])
    centred = hidden - hidden.mean(axis=0)
    *_, directions = np.linalg.svd(centred, full_matrices=False)
    order: list[int] = np.argsort(directions[0], kind="stable").tolist()
    return order


def _heatmap(axis: Axes, values: Float64, colours: str | Colormap, low: float, high: float | None) -> Any:
    return axis.imshow(
        np.ma.masked_invalid(values), aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high,
    )  # fmt: skip


def _finish(axes: Sequence[Axes], view: View) -> None:
    """Marks and the time axis, which is that of the samples: they may be unevenly apart."""
    last = len(view.times_ns) - 1
    places = _marks(view)
    for axis in axes:
        axis.axvline(last, color=_ALERT, linewidth=0.8)
        for _, place in places:
            axis.axvline(place, color=_ALERT, linewidth=0.9, linestyle=":")
        axis.tick_params(labelsize=6.5)
        axis.set_xlim(-0.5, last + 0.5)
    # One text for all marks that lie too near each other for texts of their own.
    near = [name for name, place in places if last - place < _LABEL_SHARE * (last + 1)]
    labels = [(name, place) for name, place in places if name not in near]
    for name, place in [*labels, (", ".join([*near, "this sample"]), last)]:
        axes[0].annotate(
            name, (place, 1.0), xycoords=("data", "axes fraction"), xytext=(-2, 2), textcoords="offset points",
            fontsize=6.5, color=_ALERT, ha="right",
        )  # fmt: skip
    bottom = axes[-1].xaxis
    bottom.set_major_locator(MaxNLocator(6, integer=True))
    long = int(view.times_ns[-1] - view.times_ns[0]) > _DAY_NS

    def label(place: float, _: object = None) -> str:
        index = round(place)
        if not 0 <= index <= last:
            return ""
        text = format_time(int(view.times_ns[index]))
        return f"{text[5:10]} {text[11:16]}" if long else text[11:19]

    bottom.set_major_formatter(FuncFormatter(label))
    axes[-1].set_xlabel(f"{format_time(int(view.times_ns[-1]))[:10]}, UTC", fontsize=7)


def _marks(view: View) -> list[tuple[str, int]]:
    """Marks by the sample that they belong to, without those that lie outside, or at the last sample."""
    found = []
    for name, time_ns in view.marks:
        place = int(np.searchsorted(view.times_ns, time_ns))
        if place < len(view.times_ns) - 1 and time_ns >= view.times_ns[0]:
            found.append((name, place))
    return found


def _title(view: View) -> str:
    model: Mapping[str, Any] = view.facts["model"]
    ratio = view.score[-1] / view.threshold
    return (
        f"{_short(view.title, 96)}: score {view.score[-1]:.3g}, {ratio:.2g} times the threshold   "
        f"({model['architecture']} {model['version']})"
    )


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
