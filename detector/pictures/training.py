"""How a training went: loss, and gradients as they came and as they were let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from detector.pictures.frame import hold, hover, legend, level, log_range, panel, upright

Float64 = npt.NDArray[np.float64]

ORDER = ("first", "second", "third", "fourth", "fifth", "sixth")
"""Roles of lines that are told apart by colour and dash."""
_DASHES = ("solid", "dashed", "dotted", "dashdot")
_HEIGHT = 210
_WIDE = 20.0


def losses(epochs: Sequence[Mapping[str, Any]], best_epoch: int) -> figure:
    """Loss of what was learned from and of what was held out, by epoch.

    Args:
        epochs: At least one; as `models.training.history.EpochRecord` has them.
        best_epoch: The one whose weights were kept.
    """
    data = {name: _column(epochs, name) for name in ("epoch", "loss", "val_loss", "learning_rate", "seconds")}
    values = np.concatenate([data["loss"], data["val_loss"]])
    positive = values[np.isfinite(values) & (values > 0)]
    wide = 0 < positive.size == values.size and positive.max() > _WIDE * positive.min()
    kept = f"   epoch {best_epoch} was kept" if best_epoch else ""
    found = panel(f"Loss{', logarithmic' if wide else ''}{kept}", _HEIGHT, y_scale="log" if wide else "linear")
    if wide:
        log_range(found, values)
    elif not np.isfinite(values).any():
        hold(found)
    source = ColumnDataSource(data, name="losses")
    trained = found.line("epoch", "loss", source=source, line_width=1.6, tags=["role:fifth"])
    held_out = found.line("epoch", "val_loss", source=source, line_width=2, tags=["role:first"])
    for name, role in (("loss", "fifth"), ("val_loss", "first")):
        found.scatter("epoch", name, source=source, size=4.5, line_color=None, tags=[f"role:{role}"])
    if best_epoch:
        upright(found, "expected", best_epoch, "dashed")
    formats = {f"@{name}": "printf" for name in data}
    hover(
        found, [held_out],
        [("epoch", "@epoch{%.0f}"), ("held-out loss", "@val_loss{%.5g}"), ("training loss", "@loss{%.5g}"),
         ("learning rate", "@learning_rate{%.3g}"), ("took", "@seconds{%.1f} s")],
        formats, "vline",
    )  # fmt: skip
    _epochs(found, len(epochs))
    legend(found, [("held out", [held_out]), ("training", [trained])])
    return found


def gradient_norms(epochs: Sequence[Mapping[str, Any]], bound: float | None, clipping: str) -> figure:
    """Norms of all gradients together: before and after clipping, the median and the largest of each epoch.

    Args:
        epochs: At least one.
        bound: On the norm of all gradients together; None: there is none that could be drawn.
        clipping: What was done, in words.
    """
    data = {
        "epoch": _column(epochs, "epoch"),
        "median": _norm(epochs, "gradient_norm", "median"),
        "p99": _norm(epochs, "gradient_norm", "p99"),
        "largest": _norm(epochs, "gradient_norm", "max"),
        "after": _norm(epochs, "clipped_norm", "median"),
        "after_largest": _norm(epochs, "clipped_norm", "max"),
        "share": np.array([one["clipped_steps"] / max(one["steps"], 1) for one in epochs]),
    }
    found = panel(f"Gradient norm, all layers, logarithmic   {clipping}", _HEIGHT, y_scale="log")
    source = ColumnDataSource(data, name="gradients")
    band = found.varea("epoch", "median", "largest", source=source, fill_alpha=0.16, tags=["role:first"])
    before = found.line("epoch", "median", source=source, line_width=2, tags=["role:first"])
    after = found.line("epoch", "after", source=source, line_width=1.8, line_dash="dashed", tags=["role:second"])
    found.scatter("epoch", "median", source=source, size=4.5, line_color=None, tags=["role:first"])
    if bound:
        level(found, "threshold", bound)
    formats = {f"@{name}": "printf" for name in data if name != "share"}
    hover(
        found, [before],
        [("epoch", "@epoch{%.0f}"), ("median", "@median{%.4g}"), ("99%", "@p99{%.4g}"), ("largest", "@largest{%.4g}"),
         ("median after clipping", "@after{%.4g}"), ("largest after", "@after_largest{%.4g}"),
         ("steps clipped", "@share{0%}")],
        formats, "vline",
    )  # fmt: skip
    log_range(found, data["median"], data["largest"], data["after"], np.array([bound or np.nan]))
    _epochs(found, len(epochs))
    legend(found, [("median", [before]), ("up to the largest", [band]), ("median after clipping", [after])])
    return found


def layer_norms(epochs: Sequence[Mapping[str, Any]]) -> figure:
    """Median gradient norms of each layer, as they came.

    Args:
        epochs: At least one.
    """
    names = [layer["layer"] for layer in epochs[-1]["layers"]]
    found = panel("Gradient norm by layer, median, logarithmic", _HEIGHT, y_scale="log")
    lines, drawn = [], []
    for number, name in enumerate(names):
        layers = [one["layers"][number] for one in epochs]
        source = ColumnDataSource(
            {
                "epoch": _column(epochs, "epoch"),
                "median": _positive([layer["before"]["median"] for layer in layers]),
                "largest": _positive([layer["before"]["max"] for layer in layers]),
                "after": _positive([layer["after"]["median"] for layer in layers]),
                "layer": [name] * len(epochs),
            },
            name=f"layer:{name}",
        )
        role, dash = ORDER[number % len(ORDER)], _DASHES[number // len(ORDER) % len(_DASHES)]
        line = found.line("epoch", "median", source=source, line_width=1.8, line_dash=dash, tags=[f"role:{role}"])
        found.scatter("epoch", "median", source=source, size=4, line_color=None, tags=[f"role:{role}"])
        lines.append((name, line))
        drawn.append(source.data["median"])
    formats = {f"@{name}": "printf" for name in ("epoch", "median", "largest", "after")}
    hover(
        found, [line for _, line in lines],
        [("", "@layer"), ("epoch", "@epoch{%.0f}"), ("median", "@median{%.4g}"), ("largest", "@largest{%.4g}"),
         ("median after clipping", "@after{%.4g}")],
        formats,
    )  # fmt: skip
    log_range(found, *drawn)
    _epochs(found, len(epochs))
    legend(found, [(name, [line]) for name, line in lines], columns=2)
    return found


def _epochs(found: figure, count: int) -> None:
    found.xaxis.axis_label = "epoch"
    found.xaxis.ticker.min_interval = 1
    found.xaxis.ticker.num_minor_ticks = 0
    if count == 1:
        found.x_range.start, found.x_range.end = 0.5, 1.5


def _column(epochs: Sequence[Mapping[str, Any]], name: str) -> Float64:
    return np.array([one[name] for one in epochs], np.float64)


def _norm(epochs: Sequence[Mapping[str, Any]], which: str, name: str) -> Float64:
    return _positive([one[which][name] for one in epochs])


def _positive(values: Sequence[float]) -> Float64:
    """For a logarithmic axis; a norm of nothing is not drawn."""
    found = np.array(values, np.float64)
    return np.where(found > 0, found, np.nan)
