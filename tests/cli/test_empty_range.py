"""A range without records, and records that are laid out in another way: what the topic holds is said."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from detector.cli.common.series_data import between, from_topic
from detector.cli.replay.outputs import Destinations
from detector.cli.replay.running import run_replay
from detector.cli.replay.summary import print_summary
from detector.errors import ConfigError
from tests.cli.conftest import Made
from tests.cli.test_replay_asked import asked
from tests.worker.support import Cluster, cluster

pytestmark = pytest.mark.kafka
__all__ = ["cluster"]
BEGUN_MS = 946_684_800_000  # 2000-01-01
LATE_NS = 1_800_000_000 * 10**9


def refused(cluster: Cluster, since_ns: int | None) -> str:
    with pytest.raises(ConfigError) as caught:
        from_topic(cluster.input, None, cluster.bootstrap, None, since_ns, None)
    return str(caught.value)


def test_a_training_without_records(cluster: Cluster) -> None:
    assert refused(cluster, None) == f"topic {cluster.input} is empty; publish to it first"
    cluster.send("pump-1", [(BEGUN_MS + step, b"{}") for step in (0, 60_000)])
    cluster.send("pump-2", [(BEGUN_MS + 300_000, b"{}")], partition=1)
    assert refused(cluster, LATE_NS) == (
        f"no record is in that range: topic {cluster.input} holds records with timestamps from 2000-01-01T00:00:00Z to "
        "2000-01-01T00:05:00Z; look at --since"
    )


def test_a_training_on_numbers_that_lie_deeper(cluster: Cluster) -> None:
    value = json.dumps({"asset": {"id": "pump-1"}, "data": {"flow": 1.5, "oil.temp": 40}}).encode()
    cluster.send("pump-1", [(BEGUN_MS, value)])
    assert refused(cluster, None).endswith("There are numbers below data: set record.channels_under to it")


def test_a_training_on_records_that_are_all_invalid(cluster: Cluster) -> None:
    cluster.send("pump-1", [(BEGUN_MS, b'{"flow": 1}'), (BEGUN_MS, b"{")])
    with pytest.raises(ConfigError, match=r"all 2 .* invalid \(1 no_channels, 1 not_json\); look at --channels"):
        from_topic(cluster.input, None, cluster.bootstrap, ("flwo",), None, None)


def test_a_training_on_files_of_other_times() -> None:
    data = {"pump-1": (np.array([BEGUN_MS * 10**6, (BEGUN_MS + 1) * 10**6]), np.zeros((2, 1)))}
    assert between(data, BEGUN_MS * 10**6, None).keys() == {"pump-1"}
    with pytest.raises(ConfigError, match=r"some from 2000-01-01T00:00:00.000Z to 2000-01-01T00:00:00.001Z; look"):
        between(data, LATE_NS, None)


@pytest.mark.keras
def test_a_replay_of_records_that_are_all_invalid(
    cluster: Cluster, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.send("pump-1", [(BEGUN_MS, b"{")])
    wanted = asked(topic=cluster.input, model=str(made.path), bootstrap_server=cluster.bootstrap)
    document = run_replay(wanted, Destinations(**{field.name: None for field in fields(Destinations)}), None)
    print_summary(document, sys.stdout)
    told = capsys.readouterr()
    assert told.err == ""  # there is nothing wrong with the range
    assert "every record is invalid; look at the stream's record settings" in told.out
    assert "left out: 1 not_json" in told.out


@pytest.mark.keras
def test_a_replay_without_records(cluster: Cluster, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.send("pump-1", [(BEGUN_MS, b"{}")])
    wanted = asked(
        topic=cluster.input, model=str(made.path), bootstrap_server=cluster.bootstrap, since="2027-01-01", what_if=True
    )
    document = run_replay(wanted, Destinations(**{field.name: None for field in fields(Destinations)}), None)
    assert document["first_time"] is None
    assert capsys.readouterr().err == (
        f"note: topic {cluster.input} holds records with timestamps from 2000-01-01T00:00:00Z to 2000-01-01T00:00:00Z\n"
    )


@pytest.mark.keras
def test_a_range_of_records_that_were_stamped_long_after_their_event_time(
    cluster: Cluster, made: Made, tmp_path: Path
) -> None:
    minutes = [f"1999-01-01T{5 * step // 60:02}:{5 * step % 60:02}:00Z" for step in range(40)]
    values = [json.dumps({"at": at, "cpu": 1.0, "memory": 2.0}).encode() for at in minutes]
    cluster.send("web-1", [(BEGUN_MS, value) for value in values])
    config = tmp_path / "detector.yaml"
    stream = {"name": "web", "topic": cluster.input, "model": str(made.path), "record": {"time_field": "at"}}
    config.write_text(json.dumps({"kafka": {"bootstrap_servers": [cluster.bootstrap]}, "streams": [stream]}))
    wanted = asked(config=config, since="1999-01-01T01:00", until="1999-01-01T02:00")
    document = run_replay(wanted, Destinations(**{field.name: None for field in fields(Destinations)}), None)
    assert (document["first_time"], document["last_time"]) == ("1999-01-01T01:00:00.000Z", "1999-01-01T01:55:00.000Z")
    assert document["windows_scored"] == 12
