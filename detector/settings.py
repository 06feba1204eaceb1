"""One frozen tree of settings, read from a YAML file and the environment, checked at start.

Durations in the file may be numbers of seconds or text such as ``90s``, ``5m``, ``1h30m`` or ``7d``; inside they are
seconds (``float``), as every name that ends in ``_seconds`` says.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from detector.model_address import ModelPlace, RegistryReference, model_place

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_UNIT_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TOPIC_NAME = re.compile(r"^[a-zA-Z0-9._-]{1,249}$")
_STREAM_NAME = re.compile(r"^[a-zA-Z0-9._-]{1,100}$")

COMMIT_GRACE_SECONDS = 2.0
"""How much longer than the transaction timeout a transactional call is waited for."""
OFFSETS_CALL_SECONDS = 5.0
"""Longest that asking for offsets, or committing them outside of a transaction, may take."""
# In a row, at worst: create the producer, end what its predecessor left (counts twice), commit, abort.
_TRANSACTIONAL_CALLS = 5
_COMMIT_SHARE = 0.5
_SHORTEST_SESSION_SECONDS = 3.0


def parse_duration(value: object) -> object:
    """Seconds from text such as ``1h30m``; anything that is not text passes through for the type check to judge.

    Raises:
        ValueError: the text is not a duration.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text)
    except ValueError:
        pass
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != "".join(text.split()):
        raise ValueError(f"{value!r} is not a duration; write seconds or text such as 90s, 5m, 1h30m, 7d")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _check_topic(name: str) -> str:
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f"{name!r} is not a topic name; use at most 249 letters, digits, '.', '_' and '-'")
    return name


def _check_stream_name(name: str) -> str:
    if not _STREAM_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a stream name; use at most 100 letters, digits, '.', '_' and '-'")
    return name


def _model_place(value: object) -> ModelPlace:
    if isinstance(value, str):
        return model_place(value)
    if isinstance(value, Path | RegistryReference):
        return value
    raise PydanticCustomError("path_type", "neither a directory nor a registry reference")


def _repeated(names: Sequence[str]) -> str | None:
    """The first name that occurs a second time."""
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _check_listed(names: tuple[str, ...]) -> tuple[str, ...]:
    name = _repeated(names)
    if name is not None:
        raise ValueError(f"{name!r} is listed twice; remove one of the two")
    if "" in names:
        raise ValueError("a name is empty; write the series as events name it")
    return names


def _check_retention(seconds: float) -> float:
    if seconds != -1 and seconds <= 0:
        raise ValueError(f"{seconds:g} s keeps nothing; write a longer time, or -1 for ever")
    return seconds


Seconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(gt=0, allow_inf_nan=False),
]
SecondsFromZero = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(ge=0, allow_inf_nan=False),
]
RetentionSeconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(ge=-1, allow_inf_nan=False),
    AfterValidator(_check_retention),
]
ModelAddress = Annotated[
    Path | RegistryReference,
    PlainValidator(_model_place, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
TopicName = Annotated[str, AfterValidator(_check_topic), Field(json_schema_extra={"pattern": _TOPIC_NAME.pattern})]


class Section(BaseModel):
    """A part of the settings: frozen, and closed to unknown keys so that a typing error is found at start."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class SaslSettings(Section):
    """How the client proves who it is."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
    """What the brokers ask for."""
    username: str | None = None
    """PLAIN and SCRAM."""
    password: SecretStr | None = None
    """PLAIN and SCRAM; better not written here: use ``${VARIABLE}``, the environment or password_file."""
    password_file: Path | None = None
    """A file that holds the password, for secrets mounted by an orchestrator; instead of password."""
    token_file: Path | None = None
    """OAUTHBEARER: a file that holds the current token; read again at each authentication."""

    @model_validator(mode="after")
    def _complete(self) -> SaslSettings:
        if self.mechanism == "OAUTHBEARER":
            if self.token_file is None:
                raise ValueError("OAUTHBEARER needs token_file; name a file that holds the token")
            return self
        if self.username is None:
            raise ValueError(f"{self.mechanism} needs username; add it")
        if (self.password is None) == (self.password_file is None):
            have = "neither" if self.password is None else "both"
            raise ValueError(f"{self.mechanism} needs exactly one of password and password_file; it has {have}")
        return self


class TlsSettings(Section):
    """How the connection is protected; mutual TLS when ``cert_file`` is given."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust; without it, those of the system."""
    cert_file: Path | None = None
    """PEM file of the client's certificate, for mutual TLS; together with key_file."""
    key_file: Path | None = None
    """PEM file of the client's private key."""
    key_password: SecretStr | None = None
    """Of the private key, where it is encrypted."""
    check_hostname: bool = True
    """Whether the brokers' certificates must name the hosts that were asked for."""

    @model_validator(mode="after")
    def _pair(self) -> TlsSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("mutual TLS needs both cert_file and key_file; add the one that is missing")
        return self


class KafkaSettings(Section):
    """Where the cluster is and how to speak to it."""

    bootstrap_servers: tuple[str, ...] = ("localhost:9092",)
    """Some of the brokers, each as host:port; the client learns of the others from them."""
    client_id: Annotated[str, Field(min_length=1)] = "reconstream"
    """Name under which the brokers' logs and quotas show this client."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """SSL: encrypted (section tls). SASL_SSL: with a login as well (section sasl). SASL_PLAINTEXT: login only."""
    sasl: SaslSettings | None = None
    """The login, with security_protocol SASL_SSL or SASL_PLAINTEXT."""
    tls: TlsSettings = TlsSettings()
    """Certificates, with security_protocol SSL or SASL_SSL."""
    connect_timeout_seconds: Seconds = 10.0
    """How long to look for the cluster at start before saying what is wrong."""

    @field_validator("bootstrap_servers", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            host, colon, port = address.rpartition(":")
            if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
                raise ValueError(f"{address!r} is not an address; write host:port")
        if not value:
            raise ValueError("name at least one host:port")
        return value

    @model_validator(mode="after")
    def _sasl_when_needed(self) -> KafkaSettings:
        wants = self.security_protocol.startswith("SASL")
        if wants and self.sasl is None:
            raise ValueError(
                f"security_protocol {self.security_protocol} needs a sasl section; add mechanism and login"
            )
        if not wants and self.sasl is not None:
            raise ValueError(
                f"the sasl section has no effect with security_protocol {self.security_protocol}; "
                "set security_protocol to SASL_SSL, or remove the section"
            )
        return self


class BadRecordSettings(Section):
    """When invalid records stop the worker: a wrong topic or producer must not be drained into dead letters."""

    max_ratio: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Stop when more than this share of the last ``ratio_records`` records was invalid."""
    ratio_records: Annotated[int, Field(ge=10)] = 1000
    """How many of the last records ``max_ratio`` is taken over."""
    max_run: Annotated[int, Field(ge=1)] = 500
    """Stop when this many invalid records follow each other on a partition."""


class StateSettings(Section):
    """How much work a restart may cost, and how many series are in memory; no outcome depends on any of it."""

    max_replay_records: Annotated[int, Field(ge=100)] = 20_000
    """At most this many records of a partition are read again, silently, after a restart."""
    snapshot_bytes_per_commit: Annotated[int, Field(ge=1024)] = 4_194_304
    """Snapshots of series are spread over commits so that one carries about this much of them; a checkpoint that is
    being written adds as much again."""
    checkpoint_interval_seconds: Seconds = 3600.0
    """How often each partition's whole state is kept on the epochs topic, so that replay and audit can begin there."""
    max_resident_series: Annotated[int, Field(ge=1)] = 20_000
    """Most series of a partition in memory; beyond them, those with the oldest event time wait in a local file."""
    directory: Path | None = None
    """Where local files of series that are not in memory are put; without it, in the temporary directory."""


class WorkerSettings(Section):
    """The loop: identity, delivery, batches and deadlines."""

    group: Annotated[str, Field(min_length=1)] = "reconstream"
    """Consumer group; with ``instance`` it names the transactional id, so it must be this worker's own."""
    instance: str = Field(default_factory=socket.gethostname, min_length=1)
    """Stable and unique name of this worker within the group; a restart must keep it."""
    static_membership: bool = True
    """A worker that restarts within the session timeout gets its partitions back without a rebalance."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """exactly_once: events, state and offsets commit in one transaction. at_least_once: a fault may repeat events."""
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    """Where to begin on a partition that has neither a committed offset nor state."""
    on_lost_input: Literal["stop", "continue"] = "stop"
    """What to do when retention deleted records before they were read; 'continue' goes on from the oldest one left."""
    on_lost_state: Literal["stop", "rebuild"] = "stop"
    """What to do when the state topic was deleted or is damaged; 'rebuild' makes windows and incidents anew from the
    last ``state.max_replay_records`` records of each partition, and loses incidents that opened before them."""
    on_new_partitions: Literal["stop", "continue"] = "stop"
    """What to do when an input topic has another number of partitions than when its state was written: keys move, and a
    series that moved begins anew where it lands."""
    max_poll_records: Annotated[int, Field(ge=1, le=100_000)] = 5000
    """Most records of one poll. Fewer are asked for where processing them would take longer than a second."""
    commit_interval_seconds: Seconds = 0.5
    """Longest time between commits while records arrive; events become visible with the commit."""
    commit_records: Annotated[int, Field(ge=1)] = 20_000
    """Commit earlier when this many records are pending."""
    session_timeout_seconds: Seconds = 10.0
    """A worker that sent no heartbeat for this long loses its partitions to the others."""
    max_poll_interval_seconds: Seconds = 300.0
    """A worker that is alive but does not come back for records for this long loses its partitions too."""
    transaction_timeout_seconds: Seconds = 10.0
    """A transaction that a dead worker left open is aborted after this long; until then readers of its events wait."""
    drain_timeout_seconds: Seconds = 20.0
    """How long SIGTERM may take to finish and commit what was polled."""
    bad_records: BadRecordSettings = BadRecordSettings()
    """When invalid records stop the worker."""
    state: StateSettings = StateSettings()
    """How much work a restart may cost, and how many series are in memory."""

    @property
    def longest_commit_seconds(self) -> float:
        """How long one commit can take when the brokers do not answer; the group waits for its end."""
        if self.delivery == "at_least_once":
            return 2 * self.transaction_timeout_seconds + OFFSETS_CALL_SECONDS
        return _TRANSACTIONAL_CALLS * (self.transaction_timeout_seconds + COMMIT_GRACE_SECONDS)

    @model_validator(mode="after")
    def _timeouts_agree(self) -> WorkerSettings:
        if self.session_timeout_seconds < _SHORTEST_SESSION_SECONDS:
            raise ValueError(
                f"session_timeout_seconds {self.session_timeout_seconds:g} s would let a short pause of the process "
                f"cost its partitions; set {_SHORTEST_SESSION_SECONDS:g} s or more (brokers refuse less than 6 s "
                "unless their group.min.session.timeout.ms is lower)"
            )
        if self.session_timeout_seconds > self.max_poll_interval_seconds:
            raise ValueError(
                f"session_timeout_seconds {self.session_timeout_seconds:g} s is longer than max_poll_interval_seconds "
                f"{self.max_poll_interval_seconds:g} s, which would then have no effect on a worker that died; "
                "lower the one or raise the other"
            )
        longest = self.longest_commit_seconds
        if longest > _COMMIT_SHARE * self.max_poll_interval_seconds:
            raise ValueError(
                f"max_poll_interval_seconds {self.max_poll_interval_seconds:g} s is too short for "
                f"transaction_timeout_seconds {self.transaction_timeout_seconds:g} s: when brokers do not answer, one "
                f"commit takes up to {longest:g} s, and that must be at most half of it; set max_poll_interval_seconds "
                f"to {longest / _COMMIT_SHARE:g} s or more, or lower transaction_timeout_seconds"
            )
        return self


class TopicSettings(Section):
    """Names of the topics that the worker writes; created at start unless ``create`` is false."""

    events: TopicName = "reconstream.events"
    """Incidents: opened, updated, closed."""
    dead_letters: TopicName = "reconstream.dead-letters"
    """Invalid records as they came, each with its reason."""
    state: TopicName = "reconstream.state"
    """Windows and open incidents, so that a restart goes on where it stopped; compacted."""
    epochs: TopicName = "reconstream.epochs"
    """Which model and settings were in force from which offset on."""
    feedback: TopicName = "reconstream.feedback"
    """What people say about incidents; written by ``detector feedback``, read by ``detector recalibrate``."""
    create: bool = True
    """Create these topics at start where they are missing; otherwise a missing one is an error."""
    replication_factor: Annotated[int, Field(ge=-1)] = -1
    """Of topics that are created; -1 leaves it to the cluster."""
    retention_seconds: RetentionSeconds = 31_536_000.0
    """How long events, dead letters and epochs are kept; -1 for ever."""


class RecordSettings(Section):
    """How bytes become samples."""

    decoder: str = "json"
    """Format of the record values: json, or the name of a decoder that an installed package brings."""
    layout: Literal["wide", "tall"] = "wide"
    """wide: one record holds all channels. tall: one record holds one channel."""
    series_fields: tuple[str, ...] = ()
    """Paths of the fields whose values, joined by '/', name the series; without any, the record key does.
    A path is names separated by dots; a number is an index of a list; names that hold a dot are put in quotes."""
    time_field: str | None = None
    """Path of the event time; without it, the record timestamp is the event time."""
    time_unit: Literal["auto", "s", "ms", "us", "ns", "iso8601"] = "auto"
    """Unit of a number in time_field: auto tells them apart by size. Text is ISO 8601 (UTC without a zone)."""
    channel_fields: dict[str, str] = {}
    """Channel of the model -> path of its field, where the two differ (wide); below channels_under, if that is set."""
    channels_under: str | None = None
    """Path of an object that holds the channels, such as ``fields`` (wide)."""
    channel_name_field: str = "channel"
    """Path of the channel's name (tall)."""
    value_field: str = "value"
    """Path of the value (tall)."""
    max_future_seconds: Seconds = 3600.0
    """A record whose time_field lies further ahead of the record's own timestamp is invalid."""

    @model_validator(mode="after")
    def _fits_layout(self) -> RecordSettings:
        other = ("channel_name_field", "value_field") if self.layout == "wide" else ("channel_fields", "channels_under")
        for name in other:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} has no effect with layout {self.layout}; "
                    f"remove it, or set layout to {'tall' if self.layout == 'wide' else 'wide'}"
                )
        if self.time_field is None and self.time_unit != "auto":
            raise ValueError("time_unit has no effect without time_field; name the field, or remove time_unit")
        return self


