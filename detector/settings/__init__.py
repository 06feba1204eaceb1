"""One frozen tree of settings, read from a YAML file and the environment, checked at start.

Durations in the file may be numbers of seconds or text such as ``90s``, ``5m``, ``1h30m`` or ``7d``; inside they are
seconds (``float``), as every name that ends in ``_seconds`` says.
"""

from detector.settings.http import DashboardSettings, HttpAuthSettings, HttpSettings, HttpTlsSettings
from detector.settings.incidents import FrozenSettings, IncidentSettings, SilenceSettings
from detector.settings.kafka import KafkaSettings, SaslSettings, TlsSettings
from detector.settings.records import RecordSettings
from detector.settings.stream import (
    DriftSettings,
    MetricsSettings,
    ShadowSettings,
    StreamSettings,
    WindowSettings,
)
from detector.settings.topics import TopicSettings
from detector.settings.tree import LogSettings, RegistrySettings, Settings
from detector.settings.values import (
    ModelAddress,
    RetentionSeconds,
    Seconds,
    SecondsFromZero,
    Section,
    TopicName,
    parse_duration,
)
from detector.settings.worker import (
    COMMIT_GRACE_SECONDS,
    OFFSETS_CALL_SECONDS,
    BadRecordSettings,
    StateSettings,
    WorkerSettings,
)

__all__ = [
    "COMMIT_GRACE_SECONDS",
    "OFFSETS_CALL_SECONDS",
    "BadRecordSettings",
    "DashboardSettings",
    "DriftSettings",
    "FrozenSettings",
    "HttpAuthSettings",
    "HttpSettings",
    "HttpTlsSettings",
    "IncidentSettings",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "ModelAddress",
    "RecordSettings",
    "RegistrySettings",
    "RetentionSeconds",
    "SaslSettings",
    "Seconds",
    "SecondsFromZero",
    "Section",
    "Settings",
    "ShadowSettings",
    "SilenceSettings",
    "StateSettings",
    "StreamSettings",
    "TlsSettings",
    "TopicName",
    "TopicSettings",
    "WindowSettings",
    "WorkerSettings",
    "parse_duration",
]
