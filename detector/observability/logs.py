"""Structured logs: for people on a terminal, JSON otherwise.

Messages are constant, what varies is in fields: ``log.warning("record rejected", topic=..., offset=...)``.
"""

from __future__ import annotations

import logging
from textwrap import indent
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from detector.observability.masking import mask_secrets
from detector.printable import printable, printable_lines
from detector.settings import LogSettings

# Libraries that report their inner life at levels meant for ours. Their warnings and errors are still seen.
_CHATTY: Final = ("kafka", "onnxruntime", "tensorflow", "absl", "h5py", "urllib3", "asyncio", "tf2onnx")
_KAFKA_LOOP: Final = "kafka.net.selector"
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_OF_SEVERAL_LINES: Final = ("exception", "stack")
_HANDLER_NAME: Final = "reconstream"


def configure_logging(settings: LogSettings, stream: TextIO) -> None:
    """Send all logs, structlog's and the standard library's, to ``stream`` in one format.

    May be called again; the last call counts.

    Args:
        settings: Level and format. ``auto`` looks whether ``stream`` is a terminal.
        stream: Usually ``sys.stderr``: standard output is for results.
    """
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    level = _LEVELS[settings.level]
    # Applied to records of both origins, in this order. Secrets go last, when every field is there.
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Modules get their loggers at import, before this runs; a cache would freeze a later change out.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(stream, console=console),
            ],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    quiet = max(level, logging.INFO if settings.level == "debug" else logging.WARNING)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(quiet)
    logging.getLogger(_KAFKA_LOOP).addFilter(_is_no_slow_step)
    logging.captureWarnings(capture=True)


def _is_no_slow_step(record: logging.LogRecord) -> bool:
    """Whether a line of kafka-python's loop says something else than that one of its steps took a tenth of a second.

    That is so whenever this process waits for a processor, or the interpreter for a computation. How much it matters
    is measured between polls.
    """
    return "blocking the event loop" not in record.getMessage()


def _renderers(stream: TextIO, *, console: bool) -> list[Processor]:
    if console:
        return [
            # Rendered to text first, so that secrets in a traceback are masked too.
            structlog.processors.format_exc_info,
            mask_secrets,
            _one_line_each,
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return [
        structlog.processors.format_exc_info,
        _order_fields,
        mask_secrets,
        structlog.processors.JSONRenderer(sort_keys=False, default=str),
    ]


def _one_line_each(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what a field holds from looking like a line of the log, or from steering the terminal.

    Names of series and words of foreign errors come from outside. JSON escapes by itself. Tracebacks keep their lines,
    set in so that none of them looks like the beginning of another entry.
    """
    for key, value in event.items():
        if not isinstance(value, str):
            event[key] = value if isinstance(value, int | float | None) else printable(str(value))
        elif key in _OF_SEVERAL_LINES:
            event[key] = indent(printable_lines(value), "  | ")
        else:
            event[key] = printable(value)
    return event


def _order_fields(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put what every line has first, in a fixed order, so that lines can be read without a tool."""
    first = {key: event.pop(key) for key in ("time", "level", "event", "logger") if key in event}
    return {**first, **event}
