"""``detector replay --openmetrics``: where scores and events go for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from detector.errors import ConfigError
from detector.moments import parse_span
from detector.observability.replay_metrics import REPLAY_PREFIX
from detector.openmetrics import ReplayMetrics
from detector.replay import Taken

_MS_PER_SECOND: Final = 1000
_NS_PER_MS: Final = 1_000_000
_PREFIX: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_LEAST_STEP_MS: Final = 1000
_USUAL_STEP_MS: Final = 60_000
# Prometheus looks back as far for a value, unless it is told otherwise.
_LONGEST_CHOSEN_STEP_MS: Final = 300_000


def step_ms(text: str | None, periods_ns: Sequence[int | None]) -> int:
    """Length of a step in milliseconds.

    Args:
        text: What was asked for, a duration, or None for a minute, or the longest period of the models up to five
            minutes, which is how long Prometheus takes a value to last.
        periods_ns: Of the models that the replay runs.

    Raises:
        ConfigError: it is no duration, or shorter than a second.
    """
    if text is None:
        longest = max((period // _NS_PER_MS for period in periods_ns if period is not None), default=0)
        return min(max(_USUAL_STEP_MS, longest), _LONGEST_CHOSEN_STEP_MS)
    length = round(parse_span(text, "--openmetrics-step") * _MS_PER_SECOND)
    if length < _LEAST_STEP_MS:
        raise ConfigError(f"--openmetrics-step: {text} is shorter than a second; give 1s or more")
    return length


class OpenMetricsSink:
    """Scores and incidents, as OpenMetrics text.

    Args:
        path: Of the file.
        step: Length of a step, milliseconds.
        prefix: Of all names; None for that of replays.
        stream_of: The stream that an input topic or file belongs to.

    Raises:
        ConfigError: the file cannot be created, or no name may begin with the prefix.
    """

    def __init__(self, path: Path, step: int, prefix: str | None, stream_of: Callable[[str], str]) -> None:
        if prefix is not None and not _PREFIX.fullmatch(prefix):
            raise ConfigError(
                f"--openmetrics-prefix: {prefix!r} cannot begin a name of Prometheus; use letters, digits and _, "
                f"no digit first, such as {REPLAY_PREFIX}"
            )
        self._stream_of = stream_of
        self.writer = ReplayMetrics(path, step, path.stem, REPLAY_PREFIX if prefix is None else prefix)

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        stream = self._stream_of(taken.partition.topic)
        for rows in taken.scores:
            self.writer.append_scores(stream, rows.series, rows.time_ns, rows.score, taken.threshold)
        self.writer.append_events(event for _, event in taken.events)
