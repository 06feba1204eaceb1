"""Apache Kafka starts in half the processor time: Java finds its classes read, checked and linked in a cache.

A run of tests starts Java dozens of times, and each would spend most of it on the same thousands of classes (JEP 483,
ahead-of-time class loading and linking). The first test that needs a broker makes the cache, for all processes and for
later runs. Only tests use it: what a user's Java loads are jars whose digests were compared with the lock file.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from detector.broker import LocalBroker
from detector.broker.errors import LocalBrokerError
from detector.broker.jars import JarCache, default_cache_dir
from detector.broker.java import find_java, java_command, run_tool
from detector.broker.lockfile import read_lock

CACHE = Path(__file__).parents[2] / ".cache" / "java"
OPTIONS = "JDK_JAVA_OPTIONS"
"""Every ``java`` reads it, also one that a command under test starts."""
QUIETLY = "-Xlog:aot*=off"
"""Where Java cannot use the cache it does without: what it says of that is not what a test looks for."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kafka") is not None:
        tell_java()


@functools.cache
def tell_java() -> None:
    """Add the cache to what every Java of this process and of those that it starts is told."""
    try:
        words = f"-XX:AOTCache={class_cache()} {QUIETLY}"
    except (LocalBrokerError, KafkaError) as error:
        warnings.warn(f"Java starts slowly, without a cache of its classes: {error}", stacklevel=1)
    else:
        os.environ[OPTIONS] = f"{os.environ.get(OPTIONS, '')} {words}".strip()


def class_cache() -> Path:
    """The cache for the Java and the jars that are installed.

    Raises:
        LocalBrokerError: It cannot be made, or the jars cannot be had.
        KafkaError: The broker that it is made with does not serve.
    """
    java = find_java()
    jars = JarCache(default_cache_dir()).ensure(read_lock())
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{_identity([java.parents[1] / 'lib' / 'modules', *jars])}.aot"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in CACHE.glob("*.aot"):
                old.unlink()
            _make(path, java, jars)
    return path


def _identity(files: Sequence[Path]) -> str:
    """Java refuses a cache that was made from files of another size or time, and so would be slow without a word."""
    told = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    return hashlib.sha256(repr((Path(__file__).read_bytes(), told)).encode()).hexdigest()[:16]


def _make(path: Path, java: Path, jars: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as room:
        classes, fresh = Path(room) / "classes", Path(room) / "fresh"
        with _told(f"-XX:AOTMode=record -XX:AOTConfiguration={classes}"), LocalBroker(Path(room) / "broker") as broker:
            _use(broker)
            log4j = broker.data_dir / "log4j2.properties"
        with _told(f"-XX:AOTMode=create -XX:AOTConfiguration={classes} -XX:AOTCache={fresh}"):
            run_tool(java_command(java, "kafka.Kafka", jars, log4j, []), "making a cache of Kafka's classes")
        fresh.rename(path)


@contextmanager
def _told(words: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(OPTIONS, words)
        yield


def _use(broker: LocalBroker) -> None:
    """A topic, a transaction and a member of a group, as workers have them: their classes are loaded only then."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic("used", 1, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id="once")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("used", b"1").get(60)
    producer.commit_transaction()
    producer.close()
    consumer = KafkaConsumer("used", bootstrap_servers=broker.bootstrap, group_id="once", auto_offset_reset="earliest")
    try:
        if not consumer.poll(timeout_ms=60_000):
            raise LocalBrokerError("the broker that was started to make a cache of its classes serves no group")
    finally:
        consumer.close()
