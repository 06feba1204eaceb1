"""The command: what it says before it serves, what it survives, and how it ends."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from detector.broker import LocalBroker
from tests.dashboard.conftest import Topics, event, serve
from tests.support.commands import Command
from tests.support.waiting import until


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - our own
        return json.loads(response.read())


def refused(command: Command, code: int, *arguments: object) -> str:
    ended = command("dashboard", *arguments)
    assert ended.code == code, ended.err
    return ended.said


def configuration(folder: Path, bootstrap: str, **dashboard: Any) -> Path:
    path = folder / "detector.yaml"
    document = {
        "kafka": {"bootstrap_servers": bootstrap, "connect_timeout_seconds": 1},
        "dashboard": dashboard,
        "streams": [{"name": "pumps", "topic": "pumps", "model": "unused"}],
    }
    path.write_text(json.dumps(document))
    return path


def test_what_is_wrong_is_said_at_the_start(command: Command, tmp_path: Path) -> None:
    assert "there is no such file" in refused(command, 2, "-c", tmp_path / "missing.yaml")
    path = configuration(tmp_path, "127.0.0.1:1")
    assert "127.0.0.1:1" in refused(command, 3, "-c", path)
    assert "--since: 'soon' is neither a time" in refused(command, 2, "-c", path, "--since", "soon")
    path = configuration(tmp_path, "127.0.0.1:1", max_incidents=3)
    assert "dashboard.max_incidents" in refused(command, 2, "-c", path)
    path = configuration(tmp_path, "127.0.0.1:1", auth={"username": "jo", "password_file": str(tmp_path / "none")})
    assert "dashboard.auth.password_file" in refused(command, 2, "-c", path)


@pytest.mark.kafka
def test_it_waits_for_topics_survives_an_outage_and_ends_at_once(broker: LocalBroker, tmp_path: Path) -> None:
    topics = Topics(broker.bootstrap)
    config = tmp_path / "detector.yaml"
    config.write_text(json.dumps(topics.settings("unused")))
    served = serve(config, topics, "--since", "10000000d", "--read-only")
    try:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", served.url)
        assert ask(f"{served.url}api/setup")["read_only"] is True
        until(lambda: links(served.url)["events"] == "missing")
        assert ask(f"{served.url}api/incidents")["status"]["since"] == "1970-01-01T00:00:00.000Z"
        from kafka.admin import KafkaAdminClient, NewTopic

        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(topics.events, 1, 1)])
        admin.close()
        topics.tell(event("aa"))
        until(lambda: ask(f"{served.url}api/incidents")["total"] == 1)
        broker.pause()
        try:
            until(lambda: links(served.url)["events"] == "lost")
        finally:
            broker.resume()
        topics.tell(event("bb", series="web-2"))
        until(lambda: ask(f"{served.url}api/incidents")["total"] == 2)
        until(lambda: links(served.url)["events"] == "live")
    finally:
        code = served.stop()
        topics.producer.close()
    assert code == 0
    log = (tmp_path / "dashboard.log").read_text()
    assert "topic cannot be followed" in log
    assert "Traceback" not in log


def links(url: str) -> dict[str, str]:
    found = ask(f"{url}api/incidents")["status"]["links"]
    return {link["topic"].rpartition(".")[2]: link["state"] for link in found}
