"""A worker in a process of its own, with a scorer that costs nothing; says twice a second how it is doing.

``python -m benchmarks.state.process BOOTSTRAP NAME MAX_RESIDENT SERIES CHANNELS CARRIED_BYTES STATUS_FILE``
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from benchmarks.state.shape import PERIOD_SECONDS, STREAM, TOPIC, WINDOW, Shape, settings
from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.cli.run.live import LiveParts, open_live
from detector.observability.logs import configure_logging
from detector.pipeline.context import StreamContext
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.scoring.scores import Scores
from detector.series.carried import States, StateType
from detector.series.spec import WindowSpec
from detector.series.values import WindowBatch
from detector.settings import Settings

_NS = 1_000_000_000
_SAY_EVERY_SECONDS = 0.25


class QuietScorer:
    """Every window scores 0 and leaves noise in what is carried: what is measured is everything else."""

    def __init__(self, state_dtype: StateType | None = None) -> None:
        self.state_dtype = state_dtype
        self._random = np.random.default_rng(0)

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        """See `detector.scoring.scorer.Scorer`."""
        if states is not None:
            noise = self._random.normal(size=(len(batch.slots), *states["state"].shape[1:]))
            states["state"][batch.slots] = noise
        last = batch.values[:, -1]
        contributions = np.zeros(last.shape, np.float32)
        return Scores(np.zeros(len(last)), contributions, seen=last, expected=last, scaled=contributions)


def context(found: Settings, shape: Shape, cluster: str) -> StreamContext:
    """A stream without a model."""
    stream = found.streams[0]
    window = stream.window
    return StreamContext(
        name=STREAM,
        reader=RecordReader(stream.record, shape.names, decoder(stream.record.decoder)),
        scorer=QuietScorer(shape.state_dtype),
        spec=WindowSpec(
            length=WINDOW,
            channels=shape.channels,
            period_ns=PERIOD_SECONDS * _NS,
            stride=window.stride,
            max_gap_steps=window.max_gap_steps,
            lateness_ns=0,
            max_jump_ns=round(window.max_jump_seconds * _NS),
            stale_after_ns=round(window.stale_after_seconds * _NS),
            forget_after_ns=round(window.forget_after_seconds * _NS),
            min_coverage=window.min_coverage,
            max_series=window.max_series,
        ),
        policy=IncidentPolicy(1.0, 0.8, 2, WINDOW, 0, 3600 * _NS, 2.0, 5.0, 5, shape.names),
        identity=Identity(STREAM, cluster, TOPIC, 0, "0" * 64, "benchmark", "f" * 64),
    )


class Status:
    """Stands where the worker asks whether to stop; it never is, it gets killed."""

    def __init__(self, path: Path, registry: CollectorRegistry) -> None:
        self._path = path
        self._registry = registry
        self._said = 0.0
        self.parts: LiveParts | None = None

    def __call__(self) -> bool:
        """Write down how it is going, now and then."""
        now = time.monotonic()
        if now - self._said >= _SAY_EVERY_SECONDS and self.parts is not None:
            self._said = now
            lives = self.parts.worker._live.values()
            status = {
                "rss_bytes": rss_bytes(),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "cpu_seconds": time.process_time(),
                "live": len(lives),
                "series": sum(len(live.pipeline.store) for live in lives),
                "evicted": sum(live.pipeline.store.evicted for live in lives),
                "store_bytes": sum(live.pipeline.store.memory_bytes() for live in lives),
                "file_bytes": sum(live.pipeline.store.file_bytes() for live in lives),
                "committed": sum(live.committed or 0 for live in lives),
                "evictions": self._value("series_evicted_total"),
                "reloads": self._value("series_reloaded_total"),
                "restored_records": self._value("restore_records_total"),
                "restore_seconds": self._value("restore_duration_seconds_sum"),
            }
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps(status))
            beside.replace(self._path)
        return False

    def _value(self, name: str) -> float:
        return self._registry.get_sample_value(f"reconstream_{name}", {"stream": STREAM}) or 0.0


def rss_bytes() -> int:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run until killed."""
    bootstrap, name, most, series, channels, carried, path = sys.argv[1:]
    shape = Shape(int(series), int(channels), int(carried))
    found = settings(bootstrap, name, int(most))
    configure_logging(found.log, sys.stderr)
    registry = CollectorRegistry()
    status = Status(Path(path), registry)
    status.parts = open_live(found, lambda cluster: {TOPIC: context(found, shape, cluster)}, registry, status)
    status.parts.worker.run()


if __name__ == "__main__":
    main()
