"""``detector run``: the live worker put together, and the models under it exchanged."""
