"""``detector train``: from history to a bundle."""