class WindowSettings(Section):
    """Event-time windows of a series; what is left out comes from the bundle."""

    stride: Annotated[int, Field(ge=1)] = 1
    """Score every stride-th sample."""
    max_gap_steps: Annotated[int, Field(ge=0)] = 5
    """With a period: up to this many missing samples in a row are filled; a longer gap starts the window anew."""
    lateness_seconds: SecondsFromZero = 0.0
    """Tall layout: how long an incomplete sample waits, in event time, for missing channels once later ones arrive."""
    max_jump_seconds: Seconds = 86_400.0 * 7
    """A step forward in time longer than this must be confirmed by a second sample before it is believed."""
    stale_after_seconds: Seconds = 900.0
    """A series so far behind the event time that two series of its partition have reached counts as stale."""
    forget_after_seconds: Seconds = 86_400.0 * 7
    """A series this far behind is forgotten; it warms up again when it comes back."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least share of a window's values, and of the last sample's channels, that must have been observed for a score."""
    max_series: Annotated[int, Field(ge=1)] = 1_000_000
    """Most series known per partition, in memory or not; records of further new series go to the dead letters."""


class IncidentSettings(Section):
    """From scores to incidents: one fault, one incident. Ratios are score / threshold."""

    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Overrides the bundle's calibrated threshold."""
    open_after: Annotated[int, Field(ge=1)] | None = None
    """Scored samples in a row above the threshold that open an incident; without it, as the bundle was calibrated."""
    close_ratio: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Hysteresis: only scores below this share of the threshold count as quiet."""
    close_after: Annotated[int, Field(ge=1)] | None = None
    """Quiet scored samples in a row that close an incident; without it, one window, so that an anomaly that leaves
    the window does not raise a second incident."""
    cool_down_seconds: SecondsFromZero = 0.0
    """After an incident closes, a new one on the same series opens only after this much event time."""
    update_every_seconds: Seconds = 3600.0
    """An open incident, of any kind, is repeated as an update this often, in event time, and whenever its severity
    rises."""
    warning_ratio: Annotated[float, Field(ge=1)] = 2.0
    """Peak score / threshold from which an incident is a warning; below, it is info."""
    critical_ratio: Annotated[float, Field(ge=1)] = 5.0
    """Peak score / threshold from which an incident is critical."""
    top_channels: Annotated[int, Field(ge=1, le=100)] = 5
    """Most channels that an event names, those that contribute most first."""

    @model_validator(mode="after")
    def _ordered(self) -> IncidentSettings:
        if self.critical_ratio < self.warning_ratio:
            raise ValueError(
                f"critical_ratio {self.critical_ratio:g} is below warning_ratio {self.warning_ratio:g}; "
                "write a greater one"
            )
        return self


class ShadowSettings(Section):
    """A challenger that scores the same windows as the stream's model and reports nothing but metrics."""

    model: ModelAddress
    """Directory of a bundle; or a model of a registry, such as ``registry://models/pumps@challenger``. It must have the
    period of the stream's model, no longer windows, and no channels that it lacks."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the series that it scores, chosen by their names; scoring all takes as long as the model does."""


