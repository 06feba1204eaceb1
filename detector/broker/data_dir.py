"""The data directory of a local broker: whose it is, who uses it now, and whether it is whole."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from detector.broker.errors import LocalBrokerError
from detector.broker.properties import NODE_ID
from detector.errors import ConfigError

_MARKER = "reconstream-broker.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths below a data directory, and the identity of the cluster that lives there.

    Attributes:
        cluster_id: 16 random bytes in URL-safe Base64, as Kafka writes it.
    """

    path: Path
    cluster_id: str

    @property
    def kafka(self) -> Path:
        """Kafka's own directory of partitions."""
        return self.path / "kafka"

    @property
    def log(self) -> Path:
        """Kafka's log."""
        return self.path / "logs" / "kafka.log"

    @property
    def output(self) -> Path:
        """What Java writes to its standard output and error."""
        return self.path / "logs" / "java.out"

    @property
    def server_properties(self) -> Path:
        """The server's configuration."""
        return self.path / "server.properties"

    @property
    def log4j_properties(self) -> Path:
        """The configuration of Kafka's logging."""
        return self.path / "log4j2.properties"

    def is_formatted(self) -> bool:
        """Whether Kafka's storage is there.

        Raises:
            ConfigError: it is there, and damaged or of another cluster.
        """
        meta = self.kafka / "meta.properties"
        try:
            text = meta.read_text(encoding="utf-8")
        except FileNotFoundError:
            if self.kafka.is_dir() and any(self.kafka.iterdir()):
                raise self._corrupt(meta, "is missing") from None
            return False
        except (OSError, UnicodeDecodeError) as error:
            raise self._corrupt(meta, f"cannot be read ({error})") from error
        found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        for key, expected in (("version", "1"), ("cluster.id", self.cluster_id), ("node.id", str(NODE_ID))):
            if found.get(key) != expected:
                raise self._corrupt(meta, f"says {key}={found.get(key)}, where {expected} is expected")
        return True

    def _corrupt(self, path: Path, what: str) -> ConfigError:
        return ConfigError(
            f"the data directory {self.path} is corrupt: {path.relative_to(self.path)} {what}; "
            "restore it, or delete the directory to start with an empty broker"
        )


def open_data_dir(path: Path, version: str) -> DataDir:
    """Take a directory that is empty, or that an earlier local broker left.

    Args:
        path: Created when needed.
        version: Of Apache Kafka; data written by another one is refused.

    Raises:
        ConfigError: the directory belongs to something else, to another version of Kafka, or is damaged.
    """
    path = path.absolute()
    marker = path / _MARKER
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            if any(path.iterdir()):
                raise ConfigError(
                    f"{path} holds files of something else; name an empty or a new directory with --data-dir"
                )
            cluster_id = _new_cluster_id()
            content = {"schema_version": _SCHEMA_VERSION, "kafka_version": version, "cluster_id": cluster_id}
            marker.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        found = DataDir(path, _cluster_id(marker, version))
        found.kafka.mkdir(exist_ok=True)
        found.log.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot use the data directory {path}: {error.strerror or error}; name another with --data-dir"
        ) from error
    return found


def _new_cluster_id() -> str:
    while True:
        found = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Kafka's own tools would take such an argument for an option; Kafka avoids it in the same way.
        if not found.startswith("-"):
            return found


def _cluster_id(marker: Path, version: str) -> str:
    advice = "delete the directory to start with an empty broker, or name another with --data-dir"
    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
        schema, kafka, cluster_id = content["schema_version"], content["kafka_version"], str(content["cluster_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"the data directory {marker.parent} is corrupt: {marker.name} is damaged; {advice}"
        ) from error
    if schema != _SCHEMA_VERSION or kafka != version:
        raise ConfigError(
            f"the data directory {marker.parent} was written by Apache Kafka {kafka}, this is {version}; {advice}"
        )
    return cluster_id


def lock_data_dir(data: DataDir) -> int:
    """Open file descriptor that keeps other local brokers out for as long as it, or a copy in a child, stays open.

    Raises:
        LocalBrokerError: another broker uses the directory.
    """
    descriptor = os.open(data.path / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise LocalBrokerError(
            f"another broker is using the data directory {data.path}; stop it, or name another one with --data-dir"
        ) from error
    return descriptor
