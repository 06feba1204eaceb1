"""Retraining, round by round: reading, training, comparing, promoting."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from detector.alerting.summaries import IncidentFold
from detector.alerting.timestamps import format_time
from detector.cli.common.assemble import incident_policy
from detector.cli.common.bundles import BundleSource, model_errors
from detector.cli.common.judgement import within_budget
from detector.cli.common.series_data import between, from_topic
from detector.cli.common.signals import StopSignals
from detector.cli.feedback.topic import event_topic, read_topic
from detector.cli.models.registry import somebody
from detector.cli.retrain.heeded import Heeded, Said, follows, heed
from detector.errors import ConfigError, DetectorError
from detector.feedback.verdicts import latest
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.topics import describe_topics
from detector.model_address import RegistryReference
from detector.retraining.comparison import Contender, Decision, Injected, Performance, decide, perform, scored
from detector.retraining.injected import on_injected
from detector.retraining.known import Faults, Known, hold_out, known_faults, without
from detector.scoring.drift import limit_of
from detector.settings import Settings, StreamSettings
from detector.training_data import SeriesData, median_step_seconds
from models.bundle import Bundle, check_target, load_bundle, open_runtime, write_bundle
from models.errors import ModelsError
from models.training import Start, TrainedModel, TrainOptions, train
from models.training.start import check_resumable

_log = structlog.get_logger(__name__)
_NS = 1_000_000_000
_HELD_OUT_SHARE = 0.2
_FINE_TUNE_EPOCHS = 3
_GENTLE = 0.2
"""Fine-tuning takes this share of the usual step."""
_POLL_SECONDS = 30.0
_LOOKS_A_ROUND = 10
_NEWEST_RECORDS = 200
CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for; see the options of ``detector retrain``."""

    history_seconds: float
    margin_seconds: float | None
    alerts_per_week: float
    fine_tune: bool
    epochs: int | None
    out: Path | None
    report: Path | None
    promote: bool
    seed: int | None
    threads: int | None
    force: bool


