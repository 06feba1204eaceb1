"""How scores are made and thresholds set, from the command line and from the settings that will run live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.alerting.lifecycle import count_incidents
from detector.alerting.policy import IncidentPolicy
from detector.errors import ConfigError
from models.calibration import CalibrationOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from detector.settings import IncidentSettings
    from models.bundle import Bundle
    from models.calibration import CountIncidents


def names_in(text: str | None) -> tuple[str, ...]:
    """Names that are separated by commas."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def scales_in(text: str) -> tuple[int, ...]:
    """Numbers of samples that are separated by commas.

    Raises:
        ConfigError: something else is.
    """
    try:
        return tuple(int(number) for number in names_in(text))
    except ValueError as error:
        raise ConfigError(f"--scales {text}: give whole numbers of samples, such as 1,10,30") from error


def within_budget(
    settings: IncidentSettings, present: Bundle, alerts_per_week: float
) -> tuple[CalibrationOptions, CountIncidents]:
    """How the threshold of a stream's next model is found: by an alert budget, with the incidents that it will open.

    Args:
        settings: Of the stream; what they leave open is as with the present model.
        present: The stream's model, of the same window.
        alerts_per_week: See `CalibrationOptions`.
    """
    before = present.calibration
    open_after = settings.open_after or before.open_after
    options = CalibrationOptions(
        method="budget",
        alerts_per_week=alerts_per_week,
        adaptive="none" if before.spot is None else before.spot.name,
        open_after=open_after,
    )
    return options, incident_counter(settings.model_copy(update={"open_after": open_after}), present.spec.window)


def incident_counter(settings: IncidentSettings, window: int) -> CountIncidents:
    """Counts the incidents that would open live, with a stream's settings, at a threshold to try."""

    def count(scores: npt.NDArray[np.float64], times_ns: npt.NDArray[np.int64], threshold: float) -> int:
        policy = IncidentPolicy(
            threshold=threshold,
            quiet_score=settings.close_ratio * threshold,
            open_after=settings.open_after or CalibrationOptions().open_after,
            close_after=settings.close_after or window,
            cool_down_ns=round(settings.cool_down_seconds * 1e9),
            update_every_ns=2**62,
            warning_ratio=settings.warning_ratio,
            critical_ratio=settings.critical_ratio,
            top_channels=settings.top_channels,
            channels=(),
        )
        return count_incidents(scores, times_ns, policy)

    return count
