"""The stack of docker-compose.yml, as processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from detector.broker import LocalBroker
from detector.broker.ports import free_ports
from tests.deploy.compose import ROOT, Machine

TRAIN_ROWS, LIVE_ROWS = 300, 60


@pytest.fixture(scope="module")
def machine(broker: LocalBroker, slim_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A broker in Kafka's place, and less of the telemetry, so that training takes seconds."""
    room = tmp_path_factory.mktemp("compose")
    telemetry = room / "telemetry"
    for part, rows in (("train", TRAIN_ROWS), ("live", LIVE_ROWS)):
        (telemetry / part).mkdir(parents=True)
        for path in sorted((ROOT / "examples" / "telemetry" / part).glob("*.parquet")):
            pq.write_table(pq.read_table(path).slice(0, rows), telemetry / part / path.name)
    names = {"kafka:19092": broker.bootstrap, "127.0.0.1/19092": broker.bootstrap.replace(":", "/")}
    ports = (9464, 9465, 9090, 9093, 9099)
    free = zip(ports, free_ports(len(ports)), strict=True)
    names |= {f"127.0.0.1:{port}": f"127.0.0.1:{other}" for port, other in free}
    names["9099"] = names["127.0.0.1:9099"].rpartition(":")[2]  # the service is told its port
    python = Path(sys.executable)
    found = Machine(
        room=room,
        python={"worker": slim_python, "dashboard": python, "training": python},
        names=names,
        binds={"./examples/telemetry": telemetry},
    )
    yield found
    found.stop()
