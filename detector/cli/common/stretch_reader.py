"""From settings and an event to what happened around its incident, for whoever shows it."""

from __future__ import annotations

from dataclasses import replace

from detector.alerting.events import Event
from detector.cli.common.assemble import open_bundle, residency, stream_context
from detector.cli.common.bundles import BundleSource, registries_of
from detector.cli.common.lived import LivedContexts
from detector.errors import ConfigError, StateMismatchError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster
from detector.lived.past import Past
from detector.settings import Settings, StreamSettings
from detector.stretches.reading import StretchReading
from detector.stretches.stretch import Course, Stretch
from detector.stretches.way import Standin

# A dashboard runs for months, with a new model every night: opening one again takes a moment.
_MOST_MODELS = 64


class StretchReader:
    """Recomputes the stretches of incidents from the input topics.

    It belongs to one thread, since its consumers do. Models are kept open, but never more than a few dozen.

    Args:
        settings: Of the worker.

    Raises:
        KafkaUnavailableError: the cluster does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster = check_cluster(settings.kafka).cluster_id
        config = consumer_config(settings.kafka)
        self._history, self._notes = (History(config, settings.worker.max_poll_records) for _ in range(2))
        self._past: Past | None = None
        self._lived: dict[tuple[str, str], LivedContexts] = {}
        self._standins: dict[tuple[str, str, str], Standin] = {}

    def stretch(self, event: Event) -> Stretch:
        """What happened around the incident of an event, up to the end of the topic while it is open.

        Raises:
            DetectorError: it cannot be told; the message says why, for people.
        """
        return self._reading(event).stretch(event)

    def glimpse(self, event: Event) -> Stretch | None:
        """What was seen around the incident, without asking a model; None where the topic holds nothing of then.

        Raises:
            DetectorError: it cannot be told; the message says why, for people.
        """
        return self._reading(event).glimpse(event)

    def earlier(self, event: Event, shift_seconds: float, span_ns: tuple[int, int] | None = None) -> Course:
        """The same series some time before, such as a day or a week; empty where the topic holds nothing of then.

        Args:
            event: Of the incident.
            shift_seconds: How much earlier.
            span_ns: First and last event time of the stretch that it is to be compared with, if it is known.

        Raises:
            DetectorError: it cannot be told; the message says why, for people.
        """
        return self._reading(event).earlier(event, shift_seconds, span_ns)

    def close(self) -> None:
        """Close the connections."""
        self._history.close()
        self._notes.close()

    def _reading(self, event: Event) -> StretchReading:
        stream = self._stream(event)
        if len(self._standins) + sum(map(len, self._lived.values())) >= _MOST_MODELS:
            self._standins.clear()
            self._lived.clear()
        if event.source.cluster != self._cluster:
            raise StateMismatchError(
                f"the event is of {event.source.topic} in {event.source.cluster}, and this is cluster {self._cluster}; "
                "its records are not here"
            )
        if self._past is None:
            self._past = Past(self._settings, self._notes)
        return StretchReading(
            self._history,
            self._past,
            self._settings.worker.state.max_replay_records,
            lambda epoch: self._lived_of(stream).resolve(stream, epoch),
            lambda found: self._standin(stream, found),
        )

    def _stream(self, event: Event) -> StreamSettings:
        known = {item.name: item for item in self._settings.streams}
        if event.stream not in known:
            raise ConfigError(
                f"the configuration has no stream {event.stream!r}, of which the event is; it has {', '.join(known)}"
            )
        return known[event.stream].model_copy(update={"topic": event.source.topic})

    def _lived_of(self, stream: StreamSettings) -> LivedContexts:
        key = stream.name, stream.topic
        if key not in self._lived:
            narrowed = self._settings.model_copy(update={"streams": (stream,)})
            self._lived[key] = LivedContexts(narrowed, [], self._cluster, registries_of(self._settings.streams))
        return self._lived[key]

    def _standin(self, stream: StreamSettings, event: Event) -> Standin:
        """The event's model with the present settings; the present model where that one is gone."""
        key = stream.name, stream.topic, event.model.digest
        if key not in self._standins:
            bundle = open_bundle(stream.model, self._settings.registry)
            same = bundle.digest == event.model.digest
            note = "with the settings of the present configuration"
            if not same:
                source = BundleSource(self._settings.registry)
                lived = source.by_digest(event.model.digest, registries_of(self._settings.streams))
                if lived is None:
                    note = (
                        f"with the configured model {bundle.version}: that of the event, {event.model.version} "
                        f"({event.model.digest[:12]}), is not at hand any more"
                    )
                else:
                    bundle, same = lived, True
            context = stream_context(stream, bundle, self._cluster)
            context = replace(context, residency=residency(self._settings.worker.state))
            self._standins[key] = Standin(context, note, same)
        return self._standins[key]