class Rounds:
    """Trains a stream's model again.

    Args:
        config: File of the settings, which training data is read by.
        settings: Of the worker.
        stream: Which one.
        request: How.
    """

    def __init__(self, config: Path, settings: Settings, stream: StreamSettings, request: Request) -> None:
        self._config = config
        self._settings = settings
        self._stream = stream
        self._request = request
        self._source = BundleSource(settings.registry)
        # What newest samples are read by; found again only when another bundle is there.
        self._channels: tuple[object, tuple[str, ...]] | None = None

    def run(self) -> dict[str, Any]:
        """One round; returns its report as plain values, documented in ``docs/registry.md``.

        Raises:
            ConfigError: there is nothing to learn from, or --out cannot be written.
            BundleError: the present model is damaged or gone.
            KafkaUnavailableError: the cluster does not answer.
        """
        request, stream = self._request, self._stream
        if request.out is not None:
            with model_errors():
                check_target(request.out, request.force)
        champion = self._source.open(stream.model)
        if request.fine_tune:
            try:
                check_resumable(champion.spec)
            except ModelsError as error:
                raise ConfigError(f"stream {stream.name}: {error}") from error
        newest_ns = self.newest_ns()
        since_ns = newest_ns - round(request.history_seconds * _NS)
        data, _ = from_topic(stream.topic, self._config, None, champion.spec.channels, since_ns, None)
        data = {name: found for name, found in between(data, since_ns, newest_ns + 1).items() if len(found[0])}
        known, said = self._known()
        rest, dropped = without(data, known.faults, self._margin_ns(champion, data))
        rest = {name: found for name, found in rest.items() if len(found[0])}
        if not rest:
            raise ConfigError(
                f"stream {stream.name}: every sample of the last {request.history_seconds / 86_400:.3g} days lies in a "
                "known fault; give a longer --since"
            )
        with tempfile.TemporaryDirectory() as folder:
            learned, from_ns = hold_out(rest, _HELD_OUT_SHARE)
            path = request.out or Path(folder) / "challenger"
            try:
                trained = self._train(champion, learned)
                with model_errors():
                    write_bundle(path, trained, created_at=datetime.now(UTC), force=request.force)
                    challenger = load_bundle(path)
            except ModelsError as error:
                raise ConfigError(f"stream {stream.name}: {error}") from error
            shortfall = challenger.calibration.shortfall
            if shortfall is not None:
                _log.warning("the alert budget cannot be seen in the history", stream=stream.name, reason=shortfall)
            heeded = self._heed(challenger, champion, said, data)
            challenger = heeded.bundle
            # Both meet the same faults.
            injected = on_injected(rest, from_ns)
            before, after = (
                self._perform(bundle, data, known.faults, from_ns, injected) for bundle in (champion, challenger)
            )
            decision = heeded.judge(decide(before, after, request.alerts_per_week))
            done = self._put(challenger, champion, decision)
        rows = sum(len(times) for times, _ in data.values())
        found: dict[str, Any] = {
            "stream": stream.name,
            "from": format_time(since_ns),
            "to": format_time(newest_ns),
            "series": len(data),
            "samples": rows,
            "left_out": dropped,
            "known": {"incidents": known.incidents, "missed": known.missed, "false_alarms": known.false_alarms},
            "feedback": {"verdicts": heeded.verdicts, "in_history": heeded.known},
            "shortfall": shortfall,
            "drift": _drift(champion, rest),
            "champion": _document(champion, before),
            "challenger": _document(challenger, after),
            "promote": decision.promote,
            "reasons": list(decision.reasons),
            **done,
        }
        if request.report is not None:
            self._write_page(request.report, trained, challenger, found)
        return found

    def _write_page(self, path: Path, trained: TrainedModel, challenger: Bundle, found: Mapping[str, Any]) -> None:
        """How the training went, and how its model does beside the present one."""
        from detector.cli.train.page import write_page
        from detector.cli.train.report import as_document
        from detector.reports.retrained import retrained_section

        place = found["pushed"] or str(self._request.out)
        # What people said may have moved its threshold after the training.
        document = as_document(trained, place, challenger.digest) | {
            "calibration": challenger.calibration.to_dict(),
            "shortfall": found["shortfall"],
        }
        write_page(path, trained, document, challenger.version, datetime.now(UTC), [retrained_section(found)])

    def follow(self, every_seconds: float, tell: Callable[[dict[str, Any]], None]) -> None:
        """Round after round, until the process is told to stop: whenever event time has come so much further.

        A round that fails is logged, and tried again when the time comes; the present model goes on.
        """
        poll_seconds = min(_POLL_SECONDS, every_seconds / _LOOKS_A_ROUND)
        with StopSignals(self._settings.worker.drain_timeout_seconds) as stop:
            due_ns = self.newest_ns()
            while not stop():
                try:
                    newest_ns = self.newest_ns()
                    if newest_ns >= due_ns:
                        due_ns = max(due_ns + round(every_seconds * _NS), newest_ns)
                        tell(self.run())
                except DetectorError as error:  # a broker or registry that is away for a while, too
                    _log.warning("a round of training failed; the present model goes on", error=str(error))
                end = time.monotonic() + poll_seconds
                while not stop() and time.monotonic() < end:
                    time.sleep(0.2)

    def newest_ns(self) -> int:
        """How far event time has come: the median of the newest samples, so that one wrong clock does not matter.

        Raises:
            ConfigError: the topic holds no sample.
        """
        from detector.records.decoders import decoder
        from detector.records.reader import RecordReader
        from detector.training_data import collect

        stream, history = self._stream, History(consumer_config(self._settings.kafka))
        bundle_channels = self._present_channels()
        try:
            partitions = history.partitions(stream.topic)
            first, end = history.first_offsets(partitions), history.end_offsets(partitions)
            ranges = {place: (max(first[place], end[place] - _NEWEST_RECORDS), end[place]) for place in partitions}
            reader = RecordReader(stream.record, bundle_channels, decoder(stream.record.decoder))
            found = collect(history.read(ranges), reader, len(bundle_channels), None, None, lambda _: None)
        finally:
            history.close()
        newest = [int(times[-1]) for times, _ in found.data.values() if len(times)]
        if not newest:
            raise ConfigError(f"topic {stream.topic} holds no sample that stream {stream.name} can read")
        return int(np.median(newest))

    def _present_channels(self) -> tuple[str, ...]:
        """Of the stream's model, which is opened, and so verified as a whole, only where it may be another one."""
        mark = self._source.mark(self._stream.model)
        if self._channels is None or self._channels[0] != mark:
            self._channels = mark, self._source.open(self._stream.model).spec.channels
        return self._channels[1]

    def _known(self) -> tuple[Known, Said]:
        fold, standing, name = IncidentFold(), [], self._stream.name
        if self._settings.topics.events in describe_topics(self._settings.kafka, [self._settings.topics.events]):
            for event in event_topic(self._settings):
                fold.add(event)
                if event.stream == name and event.kind != "reconstruction":
                    standing.append(event)
        verdicts = [verdict for verdict in latest(read_topic(self._settings)) if verdict.stream == name]
        return known_faults(name, fold.summaries(), verdicts), Said(verdicts, standing)

    def _heed(self, challenger: Bundle, champion: Bundle, said: Said, data: SeriesData) -> Heeded:
        if not follows(champion, said):
            return Heeded(challenger, 0, 0)
        scores = scored(self._contender(challenger), data)
        return heed(
            challenger, champion, said, scores, self._stream, self._request.alerts_per_week, datetime.now(UTC)
        )  # fmt: skip

    def _margin_ns(self, champion: Bundle, data: SeriesData) -> int:
        if self._request.margin_seconds is not None:
            return round(self._request.margin_seconds * _NS)
        period_ns = champion.spec.period_ns
        if period_ns is None:
            period_ns = round((median_step_seconds(data) or 0) * _NS)
        return 2 * champion.spec.window * period_ns

    def _train(self, champion: Bundle, data: SeriesData) -> TrainedModel:
        from dataclasses import replace

        from models.bundle import load_keras_model

        request, defaults = self._request, TrainOptions()
        options, start = TrainOptions(epochs=request.epochs, threads=request.threads, clip=champion.scaler.clip), None
        if request.fine_tune:
            start = Start(champion.spec, load_keras_model(champion), champion.scaler)
            options = replace(
                options,
                epochs=request.epochs or _FINE_TUNE_EPOCHS,
                learning_rate=_GENTLE * defaults.learning_rate,
            )
        calibration, count = within_budget(self._stream.incidents, champion, request.alerts_per_week)
        spec = champion.spec if request.seed is None else replace(champion.spec, seed=request.seed)
        return train(
            data,
            spec,
            options,
            score=champion.rule.options,
            calibration=calibration,
            warm_up=champion.warm_up,
            start=start,
            count_incidents=count,
        )

    def _perform(
        self, bundle: Bundle, data: SeriesData, faults: Faults, from_ns: dict[str, int], injected: Injected
    ) -> Performance:
        return perform(self._contender(bundle), data, faults, from_ns, injected)

    def _contender(self, bundle: Bundle) -> Contender:
        with model_errors():
            chain = bundle.chain(open_runtime(bundle))
        return Contender(
            chain=chain,
            policy=incident_policy(bundle, self._stream.incidents),
            window=bundle.spec.window,
            period_ns=bundle.spec.period_ns,
            max_gap_steps=self._stream.window.max_gap_steps,
            min_coverage=self._stream.window.min_coverage,
        )

    def _put(self, challenger: Bundle, champion: Bundle, decision: Decision) -> dict[str, Any]:
        """Push the new bundle and move aliases, where there is a registry."""
        place = self._stream.model
        if not isinstance(place, RegistryReference):
            return {"pushed": None, "promoted": False}
        registry, now, who = self._source.registry(place.registry), datetime.now(UTC), somebody()
        note = "; ".join(decision.reasons)
        follows = place.wanted in registry.known_aliases(place.name)
        promoted = decision.promote and self._request.promote and follows
        with model_errors():
            version = registry.push(place.name, challenger, now, who, "retrained")
            if place.wanted != CHALLENGER:
                registry.move(place.name, CHALLENGER, version, now, who, note)
            if promoted:
                registry.move(place.name, place.wanted, version, now, who, note, expected=champion.digest)
        return {"pushed": f"{place.registry}/{place.name}@{version.version}", "promoted": promoted}


