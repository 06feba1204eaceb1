"""From an epoch to what its records were processed with: the bundle by its digest, the settings as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from detector.cli.assemble import open_bundle, residency, stream_context
from detector.pipeline import StreamContext
from detector.settings import Settings, StreamSettings
from detector.settings_file import fingerprint
from detector.state import Epoch
from models.bundle import Bundle


class LivedContexts:
    """Opens models as epochs ask for them, each once.

    Args:
        settings: Names the present bundles.
        models: Directories of further bundles.
        cluster: Id of the cluster.

    Raises:
        BundleError: a bundle is missing or damaged.
    """

    def __init__(self, settings: Settings, models: Sequence[Path], cluster: str) -> None:
        self._cluster = cluster
        self._residency = residency(settings.worker.state)
        paths = dict.fromkeys([*(stream.model for stream in settings.streams), *models])
        self._bundles: dict[str, tuple[Path, Bundle]] = {}
        for path in paths:
            bundle = open_bundle(path)
            self._bundles[bundle.digest] = path, bundle
        self._opened: dict[tuple[str, str, str], StreamContext] = {}

    def resolve(self, stream: StreamSettings, epoch: Epoch) -> StreamContext | str:
        """What the records of an epoch were processed with, or what is missing, for people."""
        key = stream.name, epoch.model, epoch.fingerprint
        if key in self._opened:
            return self._opened[key]
        settings = settings_of(stream, epoch)
        if isinstance(settings, str):
            return settings
        if epoch.model not in self._bundles:
            version = f"version {epoch.model_version}, " if epoch.model_version else ""
            return (
                f"the model that was in force ({version}digest {epoch.model}) is not at hand; give the directory of "
                "its bundle with --model"
            )
        path, bundle = self._bundles[epoch.model]
        context = stream_context(settings.model_copy(update={"model": path}), bundle, self._cluster)
        self._opened[key] = context = replace(context, residency=self._residency)
        return context


def settings_of(stream: StreamSettings, epoch: Epoch) -> StreamSettings | str:
    """The stream's settings as of an epoch."""
    if fingerprint(stream) == epoch.fingerprint:
        return stream
    if not epoch.settings:
        return (
            f"the settings that were in force (fingerprint {epoch.fingerprint[:12]}) are not written down, and are not "
            "those of the configuration; give a configuration that has the record, window and incidents of then"
        )
    present = stream.model_dump(exclude={"record", "window", "incidents"})
    try:
        found = StreamSettings.model_validate({**present, **epoch.settings})
    except ValidationError as error:
        first = error.errors()[0]
        return (
            f"the settings that were in force cannot be read by this release ({'.'.join(map(str, first['loc']))}: "
            f"{first['msg']}); use the release that wrote them"
        )
    if fingerprint(found) != epoch.fingerprint:
        return "the settings that were in force have another meaning in this release; use the release that wrote them"
    return found
