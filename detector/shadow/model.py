"""A challenger, and where the partitions of a stream find the present one."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.spec import WindowSpec
from detector.series.values import WindowBatch

_HASHES = 1 << 32


class ShadowScorer(Protocol):
    """Scores a batch of windows; see `detector.pipeline.context.WindowScorer`."""

    @property
    def state_dtype(self) -> StateType | None: ...  # noqa: D102
    def score(self, batch: WindowBatch, states: States | None) -> Scores: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class ShadowModel:
    """A challenger, as it would run in the place of the stream's model.

    Attributes:
        scorer: Scores windows of its own shape.
        spec: Its windows.
        policy: Its threshold with the stream's settings for incidents, as would be in force if it were promoted.
        identity: Of partition 0.
        share: Of the series that it scores.
    """

    scorer: ShadowScorer
    spec: WindowSpec
    policy: IncidentPolicy
    identity: Identity
    share: float = 1.0

    def takes(self, series: str) -> bool:
        """Whether a series is in the share; always the same ones, on any machine."""
        return self.share >= 1 or zlib.crc32(series.encode("utf-8", "surrogatepass")) < self.share * _HASHES

    def chosen(self, series: Sequence[str]) -> npt.NDArray[np.intp]:
        """Indices of the windows that it scores, given the series of each."""
        if self.share >= 1:
            return np.arange(len(series))
        return np.fromiter((index for index, name in enumerate(series) if self.takes(name)), np.intp)


class Shadow:
    """Holds the present challenger of a stream, or none; put in place from any thread."""

    __slots__ = ("model",)

    def __init__(self, model: ShadowModel | None = None) -> None:
        self.model = model


class MisfitError(Exception):
    """The stream's windows hold less than the challenger needs. The message says what."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """From the stream's windows to the challenger's.

    Attributes:
        rows: Last rows of a window that the challenger sees.
        channels: intp[channels]; place of each of its channels; None: the same ones in the same order.
        cells_needed: Observed values that make a window one to be scored.
        last_needed: Observed channels of the last row that do.
    """

    rows: int
    channels: npt.NDArray[np.intp] | None
    cells_needed: int
    last_needed: int

    @classmethod
    def between(cls, spec: WindowSpec, channels: Sequence[str], model: ShadowModel) -> Projection:
        """How a challenger sees windows.

        Args:
            spec: The stream's windows.
            channels: Their channels.
            model: The challenger.

        Raises:
            MisfitError: it needs another period, longer windows, or channels that are not there.
        """
        wanted = model.policy.channels
        if model.spec.period_ns != spec.period_ns:
            raise MisfitError(f"its windows have a step of {_step(model.spec)}, the stream's of {_step(spec)}")
        if model.spec.length > spec.length:
            raise MisfitError(f"its windows have {model.spec.length} samples, the stream's only {spec.length}")
        if missing := [name for name in wanted if name not in channels]:
            raise MisfitError(f"the stream's windows lack its channels {', '.join(missing)}")
        same = tuple(channels) == tuple(wanted)
        return cls(
            model.spec.length,
            None if same else np.array([tuple(channels).index(name) for name in wanted], np.intp),
            _needed(spec.min_coverage, model.spec.length * len(wanted)),
            _needed(spec.min_coverage, len(wanted)),
        )

    def windows(self, values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The challenger's windows float64[n, rows, its channels] of the stream's, and which are to be scored."""
        seen = values[:, -self.rows :]
        seen = seen if self.channels is None else seen[:, :, self.channels]
        observed = ~np.isnan(seen)
        enough = observed.sum(axis=(1, 2)) >= self.cells_needed
        return seen, enough & (observed[:, -1].sum(axis=1) >= self.last_needed)


def _needed(share: float, total: int) -> int:
    # As for the stream's own windows: a share is met by the count that it means.
    return int(np.ceil(share * total - 1e-9))


def _step(spec: WindowSpec) -> str:
    return "any length" if spec.period_ns is None else f"{spec.period_ns / 1e9:g} s"
