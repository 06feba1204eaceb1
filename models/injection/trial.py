"""A trial: held-out ordinary data of all series, several times over, with changes injected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.chain import Judged
from models.injection.injecting import Injected, inject
from models.injection.kinds import FAULTS, KINDS
from models.injection.place import Bool, Float64
from models.injection.precision import Precision, precision
from models.memory import Int, Memory, StateType
from models.offline import Judging, score_series
from models.scaling import Scaler
from models.segments import Segment

MAX_ROWS = 20_000
LEAST_SERIES_ROWS = 500
LEAST_FAULTS = 6
"""Faults of each kind to inject, as far as the bounds of a trial allow it."""
MAX_ROUNDS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Series with injected changes.

    Attributes:
        data: Segments by name of a copy of a series.
        injected: What was injected into each of these segments.
        series: By name of a copy, that of the series.
    """

    data: Mapping[str, tuple[Segment, ...]]
    injected: Mapping[str, tuple[Injected, ...]]
    series: Mapping[str, str]

    @classmethod
    def of(
        cls,
        segments: Mapping[str, Sequence[Segment]],
        seed: int = 0,
        kinds: Sequence[str] = tuple(KINDS),
        lead: int | None = None,
        max_rows: int = MAX_ROWS,
    ) -> Trial:
        """Inject changes into ordinary data.

        Of many or long series, some or the latest rows serve. The data is gone through again, with other changes, until
        there are enough of every kind.

        Args:
            segments: By series.
            seed: Of everything that is drawn.
            kinds: Names in `models.injection.KINDS`.
            lead: Rows at the beginning of each segment that stay as they are; see `models.injection.inject`.
            max_rows: How many rows are to be scored, about.
        """
        chosen = _chosen(segments, max_rows)
        total = sum(len(segment.values) for parts in chosen.values() for segment in parts)
        rounds = min(MAX_ROUNDS, max(1, max_rows // max(total, 1)))
        spreads = {
            name: Scaler.fit({"": np.concatenate([segment.values for segment in parts])}).scale[1]
            for name, parts in chosen.items()
        }
        order = [kinds[place] for place in np.random.default_rng(seed).permutation(len(kinds))]
        data: dict[str, tuple[Segment, ...]] = {}
        injected: dict[str, tuple[Injected, ...]] = {}
        of_copy: dict[str, str] = {}
        dealt: Counter[str] = Counter()
        for turn in range(rounds):
            for number, (name, parts) in enumerate(chosen.items()):
                made = []
                for place, segment in enumerate(parts):
                    # Those that are rarest so far come first.
                    order.sort(key=lambda kind: dealt[kind])
                    made.append(
                        inject(segment.values, (seed, turn, number, place), order, lead=lead, spread=spreads[name])
                    )
                    dealt.update(change.kind for change in made[-1].changes)
                copy = f"{turn}/{name}"
                data[copy] = tuple(
                    Segment(segment.times_ns, one.values, segment.real)
                    for segment, one in zip(parts, made, strict=True)
                )
                injected[copy], of_copy[copy] = tuple(made), name
            if all(dealt[kind] >= LEAST_FAULTS for kind in kinds if kind in FAULTS):
                break
        return cls(data, injected, of_copy)

    @property
    def faults(self) -> int:
        """How many faults there are, of all kinds."""
        changes = (change for parts in self.injected.values() for part in parts for change in part.changes)
        return sum(KINDS[change.kind].is_fault for change in changes)

    def judge(
        self, chain: Judging, window: int, min_coverage: float, threshold: float | None = None, open_after: int = 1
    ) -> Precision:
        """Let a chain score the trial as it would live, its own memory included.

        Args:
            chain: From windows to scores.
            window: Rows in a window.
            min_coverage: Least observed share of a window for a score.
            threshold: See `models.injection.precision.precision`.
            open_after: See there.
        """
        scored = score_series(_Copies(chain, self.series), self.data, window, min_coverage)
        found = {name: [part.score for part in parts] for name, parts in scored.items()}
        return self.compare(found, threshold, open_after)

    def compare(
        self, scores: Mapping[str, Sequence[Float64]], threshold: float | None = None, open_after: int = 1
    ) -> Precision:
        """The same of scores that were made already: float64[rows] for each segment of each copy."""
        return precision(
            [score for name in self.data for score in scores[name]],
            [one for name in self.data for one in self.injected[name]],
            threshold,
            open_after,
        )


def injected_precision(
    chain: Judging,
    segments: Mapping[str, Sequence[Segment]],
    window: int,
    min_coverage: float,
    seed: int = 0,
    *,
    threshold: float | None = None,
    open_after: int = 1,
) -> Precision:
    """Inject faults and benign changes into ordinary data, and see how well a chain tells them apart.

    Args:
        chain: From windows to scores.
        segments: By series, without known faults; models should not have learned from it.
        window: Rows in a window.
        min_coverage: Least observed share of a window for a score.
        seed: The same seed and data give the same faults, whatever the chain.
        threshold: See `models.injection.precision.precision`.
        open_after: See there.
    """
    return Trial.of(segments, seed).judge(chain, window, min_coverage, threshold, open_after)


@dataclass(frozen=True, slots=True)
class _Copies:
    """A chain that takes copies of a series for the series."""

    chain: Judging
    series: Mapping[str, str]

    @property
    def state_dtype(self) -> StateType | None:
        return self.chain.state_dtype

    def row(self, series: str) -> int:
        return self.chain.row(self.series[series])

    def judge(self, values: Float64, rows: Int, usable: Bool, memory: Memory | None) -> Judged:
        return self.chain.judge(values, rows, usable, memory)


def _chosen(segments: Mapping[str, Sequence[Segment]], max_rows: int) -> dict[str, tuple[Segment, ...]]:
    """Series spread evenly, and of each the latest rows."""
    names = [name for name, parts in segments.items() if any(len(part.values) for part in parts)]
    count = min(len(names), max(1, max_rows // LEAST_SERIES_ROWS))
    names = [names[place] for place in np.linspace(0, len(names) - 1, count).astype(int)] if names else []
    chosen: dict[str, tuple[Segment, ...]] = {}
    for name in names:
        left = max(LEAST_SERIES_ROWS, max_rows // count)
        parts: list[Segment] = []
        for segment in reversed(segments[name]):
            if left > 0 and len(segment.values):
                parts.append(Segment(segment.times_ns[-left:], segment.values[-left:], segment.real[-left:]))
                left -= len(segment.values)
        chosen[name] = tuple(reversed(parts))
    return chosen
