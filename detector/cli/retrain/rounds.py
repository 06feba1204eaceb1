"""Retraining, round by round: reading, training, comparing, promoting."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from detector.alerting.summaries import IncidentFold
from detector.alerting.timestamps import format_time
from detector.cli.common.bundles import BundleSource, model_errors
from detector.cli.common.judgement import within_budget
from detector.cli.common.policies import incident_policy
from detector.cli.common.series_data import between, from_topic
from detector.cli.feedback.topic import event_topic, read_topic
from detector.cli.models.registry import somebody
from detector.cli.retrain.document import document_of, drift_of
from detector.cli.retrain.heeded import Heeded, Said, follows, heed
from detector.cli.retrain.newest import NewestTime
from detector.cli.retrain.request import Request
from detector.errors import ConfigError
from detector.feedback.verdicts import latest
from detector.kafka.topics import describe_topics
from detector.model_address import RegistryReference
from detector.retraining.comparison import Contender, Decision, Injected, Performance, decide, perform, scored
from detector.retraining.injected import on_injected
from detector.retraining.known import Faults, Known, hold_out, known_faults, without
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
CHALLENGER = "challenger"


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
        self._newest = NewestTime(settings.kafka, stream, self._source)

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
            "drift": drift_of(champion, rest),
            "champion": document_of(champion, before),
            "challenger": document_of(challenger, after),
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

    def newest_ns(self) -> int:
        """How far the stream's event time has come; see `NewestTime.find`."""
        return self._newest.find()

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
