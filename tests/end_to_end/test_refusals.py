"""What stops the command at once, with which exit status, and what it says about it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Detector, settings_document
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]
Write = Callable[..., Path]


@pytest.fixture
def write(cluster: Cluster, bundle_dir: Path, tmp_path: Path) -> Write:
    """Write a configuration that differs from a good one in one place."""

    def write_with(**changes: Any) -> Path:
        document = settings_document(cluster, bundle_dir)
        for key, value in changes.items():
            section, _, name = key.partition("__")
            target = document["streams"][0] if section == "stream" else document[section]
            target[name] = value
        path = tmp_path / "wrong.yaml"
        path.write_text(json.dumps(document))
        return path

    return write_with


def fails(detector: Detector, config: Path, status: int, *parts: str) -> None:
    result = detector.run("run", "-c", config, timeout=120)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


def test_an_unknown_key(detector: Detector, write: Write) -> None:
    fails(detector, write(worker__grup="x"), 2, "wrong.yaml:", "worker.grup", "did you mean", "group")


def test_a_value_of_the_wrong_kind(detector: Detector, write: Write) -> None:
    fails(detector, write(worker__commit_interval_seconds="soon"), 2, "worker.commit_interval_seconds", "90s")


def test_no_file_at_all(detector: Detector, tmp_path: Path) -> None:
    fails(detector, tmp_path / "nowhere.yaml", 2, "nowhere.yaml")


def test_no_bundle(detector: Detector, write: Write, tmp_path: Path) -> None:
    fails(detector, write(stream__model=str(tmp_path / "none")), 4, "there is no such directory", "detector train")


def test_a_tampered_bundle(detector: Detector, write: Write, bundle_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tampered"
    shutil.copytree(bundle_dir, copy)
    data = bytearray((copy / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.onnx").write_bytes(data)
    fails(detector, write(stream__model=str(copy)), 4, "model.onnx", "checksum", "tampered")


def test_a_channel_that_the_model_does_not_have(detector: Detector, write: Write) -> None:
    record = {"channel_fields": {"flwo": "data.flow"}}
    fails(detector, write(stream__record=record), 2, "flwo", "flow, pressure, temperature")


def test_an_unreachable_broker(detector: Detector, write: Write) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        fails(detector, write(kafka__bootstrap_servers=address), 3, address)


def test_a_missing_topic(detector: Detector, write: Write, cluster: Cluster) -> None:
    fails(detector, write(stream__topic=f"{cluster.name}.absent"), 3, f"{cluster.name}.absent")


def test_a_taken_port(detector: Detector, write: Write) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        fails(detector, write(http__port=taken.getsockname()[1]), 2, "http.port", "taken by another process")


def test_options_that_do_not_go_together(usage_error: Callable[..., str], config: Path, tmp_path: Path) -> None:
    for arguments, part in (
        (("replay",), "give -c detector.yaml"),
        (("replay", "-c", config, "--since", "2026-02-01", "--until", "2026-01-01"), "is not before --until"),
        (("replay", "-c", config, "--since", "yesterday"), "neither a time"),
        (("replay", "-c", config, "--from-offset", "5", "--since", "2026-01-01"), "a range begins in one way"),
        (("replay", "-c", config, "--stream", "valves"), "it has pumps"),
        (("replay", "-c", config, "--runtime", "torch"), "use onnx or keras"),
        (("replay", "-c", config, "--scores", tmp_path / "scores.txt"), ".parquet, .csv or .jsonl"),
        (("train", "--out", tmp_path / "x"), "give either files or --topic"),
        (("train", "a.parquet", "--out", tmp_path), "exists already"),
        (("evaluate", tmp_path, "--out", tmp_path / "scores"), "manifest.json does not exist"),
    ):
        assert part in usage_error(*arguments), arguments
