"""From the windows that were listened to, and the Keras model, to a view of what happened inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.alerting.timestamps import parse_time
from detector.inspection.tap import Step
from detector.inspection.view import Layer, View, rows_of
from models.bundle import Bundle
from models.inspection import Inspection, Inspector, joined
from models.outputs import RECONSTRUCTION
from models.warm_up import WarmUp

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_RENEWED = 1e-2
"""Memory that differs by more than this from what was recomputed was begun anew; rounding differs by a millionth."""
CARRIED_SAMPLES = 64
"""A model with carried memory is followed over at least so many samples, if nobody says otherwise."""


def samples_of(bundle: Bundle, wanted: int | None) -> int:
    """How many samples to look at.

    A model without memory knows of its window and of nothing before it.
    """
    window = bundle.spec.window
    if not bundle_carries(bundle):
        return window
    return max(window, CARRIED_SAMPLES) if wanted is None else max(2, wanted)


def bundle_carries(bundle: Bundle) -> bool:
    """Whether the model carries memory along a series."""
    from models.architectures import find

    return find(bundle.spec.architecture).memory == "carried"


def open_up(
    steps: Sequence[Step],
    bundle: Bundle,
    model: Any,
    samples: int,
    threshold: float,
    facts: Mapping[str, Any],
    marks: Sequence[tuple[str, str]] = (),
) -> View:
    """Follow the model through the last of the windows.

    Args:
        steps: Windows of the series, at least one; the last ends at the sample that is looked at.
        bundle: The model's.
        model: The Keras model of the bundle.
        samples: At most so many, up to that one.
        threshold: Scores above it are anomalous.
        facts: What it is, to be passed on.
        marks: Further moments to mark: names and event times as text.

    Raises:
        ModelsError: a layer of the model cannot be inspected.
    """
    spec, last = bundle.spec, steps[-1]
    inspector = Inspector(model, spec.architecture)
    if inspector.carries:
        inspection = _follow(steps, inspector)
        samples = min(samples, sum(step.new_rows for step in steps))
    else:
        inspection = inspector.window(last.scaled)
    rows = rows_of(steps, spec.period_ns)
    samples = min(samples, len(rows.seen))
    chosen = slice(len(rows.seen) - samples, None)
    scored = rows.scored[chosen]
    channels = len(spec.channels)

    def by_sample(values: Sequence[Any], width: int) -> Float64:
        found = np.full((samples, width), np.nan)
        found[scored >= 0] = np.array(values, np.float64).reshape(len(steps), width)[scored[scored >= 0]]
        return found

    reconstruction = np.full((samples, channels), np.nan)
    rebuilt = _in_own_units(last.parts[RECONSTRUCTION], bundle, str(facts["series"]), last)[-samples:]
    reconstruction[samples - len(rebuilt) :] = rebuilt
    difference = float(np.abs(inspection.outputs[RECONSTRUCTION] - last.parts[RECONSTRUCTION]).max())
    return View(
        facts={**facts, "runtime_difference": float(f"{difference:.2g}")},
        times_ns=rows.times_ns[chosen],
        channels=spec.channels,
        seen=rows.seen[chosen],
        reconstruction=reconstruction,
        expected=by_sample([step.expected for step in steps], channels),
        contributions=by_sample([step.contributions for step in steps], channels),
        score=by_sample([step.score for step in steps], 1)[:, 0],
        threshold=threshold,
        marks=tuple((name, parse_time(text)) for name, text in marks),
        layers=tuple(
            Layer(
                trace.layer,
                trace.cell,
                trace.direction,
                {name: values[-samples:] for name, values in trace.gates.items()},
                {name: values[-samples:] for name, values in trace.states.items()},
            )
            for trace in inspection.layers
        ),
    )


def _follow(steps: Sequence[Step], inspector: Inspector) -> Inspection:
    """Through the new rows of all windows, from what was really carried up to each.

    A runtime that gives up a memory that an anomaly has filled reads the window again instead, with a fresh one; that
    shows in what it carries on.
    """
    pieces = []
    for step in steps:
        found = inspector.carried(_windows(step, step.new_rows), None if step.anew else step.carried)
        if not step.anew and _distance(found, step) > _RENEWED:
            whole = inspector.carried(_windows(step, len(step.scaled)), None)
            found = _last(whole, step.new_rows)
        pieces.append(found)
    return joined(pieces)


def _windows(step: Step, rows: int) -> Float32:
    """The window that ends at each of the last rows, as the runtime reads them; see `models.runtimes.carried`."""
    return np.stack([np.roll(step.scaled, back, axis=0) for back in range(rows - 1, -1, -1)])


def _distance(found: Inspection, step: Step) -> float:
    return max(float(np.abs(found.memory[name] - step.carried_on[name]).max()) for name in found.memory)


def _last(inspection: Inspection, samples: int) -> Inspection:
    layers = tuple(
        replace(
            layer,
            gates={name: values[-samples:] for name, values in layer.gates.items()},
            states={name: values[-samples:] for name, values in layer.states.items()},
        )
        for layer in inspection.layers
    )
    return replace(inspection, layers=layers)


def _in_own_units(scaled: Float32, bundle: Bundle, series: str, step: Step) -> Float64:
    """float64[rows, channels]; scaled rows in the channels' own units, by the scale that the window was scored with."""
    row = bundle.scaler.row(series)
    centre, scale = bundle.scaler.centre[row], bundle.scaler.scale[row]
    if row == 0 and step.measured is not None:
        warm_up = WarmUp.of(bundle.warm_up, bundle.scaler)
        (centre,), (scale,) = warm_up.scale(step.measured)
    own: Float64 = scaled.astype(np.float64) * scale + centre
    return own