def _document(bundle: Bundle, performance: Performance) -> dict[str, Any]:
    injected = None if performance.injected != performance.injected else round(performance.injected, 4)
    return {
        "version": bundle.version,
        "digest": bundle.digest,
        "threshold": bundle.calibration.threshold,
        "injected_average_precision": injected,
        "known_faults": performance.known,
        "found": performance.found,
        "other_incidents": performance.others,
        "other_incidents_per_week": round(performance.others_per_week, 4),
    }


def _drift(champion: Bundle, data: SeriesData) -> dict[str, dict[str, float]]:
    """Channels that are farthest from what the present model was trained on, with their stability index and limit."""
    reference = champion.reference
    counts = reference.new_counts()
    for name, (_, values) in data.items():
        scaled = champion.scaler.apply(values[None], np.array([champion.scaler.row(name)]))[0]
        reference.count(scaled, np.full(len(scaled), np.nan), counts)
    times = [times for times, _ in data.values()]
    seconds = (max(int(of[-1]) for of in times) - min(int(of[0]) for of in times)) / _NS
    limits = [limit_of(usual) for usual in reference.usual(seconds, len(data))[:-1].tolist()]
    found = zip(champion.spec.channels, reference.stability(counts)[:-1].tolist(), limits, strict=True)
    worst = sorted((one for one in found if one[1] == one[1]), key=lambda one: -one[1] / one[2])
    return {name: {"index": round(index, 4), "limit": round(limit, 4)} for name, index, limit in worst[:10]}
