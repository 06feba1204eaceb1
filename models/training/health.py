"""What a training's gradients say about it: exploding, vanishing, or held down by clipping; each with a remedy.

Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient descent is difficult" (1994), and Pascanu,
Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from models.fitting.record import EpochRecord
    from models.horizon import Horizon

GROWTH = 100.0
"""An epoch's median norm this many times the least of an earlier epoch has grown by orders of magnitude."""
SPIKE = 1000.0
"""A step's norm this many times its epoch's median is a cliff. The first epoch, in which norms fall steeply, is left
out."""
CLIPPED_SHARE = 0.5
"""When more than this share of the steps was clipped in the later half, it is the bound that sets the step."""
VANISHED = 1e-3
"""The first recurrent layer learns next to nothing when its norm is below this share of the last one's."""
SHORT_SHARE = 0.1
"""A model whose memory ends within this share of its window hardly makes use of the window."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a training.

    Attributes:
        kind: ``exploding``, ``clipped``, ``vanishing`` or ``short_memory``.
        message: What was seen, with its figures.
        remedy: What to try.
    """

    kind: Literal["exploding", "clipped", "vanishing", "short_memory"]
    message: str
    remedy: str


def diagnose(
    epochs: Sequence[EpochRecord], horizon: Horizon | None = None, window: int | None = None
) -> tuple[Finding, ...]:
    """Look at the gradient norms of a training, and at how far back what came of it looks.

    Args:
        epochs: Without any there are no findings.
        horizon: Of the reconstruction; None: not measured.
        window: Samples that a model without carried memory sees; None: it carries memory.
    """
    if not epochs:
        return ()
    found = (_exploding(epochs), _clipped(epochs), _vanishing(epochs), _short_memory(epochs, horizon, window))
    return tuple(finding for finding in found if finding is not None)


def _exploding(epochs: Sequence[EpochRecord]) -> Finding | None:
    remedy = (
        "lower the learning rate or the bound on gradients (--global-clipnorm), shorten the window, or use gru or lstm"
        " instead of simple_rnn; look at the data for extreme values"
    )
    least = epochs[0]
    for record in epochs[1:]:
        before = record.gradient_norm
        if before.median > GROWTH * least.gradient_norm.median > 0:
            return Finding(
                "exploding",
                f"the median gradient norm grew from {least.gradient_norm.median:.3g} in epoch {least.epoch} to"
                f" {before.median:.3g} in epoch {record.epoch}",
                remedy,
            )
        if before.max > SPIKE * before.median > 0:
            return Finding(
                "exploding",
                f"a gradient norm of {before.max:.3g} in epoch {record.epoch}, whose median is {before.median:.3g}",
                remedy,
            )
        if before.median < least.gradient_norm.median:
            least = record
    return None


def _clipped(epochs: Sequence[EpochRecord]) -> Finding | None:
    later = _later_half(epochs)
    steps, clipped = sum(record.steps for record in later), sum(record.clipped_steps for record in later)
    if clipped <= CLIPPED_SHARE * steps:
        return None
    return Finding(
        "clipped",
        f"{clipped / steps:.0%} of the steps were clipped from epoch {later[0].epoch} on: the bound, rather than the"
        " learning rate, says how far a step goes",
        "raise the bound on gradients (--global-clipnorm), or lower the learning rate if the loss is restless",
    )


def _vanishing(epochs: Sequence[EpochRecord]) -> Finding | None:
    for record in reversed(_later_half(epochs)):
        recurrent = [layer for layer in record.layers if layer.recurrent]
        if len(recurrent) < 2 or recurrent[0].before.median >= VANISHED * recurrent[-1].before.median:
            return None
    first, last = recurrent[0], recurrent[-1]
    return Finding(
        "vanishing",
        f"the gradient norm of {first.layer} is {first.before.median:.2g}, that of {last.layer}"
        f" {last.before.median:.2g}: what {first.layer} should keep of the window is hardly learned",
        "use gru or lstm instead of simple_rnn, or a shorter window; 'detector models horizon' shows how far back the"
        " model remembers",
    )


def _short_memory(epochs: Sequence[EpochRecord], horizon: Horizon | None, window: int | None) -> Finding | None:
    if horizon is None or window is None or not any(layer.recurrent for layer in epochs[-1].layers):
        return None
    reach = horizon.reach_5_percent
    if reach is None or reach >= SHORT_SHARE * window:
        return None
    return Finding(
        "short_memory",
        f"what the model says of a sample depends on the {reach:.0f} before it, out of {window} that it sees",
        "train longer, or use gru or lstm instead of simple_rnn; if the data needs no longer memory, a shorter window"
        " finds as much and costs less",
    )


def _later_half(epochs: Sequence[EpochRecord]) -> Sequence[EpochRecord]:
    return epochs[len(epochs) // 2 :]
