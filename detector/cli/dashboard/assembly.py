"""Where the dashboard's settings become its parts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

import structlog

from detector.cli.common.stretch_reader import StretchReader
from detector.cli.feedback.topic import write_topic
from detector.dashboard.access import AllowedHosts
from detector.dashboard.assets import load_assets
from detector.dashboard.board import Board
from detector.dashboard.drawing import Studio
from detector.dashboard.following import Follower
from detector.dashboard.parts import Parts
from detector.dashboard.pictures import Artist, timeline_picture
from detector.dashboard.pulse import Pulse
from detector.dashboard.server import serve
from detector.dashboard.warming import Warming
from detector.errors import MissingTopicError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.observability.http_access import BasicAuth
from detector.settings import Settings

_LOG = structlog.get_logger("detector.dashboard")


def run_dashboard(settings: Settings, config: str, since_ns: int, started: Callable[[str], None]) -> None:
    """Serve the page until SIGTERM or SIGINT; a second one leaves at once.

    Args:
        settings: Of the worker.
        config: Path of the configuration, for commands to copy.
        since_ns: Wall time from which on events count.
        started: Is told the address.

    Raises:
        ConfigError: the address, a certificate or a password file cannot be used.
        KafkaUnavailableError: the cluster cannot be used now, or a right is missing. Outages that come later are
            survived, and shown.
    """
    dashboard = settings.dashboard
    assets = load_assets()
    auth = None if dashboard.auth is None else BasicAuth(dashboard.auth, "dashboard.auth")
    check_cluster(settings.kafka)
    topics = settings.topics
    for topic in (topics.events, topics.feedback):
        # The worker creates the one, the first verdict the other; until then the page says so.
        with contextlib.suppress(MissingTopicError):
            check_topics(settings.kafka, [topic])
    board = Board(dashboard.max_incidents)
    followers: list[Follower] = []
    studio = Studio(Artist(lambda: StretchReader(settings)))

    def make_parts() -> Parts:
        pulse = Pulse()
        board.listen(pulse.beat)
        opened, clock, beat = _open(settings), time.time_ns, pulse.beat
        since_ms = since_ns // 1_000_000
        # Without any verdict there is no feedback topic, which is no trouble.
        followers.append(Follower(topics.feedback, opened, board.take_feedback, None, clock, beat, needed=False))
        warming = Warming(board, studio)

        def heard() -> None:
            beat()
            warming.look(events.link.read_once)

        events = Follower(topics.events, opened, board.take_events, since_ms, clock, heard)
        followers.append(events)
        for follower in followers:
            follower.start()
        return Parts(
            settings=dashboard,
            board=board,
            links=lambda: [follower.link for follower in reversed(followers)],
            studio=studio,
            timeline=timeline_picture,
            give=lambda verdict: write_topic(settings, verdict),
            config=config,
            since_ns=since_ns,
            clock=time.time_ns,
            pulse=pulse,
            assets=assets,
            hosts=AllowedHosts(dashboard),
            auth=auth,
        )

    try:
        asyncio.run(_until_signal(settings, make_parts, started))
    finally:
        studio.close()
        for follower in followers:
            follower.stop()
    _LOG.info("stopped")


async def _until_signal(settings: Settings, make_parts: Callable[[], Parts], started: Callable[[str], None]) -> None:
    stop = asyncio.Event()

    def told() -> None:
        if stop.is_set():
            sys.stderr.flush()
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)

    def begun(url: str) -> None:
        _LOG.info("started", url=url, events=settings.topics.events, read_only=settings.dashboard.read_only)
        started(url)

    await serve(settings.dashboard, make_parts, stop, begun)


def _open(settings: Settings) -> Callable[[], History]:
    return lambda: History(consumer_config(settings.kafka))
