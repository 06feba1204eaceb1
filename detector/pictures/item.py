"""A picture as data that a page draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.embed import json_item
from bokeh.models import LayoutDOM


def as_item(layout: LayoutDOM, target: str | None = None) -> Mapping[str, Any]:
    """What ``window.reconstream.mount`` of ``theme.js`` draws; plain values for JSON.

    Args:
        layout: The picture. It can be turned into an item once.
        target: Id of the element that it is meant for, where one was chosen already.
    """
    item: Mapping[str, Any] = json_item(layout, target)
    return item
