"""What happens inside of a recurrent model while it reads a window: gates and states, step by step."""

from models.inspection.cells import CellTrace
from models.inspection.probe import Inspection, LayerTrace, inspect_carried, inspect_window

__all__ = ["CellTrace", "Inspection", "LayerTrace", "inspect_carried", "inspect_window"]
