"""Reports as pages: what a replay found, and how a training went."""
