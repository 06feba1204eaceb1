"""``detector retrain``: a stream's model anew on its own history."""
