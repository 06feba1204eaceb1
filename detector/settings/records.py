"""How a topic's records are laid out."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from detector.settings.values import Seconds, Section


class RecordSettings(Section):
    """How bytes become samples."""

    decoder: str = "json"
    """Format of the record values: json, or the name of a decoder that an installed package brings."""
    layout: Literal["wide", "tall"] = "wide"
    """wide: one record holds all channels. tall: one record holds one channel."""
    series_fields: tuple[str, ...] = ()
    """Paths of the fields whose values, joined by '/', name the series; without any, the record key does.
    A path is names separated by dots; a number is an index of a list; names that hold a dot are put in quotes."""
    time_field: str | None = None
    """Path of the event time; without it, the record timestamp is the event time."""
    time_unit: Literal["auto", "s", "ms", "us", "ns", "iso8601"] = "auto"
    """Unit of a number in time_field: auto tells them apart by size. Text is ISO 8601 (UTC without a zone)."""
    channel_fields: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it for each value
    """Channel of the model -> path of its field, where the two differ (wide); below channels_under, if that is set."""
    channels_under: str | None = None
    """Path of an object that holds the channels, such as ``fields`` (wide)."""
    channel_name_field: str = "channel"
    """Path of the channel's name (tall)."""
    value_field: str = "value"
    """Path of the value (tall)."""
    max_future_seconds: Seconds = 3600.0
    """A record whose time_field lies further ahead of the record's own timestamp is invalid."""

    @model_validator(mode="after")
    def _fits_layout(self) -> RecordSettings:
        other = ("channel_name_field", "value_field") if self.layout == "wide" else ("channel_fields", "channels_under")
        for name in other:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} has no effect with layout {self.layout}; "
                    f"remove it, or set layout to {'tall' if self.layout == 'wide' else 'wide'}"
                )
        if self.time_field is None and self.time_unit != "auto":
            raise ValueError("time_unit has no effect without time_field; name the field, or remove time_unit")
        return self
