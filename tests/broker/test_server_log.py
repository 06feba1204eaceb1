"""Only what was logged since the start counts."""

from __future__ import annotations

from pathlib import Path

from detector.broker.server_log import ServerLog

OLD = "[2026-11-24 01:00:00,000] ERROR yesterday's trouble (kafka.Kafka)\n"
NEW = (
    "[2026-11-24 02:00:00,000] INFO fine (kafka.Kafka)\n"
    "[2026-11-24 02:00:01,000] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)\n"
    "java.lang.IllegalArgumentException: no\n\tat kafka.Kafka.main\n"
    "[2026-11-24 02:00:02,000] FATAL it (really) is over\n"
)


def test_problems_since_the_start(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text(OLD)
    found = ServerLog(log, tmp_path / "java.out")
    assert found.text() == ""
    with log.open("a") as file:
        file.write(NEW)
    assert found.text() == NEW
    assert found.problems() == "Exiting Kafka due to fatal exception / it (really) is over"


def test_log_that_was_rolled_over(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text(OLD * 100)
    found = ServerLog(log, tmp_path / "java.out")
    log.write_text(NEW)
    assert found.text() == NEW


def test_what_java_printed_when_it_could_not_even_log(tmp_path: Path) -> None:
    found = ServerLog(tmp_path / "kafka.log", tmp_path / "java.out")
    assert found.problems() == "it says nothing"
    (tmp_path / "java.out").write_text("Error occurred during initialization of VM\nCould not reserve enough space\n")
    assert found.problems() == "Error occurred during initialization of VM / Could not reserve enough space"
