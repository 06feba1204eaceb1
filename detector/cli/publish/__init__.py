"""``detector publish``: files to a topic, with their own times."""
