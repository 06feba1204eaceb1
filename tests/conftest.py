"""Fixtures of every test: one real Apache Kafka for the whole run, started by the first test that asks for it.

A test that needs the broker fails without it; it never skips.
"""

from __future__ import annotations

import logging
import re
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping

import hypothesis
import pytest
import structlog
from kafka.admin import KafkaAdminClient, NewTopic

from detector.broker import LocalBroker
from tests.support.commands import Command, Ended, status_of

CreateTopic = Callable[..., None]

# A change is judged by what it does, so every run tries the same examples; `make hunt` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("hunt", derandomize=False, print_blob=True)
hypothesis.settings.load_profile("same")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def logs_to_pytest() -> None:
    """What is logged while no test configures logging is shown with the test that fails.

    structlog would print it, into what another test reads from standard output: a thread may log after its test ended.
    """
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())


logs_to_pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """TensorFlow takes a number of threads only before its first operation, and tests come in any order."""
    if item.get_closest_marker("keras") is not None:
        from models.backend import load_tensorflow

        load_tensorflow(threads=1)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """``command(argument, ...)``: how ``detector`` ended, and what it said."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        return Ended(status_of(*arguments), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A running broker; tests may restart it, and leave it running."""
    # It looks every ten seconds otherwise, and a test of such a transaction would wait that long.
    quick = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with LocalBroker(tmp_path_factory.mktemp("broker") / "data", server_properties=quick) as found:
        yield found


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    """A test that configures logging, or runs a command that does, in this process, does so for itself alone."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("kafka", "onnxruntime", "absl", "asyncio", "tensorflow")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    logging.captureWarnings(capture=False)
    logs_to_pytest()


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test has used, and that tells which test used it."""
    test = re.sub(r"[^a-zA-Z0-9-]+", "-", request.node.name)[:80].strip("-")
    return f"{test}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def create_topic(broker: LocalBroker) -> CreateTopic:
    """``create_topic(name, partitions=1, config=None)``."""

    def create(name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        try:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
        finally:
            admin.close()

    return create