class SilenceSettings(Section):
    """Series that stop while others of their partition go on: one incident of kind silence, until they are back."""

    enabled: bool = True
    """Whether silence is a finding."""
    after_seconds: Seconds | None = None
    """Event time without a sample after which a series counts as silent; without it, five times the longest usual gap
    of the bundle's training data, and a minute at least."""
    critical_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    """A silence is critical once it has lasted for so many times that long; before, it is a warning."""


class FrozenSettings(Section):
    """Channels that keep exactly one value for longer than they ever did in training: one incident of kind frozen."""

    enabled: bool = True
    """Whether a channel that does not move is a finding."""
    margin: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """By how much a run of equal samples must exceed the longest one of the training data."""
    least_samples: Annotated[int, Field(ge=2)] = 10
    """Shorter runs are never a finding, however restless the channel was in training."""
    critical_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    """The incident is critical once a channel has kept its value for so many times its limit; before, a warning."""


class DriftSettings(Section):
    """How far inputs and scores have come from those of training, as metrics; it shapes no outcome."""

    window_seconds: Seconds = 86_400.0
    """Event time over which samples are counted before they are compared."""


class MetricsSettings(Section):
    """Series that have metrics of their own; it shapes no outcome."""

    series: Annotated[tuple[str, ...], Field(max_length=200), AfterValidator(_check_listed)] = ()
    """Names of series, 200 at most, whose latest score over threshold and open incidents are exported with a label
    ``series``. All others are in events only: each of them would cost two time series in Prometheus."""


