"""Bundles: everything that a model needs to score, in one directory, checked before any of it is parsed."""

from models.bundle.copying import copy_bundle
from models.bundle.reading import Bundle, load_bundle
from models.bundle.writing import write_bundle

__all__ = ["Bundle", "copy_bundle", "load_bundle", "write_bundle"]
