"""What a training comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.calibration import Calibration
from models.habits import Habits
from models.reference import Reference
from models.renewal import Renewal
from models.scaling import Scaler
from models.scores import ScoreRule
from models.spec import ModelSpec
from models.training.held_out_view import HeldOutView
from models.training.history import TrainingHistory

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Everything that a bundle is made of.

    Attributes:
        spec: Shape and architecture.
        model: The Keras model, with its best weights.
        renewal: When carried memory is given up; None: never, or the model carries none.
        scaler: Fitted on training rows alone.
        rule: The score, fitted to held-out windows.
        calibration: Threshold from held-out windows.
        reference: What inputs and scores were like.
        habits: Cadence of the series, and how long their channels rest.
        history: What happened.
        onnx: The model as ONNX; held-out data was scored by it.
        golden: float32[n, window, channels]; inputs on which every runtime must agree with Keras.
        training_data: Which data it was; see `models.segments.fingerprint`.
        held_out: What the model left of the held-out data, for people; no part of a bundle.
        warm_up: Samples on which a series that training never saw is measured before it is judged; 0: it is scaled as
            all together are.
    """

    spec: ModelSpec
    model: Any
    renewal: Renewal | None
    scaler: Scaler
    rule: ScoreRule
    calibration: Calibration
    habits: Habits
    reference: Reference
    history: TrainingHistory
    onnx: bytes
    golden: Float32
    training_data: dict[str, object]
    held_out: HeldOutView
    warm_up: int = 0
