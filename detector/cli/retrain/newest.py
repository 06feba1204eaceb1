"""How far the event time of a stream has come, by the last records of its topic."""

from __future__ import annotations

import numpy as np

from detector.cli.common.bundles import BundleSource
from detector.errors import ConfigError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.settings import KafkaSettings, StreamSettings
from detector.training_data import collect

_NEWEST_RECORDS = 200


class NewestTime:
    """Looks at the newest records of every partition.

    Args:
        kafka: How to connect.
        stream: Whose topic, and by which settings its records are read.
        source: Opens the stream's model, whose channels they are read by.
    """

    def __init__(self, kafka: KafkaSettings, stream: StreamSettings, source: BundleSource) -> None:
        self._kafka = kafka
        self._stream = stream
        self._source = source
        # Found again only when another bundle is there.
        self._channels: tuple[object, tuple[str, ...]] | None = None

    def find(self) -> int:
        """How far event time has come: the median of the newest samples, so that one wrong clock does not matter.

        Returns:
            Nanoseconds since the epoch.

        Raises:
            BundleError: the present model is damaged or gone.
            ConfigError: the topic holds no sample.
            KafkaUnavailableError: the cluster does not answer.
        """
        stream, history = self._stream, History(consumer_config(self._kafka))
        channels = self.channels()
        try:
            partitions = history.partitions(stream.topic)
            first, end = history.first_offsets(partitions), history.end_offsets(partitions)
            ranges = {place: (max(first[place], end[place] - _NEWEST_RECORDS), end[place]) for place in partitions}
            reader = RecordReader(stream.record, channels, decoder(stream.record.decoder))
            found = collect(history.read(ranges), reader, len(channels), None, None, lambda _: None)
        finally:
            history.close()
        newest = [int(times[-1]) for times, _ in found.data.values() if len(times)]
        if not newest:
            raise ConfigError(f"topic {stream.topic} holds no sample that stream {stream.name} can read")
        return int(np.median(newest))

    def channels(self) -> tuple[str, ...]:
        """Of the stream's model, which is opened, and so verified as a whole, only where it may be another one.

        Raises:
            BundleError: it is damaged or gone.
        """
        mark = self._source.mark(self._stream.model)
        if self._channels is None or self._channels[0] != mark:
            self._channels = mark, self._source.open(self._stream.model).spec.channels
        return self._channels[1]
