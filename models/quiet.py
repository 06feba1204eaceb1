"""Start-up chatter of native libraries, kept off the terminal; whatever else they say is passed on."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CHATTER: Final = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    rb"|I\d{4} .*(?:port|cpu_feature_guard)\.cc:\d+\] .*"
    rb"|To enable the following instructions: .*"
)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and pass on at the end all but the lines known to say nothing.

    TensorFlow's libraries log while they are loaded, before any setting of theirs for the level of logs counts. What
    other threads write meanwhile comes late, but is not lost.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a service may have no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _CHATTER.fullmatch(line.rstrip(b"\r\n")):
                    os.write(2, line)
