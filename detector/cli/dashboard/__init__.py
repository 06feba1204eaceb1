"""``detector dashboard``: where its parts are put together."""
