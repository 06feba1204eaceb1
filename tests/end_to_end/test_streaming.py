"""A model whose memory goes on along each series, under the real command: killed, restarted, replayed, audited."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detector.alerting.events import decode
from models.bundle import write_bundle
from models.calibration import CalibrationOptions
from models.spec import ModelSpec
from models.training import TrainOptions, train
from tests.end_to_end.conftest import CHANNELS, FAULTS, PERIOD_SECONDS, SERIES, START_NS, Detector, settings_document
from tests.end_to_end.conftest import telemetry as make_telemetry
from tests.end_to_end.test_run_and_replay import Log, by_partition, committed, send_slowly, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


@pytest.fixture(scope="module")
def streaming_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its memory hardly forgets: what a restart would lose of it would show in every score behind it."""
    times = START_NS - (600 - np.arange(600, dtype=np.int64)) * PERIOD_SECONDS * 1_000_000_000
    data = {name: (times, make_telemetry(number, 600)) for number, name in enumerate(SERIES)}
    spec = ModelSpec(
        channels=CHANNELS, architecture="streaming", window=8, period_seconds=PERIOD_SECONDS, units=8, latent=4,
        options={"chunk": 64},
    )  # fmt: skip
    options = TrainOptions(epochs=2, horizon_sequences=0)
    trained = train(data, spec, options, calibration=CalibrationOptions(risk=0.002))
    path = tmp_path_factory.mktemp("models") / "streaming"
    write_bundle(path, trained, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    return path


def test_killed_and_restarted_it_tells_what_an_uninterrupted_run_tells(
    cluster: Cluster, detector: Detector, streaming_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "streaming.yaml"
    config.write_text(json.dumps(settings_document(cluster, streaming_dir)))
    first = detector.start("run", "-c", config)
    Log(first).wait_for("live")
    sending = send_slowly(cluster)
    for reached in (20, 300):
        wait_until(lambda least=reached: committed(cluster)[0] >= least, first)
        stop(first, signal.SIGKILL)
        first = detector.start("run", "-c", config)
    sending.join(60)
    wait_until(lambda: committed(cluster) == {0: 800, 1: 400}, first)
    assert "Traceback" not in stop(first)
    live = cluster.events()
    assert {event.series for event in live} >= {series for series, faults in FAULTS.items() if faults}

    result = detector.here("replay", "-c", config, "--events", tmp_path / "events.jsonl", "--json")
    assert result.returncode == 0, result.stderr
    replayed = [decode(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    assert by_partition(replayed) == live
    audit = detector.here("audit", "-c", config, "--json")
    assert audit.returncode == 0, audit.stdout + audit.stderr
