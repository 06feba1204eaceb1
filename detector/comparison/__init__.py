"""Another model, or other thresholds, over the same history: what they would have reported instead."""
