"""``detector replay``: history through the same pipeline."""
