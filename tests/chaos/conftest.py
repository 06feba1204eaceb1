"""A broker with a proxy before it; faults of one test must not reach another test file's broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.brokers import Brokers, start_brokers
from tests.chaos.model import tiny_bundle


@pytest.fixture(scope="session")
def chaos_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One broker for all tests here; each leaves it running and the network whole."""
    tiny_bundle()
    with start_brokers(tmp_path_factory.mktemp("chaos-broker"), 1) as brokers:
        yield brokers
