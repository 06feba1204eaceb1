"""The cache of classes that the tests' brokers start from: Java says nothing where it cannot use it, and is slow."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from detector.broker import LocalBroker
from detector.broker.jars import JarCache, default_cache_dir
from detector.broker.java import find_java, java_command
from detector.broker.lockfile import read_lock

pytestmark = pytest.mark.kafka


def test_a_broker_starts_from_it(broker: LocalBroker) -> None:
    # Without settings Kafka only says how it is used; in this mode Java ends where the cache does not fit.
    told = f"{os.environ['JDK_JAVA_OPTIONS']} -XX:AOTMode=on -Xlog:class+load"
    jars = JarCache(default_cache_dir()).ensure(read_lock())
    done = subprocess.run(
        java_command(find_java(), "kafka.Kafka", jars, broker.data_dir / "log4j2.properties", []),
        env={**os.environ, "JDK_JAVA_OPTIONS": told}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert re.search(r"kafka\.Kafka source: shared objects file", done.stdout), done.stdout[-2000:] + done.stderr
