"""Windows to scores."""
