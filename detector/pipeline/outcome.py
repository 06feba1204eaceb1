"""What a run of records led to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.alerting.dead_letter import DeadLetter
from detector.alerting.events import Event
from detector.series.eviction import EvictionCounters
from detector.shadow import ShadowTally


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Scores of one batch, for a file.

    Attributes:
        series: Of each window.
        time_ns: int64[n]; event time of its last sample.
        offset: int64[n]; of the record that completed it.
        score: float64[n]; NaN where unknown.
        anew: bool[n]; whether the series began anew with it, after a gap, a jump or when it had been forgotten.
    """

    series: Sequence[str]
    time_ns: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    anew: npt.NDArray[np.bool_]


@dataclass(slots=True)
class Outcome:
    """What a run of records led to.

    Attributes:
        records: Number of records.
        ignored: Number of valid ones that carry no channel of the model.
        events: With the series that each belongs to, in record order.
        dead_letters: With the offset of the record, in record order.
        touched: Series that emitted an event or were forgotten; their snapshot goes into the same transaction.
        rejected: Number of records by reason.
        resets: Number of windows that began anew, by reason.
        late: Samples dropped because a later one of their series was there before.
        duplicate: Samples dropped because their series had one of the same time.
        filled: Missing samples bridged within short gaps.
        incomplete: Samples assembled from single channels that went on with some missing.
        scored: Windows with a score.
        unscored: Windows without one.
        ratios: float64; score / threshold of every scored window.
        latest: Latest known score / threshold of the series that the stream's context lists, as far as they had one.
        scores: Of each batch, where the context keeps them.
        longest_bad_run: Most records in a row that were rejected; the run may have begun before these records.
        active: Series whose first record since their last snapshot is among the records; all new series are.
        evictions: Series that went to the local file and came back, since the last outcome.
        shadow: What a challenger came to.
        anchored: Series that began anew whatever had been before, with the offset of the record behind the gap.
    """

    records: int = 0
    ignored: int = 0
    events: list[tuple[str, Event]] = field(default_factory=list)
    dead_letters: list[tuple[int, DeadLetter]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    rejected: dict[str, int] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)
    late: int = 0
    duplicate: int = 0
    filled: int = 0
    incomplete: int = 0
    scored: int = 0
    unscored: int = 0
    ratios: list[npt.NDArray[np.float64]] = field(default_factory=list)
    latest: dict[str, float] = field(default_factory=dict)
    scores: list[ScoreRows] = field(default_factory=list)
    longest_bad_run: int = 0
    active: list[str] = field(default_factory=list)
    evictions: EvictionCounters = field(default_factory=EvictionCounters)
    shadow: ShadowTally = field(default_factory=ShadowTally)
    anchored: list[tuple[str, int]] = field(default_factory=list)
