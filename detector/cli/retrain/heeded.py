"""What people said stays in force when a model is trained anew: the challenger's threshold follows it, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from detector.alerting.events import Event
from detector.cli.common.bundles import model_errors
from detector.cli.common.policies import incident_policy
from detector.cli.feedback.recalibrated import let_pass, recalibrated
from detector.feedback.contradictions import ContradictionError
from detector.feedback.recalibration import ScoredSeries, recalibrate
from detector.feedback.standing import find_again
from detector.feedback.verdicts import Verdict
from detector.retraining.comparison import Decision
from detector.settings import StreamSettings
from models.bundle import Bundle, load_bundle, write_recalibrated

SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of a stream, and the incidents that no score opened.

    Attributes:
        verdicts: The latest on each subject.
        events: Of kind ``silence`` and ``frozen``, from the events topic.
    """

    verdicts: Sequence[Verdict]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Heeded:
    """A challenger that does what people said, or why it does not.

    Attributes:
        bundle: The challenger.
        verdicts: That count.
        known: Those of them that the history has.
        against: Why it must not take over; None: nothing of what was said is lost.
    """

    bundle: Bundle
    verdicts: int
    known: int
    against: str | None = None

    def judge(self, decision: Decision) -> Decision:
        """The decision, unless what people said would be lost."""
        return decision if self.against is None else Decision(False, (self.against,))


def follows(bundle: Bundle, said: Said) -> bool:
    """Whether a bundle was calibrated with what people said, and they still say something."""
    return bundle.calibration.feedback is not None and bool(said.verdicts)


def heed(
    challenger: Bundle,
    champion: Bundle,
    said: Said,
    scores: Mapping[str, ScoredSeries],
    stream: StreamSettings,
    alerts_per_week: float,
    now: datetime,
) -> Heeded:
    """Recalibrate a challenger by the verdicts, as ``detector recalibrate`` does, where the champion follows some.

    Its bundle is replaced in its directory. A threshold of the settings plays no part: no bundle has a say in it.

    Args:
        challenger: Trained just now, with a threshold by its budget.
        champion: `follows` what was said.
        said: Of this stream.
        scores: The challenger's, of the history.
        stream: Its settings.
        alerts_per_week: See `detector.feedback.recalibration.recalibrate`.
        now: For people, as the time of its making.

    Raises:
        BundleError: the bundle cannot be written.
    """
    count = len(said.verdicts)
    on_scores = [one for one in said.verdicts if one.kind == "reconstruction"]
    others = [one for one in said.verdicts if one.kind != "reconstruction"]
    record = champion.calibration.feedback or {}
    rows = record.get("verdicts")
    aside = any(row.get("outcome") == SET_ASIDE for row in rows) if isinstance(rows, list) else False
    policy = incident_policy(challenger, stream.incidents.model_copy(update={"threshold": None}))
    told = recalibrate(on_scores, scores, policy, alerts_per_week, set_aside=True)
    known = sum(one.level is not None for one in told.effects)
    known += sum(one.lasted is not None for one in find_again(others, said.events))
    if not known:
        return Heeded(
            challenger,
            count,
            known,
            "the present threshold follows feedback, and this history has nothing of what it is about: give a longer "
            "--since, withdraw what no longer counts with 'detector feedback mark --verdict withdrawn', or run "
            "'detector recalibrate' on the challenger and move the alias by hand",
        )
    try:
        threshold = recalibrate(on_scores, scores, policy, alerts_per_week, set_aside=aside)
        rest = let_pass(others, said.events, challenger, stream)
    except ContradictionError as error:
        return Heeded(
            challenger,
            count,
            known,
            f"the present threshold follows feedback, which that of the new model cannot: {error}. To choose, run "
            "'detector recalibrate' on the challenger and move the alias by hand",
        )
    calibration = recalibrated(challenger, threshold, rest, len(scores))
    # The bundle with a threshold by budget is gone: what came before is the model that people spoke of.
    feedback = {**(calibration.feedback or {}), "from_model": champion.digest}
    path: Path = challenger.path
    with model_errors():
        write_recalibrated(path, challenger, replace(calibration, feedback=feedback), rest.habits, now, force=True)
        return Heeded(load_bundle(path), count, known)
