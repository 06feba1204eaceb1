"""When a series' scores make an incident: the numbers, checked once, frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from detector.errors import ConfigError

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""From the least grave to the gravest."""


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """What shapes the incidents of a stream. Scores are compared as they are; ratios are score / threshold.

    Attributes:
        threshold: Scores above it are anomalous.
        quiet_score: Scores at or below it are quiet; between the two lies the hysteresis. At most ``threshold``.
        open_after: Scored samples in a row above the threshold that open an incident.
        close_after: Quiet scored samples in a row that close it.
        cool_down_ns: Event time after a close during which no new incident of the series opens.
        update_every_ns: Event time after which an open incident is repeated as an update.
        warning_ratio: Peak ratio from which an incident is a warning; below it, info.
        critical_ratio: Peak ratio from which it is critical.
        top_channels: Most channels that an event names.
        channels: Names of the model's channels, in its order; empty when no details are wanted.

    Raises:
        ConfigError: a number makes no sense; the message names it.
    """

    threshold: float
    quiet_score: float
    open_after: int
    close_after: int
    cool_down_ns: int
    update_every_ns: int
    warning_ratio: float
    critical_ratio: float
    top_channels: int
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ConfigError(f"the threshold is {self.threshold}; it must be a finite number above 0")
        if not 0 <= self.quiet_score <= self.threshold:
            raise ConfigError(
                f"quiet_score is {self.quiet_score}; it must lie between 0 and the threshold {self.threshold}"
            )
        for name in ("open_after", "close_after", "update_every_ns", "top_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.cool_down_ns < 0:
            raise ConfigError(f"cool_down_ns is {self.cool_down_ns}; it must not be negative")
        if not 1 <= self.warning_ratio <= self.critical_ratio:
            raise ConfigError(
                f"warning_ratio is {self.warning_ratio} and critical_ratio {self.critical_ratio}; "
                "neither may be below 1, nor critical below warning"
            )

    def severity(self, peak_ratio: float) -> Severity:
        """Severity of an incident whose greatest score / threshold so far is ``peak_ratio``."""
        if peak_ratio >= self.critical_ratio:
            return "critical"
        return "warning" if peak_ratio >= self.warning_ratio else "info"

    def at_threshold(self, threshold: float) -> IncidentPolicy:
        """The same with another threshold; an incident is over at the same share of it.

        Raises:
            ConfigError: the threshold is not a finite number above 0.
        """
        # What is rounded must not lie above the threshold, where the two are one.
        quiet = min(threshold, self.quiet_score * (threshold / self.threshold))
        return replace(self, threshold=threshold, quiet_score=quiet)
