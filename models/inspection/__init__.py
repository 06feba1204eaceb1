"""What happens inside of a recurrent model while it reads a window: gates and states, step by step."""

from models.inspection.cells import CellTrace
from models.inspection.probe import Inspection, Inspector, LayerTrace, joined

__all__ = ["CellTrace", "Inspection", "Inspector", "LayerTrace", "joined"]
