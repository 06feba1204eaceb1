"""What is a finding, and what becomes of it: scores, series that stop, channels that freeze."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from detector.settings.values import Seconds, SecondsFromZero, Section


class IncidentSettings(Section):
    """From scores to incidents: one fault, one incident. Ratios are score / threshold."""

    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Overrides the bundle's calibrated threshold."""
    open_after: Annotated[int, Field(ge=1)] | None = None
    """Scored samples in a row above the threshold that open an incident; without it, as the bundle was calibrated."""
    close_ratio: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Hysteresis: only scores below this share of the threshold count as quiet."""
    close_after: Annotated[int, Field(ge=1)] | None = None
    """Quiet scored samples in a row that close an incident; without it, one window, so that an anomaly that leaves
    the window does not raise a second incident."""
    cool_down_seconds: SecondsFromZero = 0.0
    """After an incident closes, a new one on the same series opens only after this much event time."""
    update_every_seconds: Seconds = 3600.0
    """An open incident, of any kind, is repeated as an update this often, in event time, and whenever its severity
    rises."""
    warning_ratio: Annotated[float, Field(ge=1)] = 2.0
    """Peak score / threshold from which an incident is a warning; below, it is info."""
    critical_ratio: Annotated[float, Field(ge=1)] = 5.0
    """Peak score / threshold from which an incident is critical."""
    top_channels: Annotated[int, Field(ge=1, le=100)] = 5
    """Most channels that an event names, those that contribute most first."""

    @model_validator(mode="after")
    def _ordered(self) -> IncidentSettings:
        if self.critical_ratio < self.warning_ratio:
            raise ValueError(
                f"critical_ratio {self.critical_ratio:g} is below warning_ratio {self.warning_ratio:g}; "
                "write a greater one"
            )
        return self


class SilenceSettings(Section):
    """Series that stop while others of their partition go on: one incident of kind silence, until they are back."""

    enabled: bool = True
    """Whether silence is a finding."""
    after_seconds: Seconds | None = None
    """Event time without a sample after which a series counts as silent; without it, five times the longest usual gap
    of the bundle's training data, and a minute at least."""
    critical_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    """A silence is critical once it has lasted for so many times that long; before, it is a warning."""


class FrozenSettings(Section):
    """Channels that keep exactly one value for longer than they ever did in training: one incident of kind frozen."""

    enabled: bool = True
    """Whether a channel that does not move is a finding."""
    margin: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """By how much a run of equal samples must exceed the longest one of the training data."""
    least_samples: Annotated[int, Field(ge=2)] = 10
    """Shorter runs are never a finding, however restless the channel was in training."""
    critical_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    """The incident is critical once a channel has kept its value for so many times its limit; before, a warning."""
