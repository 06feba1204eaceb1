"""Pictures of what was found, as figures of Bokeh; nothing here reads or writes anything."""

from __future__ import annotations

from detector.pictures.item import as_item

__all__ = ["as_item"]
