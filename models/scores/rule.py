"""The score of a window: errors of the parts of a model's output, averaged over time, and brought together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import array, known_keys, text
from models.memory import Memory, StateType, combine
from models.outputs import PREDICTION, RECONSTRUCTION, Output
from models.scores.channels import PartErrors
from models.scores.options import LINKS, ScoreOptions
from models.scores.stretch import Stretch
from models.scores.surprise import HIGH_QUANTILE, LEAST_USUAL, Surprise
from models.scores.trailing import TrailingMeans

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

USUAL_QUANTILE = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRule:
    """Score of windows, with what each channel adds to it.

    With the link ``log`` the score is ``exp(mean of log(1 + average / usual)) - 1`` over all parts and scales: about 1
    where every average stands at its usual maximum. With ``surprise`` it is minus the decimal logarithm of how rare the
    averages are in the series' own past, in the mean: 2 for one in a hundred.

    A score looks at nothing later than its window, takes the same time for every window, and has the same bits
    whatever else is in the batch.

    Args:
        parts: At least one.
        scales: See `ScoreOptions`.
        link: See `ScoreOptions`.
        usual: float64[parts, scales], above 0; what is rarely exceeded in held-out data.

    Raises:
        SpecError: a value does not fit.
    """

    parts: tuple[PartErrors, ...]
    scales: tuple[int, ...]
    link: str
    usual: Float64
    _trailing: TrailingMeans = field(init=False, repr=False)
    _surprise: Surprise | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tail = max((part.tail for part in self.parts), default=1)
        ScoreOptions(parts=tuple(part.part for part in self.parts), tail=tail, scales=self.scales, link=self.link)
        channels = {part.inverse_scale.size for part in self.parts}
        if len(channels) != 1:
            raise SpecError("a score needs at least one part, and as many channels in each")
        shape = (len(self.parts), len(self.scales))
        if self.usual.shape != shape or not np.isfinite(self.usual).all() or (self.usual <= 0).any():
            raise SpecError(f"usual must be finite numbers above 0, {list(shape)}")
        object.__setattr__(self, "_trailing", TrailingMeans(self.scales, channels.pop()))
        surprise = Surprise(self.usual.reshape(-1)) if self.link == "surprise" else None
        object.__setattr__(self, "_surprise", surprise)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.parts[0].inverse_scale.size

    @property
    def told_by(self) -> str:
        """Name of the part that people are shown as what was expected: a prediction rather than what saw the sample."""
        names = [part.part for part in self.parts]
        return next((name for name in (PREDICTION, RECONSTRUCTION) if name in names), names[0])

    @property
    def state_dtype(self) -> StateType | None:
        """What is carried along a series; None: nothing."""
        surprise = None if self._surprise is None else self._surprise.state_dtype
        return combine(**{part.part: self._trailing.state_dtype for part in self.parts}, surprise=surprise)

    @property
    def reach(self) -> float:
        """Scored samples after which nothing older has any influence; infinite with ``surprise``, which learns."""
        return math.inf if self._surprise is not None else float(self.scales[-1] if self.scales[-1] > 1 else 0)

    def score(
        self, filled: Float32, output: Output, observed: Bool, memory: Memory | None = None
    ) -> tuple[Float64, Float64]:
        """Score windows and move the memory of their series on.

        Args:
            filled: float32[n, window, channels], what the model saw.
            output: What it made of it.
            observed: bool[n, window, channels].
            memory: Of this rule, for the windows' series; None: each window is the first of its series.

        Returns:
            float64[n], NaN where a part saw nothing; and float64[n, channels], which add up to the score, 0 for
            channels that play no part.
        """
        means, shares = self._averages(filled, output, observed, memory)
        if self.link == "plain":
            weighted = shares / means.shape[1]
            contributions = _in_order(weighted)
            return _in_order(means / means.shape[1]), contributions
        if self._surprise is not None:
            terms = self._surprise.advance(means, None if memory is None else memory.part("surprise"))
            score = _in_order(terms) / terms.shape[1]
        else:
            terms = np.log1p(means / self.usual.reshape(-1))
            score = np.expm1(_in_order(terms) / terms.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = np.where(means[:, :, None] > 0, shares / means[:, :, None], 0.0)
            whole = _in_order(parts * terms[:, :, None])
            total = np.cumsum(whole, axis=1)[:, -1]
            contributions = np.where(total[:, None] > 0, whole / total[:, None] * score[:, None], 0.0)
        return score, contributions

    def _averages(
        self, filled: Float32, output: Output, observed: Bool, memory: Memory | None
    ) -> tuple[Float64, Float64]:
        """float64[n, parts * scales] and float64[n, parts * scales, channels]."""
        means, shares = [], []
        for part in self.parts:
            error, of_channels = part.errors(filled, output, observed)
            mine = memory.part(part.part) if memory is not None and self._trailing.state_dtype is not None else None
            mean, share = self._trailing.advance(error, of_channels, mine)
            means.append(mean)
            shares.append(share)
        return np.concatenate(means, axis=1), np.concatenate(shares, axis=1)

    @classmethod
    def fit(cls, stretches: Sequence[Stretch], window: int, options: ScoreOptions | None = None) -> ScoreRule:
        """Fit to what a model leaves of held-out data.

        Args:
            stretches: At least one, with at least one window.
            window: Samples that a window of the model has, of which stretches hold the last alone.
            options: What the score is to be made of.

        Raises:
            SpecError: the model does not give a part that was asked for, or nothing was observed.
        """
        options = options or ScoreOptions()
        names = options.parts_of(stretches[0].output.parts)
        parts = tuple(PartErrors.fit(name, options.kind, options.tail, stretches, window) for name in names)
        rule = cls(parts, options.scales, options.link, np.ones((len(parts), len(options.scales))))
        means = np.concatenate(
            [
                rule._averages(stretch.filled, stretch.output, stretch.observed, stretch.memory(rule.state_dtype))[0]
                for stretch in stretches
            ]
        )
        means = means[~np.isnan(means).any(axis=1)]
        if not len(means):
            raise SpecError("no held-out window could be scored; give more data, or data with fewer missing values")
        quantile = HIGH_QUANTILE if options.link == "surprise" else USUAL_QUANTILE
        usual = np.maximum(np.quantile(means, quantile, axis=0), LEAST_USUAL)
        return cls(parts, options.scales, options.link, usual.reshape(len(parts), len(options.scales)))

    @property
    def options(self) -> ScoreOptions:
        """What it was made by."""
        first = self.parts[0]
        names = tuple(part.part for part in self.parts)
        return ScoreOptions(kind=first.kind, parts=names, tail=first.tail, scales=self.scales, link=self.link)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; nothing of a float64 is lost."""
        return {
            "parts": [part.to_dict() for part in self.parts],
            "scales": list(self.scales),
            "link": self.link,
            "usual": self.usual.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ScoreRule:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"parts", "scales", "link", "usual"}, "score")
        parts, scales, link = data["parts"], data["scales"], text(data, "link")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise SpecError("parts must be a list of objects")
        if not isinstance(scales, list) or not all(type(scale) is int for scale in scales):
            raise SpecError("scales must be a list of integers")
        if link not in LINKS:
            raise SpecError(f"there is no link {link!r}")
        return cls(tuple(PartErrors.from_dict(part) for part in parts), tuple(scales), link, array(data, "usual", 2))


def _in_order(values: Float64) -> Float64:
    """Sum over the second axis, from its first to its last: the order does not depend on the batch."""
    result: Float64 = np.cumsum(values, axis=1)[:, -1]
    return result
