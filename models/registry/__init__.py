"""Where bundles of many versions are kept, and which of them a name such as ``champion`` stands for."""

from models.registry.cache import BundleCache, default_cache_directory
from models.registry.records import Move, Version
from models.registry.registry import Registry, open_registry

__all__ = ["BundleCache", "Move", "Registry", "Version", "default_cache_directory", "open_registry"]
