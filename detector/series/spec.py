"""What the windows of a stream look like, and which samples may enter them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Shape of the windows and the rules of event time. All durations are nanoseconds.

    Attributes:
        length: Rows of a window.
        channels: Values of a row.
        period_ns: Distance of two rows on the grid; None when windows count samples instead.
        stride: Every stride-th observed row gives a window.
        max_gap_steps: With a period: up to this many missing rows in a row are filled with NaN; a longer gap resets.
        lateness_ns: Tall samples: how long, in event time of the series, an incomplete row waits for its channels.
        max_jump_ns: A longer step forward in time must be confirmed by a second sample.
        stale_after_ns: A series further behind the watermark than this is stale.
        forget_after_ns: A series further behind than this is forgotten.
        min_coverage: Least observed share of a window's values, and of its last row's, for the window to be scored.
        max_series: Most series held at once.
        claims_alone: The watermark follows a series far ahead after so many readings of it, if no other reports.
        claims_shared: It follows several series that agree after so many of theirs.
        names: Of the channels, in order; a row of others fills no window, though it has as many values. Empty: unknown.

    Raises:
        ValueError: a number is out of its range; the message names it.
    """

    length: int
    channels: int
    period_ns: int | None
    stride: int
    max_gap_steps: int
    lateness_ns: int
    max_jump_ns: int
    stale_after_ns: int
    forget_after_ns: int
    min_coverage: float
    max_series: int
    claims_alone: int = 64
    claims_shared: int = 8
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "length", "channels", "stride", "max_jump_ns", "stale_after_ns", "forget_after_ns", "max_series",
            "claims_alone", "claims_shared",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least 1")
        for name in ("max_gap_steps", "lateness_ns"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, it must not be negative")
        if self.period_ns is not None and self.period_ns < 1:
            raise ValueError(f"period_ns is {self.period_ns}, it must be at least 1 or None")
        if not 0 <= self.min_coverage <= 1:
            raise ValueError(f"min_coverage is {self.min_coverage}, it must lie between 0 and 1")

    @property
    def layout(self) -> str:
        """Digest of the channels' names in their order; empty where they have none."""
        return hashlib.blake2b("\0".join(self.names).encode(), digest_size=8).hexdigest() if self.names else ""

    @property
    def shape(self) -> tuple[int, int, int | None, str]:
        """Length, channels, period and layout: what rows have in common that can fill each other's windows."""
        return self.length, self.channels, self.period_ns, self.layout
