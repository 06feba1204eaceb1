"""What somebody asks to have replayed, and whether it can be had together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detector.cli.common.bundles import place_of
from detector.cli.replay.from_files import open_files
from detector.cli.replay.from_topics import open_lived, open_topics
from detector.cli.replay.opened import Opened, Range, Watching
from detector.cli.replay.settings import replay_settings
from detector.errors import ConfigError
from detector.moments import parse_moment
from detector.settings import Settings

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be replayed, and how: options of the command, as they were typed; None, False or nothing: not given.

    Attributes are called as the options are.
    """

    files: tuple[Path, ...]
    config: Path | None
    stream: str | None
    topic: str | None
    model: str | None
    registry: tuple[str, ...]
    shadow: str | None
    bootstrap_server: str | None
    since: str | None
    until: str | None
    from_offset: int | None
    to_offset: int | None
    look_back: str | None
    as_lived: bool
    threshold: float | None
    what_if: bool
    runtime: str | None
    time_column: str | None
    series_column: str | None
    series: str | None

    @property
    def names_streams(self) -> bool:
        """Whether somebody named the streams; otherwise the only one is called as this program calls it."""
        return self.config is not None or self.stream is not None

    @property
    def source(self) -> str:
        """The files that are replayed, for people; empty where it is topics."""
        more = f" and {len(self.files) - _MOST_NAMED} more" if len(self.files) > _MOST_NAMED else ""
        return ", ".join(path.name for path in self.files[:_MOST_NAMED]) + more

    def settings(self) -> Settings:
        """Settings of the replay.

        Raises:
            ConfigError: the options do not go together; the message says what to leave out or to add.
        """
        self._check()
        model = None if self.as_lived or self.model is None else place_of(self.model, "--model")
        settings = replay_settings(
            self.config, self.stream, self.topic, model, self.bootstrap_server, self.threshold, self.runtime,
            bool(self.files),
        )  # fmt: skip
        if len(settings.streams) > 1:
            if self.what_if:
                raise ConfigError("--what-if tries thresholds of one stream; say which with --stream")
            if self.shadow is not None:
                raise ConfigError("--shadow compares the models of one stream; say which with --stream")
        return settings

    def untried(self) -> Settings | None:
        """Settings with the threshold that is in force, where another one is tried; None where none is.

        Raises:
            ConfigError: as of `settings`.
        """
        if self.threshold is None or self.shadow is not None:
            return None
        model = None if self.model is None else place_of(self.model, "--model")
        return replay_settings(
            self.config, self.stream, self.topic, model, self.bootstrap_server, None, None, bool(self.files)
        )

    def range(self) -> Range:
        """Which part of the history.

        Raises:
            ConfigError: a time is none, or the range ends before it begins.
        """
        now = datetime.now(UTC)
        start = None if self.since is None else parse_moment(self.since, "--since", now)
        stop = None if self.until is None else parse_moment(self.until, "--until", now)
        if start is not None and stop is not None and start >= stop:
            raise ConfigError(f"--since {self.since} is not before --until {self.until}")
        return Range(start, stop, self.from_offset, self.to_offset, self.look_back)

    def open(self, settings: Settings, wanted: Range, watching: Watching) -> Opened:
        """Get it ready to run.

        Args:
            settings: Of `settings`.
            wanted: Of `range`.
            watching: Who sees what is scored.

        Raises:
            BundleError: a model is missing, damaged or does not open.
            ConfigError: a file or a column is missing.
            KafkaUnavailableError: the cluster or a topic is missing.
        """
        if self.as_lived:
            models = [] if self.model is None else [place_of(self.model, "--model")]
            return open_lived(settings, models, self.registry, wanted, watching)
        challenger = None if self.shadow is None else place_of(self.shadow, "--shadow")
        if self.files:
            columns = self.time_column, self.series_column, self.series
            return open_files(self.files, settings, *columns, wanted, challenger, watching=watching)
        return open_topics(settings, wanted, challenger, watching=watching)

    def again(self) -> list[str]:
        """Arguments of the command that replay the same, but for the range, with the same models and thresholds."""
        given = {
            "-c": self.config, "--stream": self.stream, "--topic": self.topic, "--model": self.model,
            "--shadow": self.shadow, "--bootstrap-server": self.bootstrap_server, "--threshold": self.threshold,
            "--runtime": self.runtime, "--time-column": self.time_column, "--series-column": self.series_column,
            "--series": self.series,
        }  # fmt: skip
        found = [*map(str, self.files), *(["--as-lived"] if self.as_lived else [])]
        found += [text for name, value in given.items() if value is not None for text in (name, str(value))]
        return [*found, *(text for address in self.registry for text in ("--registry", address))]

    def _check(self) -> None:
        if self.files and (self.topic or self.bootstrap_server):
            raise ConfigError(
                "files are replayed without a cluster; leave out --topic, --bootstrap-server and --events-topic"
            )
        if self.files and (self.from_offset is not None or self.to_offset is not None):
            raise ConfigError("offsets belong to topics; for files use --since and --until")
        if self.from_offset is not None and (self.since or self.look_back):
            raise ConfigError("give either --from-offset, or --since and --look-back: a range begins in one way")
        if self.registry and not self.as_lived:
            raise ConfigError("--registry finds the bundles of another time; it belongs to --as-lived")
        if self.as_lived:
            self._check_as_lived()

    def _check_as_lived(self) -> None:
        if self.files or self.config is None:
            raise ConfigError(
                "--as-lived follows what a worker noted down; give its configuration with -c, and no files"
            )
        if self.topic or self.look_back or self.threshold is not None or self.runtime:
            raise ConfigError(
                "--as-lived takes models, settings and beginnings from what the worker noted down; leave out --topic, "
                "--look-back, --threshold and --runtime"
            )
        if self.shadow is not None:
            raise ConfigError("--shadow compares two models over one stretch of history; leave out --as-lived")
        if self.what_if:
            raise ConfigError("--what-if tries thresholds of one model over all of the history; leave out --as-lived")
