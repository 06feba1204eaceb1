"""``detector models``: bundles, registries, architectures, memory horizons."""
