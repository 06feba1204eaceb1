"""Why a record can be rejected; labels of a metric and headers of dead letters, so they never change their meaning."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
"""In metrics, any reason that a decoder of another package gives: how many those are has no bound."""

REASONS: Final = (
    "null_value",
    "not_utf8",
    "not_json",
    "not_an_object",
    "missing_series",
    "bad_series",
    "missing_time",
    "bad_time",
    "future_time",
    "not_a_number",
    "not_finite",
    "no_channels",
    "too_many_series",
    "unconfirmed_jump",
)
