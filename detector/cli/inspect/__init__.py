"""``detector inspect``: what the model did inside, at an alert or at any sample."""
