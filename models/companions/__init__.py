"""Estimates that need no trained model, made beside it: each learns from the series itself while it runs."""

from models.companions.beside import COMPANIONS, beside

__all__ = ["COMPANIONS", "beside"]
