"""Choosing a model and its score without labels, within a budget of time."""

from models.selection.candidates import seedless
from models.selection.choosing import Row, Selection
from models.selection.selecting import DEFAULT_BUDGET_SECONDS, Stream, select, select_for_all

__all__ = ["DEFAULT_BUDGET_SECONDS", "Row", "Selection", "Stream", "seedless", "select", "select_for_all"]
