"""What all partitions of a stream share: settings and model, as the parts that a pipeline is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict

from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import USUAL, StandingPolicy
from detector.records.reader import RecordReader
from detector.scoring.drift import FollowsDrift
from detector.scoring.scores import Scores
from detector.series.carried import MemoryLayout, States, StateType, memory_layout
from detector.series.eviction import Residency
from detector.series.frozen import FreezeLimits
from detector.series.spec import WindowSpec
from detector.series.values import Reset, WindowBatch
from detector.shadow import Shadow


class WindowScorer(Protocol):
    """Scores a batch of windows; `detector.scoring.scorer.Scorer` is one.

    A window's scores depend on it and on the windows of its series before it, and on nothing else in the batch, to the
    last bit.
    """

    @property
    def state_dtype(self) -> StateType | None:
        """Structure of what is carried along a series from window to window, plain numbers; None: nothing is."""

    def score(self, batch: WindowBatch, states: States | None) -> Scores:
        """Score every window.

        Args:
            batch: Windows in the order of their completion; of one series there may be several.
            states: One record of `state_dtype` by ``batch.slots``, moved on in place window by window, in order. With
                ``batch.steps`` 0 a series begins anew, whatever the record holds.
        """


class Observer(Protocol):
    """Sees what the pipelines of a stream score, and changes nothing."""

    def observe(
        self, partition: int, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset]
    ) -> None:
        """Take note of windows with their scores, and of what lies between them.

        Args:
            partition: Number of the partition.
            batch: The windows, in the order of their completion; None for none.
            scores: Of the windows, row by row.
            resets: In order, each with how many of the windows precede it.
        """


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What all partitions of a stream share.

    Attributes:
        identity: Of partition 0; `partition` is replaced.
        dead_letter_bytes: Longest value that a dead letter carries whole.
        keep_scores: Whether every score is kept in the outcome, for replay.
        residency: How many series of a partition may be in memory; None: all. No outcome depends on it.
        shadow: Holds the challenger that sees the same windows; None: there never is one.
        silence: When a series counts as silent; None: never.
        freezes: For how long channels may keep a value; None: nobody watches that.
        frozen: What happens while they keep it for too long.
        drift: Compares samples with the training data; for metrics alone.
        reach: By series the scored samples after which nothing older has any influence; None: a scorer that carries
            something along remembers for ever.
        listed: Series whose latest score is noted in the outcome, for metrics.
        observer: Sees what is scored, for pictures of it; None: nobody does.
        shaping: The settings that ``identity.fingerprint`` stands for, to be written down with an epoch.
    """

    name: str
    reader: RecordReader
    scorer: WindowScorer
    spec: WindowSpec
    policy: IncidentPolicy
    identity: Identity
    runtime: str = "onnx"
    dead_letter_bytes: int = 9_000_000
    keep_scores: bool = False
    residency: Residency | None = None
    shadow: Shadow | None = None
    silence: SilencePolicy | None = None
    freezes: FreezeLimits | None = None
    frozen: StandingPolicy = USUAL
    reach: Callable[[str], float] | None = None
    drift: FollowsDrift | None = None
    listed: frozenset[str] = frozenset()
    observer: Observer | None = None
    shaping: Mapping[str, Any] = field(default_factory=dict)

    @property
    def memory(self) -> MemoryLayout:
        """What the model carries along each series."""
        return memory_layout(self.scorer.state_dtype, self.identity.model)

    @property
    def carrying(self) -> Carrying:
        """What `detector.lived.certainty.Certainty` has to know of the memory."""
        return Carrying(carries=self.memory.dtype is not None, reach=self.reach)


class Carrying(TypedDict):
    """Whether something is carried along each series, and how far back it goes, by series."""

    carries: bool
    reach: Callable[[str], float] | None
