"""Records to samples, in the wide and the tall layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from detector.errors import ConfigError, InvalidRecordError
from detector.records.decoders import Decoder, Row
from detector.records.identity import EventTime, SeriesName
from detector.records.numbers import to_float
from detector.records.paths import MISSING, FieldPath
from detector.records.quoting import quoted
from detector.records.values import Record, Sample, TallSample, WideSample
from detector.settings import RecordSettings


class RecordReader:
    """Reads the records of one stream. Holds no state between records, so any order gives the same samples.

    Args:
        settings: How the stream's records are laid out.
        channels: Of the model, in its order.
        decode: Bytes to fields.

    Raises:
        ConfigError: ``channel_fields`` names a channel that the model does not have, or a path cannot be parsed.
    """

    def __init__(self, settings: RecordSettings, channels: Sequence[str], decode: Decoder) -> None:
        if not channels or len(set(channels)) < len(channels):
            raise ConfigError(f"a stream needs channels with distinct names, not {list(channels)}")
        self._decode = decode
        self._series = SeriesName(settings.series_fields)
        self._time = EventTime(settings)
        self._channel_count = len(channels)
        self.time_is_in_a_field: Final = settings.time_field is not None
        """Whether a record may have been published at quite another time than its event time."""
        layout: type[_Wide | _Tall] = _Wide if settings.layout == "wide" else _Tall
        self._layout: Callable[[dict[str, Any], Record], Sample | None]
        self._layout = layout(settings, channels, self._series, self._time)

    def read(self, record: Record) -> Sample | None:
        """The sample in a record; None for a valid tall record of a channel that this stream's model does not know.

        Raises:
            InvalidRecordError: with one of the reasons in ``docs/configuration.md``. No bytes raise another error.
        """
        value = record.value
        if value is None:
            raise InvalidRecordError("null_value", "the record has no value (a tombstone)")
        document = self._decode(value)
        if type(document) is dict:
            return self._layout(document, record)
        if type(document) is Row:
            return self._read_row(document, record)
        raise InvalidRecordError("not_an_object", f"the value is {quoted(document)}, not an object with fields")

    def _read_row(self, row: Row, record: Record) -> WideSample:
        values = row.values
        if len(values) != self._channel_count:
            raise InvalidRecordError(
                "no_channels", f"the row has {len(values)} values for {self._channel_count} channels"
            )
        if any(map(math.isinf, values)):
            raise InvalidRecordError("not_finite", "the row holds an infinite value")
        return WideSample(self._series.of_key(record.key), row.time_ns, values)


class _Wide:
    """One record holds all channels of a series at one time."""

    def __init__(self, settings: RecordSettings, channels: Sequence[str], series: SeriesName, time: EventTime) -> None:
        unknown = sorted(set(settings.channel_fields) - set(channels))
        if unknown:
            raise ConfigError(
                f"channel_fields names {', '.join(map(repr, unknown))}, which the model does not have; "
                f"its channels are {', '.join(channels)}"
            )
        self._series = series
        self._time = time
        self._under = FieldPath(settings.channels_under) if settings.channels_under is not None else None
        # A channel's own name is a plain field name, dots and all; only channel_fields holds paths.
        fields = settings.channel_fields
        self._paths = tuple(
            FieldPath(fields[channel]) if channel in fields else FieldPath(channel, (channel,)) for channel in channels
        )
        self._get_all = _plain_getter(self._paths)

    def __call__(self, document: dict[str, Any], record: Record) -> WideSample:
        series = self._series(document, record)
        time_ns = self._time(document, record)
        fields: Any = document
        if self._under is not None:
            fields = self._under.get(document)
            if type(fields) is not dict:
                raise InvalidRecordError("no_channels", f"there is no object at {self._under.text}")
        if self._get_all is not None:
            try:
                values = self._get_all(fields)
                # One addition tells whether all are finite numbers: text and null raise, NaN and infinity persist.
                if math.isfinite(sum(values, 0.0)):
                    return WideSample(series, time_ns, tuple(map(float, values)))
            except (KeyError, TypeError, OverflowError):
                pass
        return WideSample(series, time_ns, self._read_one_by_one(fields))

    def _read_one_by_one(self, fields: dict[str, Any]) -> tuple[float, ...]:
        """The same, for records that lack channels or hold text, null, NaN or nested fields."""
        values: list[float] = []
        found = 0
        isfinite = math.isfinite
        for path in self._paths:
            value = path.get(fields)
            if type(value) is float and isfinite(value):
                found += 1
                values.append(value)
            elif value is MISSING:
                values.append(math.nan)
            else:
                found += 1
                values.append(to_float(value, path.text))
        if not found:
            expected = ", ".join(path.text for path in self._paths[:5])
            raise InvalidRecordError(
                "no_channels", f"none of the model's {len(self._paths)} channels is there; expected fields: {expected}"
            )
        return tuple(values)


def _plain_getter(paths: Sequence[FieldPath]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]] | None:
    """All channels in one call, where each is a field of its own at the top; None where one is nested."""
    if any(len(path.names) > 1 for path in paths):
        return None
    names = [path.names[0] for path in paths]
    if len(names) == 1:
        name = names[0]
        return lambda fields: (fields[name],)  # itemgetter of one name gives no tuple
    return itemgetter(*names)


class _Tall:
    """One record holds one channel of a series at one time."""

    def __init__(self, settings: RecordSettings, channels: Sequence[str], series: SeriesName, time: EventTime) -> None:
        self._series = series
        self._time = time
        self._name = FieldPath(settings.channel_name_field)
        self._value = FieldPath(settings.value_field)
        self._numbers = {channel: number for number, channel in enumerate(channels)}

    def __call__(self, document: dict[str, Any], record: Record) -> TallSample | None:
        name = self._name.get(document)
        if type(name) is not str:
            what = "is missing" if name is MISSING else f"is {quoted(name)}, not text"
            raise InvalidRecordError("no_channels", f"the channel's name, {self._name.text}, {what}")
        number = self._numbers.get(name)
        if number is None:
            return None
        value = self._value.get(document)
        if value is MISSING:
            raise InvalidRecordError(
                "no_channels", f"the value of channel {quoted(name)}, {self._value.text}, is missing"
            )
        series = self._series(document, record)
        return TallSample(series, self._time(document, record), number, to_float(value, self._value.text))
