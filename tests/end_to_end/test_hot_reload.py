"""SIGHUP: a new bundle takes over where the old one stopped, and a bad one changes nothing."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Detector, settings_document
from tests.end_to_end.test_run_and_replay import Log, committed, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


def put(bundle: Path, created_at: str, damaged: bool = False) -> None:
    """The same model under another date is another bundle; its digest is that of the manifest."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "created_at": created_at}))
    if damaged:
        model = bundle / "model.onnx"
        model.write_bytes(model.read_bytes()[:-100])


def test_a_good_bundle_takes_over_and_a_bad_one_is_refused(
    published: Cluster, detector: Detector, bundle_dir: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "model"
    shutil.copytree(bundle_dir, bundle)
    config = tmp_path / "detector.yaml"
    config.write_text(json.dumps(settings_document(published, bundle)))
    worker = detector.start("run", "-c", config)
    log = Log(worker)
    url = log.wait_for("started")["metrics"]
    wait_until(lambda: committed(published) == {0: 800, 1: 400}, worker)

    def metric(line: str) -> bool:
        return line in urllib.request.urlopen(url, timeout=60).read().decode().splitlines()  # noqa: S310

    intact = shutil.copytree(bundle, tmp_path / "intact")
    put(bundle, "2026-02-02T00:00:00+00:00", damaged=True)
    worker.send_signal(signal.SIGHUP)
    refused = log.wait_for("the new bundle is refused, the old model goes on")
    assert "model.onnx" in refused["reason"]
    counted = 'reconstream_model_swaps_total{outcome="refused",role="champion",stream="pumps"} 1.0'
    wait_until(lambda: metric(counted), worker)  # the log may tell of it a moment before
    assert worker.poll() is None

    shutil.rmtree(bundle)
    shutil.copytree(intact, bundle)
    put(bundle, "2026-03-03T00:00:00+00:00")
    worker.send_signal(signal.SIGHUP)
    replaced = log.wait_for("the model is replaced")
    assert "20260303" in replaced["model"]
    for number in range(2):
        live = log.wait_for("live")
        assert (live["partition"], live["next_offset"], live["series"]) == (number, (800, 400)[number], 2 - number)
    wait_until(lambda: len(epochs(published)) == 4, worker)
    assert epochs(published)[-1].split("-")[1] == "20260303"
    worker.send_signal(signal.SIGHUP)
    log.wait_for("the bundle is the one that runs already")
    stop(worker)
    assert worker.returncode == 0


def epochs(cluster: Cluster) -> list[str]:
    return [epoch.model_version for epoch in sorted(cluster.epochs(), key=lambda epoch: epoch.written_ms)]
