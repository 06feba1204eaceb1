"""Log lines, as text that somebody reads."""

from __future__ import annotations

import io
import json
import logging
import warnings

import pytest
import structlog
from pydantic import SecretStr

from detector.observability.logs import configure_logging
from detector.observability.masking import mask_text, mask_value
from detector.settings import LogSettings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def connect(problem: str) -> None:
    raise ValueError(problem)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_when_not_on_a_terminal() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    structlog.get_logger("detector.worker.loop").warning("record rejected", topic="t", partition=3, offset=17)
    (line,) = lines(stream)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "warning", "event": "record rejected", "logger": "detector.worker.loop", "topic": "t", "partition": 3,
        "offset": 17,
    }  # fmt: skip


def test_text_on_a_terminal_and_when_asked_for() -> None:
    for settings, stream in ((LogSettings(), Terminal()), (LogSettings(format="console"), io.StringIO())):
        configure_logging(settings, stream)
        structlog.get_logger("detector").info("started", port=9464)
        assert "started" in stream.getvalue()
        assert "9464" in stream.getvalue()
        assert not stream.getvalue().startswith("{")
    assert "\x1b[" not in stream.getvalue()


def test_json_on_a_terminal_when_asked_for() -> None:
    stream = Terminal()
    configure_logging(LogSettings(format="json"), stream)
    structlog.get_logger("detector").info("started")
    assert lines(stream)[0]["event"] == "started"


def test_the_level_counts_and_a_second_call_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(LogSettings(), first)
    log = structlog.get_logger("detector")
    configure_logging(LogSettings(level="error"), second)
    log.warning("quiet")
    log.error("loud")
    assert first.getvalue() == ""
    assert [line["event"] for line in lines(second)] == ["loud"]


def test_kafka_python_is_routed_and_quietened() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    logging.getLogger("kafka.client").info("probing %s", "node")
    logging.getLogger("kafka.client").warning("node %s is gone", 1)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("node 1 is gone", "kafka.client", "warning")


def test_that_kafka_python_had_to_wait_for_a_processor_is_not_told() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    loop = logging.getLogger("kafka.net.selector")
    loop.warning("Task <1> ran for 0.108s (>0.100s threshold). It is blocking the event loop -- likely a tight loop.")
    loop.warning("Wakeup socket returned empty. Rebuilding.")
    assert [line["event"] for line in lines(stream)] == ["Wakeup socket returned empty. Rebuilding."]


def test_debug_shows_what_kafka_python_informs_about_but_not_its_debugging() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(level="debug"), stream)
    logging.getLogger("kafka.client").info("informed")
    logging.getLogger("kafka.client").debug("debugged")
    structlog.get_logger("detector").debug("ours")
    assert [line["event"] for line in lines(stream)] == ["informed", "ours"]


def test_warnings_are_routed() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert lines(stream)[0]["logger"] == "py.warnings"


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_secret_is_printed(format: str) -> None:
    stream = io.StringIO()
    configure_logging(LogSettings.model_validate({"format": format}), stream)
    log = structlog.get_logger("detector")
    log.info("connecting", sasl_password="hunter1", user="bob", kafka={"sasl": {"token": "hunter2", "name": "x"}})
    log.info("settings", value=SecretStr("hunter3"), items=[{"ssl_key_password": b"hunter4"}])
    logging.getLogger("kafka").warning("config: {'sasl_plain_password': 'hunter5', 'client_id': 'keep-me'}")
    try:
        connect("cannot use password=hunter6")
    except ValueError:
        log.exception("failed", url="https://bob:hunter7@example.org/x")
    text = stream.getvalue()
    assert "hunter" not in text
    assert all(kept in text for kept in ("bob", "keep-me", "ValueError", "example.org"))
    assert text.count("***") == 8  # hunter6 twice: in the message and in the line of source that the traceback quotes


def test_a_traceback_is_one_json_line() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    try:
        connect("boom")
    except ValueError:
        structlog.get_logger("detector").exception("crashed")
    (line,) = lines(stream)
    assert str(line["exception"]).startswith("Traceback")
    assert str(line["exception"]).endswith("ValueError: boom")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=abc, user=x", "password=***, user=x"),
        ("'sasl_plain_password': 'a b\\'c', 'n': 1", "'sasl_plain_password': ***, 'n': 1"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("no secrets here", "no secrets here"),
        ("the password is wrong", "the password is wrong"),
        ("kafka://u:p@host:9092", "kafka://u:***@host:9092"),
    ],
)
def test_masking_text(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_masking_keeps_what_is_no_secret() -> None:
    assert mask_value({"password": None, "has_token": True, "series": "db/token-ring", "n": (1, 2.5)}) == {
        "password": None, "has_token": True, "series": "db/token-ring", "n": [1, 2.5],
    }  # fmt: skip
