"""A data directory is used only when it is ours, whole, and free."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from detector.broker.data_dir import DataDir, lock_data_dir, open_data_dir
from detector.broker.errors import LocalBrokerError
from detector.errors import ConfigError

VERSION = "4.3.1"


def formatted(path: Path, **changes: str) -> DataDir:
    data = open_data_dir(path, VERSION)
    meta = {"version": "1", "cluster.id": data.cluster_id, "node.id": "1", "directory.id": "x", **changes}
    lines = "".join(f"{key}={value}\n" for key, value in meta.items())
    (data.kafka / "meta.properties").write_text(f"#\n#Tue Nov 24 01:00:00 UTC 2026\n{lines}")
    return data


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        open_data_dir(path, VERSION).is_formatted()
    return str(caught.value)


def test_new_directory_gets_an_identity_and_keeps_it(tmp_path: Path) -> None:
    first = open_data_dir(tmp_path / "a" / "b", VERSION)
    assert len(first.cluster_id) == 22
    assert not first.is_formatted()
    assert open_data_dir(tmp_path / "a" / "b", VERSION) == first
    assert open_data_dir(tmp_path / "c", VERSION).cluster_id != first.cluster_id


def test_identity_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([b"\xf8" + b"a" * 15, b"b" * 16])
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(bytes=next(numbers)))
    assert open_data_dir(tmp_path / "d", VERSION).cluster_id == "YmJiYmJiYmJiYmJiYmJiYg"


def test_formatted(tmp_path: Path) -> None:
    assert formatted(tmp_path / "d").is_formatted()


def test_files_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("\\section{Introduction}")
    assert refusal(tmp_path) == (
        f"{tmp_path} holds files of something else; name an empty or a new directory with --data-dir"
    )
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_no_directory_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert refusal(file).startswith(f"cannot use the data directory {file}: ")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 1}'])
def test_damaged_marker(tmp_path: Path, content: str) -> None:
    open_data_dir(tmp_path / "d", VERSION)
    (tmp_path / "d" / "reconstream-broker.json").write_text(content)
    assert f"{tmp_path / 'd'} is corrupt: reconstream-broker.json is damaged; delete the directory" in refusal(
        tmp_path / "d"
    )


def test_data_of_another_version(tmp_path: Path) -> None:
    open_data_dir(tmp_path / "d", "3.9.0")
    assert f"{tmp_path / 'd'} was written by Apache Kafka 3.9.0, this is 4.3.1; delete the directory" in refusal(
        tmp_path / "d"
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"), [("version", "0", "1"), ("node.id", "7", "1"), ("cluster.id", "another", None)]
)
def test_meta_properties_of_another_cluster(tmp_path: Path, key: str, value: str, expected: str | None) -> None:
    data = formatted(tmp_path / "d", **{key: value})
    assert refusal(data.path) == (
        f"the data directory {data.path} is corrupt: kafka/meta.properties says {key}={value}, where "
        f"{expected or data.cluster_id} is expected; restore it, or delete the directory to start with an empty broker"
    )


def test_damaged_meta_properties(tmp_path: Path) -> None:
    data = formatted(tmp_path / "d")
    (data.kafka / "meta.properties").write_bytes(b"\xff\xfe\x00")
    assert "kafka/meta.properties cannot be read" in refusal(data.path)


def test_lost_meta_properties(tmp_path: Path) -> None:
    data = formatted(tmp_path / "d")
    (data.kafka / "meta.properties").unlink()
    (data.kafka / "telemetry-0").mkdir()
    assert "kafka/meta.properties is missing" in refusal(data.path)


def test_marker_tells_the_version(tmp_path: Path) -> None:
    data = open_data_dir(tmp_path / "d", VERSION)
    assert json.loads((data.path / "reconstream-broker.json").read_text()) == {
        "schema_version": 1,
        "kafka_version": "4.3.1",
        "cluster_id": data.cluster_id,
    }


def test_one_broker_at_a_time(tmp_path: Path) -> None:
    data = open_data_dir(tmp_path / "d", VERSION)
    lock = lock_data_dir(data)
    with pytest.raises(LocalBrokerError) as caught:
        lock_data_dir(data)
    assert str(caught.value) == (
        f"another broker is using the data directory {data.path}; stop it, or name another one with --data-dir"
    )
    os.close(lock)
    os.close(lock_data_dir(data))
