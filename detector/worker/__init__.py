"""The live worker: its loop, and how it gets a partition, keeps it, commits for it and lets it go."""
