"""Values of labels whose number is bounded, so that each is there at zero from the beginning.

What other modules name is taken from there; what only metrics name is listed here.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from detector.series.values import ResetReason, SeriesStateName

Role = Literal["champion", "challenger"]
SwapOutcome = Literal["replaced", "unchanged", "refused", "removed"]

SERIES_STATES: Final[tuple[str, ...]] = get_args(SeriesStateName)
RESET_REASONS: Final[tuple[str, ...]] = get_args(ResetReason)
UNSCORED_REASONS: Final = ("coverage", "unknown")
SWAP_OUTCOMES: Final[tuple[str, ...]] = get_args(SwapOutcome)
MODEL_ROLES: Final[tuple[str, ...]] = get_args(Role)
REGISTRY_OUTCOMES: Final = ("answered", "failed")
COMMIT_OUTCOMES: Final = ("committed", "refused", "unknown")
