"""The lock file: which jars make up the local broker, each with the SHA-256 of its bytes.

It is committed, so a jar that is not bit for bit the one that was reviewed never runs, whatever a repository serves.
Run ``python -m detector.broker.relock`` to write it anew for another version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("jars.lock")

_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<group>[\w.-]+):(?P<artifact>[\w.-]+):(?P<version>[\w.-]+)")


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One jar by its Maven coordinate, and the digest that its bytes must have.

    Attributes:
        sha256: 64 lower-case hexadecimal digits.
    """

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """``group:artifact:version``."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def relative_path(self) -> Path:
        """Where the jar lies in the cache; the group keeps equal artifact names apart."""
        return Path(self.group, f"{self.artifact}-{self.version}.jar")

    def line(self) -> str:
        """This jar as a line of the lock file."""
        return f"{self.sha256}  {self.coordinate}"


def read_lock(path: Path = LOCK_FILE) -> tuple[LockedJar, ...]:
    """Jars of a lock file, in its order, which is the order of the class path.

    Raises:
        ValueError: a line is not ``sha256  group:artifact:version``.
    """
    jars = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{path.name}, line {number}: expected 'sha256  group:artifact:version', found {line!r}")
        jars.append(LockedJar(match["group"], match["artifact"], match["version"], match["sha256"]))
    return tuple(jars)


def kafka_version(jars: tuple[LockedJar, ...]) -> str:
    """Version of the Apache Kafka that the jars contain."""
    return next(jar.version for jar in jars if jar.artifact == "kafka-server")
