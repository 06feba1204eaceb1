"""Choosing a model and its score without labels, within a budget of time."""

from models.selection.selecting import DEFAULT_BUDGET_SECONDS, Row, Selection, select

__all__ = ["DEFAULT_BUDGET_SECONDS", "Row", "Selection", "select"]
