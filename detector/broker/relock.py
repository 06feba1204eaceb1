"""Writes ``jars.lock`` anew: resolves the pinned roots, downloads every jar and records its SHA-256.

For maintainers, as ``python -m detector.broker.relock``; look at the difference before committing it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from detector.broker.digests import sha256_of
from detector.broker.lockfile import LOCK_FILE, LockedJar

KAFKA_VERSION = "4.3.1"
LOG4J_VERSION = "2.25.4"
"""The version that Kafka's own log4j-core resolves to; with another one the binding logs nothing."""

_HEADER = """\
# The jars of the local broker: Apache Kafka {version} and what it needs to start, format its storage and write a log.
# Written by 'python -m detector.broker.relock'. Each line: SHA-256, two spaces, group:artifact:version.
"""


def resolve(work_dir: Path) -> list[LockedJar]:
    """The transitive closure of the roots, sorted by coordinate.

    Args:
        work_dir: Empty folder for the downloads.
    """
    from jgo.maven import Dependency, MavenContext

    context = MavenContext(repo_cache=work_dir)
    # kafka-tools asks for Kafka Connect and, through it, for a web server; neither broker nor storage tool uses them.
    unused = [
        context.project("org.apache.kafka", f"connect-{part}") for part in ("runtime", "api", "json", "transforms")
    ]
    roots = [
        Dependency(
            context.project("org.apache.kafka", artifact).at_version(KAFKA_VERSION).artifact(), exclusions=unused
        )
        for artifact in ("kafka_2.13", "kafka-tools", "kafka-server")
    ]
    binding = context.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(LOG4J_VERSION).artifact()
    # raw: log4j's own dependency management would otherwise replace the versions of Kafka's other libraries.
    inputs, transitive = context.resolver.resolve([*roots, Dependency(binding, raw=True)])
    found = []
    for dependency in (*inputs, *transitive):
        if dependency.scope in (None, "compile", "runtime"):
            path = dependency.artifact.resolve()
            found.append(LockedJar(dependency.groupId, dependency.artifactId, dependency.version, sha256_of(path)))
    return sorted(found, key=lambda jar: jar.coordinate)


def main() -> None:
    """Resolve, download, and replace the lock file."""
    with tempfile.TemporaryDirectory() as work_dir:
        jars = resolve(Path(work_dir))
    lines = "".join(f"{jar.line()}\n" for jar in jars)
    LOCK_FILE.write_text(_HEADER.format(version=KAFKA_VERSION) + lines, encoding="utf-8")
    sys.stdout.write(f"{LOCK_FILE.name}: {len(jars)} jars\n")


if __name__ == "__main__":
    main()
