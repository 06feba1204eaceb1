"""One window of a series, opened: what the model saw, made of it, and did inside."""