class StreamSettings(Section):
    """One input topic with its model."""

    name: Annotated[str, AfterValidator(_check_stream_name), Field(json_schema_extra={"pattern": _STREAM_NAME.pattern})]
    """Name of the stream in events and metrics; state belongs to it, so keep it."""
    topic: TopicName
    """Input topic; no two streams share one."""
    model: ModelAddress
    """Directory of a bundle written by ``detector train``; or a model of a registry, such as
    ``registry://models/pumps@champion`` or ``s3://bucket/models/pumps@champion``, whose moves a worker follows."""
    runtime: Literal["onnx", "keras"] = "onnx"
    """What computes the reconstructions; keras needs the extra of that name and starts more slowly."""
    record: RecordSettings = RecordSettings()
    """How the topic's records are laid out."""
    window: WindowSettings = WindowSettings()
    """How samples gather into windows."""
    incidents: IncidentSettings = IncidentSettings()
    """How scores become incidents."""
    silence: SilenceSettings = SilenceSettings()
    """Series that stop."""
    drift: DriftSettings = DriftSettings()
    """How far the stream has come from the training data."""
    frozen: FrozenSettings = FrozenSettings()
    """Channels that stop moving."""
    metrics: MetricsSettings = MetricsSettings()
    """Series that have metrics of their own."""
    shadow: ShadowSettings | None = None
    """A challenger that scores the same windows and reports nothing but metrics."""


class HttpTlsSettings(Section):
    """Encrypts what is served; where ``client_ca_file`` is given, clients must show a certificate (mutual TLS)."""

    cert_file: Path
    """PEM file of the server's certificate, with those between it and its authority; a renewed one is taken up."""
    key_file: Path
    """PEM file of its private key."""
    key_password: SecretStr | None = None
    """Of the private key, where it is encrypted."""
    client_ca_file: Path | None = None
    """PEM file of the authorities whose certificates let a client in, probes too; without it, none is asked for."""


