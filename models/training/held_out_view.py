"""What a training left of its held-out data, for people: scores, errors by channel, stretches good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.calibration import HeldOutScores
from models.outputs import RECONSTRUCTION
from models.scores import ScoreRule
from models.training.held_out import HeldOut

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

Why = Literal["typical", "worst"]
EXCERPT_SAMPLES = 160
WORST = 2
"""How many of the worst stretches are shown, of two series where there are two."""


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """A stretch of held-out data, as it would have been scored live.

    Attributes:
        series: Its name.
        why: ``typical``: its highest score is the median one of all others. ``worst``: it has the highest.
        times_ns: int64[n]; event times, nanoseconds since the epoch.
        seen: float64[n, channels]; in the channels' own units, NaN where missing.
        expected: float64[n, channels]; what the score is told by, in the same units, NaN where unknown.
        contributions: float32[n, channels]; they add up to the score.
        score: float64[n]; NaN where unknown.
    """

    series: str
    why: Why
    times_ns: Int64
    seen: Float64
    expected: Float64
    contributions: Float32
    score: Float64


@dataclass(frozen=True, slots=True)
class ChannelErrors:
    """How well a channel is estimated in held-out data.

    Attributes:
        unexplained: Share of its variance that is left; NaN where it does not move.
        typical: Median of the absolute error, in its own unit; NaN where nothing is known.
        rarely: What 99% of the absolute errors do not exceed, in its own unit.
    """

    unexplained: float
    typical: float
    rarely: float


@dataclass(frozen=True, slots=True)
class SeriesScores:
    """Held-out scores of one series: how many are known, their median, and the highest."""

    series: str
    samples: int
    median: float
    highest: float


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutView:
    """Held-out data after a training.

    Attributes:
        told_by: The estimate that people are shown as what was expected.
        scores: float64[n]; all that are known.
        channels: In the model's order.
        series: The highest scores first.
        excerpts: The typical stretch, then the worst ones.
    """

    told_by: str
    scores: Float64
    channels: tuple[ChannelErrors, ...]
    series: tuple[SeriesScores, ...]
    excerpts: tuple[Excerpt, ...]


def view_held_out(
    rule: ScoreRule, held_out: Sequence[HeldOut], scores: Sequence[HeldOutScores], samples: int = EXCERPT_SAMPLES
) -> HeldOutView:
    """Look at held-out data.

    Args:
        rule: The score.
        held_out: What the model made of it.
        scores: Of each of them.
        samples: Length of the excerpts.
    """
    known = np.concatenate([part.scores for part in scores])
    return HeldOutView(
        told_by=rule.told_by,
        scores=known[np.isfinite(known)],
        channels=_channels(rule, held_out),
        series=_series(held_out, scores),
        excerpts=_excerpts(rule, held_out, scores, samples),
    )


def _expected(rule: ScoreRule, part: HeldOut) -> Float64:
    """In the channels' own units, as `models.chain.Judged` has it."""
    parts = part.stretch.output.parts
    scaled = parts[rule.told_by][:, -1]
    scaled = np.where(np.isnan(scaled), parts[RECONSTRUCTION][:, -1], scaled)
    own: Float64 = scaled.astype(np.float64) * part.scale + part.centre
    return own


def _channels(rule: ScoreRule, held_out: Sequence[HeldOut]) -> tuple[ChannelErrors, ...]:
    left = [part.seen - _expected(rule, part) for part in held_out]
    residuals = np.concatenate(left)
    # Each series around its own centre: how far they lie apart is nothing that a model has to explain.
    around = np.concatenate([(part.seen - part.centre) / part.scale for part in held_out])
    scaled = np.concatenate([errors / part.scale for errors, part in zip(left, held_out, strict=True)])
    found = []
    for channel in range(residuals.shape[1]):
        both = np.isfinite(residuals[:, channel])
        errors = np.abs(residuals[both, channel])
        variance = float(np.var(around[both, channel])) if both.any() else 0.0
        unexplained = float(np.mean(scaled[both, channel] ** 2)) / variance if variance > 0 else np.nan
        typical, rarely = np.quantile(errors, (0.5, 0.99)).tolist() if errors.size else (np.nan, np.nan)
        found.append(ChannelErrors(unexplained, typical, rarely))
    return tuple(found)


def _series(held_out: Sequence[HeldOut], scores: Sequence[HeldOutScores]) -> tuple[SeriesScores, ...]:
    by_series: dict[str, list[Float64]] = {}
    for part, of_part in zip(held_out, scores, strict=True):
        by_series.setdefault(part.series, []).append(of_part.scores[np.isfinite(of_part.scores)])
    found = []
    for name, pieces in by_series.items():
        known = np.concatenate(pieces)
        if known.size:
            found.append(SeriesScores(name, int(known.size), float(np.median(known)), float(known.max())))
    return tuple(sorted(found, key=lambda one: (-one.highest, one.series)))


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring samples of a part, by index, and the highest score among them."""

    part: int
    begin: int
    end: int
    highest: float


def _excerpts(
    rule: ScoreRule, held_out: Sequence[HeldOut], scores: Sequence[HeldOutScores], samples: int
) -> tuple[Excerpt, ...]:
    blocks = [
        _Block(number, begin, begin + len(piece), float(np.nanmax(piece)))
        for number, part in enumerate(scores)
        for begin in range(0, len(part.scores), samples)
        if np.isfinite(piece := part.scores[begin : begin + samples]).any()
    ]
    if not blocks:
        return ()
    blocks.sort(key=lambda block: block.highest)
    worst = [blocks[-1]]
    others = [block for block in blocks if held_out[block.part].series != held_out[worst[0].part].series]
    rest = others or [block for block in blocks[:-1] if block.highest < worst[0].highest]
    worst += rest[::-1][: WORST - 1]
    ordinary = [block for block in blocks if block not in worst]
    chosen: list[tuple[Why, _Block]] = [("typical", block) for block in ordinary[len(ordinary) // 2 :][:1]]
    chosen += [("worst", block) for block in worst]
    return tuple(_excerpt(rule, held_out[block.part], scores[block.part], block, why, samples) for why, block in chosen)


def _excerpt(rule: ScoreRule, part: HeldOut, scores: HeldOutScores, block: _Block, why: Why, samples: int) -> Excerpt:
    count = len(scores.scores)
    begin = block.begin
    if why == "worst":
        # What led to the peak is as telling as what followed it.
        peak = begin + int(np.nanargmax(scores.scores[begin : block.end]))
        begin = max(0, min(peak - samples // 2, count - samples))
    rows = slice(begin, min(begin + samples, count))
    stretch = part.stretch
    _, contributions = rule.score(stretch.filled, stretch.output, stretch.observed, stretch.memory(rule.state_dtype))
    return Excerpt(
        part.series,
        why,
        part.times_ns[rows],
        part.seen[rows],
        _expected(rule, part)[rows],
        contributions[rows].astype(np.float32),
        scores.scores[rows],
    )
