"""Pictures of one shape are built once: what the data says goes into places that the models keep open.

To build the models of a picture takes Bokeh most of a second, and to put numbers into their JSON some milliseconds. So
code that draws does not hand values to models; it binds places of them to where the data has the value. The first
picture of a shape is built from its models, and later ones of the same shape are filled in.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from bokeh.core.serialization import Serializer
from bokeh.models import LayoutDOM, Model

from detector.pictures.item import as_item

MOST_STENCILS = 64
"""Shapes that are kept; one takes about 150 kB."""

Data = TypeVar("Data")
Part = TypeVar("Part")
_Path = tuple[str | int, ...]


class Places(Generic[Data]):
    """Where a picture's models take values from its data.

    Args:
        data: Of the picture that is drawn now.
        note: Is told the id of a model, an attribute, and how the data gives its value.
    """

    def __init__(self, data: Data, note: Callable[[str, str, Callable[[Data], Any]], None] | None = None) -> None:
        self.data = data
        self._note = note or (lambda *_: None)

    def bind(self, model: Model, attribute: str, value: Callable[[Data], Any]) -> None:
        """Set an attribute to what the data says, now and in all pictures of this shape."""
        setattr(model, attribute, value(self.data))
        self._note(model.id, attribute, value)

    def within(self, part: Callable[[Data], Part]) -> Places[Part]:
        """The same for a part of the data."""

        def note(name: str, attribute: str, value: Callable[[Part], Any]) -> None:
            self._note(name, attribute, lambda data: value(part(data)))

        return Places(part(self.data), note)


class Stencils(Generic[Data]):
    """Items of pictures, by way of the first one of each shape; any thread may ask.

    Args:
        draw: Builds the models of a picture, and binds what depends on more than its shape.
        most: Shapes to keep; beyond them the one that was used longest ago is given up.
    """

    def __init__(self, draw: Callable[[Places[Data]], LayoutDOM], most: int = MOST_STENCILS) -> None:
        self._draw, self._most = draw, most
        self._lock = threading.Lock()
        self._cut: OrderedDict[Hashable, _Stencil[Data]] = OrderedDict()

    def item(self, data: Data, shape: Hashable) -> dict[str, Any]:
        """What a page draws, as of `detector.pictures.item.as_item`.

        Args:
            data: Of the picture.
            shape: Equal for data whose pictures differ in nothing but what is bound.
        """
        with self._lock:
            stencil = self._cut.get(shape)
            if stencil is not None:
                self._cut.move_to_end(shape)
        if stencil is None:
            stencil = _Stencil(self._draw, data)
            with self._lock:
                self._cut[shape] = stencil
                while len(self._cut) > self._most:
                    self._cut.popitem(last=False)
        return stencil.item(data)


class _Stencil(Generic[Data]):
    """A picture whose bound places are open."""

    def __init__(self, draw: Callable[[Places[Data]], LayoutDOM], data: Data) -> None:
        found: list[tuple[str, str, Callable[[Data], Any]]] = []
        item = as_item(draw(Places(data, lambda *place: found.append(place))))
        roots = item["doc"]["roots"]
        at = _objects(roots)
        self._places = [(at[name], attribute, value) for name, attribute, value in found]
        for path, attribute, _ in self._places:
            _follow(roots, path).setdefault("attributes", {})[attribute] = None
        self._text = json.dumps(item)

    def item(self, data: Data) -> dict[str, Any]:
        item: dict[str, Any] = json.loads(self._text)
        roots, serializer = item["doc"]["roots"], Serializer(deferred=False)
        for path, attribute, value in self._places:
            _follow(roots, path)["attributes"][attribute] = serializer.encode(value(data))
        return item


def _objects(node: Any, path: _Path = ()) -> dict[str, _Path]:
    """Where each model stands, by its id."""
    found: dict[str, _Path] = {}
    if isinstance(node, dict):
        if node.get("type") == "object" and "id" in node:
            found[node["id"]] = path
        children: Any = node.items()
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    else:
        return found
    for key, child in children:
        found |= _objects(child, (*path, key))
    return found


def _follow(node: Any, path: _Path) -> dict[str, Any]:
    for key in path:
        node = node[key]
    found: dict[str, Any] = node
    return found