class HttpAuthSettings(Section):
    """A name and password (HTTP basic authentication) that all but the probes asks for; use it with section tls."""

    username: Annotated[str, Field(min_length=1, pattern="^[^:]*$")]
    """What clients log in as; without a colon."""
    password: SecretStr | None = None
    """Better not written here: use ``${VARIABLE}``, the environment or password_file."""
    password_file: Path | None = None
    """A file that holds the password, read at start; instead of password."""
    open_probes: bool = True
    """Orchestrators send no password: /healthz and /readyz answer without one, but then say only whether, not why."""

    @model_validator(mode="after")
    def _one_password(self) -> HttpAuthSettings:
        if (self.password is None) == (self.password_file is None):
            have = "neither" if self.password is None else "both"
            raise ValueError(f"needs exactly one of password and password_file; it has {have}")
        if self.password is not None and not self.password.get_secret_value():
            raise ValueError("password is empty; set one, or remove the section")
        return self


class HttpSettings(Section):
    """The endpoints /metrics, /healthz and /readyz."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all, as a container needs."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """0 takes a free port and logs it."""
    stalled_after_seconds: Seconds = 60.0
    """/healthz fails when the loop made no progress for this long."""
    tls: HttpTlsSettings | None = None
    """Encrypts the endpoints."""
    auth: HttpAuthSettings | None = None
    """A name and password for the endpoints."""


class DashboardSettings(Section):
    """The web page of ``detector dashboard``; the worker makes no use of it."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all, as a container needs."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9465
    """0 takes a free port and logs it."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which browsers may reach the page, besides addresses, localhost and the name of this machine; others
    are refused, so that no foreign page can read it by giving its own name this address (DNS rebinding)."""
    read_only: bool = False
    """Whether nobody may acknowledge incidents or give verdicts from the page."""
    max_incidents: Annotated[int, Field(ge=10)] = 10_000
    """Most incidents in memory; beyond them those that closed longest ago are left out, and the page says so."""
    look_back_seconds: Seconds = 86_400.0 * 30
    """Events that were written longer ago, at the start, are left out."""
    tls: HttpTlsSettings | None = None
    """Encrypts the page."""
    auth: HttpAuthSettings | None = None
    """A name and password for the page."""


class RegistrySettings(Section):
    """How registries of models are used, where streams name one."""

    check_interval_seconds: Seconds = 30.0
    """How often a running worker looks whether an alias that it follows was moved."""
    cache_directory: Path | None = None
    """Where copies of bundles from remote registries are kept; without it, below the user's cache directory."""


class LogSettings(Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is shown."""
    format: Literal["auto", "console", "json"] = "auto"
    """auto: for people on a terminal, JSON otherwise."""


class Settings(Section):
    """Everything a worker or a replay needs to know."""

    kafka: KafkaSettings = KafkaSettings()
    """Where the cluster is and how to speak to it."""
    worker: WorkerSettings = WorkerSettings()
    """The loop: identity, delivery, batches and deadlines."""
    topics: TopicSettings = TopicSettings()
    """Names of the topics that the worker writes."""
    streams: Annotated[tuple[StreamSettings, ...], Field(min_length=1)]
    """The input topics, each with its model."""
    registry: RegistrySettings = RegistrySettings()
    """How registries of models are used, where streams name one."""
    http: HttpSettings = HttpSettings()
    """The endpoints /metrics, /healthz and /readyz."""
    dashboard: DashboardSettings = DashboardSettings()
    """The web page of ``detector dashboard``."""
    log: LogSettings = LogSettings()
    """What is logged and how."""

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        name = _repeated([stream.name for stream in self.streams])
        if name is not None:
            raise ValueError(f"two streams have the name {name!r}; give each a name of its own")
        inputs = [stream.topic for stream in self.streams]
        topic = _repeated(inputs)
        if topic is not None:
            raise ValueError(f"two streams read the topic {topic!r}; give each stream a topic of its own")
        topics = self.topics
        topic = _repeated([*inputs, topics.events, topics.dead_letters, topics.state, topics.epochs, topics.feedback])
        if topic is not None:
            raise ValueError(
                f"the topic {topic!r} is named twice; events, dead_letters, state, epochs, feedback "
                "and the streams' topics must all differ"
            )
        return self
