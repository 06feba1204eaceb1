"""The fit that most architectures share: windows in, the same windows out."""

from __future__ import annotations

from models.architectures.architecture import Fitted, FittingTask


def fit_windows(task: FittingTask) -> Fitted:
    """Fit a model as it is served, to the mean squared error of its reconstruction of windows."""
    # Not at the top: training looks architectures up.
    from models.training.objective import WindowObjective

    objective = WindowObjective(task.model, task.bank, task.held_out, task.options)
    return Fitted(task.model, task.minimise(objective))
