"""How the stretch of an event is read again: as it was lived, where that is known, or else from a look-back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.alerting.events import Event
from detector.errors import StateMismatchError
from detector.lived.past import Past
from detector.lived.plan import Plan, Stage, make_plan
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.state import Epoch

Lived = Callable[[Epoch], StreamContext | str]
"""What the records of an epoch were processed with, or what is missing, for people."""


@dataclass(frozen=True, slots=True)
class Standin:
    """What is used where nobody knows how an event was made.

    Attributes:
        context: Of the stream.
        note: For people: what it is.
        same_model: Whether its model is that of the event.
    """

    context: StreamContext
    note: str
    same_model: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a stretch is read.

    Attributes:
        stages: To walk through, at least one.
        context_of: What an epoch's records are processed with.
        note: For people: what is not as it was; may be empty.
        same_model: Whether the model is that of the event.
    """

    stages: tuple[Stage, ...]
    context_of: Callable[[Epoch], StreamContext]
    note: str
    same_model: bool

    @property
    def begun(self) -> str:
        """For people: what was known before the first record."""
        stage = self.stages[0]
        if self.from_look_back:
            return f"from a {stage.begun()}: what was before it is not known"
        return f"from the {stage.begun().removeprefix('the ').removeprefix('look-back from ')}"

    @property
    def from_look_back(self) -> bool:
        """Whether something before the first record is not known."""
        return self.stages[0].entry == "look_back" and self.stages[0].read_from > 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Which records are wanted.

    Attributes:
        first: First offset.
        stop: First offset that is too late.
        retained: Oldest offset that there is.
        look_back: Records to read before ``first`` where nothing better is known.
    """

    first: int
    stop: int
    retained: int
    look_back: int


def find_way(event: Event, reach: Reach, past: Past, lived: Lived, standin: Standin) -> Way:
    """As it was lived, if that is known as far as the event reaches; else from a look-back, with a stand-in.

    Raises:
        BundleError: a model that was in force is damaged.
        KafkaUnavailableError: the cluster does not answer.
    """
    partition = InputPartition(event.source.topic, event.source.partition)
    found: dict[int, StreamContext] = {}

    def unresolved(epoch: Epoch) -> str | None:
        context = lived(epoch)
        if isinstance(context, str):
            return context
        found[epoch.from_offset] = context
        return None

    why, plan = "", Plan((), ())
    try:
        log = past.log(partition, event.stream).completed(None, event.stream, partition)
        plan = make_plan(log, reach.first, reach.stop, reach.retained, reach.look_back, unresolved)
    except StateMismatchError as error:
        why = str(error)
    model = _model_at(plan, event.source.last_offset, found)
    if model == event.model.digest and plan.stages[0].first <= event.source.first_offset:
        # Where something is not known behind the event, the stretch ends there.
        return Way(plan.stages, lambda epoch: found[epoch.from_offset], "", same_model=True)
    why = why or next((hole.reason for hole in plan.holes), "")
    if not why and model is not None and model != event.model.digest:
        why = f"the event came from model {event.model.version}, which was never in force there"
    read_from = max(reach.retained, reach.first - reach.look_back)
    stage = Stage(_unknown(event, partition), "look_back", read_from, reach.first, reach.stop)
    # Where the model is gone, the note says it.
    note = "; ".join(filter(None, [standin.note, why if standin.same_model else ""]))
    return Way((stage,), lambda _: standin.context, note, standin.same_model)


def _model_at(plan: Plan, offset: int, found: dict[int, StreamContext]) -> str | None:
    for stage in plan.stages:
        if stage.first <= offset < stage.stop:
            return found[stage.epoch.from_offset].identity.model
    return None


def _unknown(event: Event, partition: InputPartition) -> Epoch:
    """An epoch that stands for what is not written down."""
    return Epoch(
        version=1,
        stream=event.stream,
        topic=partition.topic,
        partition=partition.partition,
        from_offset=0,
        model=event.model.digest,
        model_version=event.model.version,
        fingerprint="",
    )
