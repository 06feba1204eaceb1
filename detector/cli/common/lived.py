"""From an epoch to what its records were processed with: the bundle by its digest, the settings as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from detector.cli.common.assemble import residency, stream_context
from detector.cli.common.bundles import BundleSource, registries_of
from detector.model_address import ModelPlace, shown
from detector.pipeline.context import StreamContext
from detector.settings import Settings, StreamSettings
from detector.settings_file import fingerprint
from detector.settings_file.fingerprint import SHAPING
from detector.state import Epoch
from models.bundle import Bundle


class LivedContexts:
    """Opens models as epochs ask for them, each once.

    Args:
        settings: Names the present bundles, and registries that may have the others.
        models: Further bundles.
        registries: Addresses of further registries.
        cluster: Id of the cluster.

    Raises:
        BundleError: a bundle is missing or damaged.
        RegistryUnavailableError: a registry cannot be read.
    """

    def __init__(
        self, settings: Settings, models: Sequence[ModelPlace], cluster: str, registries: Sequence[str] = ()
    ) -> None:
        self._cluster = cluster
        self._residency = residency(settings.worker.state)
        self._source = BundleSource(settings.registry)
        self._registries = [*registries_of(settings.streams), *registries]
        places = dict.fromkeys([*(stream.model for stream in settings.streams), *models])
        opened = [self._source.open(place) for place in places]
        self._bundles: dict[str, Bundle | None] = {bundle.digest: bundle for bundle in opened}
        self._opened: dict[tuple[str, str, str], StreamContext] = {}

    def __len__(self) -> int:
        """How many models are open, each with its settings."""
        return len(self._opened)

    def resolve(self, stream: StreamSettings, epoch: Epoch) -> StreamContext | str:
        """What the records of an epoch were processed with, or what is missing, for people."""
        key = stream.name, epoch.model, epoch.fingerprint
        if key in self._opened:
            return self._opened[key]
        settings = settings_of(stream, epoch)
        if isinstance(settings, str):
            return settings
        bundle = self._bundle(epoch.model)
        if bundle is None:
            version = f"version {epoch.model_version}, " if epoch.model_version else ""
            where = f" nor in {', '.join(map(shown, self._registries))}" if self._registries else ""
            return (
                f"the model that was in force ({version}digest {epoch.model}) is not at hand{where}; give the "
                "directory of its bundle with --model, or the registry that has it with --registry"
            )
        context = stream_context(settings, bundle, self._cluster)
        self._opened[key] = context = replace(context, residency=self._residency)
        return context

    def _bundle(self, digest: str) -> Bundle | None:
        if digest not in self._bundles:
            self._bundles[digest] = self._source.by_digest(digest, self._registries)
        return self._bundles[digest]


def settings_of(stream: StreamSettings, epoch: Epoch) -> StreamSettings | str:
    """The stream's settings as of an epoch."""
    if fingerprint(stream) == epoch.fingerprint:
        return stream
    if not epoch.settings:
        return (
            f"the settings that were in force (fingerprint {epoch.fingerprint[:12]}) are not written down, and are not "
            "those of the configuration; give a configuration that has the sections "
            f"{', '.join(sorted(SHAPING))} of then"
        )
    present = stream.model_dump(exclude=set(SHAPING))
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
