"""Leaves how a replay ended in a file for Prometheus, in whatever way it ended."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

OPTION = "metrics"
_SUFFIX = ".prom"
_INTERRUPTED = 130
_P = ParamSpec("_P")
Document = dict[str, Any]


def leaves_metrics(command: Callable[_P, Document]) -> Callable[_P, None]:
    """Wrap a command that returns its summary and has an option ``metrics``.

    Where the option names a file, the file is written once the command is over, also when it raised. What it raised
    goes on, whether the file can be written or not.
    """

    @functools.wraps(command)
    def run(*arguments: _P.args, **options: _P.kwargs) -> None:
        path = options.get(OPTION)
        if not isinstance(path, Path):
            command(*arguments, **options)
            return
        _check(path)
        started = time.monotonic()
        try:
            with _terminating():
                document = command(*arguments, **options)
        except BaseException as error:
            _write_anyway(path, exit_code(error), time.monotonic() - started)
            raise
        _write(path, 0, time.monotonic() - started, document)

    return run


@contextlib.contextmanager
def _terminating() -> Iterator[None]:
    """Let SIGTERM, by which a scheduler ends what takes too long, be an end like others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def exit_code(error: BaseException) -> int:
    """With what the process will end."""
    from detector.cli import EXIT_USAGE, EXTRA_OF_PACKAGE
    from detector.errors import DetectorError

    if isinstance(error, DetectorError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in EXTRA_OF_PACKAGE:
        return EXIT_USAGE
    return 1


def _check(path: Path) -> None:
    """Say what is wrong with the file before the replay rather than after it."""
    from detector.errors import ConfigError

    if path.suffix != _SUFFIX:
        raise ConfigError(f"--{OPTION} {path}: node_exporter reads files that end in {_SUFFIX}; call it so")
    if not path.parent.is_dir():
        raise ConfigError(f"--{OPTION} {path}: there is no directory {path.parent}; make it, or name another one")


def _write_anyway(path: Path, code: int, seconds: float) -> None:
    from detector.errors import ConfigError

    try:
        _write(path, code, seconds, None)
    except (ConfigError, OSError) as error:
        import structlog

        structlog.get_logger(__name__).warning("how the replay ended cannot be left for Prometheus", error=str(error))


def _write(path: Path, code: int, seconds: float, document: Mapping[str, Any] | None) -> None:
    from detector.files.whole import WholeFile
    from detector.observability.replay_run import ReplayRun

    run = ReplayRun(path.stem, code, time.time(), seconds, None if document is None else _counts(document))
    with WholeFile(path) as file:
        file.write(run.exposition())


def _counts(document: Mapping[str, Any]) -> Any:
    from detector.observability.replay_run import ReplayCounts

    return ReplayCounts(
        records=document["records"],
        rejected=document["rejected"],
        scored=document["windows_scored"],
        unscored=document["windows_unscored"],
        streams=[stream["stream"] for stream in document["streams"]],
        incidents=[(found["stream"], found["kind"], found["severity"]) for found in document["incidents"]],
        undetermined=document["undetermined_incidents"],
    )
