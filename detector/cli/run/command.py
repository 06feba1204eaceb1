"""``detector run``: the long-lived worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file.", show_default=False)],
) -> None:
    """Watch live topics and report incidents, until SIGTERM or Ctrl-C.

    The first signal finishes and commits what was polled; a second one leaves at once, and the next start does it
    again. Nothing is lost or reported twice either way.

    A model that settings name by an alias of a registry is followed: when the alias moves, the new bundle is loaded and
    checked beside the old one and takes over where that stopped; a bad one is refused, and the old model goes on.
    SIGHUP asks for such a look at once, and at bundles in directories too.

    Examples:
        detector run -c detector.yaml

        RECONSTREAM_WORKER__INSTANCE=worker-2 detector run -c detector.yaml
    """
    import os
    import sys

    import structlog
    from prometheus_client import REGISTRY

    from detector.cli.common.assemble import open_bundle, stream_context
    from detector.cli.common.signals import HurryError, StopSignals
    from detector.cli.run.hang_up import HangUp
    from detector.cli.run.live import open_live
    from detector.failpoints import failpoints
    from detector.observability.logs import configure_logging
    from detector.settings_file import load_settings

    settings = load_settings(config, os.environ)
    announce = failpoints(os.environ)
    configure_logging(settings.log, sys.stderr)
    log = structlog.get_logger("detector.run")
    # Before anything is asked of the network: a damaged bundle must not wait for a broker to be noticed.
    bundles = {stream.name: open_bundle(stream.model, settings.registry) for stream in settings.streams}
    with StopSignals(settings.worker.drain_timeout_seconds) as stopping, HangUp() as reload_asked:
        parts = open_live(
            settings,
            lambda cluster: {s.topic: stream_context(s, bundles[s.name], cluster) for s in settings.streams},
            REGISTRY,
            stopping,
            announce,
            reload_asked,
        )
        log.info(
            "started",
            metrics=f"{parts.url}/metrics",
            group=settings.worker.group,
            instance=settings.worker.instance,
            streams=[stream.name for stream in settings.streams],
        )
        try:
            parts.worker.run()
            log.info("stopped")
        except HurryError:
            # The client's own threads may be stuck in the very call that made somebody hurry.
            sys.stderr.flush()
            os._exit(130)
        finally:
            parts.close()
